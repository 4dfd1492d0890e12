"""The engine's public interface in its simplest use: one machine of each type of state, to its end."""

from stepsmith.engine import Engine, Execution, Json, Status, TaskCall, TaskFailed, TaskOutcome, TaskSucceeded


def run(definition: dict[str, Json], value: Json = None, tasks: object = None) -> Execution:
    engine = Engine(tasks or (lambda call: TaskSucceeded(call.arguments)))
    execution = engine.start({"QueryLanguage": "JSONata", **definition}, value)
    engine.run()
    return execution


def test_pass_reads_input_and_assigns() -> None:
    execution = run(
        {
            "StartAt": "A",
            "States": {
                "A": {"Type": "Pass", "Assign": {"x": "{% $states.input.n + 1 %}"}, "Next": "B"},
                "B": {"Type": "Pass", "Output": {"x": "{% $x %}"}, "End": True},
            },
        },
        {"n": 1},
    )
    assert (execution.status, execution.output) == (Status.SUCCEEDED, {"x": 2})


def test_wait_takes_virtual_time_only() -> None:
    execution = run({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 86_400, "End": True}}}, {})
    assert execution.stopped is not None
    assert (execution.stopped - execution.started).total_seconds() == 86_400


def test_task_is_retried_with_growing_delays_and_then_caught() -> None:
    calls: list[tuple[int, float]] = []
    engine: Engine

    def fails(call: TaskCall) -> TaskOutcome:
        calls.append((call.attempt, (engine.clock.now() - call.execution.started).total_seconds()))
        return TaskFailed("Boom", "why")

    engine = Engine(fails)
    execution = engine.start(
        {
            "QueryLanguage": "JSONata",
            "StartAt": "T",
            "States": {
                "T": {
                    "Type": "Task",
                    "Resource": "arn:aws:states:::lambda:invoke",
                    "Arguments": {},
                    "Retry": [{"ErrorEquals": ["Boom"], "IntervalSeconds": 5, "MaxAttempts": 2}],
                    "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}],
                    "End": True,
                },
                "Caught": {"Type": "Pass", "End": True},
            },
        },
        {},
    )
    engine.run()
    assert calls == [(0, 0), (1, 5), (2, 15)]
    assert execution.output == {"Error": "Boom", "Cause": "why"}


def test_choice_takes_the_first_rule_that_holds() -> None:
    definition: dict[str, Json] = {
        "StartAt": "C",
        "States": {
            "C": {
                "Type": "Choice",
                "Choices": [
                    {"Condition": "{% $states.input > 10 %}", "Next": "Big"},
                    {"Condition": "{% $states.input > 5 %}", "Next": "Middle"},
                ],
                "Default": "Small",
            },
            **{name: {"Type": "Pass", "Output": name, "End": True} for name in ("Big", "Middle", "Small")},
        },
    }
    assert [run(definition, value).output for value in (11, 7, 1)] == ["Big", "Middle", "Small"]


def test_fail_ends_with_its_error_and_cause() -> None:
    execution = run({"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E", "Cause": "{% 'c' & 1 %}"}}})
    assert (execution.status, execution.error, execution.cause) == (Status.FAILED, "E", "c1")
