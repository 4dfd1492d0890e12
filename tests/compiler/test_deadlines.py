"""A workflow's timeout: what it cuts, what outlives it, and as what the run ends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from stepsmith.engine import Engine, Execution, TaskCall, TaskFailed, TaskOutcome, TaskSucceeded
from stepsmith_functions.history.ending import run_ending
from stepsmith_functions.history.records import RunStatus
from tests.golden.cases import states
from tests.support.ledger import FUNCTION, Told
from tests.support.machines import RESULTS, compiled

LATE = "the run took longer than its timeout of 10 seconds"


class Outcome:
    """What became of a run: its status and error, the calls with their times, the seconds it took."""

    def __init__(self, text: str, after: Mapping[str, float], failing: Mapping[str, str]) -> None:
        self.told = Told()
        self.calls: list[tuple[float, str]] = []
        self.params: dict[str, Any] = {}
        self.limits: dict[str, tuple[float | None, float | None]] = {}
        self._after, self._failing = after, failing
        self.engine = Engine(self._answer)
        self.execution: Execution = self.engine.start(compiled(f"name: late\ntimeout: 10s\n{text}").asl or "", {})
        self.engine.run(self.execution)
        assert self.execution.stopped is not None
        self.seconds = (self.execution.stopped - self.execution.started).total_seconds()
        value = self.execution.status.value
        self.status, self.error = run_ending(value, self.execution.error, self.execution.cause)

    def _answer(self, call: TaskCall) -> TaskOutcome:
        arguments: Any = call.arguments
        if arguments.get("FunctionName") == FUNCTION:
            return self.told.ledger(call)
        outcome = self._outcome(call, arguments)
        if "Payload" in arguments:
            self.told.step(call, outcome)
        return outcome

    def _outcome(self, call: TaskCall, arguments: Any) -> TaskOutcome:
        at = self.engine.clock.now() - call.execution.started if self.calls else timedelta()
        if "Payload" not in arguments:
            self.calls.append((at.total_seconds(), call.state))
            return TaskSucceeded({})
        step = arguments["Payload"]["step"]
        self.calls.append((at.total_seconds(), step["path"]))
        self.params[step["path"]] = arguments["Payload"]["params"]
        self.limits[step["path"]] = call.timeout_seconds, call.heartbeat_seconds
        after = self._after.get(step["id"], 0)
        if step["id"] in self._failing:
            return TaskFailed(self._failing[step["id"]], "it failed", after)
        return TaskSucceeded({"StatusCode": 200, "Payload": RESULTS[step["action"]]}, after)


def run(text: str, failing: Mapping[str, str] | None = None, **after: float) -> Outcome:
    """Runs a workflow with a timeout of ten seconds whose steps take the seconds of `after`."""
    return Outcome(text, after, failing or {})


def test_without_anything_to_outlive_it_the_timeout_is_the_machines_own() -> None:
    text = "steps: [{id: a, action: ping, on_failure: continue}, {wait: 1s}]"
    definition = json.loads(compiled(f"name: x\ntimeout: 10s\n{text}").asl or "")
    assert definition["TimeoutSeconds"] == 10
    assert "$millis" not in json.dumps(definition)
    outcome = run(text, a=60)
    assert outcome.status is RunStatus.TIMED_OUT
    assert outcome.seconds == 10


FINALLY = "finally: [{id: last, action: ping, timeout: 1h}]"


def test_finally_runs_as_long_as_it_likes_after_a_step_was_cut() -> None:
    outcome = run(f"steps: [{{id: a, action: ping}}, {{id: b, action: ping}}]\n{FINALLY}", a=4, b=60, last=100)
    assert outcome.calls == [(0, "a"), (4, "b"), (10, "last")]
    assert outcome.seconds == 110
    assert outcome.status is RunStatus.TIMED_OUT
    assert outcome.error is not None
    assert (outcome.error.type, outcome.error.message, outcome.error.step) == ("States.Timeout", LATE, "b")
    assert outcome.error.line == 3


def test_finally_past_the_deadline_does_not_change_a_success() -> None:
    outcome = run(f"steps: [{{id: a, action: ping}}]\n{FINALLY}", a=4, last=100)
    assert outcome.status is RunStatus.SUCCEEDED
    assert outcome.seconds == 104


def test_a_task_may_take_the_smaller_of_its_own_timeout_and_what_is_left() -> None:
    outcome = run(
        "steps: [{id: a, action: ping, timeout: 3}, {id: b, action: ping, timeout: 7}, "
        f"{{id: c, action: ping, timeout: 1h, heartbeat: 30}}]\n{FINALLY}",
        a=2.5,
        b=2.25,
    )
    assert outcome.limits == {"a": (3, None), "b": (7, None), "c": (7, 6), "last": (3600, None)}
    assert outcome.status is RunStatus.SUCCEEDED


def test_a_steps_own_timeout_is_not_the_workflows() -> None:
    outcome = run(f"steps: [{{id: a, action: ping, timeout: 3}}]\n{FINALLY}", a=60)
    assert outcome.status is RunStatus.FAILED
    assert outcome.error is not None
    assert outcome.error.type == "States.Timeout"


HANDLED = """
steps:
  - id: block
    try:
      - {id: a, action: ping}
    catch:
      - errors: [%s]
        steps: [{id: h, action: fetch, params: {url: "{{ error.type }}: {{ error.message }}"}}]
        then: %s
  - {id: after, action: ping}
"""


@pytest.mark.parametrize("errors", ["States.Timeout", "States.ALL"])
@pytest.mark.parametrize("then", ["continue", "fail"])
def test_handlers_run_and_none_goes_on_past_the_deadline(errors: str, then: str) -> None:
    outcome = run(HANDLED % (errors, then), a=60, h=30)
    assert outcome.calls == [(0, "a"), (10, "h")]
    assert outcome.params["h"]["url"] == f"States.Timeout: {LATE}"
    assert outcome.status is RunStatus.TIMED_OUT
    assert outcome.seconds == 40


def test_other_errors_are_handled_as_ever() -> None:
    outcome = run(HANDLED % ("Unreachable", "continue"), {"a": "Unreachable"}, a=4, h=3)
    assert [path for _, path in outcome.calls] == ["a", "h", "after"]
    assert outcome.status is RunStatus.SUCCEEDED


def test_time_spent_in_a_handler_counts() -> None:
    outcome = run(HANDLED % ("Unreachable", "continue"), {"a": "Unreachable"}, a=4, h=30)
    assert outcome.calls == [(0, "a"), (4, "h")]
    assert outcome.status is RunStatus.TIMED_OUT
    assert outcome.seconds == 34


def test_a_plain_continue_does_not_hide_that_time_is_up() -> None:
    outcome = run(f"steps: [{{id: a, action: ping, on_failure: continue}}]\n{FINALLY}", a=60)
    assert outcome.status is RunStatus.TIMED_OUT
    outcome = run(f"steps: [{{id: a, action: ping, timeout: 2, on_failure: continue}}]\n{FINALLY}", a=60)
    assert outcome.status is RunStatus.SUCCEEDED


def test_no_work_begins_past_the_deadline_not_even_a_retry_or_a_call_of_aws() -> None:
    late = "id: a, action: ping, retry: {max_retries: 3, delay: 8, backoff: 1, jitter: none}"
    outcome = run(f"steps: [{{{late}}}]\n{FINALLY}", {"a": "Unreachable"}, a=4)
    assert outcome.calls == [(0, "a"), (12, "last")]
    assert outcome.status is RunStatus.TIMED_OUT
    # A try's finally overruns; what follows it is not begun.
    text = """
steps:
  - try: [{id: a, action: ping}]
    finally: [{id: f, action: ping}]
  - {id: call, aws: "sqs:sendMessage", params: {QueueUrl: "https://q", MessageBody: m}}
"""
    outcome = run(text, a=4, f=20)
    assert outcome.calls == [(0, "a"), (4, "f")]
    assert outcome.status is RunStatus.TIMED_OUT


def test_a_handler_of_failed_expressions_does_not_take_a_refusal_to_begin() -> None:
    text = f"""
steps:
  - try: [{{id: a, action: ping}}]
    finally: [{{id: f, action: ping}}]
  - id: b
    action: ping
    on_failure:
      - {{errors: [States.QueryEvaluationError], steps: [{{id: wrong, action: ping}}], then: continue}}
      - {{errors: [States.Timeout], steps: [{{id: right, action: ping}}], then: continue}}
{FINALLY}
"""
    outcome = run(text, a=4, f=20)
    assert [path for _, path in outcome.calls] == ["a", "f", "right", "last"]
    assert outcome.status is RunStatus.TIMED_OUT


def test_waits_end_at_the_deadline_and_fail() -> None:
    outcome = run(f"steps: [{{id: a, action: ping}}, {{id: w, wait: 1h}}]\n{FINALLY}", a=4)
    assert outcome.seconds == 10
    assert outcome.status is RunStatus.TIMED_OUT
    assert outcome.error is not None
    assert outcome.error.step == "w"
    outcome = run(f"steps: [{{id: w, wait: {{until: '2999-01-01T00:00:00Z'}}}}]\n{FINALLY}")
    assert (outcome.seconds, outcome.status) == (10, RunStatus.TIMED_OUT)
    outcome = run(f"steps: [{{id: w, wait: {{until: '1999-01-01T00:00:00Z'}}}}]\n{FINALLY}")
    assert (outcome.seconds, outcome.status) == (0, RunStatus.SUCCEEDED)


def test_polling_ends_at_the_deadline() -> None:
    text = """
steps:
  - id: poll
    repeat:
      until: "{{ steps.look.output.ok | default(false) }}"
      delay: 4s
      steps: [{if: "{{ run.attempt == 2 }}", id: look, action: ping}]
"""
    outcome = run(f"{text}{FINALLY}")
    assert outcome.calls == [(0, "last")]
    assert outcome.seconds == 10
    assert outcome.status is RunStatus.TIMED_OUT


def test_branches_and_items_are_cut_too_and_a_tolerant_loop_does_not_hide_it() -> None:
    text = "steps: [{id: p, parallel: {x: [{id: a, action: ping}], y: [{id: b, action: ping}]}}]\n"
    outcome = run(f"{text}{FINALLY}", a=4, b=60)
    assert outcome.calls[2:] == [(10, "last")]
    assert outcome.status is RunStatus.TIMED_OUT
    text = """
steps:
  - set: {items: [1, 2, 3]}
  - id: each
    for_each: {in: "{{ vars.items }}", tolerate: 3, steps: [{id: a, action: ping}]}
"""
    outcome = run(f"{text}{FINALLY}", a=6)
    assert outcome.calls == [(0, "each[0].a"), (6, "each[1].a"), (10, "last")]
    assert outcome.status is RunStatus.TIMED_OUT


def test_items_of_a_distributed_loop_keep_the_deadline_of_the_run() -> None:
    text = """
steps:
  - {id: a, action: ping}
  - set: {items: [1]}
  - id: each
    for_each: {in: "{{ vars.items }}", mode: distributed, steps: [{id: b, action: ping}, {id: c, action: ping}]}
"""
    outcome = run(f"{text}{FINALLY}", a=4, b=3, c=60)
    assert outcome.limits["each[0].b"] == (6, None)
    assert outcome.limits["each[0].c"] == (3, None)
    assert outcome.calls[-1] == (10, "last")
    assert outcome.status is RunStatus.TIMED_OUT


def test_a_redrive_starts_the_time_anew() -> None:
    outcome = run(HANDLED % ("States.Timeout", "fail"), {"after": "Sandbox.Timedout"}, a=4, after=4)
    assert outcome.status is RunStatus.FAILED
    assert outcome.limits["after"] == (6, None)
    outcome.engine.clock.wait_until(outcome.engine.clock.now() + timedelta(hours=1))
    outcome.engine.redrive(outcome.execution)
    outcome.engine.run(outcome.execution)
    assert [path for _, path in outcome.calls] == ["a", "after", "after"]
    assert outcome.limits["after"] == (10, None)


def transitions_without_timeout(text: str) -> int:
    engine = Engine(lambda call: TaskSucceeded({"StatusCode": 200, "Payload": RESULTS["ping"]}))
    execution = engine.start(compiled(f"name: free\n{text}").asl or "", {})
    engine.run(execution)
    return execution.transitions


def test_the_happy_path_gets_a_state_for_each_wait_only() -> None:
    text = """
steps:
  - {id: a, action: ping}
  - {id: w, wait: 1s}
  - {id: b, action: ping, on_failure: continue}
finally: [{id: f, action: ping}]
"""
    timed = json.loads(compiled(f"name: x\ntimeout: 10s\n{text}").asl or "")
    free = json.loads(compiled(f"name: x\n{text}").asl or "")
    more = {name for name, _ in states(timed)} - {name for name, _ in states(free)}
    assert more == {"w.deadline", "w.deadline.late", "b.deadline", "b.deadline.late"}
    assert len(run(text).calls) == 3
    assert run(text).execution.transitions == transitions_without_timeout(text) + 1


UNDONE = """
on_failure: rollback
steps:
  - id: a
    action: store
    params: {key: k}
    rollback: {action: ping}
  - {id: b, action: ping, on_failure: [{errors: [Unreachable], steps: [{id: h, action: ping}], then: continue}]}
  - {id: c, action: ping}
"""


@pytest.mark.parametrize("broken", [{}, {"a.rollback": "Unreachable"}])
@pytest.mark.parametrize("last", ["", FINALLY])
def test_a_run_that_ran_out_of_time_is_rolled_back_where_that_is_asked_for(last: str, broken: dict[str, str]) -> None:
    outcome = run(f"{UNDONE}{last}", broken, a=4, b=60, **{"a.rollback": 30})
    assert [path for _, path in outcome.calls] == ["a", "b", "a.rollback", *(["last"] if last else [])]
    assert outcome.calls[2][0] == 10
    assert outcome.status is (RunStatus.ROLLBACK_FAILED if broken else RunStatus.TIMED_OUT)
    assert outcome.error is not None
    assert (outcome.error.type, outcome.error.message, outcome.error.step) == ("States.Timeout", LATE, "b")


def test_a_step_that_was_not_begun_is_not_undone_and_a_rollback_for_another_error_may_take_longer() -> None:
    outcome = run(UNDONE, {"b": "Unreachable"}, a=4, b=3, h=30)
    assert [path for _, path in outcome.calls] == ["a", "b", "h", "a.rollback"]
    assert outcome.status is RunStatus.TIMED_OUT
    outcome = run(UNDONE, {"c": "Unreachable"}, a=4, **{"a.rollback": 30})
    assert outcome.status is RunStatus.ROLLED_BACK
    assert outcome.seconds == 34
