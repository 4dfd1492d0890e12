"""Parallel and inline Map: joins, failures, concurrency, history (step-functions facts 5.1, 5.3, 8.1)."""

from typing import Any

import pytest

from stepsmith.engine import TaskFailed, TaskSucceeded, TaskWaiting


def graph(**states: Any) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states}


def wait(seconds: float, **fields: Any) -> dict[str, Any]:
    return {"Type": "Wait", "Seconds": seconds, **({} if "Next" in fields else {"End": True}), **fields}


def a_map(processor: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"Type": "Map", "ItemProcessor": processor, **({} if "Next" in fields else {"End": True}), **fields}


def test_branches_run_side_by_side_and_join_in_branch_order(bench: Any) -> None:
    execution = bench(
        {
            "P": {
                "Type": "Parallel",
                "Arguments": {"n": "{% $states.input %}"},
                "Branches": [graph(A=wait(30)), graph(B=wait(10, Output="b"))],
                "Output": ["{% $states.result %}", "{% $states.input %}"],
                "End": True,
            }
        },
        1,
    )
    assert execution.output == [[{"n": 1}, "b"], 1]
    assert (execution.stopped - execution.started).total_seconds() == 30


def test_the_first_failing_branch_ends_the_others(bench: Any) -> None:
    execution = bench(
        {
            "P": {
                "Type": "Parallel",
                "Branches": [
                    graph(A=wait(10, Next="F"), F={"Type": "Fail", "Error": "E", "Cause": "c"}),
                    graph(B=wait(1000)),
                    graph(C=wait(5)),
                ],
                "End": True,
            }
        }
    )
    assert (execution.error, execution.cause, execution.failure.state) == ("E", "c", "F")
    assert (execution.stopped - execution.started).total_seconds() == 10
    tail = [event.type for event in execution.events][-4:]
    assert tail == ["FailStateEntered", "WaitStateAborted", "ParallelStateFailed", "ExecutionFailed"]


def test_a_failed_task_in_a_branch_is_written_off_too(bench: Any, make_task: Any) -> None:
    bench.handler = lambda _: TaskFailed("E")
    execution = bench(
        {
            "P": {
                "Type": "Parallel",
                "Branches": [graph(A=make_task())],
                "Catch": [{"ErrorEquals": ["E"], "Next": "Z"}],
                "End": True,
            },
            "Z": {"Type": "Pass", "End": True},
        }
    )
    links = [(event.id, event.previous_event_id, event.type) for event in execution.events][6:11]
    assert links == [
        (7, 6, "TaskFailed"),
        (8, 7, "TaskStateAborted"),
        (9, 7, "ParallelStateFailed"),
        (10, 9, "ParallelStateExited"),
        (11, 10, "PassStateEntered"),
    ]


def test_a_retried_parallel_starts_all_branches_again(bench: Any, make_task: Any) -> None:
    bench.handler = lambda call: TaskFailed("E") if len(bench.calls) == 1 else TaskSucceeded(len(bench.calls))
    execution = bench(
        {
            "P": {
                "Type": "Parallel",
                "Branches": [graph(A=make_task()), graph(B=make_task())],
                "Retry": [{"ErrorEquals": ["States.TaskFailed"]}],
                "End": True,
            }
        }
    )
    # Both had begun when the first failed; what the second had done is lost and done again.
    assert [call.state for call in bench.calls] == ["A", "B", "A", "B"]
    assert execution.output == [3, 4]
    kinds = [event.type for event in execution.events]
    assert kinds.count("ParallelStateStarted") == 2
    assert "ParallelStateFailed" not in kinds


def test_a_sibling_that_waits_for_an_answer_is_cancelled(bench: Any) -> None:
    cancelled: list[str] = []
    bench.handler = lambda call: TaskWaiting(None, cancel=lambda: cancelled.append(call.state))
    token = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "Arguments": {}}
    bench(
        {
            "P": {
                "Type": "Parallel",
                "Branches": [graph(T={**token, "End": True}), graph(W=wait(1, Next="F"), F={"Type": "Fail"})],
                "End": True,
            }
        }
    )
    assert cancelled == ["T"]


def test_failures_in_nested_parallels_carry_the_innermost_error(bench: Any) -> None:
    inner = {"Type": "Parallel", "Branches": [graph(F={"Type": "Fail", "Error": "Deep"})], "End": True}
    outer = {"Type": "Parallel", "Branches": [graph(I=inner), graph(W=wait(5))], "End": True}
    execution = bench({"O": outer})
    assert (execution.error, execution.failure.state) == ("Deep", "F")


@pytest.mark.parametrize(
    ("concurrency", "seconds"), [(1, 100), (3, 40), (0, 10), (None, 10), ("{% 5 %}", 20), (100, 10), (3.9, 40)]
)
def test_map_concurrency(bench: Any, concurrency: Any, seconds: int) -> None:
    fields = {} if concurrency is None else {"MaxConcurrency": concurrency}
    execution = bench({"M": a_map(graph(W=wait(10)), Items="{% [1..10] %}", **fields)})
    assert execution.output == list(range(1, 11))
    assert (execution.stopped - execution.started).total_seconds() == seconds


def test_an_inline_map_runs_no_more_than_forty_at_once(bench: Any) -> None:
    execution = bench({"M": a_map(graph(W=wait(10)), Items="{% [1..41] %}")})
    assert (execution.stopped - execution.started).total_seconds() == 20


def test_an_item_selector_sees_the_item_and_the_iteration_does_not(bench: Any) -> None:
    execution = bench(
        {
            "M": a_map(
                graph(
                    I={
                        "Type": "Pass",
                        "Output": ["{% $states.input %}", "{% $exists($states.context.Map) %}"],
                        "End": True,
                    }
                ),
                Items=["a"],
                ItemSelector={"item": "{% $states.context.Map.Item %}", "in": "{% $states.input %}"},
            )
        },
        7,
    )
    assert execution.output == [[{"item": {"Index": 0, "Value": "a", "Source": "STATE_DATA"}, "in": 7}, False]]


def test_no_items_no_iterations(bench: Any) -> None:
    execution = bench({"M": a_map(graph(W=wait(10)), Items=[])})
    assert execution.output == []
    assert [(event.type, event.previous_event_id) for event in execution.events][2:5] == [
        ("MapStateStarted", 2),
        ("MapStateSucceeded", 3),
        ("MapStateExited", 3),
    ]


def test_a_failed_iteration_fails_the_map_with_its_own_error(bench: Any, make_task: Any) -> None:
    def handler(call: Any) -> Any:
        if call.arguments == 2:
            return TaskFailed("E", "two", after=5)
        return TaskSucceeded(call.arguments, after=call.arguments * 3)

    bench.handler = handler
    execution = bench(
        {
            "M": a_map(
                graph(T=make_task(Arguments="{% $states.input %}")),
                Items=[1, 2, 3],
                ToleratedFailureCount=9,
                Catch=[{"ErrorEquals": ["E"], "Next": "Z"}],
            ),
            "Z": {"Type": "Pass", "Output": "{% $states.input.Cause %}", "End": True},
        }
    )
    assert execution.output == "two"
    iterations = [event.type for event in execution.events if event.type.startswith("MapIteration")]
    assert iterations == ["MapIterationStarted"] * 3 + [
        "MapIterationSucceeded",
        "MapIterationFailed",
        "MapIterationAborted",
    ]


@pytest.mark.parametrize("items", ["{% 1 %}", "{% {'a': 1} %}", "{% null %}", "{% $no %}", "{% [1][$ = 1] %}"])
def test_items_must_be_an_array(bench: Any, items: str) -> None:
    execution = bench({"M": a_map(graph(W=wait(1)), Items=items)})
    assert (execution.error, execution.failure.field) == ("States.QueryEvaluationError", "Items")


def test_a_failing_item_selector_fails_the_map(bench: Any) -> None:
    execution = bench(
        {
            "M": a_map(
                graph(W=wait(1)),
                Items=[1, 2],
                ItemSelector={"x": "{% $states.context.Map.Item.Value = 2 ? $no : 1 %}"},
                Catch=[{"ErrorEquals": ["States.QueryEvaluationError"], "Next": "Z"}],
            ),
            "Z": {"Type": "Pass", "Output": "caught", "End": True},
        }
    )
    assert execution.output == "caught"


def test_maps_in_maps(bench: Any) -> None:
    inner = a_map(
        graph(I={"Type": "Pass", "Output": "{% $states.input * 2 %}", "End": True}), Items="{% $states.input %}"
    )
    execution = bench({"M": a_map(graph(N=inner), Items=[[1, 2], [], [3]])})
    assert execution.output == [[2, 4], [], [6]]


def test_a_retried_map_starts_over(bench: Any, make_task: Any) -> None:
    bench.handler = lambda call: TaskFailed("E") if len(bench.calls) == 2 else TaskSucceeded(call.arguments)
    execution = bench(
        {
            "M": a_map(
                graph(T=make_task(Arguments="{% $states.input %}")),
                Items=[1, 2],
                MaxConcurrency=1,
                Retry=[{"ErrorEquals": ["E"]}],
            )
        }
    )
    assert execution.output == [1, 2]
    assert [call.arguments for call in bench.calls] == [1, 2, 1, 2]


def test_a_joined_array_above_256_kib_is_a_data_limit(bench: Any) -> None:
    big = {"Type": "Pass", "Output": "{% $pad('', 200000, 'x') %}", "End": True}
    execution = bench({"P": {"Type": "Parallel", "Branches": [graph(A=big), graph(B=big)], "End": True}})
    assert execution.error == "States.DataLimitExceeded"
