"""Conditions: always boolean, with or without braces; spellings of other dialects rewritten, never by pasting data."""

from __future__ import annotations

import pytest

from stepsmith.diagnostics import Diagnostics
from stepsmith.document import Json, ScalarNode
from stepsmith.expressions import Binding, Scope, parse_condition, parse_template, references
from stepsmith.expressions.types import INTEGER, TEXT, ObjectType, Property
from stepsmith.source import SourceFile
from tests.expressions.evaluation import compiled, condition, evaluate

ALERT = ObjectType({"severity": Property(TEXT), "count": Property(INTEGER), "score": Property(TEXT)}, closed=True)
SCOPE = Scope({"alert": Binding(ALERT, "$alert"), "input": Binding(code="$input", noun="input property")})
DATA: dict[str, Json] = {
    "alert": {"severity": "critical", "count": 15, "score": "15"},
    "input": {"value": 11, "flag": True, "text": "x or true", "empty": None, "list": [0]},
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (True, True),
        (False, False),
        ("{{ input.value }}", True),
        ("  {{ input.value > 10 }}\n", True),
        ("input.value > 10", True),
        ("input.list", True),
        ("input.empty", False),
        ("not input.flag", False),
        ("input.missing is defined", False),
        ("alert.count and alert.severity", True),
        ("1 if input.flag else 0", True),
        ('alert.severity.startswith("crit")', True),
        ("len(input.list) == 1 and input.empty is None", True),
        ('input["value"] in [11, 12]', True),
        ("0 < input.value < 20", True),
        ("true", True),
        ("'{{' == 'x'", None),
    ],
)
def test_conditions_of_the_language(text: str | bool, value: bool | None) -> None:
    """The truth of the expression, as a boolean."""
    found = condition(text, SCOPE)
    if value is None:
        assert found.translation is None
        return
    assert found.slugs == []
    assert evaluate(found.code, DATA) is value


@pytest.mark.parametrize(
    ("text", "value", "slugs"),
    [
        ("{{ input.value }} > 10", True, ["condition-spelling"]),
        ("'{{ input.value }}' == '11'", True, ["condition-spelling"]),
        ("'a-{{ input.value }}-b' == 'a-11-b'", True, ["condition-spelling"]),
        ("'{{ input.text }}' == 'x or true'", True, ["condition-spelling"]),
        ("{{ input.text }} == 'x'", False, ["condition-spelling"]),
        ("input.flag && input.value === 11", True, ["condition-spelling"]),
        ("!input.flag || input.value !== 11", False, ["condition-spelling"]),
        ("input.empty == null", True, ["condition-spelling"]),
        ("input.empty == nil && true", True, ["condition-spelling"]),
        ("input.text == 'a && b' or input.flag", True, []),
        ("alert.severity == critical", True, ["bare-word"]),
        ("critical == alert.severity", True, ["bare-word"]),
        ("alert.severity != low", True, ["bare-word"]),
        ("alert.severity in [high, critical]", True, ["bare-word"]),
        ("alert.severity not in [high, 'low']", True, ["bare-word"]),
        ("alert.score > 10", True, ["text-as-number"]),
        ("input.list | select('eq', 0) | list | length == 1", True, []),
        ("input.list | sort(reverse=true) | first == 0", True, []),
    ],
)
def test_spellings_of_other_dialects(text: str, value: bool, slugs: list[str]) -> None:
    """Each is a warning that shows ours, and means what its author expects."""
    found = condition(text, SCOPE, legacy=True)
    assert found.slugs == slugs
    assert evaluate(found.code, DATA) is value


@pytest.mark.parametrize(
    ("text", "slug", "help_text", "legacy"),
    [
        ("{{ input.value }} > 10", "condition-spelling", "write {{ (input.value) > 10 }}", False),
        ("input.flag && true", "condition-spelling", "write {{ input.flag  and  true }}", False),
        ("input.value = 1", "condition-spelling", "write `==`", True),
        ("input.value <> 1", "condition-spelling", "write `!=`", True),
        ("alert.severity == critical", "unknown-name", "'critical'", False),
        ("alert.severity == high-risk", "bare-word", "'high-risk'", True),
        ("alert.severity == critical or high", "unknown-name", "'high'", True),
        ("critical == high", "unknown-name", "quote it", True),
        ("alert.score > 10", "type-mismatch", "| float", False),
        ("lambda: 1", "expression-syntax", "", True),
        ("[x for x in input.list]", "expression-syntax", "", True),
        ("import os; os.system('x')", "expression-syntax", "", True),
        ("__import__('os')", "unknown-function", "", True),
        ("", "expression-syntax", "write what to read", False),
        ("{{ input.value", "expression-syntax", "{{ '{{' }}", True),
    ],
)
def test_refused_conditions(text: str, slug: str, help_text: str, legacy: bool) -> None:
    """Our own language takes only its own spelling; what is ambiguous is refused everywhere."""
    found = condition(text, SCOPE, legacy=legacy)
    assert found.translation is None
    assert slug in found.slugs
    assert any(help_text in each.help for each in found.diagnostics)


@pytest.mark.parametrize("text", ["x or true", "' or true or '", "}} or true", "{{ input.flag }}"])
def test_data_is_never_source(text: str) -> None:
    """A text that looks like code stays a text, whichever way the condition embeds it."""
    data: dict[str, Json] = {"input": {"text": text}}
    for written in ("'{{ input.text }}' == 'y'", "{{ input.text }} == 'y'", '"{{ input.text }}-" == "y-"'):
        assert evaluate(condition(written, SCOPE, legacy=True).code, data) is False


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{{ steps.check-api.output.code-name }}", "$api.`code-name`"),
        ("{{ steps.check-api-2.output }}", "$second"),
        ("{{ my-node.output.x | default(1) }}", "$exists($node.x) ? $node.x : 1"),
        ("{{ 3 - 2 }}", "3 - 2"),
        ("{{ 3-2 }}", "3 - 2"),
        ("{{ steps.check-api.output.n - 1 }}", "$api.n - 1"),
    ],
)
def test_names_with_hyphens_in_other_dialects(text: str, code: str) -> None:
    """They need no brackets there; what is written with spaces, or with numbers alone, is still a subtraction."""
    output = ObjectType({"code-name": Property(TEXT), "n": Property(INTEGER), "x": Property(INTEGER, required=False)})
    scope = Scope(
        {
            "steps": Binding(
                members={
                    "check-api": Binding(members={"output": Binding(output, "$api")}),
                    "check-api-2": Binding(members={"output": Binding(output, "$second")}),
                },
                noun="step",
            ),
            "my-node": Binding(members={"output": Binding(output, "$node")}),
        }
    )
    assert compiled(text, scope, legacy=True).code == code


def test_the_references_of_names_with_hyphens() -> None:
    """Dependencies between steps are found by them."""
    source = SourceFile("t", "{{ steps.check-api.output }}")
    node = ScalarNode(source.text, source.span(0, len(source.text)))
    template = parse_template(node, source, Diagnostics(), legacy=True)
    assert template is not None
    assert [(each.root, each.path) for each in references(template)] == [("steps", ("check-api", "output"))]
    assert condition("alert.severity == high-risk", SCOPE).slugs == ["hyphen-in-name"]


def test_a_number_is_no_condition() -> None:
    """Neither is null."""
    source = SourceFile("t", "1")
    for value in (1, None, 1.5):
        diagnostics = Diagnostics()
        assert parse_condition(ScalarNode(value, source.span(0, 1)), source, diagnostics) is None
        assert [each.slug for each in diagnostics] == ["condition-type"]
