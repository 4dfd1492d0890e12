"""Filters over lists. A text counts as the list of its characters, an object as the list of its keys."""

from __future__ import annotations

from collections.abc import Callable

from stepsmith.expressions import jsonata as j
from stepsmith.expressions.table import Call, Row, needed, optional
from stepsmith.expressions.types import ANY, INTEGER, TEXT, ListType, union
from stepsmith.expressions.uses import (
    by_attribute,
    each,
    every,
    keeping,
    let,
    literal_boolean,
    literal_integer,
    parameter,
    some,
    subject_items,
    wrapped,
)
from stepsmith.expressions.values import (
    Maybe,
    Refused,
    Value,
    boolean,
    expect,
    flat_items,
    inverted,
    item,
    items_of,
    required_list,
    required_number,
    truth,
)
from stepsmith.expressions.values import needed as must_be_there


def list_(call: Call) -> Value:
    return subject_items(call)


def reverse(call: Call) -> Value:
    value = call.subject()
    expect(value, "reverse", "array", "string", "object")
    if not value.may("string"):
        found = items_of(value)
        return Value(j.call("reverse", found.code), ListType(item(found)), found.total)

    def backwards_text(text: Value) -> j.Code:
        return j.call("join", j.call("reverse", j.helper("list", text.code)), j.constant(""))

    if value.only("string"):
        return Value(backwards_text(value), TEXT, value.total)

    def by_type(of: Value) -> Value:
        is_text = j.comparison("=", j.call("type", of.code), j.constant("string"))
        backwards = j.call("reverse", j.helper("list", of.code))
        return Value(j.conditional(is_text, backwards_text(of), backwards), union(TEXT, ListType(item(of))))

    return let(call, value, by_type)


def _key(call: Call, sensitive: bool) -> Callable[[Value], Value]:
    attribute = by_attribute(call)

    def key(one: Value) -> Value:
        value = attribute(one)
        if sensitive or not value.may("string"):
            return value
        return Value(j.helper("fold", value.code), value.type)

    return key


def sort(call: Call) -> Value:
    found = subject_items(call)
    backwards, sensitive = literal_boolean(call, "reverse"), literal_boolean(call, "case_sensitive")
    plain = not call.given("attribute") or call.literal("attribute") is None
    one_item = Value(found.code, item(found))
    if plain and (one_item.only("number") or (sensitive and one_item.only("string"))):
        left, right = parameter(call, item(found)), parameter(call, item(found))
        later = j.comparison("<" if backwards else ">", left[1].code, right[1].code)
        code = j.call("sort", found.code, j.function([left[0], right[0]], later))
        return Value(code, ListType(item(found)), found.total)
    name, one = parameter(call, item(found))
    key = j.function([name], _key(call, sensitive)(one).code)
    return Value(j.helper("sort", found.code, key, j.constant(backwards)), ListType(item(found)))


def unique(call: Call) -> Value:
    found = subject_items(call)
    if not call.given("attribute") and Value(found.code, item(found)).only("number"):
        return Value(j.array([j.call("distinct", found.code)]), ListType(item(found)), found.total)
    name, one = parameter(call, item(found))
    key = j.helper("key", by_attribute(call)(one).code, j.constant(literal_boolean(call, "case_sensitive")))
    return Value(j.helper("unique", found.code, j.function([name], key)), ListType(item(found)))


def map_(call: Call) -> Value:
    found = subject_items(call)
    if not call.given("attribute"):
        result = each(call, found, call.apply_filter)
        return wrapped(call.bindings(), result)
    path = call.literal("attribute")
    if not call.given("default"):
        return each(call, found, lambda one: must_be_there(call.attribute(one, path)))

    def or_default(instead: Value) -> Value:
        def write(one: Value) -> Value:
            read = call.attribute(one, path)
            there = j.call("exists", read.code)
            return Value(j.conditional(there, read.code, instead.code), union(read.type, instead.type), read.simple)

        return each(call, found, write)

    return let(call, call.argument("default"), or_default)


def select(call: Call) -> Value:
    return _select(call, lambda kept: kept)


def reject(call: Call) -> Value:
    return _select(call, inverted)


def _select(call: Call, wanted: Callable[[Value], Value]) -> Value:
    def test(one: Value) -> Value:
        read: Value | Maybe = one
        if call.name in ("selectattr", "rejectattr"):
            read = call.attribute(one, call.literal("attribute"))
        return wanted(call.apply_test(read))

    result = keeping(call, subject_items(call), test)
    return wrapped(call.bindings(), result)


def batch(call: Call) -> Value:
    size = required_number(call.argument("size"), "batch")
    found = subject_items(call)

    def chunks(count: Value) -> Value:
        def of(items: Value) -> Value:
            start_name, start = parameter(call, ANY)
            one, at = call.fresh(), call.fresh()
            low = j.binary("*", start.code, count.code)
            high = j.binary("+", low, count.code)
            index = j.variable(at)
            inside = j.chain("and", [j.comparison(">=", index, low), j.comparison("<", index, high)])
            chunk = j.filtered(items.code, j.function([one, at], inside), flat=flat_items(items))
            rounds = j.call("ceil", j.binary("/", j.call("count", items.code), count.code))
            numbers = j.counted(j.constant(0), j.binary("-", rounds, j.constant(1)))
            code = j.mapped(numbers, j.function([start_name], chunk), flat=False)
            return Value(code, ListType(ListType(item(items))))

        return let(call, found, of)

    return let(call, size, chunks)


def flatten(call: Call) -> Value:
    levels = literal_integer(call, "levels", 0)
    found = required_list(call.subject(), "flatten")
    return Value(j.helper("flat", found.code, j.constant(levels)), ListType())


def _key_function(call: Call, type_: Value) -> j.Code:
    name, one = parameter(call, item(type_))
    return j.function([name], j.helper("key", one.code, j.constant(True)))


def union_(call: Call) -> Value:
    left, right = required_list(call.subject(), "union"), required_list(call.argument("other"), "union")
    both = Value(j.call("append", left.code, right.code), ListType(union(item(left), item(right))))
    return Value(j.helper("unique", both.code, _key_function(call, both)), both.type)


def intersect(call: Call) -> Value:
    return _common(call, kept=True)


def difference(call: Call) -> Value:
    return _common(call, kept=False)


def _common(call: Call, *, kept: bool) -> Value:
    left, right = required_list(call.subject(), call.name), required_list(call.argument("other"), call.name)

    def write(other: Value) -> Value:
        def test(one: Value) -> Value:
            found = boolean(j.comparison("in", j.helper("key", one.code, j.constant(True)), other.code))
            return found if kept else inverted(found)

        chosen = keeping(call, left, test)
        return Value(j.helper("unique", chosen.code, _key_function(call, chosen)), ListType(item(left)))

    return let(call, right, write)


def any_(call: Call) -> Value:
    return boolean(some(call, subject_items(call), truth))


def all_(call: Call) -> Value:
    return boolean(every(call, subject_items(call), truth))


def range_(call: Call) -> Value:
    numbers = [call.subject(), *call.rest()]
    if len(numbers) > 3:
        raise Refused("filter-argument", "range takes at most three numbers")
    for number in numbers:
        expect(number, "range", "number")
    low, high = (Value(j.constant(0)), numbers[0]) if len(numbers) == 1 else numbers[:2]
    if len(numbers) == 3:
        return _stepped(call, low, high, numbers[2])
    code = j.counted(low.code, j.binary("-", high.code, j.constant(1)))
    return Value(code, ListType(INTEGER))


def _stepped(call: Call, low: Value, high: Value, step: Value) -> Value:
    if not step.simple or not step.code.text.lstrip("-").isdigit() or int(step.code.text) == 0:
        raise Refused("filter-argument", "range: the step must be written as a whole number other than 0")

    def write(start: Value) -> Value:
        name, at = parameter(call, INTEGER)
        distance = j.binary("-", high.code, start.code)
        rounds = j.call("ceil", j.binary("/", distance, step.code))
        body = j.binary("+", start.code, j.binary("*", at.code, step.code))
        numbers = j.counted(j.constant(0), j.binary("-", rounds, j.constant(1)))
        return Value(j.mapped(numbers, j.function([name], body), flat=True), ListType(INTEGER))

    return let(call, low, write)


SORTED = (
    optional("reverse", False, literal=True),
    optional("case_sensitive", False, literal=True),
    optional("attribute", None, literal=True),
)

ROWS = (
    Row("list", "list, text or object", "list", list_, example="'abc' | list", result=["a", "b", "c"]),
    Row("reverse", "list, text or object", "list, or text of text", reverse, example="[1, 2] | reverse", result=[2, 1]),
    Row(
        "sort", "list, text or object", "list", sort, SORTED, example="['b', 'A'] | sort", result=["A", "b"],
        note="one attribute; text by UTF-16 units",
    ),
    Row(
        "unique", "list, text or object", "list", unique,
        (optional("case_sensitive", False, literal=True), optional("attribute", None, literal=True)),
        example="['a', 'A', 'b'] | unique", result=["a", "b"], note="refuses items that are lists or objects",
    ),
    Row(
        "map", "list, text or object", "list", map_,
        (optional("attribute", None, literal=True), optional("default", None)), rest=True,
        example="[{'n': 1}, {}] | map(attribute='n', default=0)", result=[1, 0],
        note="the name of a filter with its arguments, or attribute=; default=none gives null",
    ),
    Row(
        "select", "list, text or object", "list", select, rest=True, example="[1, 2, 3] | select('odd')",
        result=[1, 3], note="the name of a test with its arguments; truth without one",
    ),
    Row(
        "reject", "list, text or object", "list", reject, rest=True, example="[0, 1, ''] | reject",
        result=[0, ""], note="as select",
    ),
    Row(
        "selectattr", "list", "list", select, (needed("attribute", literal=True),), rest=True,
        example="[{'n': 1}, {'n': 2}] | selectattr('n', 'gt', 1)", result=[{"n": 2}],
        note="a missing attribute is an error, except for the tests defined and undefined",
    ),
    Row(
        "rejectattr", "list", "list", reject, (needed("attribute", literal=True),), rest=True,
        example="[{'n': 1}, {'n': 2}] | rejectattr('n', 'gt', 1)", result=[{"n": 1}], note="as selectattr",
    ),
    Row(
        "batch", "list, text or object", "list of lists", batch, (needed("size"),),
        example="[1, 2, 3] | batch(2)", result=[[1, 2], [3]],
    ),
    Row(
        "flatten", "list", "list", flatten, (optional("levels", 0, literal=True),),
        example="[1, [2, [3]]] | flatten", result=[1, 2, 3], note="not in Jinja2; levels=0 means all",
    ),
    Row(
        "union", "list", "list", union_, (needed("other"),), example="[1, 2] | union([2, 3])",
        result=[1, 2, 3], note="not in Jinja2; refuses items that are lists or objects",
    ),
    Row(
        "intersect", "list", "list", intersect, (needed("other"),), example="[1, 2] | intersect([2, 3])",
        result=[2], note="not in Jinja2; refuses items that are lists or objects",
    ),
    Row(
        "difference", "list", "list", difference, (needed("other"),), example="[1, 2] | difference([2, 3])",
        result=[1], note="not in Jinja2; refuses items that are lists or objects",
    ),
)  # fmt: skip
