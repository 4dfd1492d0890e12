"""The writer of JSONata: quoting, brackets, literal fields."""

from __future__ import annotations

import math

import pytest

from stepsmith.document import Json
from stepsmith.expressions import RESERVED_PREFIX
from stepsmith.expressions import jsonata as j
from stepsmith.expressions.helpers import DEPTH, NEEDS, SOURCES, definitions
from tests.expressions.evaluation import evaluate


@pytest.mark.parametrize(
    "value",
    [
        "", "plain", "it's", 'say "x"', "it's \"both\"", "back\\slash", "a\nb\r\tc", "\x00\x1f\x7f", "é 😀 \u2028",
        "%}", "{%", "{% x %}", "${a}", "$${b}", "$1", "{{ x }}", "%%}", "{%}", "${%}", "\\u0041",
    ],
)  # fmt: skip
def test_a_quoted_text_is_itself(value: str) -> None:
    """And holds no mark that anything else would read."""
    code = j.quote(value)
    assert evaluate(code, {}) == value
    assert "%}" not in code
    assert "{%" not in code
    assert "${" not in code


@pytest.mark.parametrize(
    "value",
    [
        None, True, 0, 1, -5, 1.5, -0.25, 1e-7, 1e300, 2**53, [], [1], [[1]], [[]], [[[1]], []], {}, {"a": []},
        {"it's": {"b": [None, {"c": [[]]}]}}, [[1], 2, "x", None], {"": 1, "a b": 2, "`": 3},
    ],
)  # fmt: skip
def test_literal_code_is_the_value(value: Json) -> None:
    """Nested arrays are neither spliced nor collapsed."""
    assert evaluate(j.literal_code(value), {}) == value


def test_numbers_that_json_does_not_have() -> None:
    """They cannot be written."""
    with pytest.raises(ValueError, match="no JSON number"):
        j.literal_code(math.inf)


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ("plain", "plain"),
        ("{% half open", "{% half open"),
        (" {% x %}", " {% x %}"),
        ("{% x %}", "{% '{\\u0025 x %\\u007d' %}"),
        ("a ${b}", "{% 'a $\\u007bb}' %}"),
        (5, 5),
        (1.5, 1.5),
        (-1, "{% -1 %}"),
        (1e-7, "{% 1e-07 %}"),
        (True, True),
        (None, None),
        ({"a": ["{%%}", -1]}, {"a": ["{% '{\\u0025%\\u007d' %}", "{% -1 %}"]}),
        ({"${k}": 1}, "{% {'$\\u007bk}': 1} %}"),
        ({"a": "$.b", "c.$": "x"}, {"a": "$.b", "c.$": "x"}),
    ],
)
def test_literal_field(value: Json, field: Json) -> None:
    """Only what would be read as more than data becomes an expression."""
    assert j.literal(value) == field


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (j.path("$a", "b", "c d", "and", "`", ""), "$a.b.`c d`.`and`.'`'.''"),
        (j.path("$f(1)", "b"), "($f(1)).b"),
        (j.binary("*", j.binary("+", j.variable("a"), j.variable("b")), j.variable("c")).text, "($a + $b) * $c"),
        (j.binary("-", j.variable("a"), j.binary("-", j.variable("b"), j.variable("c"))).text, "$a - ($b - $c)"),
        (j.negate(j.binary("+", j.variable("a"), j.constant(1))).text, "-($a + 1)"),
        (j.negate(j.constant(-1)).text, "-(-1)"),
        (j.index(j.index(j.variable("a"), j.constant(0)), j.constant(1)).text, "($a[0])[1]"),
        (
            j.comparison("=", j.comparison("=", j.variable("a"), j.constant(1)), j.constant(True)).text,
            "($a = 1) = true",
        ),
        (j.block([("x", j.constant(1))], j.variable("x")).text, "($x := 1; $x)"),
        (j.field("$a"), "{% $a %}"),
    ],
)
def test_brackets_stand_where_they_must(code: str, text: str) -> None:
    """By the binding powers of JSONata."""
    assert code == text


def test_helpers_obey_the_rules_for_variables() -> None:
    """No leading underscore, every definition after what it uses."""
    assert not RESERVED_PREFIX.startswith("_")
    for name in SOURCES:
        lines = definitions([name])
        assert len(lines) == len(NEEDS[name])
        assert lines[-1].startswith(f"${RESERVED_PREFIX}{name} := function(")
        assert DEPTH[name] < j.DEEPEST / 2
        assert "\n" not in lines[-1]
        assert "$eval" not in lines[-1]
