"""Choice, Wait, Fail and Succeed (step-functions facts 1.7, 2, 3.5)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from stepsmith.engine import Engine, Status, TaskSucceeded, VirtualClock


def choice(*conditions: Any, **fields: Any) -> dict[str, Any]:
    rules = [
        {"Condition": condition, "Next": f"R{at}", "Assign": {"taken": at}, "Output": f"rule {at}"}
        for at, condition in enumerate(conditions)
    ]
    return {
        "C": {"Type": "Choice", "Choices": rules, **fields},
        **{
            f"R{at}": {"Type": "Pass", "Output": ["{% $states.input %}", "{% $taken %}"], "End": True}
            for at in range(len(conditions))
        },
        "D": {"Type": "Pass", "Output": {"in": "{% $states.input %}", "d": "{% $exists($d) %}"}, "End": True},
    }


def test_the_first_rule_that_holds_is_taken_with_its_own_assign_and_output(bench: Any) -> None:
    states = choice("{% $states.input = 1 %}", True, Default="D", Assign={"d": 1}, Output="default")
    assert bench(states, 1).output == ["rule 0", 0]
    assert bench(states, 2).output == ["rule 1", 1]


def test_the_states_own_assign_and_output_count_for_the_default_only(bench: Any) -> None:
    states = choice(False, Default="D", Assign={"d": 1}, Output="default")
    assert bench(states).output == {"in": "default", "d": True}


def test_no_rule_and_no_default_is_an_error_that_an_outer_parallel_can_catch(bench: Any) -> None:
    branch = {"StartAt": "C", "States": choice(False)}
    del branch["States"]["D"]
    execution = bench(
        {
            "P": {
                "Type": "Parallel",
                "Branches": [branch],
                "Catch": [{"ErrorEquals": ["States.NoChoiceMatched"], "Next": "Z"}],
                "End": True,
            },
            "Z": {"Type": "Pass", "Output": "caught", "End": True},
        }
    )
    assert execution.output == "caught"


@pytest.mark.parametrize("condition", ["{% 'yes' %}", "{% 1 %}", "{% null %}", "{% $no %}", "{% [true] %}"])
def test_a_condition_that_is_no_boolean_is_a_failed_evaluation(bench: Any, condition: str) -> None:
    execution = bench(choice(condition, Default="D"))
    assert execution.error == "States.QueryEvaluationError"
    assert execution.failure.field == "Choices[0]/Condition"


@pytest.mark.parametrize("seconds", [0, 0.0, 3, "{% $states.input.n %}"])
def test_a_wait_takes_whole_seconds(bench: Any, seconds: Any) -> None:
    execution = bench({"W": {"Type": "Wait", "Seconds": seconds, "End": True}}, {"n": 3})
    elapsed = (execution.stopped - execution.started).total_seconds()
    assert elapsed == (3 if seconds else 0)


@pytest.mark.parametrize(
    "seconds", [1.5, -1, "3", None, "{% '3' %}", "{% 1.5 %}", "{% null %}", "{% $no %}", True, 1e9]
)
def test_a_wait_refuses_other_values(bench: Any, seconds: Any) -> None:
    execution = bench({"W": {"Type": "Wait", "Seconds": seconds, "End": True}})
    assert execution.error == "States.QueryEvaluationError"
    failed = execution.events[2]
    assert (failed.type, failed.previous_event_id, failed.details["location"]) == ("EvaluationFailed", 2, "Seconds")


@pytest.mark.parametrize(
    ("timestamp", "seconds"),
    [
        ("2025-01-01T00:01:00Z", 60),
        ("2025-01-01T02:01:00+02:00", 60),
        ("2024-12-31T19:01:00.250-05:00", 60.25),
        ("2025-01-01T00:00:01.123456789Z", 1.123457),
        ("2016-03-05T21:29:29.243167252Z", 0),
    ],
)
def test_a_wait_until_a_moment(bench: Any, timestamp: str, seconds: float) -> None:
    execution = bench({"W": {"Type": "Wait", "Timestamp": "{% $states.input %}", "End": True}}, timestamp)
    assert (execution.stopped - execution.started).total_seconds() == seconds


@pytest.mark.parametrize(
    "timestamp",
    [
        "2025-01-01",
        "2025-01-01 00:00:00Z",
        "2025-01-01T00:00:00",
        "2025-01-01T25:00:00Z",
        "soon",
        5,
        None,
        "2025-01-01T00:00:00.1234567890Z",
        "2100-01-01T00:00:00Z",
    ],
)
def test_a_wait_refuses_other_moments(bench: Any, timestamp: Any) -> None:
    execution = bench({"W": {"Type": "Wait", "Timestamp": "{% $states.input %}", "End": True}}, timestamp)
    assert execution.error == "States.QueryEvaluationError"
    assert execution.failure.field == "Timestamp"


def test_the_clock_can_start_anywhere() -> None:
    clock = VirtualClock(datetime(2030, 5, 6, tzinfo=UTC))
    engine = Engine(lambda call: TaskSucceeded(None), clock=clock)
    definition = {
        "QueryLanguage": "JSONata",
        "StartAt": "W",
        "States": {"W": {"Type": "Wait", "Timestamp": "2030-05-07T00:00:00Z", "End": True}},
    }
    engine.start(definition, None)
    engine.run()
    assert clock.now() == datetime(2030, 5, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "error", "cause"),
    [
        ({}, None, None),
        ({"Error": "E"}, "E", None),
        ({"Cause": "{% 'c' & 1 %}"}, None, "c1"),
        ({"Error": "States.Timeout", "Cause": ""}, "States.Timeout", ""),
    ],
)
def test_fail(bench: Any, fields: dict[str, Any], error: str | None, cause: str | None) -> None:
    execution = bench({"F": {"Type": "Fail", **fields}})
    assert (execution.status, execution.error, execution.cause) == (Status.FAILED, error, cause)
    expected = {key: value for key, value in (("error", error), ("cause", cause)) if value is not None}
    assert execution.events[-1].details == expected


@pytest.mark.parametrize("error", ["{% 1 %}", "{% null %}", "{% $no %}"])
def test_a_fails_error_must_be_text(bench: Any, error: str) -> None:
    assert bench({"F": {"Type": "Fail", "Error": error}}).error == "States.QueryEvaluationError"


def test_succeed_puts_out_its_output(bench: Any) -> None:
    assert bench({"S": {"Type": "Succeed", "Output": "{% $states.input + 1 %}"}}, 1).output == 2
