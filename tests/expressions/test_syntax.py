"""Reading: splitting of text, Jinja2's grammar and its surprises, exact places in every YAML style, references."""

from __future__ import annotations

import pytest

from stepsmith.diagnostics import Diagnostics
from stepsmith.document import Json, MappingNode, ScalarNode
from stepsmith.expressions import Reference, Template, parse_template, references
from stepsmith.loading import load_document
from stepsmith.source import SourceFile
from tests.expressions.evaluation import ANYTHING, compiled, evaluate, value_of


def _template(text: str) -> Template | None:
    source = SourceFile("t", text)
    return parse_template(ScalarNode(text, source.span(0, len(text))), source, Diagnostics())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ input.n }}", 3),
        ("{{ input.n }}\n", 3),
        (" {{ input.n }}", " 3"),
        ("{{ input.n }}\n\n", "3\n\n"),
        ("a{{ input.n }}b{{ input.n }}", "a3b3"),
        ("a  {{- input.n -}}  b", "a3b"),
        ("{{ '{{' }} and {{ '}}' }}", "{{ and }}"),
        ("{{ '{%' }}", "{%"),
        ("${#arr[@]} {# no comment #} ${x} {{ input.n }}", "${#arr[@]} {# no comment #} ${x} 3"),
        ("100 {% of it: {{ input.n }}", "100 {% of it: 3"),
        ("a\r\n{{ input.n }}\n", "a\r\n3\n"),
        ("{{ {'a': {'b': 1}} }}", {"a": {"b": 1}}),
        ("{{ '}}' ~ input.n }}", "}}3"),
        ("{{ input.none }}", None),
        ("x{{ input.none }}", "xnull"),
        ("{{ input.list }}", [1]),
        ("{{ 1.0 }}", 1),
        ("{{ 1, 2 }}", [1, 2]),
    ],
)
def test_whole_values_keep_their_type_and_the_rest_is_text(text: str, value: Json) -> None:
    """What stands around `{{ }}` decides, and is kept to the letter."""
    assert evaluate(compiled(text).code, {"input": {"n": 3, "none": None, "list": [1]}}) == value


@pytest.mark.parametrize("text", ["", "plain", "123", "{% if x %}", "${x}", "$.a", "{ {", "}} {"])
def test_a_field_without_braces_is_a_literal(text: str) -> None:
    """No template, no diagnostic."""
    source = SourceFile("t", text)
    diagnostics = Diagnostics()
    assert parse_template(ScalarNode(text, source.span(0, len(text))), source, diagnostics) is None
    assert not len(diagnostics)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("'a' ~ 'b' | upper", "aB"),
        ("'a' + 'b' | upper", "aB"),
        ("-1 | abs", 1),
        ("not 1 in [2]", True),
        ("not 1 in [1]", False),
        ("'a' 'b'", "ab"),
        (r"'\d'", "\\d"),
        (r"'\n\x41\u00e9\t\'\"'", "\nAé\t'\""),
        (r"'\U0001F600'", "😀"),
        ("none is None", True),
        ("true is True", True),
        ("True", True),
        ("None", None),
        ("input.list.0", 7),
        ("[[1, 2], [3]][0][1]", 2),
        ("(1)", 1),
        ("[]", []),
        ("{}", {}),
        ("0x1F + 0b11 + 1_000", 1034),
        ("1e3", 1000),
        ("1.5e-3", 0.0015),
        ("+1", 1),
        ("- - 1", 1),
        ("1 if true else 2 if false else 3", 1),
        ("{'a': 1, 'a': 2}", {"a": 2}),
        ("\"it's\" ~ '\"'", "it's\""),
        ("3 is not none", True),
        ("5 is divisibleby(5)", True),
        ("'x' is in ['x']", True),
        ("'%}' ~ '{%' ~ '${'", "%}{%${"),
    ],
)
def test_grammar_is_jinjas(source: str, value: Json) -> None:
    """Surprises of the grammar included."""
    assert value_of(source, {"input": {"list": [7]}}) == value


@pytest.mark.parametrize(
    ("text", "slug", "message", "help_text", "column"),
    [
        ("{{ a", "expression-syntax", "has no }}", "{{ '{{' }}", 1),
        ("x {{ 'a }}", "expression-syntax", "quote or bracket", "close it", 3),
        ("{{ (a }}", "expression-syntax", "quote or bracket", "close it", 1),
        ("{{ }}", "expression-syntax", "empty", "write what to read", 3),
        ("{{ 1 + }}", "expression-syntax", "ends too early", "", 4),
        ("{{ 1 2 }}", "expression-syntax", "unexpected '2'", "", 6),
        ("{{ a && b }}", "expression-syntax", "unexpected '&'", "`and`", 6),
        ("{{ a || b }}", "expression-syntax", "unexpected '|'", "`or`", 7),
        ("{{ !a }}", "expression-syntax", "unexpected '!'", "`not`", 4),
        ("{{ a ? b : c }}", "expression-syntax", "unexpected '?'", "if condition else", 6),
        ("{{ a = 1 }}", "expression-syntax", "unexpected '='", "`==`", 6),
        ("{{ $x }}", "expression-syntax", "unexpected '$'", "no $", 4),
        ("{{ x | }}", "expression-syntax", "ends too early", "", 4),
        ("{{ 1. }}", "expression-syntax", "", "", None),
        ("{{ [x for x in y] }}", "expression-syntax", "unexpected 'for'", "", 7),
        ("{{ lambda x: x }}", "expression-syntax", "unexpected 'x'", "", 11),
        ("{{ f'x' }}", "expression-syntax", "", "", None),
        ("{{ x; y }}", "expression-syntax", "unexpected ';'", "one expression", 5),
        (r"{{ '\ud800' }}", "expression-syntax", "surrogate", "", 4),
        (r"{{ '\x4' }}", "expression-syntax", "is not a character", "", 4),
        ("{% if a %}{{ b }}{% endif %}", "statement-in-template", "do not exist", "if condition else", 1),
        ("{{ 9007199254740993 }}", "big-integer", "2^53", "as text", 4),
        ("{{ 1e999 }}", "big-integer", "too large", "as text", 4),
        ("{{ " + "9" * 5000 + " }}", "big-integer", "too large", "as text", 4),
        ("{{ 2 ** 3 ** 2 }}", "ambiguous-power", "differently", "", 4),
        ("{{ -2 ** 2 }}", "ambiguous-power", "differently", "", None),
        ("{{ [1, 2, 3][::2] }}", "slice-step", "steps", "batch", None),
        ("{{ 1 if true }}", "if-without-else", "else", "", 4),
        ("{{ 1 | shout }}", "unknown-filter", "no filter `shout`", "", 8),
        ("{{ 'a' | uper }}", "unknown-filter", "no filter `uper`", 'did you mean "upper"?', 10),
        ("{{ [] | groupby('a') }}", "unknown-filter", "not supported", "selectattr", 9),
        ("{{ 1 is evn }}", "unknown-test", "no test `evn`", 'did you mean "even"?', 9),
        ("{{ 1 is callable }}", "unknown-test", "not supported", "no functions", 9),
        ("{{ length([]) }}", "unknown-function", "no function `length`", "", 4),
        ("{{ 'a'.encode() }}", "unknown-function", ".encode() cannot be called", "", None),
        ("{{ [].append(1) }}", "unknown-function", ".append() cannot be called", "a + [b]", None),
        ("{{ len(*[1]) }}", "unknown-function", "`*` and `**`", "", None),
        ("{{ 'a' | replace('b') }}", "filter-argument", "needs `new`", "replace(old, new, count=none)", 10),
        ("{{ 'a' | upper(1) }}", "filter-argument", "too many", "write upper", 10),
        (
            "{{ 'a' | join(seperator=',') }}",
            "filter-argument",
            "no argument `seperator`",
            'did you mean "separator"?',
            10,
        ),
        ("{{ 'a' | trim('b', chars='c') }}", "filter-argument", "twice", "", 10),
        ("{{ 'a' | round }}", "type-mismatch", "round needs a number", "", 10),
        ("{{ 1 + 'a' }}", "type-mismatch", "cannot add an integer and one of 'a'", "~", 4),
        ("{{ 1 < 'a' }}", "type-mismatch", "cannot compare", "float", 4),
        ("{{ none < 1 }}", "type-mismatch", "needs text or a number", "", 4),
        ("{{ 'a' * 3 }}", "type-mismatch", "", "", 4),
        ("{{ '%s' % 1 }}", "type-mismatch", "text % values", "~", 4),
        ("{{ 1 in 2 }}", "type-mismatch", "`in` needs", "", 4),
        ("{{ 'a' | regex_replace('x*', '') }}", "regex-not-supported", "empty text", "+", 10),
        ("{{ 'a' | regex_search('(?=x)x') }}", "regex-not-supported", "look-around", "", 10),
        ("{{ 'a' | regex_search('(') }}", "regex-not-supported", "no regular expression", "", 10),
        ("{{ 'a' | regex_search(input.p) }}", "filter-argument", "constant", "", 10),
        ("{{ {1: 2} }}", "object-key", "text", "quote", 4),
        ("{{ 'x' | date_format('%Q') }}", "filter-argument", "%Q", "%Y", 10),
    ],
)
def test_mistakes_of_expressions(text: str, slug: str, message: str, help_text: str, column: int | None) -> None:
    """What is wrong, where, and what to write instead."""
    found = compiled(text)
    assert found.translation is None
    diagnostic = found.diagnostics[0]
    assert diagnostic.slug == slug
    assert message in diagnostic.message
    assert help_text in diagnostic.help
    if column is not None:
        assert diagnostic.span.start.column == column


YAML = """
plain: a {{ one }} b {{ two }}
single: 'it''s {{ one }}'
double: "tab\\t \\"q\\" {{ one }} \\u00e9 {{ two }}"
continued: "a \\
  b {{ one }}"
block: |
  first
    {{ one }}

  {{ two }}
folded: >-
  some words
  {{ one }} and
  {{ two }}
spread: plain text that
  goes on {{ one }}
"""


@pytest.mark.parametrize("key", ["plain", "single", "double", "continued", "block", "folded", "spread"])
def test_places_are_exact_in_every_yaml_style(key: str) -> None:
    """The span of an expression and of a reference is where its characters stand in the file."""
    source = SourceFile("t.yaml", YAML)
    document = load_document(source, Diagnostics())
    assert document is not None
    assert isinstance(document.root, MappingNode)
    node = document.root.get(key)
    assert isinstance(node, ScalarNode)
    template = parse_template(node, source, Diagnostics())
    assert template is not None
    for expression, reference in zip(template.expressions, references(template), strict=True):
        for span in (expression.span, reference.span):
            assert YAML[source.offset(span.start) : source.offset(span.end)] == expression.source.strip()
        assert span.start > node.span.start


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ a.b['c'][0].d }}", [("a", ("b", "c", 0, "d"), False)]),
        ("{{ a[b.c].d }}", [("a", (), False), ("b", ("c",), False)]),
        ("{{ a.b | default(c.d) }}", [("a", ("b",), True), ("c", ("d",), False)]),
        ("{{ a.b is defined and a.b }}", [("a", ("b",), True), ("a", ("b",), False)]),
        ("{{ a | upper ~ b }} {{ c }}", [("a", (), False), ("b", (), False), ("c", (), False)]),
        ("{{ len(a) + [b, {'k': c}] | length }}", [("a", (), False), ("b", (), False), ("c", (), False)]),
        ("{{ a.get('k') }}", [("a", ("get",), False)]),
        ("{{ (a.b | first).c | default(1) }}", [("a", ("b",), False)]),
    ],
)
def test_references(text: str, expected: list[tuple[str, tuple[str | int, ...], bool]]) -> None:
    """Every read of a name with its constant steps, in order, guarded or not."""
    template = _template(text)
    assert template is not None
    found = [(r.root, r.path, r.guarded) for r in references(template) if r.root != "len"]
    assert found == expected
    assert all(isinstance(reference, Reference) for reference in references(template))


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("{{ secrets.TOKEN }}", "TOKEN"),
        ("{{ secrets['TOKEN'] }}", "TOKEN"),
        ("Bearer {{ secrets.TOKEN }}", None),
        ("{{ secrets.TOKEN | upper }}", None),
        ("{{ secrets.a.b }}", None),
        ("{{ input.TOKEN }}", None),
    ],
)
def test_secret(text: str, secret: str | None) -> None:
    """A field that is just a secret says which."""
    template = _template(text)
    assert template is not None
    assert template.secret == secret


def test_templates_are_equal_by_what_they_say() -> None:
    """Where a template stands is not part of its value."""
    assert _template("{{ a }}") == _template("{{ a }}")
    assert _template("{{ a }}") != _template("{{ b }}")
    assert ANYTHING.names.keys() == {"input"}


def test_text_of_data_warns() -> None:
    """A list or object in text is more often a slip than meant."""
    found = compiled("ports: {{ [1, 2] }}")
    assert found.slugs == ["data-as-text"]
    assert found.translation is not None
    assert compiled("ports: {{ [1, 2] | tojson }}").slugs == []
