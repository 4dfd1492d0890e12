"""What is on record of a run: the run itself, its steps, and results for people and programs."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime

import pytest

from stepsmith.local.runner import Progress, RunOptions, run_workflow
from stepsmith.project import Project
from stepsmith_functions.history.local import LocalRunStore
from stepsmith_functions.history.records import RunRecord, RunStatus, StepStatus
from stepsmith_functions.history.result import result_of
from stepsmith_functions.runtime.control import Control, Order
from tests.acceptance.conftest import Desk, Ran

COURSE = """
    name: course
    version: "7"
    input: {text: {type: string}, more: {type: boolean, default: false}}
    steps:
      - {id: keep, action: note, params: {text: "{{ input.text }}"}}
      - {id: again, if: "{{ input.more }}", action: note, params: {text: more}}
      - {id: shaky, action: unsteady, params: {fails: 1}, on_failure: continue}
    output: {kept: "{{ steps.keep.output.text }}"}
"""


@pytest.fixture(scope="module")
def good(desk: Desk) -> Ran:
    return desk.run(COURSE, {"text": "hello"})


@pytest.fixture(scope="module")
def bad(desk: Desk, good: Ran) -> Ran:
    return desk.run(COURSE, {"text": ""})


@pytest.fixture
def store(desk: Desk) -> LocalRunStore:
    return LocalRunStore(Project(desk.root).history)


@pytest.mark.row("S0-037", "S1-103", "S1-104", "S1-122", "S1-124")
def test_a_program_finds_the_run_by_its_id(store: LocalRunStore, good: Ran) -> None:
    run = store.run(good.result["run_id"])
    assert (run.run_id, run.workflow, run.version) == (good.result["run_id"], "course", "7")
    assert run.status is RunStatus.SUCCEEDED
    assert run.input == {"text": "hello"}
    assert run.output == {"kept": "hello"}
    assert run.started_at <= run.ended_at  # type: ignore[operator]
    outputs = {step["id"]: step["output"] for step in result_of(store, run.run_id)["steps"]}  # type: ignore[union-attr]
    assert outputs == {"keep": {"text": "hello", "length": 5}, "again": None, "shaky": None}


@pytest.mark.row("S0-038", "S0-039", "S4-046", "S4-025")
def test_every_step_has_its_status_and_output_on_record(desk: Desk, good: Ran) -> None:
    kept = desk.call("show", good.result["run_id"], "--json").json
    assert [(step["id"], step["status"], step["output"]) for step in kept["steps"]] == [
        ("keep", "succeeded", {"text": "hello", "length": 5}),
        ("again", "skipped", None),
        ("shaky", "failed", None),
    ]


@pytest.mark.row("S4-038", "S4-039", "S4-044")
def test_a_result_tells_workflow_status_and_error(good: Ran, bad: Ran) -> None:
    assert [(ran.result["workflow"], ran.result["version"]) for ran in (good, bad)] == [("course", "7")] * 2
    assert [ran.result["status"] for ran in (good, bad)] == ["succeeded", "failed"]
    assert good.result["error"] is None
    assert bad.result["error"]["type"] == "NothingToNote"
    assert (bad.result["output"], [step["id"] for step in bad.steps]) == (None, ["keep"])


@pytest.mark.row("S1-110", "S1-094")
def test_the_store_closes_a_run_once_with_status_outputs_and_error(store: LocalRunStore, bad: Ran) -> None:
    run = store.run(bad.result["run_id"])
    assert (run.status, run.output) == (RunStatus.FAILED, None)
    assert run.error is not None
    assert (run.error.type, run.error.step, run.error.line) == ("NothingToNote", "keep", 5)
    assert run.ended_at is not None
    reopened = RunRecord(run.run_id, run.workflow, RunStatus.RUNNING, run.started_at)
    assert not store.put_run(reopened), "what has ended stays so"
    assert store.run(run.run_id) == run
    fresh = RunRecord("by-hand", "course", RunStatus.RUNNING, run.started_at)
    assert store.put_run(fresh)
    closed = RunRecord("by-hand", "course", RunStatus.SUCCEEDED, run.started_at, output={"x": 1}, ended_at=run.ended_at)
    assert store.put_run(closed)
    assert store.run("by-hand") == closed


@pytest.mark.row("S0-016", "S0-063", "S0-064")
def test_the_history_tells_what_happened_when_why_and_by_whom(new_desk: Desk) -> None:
    """Start, success, failure and cancellation of runs and of their steps, in the order in which they happened."""
    text = """
        name: trail
        input: {text: {type: string}}
        steps:
          - {id: keep, action: note, params: {text: "{{ input.text }}"}}
          - {id: again, action: note, params: {text: again}}
    """
    new_desk.run(text, {"text": "fine"})
    new_desk.run(text, {"text": ""})
    program, project, catalog = new_desk.program(text)
    store = LocalRunStore(project.history)

    def cancel(progress: Progress) -> None:
        if "fresh" in new_desk.journal:
            control = Control(Order.CANCEL, "ann", datetime.now(UTC), "wrong host")
            store.order(progress.run_id, control, [RunStatus.RUNNING, RunStatus.CANCELLING], RunStatus.CANCELLING)

    run_workflow(program, {"text": "fresh"}, project, catalog, RunOptions(progress=cancel))

    listed = new_desk.call("runs", "--json").json
    trail = [new_desk.call("show", run["run_id"], "--json").json for run in reversed(listed)]
    assert [(run["workflow"], run["status"]) for run in trail] == [
        ("trail", "succeeded"),
        ("trail", "failed"),
        ("trail", "cancelled"),
    ]
    assert [[(step["id"], step["status"]) for step in run["steps"]] for run in trail] == [
        [("keep", "succeeded"), ("again", "succeeded")],
        [("keep", "failed")],
        [("keep", "succeeded"), ("again", "cancelled")],
    ]
    for run in trail:
        moments = [run["started_at"], *(at for step in run["steps"] for at in (step["started_at"], step["ended_at"]))]
        assert [*moments, run["ended_at"]] == sorted([*moments, run["ended_at"]])
    assert [(run["error"] or {}).get("type") for run in trail] == [None, "NothingToNote", "RunCancelled"]
    assert trail[1]["steps"][0]["error"] == {"type": "NothingToNote", "message": "there is nothing to note"}
    assert "ann: wrong host" in trail[2]["error"]["message"]


@pytest.mark.row("S1-004", "S0-007", "S0-008")
def test_statuses_are_closed_sets_of_words() -> None:
    assert {status.value: status.is_final for status in RunStatus} == {
        **dict.fromkeys(("pending", "running", "paused", "waiting_approval", "cancelling", "rolling_back"), False),
        **dict.fromkeys(("cancelled", "rolled_back", "rollback_failed", "succeeded", "failed", "timed_out"), True),
    }
    assert {status.value: status.is_final for status in StepStatus} == {
        **dict.fromkeys(("pending", "running", "waiting"), False),
        **dict.fromkeys(
            ("succeeded", "failed", "skipped", "cancelled", "rolled_back", "rollback_failed"),
            True,
        ),
    }
    assert {"status", "started_at", "ended_at", "error", "output"} <= {field.name for field in fields(RunRecord)}
    with pytest.raises(ValueError, match="great"):
        RunStatus("great")
