"""Operators, filters, tests and functions at their edges: the value is Jinja2's, for unknown and for known types.

Random expressions (`test_differential.py`) cover the middle; here stand the cases that a plain translation to JSONata
gets wrong.
"""

from __future__ import annotations

import pytest

from stepsmith.document import Json
from stepsmith.expressions import Binding, Scope
from tests.expressions.differential import declared, equal
from tests.expressions.evaluation import ANYTHING, EvaluationError, compiled, evaluate
from tests.expressions.oracle import OracleError, value_by_jinja

DATA: dict[str, Json] = {
    "text": "a.b,c",
    "other": "$1 \\ it's",
    "number": 7,
    "count": 3,
    "flag": True,
    "nothing": None,
    "texts": ["b", "A", "a"],
    "numbers": [3, 1, 2],
    "one": [5],
    "nested": [[1, 2], [], [[3]]],
    "empty": [],
    "object": {"b": 1, "a": "x", "k-y": [1]},
    "objects": [{"name": "x", "n": 2, "on": True}, {"name": "Y", "n": 1, "on": False}],
    "mixed": ["a", 1, None, [], [1], {}],
    "deep": {"a": {"b": [{"c": 1}]}},
}
TYPED = Scope({"input": Binding(declared(DATA), "$input", strict=False)})

EQUAL_TO_JINJA = [
    # references
    "input.deep.a.b[0].c", "input['object']['k-y'][0]", "input.numbers[-1]", "input.text[0]", "input.text[-1]",
    "input.texts[input.count - 3]", "input.object[input.texts[2]]", "input.numbers[5] | default('none')",
    "input.text[9] | default('none')", "input.numbers[1:]", "input.numbers[:-1]", "input.numbers[-2:]",
    "input.numbers[2:1]", "input.text[1:3]", "input.text[-3:]", "input.text[:100]", "input.numbers[::-1]",
    "input.text[::-1]", "input.nested[0:1]", "input.nested[2][0]", "input.deep.x.y | default('d')", "input.one[0:]",
    "input.numbers[0:1700000000000]",
    # truth
    "not []", "not [0]", "not {}", "not ''", "not 0", "not none", "bool([[]])", "bool({'a': 0})", "not input.empty",
    "[] or 'x'", "[0] and 'x'", "0 or [] or {} or 'last'", "1 and 2", "input.flag and input.texts", "'' and 1",
    # comparison
    "[1] in [[1]]", "[] in [[]]", "{} in input.mixed", "none in input.mixed", "[1] == [1]",
    "{'a': [1]} == {'a': [1]}", "'a' in 'abc'", "'' in 'abc'", "'a' in input.object", "'z' in input.object",
    "1 < 2 <= 2 != 3", "3 > 2 > 1", "'a' < 'b'", "'B' < 'a'", "'a' not in input.texts", "1 in input.numbers",
    "'1' in ['1']", "1 == 1.0", "[1, 2] == [2, 1]", "none == none", "'a' != none", "input.nothing == none",
    "[[1], [2]] == [[1], [2]]",
    # arithmetic
    "7 // 2", "-7 // 2", "7 // -2", "1 // 0.1", "7 % 3", "-7 % 3", "7 % -3", "-7 % -3", "5.5 % 2", "-5.5 % 2",
    "6 / 4", "2 ** 10", "2 ** -1", "1 - 2 - 3", "2 * (3 + 4)", "-(1 + 2)", "100 / 10 / 2", "1 - (2 - 3)",
    "8 / (4 / 2)", "input.number - -1", "- input.number", "+input.number", "1.5 + 1.5", "0.1 + 0.2", "10 - 2 * 3 % 4",
    "-input.number ~ ''",
    # lists and objects
    "[[1]]", "[[[]]]", "[input.one]", "[input.one, input.one]", "[input.empty]", "[input.mixed[3]]", "[[]] + [[1]]",
    "input.one + input.empty", "[input.nothing]", "[none, [none]]", "{'a': [], 'b': [1], 'c': none}",
    "{'a': {'b': input.one}}", "[{'a': 1}]", "[1, 'a', none, true, [], {}]", "{input.text: 1}",
    "[input.one if input.flag else []]", "[input.nested[0], 1]",
    # conditional
    "1 if input.flag else 2", "[] if not input.flag else [1]", "'a' if 1 > 2 else 'b' if 2 > 1 else 'c'",
    "('a' if input.flag else 'b') ~ 'c'",
    # text
    "'it\\'s' ~ \"q\\\"\"", "input.other ~ 1", "'a' + 'b'", "input.other | replace('$1', '$&')",
    "'a.a' | replace('.', '$1')", "'aaa' | replace('a', 'b', 2)", "'aaa' | replace('a', 'b', 0)",
    "'ab' | replace('ab', '')", "'x\\ny' | upper", "'  a  b  ' | trim", "'xxaxx' | trim('x')", "'a-b]c' | trim('c]')",
    "input.text | title", "'one two' | capitalize", "'ABC' | lower", "'a,b,,c' | split(',')", "' a  b ' | split",
    "'' | split", "'' | split(',')", "'abc' | list", "'' | list", "'abc' | reverse",
    "'abcdef' | truncate(5, true, '..', 0)", "'foo bar baz' | truncate(9)", "'foo bar baz' | truncate(8, leeway=0)",
    "'a b/c?&=~-_.' | urlencode", "\"!'()*\" | urlencode", "'é' | urlencode", "'a1b22' | regex_findall('[0-9]+')",
    "'a1b22' | regex_findall('([a-z])[0-9]')", "'abc' | regex_search('b.')", "'abc' | regex_search('x')",
    "'a/b' | regex_replace('/', '-')", "'a[b]' | regex_replace('[\\\\[\\\\]]', '_')",
    "'aXbX' | regex_replace('x', 'y')", "'$a' | regex_replace('a', '$0')",
    "'ab' | regex_replace('(a)(b)', '\\\\2\\\\1')", "'a b  c' | wordcount", "'abc' is match('b')",
    "'abc' is search('b')", "'abc'.startswith('')", "'abc'.endswith('')", "'abc'.startswith('abcd')",
    "'abc'.endswith('bc')", "input.text.split('.')", "'-'.join(input.texts)",
    # numbers
    "'42' | int", "' 42 ' | int", "'4.9' | int", "'-4.9' | int", "'x' | int", "'x' | int(7)", "'' | int",
    "'+5' | int", "'007' | int", "'.5' | float", "'5.' | float", "'1e3' | float", "'0x10' | int", "none | int",
    "true | int", "[] | int(1)", "3.99 | int", "-3.99 | int", "2.5 | round", "3.5 | round", "2.675 | round(2)",
    "1234 | round(-2)", "2.1 | round(0, 'ceil')", "2.15 | round(1, 'floor')", "-2.5 | abs", "[] | sum", "[1] | sum",
    "input.numbers | sum(start=10)", "input.objects | sum(attribute='n')",
    # lists
    "input.texts | sort", "input.texts | sort(reverse=true)", "input.texts | sort(case_sensitive=true)",
    "input.one | sort", "input.empty | sort", "input.numbers | sort(reverse=true)",
    "input.objects | sort(attribute='name')", "input.objects | sort(attribute='n', reverse=true)",
    "input.texts | unique | list", "input.texts | unique(true) | list", "[1, 2, 1] | unique | list",
    "[1] | unique | list", "input.empty | unique | list", "input.texts | min", "input.texts | max",
    "input.numbers | min", "input.numbers | max", "input.one | max", "input.empty | first | default('none')",
    "input.empty | max | default('none')", "input.nested | first", "input.nested | last", "input.one | first",
    "'abc' | first", "input.object | first", "input.nested | map('length') | list",
    "input.objects | map(attribute='name') | list", "input.objects | map(attribute='z', default=0) | list",
    "input.texts | map('upper') | join", "input.texts | map('replace', 'a', input.other) | list",
    "input.empty | map('upper') | list",
    "input.nested | map('first') | select('defined') | list | length if false else 0", "input.nested | select | list",
    "input.nested | reject | list", "input.mixed | select('string') | list", "input.mixed | select('none') | list",
    "input.mixed | reject('string') | list", "input.numbers | select('gt', input.count - 2) | list",
    "input.numbers | select('in', [1, 2]) | list", "input.objects | selectattr('on') | list",
    "input.objects | selectattr('name', 'equalto', 'x') | list", "input.objects | rejectattr('n', 'gt', 1) | list",
    "input.objects | selectattr('z', 'defined') | list",
    "input.objects | selectattr('z', 'undefined') | map(attribute='n') | list", "input.nested | batch(2) | list",
    "input.one | batch(2) | list", "input.empty | batch(2) | list", "input.nested | reverse | list",
    "input.nested | flatten", "input.nested | flatten(1)", "input.one | union([5, 6])",
    "input.numbers | intersect([2, 9])", "input.numbers | difference([2, 9])", "input.nested | length",
    "input.object | length", "'' | length", "input.object | list", "input.texts | join(', ')",
    "input.mixed | join('|')", "input.objects | join(', ', attribute='name')", "input.empty | join(',')",
    "input.one | list", "range(3) | list", "range(0) | list", "range(1) | list", "range(2, 5) | list",
    "range(5, 2) | list", "range(0, 10, 3) | list", "range(10, 0, -4) | list", "range(0, 0, 2) | list",
    "sorted([2, 1])", "any([[]])", "all([])", "any([])", "all([1, 'a'])", "len({'a': 1})", "min([2, 1])",
    "sum([1, 2])", "list({'a': 1})", "abs(-1)", "str(1)", "input.nested | tojson",
    # objects
    "input.object | items | list", "input.object | dictsort", "{'b': 1, 'A': 2} | dictsort(true)",
    "{'a': 2, 'b': 1} | dictsort(by='value')", "{} | items | list", "{'a': 1} | items | list",
    "{'a': [1]} | items | list", "input.object.keys()", "{'a': 1}.keys()", "{'a': [1]}.values()", "{}.values()",
    "input.object.get('k-y')", "input.object.get('z')", "input.object.get('z', [])",
    "input.object | combine({'b': 2}, {'c': 3})", "{'a': {'x': 1}} | combine({'a': {'y': 2}}, recursive=true)",
    "{} | combine({})", "input.object | dict2items", "[{'key': 'a', 'value': [1]}] | items2dict",
    "input.objects | items2dict if false else 1",
    # default and tests
    "input.nothing | default('x')", "input.nothing | default('x', true)", "input.empty | default('x', true)",
    "input.missing | default(input.text)", "input.missing | default", "input.missing.a['b'][0].c | default([])",
    "input.missing is defined", "input.nothing is defined", "input.deep.a.z.y is undefined", "input.nothing is none",
    "1.5 is number", "true is number", "'1' is number", "3 is integer", "3.5 is float", "true is integer",
    "-3 is odd", "0.5 is odd", "4 is even", "3 is even", "9 is divisibleby(3)", "1 is true", "true is true",
    "0 is false", "false is false", "'a' is iterable", "1 is iterable", "{} is sequence", "[] is mapping",
    "'ABC' is upper", "'1' is upper", "'abc' is lower", "1 is eq(1)", "2 is ge(2)", "'a' is lt('b')",
    "1 is not ne(1)", "true | ternary('a', 'b')", "[] | ternary('a', 'b')", "'yes' | bool", "'no' | bool", "1 | bool",
]  # fmt: skip


@pytest.mark.parametrize("source", EQUAL_TO_JINJA)
def test_value_is_that_of_jinja(source: str) -> None:
    """The same value, from the helper forms and from the short forms."""
    expected = value_by_jinja(source, {"input": DATA})
    for scope in (ANYTHING, TYPED):
        found = compiled("{{ " + source + " }}", scope)
        if scope is TYPED and set(found.slugs) == {"unknown-property"}:
            continue  # the declared type has no such property: that is for the author to know
        assert found.translation is not None, found.diagnostics
        result = evaluate(found.code, {"input": DATA})
        assert equal(result, expected), (found.code, result, expected)


FAILS = [
    "input.missing ~ 'a'", "[input.missing]", "{'a': input.missing}", "input.missing + 1", "input.missing == 1",
    "input.missing | length", "input.missing is none", "input.missing and 1", "not input.missing",
    "input.missing | list", "input.missing in [1]", "input.deep.x.y", "input.numbers[5]", "input.numbers[0.5]",
    "input.number / 0", "input.number // 0", "input.number % 0", "input.text + input.number", "input.mixed | sort",
    "input.mixed | sum", "input.empty | first", "input.empty | max", "input.nested | unique",
    "input.objects | map(attribute='z') | list", "input.mixed | map('upper') | map('abs')", "int('x')", "float('')",
    "'[1' | fromjson", "input.nothing.a", "input.text.a", "input.numbers.a", "input.number | length",
    "input.number in input.number", "input.number[1:]", "input.nothing < 1", "input.number < input.text",
    "input.texts | items", "input.number | list", "input.texts.get('a')", "input.number.upper()",
]  # fmt: skip


@pytest.mark.parametrize("source", FAILS)
def test_what_jinja_refuses_fails_here_too(source: str) -> None:
    """Never a silent undefined: an error at compile time, or at run time with a reason."""
    with pytest.raises(OracleError):
        value_by_jinja(source, {"input": DATA})
    for scope in (ANYTHING, TYPED):
        found = compiled("{{ " + source + " }}", scope)
        if found.translation is None:
            assert found.diagnostics
            continue
        with pytest.raises(EvaluationError):
            evaluate(found.code, {"input": DATA})


@pytest.mark.parametrize(
    "source", ["input.flag + 1", "{input.number: 1}", "input.flag < 2", "input.text * 2", "[1] * 2"]
)
def test_what_python_knows_and_we_do_not_fails(source: str) -> None:
    """Arithmetic with booleans, keys that are no text, repetition."""
    for scope in (ANYTHING, TYPED):
        found = compiled("{{ " + source + " }}", scope)
        if found.translation is not None:
            with pytest.raises(EvaluationError):
                evaluate(found.code, {"input": DATA})


def test_errors_name_the_reference() -> None:
    """A missing value says which."""
    with pytest.raises(EvaluationError, match=r"input\.deep\.x\.y is not defined"):
        evaluate(compiled("{{ input.deep.x.y ~ '' }}").code, {"input": DATA})
    with pytest.raises(EvaluationError, match=r"the first item of input\.empty is not defined"):
        evaluate(compiled("{{ input.empty | first }}").code, {"input": DATA})


def test_functions_that_change_with_time() -> None:
    """`now()` is ISO 8601 in UTC, `uuid()` a fresh identifier."""
    now = evaluate(compiled("{{ now() }}").code, {})
    assert isinstance(now, str)
    assert now.endswith("Z")
    assert evaluate(compiled("{{ uuid() | length }}").code, {}) == 36
