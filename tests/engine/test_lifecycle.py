"""Executions from outside: stop, redrive, nesting, limits, many at once (step-functions facts 1.10, 6, 8.1)."""

import json
from typing import Any

import pytest

from stepsmith.engine import (
    Engine,
    ExecutionNotRedrivable,
    InvalidDefinition,
    Status,
    TaskFailed,
    TaskSucceeded,
    TaskWaiting,
    UnsupportedQueryLanguage,
    api_event,
)


def graph(**states: Any) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states}


def test_stop_ends_at_once_without_catch(bench: Any, make_task: Any) -> None:
    execution = bench.start(
        {
            "P": {
                "Type": "Parallel",
                "Branches": [graph(A={"Type": "Wait", "Seconds": 100, "End": True})],
                "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Z"}],
                "End": True,
            },
            "Z": {"Type": "Pass", "End": True},
        }
    )
    bench.engine.advance(10)
    bench.engine.stop(execution, "Mine", "enough")
    bench.engine.run()
    assert (execution.status, execution.error, execution.cause) == (Status.ABORTED, "Mine", "enough")
    last = execution.events[-1]
    assert (last.type, last.previous_event_id, last.details) == (
        "ExecutionAborted",
        0,
        {"error": "Mine", "cause": "enough"},
    )
    assert (execution.stopped - execution.started).total_seconds() == 10
    bench.engine.stop(execution)
    assert execution.events[-1] is last


def test_the_end_is_told_once_and_children_are_known(bench: Any) -> None:
    ended: list[Any] = []
    child = {"QueryLanguage": "JSONata", **graph(W={"Type": "Wait", "Seconds": 60, "Output": "child", "End": True})}

    def handler(call: Any) -> Any:
        started = bench.engine.start(
            child,
            call.arguments,
            parent=call.execution,
            on_end=lambda one: (ended.append(one), bench.engine.complete_task(call.token, one.output)),
        )
        return TaskWaiting({"ExecutionArn": started.arn}, cancel=lambda: bench.engine.stop(started))

    bench.handler = handler
    nested = {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync:2", "Arguments": {}, "End": True}
    execution = bench({"T": nested})
    assert execution.output == "child"
    assert (execution.stopped - execution.started).total_seconds() == 60
    assert ended == list(execution.children)
    assert ended[0].parent is execution
    stopped = bench.start({"T": nested})
    bench.engine.advance(1)
    bench.engine.stop(stopped)
    assert stopped.children[0].status is Status.ABORTED


def redriven(bench: Any, execution: Any) -> None:
    bench.engine.redrive(execution)
    bench.engine.run()


def test_redrive_goes_on_at_the_failed_state_with_its_variables(bench: Any, make_task: Any) -> None:
    bench.script(TaskSucceeded("one"), TaskFailed("E"), TaskFailed("E"), TaskSucceeded("two"))
    execution = bench(
        {
            "A": make_task(Assign={"a": "{% $states.result %}"}, Next="B"),
            "B": make_task(
                Arguments={"a": "{% $a %}", "n": "{% $states.context.Execution.RedriveCount %}"},
                Retry=[{"ErrorEquals": ["E"], "MaxAttempts": 1}],
            ),
        }
    )
    assert execution.status is Status.FAILED
    redriven(bench, execution)
    assert (execution.status, execution.output, execution.error) == (Status.SUCCEEDED, "two", None)
    assert bench.calls[-1].arguments == {"a": "one", "n": 1}
    assert [call.attempt for call in bench.calls] == [0, 0, 1, 0]
    kinds = [event.type for event in execution.events]
    at = kinds.index("ExecutionRedriven")
    assert kinds[at : at + 3] == ["ExecutionRedriven", "TaskScheduled", "TaskStarted"]
    assert execution.events[at].details == {"redriveCount": 1}


def test_a_fail_state_is_entered_again_and_fails_again(bench: Any) -> None:
    execution = bench({"P": {"Type": "Pass", "Next": "F"}, "F": {"Type": "Fail", "Error": "E"}})
    redriven(bench, execution)
    assert (execution.status, execution.redrive_count) == (Status.FAILED, 1)
    assert [event.type for event in execution.events].count("FailStateEntered") == 2
    assert [event.type for event in execution.events].count("PassStateEntered") == 1


def test_redrive_redoes_only_what_did_not_succeed(bench: Any, make_task: Any) -> None:
    broken = {"b", 2}

    def handler(call: Any) -> Any:
        return TaskFailed("E") if call.arguments in broken else TaskSucceeded(call.arguments)

    bench.handler = handler
    iteration = graph(T=make_task(Arguments="{% $states.input %}"))
    execution = bench(
        {
            "P": {
                "Type": "Parallel",
                "Branches": [graph(A=make_task(Arguments="a")), graph(B=make_task(Arguments="b"))],
                "Next": "M",
            },
            "M": {"Type": "Map", "Items": [1, 2, 3], "MaxConcurrency": 1, "ItemProcessor": iteration, "End": True},
        }
    )
    assert execution.error == "E"
    broken.discard("b")
    redriven(bench, execution)
    assert execution.status is Status.FAILED
    broken.clear()
    redriven(bench, execution)
    assert execution.output == [1, 2, 3]
    assert [call.arguments for call in bench.calls] == ["a", "b", "b", 1, 2, 2, 3]


def test_redrive_of_a_distributed_map_redoes_the_failed_children(bench: Any, make_task: Any) -> None:
    broken = {2}
    bench.handler = lambda call: TaskFailed("E") if call.arguments in broken else TaskSucceeded(call.arguments)
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        **graph(T=make_task(Arguments="{% $states.input %}")),
    }
    execution = bench({"M": {"Type": "Map", "Items": [1, 2, 3], "ItemProcessor": processor, "End": True}})
    assert execution.status is Status.FAILED
    broken.clear()
    before = len(bench.calls)
    redriven(bench, execution)
    assert execution.output == [1, 2, 3]
    # The third had been stopped when the second failed.
    assert [call.arguments for call in bench.calls[before:]] == [2, 3]
    assert "MapRunRedriven" in [event.type for event in execution.events]


def test_a_stopped_wait_ends_at_once_when_its_time_has_passed(bench: Any) -> None:
    execution = bench.start({"W": {"Type": "Wait", "Timestamp": "2025-01-01T00:10:00Z", "End": True}})
    bench.engine.advance(60)
    bench.engine.stop(execution)
    bench.engine.advance(3600)
    redriven(bench, execution)
    assert execution.status is Status.SUCCEEDED
    assert (execution.stopped - execution.started).total_seconds() == 3660


def test_what_runs_or_succeeded_cannot_be_redriven(bench: Any) -> None:
    execution = bench.start({"W": {"Type": "Wait", "Seconds": 1, "End": True}})
    with pytest.raises(ExecutionNotRedrivable):
        bench.engine.redrive(execution)
    bench.engine.run()
    with pytest.raises(ExecutionNotRedrivable):
        bench.engine.redrive(execution)


def test_the_history_holds_25000_events(bench: Any) -> None:
    execution = bench({"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}})
    assert execution.status is Status.FAILED
    assert len(execution.events) == 25_000
    assert execution.events[-1].type == "ExecutionFailed"
    assert "maximum number of history events" in execution.cause
    with pytest.raises(ExecutionNotRedrivable):
        bench.engine.redrive(execution)


@pytest.mark.parametrize("size", [262_144, 262_145])
def test_a_result_holds_256_kib(bench: Any, make_task: Any, size: int) -> None:
    bench.handler = lambda _: TaskSucceeded("é" * ((size - 2) // 2) + "x" * (size % 2))
    execution = bench({"T": make_task(Output="small")})
    assert execution.error == (None if size == 262_144 else "States.DataLimitExceeded")


def test_an_oversized_output_and_oversized_arguments_fail(bench: Any, make_task: Any) -> None:
    big = "{% $pad('', 262144, 'x') %}"
    passed = bench({"A": {"Type": "Pass", "Output": big, "End": True}})
    assert passed.cause == (
        "The state/task 'A' returned a result with a size exceeding the maximum number of bytes service limit."
    )
    assert [event.type for event in passed.events][-2:] == ["PassStateEntered", "ExecutionFailed"]
    called = bench({"T": make_task(Arguments={"x": big})})
    assert (called.error, bench.calls) == ("States.DataLimitExceeded", [])


def test_a_definition_that_cannot_run_is_refused() -> None:
    engine = Engine(lambda call: TaskSucceeded(None))
    with pytest.raises(UnsupportedQueryLanguage, match="/States/A"):
        engine.start({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}, None)
    for broken in (
        "no json",
        "[]",
        {"QueryLanguage": "JSONata"},
        {"QueryLanguage": "JSONata", "StartAt": "B", "States": {"A": {"Type": "Pass", "End": True}}},
        {"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}}},
        {"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": {"Type": "Nap", "End": True}}},
    ):
        with pytest.raises(InvalidDefinition):
            engine.start(broken, None)


def test_many_executions_keep_apart_and_end_in_order_of_time(bench: Any) -> None:
    states = {
        "W": {"Type": "Wait", "Seconds": "{% $states.input %}", "Assign": {"n": "{% $states.input %}"}, "Next": "P"},
        "P": {"Type": "Pass", "Output": "{% $n %}", "End": True},
    }
    executions = [bench.start(states, (at * 7) % 100) for at in range(100)]
    bench.engine.run()
    assert [one.output for one in executions] == [(at * 7) % 100 for at in range(100)]
    assert all((one.stopped - one.started).total_seconds() == one.output for one in executions)


def test_run_until_leaves_the_others_where_they_are(bench: Any) -> None:
    def waits(seconds: int) -> Any:
        return bench.start({"W": {"Type": "Wait", "Seconds": seconds, "End": True}})

    long, short = waits(100), waits(10)
    bench.engine.run(short)
    assert (short.status, long.status) == (Status.SUCCEEDED, Status.RUNNING)
    assert (bench.engine.next_deadline - long.started).total_seconds() == 100
    bench.engine.run()
    assert long.status is Status.SUCCEEDED
    assert bench.engine.next_deadline is None


def test_advance_stops_at_the_time_asked_for(bench: Any) -> None:
    execution = bench.start({"W": {"Type": "Wait", "Seconds": 100, "End": True}})
    bench.engine.advance(99)
    assert execution.running
    bench.engine.advance(1)
    assert execution.status is Status.SUCCEEDED


def test_an_event_in_the_shape_of_the_api(bench: Any, make_task: Any) -> None:
    bench.handler = lambda _: TaskSucceeded({"r": 1})
    execution = bench(
        {
            "T": make_task(Assign={"v": 1}),
        },
        {"n": 1},
    )
    shapes = [api_event(event) for event in execution.events]
    assert shapes[1] == {
        "id": 2,
        "previousEventId": 0,
        "timestamp": execution.started,
        "type": "TaskStateEntered",
        "stateEnteredEventDetails": {"name": "T", "input": '{"n":1}', "inputDetails": {"truncated": False}},
    }
    assert shapes[4]["taskSucceededEventDetails"] == {
        "resourceType": "lambda",
        "resource": "invoke",
        "output": '{"r":1}',
        "outputDetails": {"truncated": False},
    }
    assert shapes[5]["stateExitedEventDetails"] == {
        "name": "T",
        "assignedVariables": {"v": "1"},
        "assignedVariablesDetails": {"truncated": False},
        "output": '{"r":1}',
        "outputDetails": {"truncated": False},
    }
    light = api_event(execution.events[2], include_data=False)
    assert light["taskScheduledEventDetails"] == {"resourceType": "lambda", "resource": "invoke", "region": "us-east-1"}
    assert json.loads(json.dumps(shapes, default=str))
