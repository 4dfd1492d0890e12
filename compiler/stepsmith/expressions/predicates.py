"""Tests: what may stand behind `is`, or be named in `select` and its kin."""

from __future__ import annotations

from stepsmith.expressions import jsonata as j
from stepsmith.expressions import regexes
from stepsmith.expressions.jsonata import Code
from stepsmith.expressions.table import Call, Row, Writer, needed, optional
from stepsmith.expressions.uses import let, literal_boolean, literal_text, subject_text
from stepsmith.expressions.values import Value, arithmetic, boolean, contained, equal, expect, ordered


def defined(call: Call) -> Value:
    read = call.maybe()
    if read.present:
        return Value(j.constant(True), boolean(read.code).type, total=True)
    return Value(j.call("exists", read.code), boolean(read.code).type, read.simple)


def undefined(call: Call) -> Value:
    there = defined(call)
    return Value(j.call("not", there.code), there.type, there.total)


def _is_type(value: Value, *names: str) -> Code:
    found = [j.comparison("=", j.call("type", value.code), j.constant(name)) for name in names]
    return j.chain("or", found)


def of_type(*names: str) -> Writer:
    """A test for some JSON kinds."""

    def write(call: Call) -> Value:
        return let(call, call.subject(), lambda value: boolean(_is_type(value, *names), value))

    return write


def none(call: Call) -> Value:
    value = call.subject()
    return boolean(j.comparison("=", value.code, j.constant(None)), value)


def being(constant: bool) -> Writer:
    """The tests `true` and `false`."""

    def write(call: Call) -> Value:
        value = call.subject()
        if value.only("boolean") and constant:
            return value
        return boolean(j.comparison("=", value.code, j.constant(constant)), value)

    return write


def whole(operator: str) -> Writer:
    """The tests `integer` and `float`: a number without and with a fraction."""

    def write(call: Call) -> Value:
        def test(value: Value) -> Value:
            fraction = j.comparison(operator, value.code, j.call("floor", value.code))
            if value.only("number"):
                return boolean(fraction, value)
            return boolean(j.chain("and", [_is_type(value, "number"), fraction]), value)

        return let(call, call.subject(), test)

    return write


def odd(call: Call) -> Value:
    value = call.subject()
    expect(value, "odd", "number")
    return boolean(j.comparison("=", j.helper("mod", value.code, j.constant(2)), j.constant(1)))


def even(call: Call) -> Value:
    value = call.subject()
    expect(value, "even", "number")
    return boolean(j.comparison("=", j.binary("%", value.code, j.constant(2)), j.constant(0)))


def divisible(call: Call) -> Value:
    rest = arithmetic("%", call.subject(), call.argument("number"))
    return boolean(j.comparison("=", rest.code, j.constant(0)))


def equality(*, negated: bool) -> Writer:
    def write(call: Call) -> Value:
        return equal(call.subject(), call.argument("other"), negated=negated)

    return write


def order(operator: str) -> Writer:
    def write(call: Call) -> Value:
        return ordered(operator, call.subject(), call.argument("other"))

    return write


def within(call: Call) -> Value:
    return contained(call.subject(), call.argument("container"))


def containing(call: Call) -> Value:
    return contained(call.argument("item"), call.subject())


def in_case(own: str, other: str) -> Writer:
    """The tests `upper` and `lower`."""

    def write(call: Call) -> Value:
        def test(text: Value) -> Value:
            same = j.comparison("=", text.code, j.call(own, text.code))
            differs = j.comparison("!=", text.code, j.call(other, text.code))
            return boolean(j.chain("and", [same, differs]), text)

        return let(call, subject_text(call), test)

    return write


def matching(*, start: bool) -> Writer:
    """The tests `match` (at the start of the text) and `search` (anywhere)."""

    def write(call: Call) -> Value:
        flags = {name: literal_boolean(call, name) for name in ("ignorecase", "multiline")}
        pattern = regexes.read(literal_text(call, "pattern"), **flags, start=start)
        text = subject_text(call)
        return boolean(j.call("contains", text.code, pattern.code), text)

    return write


_PATTERN = (
    needed("pattern", literal=True),
    optional("ignorecase", False, literal=True),
    optional("multiline", False, literal=True),
)
_OTHER = (needed("other"),)

ROWS = (
    Row("defined", "a value or nothing", "boolean", defined, example="input.nothing is defined", result=False,
        note="tolerates a missing value anywhere along the reference"),
    Row("undefined", "a value or nothing", "boolean", undefined, example="input.nothing is undefined", result=True,
        note="as defined"),
    Row("none", "any value", "boolean", none, aliases=("None", "null"), example="none is none", result=True,
        note="of a missing value an error"),
    Row("string", "any value", "boolean", of_type("string"), example="'a' is string", result=True),
    Row("mapping", "any value", "boolean", of_type("object"), example="{} is mapping", result=True),
    Row("boolean", "any value", "boolean", of_type("boolean"), example="true is boolean", result=True),
    Row("number", "any value", "boolean", of_type("number", "boolean"), example="1.5 is number", result=True,
        note="a boolean counts as a number"),
    Row("integer", "any value", "boolean", whole("="), example="3.0 is integer", result=True,
        note="a number without a fraction"),
    Row("float", "any value", "boolean", whole("!="), example="3.5 is float", result=True,
        note="a number with a fraction"),
    Row("iterable", "any value", "boolean", of_type("string", "array", "object"), example="[] is iterable",
        result=True),
    Row("sequence", "any value", "boolean", of_type("string", "array", "object"), example="'a' is sequence",
        result=True),
    Row("odd", "number", "boolean", odd, example="-3 is odd", result=True),
    Row("even", "number", "boolean", even, example="4 is even", result=True),
    Row("divisibleby", "number", "boolean", divisible, (needed("number"),), example="9 is divisibleby 3",
        result=True),
    Row("true", "any value", "boolean", being(True), aliases=("True",), example="true is true", result=True),
    Row("false", "any value", "boolean", being(False), aliases=("False",), example="0 is false", result=False),
    Row("eq", "any value", "boolean", equality(negated=False), _OTHER, ("==", "equalto"),
        example="1 is eq 1", result=True),
    Row("ne", "any value", "boolean", equality(negated=True), _OTHER, ("!=",), example="1 is ne 2", result=True),
    Row("lt", "number or text", "boolean", order("<"), _OTHER, ("<", "lessthan"), example="1 is lt 2", result=True),
    Row("le", "number or text", "boolean", order("<="), _OTHER, ("<=",), example="2 is le 2", result=True),
    Row("gt", "number or text", "boolean", order(">"), _OTHER, (">", "greaterthan"), example="1 is gt 2",
        result=False),
    Row("ge", "number or text", "boolean", order(">="), _OTHER, (">=",), example="2 is ge 2", result=True),
    Row("in", "any value", "boolean", within, (needed("container"),), example="2 is in [1, 2]", result=True),
    Row("contains", "list, text or object", "boolean", containing, (needed("item"),),
        example="[1, 2] is contains 2", result=True, note="not in Jinja2"),
    Row("upper", "any value", "boolean", in_case("uppercase", "lowercase"), example="'ABC' is upper", result=True),
    Row("lower", "any value", "boolean", in_case("lowercase", "uppercase"), example="'aBC' is lower", result=False),
    Row("match", "any value", "boolean", matching(start=True), _PATTERN, example="'web-1' is match('web')",
        result=True, note="not in Jinja2; a regular expression at the start"),
    Row("search", "any value", "boolean", matching(start=False), _PATTERN, example="'web-1' is search('[0-9]')",
        result=True, note="not in Jinja2; a regular expression anywhere"),
)  # fmt: skip
