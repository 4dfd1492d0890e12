"""Reading steps out of histories written by hand after AWS's grammar."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from stepsmith_functions.history.events import Event
from stepsmith_functions.history.origins import origins_of_definition, read_origins
from stepsmith_functions.history.reading import read_history
from stepsmith_functions.history.rebuild import steps_from_history, version_in
from stepsmith_functions.history.records import StepError, StepRecord, StepStatus
from tests.functions.history.script import LAMBDA, START, Script


def origin(step: str, role: str = "step", line: int = 1, **more: Any) -> dict[str, Any]:
    return {"role": role, "step": step, "path": step, "line": line, **more}


def rebuilt(script: Script, states: Mapping[str, Any], steps: Mapping[str, Any] | None = None) -> Sequence[StepRecord]:
    origins = read_origins({"version": 1, "states": states, "steps": steps or {}})
    return steps_from_history(script.events, origins, "run-1")


def shown(steps: Sequence[StepRecord]) -> list[tuple[str, str]]:
    return [(step.path, step.status.value) for step in steps]


def test_a_sequence() -> None:
    script = Script()
    first = script.task("quarantine", 0, params={"file": "x"}, result={"id": "q-1"})
    second = script.task("tell", first, result={"message_id": "m"}, output={"the run's": "output"})
    script.event("ExecutionSucceeded", second, output='{"the run\'s": "output"}')

    steps = rebuilt(
        script,
        {"quarantine": origin("quarantine", line=26, action="quarantine_file"), "tell": origin("tell", line=40)},
    )
    assert steps[0] == StepRecord(
        "run-1",
        "quarantine",
        "quarantine",
        StepStatus.SUCCEEDED,
        line=26,
        action="quarantine_file",
        params={"file": "x"},
        output={"id": "q-1"},
        started_at=START + timedelta(seconds=2),
        ended_at=START + timedelta(seconds=6),
        sequence=2000,
    )
    assert steps[1].output == {"message_id": "m"}  # not the run's
    history = read_history(script.events)
    assert (history.transitions, version_in(history), history.output) == (2, "1.0.0", {"the run's": "output"})


def test_tries_of_a_paused_step_are_no_attempts() -> None:
    script = Script()
    at = script.entered("Task", "tell", 0)
    for _ in range(3):
        at = script.attempt(at, params={"to": "a"}, error="RunPaused")
    (held,) = rebuilt(script, {"tell": origin("tell")})
    assert (held.status, held.attempts, held.error) == (StepStatus.WAITING, 1, None)
    for error in ("StillRunning", "Throttled"):
        at = script.attempt(at, params={"to": "a"}, error=error)
    at = script.attempt(at, params={"to": "a"}, result={})
    script.event("ExecutionSucceeded", script.exited("Task", "tell", at), output="{}")
    (done,) = rebuilt(script, {"tell": origin("tell")})
    assert (done.status, done.attempts) == (StepStatus.SUCCEEDED, 2)
    assert read_history(script.events).transitions == 6  # all of them are paid for


def test_a_step_that_a_cancel_kept_from_beginning_is_cancelled() -> None:
    script = Script()
    at = script.attempt(script.entered("Task", "tell", 0), params={}, error="RunCancelled")
    script.event("ExecutionFailed", at, error="RunCancelled", cause="by ann")
    (step,) = rebuilt(script, {"tell": origin("tell")})
    assert step.status is StepStatus.CANCELLED
    assert step.error is not None
    assert step.error.type == "RunCancelled"


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_step_that_its_condition_skips(goes_on: bool) -> None:
    script = Script()
    at = script.passes("Choice", "kill.if", 0)
    if goes_on:
        at = script.task("kill", at)
    at = script.task("tell", at)
    script.event("ExecutionSucceeded", at, output="null")

    states = {"kill.if": origin("kill", "condition", 31), "kill": origin("kill", line=31), "tell": origin("tell")}
    steps = rebuilt(script, states)
    assert shown(steps) == [("kill", "succeeded" if goes_on else "skipped"), ("tell", "succeeded")]
    assert (steps[0].attempts, steps[0].line) == (1 if goes_on else 0, 31)


def test_a_condition_that_fails_fails_its_step() -> None:
    script = Script()
    script.entered("Choice", "kill.if", 0)
    text = "An error occurred while executing the state 'kill.if' (entered at the event id #2). It is bad."
    failed = script.event("EvaluationFailed", 0, error="States.QueryEvaluationError", cause=text, state="kill.if")
    script.event("ExecutionFailed", failed, error="States.QueryEvaluationError", cause=text)

    (step,) = rebuilt(script, {"kill.if": origin("kill", "condition"), "kill": origin("kill")})
    assert step.status is StepStatus.FAILED
    assert step.error == StepError("States.QueryEvaluationError", text)


def test_a_run_stopped_at_a_condition_says_nothing_of_its_step() -> None:
    script = Script()
    script.passes("Choice", "kill.if", 0)
    script.event("ExecutionAborted", 0)

    assert rebuilt(script, {"kill.if": origin("kill", "condition"), "kill": origin("kill")}) == []


def test_attempts_and_a_caught_failure() -> None:
    script = Script()
    at = script.attempt(script.entered("Task", "kill", 0), params={"try": 1}, error="ProcessNotFound")
    at = script.attempt(at, params={"try": 2}, error="States.Timeout")
    at = script.attempt(at, params={"try": 3}, error="ProcessNotFound")
    at = script.exited("Task", "kill", at, {"caught": True})
    at = script.task("tell", at)
    script.event("ExecutionSucceeded", at, output="null")

    kill, tell = rebuilt(script, {"kill": origin("kill"), "tell": origin("tell")})
    assert (kill.status, kill.attempts, kill.output) == (StepStatus.FAILED, 3, None)
    assert kill.error == StepError("ProcessNotFound", "ProcessNotFound happened")
    assert kill.params == {"try": 3}
    assert kill.ended_at == START + timedelta(seconds=12)
    assert tell.status is StepStatus.SUCCEEDED
    assert read_history(script.events).transitions == 4


def test_a_retry_that_succeeds_forgets_the_failure() -> None:
    script = Script()
    at = script.attempt(script.entered("Task", "kill", 0), error="ProcessNotFound")
    at = script.exited("Task", "kill", script.attempt(at, result={"killed": True}), {"killed": True})
    script.event("ExecutionSucceeded", at, output="null")

    (kill,) = rebuilt(script, {"kill": origin("kill")})
    assert (kill.status, kill.attempts, kill.error, kill.output) == (
        StepStatus.SUCCEEDED,
        2,
        None,
        {"killed": True},
    )


@pytest.mark.parametrize("retried", [True, False])
def test_an_output_that_cannot_be_evaluated(retried: bool) -> None:
    script = Script()
    at = script.attempt(script.entered("Task", "kill", 0), result={})
    text = "An error occurred while executing the state 'kill' (entered at the event id #2)."
    at = script.event("EvaluationFailed", at, error="States.QueryEvaluationError", cause=text, state="kill")
    if retried:
        at = script.exited("Task", "kill", script.attempt(at, result={}), {})
        script.event("ExecutionSucceeded", at, output="null")
    else:
        script.event("ExecutionFailed", at, error="States.QueryEvaluationError", cause=text)

    (kill,) = rebuilt(script, {"kill": origin("kill")})
    assert kill.attempts == (2 if retried else 1)
    assert kill.status is (StepStatus.SUCCEEDED if retried else StepStatus.FAILED)


def test_an_uncaught_failure_and_a_failure_raised_again() -> None:
    for raised in (False, True):
        script = Script()
        at = script.attempt(script.entered("Task", "kill", 0), error="ProcessNotFound")
        if raised:
            at = script.task("tell", script.exited("Task", "kill", at, {}))
            at = script.entered("Fail", "kill.fail", at)
        script.event("ExecutionFailed", at, error="ProcessNotFound", cause="{}")

        states = {"kill": origin("kill"), "tell": origin("tell"), "kill.fail": origin("kill", "raise")}
        steps = rebuilt(script, states)
        assert shown(steps) == [("kill", "failed"), ("tell", "succeeded")][: 2 if raised else 1]


@pytest.mark.parametrize(
    ("ending", "expected"), [("Aborted", "cancelled"), ("TimedOut", "cancelled"), (None, "running")]
)
def test_a_run_that_was_stopped_or_is_under_way(ending: str | None, expected: str) -> None:
    script = Script()
    at = script.task("quarantine", 0)
    script.event("TaskScheduled", script.entered("Task", "kill", at), parameters="{}", **LAMBDA)
    if ending:
        script.event(f"Execution{ending}", 0)

    steps = rebuilt(script, {"quarantine": origin("quarantine"), "kill": origin("kill")})
    assert shown(steps) == [("quarantine", "succeeded"), ("kill", expected)]
    assert (steps[1].ended_at is None) is (ending is None)


def test_what_waits_is_waiting() -> None:
    script = Script()
    script.entered("Wait", "pause", 0)
    assert shown(rebuilt(script, {"pause": origin("pause")})) == [("pause", "waiting")]

    script = Script()
    entered = script.entered("Task", "approve", 0)
    script.event("TaskScheduled", entered, resource="invoke.waitForTaskToken", parameters="{}")
    assert shown(rebuilt(script, {"approve": origin("approve")})) == [("approve", "waiting")]


def test_steps_folded_into_their_neighbours() -> None:
    script = Script()
    at = script.passes("Choice", "workflow.input", 0)
    at = script.task("quarantine", at)
    at = script.passes("Choice", "mark.if", at, {"case": 2})
    at = script.task("tell", at)
    script.event("ExecutionSucceeded", at, output="null")

    ways = [
        {"next": "tell", "steps": ["mark", "count"], "output": {"case": 1}},
        {"next": "tell", "steps": ["count"], "output": {"case": 2}},
    ]
    states = {
        "workflow.input": {"role": "input", "line": 1, "folded": ["start"]},
        "quarantine": origin("quarantine", folded=["level", "severity"]),
        "mark.if": origin("mark", "condition", 31, ways=ways),
        "tell": origin("tell"),
    }
    lines = {"start": 3, "level": 9, "severity": 10, "mark": 31, "count": 33}
    steps = rebuilt(script, states, lines)
    assert shown(steps) == [
        ("start", "succeeded"),
        ("quarantine", "succeeded"),
        ("level", "succeeded"),
        ("severity", "succeeded"),
        ("mark", "skipped"),
        ("count", "succeeded"),
        ("tell", "succeeded"),
    ]
    assert [step.line for step in steps] == [3, 1, 9, 10, 31, 33, 1]

    script.events[9]["someEventDetails"]["output"] = '{"case": 1}'  # type: ignore[index]
    assert ("mark", "succeeded") in shown(rebuilt(script, states, lines))


def test_what_is_folded_into_a_failed_step_did_not_happen_but_on_the_way_of_its_catch() -> None:
    script = Script()
    at = script.attempt(script.entered("Task", "kill", 0), error="ProcessNotFound")
    at = script.task("tell", script.exited("Task", "kill", at, {}))
    script.event("ExecutionSucceeded", at, output="null")

    way = {"next": "tell", "steps": ["count"]}
    states = {"kill": origin("kill", folded=["count", "more"], ways=[way]), "tell": origin("tell")}
    assert shown(rebuilt(script, states)) == [("kill", "failed"), ("count", "succeeded"), ("tell", "succeeded")]


def for_each(script: Script, after: int, outcomes: Sequence[str | None], name: str = "scan_all") -> int:
    """A Map of one step, one iteration after the other, as AWS links them; until one fails."""
    at = entered = script.entered("Map", name, after)
    at = script.event("MapStateStarted", entered, length=len(outcomes))
    for index, error in enumerate(outcomes):
        started = script.event("MapIterationStarted", at, name=name, index=index)
        at = script.attempt(script.entered("Task", "scan", started), params={"index": index}, error=error)
        if error:
            script.event("MapIterationFailed", at, name=name, index=index)
            return at
        at = script.exited("Task", "scan", at, {"n": index})
        script.event("MapIterationSucceeded", at, name=name, index=index)
    return at


SCAN = {
    "scan_all": origin("scan_all", "block", 5),
    "scan": {"role": "step", "step": "scan", "path": "scan_all[].scan", "line": 7},
    "tell": origin("tell"),
}


def test_iterations() -> None:
    script = Script()
    at = for_each(script, 0, [None, None, None])
    script.event("MapStateSucceeded", at)
    at = script.exited("Map", "scan_all", at, [{"n": 0}, {"n": 1}, {"n": 2}])
    at = script.task("tell", at)
    script.event("ExecutionSucceeded", at, output="null")

    steps = rebuilt(script, SCAN)
    assert shown(steps) == [
        ("scan_all", "succeeded"),
        ("scan_all[0].scan", "succeeded"),
        ("scan_all[1].scan", "succeeded"),
        ("scan_all[2].scan", "succeeded"),
        ("tell", "succeeded"),
    ]
    assert steps[0].output == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert (steps[2].params, steps[2].output, steps[2].line) == ({"index": 1}, {"n": 1}, 7)


def test_a_failed_iteration_fails_the_block() -> None:
    for caught in (True, False):
        script = Script()
        at = for_each(script, 0, [None, "FileMissing", None])
        at = script.event("MapStateFailed", at)
        if caught:
            at = script.task("tell", script.exited("Map", "scan_all", at, {}))
            script.event("ExecutionSucceeded", at, output="null")
        else:
            script.event("ExecutionFailed", at, error="FileMissing", cause="FileMissing happened")
        steps = rebuilt(script, SCAN)
        assert shown(steps)[:3] == [
            ("scan_all", "failed"),
            ("scan_all[0].scan", "succeeded"),
            ("scan_all[1].scan", "failed"),
        ]
        assert steps[0].error == steps[2].error == StepError("FileMissing", "FileMissing happened")


def test_a_block_that_is_tried_again() -> None:
    script = Script()
    at = for_each(script, 0, [None, "FileMissing"])
    at = script.event("MapStateStarted", at, length=2)
    for index in range(2):
        started = script.event("MapIterationStarted", at, name="scan_all", index=index)
        done = script.attempt(script.entered("Task", "scan", started))
        at = script.exited("Task", "scan", done, {})
        script.event("MapIterationSucceeded", at, name="scan_all", index=index)
    script.event("MapStateSucceeded", at)
    at = script.exited("Map", "scan_all", at, [])
    script.event("ExecutionSucceeded", at, output="null")

    steps = rebuilt(script, SCAN)
    assert shown(steps) == [
        ("scan_all", "succeeded"),
        ("scan_all[0].scan", "succeeded"),
        ("scan_all[1].scan", "succeeded"),
    ]
    assert [step.attempts for step in steps] == [2, 2, 2]
    assert read_history(script.events).transitions == 1 + 4 + 1


def test_iterations_side_by_side_in_iterations() -> None:
    script = Script()
    outer = script.event("MapStateStarted", script.entered("Map", "hosts", 0), length=2)
    inner: list[int] = []
    for host in range(2):
        started = script.event("MapIterationStarted", outer, name="hosts", index=host)
        inner.append(script.event("MapStateStarted", script.entered("Map", "scan_all", started), length=2))
    tasks = []
    for index in (1, 0):  # the second item overtakes the first, the hosts take turns
        for host in range(2):
            started = script.event("MapIterationStarted", inner[host], name="scan_all", index=index)
            tasks.append((host, index, script.entered("Task", "scan", started)))
    ends = {}
    for host, index, entered in reversed(tasks):
        done = script.attempt(entered, params=[host, index])
        ends[host] = script.exited("Task", "scan", done, [host, index])
        script.event("MapIterationSucceeded", ends[host], name="scan_all", index=index)
    for host in range(2):
        script.event("MapStateSucceeded", ends[host])
        ends[host] = script.exited("Map", "scan_all", ends[host], [])
        script.event("MapIterationSucceeded", ends[host], name="hosts", index=host)
    script.event("MapStateSucceeded", ends[1])
    at = script.exited("Map", "hosts", ends[1], [])
    script.event("ExecutionSucceeded", at, output="null")

    steps = rebuilt(
        script,
        {
            "hosts": origin("hosts", "block"),
            "scan_all": {"role": "block", "step": "scan_all", "path": "hosts[].scan_all"},
            "scan": {"role": "step", "step": "scan", "path": "hosts[].scan_all[].scan"},
        },
    )
    assert {step.status for step in steps} == {StepStatus.SUCCEEDED}
    assert {step.path: step.params for step in steps if step.step_id == "scan"} == {
        f"hosts[{host}].scan_all[{index}].scan": [host, index] for host in range(2) for index in range(2)
    }
    assert [step.path for step in steps][:3] == ["hosts", "hosts[0].scan_all", "hosts[1].scan_all"]


def test_the_step_that_made_its_branches_fail_is_failed_though_it_is_written_off_too() -> None:
    """Recorded: TaskStateAborted follows the failure of the task itself, too."""
    script = Script()
    started = script.event("ParallelStateStarted", script.entered("Parallel", "checks", 0))
    done = script.attempt(script.entered("Task", "ping", started), error="Unreachable")
    script.event("TaskStateAborted", done)
    at = script.event("ParallelStateFailed", done)
    at = script.exited("Parallel", "checks", at, {"caught": True})
    script.event("ExecutionAborted", 0)

    steps = rebuilt(script, CHECKS)
    assert shown(steps) == [("checks", "failed"), ("checks.network.ping", "failed")]
    assert steps[1].error == StepError("Unreachable", "Unreachable happened")


def parallel(script: Script, *, fails: bool) -> int:
    started = script.event("ParallelStateStarted", script.entered("Parallel", "checks", 0))
    ping, disk = script.entered("Task", "ping", started), script.entered("Task", "disk", started)
    waiting = script.event("TaskScheduled", disk, parameters="{}", **LAMBDA)
    done = script.attempt(ping, error="Unreachable" if fails else None)
    if fails:
        script.event("TaskStateAborted", waiting)
        return script.event("ParallelStateFailed", done)
    at = script.exited("Task", "ping", done, {})
    output = json.dumps({"Payload": {}})
    script.exited("Task", "disk", script.event("TaskSucceeded", waiting, output=output, **LAMBDA), {})
    script.event("ParallelStateSucceeded", at)
    return script.exited("Parallel", "checks", at, [])


CHECKS = {
    "checks": origin("checks", "block"),
    "ping": {"role": "step", "step": "ping", "path": "checks.network.ping"},
    "disk": {"role": "step", "step": "disk", "path": "checks.storage.disk"},
}


def test_branches() -> None:
    script = Script()
    script.event("ExecutionSucceeded", parallel(script, fails=False), output="null")
    assert shown(rebuilt(script, CHECKS)) == [
        ("checks", "succeeded"),
        ("checks.network.ping", "succeeded"),
        ("checks.storage.disk", "succeeded"),
    ]

    script = Script()
    at = parallel(script, fails=True)
    script.event("ExecutionFailed", at, error="Unreachable", cause="Unreachable happened")
    steps = rebuilt(script, CHECKS)
    assert shown(steps) == [
        ("checks", "failed"),
        ("checks.network.ping", "failed"),
        ("checks.storage.disk", "cancelled"),
    ]
    assert steps[0].error == StepError("Unreachable", "Unreachable happened")


@pytest.mark.parametrize("in_paths", [True, False])
def test_a_switch_lasts_until_its_last_step(in_paths: bool) -> None:
    script = Script()
    at = script.passes("Choice", "pick", 0)
    at = script.task("a", at, result={"a": 1})
    at = script.task("b", at, result={"b": 2})
    at = script.task("tell", at)
    script.event("ExecutionSucceeded", at, output="null")

    prefix, more = ("pick.", {}) if in_paths else ("", {"blocks": ["pick"]})
    states = {
        "pick": origin("pick", "block", 4),
        "a": {"role": "step", "step": "a", "path": f"{prefix}a", **more},
        "b": {"role": "step", "step": "b", "path": f"{prefix}b", **more},
        "tell": origin("tell"),
    }
    steps = rebuilt(script, states)
    assert [step.path for step in steps] == ["pick", f"{prefix}a", f"{prefix}b", "tell"]
    assert (steps[0].ended_at, steps[0].output, steps[0].line) == (steps[2].ended_at, {"b": 2}, 4)


def test_a_block_without_a_state_fails_when_its_error_is_raised_again() -> None:
    for again in (True, False):
        script = Script()
        at = script.attempt(script.entered("Task", "a", 0), error="Gone")
        at = script.task("clean", script.exited("Task", "a", at, {}))
        if again:
            script.event("ExecutionFailed", script.entered("Fail", "a.fail", at), error="Gone", cause="Gone happened")
        else:
            script.event("ExecutionSucceeded", script.task("tell", at), output="null")

        states = {
            "(block) t": origin("t", "block", 2),
            "a": {"role": "step", "step": "a", "path": "t.a"},
            "clean": {"role": "step", "step": "clean", "path": "t.clean"},
            "a.fail": {"role": "raise", "step": "a", "path": "t.a"},
            "tell": origin("tell"),
        }
        block, a, clean, *_ = rebuilt(script, states)
        assert (block.path, a.status, clean.status) == ("t", StepStatus.FAILED, StepStatus.SUCCEEDED)
        assert block.status is (StepStatus.FAILED if again else StepStatus.SUCCEEDED)
        assert block.error == (StepError("Gone", "Gone happened") if again else None)


@pytest.mark.parametrize("late", [True, False])
def test_what_ran_out_of_the_workflows_time_has_failed_and_what_ended_before_has_not(late: bool) -> None:
    script = Script()
    at = script.passes("Wait", "w", 0, {})
    at = script.passes("Choice", "w.deadline", at, {})
    if late:
        at = script.passes("Pass", "w.deadline.late", at, {})
        at = script.task("clean", at)
        at = script.passes("Choice", "t.deadline", at, {})
        at = script.entered("Fail", "t.deadline.late", at)
        script.event("ExecutionFailed", at, error="States.Timeout", cause='{"message": "m", "status": "timed_out"}')
    else:
        script.event("ExecutionSucceeded", script.task("tell", at), output="null")

    states = {
        "(block) t": origin("t", "block", 2),
        "w": {"role": "step", "step": "w", "path": "t.w"},
        "w.deadline": {"role": "helper", "step": "w", "path": "t.w"},
        "w.deadline.late": {"role": "raise", "step": "w", "path": "t.w"},
        "clean": {"role": "step", "step": "clean", "path": "t.clean"},
        "t.deadline": {"role": "helper", "step": "t", "path": "t"},
        "t.deadline.late": {"role": "raise", "step": "t", "path": "t"},
        "tell": origin("tell"),
    }
    steps = {step.path: step for step in rebuilt(script, states)}
    told = [(path, step.status.value, step.error.type if step.error else None) for path, step in steps.items()]
    if late:
        assert told == [
            ("t", "failed", "States.Timeout"), ("t.w", "failed", "States.Timeout"), ("t.clean", "succeeded", None),
        ]  # fmt: skip
    else:
        assert told == [("t", "succeeded", None), ("t.w", "succeeded", None), ("tell", "succeeded", None)]


def test_rounds_of_a_repeat_in_a_loop() -> None:
    script = Script()
    at = started = script.event("MapStateStarted", script.entered("Map", "hosts", 0), length=2)
    for host, rounds in enumerate((2, 1)):
        at = script.event("MapIterationStarted", started, name="hosts", index=host)
        for number in range(rounds):
            at = script.task("check", at)
            at = script.passes("Choice", "log.if", at)
            if number:
                at = script.task("log", at)
            at = script.passes("Choice", "poll", at)
        script.event("MapIterationSucceeded", at, name="hosts", index=host)
    script.event("MapStateSucceeded", at)
    at = script.exited("Map", "hosts", at, [])
    script.event("ExecutionSucceeded", at, output="null")

    inner = "hosts[].poll[]."
    states = {
        "hosts": origin("hosts", "block"),
        "check": {"role": "step", "step": "check", "path": f"{inner}check", "round_of": "hosts[].poll"},
        "log.if": {"role": "condition", "step": "log", "path": f"{inner}log"},
        "log": {"role": "step", "step": "log", "path": f"{inner}log"},
        "poll": {"role": "block", "step": "poll", "path": "hosts[].poll"},
    }
    assert shown(rebuilt(script, states)) == [
        ("hosts", "succeeded"),
        ("hosts[0].poll", "succeeded"),
        ("hosts[0].poll[0].check", "succeeded"),
        ("hosts[0].poll[0].log", "skipped"),
        ("hosts[0].poll[1].check", "succeeded"),
        ("hosts[0].poll[1].log", "succeeded"),
        ("hosts[1].poll", "succeeded"),
        ("hosts[1].poll[0].check", "succeeded"),
        ("hosts[1].poll[0].log", "skipped"),
    ]


def test_a_redrive_goes_on_with_what_failed() -> None:
    script = Script()
    at = script.task("quarantine", 0)
    at = script.attempt(script.entered("Task", "kill", at), error="ProcessNotFound")
    at = script.event("ExecutionFailed", at, error="ProcessNotFound", cause="{}")
    at = script.event("ExecutionRedriven", at, redriveCount=1)
    at = script.exited("Task", "kill", script.attempt(at), {})
    script.event("ExecutionSucceeded", at, output="null")

    quarantine, kill = rebuilt(script, {"quarantine": origin("quarantine"), "kill": origin("kill")})
    assert (quarantine.attempts, kill.attempts, kill.status) == (1, 2, StepStatus.SUCCEEDED)
    history = read_history(script.events)
    assert (history.ending, history.redrive_count, history.error) == ("Succeeded", 1, None)


def test_an_undo_knows_what_it_undoes() -> None:
    script = Script()
    at = script.task("quarantine", 0)
    script.event("ExecutionSucceeded", script.task("restore", at), output="null")

    undo = {"role": "step", "step": "restore", "path": "quarantine.rollback", "undoes": "quarantine"}
    steps = rebuilt(script, {"quarantine": origin("quarantine"), "restore": undo})
    assert [(step.step_id, step.path, step.undoes) for step in steps] == [
        ("quarantine", "quarantine", None),
        ("restore", "quarantine.rollback", "quarantine"),
    ]


def test_one_undo_for_several_steps_tells_them_apart_by_its_input() -> None:
    """A machine has one state for the undo of a step in a loop; its input says which iteration it undoes."""
    script = Script()
    at = 1
    for number in (1, 0):
        given = json.dumps({"undoes": f"loop[{number}].quarantine"})
        at = script.event("TaskStateEntered", at, name="quarantine.rollback", input=given)
        at = script.exited("Task", "quarantine.rollback", script.attempt(at, params={"n": number}, result={}))
    script.event("ExecutionFailed", at, error="Broken", cause="{}")

    path = "loop[].quarantine.rollback"
    undo = {"role": "step", "step": "quarantine.rollback", "path": path, "undoes": "loop[].quarantine"}
    steps = rebuilt(script, {"quarantine.rollback": undo})
    assert [(step.path, step.undoes, step.params, step.status) for step in steps] == [
        (f"loop[{number}].quarantine.rollback", f"loop[{number}].quarantine", {"n": number}, StepStatus.SUCCEEDED)
        for number in (1, 0)
    ]


def test_an_undo_that_failed_is_on_record_though_the_machine_goes_on() -> None:
    script = Script()
    given = json.dumps({"undoes": "quarantine"})
    entered = script.event("TaskStateEntered", 1, name="quarantine.rollback", input=given)
    at = script.exited("Task", "quarantine.rollback", script.attempt(entered, error="FileMissing"))
    script.event("ExecutionFailed", at, error="Broken", cause="{}")

    undo = {"role": "step", "step": "quarantine.rollback", "path": "quarantine.rollback", "undoes": "quarantine"}
    (step,) = rebuilt(script, {"quarantine.rollback": undo})
    assert (step.status, step.undoes) == (StepStatus.FAILED, "quarantine")
    assert step.error == StepError("FileMissing", "FileMissing happened")


def test_visits_keep_what_they_assigned_and_when_they_were_tried() -> None:
    script = Script()
    failed = script.attempt(script.entered("Task", "call", 1), error="Throttled")
    done = script.attempt(failed)
    script.event("TaskStateExited", done, name="call", output="null", assignedVariables={"n": "1", "text": '"a"'})
    (visit,) = read_history(script.events).visits
    assert visit.assigned == {"n": "1", "text": '"a"'}
    assert (visit.attempts, visit.attempted_at) == (2, START + timedelta(seconds=6))


def test_a_step_that_waits_for_another_run() -> None:
    script = Script()
    entered = script.entered("Task", "clean_up", 0)
    named = {"resource": "startExecution.sync:2", "resourceType": "states"}
    at = script.event("TaskScheduled", entered, parameters='{"Input": {}}', **named)
    arn = "arn:aws:states:eu-central-1:123456789012:execution:clean-up:run-2"
    at = script.event("TaskSubmitted", at, output=json.dumps({"ExecutionArn": arn}), **named)
    (step,) = rebuilt(script, {"clean_up": origin("clean_up")})
    assert step.child_run_id == "run-2"


def test_the_error_of_a_child_is_its_own_however_it_ended() -> None:
    lambda_error = json.dumps({"errorMessage": "too big", "errorType": "TooBig"})
    late = json.dumps({"message": "it took too long", "status": "timed_out", "step": "x"})
    told = {
        ("TooBig", lambda_error): StepError("TooBig", "too big"),
        ("Mine", "as it is"): StepError("Mine", "as it is"),
        ("States.Timeout", late): StepError("States.Timeout", "it took too long"),
    }
    for (error, cause), expected in told.items():
        script = Script()
        named = {"resource": "startExecution.sync:2", "resourceType": "states"}
        at = script.event("TaskScheduled", script.entered("Task", "c", 0), parameters='{"Input": {}}', **named)
        described = json.dumps({"Status": "FAILED", "Error": error, "Cause": cause})
        at = script.event("TaskFailed", at, error="States.TaskFailed", cause=described, **named)
        script.event("ExecutionFailed", at, error=error, cause=cause)
        (step,) = rebuilt(script, {"c": origin("c")})
        assert step.error == expected


def test_states_that_nobody_knows_are_passed_over() -> None:
    script = Script()
    script.event("ExecutionSucceeded", script.task("new", script.task("old", 0)), output="null")
    assert shown(rebuilt(script, {"old": origin("old"), "x": "no mapping", "y": {"line": "3"}})) == [
        ("old", "succeeded")
    ]


@pytest.mark.parametrize("event", [{}, {"id": 1, "type": "X"}, {"id": "1", "type": "X", "timestamp": START}])
def test_what_is_no_event(event: Event) -> None:
    with pytest.raises(ValueError, match="an event of an execution's history has"):
        read_history([event])


def test_origins_of_a_definition_alone() -> None:
    payload = {"params": {}, "step": {"id": "kill", "path": "kill", "line": 31, "action": "kill_process"}}
    definition = {
        "States": {
            "workflow.input": {"Type": "Choice", "Comment": "Checks. (order.yaml:1)"},
            "kill.if": {"Type": "Choice", "Comment": "order.yaml:31"},
            "kill": {"Type": "Task", "Arguments": {"Payload": payload}, "Comment": "Ends it. (order.yaml:31)"},
            "kill.fail": {"Type": "Fail", "Comment": "order.yaml:31"},
            "level": {"Type": "Pass"},
            "pick": {"Type": "Choice", "Comment": "order.yaml:40"},
            "scan_all": {
                "Type": "Map",
                "ItemProcessor": {"States": {"scan": {"Type": "Task", "Resource": "x"}}},
            },
            "checks": {"Type": "Parallel", "Branches": [{"States": {"ping": {"Type": "Wait"}}}]},
        }
    }
    origins = origins_of_definition(definition)
    assert {name: (one.role, one.path, one.line) for name, one in origins.states.items()} == {
        "workflow.input": ("", None, None),
        "kill.if": ("condition", "kill", 31),
        "kill": ("step", "kill", 31),
        "kill.fail": ("raise", "kill", 31),
        "level": ("set", "level", None),
        "pick": ("block", "pick", 40),
        "scan_all": ("block", "scan_all", None),
        "scan": ("step", "scan_all[].scan", None),
        "checks": ("block", "checks", None),
        "ping": ("step", "checks.0.ping", None),
    }
    assert origins.states["kill"].action == "kill_process"


def test_what_failed_a_parallel_has_failed_and_its_siblings_are_cancelled() -> None:
    script = Script()
    entered = script.entered("Parallel", "both", 0)
    started = script.event("ParallelStateStarted", entered)
    one = script.event("TaskScheduled", script.entered("Task", "one", started))
    other = script.event("TaskScheduled", script.entered("Task", "other", started))
    failed = script.event("TaskFailed", one, error="Unreachable", cause="down")
    aborted = script.event("TaskStateAborted", failed)
    script.event("TaskStateAborted", other)
    script.event("ExecutionFailed", script.event("ParallelStateFailed", aborted), error="Unreachable", cause="down")
    origins = {"one": origin("one"), "other": origin("other"), "both": origin("both", "block")}
    found = {step.step_id: step.status for step in rebuilt(script, origins)}
    assert found == {"both": "failed", "one": "failed", "other": "cancelled"}
