"""Timeouts, heartbeats and answers through task tokens (step-functions facts 3.1, 4.3)."""

from typing import Any

import pytest

from stepsmith.engine import InvalidOutput, InvalidToken, Status, TaskFailed, TaskSucceeded, TaskTimedOut, TaskWaiting

TOKEN = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"
CATCH_ALL = [{"ErrorEquals": ["States.ALL"], "Next": "C"}]
CAUGHT = {"C": {"Type": "Pass", "End": True}}


def elapsed(execution: Any) -> float:
    return float((execution.stopped - execution.started).total_seconds())


def test_a_task_that_takes_too_long_times_out(bench: Any, make_task: Any) -> None:
    bench.handler = lambda _: TaskSucceeded("late", after=100)
    execution = bench({"T": make_task(TimeoutSeconds=30, Catch=CATCH_ALL), **CAUGHT})
    assert execution.output == {"Error": "States.Timeout", "Cause": ""}
    assert elapsed(execution) == 30
    timed_out = next(event for event in execution.events if event.type == "TaskTimedOut")
    assert timed_out.details == {"resourceType": "lambda", "resource": "invoke", "error": "States.Timeout"}


def test_an_uncaught_timeout_fails_the_execution_without_a_cause(bench: Any, make_task: Any) -> None:
    bench.handler = lambda _: TaskFailed("late", after=31)
    execution = bench({"T": make_task(TimeoutSeconds="{% 30.9 %}")})
    assert (execution.status, execution.error, execution.cause) == (Status.FAILED, "States.Timeout", None)
    assert elapsed(execution) == 30


def test_a_task_that_ends_at_its_timeout_is_in_time(bench: Any, make_task: Any) -> None:
    bench.handler = lambda _: TaskSucceeded("just", after=30)
    assert bench({"T": make_task(TimeoutSeconds=30)}).output == "just"


def test_each_attempt_has_its_own_timeout(bench: Any, make_task: Any) -> None:
    bench.handler = lambda _: TaskSucceeded("late", after=100)
    retry = [{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 1, "IntervalSeconds": 5}]
    execution = bench({"T": make_task(TimeoutSeconds=30, Retry=retry)})
    assert elapsed(execution) == 65


@pytest.mark.parametrize("timeout", ["{% 0 %}", "{% 'x' %}", "{% null %}", "{% $no %}", "{% 1e9 %}"])
def test_a_timeout_must_be_a_positive_number(bench: Any, make_task: Any, timeout: str) -> None:
    execution = bench({"T": make_task(TimeoutSeconds=timeout)})
    assert (execution.error, execution.failure.field) == ("States.QueryEvaluationError", "TimeoutSeconds")


def test_a_token_is_answered_from_outside(bench: Any) -> None:
    bench.handler = lambda _: TaskWaiting({"MessageId": "m"})
    states = {
        "T": {
            "Type": "Task",
            "Resource": TOKEN,
            "Arguments": {"t": "{% $states.context.Task.Token %}"},
            "End": True,
        }
    }
    execution = bench(states)
    assert execution.status is Status.RUNNING
    token = bench.calls[0].token
    assert bench.calls[0].arguments == {"t": token}
    bench.engine.advance(3600)
    bench.engine.complete_task_text(token, '{"ok": true}')
    bench.engine.run()
    assert execution.output == {"ok": True}
    assert [event.type for event in execution.events][2:7] == [
        "TaskScheduled",
        "TaskStarted",
        "TaskSubmitted",
        "TaskSucceeded",
        "TaskStateExited",
    ]
    assert elapsed(execution) == 3600


def test_an_answer_may_come_before_the_handler_returns(bench: Any) -> None:
    def handler(call: Any) -> Any:
        bench.engine.complete_task(call.token, "early")
        return TaskWaiting(None)

    bench.handler = handler
    assert bench({"T": {"Type": "Task", "Resource": TOKEN, "Arguments": {}, "End": True}}).output == "early"


def test_a_failure_without_names_gives_nulls(bench: Any) -> None:
    bench.handler = lambda _: TaskWaiting(None)
    states = {"T": {"Type": "Task", "Resource": TOKEN, "Arguments": {}, "End": True, "Catch": CATCH_ALL}, **CAUGHT}
    execution = bench(states)
    bench.engine.fail_task(bench.calls[0].token)
    bench.engine.run()
    assert execution.output == {"Error": None, "Cause": None}


def test_second_late_and_made_up_answers_are_refused(bench: Any) -> None:
    bench.handler = lambda _: TaskWaiting(None)
    states = {"T": {"Type": "Task", "Resource": TOKEN, "Arguments": {}, "TimeoutSeconds": 10, "End": True}}
    bench.start(states)
    bench.engine.advance(0)
    first = bench.calls[0].token
    bench.engine.complete_task(first, 1)
    with pytest.raises(TaskTimedOut):
        bench.engine.complete_task(first, 2)
    bench.engine.run()
    bench.start(states)
    bench.engine.run()
    second = bench.calls[1].token
    for answer in (bench.engine.fail_task, bench.engine.heartbeat_task):
        with pytest.raises(TaskTimedOut):
            answer(second)
    with pytest.raises(InvalidToken):
        bench.engine.complete_task("made up", 1)


def test_an_answer_must_be_json(bench: Any) -> None:
    bench.handler = lambda _: TaskWaiting(None)
    bench({"T": {"Type": "Task", "Resource": TOKEN, "Arguments": {}, "End": True}})
    with pytest.raises(InvalidOutput):
        bench.engine.complete_task_text(bench.calls[0].token, "not json")


@pytest.mark.parametrize("listed", ["States.Timeout", "States.HeartbeatTimeout", "States.ALL"])
def test_a_missed_heartbeat_is_taken_by_either_name(bench: Any, listed: str) -> None:
    bench.handler = lambda _: TaskWaiting(None)
    states = {
        "T": {
            "Type": "Task",
            "Resource": TOKEN,
            "Arguments": {},
            "TimeoutSeconds": 600,
            "HeartbeatSeconds": 5,
            "Catch": [{"ErrorEquals": [listed], "Next": "C"}],
            "End": True,
        },
        **CAUGHT,
    }
    execution = bench(states)
    assert execution.output == {"Error": "States.Timeout", "Cause": ""}
    assert elapsed(execution) == 5


def test_a_plain_timeout_is_no_missed_heartbeat(bench: Any) -> None:
    bench.handler = lambda _: TaskWaiting(None)
    catch = [{"ErrorEquals": ["States.HeartbeatTimeout"], "Next": "C"}]
    task = {"Type": "Task", "Resource": TOKEN, "Arguments": {}, "TimeoutSeconds": 5, "Catch": catch, "End": True}
    assert bench({"T": task, **CAUGHT}).error == "States.Timeout"


def test_heartbeats_keep_a_task_alive_until_its_timeout(bench: Any) -> None:
    bench.handler = lambda _: TaskWaiting(None, after=2)
    states = {
        "T": {
            "Type": "Task",
            "Resource": TOKEN,
            "Arguments": {},
            "TimeoutSeconds": 60,
            "HeartbeatSeconds": 10,
            "End": True,
        }
    }
    execution = bench.start(states)
    bench.engine.advance(0)
    token = bench.calls[0].token
    for at in range(9, 60, 9):
        bench.engine.call_later(at, lambda: bench.engine.heartbeat_task(token))
    bench.engine.run()
    assert (execution.error, elapsed(execution)) == ("States.Timeout", 60)


def test_a_retry_gets_a_new_token(bench: Any) -> None:
    bench.handler = lambda _: TaskWaiting(None)
    retry = [{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 1}]
    bench({"T": {"Type": "Task", "Resource": TOKEN, "Arguments": {}, "TimeoutSeconds": 5, "Retry": retry, "End": True}})
    assert bench.calls[0].token != bench.calls[1].token


def test_whoever_was_asked_is_told_when_nobody_waits_any_more(bench: Any) -> None:
    cancelled: list[str] = []
    bench.handler = lambda call: TaskWaiting(None, cancel=lambda: cancelled.append(call.token))
    states = {"T": {"Type": "Task", "Resource": TOKEN, "Arguments": {}, "TimeoutSeconds": 5, "End": True}}
    bench(states)
    assert cancelled == [bench.calls[0].token]
    execution = bench.start(states)
    bench.engine.advance(0)
    bench.engine.stop(execution)
    assert cancelled == [call.token for call in bench.calls]
    execution = bench.start(states)
    bench.engine.advance(0)
    bench.engine.complete_task(bench.calls[-1].token, 1)
    bench.engine.run()
    assert len(cancelled) == 2


def test_the_machines_timeout_cannot_be_caught_and_leaves_no_error(bench: Any, make_task: Any) -> None:
    bench.handler = lambda _: TaskSucceeded(1, after=100)
    execution = bench({"T": make_task(Catch=CATCH_ALL), **CAUGHT}, TimeoutSeconds=50)
    assert (execution.status, execution.error, execution.cause) == (Status.TIMED_OUT, None, None)
    assert execution.events[-1].type == "ExecutionTimedOut"
    assert execution.events[-1].details == {"error": "States.Timeout"}
    assert elapsed(execution) == 50


def test_a_year_is_the_longest_an_execution_lasts(bench: Any) -> None:
    states = {f"W{at}": {"Type": "Wait", "Seconds": 99_999_999, "End": True} for at in range(1)}
    execution = bench(states)
    assert execution.status is Status.TIMED_OUT
    assert elapsed(execution) == 365 * 86_400
