"""Expressions in a definition: where they begin and end, what they yield, what fails (step-functions facts 1.2-1.6)."""

from typing import Any

import pytest


def value_of(bench: Any, expression: str, value: Any = None) -> Any:
    execution = bench({"A": {"Type": "Pass", "Output": "{% " + expression + " %}", "End": True}}, value)
    assert execution.error is None, execution.cause
    return execution.output


def failure_of(bench: Any, expression: str, value: Any = None) -> str:
    execution = bench({"A": {"Type": "Pass", "Output": "{% " + expression + " %}", "End": True}}, value)
    assert execution.error == "States.QueryEvaluationError"
    assert execution.failure.state == "A"
    assert execution.failure.field == "Output"
    assert execution.failure.expression == expression
    return execution.cause


@pytest.mark.parametrize(
    "literal", [" {% 1 %}", "{% 1 %} ", "a {% 1 %}", "$states.input", "", "{%", None, 0, -3, 1e-07, [], {}, True]
)
def test_what_is_not_wholly_an_expression_is_passed_on(bench: Any, literal: Any) -> None:
    output = bench({"A": {"Type": "Pass", "Output": {"x": [literal]}, "End": True}}).output
    assert output == {"x": [literal]}
    assert type(output["x"][0]) is type(literal)


def test_expressions_are_evaluated_at_any_depth_but_never_in_keys(bench: Any) -> None:
    template = {"{% 1 %}": [{"a": ["{% $states.input.n + 1 %}"]}], "b.$": "$.n"}
    execution = bench({"A": {"Type": "Pass", "Output": template, "End": True}}, {"n": 1})
    assert execution.output == {"{% 1 %}": [{"a": [2]}], "b.$": "$.n"}


def test_data_is_bound_and_never_pasted_into_the_expression(bench: Any) -> None:
    hostile = {"q": '" & $string($states) & "', "b": "a\\", "s": "'", "u": "é\n%}"}
    assert value_of(bench, "$states.input", hostile) == hostile
    assert value_of(bench, "$merge([$states.input])", hostile) == hostile


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("[1,2,3][$ > 1]", [2, 3]),
        ("$map([{'v': 1}], function($x) { $x.v + 1 })", 2),
        ("[$map([1], function($x) { $x })]", [1]),
        ("$filter([1,2], function($x) { $x = 2 })", 2),
        ("{'a': $states.input.missing, 'b': 1}", {"b": 1}),
        ("[1, $states.input.missing, 2]", [1, 2]),
        ("null", None),
        ("$states.input.none", None),
        ("$exists($states.input.none)", True),
        ("$states.input.missing = 1 or $states.input.missing != 1", False),
        ("1/0", "Infinity"),
        ("-1/0", "-Infinity"),
        ("0/0", "NaN"),
        ("5.5 % 2", 1.5),
        ("$count(null)", 1),
        ("false in [0]", False),
        ("$replace('abc', 'b', '$0')", "a$0c"),
        ("$round(2.5)", 2),
        ("$round(3.5)", 4),
        ("$round(2.675, 2)", 2.68),
        ("$formatNumber(0.125, '0.00')", "0.12"),
        ("$string(1e20)", "100000000000000000000"),
        ("$string(1e21)", "1e+21"),
        ("$string(0.00001)", "0.00001"),
        ("$string(1e-7)", "1e-7"),
        ("$string(2/3)", "0.666666666666666"),
        ("$string({'é': 1.0})", '{"é":1}'),
        ("$lowercase('ß')", "ß"),
        ("$split('a1b', /([0-9])/)", ["a", "b"]),
        ("$trim('  a   b ')", "a b"),
        ("$decodeUrlComponent('a+b')", "a b"),
        ("$base64decode('aGk')", "hi"),
        ("$contains('\\u00a0', /\\s/)", False),
        ("$sum([])", 0),
        ("$length('a😀')", 2),
        ("($x := 9; $x)", 9),
        ("$sort([{'k':1,'n':1},{'k':1,'n':2}], function($a, $b) { $a.k > $b.k }).n", [1, 2]),
        ("$states.input.`odd-key`", 7),
        ("'it' & \"'\" & 's'", "it's"),
    ],
)
def test_value(bench: Any, expression: str, value: Any) -> None:
    assert value_of(bench, expression, {"none": None, "odd-key": 7}) == value


@pytest.mark.parametrize(
    "expression",
    [
        "$states.input.missing",
        "$nobody",
        "$not($states.input.missing)",
        "$max([])",
        "$uppercase($states.input.missing)",
        "function($x) { $x }",
        "[function($x) { $x }]",
        "null + 1",
        "1 < 'a'",
        "true < false",
        "1 % 0",
        "$sqrt(-1)",
        "$nofunction(1)",
        "$eval('1')",
        "$number('abc')",
        "$hash('a', 'sha1')",
        "$error('boom')",
        "($f := function($n) { $n + $f($n + 1) }; $f(1))",
    ],
)
def test_failure(bench: Any, expression: str) -> None:
    assert f"The JSONata expression '{expression}' specified for the field 'Output'" in failure_of(
        bench, expression, {}
    )


def test_an_endless_expression_is_given_up(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stepsmith.engine.query.corrections.operators.EVALUATION_STEPS", 10_000)
    assert "D1012" in failure_of(bench, "($f := function($n) { $f($n + 1) }; $f(1))")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("$partition([1,2,3], 2)", [[1, 2], [3]]),
        ("$partition([1], 2)", [[1]]),
        ("$exists($partition([], 2))", False),
        ("$exists($partition([1], 0))", False),
        ("$range(0, 9, 3)", [0, 3, 6, 9]),
        ("$range(1, 1, 1)", 1),
        ("$range(3, 1, -1)", [3, 2, 1]),
        ("$exists($range(2, 1, 1))", False),
        ("$hash('a', 'MD5')", "0cc175b9c0f1b6a831c399e269772661"),
        ("$exists($hash($states.input.missing, 'MD5'))", False),
        ("$parse('{\"a\": [1, null]}')", {"a": [1, None]}),
        ("$parse(\"{'a': 1}\")", {"a": 1}),
        ("$random(7) = $random(7)", True),
        ("$type($uuid())", "string"),
        ("$exists($parse($states.input.missing))", False),
    ],
)
def test_function_of_aws(bench: Any, expression: str, value: Any) -> None:
    assert value_of(bench, expression, {}) == value


@pytest.mark.parametrize(
    "expression",
    [
        "$partition([1], -1)",
        "$partition(1, 1)",
        "$range(0, 1e21, 1)",
        "$range(0, 1, 0)",
        "$range(0, 1)",
        "$parse('NaN')",
        "$parse('1e400')",
        '$parse(\'{"a":1,"a":2}\')',
        "$parse(null)",
        "$random(1.5)",
    ],
)
def test_function_of_aws_refuses(bench: Any, expression: str) -> None:
    assert "threw an error" in failure_of(bench, expression)


def test_time_is_the_clocks_and_the_same_throughout_one_evaluation(bench: Any) -> None:
    assert value_of(bench, "[$now(), $fromMillis($millis())]") == ["2025-01-01T00:00:00.000Z"] * 2


def test_large_integers_lose_digits_in_expressions_and_keep_them_in_literals(bench: Any) -> None:
    large = 2**53 + 1
    states = {
        "A": {"Type": "Pass", "Output": {"l": large, "e": "{% $states.input %}"}, "End": True},
    }
    assert bench(states, {"n": large}).output == {"l": large, "e": {"n": 2**53}}
    assert bench({"A": {"Type": "Pass", "End": True}}, {"n": large}).output == {"n": large}


@pytest.mark.parametrize(
    ("field", "template"),
    [("Output/a[1]/b", {"a": [0, {"b": "{% $no %}"}]}), ("Output", "{% $no %}"), ("Output[0]", ["{% $no %}"])],
)
def test_a_failure_names_its_place(bench: Any, field: str, template: Any) -> None:
    execution = bench({"A": {"Type": "Pass", "Output": template, "End": True}})
    assert (execution.failure.field, execution.failure.expression) == (field, "$no")
    assert execution.events[2].details["location"] == field
    assert execution.failure.message.endswith("returned nothing (undefined).")


def test_trace_tells_each_value_and_each_error(bench: Any) -> None:
    bench({"A": {"Type": "Pass", "Output": ["{% 1 + 1 %}", "{% $no %}"], "End": True}})
    told = [(one.state, one.field, one.expression, one.value, one.error) for one in bench.traced]
    assert told == [
        ("A", "Output[0]", "1 + 1", 2, None),
        ("A", "Output[1]", "$no", None, "returned nothing (undefined)."),
    ]


def test_the_context_object(bench: Any) -> None:
    states = {
        "A": {"Type": "Wait", "Seconds": 90, "Next": "B"},
        "B": {"Type": "Pass", "Output": "{% $states.context %}", "End": True},
    }
    assert bench(states, {"n": 1}).output == {
        "Execution": {
            "Id": "arn:aws:states:us-east-1:123456789012:execution:StateMachine:run",
            "Input": {"n": 1},
            "Name": "run",
            "RoleArn": "arn:aws:iam::123456789012:role/StepFunctions",
            "StartTime": "2025-01-01T00:00:00Z",
            "RedriveCount": 0,
        },
        "StateMachine": {
            "Id": "arn:aws:states:us-east-1:123456789012:stateMachine:StateMachine",
            "Name": "StateMachine",
        },
        "State": {"Name": "B", "EnteredTime": "2025-01-01T00:01:30Z"},
    }


def test_expressions_share_no_variables_of_their_own(bench: Any) -> None:
    execution = bench({"A": {"Type": "Pass", "Output": ["{% $x := 1 %}", "{% $exists($x) %}"], "End": True}})
    assert execution.output == [1, False]
