"""Functions (`len(x)`) and methods (`x.get('k')`) that may be called in an expression."""

from __future__ import annotations

from stepsmith.expressions import filters_data, filters_list, filters_text
from stepsmith.expressions import jsonata as j
from stepsmith.expressions.table import Call, Row, needed, optional
from stepsmith.expressions.types import ANY, TEXT, Type, find_property, union
from stepsmith.expressions.uses import known_text, let
from stepsmith.expressions.values import Value, boolean, required_object, required_text, truth


def now(_call: Call) -> Value:
    return Value(j.call("now"), TEXT, total=True)


def uuid(_call: Call) -> Value:
    return Value(j.call("uuid"), TEXT)


def truth_of(call: Call) -> Value:
    return truth(call.subject())


def get(call: Call) -> Value:
    source, key = required_object(call.subject(), "get"), call.argument("key")
    name = known_text(key)
    if name is not None and not source.code.helpers:
        read = j.steps(source.code, [name])
    else:
        read = j.call("lookup", source.code, required_text(key, "get").code)
    instead = call.argument("default")
    local = call.fresh()
    found = j.variable(local)
    chosen = j.conditional(j.call("exists", found), found, instead.code)
    return Value(j.block([(local, read)], chosen), union(_property_type(source, name), instead.type))


def _property_type(source: Value, name: str | None) -> Type:
    found = find_property(source.type, name) if name is not None else None
    return found.type if found else ANY


def upper(call: Call) -> Value:
    return Value(j.call("uppercase", required_text(call.subject(), "upper").code), TEXT)


def lower(call: Call) -> Value:
    return Value(j.call("lowercase", required_text(call.subject(), "lower").code), TEXT)


def strip(call: Call) -> Value:
    required_text(call.subject(), "strip")
    return filters_text.trim(call)


def replace(call: Call) -> Value:
    required_text(call.subject(), "replace")
    return filters_text.replace(call)


def starts(call: Call) -> Value:
    text = required_text(call.subject(), "startswith")
    return _affix(call, text, required_text(call.argument("prefix"), "startswith"), at_start=True)


def ends(call: Call) -> Value:
    text = required_text(call.subject(), "endswith")
    return _affix(call, text, required_text(call.argument("suffix"), "endswith"), at_start=False)


def _affix(call: Call, text: Value, affix: Value, *, at_start: bool) -> Value:
    def write(part: Value) -> Value:
        known = known_text(part)
        length = j.call("length", part.code) if known is None else j.constant(len(known))
        if at_start:
            piece = j.call("substring", text.code, j.constant(0), length)
            return boolean(j.comparison("=", piece, part.code), text, affix)
        piece = j.call("substring", text.code, j.negate(length))
        same = j.comparison("=", piece, part.code)
        empty = j.comparison("=", part.code, j.constant(""))
        return boolean(j.chain("or", [empty, same]), text, affix)

    return let(call, affix, write)


FUNCTIONS = (
    Row("range", "whole numbers", "list of integers", filters_list.range_, rest=True, example="range(1, 4)",
        result=[1, 2, 3], note="with a third number, the step, which must be a literal"),
    Row("now", "", "text", now, note="ISO 8601 in UTC with milliseconds; the same throughout one expression"),
    Row("uuid", "", "text", uuid, note="a new version 4 UUID"),
    Row("len", "list, text or object", "integer", filters_data.length, example="len('abc')", result=3),
    Row("str", "any value", "text", filters_text.string, example="str(1.0)", result="1"),
    Row("abs", "number", "number", filters_data.abs_, example="abs(-2)", result=2),
    Row("round", "number", "number", filters_data.round_,
        (optional("precision", 0, literal=True), optional("method", "common", literal=True)),
        example="round(2.5)", result=2),
    Row("sum", "list", "number", filters_data.sum_,
        (optional("attribute", None, literal=True), optional("start", 0)), example="sum([1, 2])", result=3),
    Row("min", "list, text or object", "any value", filters_data.min_, filters_data.COMPARED,
        example="min([2, 1])", result=1),
    Row("max", "list, text or object", "any value", filters_data.max_, filters_data.COMPARED,
        example="max([2, 1])", result=2),
    Row("list", "list, text or object", "list", filters_list.list_, example="list('ab')", result=["a", "b"]),
    Row("sorted", "list, text or object", "list", filters_list.sort, filters_list.SORTED,
        example="sorted([2, 1])", result=[1, 2], note="ignores case, as the filter `sort` does"),
    Row("int", "number, text or boolean", "integer", filters_data.strict_int, example="int('42')", result=42,
        note="what is no number fails"),
    Row("float", "number, text or boolean", "number", filters_data.strict_float, example="float('1.5')",
        result=1.5, note="what is no number fails"),
    Row("bool", "any value", "boolean", truth_of, example="bool('')", result=False, note="the truth of the value"),
    Row("any", "list, text or object", "boolean", filters_list.any_, example="any([0, 1])", result=True),
    Row("all", "list, text or object", "boolean", filters_list.all_, example="all([0, 1])", result=False),
)  # fmt: skip

METHODS = (
    Row("get", "object", "any value", get, (needed("key"), optional("default", None)),
        example="{'a': 1}.get('b', 0)", result=0),
    Row("keys", "object", "list of text", filters_data.keys, example="{'a': 1}.keys()", result=["a"]),
    Row("values", "object", "list", filters_data.values, example="{'a': 1}.values()", result=[1]),
    Row("items", "object", "list of pairs", filters_data.items, example="{'a': 1}.items()", result=[["a", 1]]),
    Row("upper", "text", "text", upper, example="'a'.upper()", result="A"),
    Row("lower", "text", "text", lower, example="'A'.lower()", result="a"),
    Row("strip", "text", "text", strip, (optional("chars", None, literal=True),), example="' a '.strip()",
        result="a"),
    Row("split", "text", "list of text", filters_text.split, (optional("separator", None),),
        example="'a b'.split()", result=["a", "b"]),
    Row("replace", "text", "text", replace,
        (needed("old"), needed("new"), optional("count", None, literal=True)),
        example="'aa'.replace('a', 'b', 1)", result="ba"),
    Row("startswith", "text", "boolean", starts, (needed("prefix"),), example="'abc'.startswith('ab')",
        result=True),
    Row("endswith", "text", "boolean", ends, (needed("suffix"),), example="'abc'.endswith('ab')", result=False),
    Row("join", "text", "text", filters_text.joined_by, (needed("items"),), example="'-'.join(['a', 'b'])",
        result="a-b"),
)  # fmt: skip
