"""Runs in one process that commands in another one pause, resume, cancel and stop."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stepsmith.local.runner import Progress, RunOptions, run_workflow
from stepsmith.project import Project
from stepsmith_functions.history.local import LocalRunStore
from stepsmith_functions.history.records import RunStatus
from stepsmith_functions.runtime.control import Control, Order
from tests.acceptance.conftest import Desk

FIFTY = """
    name: fifty
    steps:
      - id: each
        for_each:
          in: "{{ range(50) }}"
          as: number
          concurrency: 10
          steps:
            - {id: breathe, wait: 2s}
            - {id: keep, action: note, params: {text: "{{ number | string }}"}}
    finally:
      - {id: last, action: note, params: {text: last}}
"""
PATIENCE = 60.0
"""Seconds after which a test gives up waiting for another process."""


@contextmanager
def running(desk: Desk, name: str, *flags: str, before: str = "") -> Iterator[subprocess.Popen[str]]:
    """The workflow `name`, run by a process of its own, `before` which a shell does something else."""
    command = [sys.executable, "-m", "stepsmith.cli.main", "run", name, *flags]
    if before:
        command = ["sh", "-c", f'{before}; exec "$@"', "sh", *command]
    process = subprocess.Popen(command, cwd=desk.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def until(true: Callable[[], Any], process: subprocess.Popen[str]) -> Any:
    """Waits for what another process does; what `true` gave."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := true():
            return found
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    pytest.fail("nothing happened")


def run_of(desk: Desk, name: str) -> str | None:
    """The id of the one run of a workflow that is under way."""
    found = desk.call("runs", "--workflow", name, "--json").json
    return found[0]["run_id"] if found and found[0]["ended_at"] is None else None


def lines(desk: Desk) -> list[str]:
    file = Path(desk.root, "journal.txt")
    return file.read_text().splitlines() if file.exists() else []


@pytest.fixture(autouse=True)
def _empty_journal(desk: Desk) -> None:
    Path(desk.root, "journal.txt").unlink(missing_ok=True)


@pytest.mark.row("S0-045", "S0-046")
def test_a_loop_of_fifty_is_paused_and_resumed_from_another_process(desk: Desk) -> None:
    desk.workflow(FIFTY)
    with running(desk, "fifty", "--real-time", "--json") as process:
        run = until(lambda: run_of(desk, "fifty"), process)
        until(lambda: len(lines(desk)) >= 5, process)
        paused = desk.call("pause", run, "--why", "lunch")
        assert paused.status == 0
        assert f"stepsmith resume {run[:8]}" in paused.out
        assert process.stderr is not None
        assert f"lunch: stepsmith resume {run[:8]} lets it go on" in process.stderr.readline()

        held = lines(desk)
        shown = desk.call("show", run, "--json").json
        done = [step for step in shown["steps"] if step["id"] == "keep" and step["status"] == "succeeded"]
        assert shown["status"] == "paused"
        assert len(done) == len(held) < 50
        assert "lunch" in desk.call("show", run).out
        assert "paused" in desk.call("runs", "--workflow", "fifty").out
        again = desk.call("pause", run)
        assert (again.status, "is paused" in again.err) == (1, True)
        assert lines(desk) == held

        assert desk.call("resume", run).status == 0
        out, _ = process.communicate(timeout=PATIENCE)
    result = json.loads(out)
    assert process.returncode == 0
    assert result["status"] == "succeeded"
    assert sorted(lines(desk)) == sorted([*map(str, range(50)), "last"])
    assert all(step["attempts"] == 1 for step in result["steps"])


@pytest.mark.row("S0-044", "S3-017")
def test_a_cancelled_run_ends_through_its_finally(desk: Desk) -> None:
    desk.workflow(FIFTY.replace("concurrency: 10", "concurrency: 5").replace("wait: 2s", "wait: 4s"))
    with running(desk, "fifty", "--real-time", "--json") as process:
        run = until(lambda: run_of(desk, "fifty"), process)
        until(lambda: len(lines(desk)) >= 5, process)
        assert desk.call("cancel", run, "--why", "wrong host").status == 0
        out, _ = process.communicate(timeout=PATIENCE)
    result = json.loads(out)
    assert process.returncode == 130
    assert result["status"] == "cancelled"
    assert result["error"]["type"] == "RunCancelled"
    assert result["error"]["message"].startswith("the run was cancelled by ")
    assert result["error"]["message"].endswith("wrong host")
    assert result["error"]["step"] == "keep"
    assert lines(desk)[-1] == "last"
    assert len(lines(desk)) < 51
    assert desk.call("show", run, "--json").json == result
    refused = desk.call("cancel", run)
    assert (refused.status, "is over: cancelled" in refused.err) == (1, True)


def test_who_cancelled_a_run_and_before_which_step_is_told_and_is_no_error_of_the_file(desk: Desk) -> None:
    desk.workflow(FIFTY.replace("concurrency: 10", "concurrency: 1").replace("wait: 2s", "wait: 1s"))
    with running(desk, "fifty", "--real-time") as process:
        run = until(lambda: run_of(desk, "fifty"), process)
        assert desk.call("cancel", run, "--why", "wrong host").status == 0
        out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "the run was cancelled by " in out
    assert "wrong host, before keep (workflows/fifty.yaml:" in out
    assert "run-failed" not in out


def test_another_process_sees_what_a_run_waits_for(desk: Desk) -> None:
    """Nothing happens in the run until the wait is over; what has happened is on record nevertheless."""
    desk.workflow(
        """
        name: resting
        steps:
          - {id: first, action: note, params: {text: first}}
          - {id: rest, wait: 1h}
        """
    )
    with running(desk, "resting", "--real-time", "--json") as process:
        run = until(lambda: run_of(desk, "resting"), process)

        def waits() -> bool:
            steps = {step["id"]: step["status"] for step in desk.call("show", run, "--json").json["steps"]}
            return steps == {"first": "succeeded", "rest": "waiting"}

        until(waits, process)
        assert "transitions" not in desk.call("show", run).out  # they are counted at the end
        assert desk.call("cancel", run, "--now").status == 0
        process.communicate(timeout=PATIENCE)


@pytest.mark.parametrize("before", ["", "trap '' INT"])
def test_a_run_that_is_cancelled_now_stops_within_its_step(desk: Desk, before: str) -> None:
    """Also in the background of a shell, which has it ignore Ctrl-C."""
    text = """
        name: sleepy
        steps:
          - {id: long, action: slow, params: {seconds: 600}}
        finally:
          - {id: last, action: note, params: {text: last}}
    """
    desk.workflow(text)
    with running(desk, "sleepy", "--real-time", "--json", before=before) as process:
        run = until(lambda: run_of(desk, "sleepy"), process)
        assert desk.call("cancel", run, "--now").status == 0
        out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert json.loads(out)["status"] == "cancelled"
    assert lines(desk) == [], out


def test_a_pause_waits_for_no_virtual_time_and_a_cancel_ends_it(desk: Desk) -> None:
    text = """
        name: virtual
        steps:
          - id: many
            repeat:
              until: "{{ false }}"
              max: 3000
              steps:
                - {id: again, action: unsteady, params: {fails: 0}}
          - {id: after, action: note, params: {text: after}}
        finally:
          - {id: last, action: note, params: {text: last}}
    """
    desk.workflow(text)
    with running(desk, "virtual", "--json") as process:
        run = until(lambda: run_of(desk, "virtual"), process)
        assert desk.call("pause", run).status == 0
        assert process.stderr is not None
        assert "lets it go on" in process.stderr.readline()
        assert desk.call("cancel", run).status == 0
        out, _ = process.communicate(timeout=PATIENCE)
    result = json.loads(out)
    assert (process.returncode, result["status"], result["elapsed_s"]) == (130, "cancelled", 0.0)
    assert lines(desk) == ["last"]
    assert result["steps"][-1]["path"] == "last"


def test_mocked_steps_heed_orders_too(desk: Desk) -> None:
    desk.workflow(FIFTY)
    mocks = desk.write("mocks.yaml", "last: {return: {text: x, length: 1}}\nkeep: {return: {text: x, length: 1}}\n")
    with running(desk, "fifty", "--real-time", "--json", "--mock", str(mocks)) as process:
        run = until(lambda: run_of(desk, "fifty"), process)
        assert desk.call("cancel", run).status == 0
        out, _ = process.communicate(timeout=PATIENCE)
    result = json.loads(out)
    assert (process.returncode, result["status"]) == (130, "cancelled")
    assert result["steps"][-1]["status"] == "succeeded"


def test_orders_for_no_run_are_refused(desk: Desk) -> None:
    for command in ("pause", "resume", "cancel"):
        called = desk.call(command, "nobody")
        assert called.status == 2
        assert desk.call(command, "latest", "--endpoint-url", "http://localhost:1").status == 2


def test_a_run_that_is_over_is_neither_paused_nor_resumed(desk: Desk) -> None:
    ran = desk.run("name: short\nsteps: [{action: note, params: {text: x}}]")
    for command in ("pause", "resume", "cancel"):
        called = desk.call(command, ran.result["run_id"])
        assert (called.status, "is over: succeeded" in called.err) == (1, True)
    store = LocalRunStore(Project(desk.root).history)
    assert store.run(ran.result["run_id"]).status is RunStatus.SUCCEEDED


CHILD = """
    name: care
    steps:
      - {id: begin, action: note, params: {text: child}}
      - {id: more, wait: 1s}
      - {id: end, action: note, params: {text: too late}}
    finally:
      - {id: tidy, action: note, params: {text: tidy}}
"""
PARENT = """
    name: family
    steps:
      - id: guarded
        try:
          - id: child
            workflow: care
            on_failure: continue
        catch: [{then: continue, steps: [{id: caught, action: note, params: {text: caught}}]}]
        finally: [{id: cleanup, workflow: tidy-up}]
      - {id: after, action: note, params: {text: after}}
    finally:
      - {id: last, action: note, params: {text: last}}
"""
TIDY = """
    name: tidy-up
    steps: [{id: sweep, action: note, params: {text: swept}}]
"""


def test_a_cancel_reaches_a_child_and_comes_back_through_every_finally(desk: Desk) -> None:
    """What a child runs within a `finally` of its parent is not cancelled with it."""
    desk.workflow(CHILD)
    desk.workflow(TIDY)
    desk.workflow(PARENT)
    with running(desk, "family", "--real-time", "--json") as process:
        run = until(lambda: run_of(desk, "family"), process)
        until(lambda: lines(desk), process)
        assert desk.call("cancel", run).status == 0
        out, _ = process.communicate(timeout=PATIENCE)
    result = json.loads(out)
    assert (process.returncode, result["status"], result["error"]["type"]) == (130, "cancelled", "RunCancelled")
    assert lines(desk) == ["child", "tidy", "swept", "last"]
    (child,) = desk.call("runs", "--workflow", "care", "--json").json
    assert child["status"] == "cancelled"


def test_a_cancel_reaches_the_items_of_a_distributed_loop(desk: Desk) -> None:
    text = """
        name: wide
        steps:
          - id: each
            for_each:
              in: "{{ range(6) }}"
              as: number
              mode: distributed
              concurrency: 1
              tolerate: 2
              steps:
                - {id: breathe, wait: 2s}
                - {id: keep, action: note, params: {text: "{{ number | string }}"}}
            on_failure: continue
          - {id: after, action: note, params: {text: after}}
        finally:
          - {id: last, action: note, params: {text: last}}
    """
    desk.workflow(text)
    with running(desk, "wide", "--real-time", "--json") as process:
        run = until(lambda: run_of(desk, "wide"), process)
        until(lambda: lines(desk), process)
        assert desk.call("cancel", run).status == 0
        out, _ = process.communicate(timeout=PATIENCE)
    assert (process.returncode, json.loads(out)["status"]) == (130, "cancelled"), (lines(desk), out)
    assert "after" not in lines(desk)
    assert lines(desk)[-1] == "last"


@pytest.mark.row("S3-002", "S3-052", "S3-053", "S3-054", "S1-044")
def test_a_long_action_shows_how_far_it_is_and_is_cancelled_within(desk: Desk) -> None:
    text = """
        name: patient
        steps:
          - {id: look, action: thorough, params: {items: 30000}}
          - {id: after, action: note, params: {text: after}}
        finally:
          - {id: last, action: note, params: {text: last}}
    """
    desk.workflow(text)
    with running(desk, "patient", "--real-time", "--json") as process:
        run = until(lambda: run_of(desk, "patient"), process)

        def progress() -> Any:
            steps = desk.call("show", run, "--json").json["steps"]
            return steps[0].get("progress") if steps else None

        told = until(progress, process)
        number = told["item"].removesuffix(".cfg")
        assert told["message"] == f"file {number} of 30000"
        assert 0 < told["percent"] < 100
        shown = desk.call("show", run, "--json").json
        assert (shown["status"], [(step["id"], step["status"]) for step in shown["steps"]]) == (
            "running",
            [("look", "running")],
        )
        assert "of 30000" in desk.call("show", run).out
        assert desk.call("cancel", run).status == 0
        out, _ = process.communicate(timeout=PATIENCE)
    result = json.loads(out)
    assert (process.returncode, result["status"]) == (130, "cancelled")
    assert [(step["id"], step["status"]) for step in result["steps"]] == [("look", "cancelled"), ("last", "succeeded")]
    assert lines(desk) == ["last"]
    whole = desk.run(text.replace("30000", "3"))
    assert (whole.status, whole.step("look")["output"]) == ("succeeded", {"done": 3})


@pytest.mark.row("S3-082")
def test_a_run_that_is_cancelled_before_it_starts_calls_no_step(new_desk: Desk) -> None:
    """The order stands before the first handler is called; of what the run was to do only `finally` happens."""
    program, project, catalog = new_desk.program(
        """
        name: unwanted
        steps:
          - {id: one, action: note, params: {text: one}}
          - parallel:
              left: [{id: two, action: note, params: {text: two}}]
              right: [{id: three, action: note, params: {text: three}}]
        finally:
          - {id: last, action: note, params: {text: last}}
        """
    )
    store = LocalRunStore(project.history)
    ordered: list[bool] = []

    def cancel(progress: Progress) -> None:
        if not ordered and store.runs().items:
            control = Control(Order.CANCEL, "ann", datetime.now(UTC), "wrong host")
            ordered.append(store.order(progress.run_id, control, [RunStatus.RUNNING], RunStatus.CANCELLING))
            assert new_desk.journal == []

    report = run_workflow(program, {}, project, catalog, RunOptions(progress=cancel))
    assert ordered == [True]
    assert (report.run.status, new_desk.journal) == (RunStatus.CANCELLED, ["last"])
    assert report.run.error is not None
    assert "ann: wrong host" in report.run.error.message
    assert [(step.step_id, step.status.value) for step in report.steps] == [("one", "cancelled"), ("last", "succeeded")]


ASKS = """
    name: asks
    steps:
      - {id: begin, action: note, params: {text: begun}, rollback: {action: note, params: {text: undone}}}
      - id: both
        parallel:
          people: [{id: may_i, approval: {message: May I?, timeout: 1d}, on_failure: continue}]
          child: [{id: inner, workflow: asks-too}]
        on_failure: [{then: continue}]
      - {id: after, action: note, params: {text: after}}
    on_failure: rollback
    finally:
      - {id: last, action: note, params: {text: last}}
"""
ASKS_TOO = """
    name: asks-too
    steps:
      - {id: you_too, approval: {message: And this?, timeout: 1d}}
    finally:
      - {id: tidy, action: note, params: {text: tidy}}
"""


@pytest.mark.parametrize("pause", [False, True])
@pytest.mark.parametrize("flags", [[], ["--real-time"]])
def test_a_cancel_wakes_what_waits_for_people(desk: Desk, flags: list[str], pause: bool) -> None:
    """In a branch and in a child; the run is undone, goes through its `finally`, and nobody can decide any more."""
    desk.workflow(ASKS_TOO)
    desk.workflow(ASKS)
    with running(desk, "asks", "--json", *flags) as process:
        run = until(lambda: run_of(desk, "asks"), process)
        until(lambda: len(desk.call("approvals", "--json").json) == 2, process)
        if pause:
            assert desk.call("pause", run).status == 0
        assert desk.call("cancel", run, "--why", "wrong host").status == 0
        out, _ = process.communicate(timeout=PATIENCE)
    result = json.loads(out)
    assert (process.returncode, result["status"], result["error"]["type"]) == (130, "cancelled", "RunCancelled")
    assert "wrong host" in result["error"]["message"]
    assert [line for line in lines(desk) if line != "tidy"] == ["begun", "undone", "last"]
    status = {step["path"]: step["status"] for step in result["steps"]}
    assert status["begin"] == "rolled_back"
    assert status["both.people.may_i"] == "cancelled"
    assert desk.call("approvals", "--json").json == []
    refused = desk.call("approve", run, "both.people.may_i")
    assert (refused.status, "no approval waits" in refused.err) == (2, True)
    assert "wrong host" in desk.call("show", run).out


@pytest.mark.row("S0-010")
def test_a_run_whose_process_was_killed_is_over_and_can_go_on(desk: Desk) -> None:
    text = """
        name: killed
        steps:
          - {id: first, action: note, params: {text: first}}
          - {id: long, action: slow, params: {seconds: 600}}
          - {id: last, action: note, params: {text: last}}
    """
    desk.workflow(text)
    with running(desk, "killed", "--real-time", "--json") as process:
        run = until(lambda: run_of(desk, "killed"), process)
        until(lambda: lines(desk) == ["first"], process)
        assert desk.call("show", run, "--json").json["status"] == "running"
        process.kill()
        process.wait()
    over = desk.call("show", run, "--json").json
    assert (over["status"], over["error"]["type"]) == ("failed", "ProcessGone")
    assert over["steps"][0]["status"] == "succeeded"
    assert all(step["status"] == "cancelled" for step in over["steps"][1:])
    desk.workflow(text.replace("seconds: 600", "seconds: 0"))
    later = desk.call("resume", run, "--json").json
    assert (later["status"], later["continues"]["step"]) == ("succeeded", "long")
    assert lines(desk) == ["first", "last"]
