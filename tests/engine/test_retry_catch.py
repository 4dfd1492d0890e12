"""Retry and Catch: which names match, when, how often, and what a catcher sees (step-functions facts 1.7, 3.2, 3.3)."""

from random import Random
from typing import Any

import pytest

from stepsmith.engine import Engine, TaskFailed, TaskSucceeded

RUNTIME = "States.Runtime"


@pytest.mark.parametrize(
    ("listed", "error", "caught"),
    [
        ("States.ALL", "Boom", True),
        ("States.ALL", "States.Timeout", True),
        ("States.ALL", "States.QueryEvaluationError", True),
        ("States.ALL", "States.DataLimitExceeded", True),
        ("States.ALL", None, True),
        ("States.ALL", RUNTIME, False),
        (RUNTIME, RUNTIME, False),
        ("States.TaskFailed", "Boom", True),
        ("States.TaskFailed", "States.DataLimitExceeded", True),
        ("States.TaskFailed", "States.Http.StatusCode.503", True),
        ("States.TaskFailed", "States.Timeout", False),
        ("States.TaskFailed", "States.QueryEvaluationError", False),
        ("States.TaskFailed", RUNTIME, False),
        ("States.BranchFailed", "Boom", False),
        ("Boom", "Boom", True),
        ("Boom", "BoomBoom", False),
        ("Lambda.*", "Lambda.Unknown", False),
        ("Exception", "ValueError", False),
    ],
)
def test_names(bench: Any, make_task: Any, listed: str, error: str | None, caught: bool) -> None:
    bench.handler = lambda _: TaskFailed(error, "c")
    execution = bench(
        {
            "T": make_task(Catch=[{"ErrorEquals": [listed], "Next": "C"}]),
            "C": {"Type": "Pass", "End": True},
        }
    )
    assert execution.output == ({"Error": error, "Cause": "c"} if caught else None)
    assert execution.error == (None if caught else error)


def retried(bench: Any, make_task: Any, *retriers: dict[str, Any], errors: list[str]) -> list[float]:
    """Seconds at which attempts began while the task failed with these errors and then succeeded."""
    moments: list[float] = []

    def handler(call: Any) -> Any:
        moments.append((bench.engine.clock.now() - call.execution.started).total_seconds())
        return TaskFailed(errors[call.attempt]) if call.attempt < len(errors) else TaskSucceeded("done")

    bench.handler = handler
    bench({"T": make_task(Retry=list(retriers))})
    return moments


@pytest.mark.parametrize(
    ("retrier", "moments"),
    [
        ({}, [0, 1, 3, 7]),
        ({"IntervalSeconds": 2, "BackoffRate": 1}, [0, 2, 4, 6]),
        ({"IntervalSeconds": 2, "BackoffRate": 3, "MaxDelaySeconds": 5}, [0, 2, 7, 12]),
        ({"IntervalSeconds": 1, "BackoffRate": 1.5}, [0, 1, 2.5, 4.75]),
        ({"MaxAttempts": 1}, [0, 1]),
        ({"MaxAttempts": 0}, [0]),
    ],
)
def test_delays(bench: Any, make_task: Any, retrier: dict[str, Any], moments: list[float]) -> None:
    assert retried(bench, make_task, {"ErrorEquals": ["E"], **retrier}, errors=["E"] * 9) == moments


def test_jitter_is_between_nothing_and_the_delay(make_task: Any) -> None:
    waits: list[float] = []
    engine: Engine

    def handler(call: Any) -> Any:
        waits.append((engine.clock.now() - call.execution.started).total_seconds())
        return TaskFailed("E") if call.attempt == 0 else TaskSucceeded(1)

    engine = Engine(handler, random=Random(5))
    retry = [{"ErrorEquals": ["E"], "IntervalSeconds": 10, "JitterStrategy": "FULL"}]
    for _ in range(50):
        definition = {"QueryLanguage": "JSONata", "StartAt": "T", "States": {"T": make_task(Retry=retry)}}
        engine.start(definition, {})
        engine.run()
    delays = waits[1::2]
    assert all(0 <= delay <= 10 for delay in delays)
    assert max(delays) - min(delays) > 5


def test_counts_are_per_retrier(bench: Any, make_task: Any) -> None:
    one = {"ErrorEquals": ["A"], "MaxAttempts": 2, "BackoffRate": 1}
    two = {"ErrorEquals": ["B"], "MaxAttempts": 1, "IntervalSeconds": 10}
    moments = retried(bench, make_task, one, two, errors=["A", "B", "A", "B"])
    assert moments == [0, 1, 11, 12]


def test_only_the_first_matching_retrier_counts(bench: Any, make_task: Any) -> None:
    first = {"ErrorEquals": ["E"], "MaxAttempts": 1}
    assert retried(bench, make_task, first, {"ErrorEquals": ["States.ALL"]}, errors=["E"] * 5) == [0, 1]


def test_counts_start_anew_on_each_visit(bench: Any, make_task: Any) -> None:
    def handler(call: Any) -> Any:
        return TaskFailed("E") if call.attempt == 0 else TaskSucceeded(1)

    bench.handler = handler
    execution = bench(
        {
            "N": {"Type": "Pass", "Assign": {"n": 0}, "Next": "T"},
            "T": make_task(Retry=[{"ErrorEquals": ["E"], "MaxAttempts": 1}], Assign={"n": "{% $n + 1 %}"}, Next="C"),
            "C": {"Type": "Choice", "Choices": [{"Condition": "{% $n < 3 %}", "Next": "T"}], "Default": "Z"},
            "Z": {"Type": "Pass", "Output": "{% $n %}", "End": True},
        }
    )
    assert execution.output == 3
    assert [call.attempt for call in bench.calls] == [0, 1, 0, 1, 0, 1]
    assert execution.transitions == 1 + 3 * 3 + 1


def test_a_retry_evaluates_the_arguments_again(bench: Any, make_task: Any) -> None:
    bench.script(TaskFailed("E"), TaskSucceeded(None))
    bench(
        {
            "T": make_task(
                Arguments={"id": "{% $uuid() %}", "n": "{% $states.context.State.RetryCount %}"},
                Retry=[{"ErrorEquals": ["E"]}],
            )
        }
    )
    first, second = (call.arguments for call in bench.calls)
    assert (first["n"], second["n"]) == (0, 1)
    assert first["id"] != second["id"]


@pytest.mark.parametrize("field", ["Arguments", "Output", "Assign"])
def test_a_failed_evaluation_can_be_retried_and_caught(bench: Any, make_task: Any, field: str) -> None:
    execution = bench(
        {
            "T": make_task(
                **{field: {"x": "{% $no %}"}},
                Retry=[{"ErrorEquals": ["States.QueryEvaluationError"], "MaxAttempts": 1}],
                Catch=[{"ErrorEquals": ["States.ALL"], "Next": "C"}],
            ),
            "C": {"Type": "Pass", "Output": "{% $states.input.Error %}", "End": True},
        }
    )
    assert execution.output == "States.QueryEvaluationError"
    # Measured: the action is done again although it had succeeded.
    assert len(bench.calls) == (0 if field == "Arguments" else 2)
    assert [event.type for event in execution.events].count("EvaluationFailed") == 2


def test_a_taken_catcher_runs_its_own_assign_and_output_only(bench: Any, make_task: Any) -> None:
    bench.handler = lambda _: TaskFailed("E", "c")
    execution = bench(
        {
            "T": make_task(
                Assign={"mine": 1},
                Output="mine",
                Catch=[
                    {"ErrorEquals": ["Other"], "Next": "Wrong"},
                    {
                        "ErrorEquals": ["E"],
                        "Next": "C",
                        "Assign": {"why": "{% $states.errorOutput.Cause %}", "i": "{% $states.input %}"},
                        "Output": {"e": "{% $states.errorOutput.Error %}"},
                    },
                ],
            ),
            "Wrong": {"Type": "Fail"},
            "C": {
                "Type": "Pass",
                "Output": ["{% $states.input %}", "{% $why %}", "{% $i %}", "{% $exists($mine) %}"],
                "End": True,
            },
        },
        "in",
    )
    assert execution.output == [{"e": "E"}, "c", "in", False]


@pytest.mark.parametrize("fields", [{"Output": "{% $no %}"}, {"Assign": {"x": "{% $no %}"}}])
def test_a_failure_in_a_catcher_is_neither_caught_nor_retried(
    bench: Any, make_task: Any, fields: dict[str, Any]
) -> None:
    bench.handler = lambda _: TaskFailed("E")
    execution = bench(
        {
            "T": make_task(
                Retry=[{"ErrorEquals": ["States.QueryEvaluationError"]}],
                Catch=[{"ErrorEquals": ["E"], "Next": "C", **fields}, {"ErrorEquals": ["States.ALL"], "Next": "C"}],
            ),
            "C": {"Type": "Pass", "End": True},
        }
    )
    assert execution.error == "States.QueryEvaluationError"
    assert execution.failure.field.startswith("Catch[0]/")
    assert len(bench.calls) == 1


def test_a_catcher_may_lead_back_to_its_own_state(bench: Any, make_task: Any) -> None:
    bench.script(TaskFailed("E"), TaskSucceeded("second"))
    execution = bench({"T": make_task(Catch=[{"ErrorEquals": ["E"], "Next": "T"}])})
    assert execution.output == "second"


def test_a_catchers_assign_sees_the_retries_made(bench: Any, make_task: Any) -> None:
    bench.handler = lambda _: TaskFailed("E")
    execution = bench(
        {
            "T": make_task(
                Retry=[{"ErrorEquals": ["E"], "MaxAttempts": 2}],
                Catch=[
                    {
                        "ErrorEquals": ["States.ALL"],
                        "Next": "C",
                        "Assign": {"n": "{% $states.context.State.RetryCount %}"},
                    }
                ],
            ),
            "C": {"Type": "Pass", "Output": "{% $n %}", "End": True},
        }
    )
    assert execution.output == 2


def test_retry_count_is_seen_where_aws_shows_it(bench: Any, make_task: Any) -> None:
    count = "{% $exists($states.context.State.RetryCount) %}"
    branch = {"StartAt": "B", "States": {"B": {"Type": "Pass", "Output": ["{% $states.input %}", count], "End": True}}}
    execution = bench(
        {
            "T": make_task(Arguments=count, Assign={"task": count}, Output="{% $states.result %}", Next="P"),
            "P": {
                "Type": "Parallel",
                "Arguments": count,
                "Branches": [branch],
                "Output": ["{% $states.input %}", "{% $states.result[0] %}", count, "{% $task %}"],
                "End": True,
            },
        }
    )
    assert execution.output == [True, [True, False], False, True]
