"""Filters over values, numbers and objects."""

from __future__ import annotations

from stepsmith.expressions import jsonata as j
from stepsmith.expressions.table import Call, Row, needed, optional
from stepsmith.expressions.types import ANY, INTEGER, NUMBER, TEXT, ListType, NumberType, ObjectType, Type, union
from stepsmith.expressions.uses import (
    by_attribute,
    each,
    let,
    let_maybe,
    literal_boolean,
    literal_integer,
    literal_text,
    parameter,
    subject_items,
)
from stepsmith.expressions.values import (
    Maybe,
    Refused,
    Value,
    either,
    expect,
    item,
    required_object,
    required_text,
    truth,
)
from stepsmith.expressions.values import (
    needed as must_be_there,
)


def default(call: Call) -> Value:
    read, instead = call.maybe(), call.argument("value")
    when_false = literal_boolean(call, "boolean")
    if read.present and not when_false:
        return must_be_there(read)

    def write(read: Maybe) -> Value:
        value = Value(read.code, read.type, total=True, simple=True)
        there = j.call("exists", read.code)
        if when_false:
            there = truth(value).code if read.present else j.binary("and", there, truth(value).code)
        code = j.conditional(there, read.code, instead.code)
        return Value(code, union(read.type, instead.type), read.simple and instead.total)

    return let_maybe(call, read, write)


def length(call: Call) -> Value:
    value = call.subject()
    expect(value, "length", "string", "array", "object")
    if value.only("array"):
        return Value(j.call("count", value.code), INTEGER, value.total)
    if value.only("string"):
        return Value(j.call("length", value.code), INTEGER, value.total)
    if value.only("object"):
        return Value(j.call("count", j.call("keys", value.code)), INTEGER, value.total)
    return Value(j.helper("len", value.code), INTEGER)


def int_(call: Call) -> Value:
    value, instead = call.subject(), call.argument("default")
    if isinstance(value.type, NumberType) and value.type.integer:
        return value
    type_ = INTEGER if instead.only("number") else union(INTEGER, instead.type)
    return Value(j.helper("int", value.code, instead.code), type_, value.total and instead.total)


def float_(call: Call) -> Value:
    value, instead = call.subject(), call.argument("default")
    if value.only("number"):
        return value
    type_ = union(NUMBER, instead.type)
    return Value(j.helper("float", value.code, instead.code), type_, value.total and instead.total)


def strict_int(call: Call) -> Value:
    """The function `int(x)`, which fails where the filter has a default."""
    return _strict(call, "int")


def strict_float(call: Call) -> Value:
    """The function `float(x)`."""
    return _strict(call, "float")


def _strict(call: Call, name: str) -> Value:
    value = call.subject()
    expect(value, f"{name}()", "number", "string", "boolean")
    number = j.helper(name, value.code)
    return must_be_there(Maybe(number, INTEGER if name == "int" else NUMBER, f"{name} of {call.source()}"))


def round_(call: Call) -> Value:
    value = call.subject()
    expect(value, "round", "number")
    digits, method = literal_integer(call, "precision"), literal_text(call, "method")
    type_ = INTEGER if digits <= 0 else NUMBER
    if method == "common":
        return Value(j.call("round", value.code, j.constant(digits)), type_)
    if method not in ("ceil", "floor"):
        raise Refused("filter-argument", f"round: the method is common, ceil or floor, not {method!r}")
    if abs(digits) > 15:
        raise Refused("filter-argument", "round: the precision is too large")
    if digits == 0:
        return Value(j.call(method, value.code), type_)
    factor = j.constant(10 ** abs(digits))
    there, back = ("*", "/") if digits > 0 else ("/", "*")
    scaled = j.call(method, j.binary(there, value.code, factor))
    return Value(j.binary(back, scaled, factor), type_)


def abs_(call: Call) -> Value:
    value = call.subject()
    expect(value, "abs", "number")
    return Value(j.call("abs", value.code), value.type if value.only("number") else NUMBER)


def ternary(call: Call) -> Value:
    return either(call.subject(), call.argument("when_true"), call.argument("when_false"))


def _object_entries(call: Call, body_of: str) -> Value:
    """A list made of every key and value: `pair` or `entry`."""
    source = required_object(call.subject(), call.name)

    def write(of: Value) -> Value:
        name, key = parameter(call, TEXT)
        value = j.call("lookup", of.code, key.code)
        if body_of == "value":
            body = value
        elif body_of == "pair":
            body = j.call("append", j.array([key.code]), j.helper("box", value))
        else:
            # Entries are merged from objects of one key: constructors of several in a function over items cost depth.
            one = [j.obj([(j.constant(word), code)]) for word, code in (("key", key.code), ("value", value))]
            body = j.call("merge", j.array(one))
        flat = body_of == "entry"
        inside: Type = ANY
        if body_of != "value":
            inside = ListType() if body_of == "pair" else ObjectType()
        listed = j.mapped(j.call("keys", of.code), j.function([name], body), flat=flat)
        return Value(listed, ListType(inside), of.total)

    return let(call, source, write)


def items(call: Call) -> Value:
    return _object_entries(call, "pair")


def values(call: Call) -> Value:
    return _object_entries(call, "value")


def dict2items(call: Call) -> Value:
    return _object_entries(call, "entry")


def keys(call: Call) -> Value:
    source = required_object(call.subject(), call.name)
    return Value(j.array([j.call("keys", source.code)]), ListType(TEXT), source.total)


def dictsort(call: Call) -> Value:
    pairs = items(call)
    by = literal_text(call, "by")
    if by not in ("key", "value"):
        raise Refused("filter-argument", f"dictsort: by is 'key' or 'value', not {by!r}")
    sensitive, backwards = literal_boolean(call, "case_sensitive"), literal_boolean(call, "reverse")
    name, pair = parameter(call, ListType())
    of = j.index(pair.code, j.constant(0 if by == "key" else 1))
    key = j.function([name], of if sensitive else j.helper("fold", of))
    return Value(j.helper("sort", pairs.code, key, j.constant(backwards)), ListType(ListType()))


def items2dict(call: Call) -> Value:
    entries = subject_items(call)
    key_name, value_name = literal_text(call, "key_name"), literal_text(call, "value_name")
    name, entry = parameter(call, item(entries))
    key = required_text(must_be_there(call.attribute(entry, key_name)), "the key of items2dict")
    value = must_be_there(call.attribute(entry, value_name))
    one = j.function([name], j.obj([(key.code, value.code)]))
    merged = j.call("merge", j.array([j.obj([]), j.call("map", entries.code, one)]))
    return Value(merged, ObjectType(rest=value.type))


def combine(call: Call) -> Value:
    parts = [required_object(part, "combine") for part in (call.subject(), *call.rest())]
    if literal_boolean(call, "recursive"):
        code = parts[0].code
        for part in parts[1:]:
            code = j.helper("combine", code, part.code)
        return Value(code, ObjectType())
    code = j.call("merge", j.array([part.code for part in parts]))
    types = [part.type for part in parts if isinstance(part.type, ObjectType)]
    if len(types) == len(parts) and all(each_.closed for each_ in types):
        known = {name: found for type_ in types for name, found in type_.properties.items()}
        sure = all(found.required for found in known.values())
        if sure:
            return Value(code, ObjectType(known, closed=True), all(part.total for part in parts))
    return Value(code, ObjectType(), all(part.total for part in parts))


def min_(call: Call) -> Value | Maybe:
    return _extreme(call, "min", "<")


def max_(call: Call) -> Value | Maybe:
    return _extreme(call, "max", ">")


def _extreme(call: Call, name: str, operator: str) -> Maybe:
    found = subject_items(call)
    label = f"the {name}imum of {call.source()}"
    given = call.given("attribute")
    if not given and Value(found.code, item(found)).only("number"):
        return Maybe(j.call(name, found.code), item(found), label, simple=False)
    sensitive = literal_boolean(call, "case_sensitive")
    attribute = by_attribute(call)

    def key(one: Value) -> Value:
        value = attribute(one)
        if sensitive or not value.may("string"):
            return value
        return Value(j.helper("fold", value.code), value.type)

    best, one = parameter(call, item(found)), parameter(call, item(found))
    better = j.comparison(operator, key(one[1]).code, key(best[1]).code)
    chosen = j.conditional(better, one[1].code, best[1].code)
    code = j.call("reduce", found.code, j.function([best[0], one[0]], chosen))
    return Maybe(code, item(found), label, simple=False)


def sum_(call: Call) -> Value:
    found = subject_items(call)
    start = call.argument("start")
    if call.given("attribute"):
        found = each(call, found, by_attribute(call))
    expect(Value(found.code, item(found)), "sum", "number")
    total = Value(j.call("sum", found.code), item(found) if isinstance(item(found), NumberType) else NUMBER)
    if not call.given("start"):
        return total
    expect(start, "sum's start", "number")
    return Value(j.binary("+", total.code, start.code), NUMBER)


def first(call: Call) -> Maybe:
    return _end(call, 0)


def last(call: Call) -> Maybe:
    return _end(call, -1)


def _end(call: Call, at: int) -> Maybe:
    found = subject_items(call)
    label = f"the {call.name} item of {call.source()}"
    return Maybe(j.index(found.code, j.constant(at)), item(found), label, simple=False)


_LITERAL_NAMES = (optional("key_name", "key", literal=True), optional("value_name", "value", literal=True))
COMPARED = (optional("case_sensitive", False, literal=True), optional("attribute", None, literal=True))

ROWS = (
    Row(
        "default", "a value or nothing", "any value", default,
        (optional("value", ""), optional("boolean", False, literal=True)), ("d",),
        example="input.nothing | default('none')", result="none",
        note="tolerates a missing value anywhere along the reference; null is a value and stays",
    ),
    Row("length", "list, text or object", "integer", length, aliases=("count",), example="[1, 2] | length", result=2),
    Row("first", "list, text or object", "any value", first, example="[3, 4] | first", result=3),
    Row("last", "list, text or object", "any value", last, example="[3, 4] | last", result=4),
    Row("min", "list, text or object", "any value", min_, COMPARED, example="[3, 1, 2] | min", result=1),
    Row("max", "list, text or object", "any value", max_, COMPARED, example="['a', 'C', 'b'] | max", result="C"),
    Row(
        "sum", "list", "number", sum_, (optional("attribute", None, literal=True), optional("start", 0)),
        example="[{'n': 1}, {'n': 2}] | sum(attribute='n')", result=3,
    ),
    Row(
        "int", "any value", "integer", int_, (optional("default", 0),), example="'42' | int", result=42,
        note="does not read 1_000, inf or nan",
    ),
    Row(
        "float", "any value", "number", float_, (optional("default", 0.0),), example="'2.5' | float", result=2.5,
        note="does not read 1_000, inf or nan",
    ),
    Row(
        "round", "number", "number", round_,
        (optional("precision", 0, literal=True), optional("method", "common", literal=True)),
        example="2.675 | round(2)", result=2.68, note="half to even of the decimal digits",
    ),
    Row("abs", "number", "number", abs_, example="-3 | abs", result=3),
    Row(
        "ternary", "any value", "any value", ternary, (needed("when_true"), needed("when_false")),
        example="(2 > 1) | ternary('yes', 'no')", result="yes", note="not in Jinja2",
    ),
    Row("items", "object", "list of pairs", items, example="{'a': 1} | items", result=[["a", 1]]),
    Row(
        "dictsort", "object", "list of pairs", dictsort,
        (
            optional("case_sensitive", False, literal=True), optional("by", "key", literal=True),
            optional("reverse", False, literal=True),
        ),
        example="{'b': 1, 'A': 2} | dictsort", result=[["A", 2], ["b", 1]],
    ),
    Row(
        "dict2items", "object", "list of objects", dict2items, example="{'a': 1} | dict2items",
        result=[{"key": "a", "value": 1}], note="not in Jinja2",
    ),
    Row(
        "items2dict", "list of objects", "object", items2dict, _LITERAL_NAMES,
        example="[{'key': 'a', 'value': 1}] | items2dict", result={"a": 1}, note="not in Jinja2",
    ),
    Row(
        "combine", "object", "object", combine, (optional("recursive", False, literal=True),), rest=True,
        example="{'a': 1} | combine({'b': 2})", result={"a": 1, "b": 2}, note="not in Jinja2; the later value wins",
    ),
)  # fmt: skip
