"""What only the local store does: the file, its limits, and two processes at once."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

import stepsmith_functions
from stepsmith_functions.history.local import LocalRunStore
from stepsmith_functions.history.records import RunRecord, RunStatus, StepRecord
from stepsmith_functions.history.store import HistoryUnavailableError, RunNotFoundError, all_steps
from stepsmith_functions.history.values import StoredValue

START = datetime(2026, 7, 12, 8, 30, tzinfo=UTC)
MakeRun = Callable[..., RunRecord]
MakeStep = Callable[..., StepRecord]
SOURCES = str(Path(stepsmith_functions.__file__).parents[1])


def test_it_survives_the_process(tmp_path: Path) -> None:
    path = tmp_path / ".stepsmith" / "history.db"
    program = f"""
import sys
sys.path.insert(0, {SOURCES!r})
from datetime import datetime, UTC
from pathlib import Path
import stepsmith_functions.history.ending, stepsmith_functions.history.rebuild, stepsmith_functions.history.result
from stepsmith_functions.history.local import LocalRunStore
from stepsmith_functions.history.records import RunRecord, RunStatus
run = RunRecord("run-1", "w", RunStatus.SUCCEEDED, datetime(2026, 7, 12, 8, 30, tzinfo=UTC), output=[1])
LocalRunStore(Path({str(path)!r})).put_run(run)
heavy = {{"boto3", "botocore", "pydantic", "moto"}} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)

    assert LocalRunStore(path).run("run-1").output == [1]


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    program = f"""
import sys
sys.path.insert(0, {SOURCES!r})
from datetime import datetime, timedelta, UTC
from pathlib import Path
from stepsmith_functions.history.local import LocalRunStore
from stepsmith_functions.history.records import RunRecord, RunStatus, StepRecord, StepStatus
store = LocalRunStore(Path({str(path)!r}), keep=1000)
start = datetime(2026, 7, 12, 8, 30, tzinfo=UTC)
for number in range(40):
    run_id = f"{{sys.argv[1]}}-{{number}}"
    assert store.put_run(RunRecord(run_id, "w", RunStatus.RUNNING, start))
    store.put_steps([StepRecord(run_id, "a", "a", StepStatus.SUCCEEDED)])
    assert store.put_run(RunRecord(run_id, "w", RunStatus.SUCCEEDED, start, ended_at=start))
"""
    writers = [subprocess.Popen([sys.executable, "-c", program, name]) for name in ("a", "b")]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]

    store = LocalRunStore(path)
    runs = store.runs(limit=1000).items
    assert len(runs) == 80
    assert {run.status for run in runs} == {RunStatus.SUCCEEDED}
    assert all(len(all_steps(store, run.run_id)) == 1 for run in runs)


@pytest.mark.row("S4-009")
def test_it_keeps_the_last_runs(tmp_path: Path, a_run: MakeRun, a_step: MakeStep) -> None:
    store = LocalRunStore(tmp_path / "history.db", keep=3)
    for minute in (5, 1, 3, 4, 2):
        store.put_steps([a_step(run_id=f"run-{minute}")])
        store.put_run(a_run(f"run-{minute}", minute=minute))

    assert [run.run_id for run in store.runs().items] == ["run-5", "run-4", "run-3"]
    assert all_steps(store, "run-1") == []
    assert len(all_steps(store, "run-4")) == 1
    with pytest.raises(ValueError, match="at least one"):
        LocalRunStore(tmp_path / "history.db", keep=0)


@pytest.mark.row("S4-107")
def test_by_default_it_keeps_a_hundred(tmp_path: Path, a_run: MakeRun) -> None:
    store = LocalRunStore(tmp_path / "history.db")
    for minute in range(101):
        store.put_run(a_run(f"run-{minute}", minute=minute))

    assert len(store.runs(limit=1000).items) == 100
    with pytest.raises(RunNotFoundError):
        store.run("run-0")


def test_reading_makes_no_file(tmp_path: Path) -> None:
    store = LocalRunStore(tmp_path / ".stepsmith" / "history.db")

    assert store.runs().items == ()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_history(tmp_path: Path, a_run: MakeRun) -> None:
    path = tmp_path / "history.db"
    path.write_text("not a database, but a text that is long enough to be read as one" * 10)

    with pytest.raises(HistoryUnavailableError, match=r"history\.db: file is not a database"):
        LocalRunStore(path).runs()
    with pytest.raises(HistoryUnavailableError, match="cannot be made"):
        LocalRunStore(path / "below" / "history.db").put_run(a_run())


def test_a_file_of_a_later_version(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(HistoryUnavailableError, match="later version"):
        LocalRunStore(path).runs()


def test_a_failed_write_leaves_the_file_as_it_was(tmp_path: Path, a_run: MakeRun, a_step: MakeStep) -> None:
    store = LocalRunStore(tmp_path / "history.db")
    store.put_run(a_run())
    with pytest.raises(TypeError):
        store.put_steps([a_step("good"), a_step("bad", output=object())])

    assert all_steps(store, "run-1") == []
    with pytest.raises(HistoryUnavailableError, match="S3"):
        store.load(StoredValue("b", "k", 1, "0"))
