"""What is refused at creation (step-functions facts 1.1-1.3, 1.8, 1.9, 3, 11)."""

import json
from typing import Any

import pytest

from stepsmith.engine import Problem, validate


def machine(states: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states, **fields}


def passes(**fields: Any) -> dict[str, Any]:
    return {"Type": "Pass", "End": True, **fields}


def a_task(**fields: Any) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": "f"},
        "End": True,
        **fields,
    }


def graph(**states: Any) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states}


ACCEPTED: dict[str, dict[str, Any]] = {
    "one state": {"A": passes()},
    "an empty retry": {"T": a_task(Retry=[])},
    "comments everywhere": {
        "C": {
            "Type": "Choice",
            "Comment": "c",
            "Choices": [{"Condition": "{% true %}", "Next": "A", "Comment": "c"}],
            "Default": "A",
        },
        "A": passes(Comment="c"),
    },
    "expressions where they may stand": {
        "T": a_task(
            TimeoutSeconds="{% 5 %}",
            HeartbeatSeconds="{% 1 %}",
            Credentials={"RoleArn": "{% $states.input.role %}"},
            Output="{% $states.result %}",
            Assign={"x": "{% $states.result.Payload[0] %}"},
            Catch=[
                {"ErrorEquals": ["States.ALL"], "Next": "A", "Output": "{% $states.errorOutput.Cause %}"},
            ],
        ),
        "A": passes(),
    },
    "names within paths and functions": {
        "A": passes(Output="{% $map($xs, function($v) { $v.a & $ })[k = 1].(b & $).`odd name` %}"),
    },
    "states by other ways": {"A": passes(Output="{% [($states).result, $states['result']] %}")},
    "inner names that are assigned outside only later": {
        "P": {"Type": "Parallel", "Branches": [graph(B=passes(Assign={"x": 1}))], "Next": "A"},
        "A": passes(Assign={"x": 1}),
    },
    "a distributed child's names are its own": {
        "A": {"Type": "Pass", "Assign": {"x": 1}, "Next": "M"},
        "M": {
            "Type": "Map",
            "Items": [1],
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                **graph(B=passes(Assign={"x": 2})),
            },
            "End": True,
        },
    },
    "text that only looks like an expression": {"A": passes(Output=[" {% 1 + %}", "50 %"])},
    "an unknown function": {"A": passes(Output="{% $nofunction() %}")},
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(name: str) -> None:
    assert validate(machine(ACCEPTED[name])) == []


SCHEMA = "SCHEMA_VALIDATION_FAILED"
REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "no such target": ({"A": {"Type": "Pass", "Next": "B"}}, "MISSING_TRANSITION_TARGET", "/States/A/Next"),
    "no such default": (
        {"A": {"Type": "Choice", "Choices": [{"Condition": True, "Next": "Z"}], "Default": "B"}, "Z": passes()},
        "MISSING_TRANSITION_TARGET",
        "/States/A/Default",
    ),
    "no such rule target": (
        {"A": {"Type": "Choice", "Choices": [{"Condition": True, "Next": "B"}], "Default": "Z"}, "Z": passes()},
        "MISSING_TRANSITION_TARGET",
        "/States/A/Choices[0]/Next",
    ),
    "a jump out of a branch": (
        {"P": {"Type": "Parallel", "Branches": [graph(B={"Type": "Pass", "Next": "Z"})], "Next": "Z"}, "Z": passes()},
        "MISSING_TRANSITION_TARGET",
        "/States/P/Branches[0]/States/B/Next",
    ),
    "unreachable": ({"A": passes(), "B": passes()}, "MISSING_TRANSITION_TARGET", "/States/B"),
    "no end": ({"A": {"Type": "Pass", "Next": "A"}}, "MISSING_END_STATE", "/"),
    "neither next nor end": ({"A": {"Type": "Pass"}}, SCHEMA, "/States/A"),
    "both next and end": ({"A": passes(Next="B"), "B": passes()}, SCHEMA, "/States/A"),
    "a name twice": (
        {"A": {"Type": "Parallel", "Branches": [graph(B=passes()), graph(B=passes())], "End": True}},
        "DUPLICATE_STATE_NAME",
        "/States/A/Branches[1]/States/B",
    ),
    "a long name": ({"A" * 81: passes()}, SCHEMA, f"/States/{'A' * 81}"),
    "an unknown type": ({"A": {"Type": "Nap", "End": True}}, SCHEMA, "/States/A"),
    "an unknown field": ({"A": passes(Foo=1)}, SCHEMA, "/States/A"),
    "a field of JSONPath": ({"A": passes(InputPath="$")}, SCHEMA, "/States/A"),
    "a state in JSONPath": ({"A": passes(QueryLanguage="JSONPath")}, SCHEMA, "/States/A/QueryLanguage"),
    "retry on a pass": ({"A": passes(Retry=[])}, SCHEMA, "/States/A"),
    "assign on a fail": ({"A": {"Type": "Fail", "Assign": {"x": 1}}}, SCHEMA, "/States/A"),
    "no arguments": (
        {"T": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}},
        SCHEMA,
        "/States/T",
    ),
    "a number as payload": (
        {"T": a_task(Arguments={"FunctionName": "f", "Payload": 1})},
        SCHEMA,
        "/States/T/Arguments/Payload",
    ),
    "a resource that is none": ({"T": a_task(Resource="lambda")}, SCHEMA, "/States/T/Resource"),
    "a heartbeat longer than the timeout": (
        {"T": a_task(TimeoutSeconds=5, HeartbeatSeconds=5)},
        SCHEMA,
        "/States/T/HeartbeatSeconds",
    ),
    "a timeout of nothing": ({"T": a_task(TimeoutSeconds=0)}, SCHEMA, "/States/T/TimeoutSeconds"),
    "an interval of half a second": (
        {"T": a_task(Retry=[{"ErrorEquals": ["E"], "IntervalSeconds": 0.5}])},
        SCHEMA,
        "/States/T/Retry[0]/IntervalSeconds",
    ),
    "an expression in a retrier": (
        {"T": a_task(Retry=[{"ErrorEquals": ["E"], "MaxAttempts": "{% 1 %}"}])},
        SCHEMA,
        "/States/T/Retry[0]/MaxAttempts",
    ),
    "a back-off below one": (
        {"T": a_task(Retry=[{"ErrorEquals": ["E"], "BackoffRate": 0.9}])},
        SCHEMA,
        "/States/T/Retry[0]/BackoffRate",
    ),
    "no error names": ({"T": a_task(Retry=[{"ErrorEquals": []}])}, SCHEMA, "/States/T/Retry[0]/ErrorEquals"),
    "States.ALL beside another": (
        {"T": a_task(Retry=[{"ErrorEquals": ["E", "States.ALL"]}])},
        SCHEMA,
        "/States/T/Retry[0]/ErrorEquals",
    ),
    "States.ALL before another": (
        {"T": a_task(Retry=[{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["E"]}])},
        SCHEMA,
        "/States/T/Retry[0]/ErrorEquals",
    ),
    "a catcher without a target": ({"T": a_task(Catch=[{"ErrorEquals": ["E"]}])}, SCHEMA, "/States/T/Catch[0]"),
    "no branches": ({"P": {"Type": "Parallel", "Branches": [], "End": True}}, SCHEMA, "/States/P/Branches"),
    "no rules": ({"C": {"Type": "Choice", "Choices": [], "Default": "A"}, "A": passes()}, SCHEMA, "/States/C/Choices"),
    "a wait for nothing": ({"W": {"Type": "Wait", "End": True}}, SCHEMA, "/States/W"),
    "a wait for half a second": ({"W": {"Type": "Wait", "Seconds": 0.5, "End": True}}, SCHEMA, "/States/W/Seconds"),
    "half an expression": ({"A": passes(Output="{% 1")}, SCHEMA, "/States/A/Output"),
    "an expression that does not parse": (
        {"A": passes(Output={"a": ["{% 1 + %}"]})},
        "INVALID_JSONATA_EXPRESSION",
        "/States/A/Output/a[0]",
    ),
    "an operator of newer JSONata": (
        {"A": passes(Output="{% $x ?: 1 %}")},
        "INVALID_JSONATA_EXPRESSION",
        "/States/A/Output",
    ),
    "a comment in arguments": (
        {"T": a_task(Arguments={"FunctionName": "f", "Comment": "{% 1 + %}"})},
        "INVALID_JSONATA_EXPRESSION",
        "/States/T/Arguments/Comment",
    ),
    "the root": ({"A": passes(Output="{% $ %}")}, "UNSUPPORTED_JSONATA_EXPRESSION", "/States/A/Output"),
    "the root of roots": ({"A": passes(Output="{% $x[$$.a] %}")}, "UNSUPPORTED_JSONATA_EXPRESSION", "/States/A/Output"),
    "a bare name": ({"A": passes(Output="{% 'a' & name %}")}, "UNSUPPORTED_JSONATA_EXPRESSION", "/States/A/Output"),
    "a result in a pass": (
        {"A": passes(Output="{% $states.result.x %}")},
        "UNSUPPORTED_JSONATA_EXPRESSION",
        "/States/A/Output",
    ),
    "a result in arguments": (
        {"T": a_task(Arguments={"FunctionName": "{% $states.result %}"})},
        "UNSUPPORTED_JSONATA_EXPRESSION",
        "/States/T/Arguments/FunctionName",
    ),
    "an error output outside a catcher": (
        {"T": a_task(Output="{% $states.errorOutput %}")},
        "UNSUPPORTED_JSONATA_EXPRESSION",
        "/States/T/Output",
    ),
    "a result in a catcher": (
        {"T": a_task(Catch=[{"ErrorEquals": ["E"], "Next": "A", "Output": "{% $states.result %}"}]), "A": passes()},
        "UNSUPPORTED_JSONATA_EXPRESSION",
        "/States/T/Catch[0]/Output",
    ),
    "a task token in a pass": (
        {"A": passes(Output="{% $states.context.Task.Token %}")},
        "UNSUPPORTED_JSONATA_EXPRESSION",
        "/States/A/Output",
    ),
    "an outer variable": (
        {
            "A": {"Type": "Pass", "Assign": {"x": 1}, "Next": "P"},
            "P": {"Type": "Parallel", "Branches": [graph(B=passes(Assign={"x": 2}))], "End": True},
        },
        "DUPLICATE_VARIABLE_NAME",
        "/States/P/Branches[0]/States/B",
    ),
    "an outer variable, two levels up": (
        {
            "A": {"Type": "Pass", "Assign": {"x": 1}, "Next": "M"},
            "M": {
                "Type": "Map",
                "Items": [1],
                "ItemProcessor": graph(
                    P={"Type": "Parallel", "Branches": [graph(B=passes(Assign={"x": 2}))], "End": True}
                ),
                "End": True,
            },
        },
        "DUPLICATE_VARIABLE_NAME",
        "/States/M/ItemProcessor/States/P/Branches[0]/States/B",
    ),
    "a variable with an underscore in front": ({"A": passes(Assign={"_x": 1})}, SCHEMA, "/States/A/Assign"),
    "a variable called states": ({"A": passes(Assign={"states": 1})}, SCHEMA, "/States/A/Assign"),
    "a reader for an inline map": (
        {
            "M": {
                "Type": "Map",
                "ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "Arguments": {}},
                "ItemProcessor": graph(B=passes()),
                "End": True,
            }
        },
        SCHEMA,
        "/States/M",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    states, code, location = REFUSED[name]
    problems = validate(json.dumps(machine(states)))
    assert [(problem.code, problem.location) for problem in problems] == [(code, location)], problems


def test_every_problem_is_reported() -> None:
    problems = validate(machine({"A": {"Type": "Pass", "Next": "B", "Output": "{% ) %}"}, "C": {"Type": "Nap"}}))
    assert len(problems) >= 4


@pytest.mark.parametrize(
    ("definition", "problem"),
    [
        (" ", Problem(SCHEMA, "Definition must be a valid JSON object", "")),
        ("[]", Problem(SCHEMA, "Definition must be a valid JSON object", "")),
        ({}, Problem(SCHEMA, "These fields are required: [States, StartAt]", "/")),
        (
            "not a definition",
            Problem(
                "INVALID_JSON_DESCRIPTION",
                "Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or token 'null', 'true' "
                "or 'false')\n at [Source: (String)\"not a definition\"; line: 1, column: 4]",
                '[Source: (String)"not a definition"; line: 1, column: 4]',
            ),
        ),
        (
            machine({"T": a_task(Credentials={"Other": "x"})}),
            Problem(SCHEMA, "The field 'RoleArn' is required but was missing", "/States/T/Credentials"),
        ),
        (
            machine({"W": {"Type": "Wait", "Timestamp": "2016-12-05 21:29:29Z", "End": True}}),
            Problem(SCHEMA, "String does not match RFC3339 timestamp", "/States/W/Timestamp"),
        ),
        (
            machine({"T": a_task(Resource="arn:aws:states:::dynamodb:query")}),
            Problem(
                SCHEMA,
                "The resource provided arn:aws:states:::dynamodb:query is not recognized. The value is not a valid "
                "resource ARN, or the resource is not available in this region.",
                "/States/T/Resource",
            ),
        ),
    ],
)
def test_texts_that_were_recorded(definition: Any, problem: Problem) -> None:
    assert validate(definition) == [problem]


def test_a_definition_above_one_mebibyte() -> None:
    assert "larger" in validate(machine({"A": passes(Output="x" * 2**20)}))[0].message


def test_express_machines_neither_wait_nor_synchronise() -> None:
    definition = machine({"T": a_task(Resource="arn:aws:states:::sqs:sendMessage.waitForTaskToken")})
    assert validate(definition) == []
    assert [problem.location for problem in validate(definition, express=True)] == ["/States/T/Resource"]
