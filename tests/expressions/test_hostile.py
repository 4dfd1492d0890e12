"""Whatever stands in a field, the answer is code or diagnostics, in bounded time; depth stays within the service's."""

from __future__ import annotations

from random import Random

import pytest

from stepsmith.document import Json
from stepsmith.expressions import Binding, Scope
from stepsmith.expressions.types import TEXT, ListType
from tests.expressions.evaluation import compiled, condition, evaluate

LONG = 10_000
HOSTILE = {
    "parentheses": "{{ " + "(" * LONG + "1" + ")" * LONG + " }}",
    "open parentheses": "{{ " + "(" * LONG + " }}",
    "brackets": "{{ " + "[" * 500 + "]" * 500 + " }}",
    "nots": "{{ " + "not " * LONG + "1 }}",
    "minuses": "{{ " + "-" * LONG + "1 }}",
    "sum": "{{ " + "+".join("1" for _ in range(LONG)) + " }}",
    "filters": "{{ 1" + " | abs" * 1500 + " }}",
    "path": "{{ input" + ".a" * LONG + " }}",
    "indexes": "{{ input" + "[0]" * 1000 + " }}",
    "ifs": "{{ " + "1 if 1 else " * 1200 + "1 }}",
    "powers": "{{ " + "2**" * 900 + "2 }}",
    "and": "{{ " + " and ".join(f"input.a{i}" for i in range(1200)) + " }}",
    "many expressions": "{{ input.a }}" * 3000,
    "many open": "{{" * LONG,
    "many quotes": "{{ '" * 3000,
    "braces": "{{ " + "{" * 3000 + " }}",
    "nul": "{{ '\x00' ~ input.a }}\x00",
    "surrogate": "{{ '\ud83d' }} \udc00 {{ input.a }}",
    "long text": "{{ '" + "x" * 100_000 + "' }}",
    "regex": "{{ 'a' | regex_search('" + "(" * 300 + "a" + ")" * 300 + "') }}",
    "regex repeat": "{{ 'a' | regex_search('a{99999999999}') }}",
    "number": "{{ " + "1" * 100_000 + " }}",
    "unicode names": "{{ ﬀ.ａ + 𝒳 }}",
    "calls": "{{ " + "len(" * 39 + "'a'" + ")" * 39 + " }}",
    "powers of two": "{{ 10 ** 400 }}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_answered_in_bounded_time(name: str) -> None:
    """No exception, no hang; a refusal says something."""
    for found in (compiled(HOSTILE[name]), condition(HOSTILE[name], legacy=True)):
        assert found.translation is not None or found.diagnostics


def test_random_text_is_answered() -> None:
    """Fragments of the grammar thrown together, two thousand times."""
    random = Random(4)
    words = "{{ }} {% %} ( ) [ ] { } 'a' \" ' input .a | upper is not in and or if else + - * / // % ** ~ , : == 1 1.5"
    words += " \\ \n é \x00 default(1) range(3) [::2] map('upper') {{- -}} select('odd') #"
    pieces = words.split(" ")
    for _ in range(2000):
        text = " ".join(random.choice(pieces) for _ in range(random.randint(1, 12)))
        for found in (compiled("{{ " + text + " }}"), compiled(text), condition(text, legacy=random.random() < 0.5)):
            if found.translation is None:
                assert found.diagnostics or "{{" not in text
            for diagnostic in found.diagnostics:
                assert diagnostic.message
                assert diagnostic.slug.replace("-", "").isalpha()


@pytest.mark.parametrize(
    ("source", "value"),
    [
        (" or ".join("input.a == 'y'" for _ in range(150)), False),
        (" or ".join("input.no" for _ in range(25)), False),
        (" ~ ".join("input.a" for _ in range(300)), "x" * 300),
        ("+".join("1" for _ in range(60)), 60),
        ("1" + " | abs" * 60, 1),
        ("".join(f"{i} if input.n == {i} else " for i in range(40)) + "'none'", 7),
        ("[" * 20 + "1" + "]" * 20, None),
    ],
)
def test_long_expressions_stay_within_the_depth_of_the_service(source: str, value: Json) -> None:
    """Chains are balanced, and what a person may write compiles and runs."""
    data: Json = {"a": "x", "yes": True, "no": False, "n": 7}
    found = compiled("{{ " + source + " }}")
    result = evaluate(found.code, {"input": data})
    if value is not None:
        assert result == value


def test_long_conditions_stay_within_the_depth_of_the_service() -> None:
    """The operands' truths are all that counts, so they are grouped."""
    data: Json = {"yes": True, "no": False}
    assert evaluate(condition(" and ".join(["input.yes"] * 150)).code, {"input": data}) is True
    assert evaluate(condition(" or ".join(["input.no"] * 150)).code, {"input": data}) is False


@pytest.mark.parametrize("source", ["+".join("input.n" for _ in range(105)), "1" + " | abs" * 100])
def test_what_the_service_would_stop_is_refused(source: str) -> None:
    """Depth is counted before a run."""
    assert compiled("{{ " + source + " }}").slugs == ["expression-too-deep"]


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("input.xs | map('upper') | list", 250),
        ("input.xs | sort | unique | list | length", 250),
        ("input.xs | batch(7) | list", 250),
        ("input.os | items | list", 250),
        ("input.os | dict2items", 250),
        ("input.xs | select('in', ['x1', 'x2']) | list", 250),
    ],
)
def test_work_per_item_does_not_nest(source: str, count: int) -> None:
    """The depth of an evaluation does not grow with the data."""
    data: Json = {"xs": [f"x{i}" for i in range(count)], "os": {f"k{i}": [i] for i in range(count)}}
    evaluate(compiled("{{ " + source + " }}").code, {"input": data})


@pytest.mark.parametrize(
    "text", ["'); $eval('1", "\\", "'", '"', "%}", "{% 1 %}", "${AWS::Region}", "`", "$$", "\u2028", "/*"]
)
def test_texts_and_names_cannot_leave_their_quotes(text: str) -> None:
    """Literals, keys and data with marks in them stay what they are, and never appear as marks in the code."""
    quoted = "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    scope = Scope({"input": Binding(code="$input"), "texts": Binding(ListType(TEXT), "$texts")})
    found = compiled("{{ [" + quoted + ", input[" + quoted + "], {" + quoted + ": 1}] }}", scope)
    assert "%}" not in found.code
    assert "${" not in found.code
    assert evaluate(found.code, {"input": {text: 2}, "texts": []}) == [text, 2, {text: 1}]
    found = compiled("{{ input.a ~ " + quoted + " }}", scope)
    assert evaluate(found.code, {"input": {"a": text}}) == text + text
