"""`check --watch`: what it notices, when it checks again, and how it ends."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from stepsmith.cli import check
from stepsmith.cli.watching import Changes, changes, look_at, watch
from stepsmith.project import Project
from tests.cli.conftest import ACTION, ROOT, Call

Act = Callable[[], None]


def acting(acts: Iterable[Act | None]) -> Callable[[float], None]:
    """A sleep in which something happens each time."""
    pending = iter(acts)

    def sleep(seconds: float) -> None:
        act = next(pending)
        if act is not None:
            act()

    return sleep


def writing(path: Path, text: str) -> Act:
    """Changes a file for certain, however coarse the file system's clock."""

    def act() -> None:
        path.write_text(text)
        os.utime(path, ns=(next(_TIMES), next(_TIMES)))

    return act


_TIMES = iter(range(10**18, 2 * 10**18, 10**9))


def test_what_happened_between_two_looks(tmp_path: Path) -> None:
    a, b, c = (tmp_path / name for name in "abc")
    writing(a, "1")()
    writing(b, "1")()
    before = look_at([a, b, c])
    assert set(before) == {a, b}
    writing(a, "2")()
    b.unlink()
    writing(c, "1")()
    found = changes(before, look_at([a, b, c]))
    assert found == Changes(changed=(a,), new=(c,), gone=(b,))
    assert found
    assert not changes(before, before)


def test_files_are_looked_at_again_once_they_are_at_rest(tmp_path: Path) -> None:
    path = tmp_path / "a"
    writing(path, "1")()
    told: list[tuple[int, Changes]] = []
    slept = 0

    def sleep(seconds: float) -> None:
        nonlocal slept
        slept += 1
        if slept == 2:
            path.unlink()  # an editor replaces the file in two steps
        elif slept == 3:
            writing(path, "2")()
        elif slept == 7:
            writing(path, "3")()

    watch(lambda: [path], lambda found: told.append((slept, found)), sleep=sleep, looks=range(10))
    assert told == [(4, Changes(changed=(path,))), (8, Changes(changed=(path,)))]


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What a test has made of the action is not what later tests find imported."""
    yield
    for name in ("greet", "broken"):
        sys.modules.pop(f"stepsmith_functions.actions.{name}", None)


@pytest.fixture
def watched(project: Project, call: Call, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Runs `check --watch` while the given things happen, one between two looks; the lines that it prints."""

    def run(*acts: Act | None, argv: tuple[str, ...] = ()) -> list[str]:
        steps: list[Act | None] = [item for act in acts for item in (act, None)]
        bounded = functools.partial(watch, sleep=acting(steps), looks=range(len(steps)))
        monkeypatch.setattr(check, "watch", bounded)
        called = call("check", "--watch", *argv)
        assert called.status == 0
        return (called.out + called.err).replace("+ ", "✓ ").splitlines()

    return run


def test_a_change_is_named_and_everything_is_checked_again(project: Project, watched: Callable[..., list[str]]) -> None:
    path = project.workflows_folder / "greeting.yaml"
    good = path.read_text()
    lines = watched(writing(path, good.replace("action: greet", "action: gret", 1)), writing(path, good))
    assert lines[:3] == ["✓ 1 workflow, no problems", "", "changed: workflows/greeting.yaml"]
    assert lines[3].startswith("workflows/greeting.yaml:9:13: error: ")
    assert lines.count("changed: workflows/greeting.yaml") == 2
    assert lines[-2:] == ["✓ 1 workflow, no problems", "watching for changes; Ctrl-C ends it"]


def test_new_and_deleted_workflows_are_noticed(project: Project, watched: Callable[..., list[str]]) -> None:
    other = project.workflows_folder / "other.yaml"
    lines = watched(writing(other, "name: other\nsteps: [{wait: 1s}]\n"), other.unlink)
    assert lines == [
        "✓ 1 workflow, no problems",
        "",
        "new: workflows/other.yaml",
        "✓ 2 workflows, no problems",
        "",
        "gone: workflows/other.yaml",
        "✓ 1 workflow, no problems",
        "watching for changes; Ctrl-C ends it",
    ]


def test_a_deleted_file_or_a_broken_action_does_not_end_it(project: Project, watched: Callable[..., list[str]]) -> None:
    action = project.functions_folder / "stepsmith_functions" / "actions" / "broken.py"
    path = project.workflows_folder / "greeting.yaml"
    text = path.read_text()
    try:
        lines = watched(
            path.unlink,
            writing(path, text),
            writing(action, "1/0\n"),
            action.unlink,
            argv=("workflows/greeting.yaml",),
        )
    finally:
        action.unlink(missing_ok=True)
    assert "gone: workflows/greeting.yaml" in lines
    assert "stepsmith: workflows/greeting.yaml cannot be opened: there is no such file" in lines
    assert "new: functions/stepsmith_functions/actions/broken.py" in lines
    assert [line for line in lines if "actions.broken cannot be imported: ZeroDivisionError" in line]
    assert lines.count("✓ 1 workflow, no problems") == 3


def test_a_changed_action_changes_what_is_checked(project: Project, watched: Callable[..., list[str]]) -> None:
    action = project.functions_folder / "stepsmith_functions" / "actions" / "greet.py"
    before = dedent(ACTION)
    try:
        lines = watched(writing(action, before.replace("who: str", "name: str").replace('{"who"', '{"name"')))
    finally:
        action.write_text(before)
    assert "changed: functions/stepsmith_functions/actions/greet.py" in lines
    assert [line for line in lines if line.startswith("workflows/greeting.yaml:10:14: error: ")]


def test_a_wrong_call_ends_at_once(project: Project, call: Call) -> None:
    assert call("check", "--watch", "nothing.yaml").status == 2
    called = call("check", "--watch", "--format", "json")
    assert called.status == 2
    assert "--watch prints for people only" in called.err


def test_ctrl_c_ends_it_well(project: Project) -> None:
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "stepsmith.cli.main", "check", "--watch"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'compiler'}:{ROOT / 'functions'}"},
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "watching for changes; Ctrl-C ends it\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "\n")
    assert "no problems" in out
