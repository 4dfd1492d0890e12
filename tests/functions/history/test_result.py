"""The shape of a run's result, and what it makes of undos, children and errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from stepsmith_functions.history.local import LocalRunStore
from stepsmith_functions.history.records import (
    RunError,
    RunRecord,
    RunStatus,
    StepError,
    StepRecord,
    StepStatus,
)
from stepsmith_functions.history.result import (
    located,
    result_of,
    run_result,
    run_summary,
    steps_in_order,
    undone,
)
from stepsmith_functions.history.store import RunNotFoundError
from stepsmith_functions.history.values import Json, StoredValue

START = datetime(2026, 7, 12, 8, 30, tzinfo=UTC)
MakeRun = Callable[..., RunRecord]
MakeStep = Callable[..., StepRecord]


def test_the_shape(a_run: MakeRun, a_step: MakeStep) -> None:
    run = a_run(
        status=RunStatus.SUCCEEDED,
        version="1.0.0",
        input={"file": "x"},
        output={"ok": True},
        ended_at=START + timedelta(seconds=12.5),
        transitions=7,
        execution_arn="arn",
    )
    step = a_step(
        line=26, action="quarantine_file", params={"a": 1}, output={"id": 1}, ended_at=START + timedelta(seconds=2)
    )

    result = run_result(run, [step])
    assert result == {
        "run_id": "run-1",
        "workflow": "critical-threat-response",
        "version": "1.0.0",
        "status": "succeeded",
        "output": {"ok": True},
        "error": None,
        "started_at": "2026-07-12T08:30:00.000Z",
        "ended_at": "2026-07-12T08:30:12.500Z",
        "elapsed_s": 12.5,
        "transitions": 7,
        "steps": [
            {
                "id": "quarantine",
                "path": "quarantine",
                "status": "succeeded",
                "attempts": 1,
                "output": {"id": 1},
                "error": None,
                "started_at": "2026-07-12T08:30:00.000Z",
                "ended_at": "2026-07-12T08:30:02.000Z",
                "line": 26,
            }
        ],
    }
    detailed = run_result(run, [step], details=True)
    assert detailed["input"] == {"file": "x"}
    (plain,) = cast("list[dict[str, Json]]", result["steps"])
    assert detailed["steps"] == [{**plain, "action": "quarantine_file", "params": {"a": 1}}]


def test_a_run_under_way_and_a_failed_one(a_run: MakeRun) -> None:
    under_way = run_result(a_run(), [])
    assert (under_way["ended_at"], under_way["elapsed_s"], under_way["output"]) == (None, None, None)

    failed = a_run(status=RunStatus.FAILED, output={"left": "over"}, error=RunError("E", "m"), ended_at=START)
    assert run_result(failed, [])["output"] is None
    assert run_result(failed, [])["error"] == {"type": "E", "message": "m", "step": None, "line": None}


def test_steps_stand_in_the_order_of_their_start(a_step: MakeStep) -> None:
    steps = [
        a_step("pending", started_at=None),
        a_step("third", second=2),
        a_step("block.first", second=1),
        a_step("block", second=1),
        a_step("later-by-event", second=1, sequence=5),
        a_step("zeroth", second=0, sequence=9),
    ]

    ordered = ["zeroth", "block", "block.first", "later-by-event", "third", "pending"]
    assert [step.path for step in steps_in_order(steps)] == ordered


@pytest.mark.parametrize(
    ("undo", "expected"),
    [
        (StepStatus.SUCCEEDED, StepStatus.ROLLED_BACK),
        (StepStatus.FAILED, StepStatus.ROLLBACK_FAILED),
        (StepStatus.RUNNING, StepStatus.SUCCEEDED),
    ],
)
def test_a_step_is_shown_as_undone(a_step: MakeStep, undo: StepStatus, expected: StepStatus) -> None:
    steps = [
        a_step("quarantine"),
        a_step("other"),
        a_step("other.rollback"),  # a step that happens to be called so
        a_step("quarantine.rollback", status=undo, undoes="quarantine"),
    ]

    assert [step.status for step in undone(steps)] == [
        expected,
        StepStatus.SUCCEEDED,
        StepStatus.SUCCEEDED,
        undo,
    ]


def test_the_error_names_the_innermost_step(a_step: MakeStep) -> None:
    gone = StepError("Gone", "it is gone")
    failed = {"status": StepStatus.FAILED, "error": gone}
    steps = [
        a_step("tolerated", **failed, second=1, ended_at=START + timedelta(seconds=1), line=3),
        a_step("other", status=StepStatus.FAILED, error=StepError("Other", ""), second=9),
        a_step("all", **failed, second=2, ended_at=START + timedelta(seconds=9), line=5),
        a_step("all[1].scan", **failed, second=3, ended_at=START + timedelta(seconds=4), line=7),
    ]

    assert located(RunError("Gone", "m"), steps) == RunError("Gone", "m", "scan", 7)
    assert located(RunError("Gone", "m", "known", 1), steps) == RunError("Gone", "m", "known", 1)
    assert located(RunError("States.Timeout", "m"), steps) == RunError("States.Timeout", "m")


def test_of_a_block_that_the_error_names_the_step_inside_is_meant(a_step: MakeStep) -> None:
    """A machine that rolls back knows the block on its main way, not what failed in one of its branches."""
    gone = {"status": StepStatus.FAILED, "error": StepError("Gone", "it is gone")}
    steps = [
        a_step("both", **gone, second=1, line=3),
        a_step("both.left.scan", **gone, second=2, line=5),
        a_step("both.right.look", status=StepStatus.FAILED, error=StepError("Gone", "another"), second=3, line=7),
        a_step("later", **gone, second=4, line=9),
    ]
    assert located(RunError("Gone", "it is gone", "both", 3), steps) == RunError("Gone", "it is gone", "scan", 5)
    assert located(RunError("Gone", "unheard of", "both", 3), steps) == RunError("Gone", "unheard of", "both", 3)


def test_of_a_run_that_was_cancelled_the_step_that_was_to_begin_is_named(a_step: MakeStep) -> None:
    refused = {"status": StepStatus.CANCELLED, "error": StepError("RunCancelled", "m")}
    steps = [a_step("done", second=1), a_step("next", **refused, second=2, line=4)]
    assert located(RunError("RunCancelled", "m"), steps) == RunError("RunCancelled", "m", "next", 4)


def test_values_that_lie_apart(a_run: MakeRun, a_step: MakeStep) -> None:
    value = StoredValue("data", "history/run-1/0.json", 70_000, "ab")
    run = a_run(status=RunStatus.SUCCEEDED, ended_at=START, output=value)

    reference = {"stored_at": "s3://data/history/run-1/0.json", "size": 70_000, "sha256": "ab"}
    assert run_result(run, [])["output"] == reference
    assert run_result(run, [], load=lambda found: [found.size])["output"] == [70_000]


def test_steps_of_children_stand_under_their_step(local_store: LocalRunStore, a_run: MakeRun, a_step: MakeStep) -> None:
    ended = {"status": RunStatus.SUCCEEDED, "ended_at": START}
    for run_id in ("parent", "child", "grandchild"):
        local_store.put_run(a_run(run_id, **ended))
    local_store.put_steps(
        [
            a_step("clean_up", run_id="parent", child_run_id="child"),
            a_step("expired", run_id="parent", child_run_id="nobody", second=9),
            a_step("inner", run_id="child", child_run_id="grandchild", second=1),
            a_step("wipe", run_id="grandchild", second=2),
            a_step("wipe.rollback", run_id="grandchild", second=3, undoes="wipe"),
        ]
    )

    steps = result_of(local_store, "parent")["steps"]
    assert isinstance(steps, list)
    assert [(step["path"], step["status"]) for step in steps] == [
        ("clean_up", "succeeded"),
        ("clean_up.inner", "succeeded"),
        ("clean_up.inner.wipe", "rolled_back"),
        ("clean_up.inner.wipe.rollback", "succeeded"),
        ("expired", "succeeded"),
    ]
    with pytest.raises(RunNotFoundError):
        result_of(local_store, "nobody")


def test_a_run_that_is_its_own_child_ends(local_store: LocalRunStore, a_run: MakeRun, a_step: MakeStep) -> None:
    local_store.put_run(a_run())
    local_store.put_steps([a_step("again", child_run_id="run-1")])

    steps = result_of(local_store, "run-1")["steps"]
    assert isinstance(steps, list)
    assert len(steps) == 17


def test_a_summary_as_json(a_run: MakeRun) -> None:
    run = replace(a_run(status=RunStatus.FAILED, error=RunError("E", "m")), ended_at=START)
    assert run_summary(run.summary()) == {
        "run_id": "run-1",
        "workflow": "critical-threat-response",
        "version": None,
        "status": "failed",
        "error_type": "E",
        "started_at": "2026-07-12T08:30:00.000Z",
        "ended_at": "2026-07-12T08:30:00.000Z",
    }
