"""Ways of writing that many rows of the tables share: binding an operand once, a function for each item of a list."""

from __future__ import annotations

from collections.abc import Callable

from stepsmith.expressions import jsonata as j
from stepsmith.expressions.jsonata import Code
from stepsmith.expressions.table import Call
from stepsmith.expressions.types import ListType, TextType, Type
from stepsmith.expressions.values import (
    Maybe,
    Refused,
    Value,
    as_text,
    flat_items,
    item,
    items_of,
    needed,
)


def let(call: Call, value: Value, body: Callable[[Value], Value]) -> Value:
    """`body` over a value that it uses more than once: bound to a local name unless it is cheap to write twice."""
    if value.simple:
        return body(value)
    name = call.fresh()
    result = body(Value(j.variable(name), value.type, total=value.total, simple=True))
    return Value(j.block([(name, value.code)], result.code), result.type, result.total and value.total)


def let_maybe(call: Call, read: Maybe, body: Callable[[Maybe], Value]) -> Value:
    """`let` for what may be undefined."""
    if read.simple:
        return body(read)
    name = call.fresh()
    bound = Maybe(j.variable(name), read.type, read.label, read.present, read.doubt)
    result = body(bound)
    return Value(j.block([(name, read.code)], result.code), result.type)


def wrapped(bindings: list[tuple[str, Code]], value: Value) -> Value:
    """The value with local names bound before it."""
    return Value(j.block(bindings, value.code), value.type, value.total) if bindings else value


def parameter(call: Call, type_: Type) -> tuple[str, Value]:
    """A fresh parameter of a function over items, and the value that it is inside of it."""
    name = call.fresh()
    return name, Value(j.variable(name), type_, total=True, simple=True)


def each(call: Call, items: Value, body: Callable[[Value], Value]) -> Value:
    """A list of `body` of every item."""
    name, one = parameter(call, item(items))
    result = body(one)
    code = j.mapped(items.code, j.function([name], result.code), flat=not result.may("array"))
    return Value(code, ListType(result.type), items.total and result.total)


def keeping(call: Call, items: Value, test: Callable[[Value], Value]) -> Value:
    """The items for which the strictly boolean `test` holds."""
    name, one = parameter(call, item(items))
    keep = test(one)
    code = j.filtered(items.code, j.function([name], keep.code), flat=flat_items(items))
    return Value(code, ListType(item(items)), items.total and keep.total)


def some(call: Call, items: Value, test: Callable[[Value], Value]) -> Code:
    """Whether the test holds for an item; never by counting, which takes a single list for its own items."""
    name, one = parameter(call, item(items))
    return j.comparison("in", j.constant(True), j.call("map", items.code, j.function([name], test(one).code)))


def every(call: Call, items: Value, test: Callable[[Value], Value]) -> Code:
    """Whether the test holds for all items."""
    name, one = parameter(call, item(items))
    results = j.call("map", items.code, j.function([name], test(one).code))
    return j.call("not", j.comparison("in", j.constant(False), results))


def subject_text(call: Call) -> Value:
    """The subject's text form."""
    return as_text(call.subject())


def subject_items(call: Call) -> Value:
    """The list that iteration over the subject gives."""
    return items_of(call.subject())


def argument_text(call: Call, name: str) -> Value:
    return as_text(call.argument(name))


def known_text(value: Value) -> str | None:
    """The text that a value is known to be."""
    match value.type:
        case TextType(choices=(only,)):
            return only
    return None


def literal_text(call: Call, name: str) -> str:
    """A literal argument that must be text."""
    value = call.literal(name)
    if not isinstance(value, str):
        raise Refused("filter-argument", f"{call.name}: `{name}` must be a quoted text")
    return value


def literal_integer(call: Call, name: str, least: int | None = None) -> int:
    """A literal argument that must be a whole number, at least `least`."""
    value = call.literal(name)
    if isinstance(value, bool) or not isinstance(value, int) or (least is not None and value < least):
        what = "a whole number" if least is None else f"a whole number from {least} up"
        raise Refused("filter-argument", f"{call.name}: `{name}` must be {what}")
    return value


def literal_boolean(call: Call, name: str) -> bool:
    """A literal argument that must be true or false."""
    value = call.literal(name)
    if not isinstance(value, bool):
        raise Refused("filter-argument", f"{call.name}: `{name}` must be true or false")
    return value


def by_attribute(call: Call) -> Callable[[Value], Value]:
    """What a filter with `attribute=` looks at: the item itself, or its property, which must be there."""
    if not call.given("attribute") or call.literal("attribute") is None:
        return lambda one: one
    path = call.literal("attribute")
    return lambda one: needed(call.attribute(one, path))
