"""Values while an expression is translated: a piece of JSONata with the static type of what it yields.

Each operation here chooses the short form of JSONata where the type allows it, and the form that asks at run time
where it does not. The invariant throughout: the code of a `Value` yields a value or raises, never JSONata's
undefined, which would pass in silence; only the code of an `Maybe` may be undefined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stepsmith.expressions import jsonata as j
from stepsmith.expressions.jsonata import Code
from stepsmith.expressions.types import (
    ANY,
    BOOLEAN,
    INTEGER,
    NUMBER,
    TEXT,
    ListType,
    NumberType,
    ObjectType,
    Property,
    Type,
    describe,
    describe_kinds,
    item_type,
    kinds,
    union,
)

PLAIN = frozenset({"string", "number", "boolean", "null"})


class Refused(Exception):  # noqa: N818 - a signal inside of a translation, never seen outside
    """A part of an expression that cannot be translated; the translator reports it at the part's place."""

    def __init__(self, slug: str, message: str, help_text: str = "") -> None:
        super().__init__(message)
        self.slug, self.message, self.help = slug, message, help_text


@dataclass(frozen=True, slots=True)
class Value:
    """Code that yields a value or raises. `total`: it never raises. `simple`: cheap enough to be written twice."""

    code: Code
    type: Type = ANY
    total: bool = False
    simple: bool = False

    @property
    def kinds(self) -> frozenset[str]:
        return kinds(self.type)

    def only(self, *names: str) -> bool:
        """Whether the value is surely of one of these JSON kinds."""
        return self.kinds <= set(names)

    def may(self, *names: str) -> bool:
        """Whether the value may be of one of these JSON kinds."""
        return not self.kinds.isdisjoint(names)


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a reference may be missing, for the author who reads it without a guard."""

    reason: str
    strict: bool


@dataclass(frozen=True, slots=True)
class Maybe:
    """Code that yields a value or is undefined. `present`: known never to be undefined."""

    code: Code
    type: Type
    label: str
    present: bool = False
    doubt: Doubt | None = None
    simple: bool = True


def constant(value: str | int | float | bool | None, type_: Type) -> Value:
    return Value(j.constant(value), type_, total=True, simple=True)


def needed(reference: Maybe) -> Value:
    """The value of a reference that must be there: at run time a missing one fails and says its name."""
    if reference.present:
        return Value(reference.code, reference.type, total=True, simple=reference.simple)
    return Value(j.helper("need", reference.code, j.constant(reference.label)), reference.type)


def mismatch(message: str, help_text: str = "") -> Refused:
    return Refused("type-mismatch", message, help_text)


def expect(value: Value, what: str, *names: str, help_text: str = "") -> None:
    """Refuses a value that can be of none of the JSON kinds `names`."""
    if not value.may(*names):
        raise mismatch(f"{what} needs {describe_kinds(names)}, this is {describe(value.type)}", help_text)


# --- text -----------------------------------------------------------------------------------------------------------


def as_text(value: Value) -> Value:
    """The text form: text as is, anything else its compact JSON."""
    if value.only("string"):
        return value
    return Value(j.call("string", value.code), TEXT, value.total)


def joined(parts: Sequence[Value]) -> Value:
    """Texts one after another. `&` itself gives each operand its text form."""
    if len(parts) == 1:
        return as_text(parts[0])
    code = j.chain("&", [part.code for part in parts])
    return Value(code, TEXT, all(part.total for part in parts))


def required_text(value: Value, what: str) -> Value:
    """The receiver of a text method, which does not turn other values into text."""
    expect(value, what, "string")
    if value.only("string"):
        return value
    return Value(j.helper("text", value.code, j.constant(what)), TEXT)


# --- truth ----------------------------------------------------------------------------------------------------------


def truth(value: Value) -> Value:
    """The Python truth of a value as a boolean."""
    code = value.code
    match sorted(value.kinds):
        case ["boolean"]:
            pass
        case ["number"]:
            code = j.comparison("!=", code, j.constant(0))
        case ["string"]:
            code = j.comparison("!=", code, j.constant(""))
        case ["array"]:
            code = j.comparison(">", j.call("count", code), j.constant(0))
        case found if "array" not in found:
            code = j.call("boolean", code)
        case _:
            code = j.helper("truth", code)
    return Value(code, BOOLEAN, value.total)


def boolean(code: Code, *of: Value) -> Value:
    return Value(code, BOOLEAN, all(value.total for value in of))


def inverted(value: Value) -> Value:
    return Value(j.call("not", truth(value).code), BOOLEAN, value.total)


# --- comparison -----------------------------------------------------------------------------------------------------


def equal(left: Value, right: Value, *, negated: bool = False) -> Value:
    return boolean(j.comparison("!=" if negated else "=", left.code, right.code), left, right)


def ordered(operator: str, left: Value, right: Value) -> Value:
    """`<` and its kin, which JSONata knows for two numbers or two texts and refuses at run time for all else."""
    for side in (left, right):
        expect(side, f"`{operator}`", "number", "string", help_text="only numbers and texts have an order")
    shared = left.kinds & right.kinds & {"number", "string"}
    if not shared:
        raise mismatch(
            f"`{operator}` cannot compare {describe(left.type)} with {describe(right.type)}",
            "convert the text with `| float`" if left.may("number") or right.may("number") else "",
        )
    sure = left.kinds == right.kinds and len(left.kinds) == 1
    code = j.comparison(operator, left.code, right.code)
    return Value(code, BOOLEAN, sure and left.total and right.total)


def contained(item: Value, container: Value) -> Value:
    """`item in container`: of a list, a text, the keys of an object."""
    expect(container, "`in`", "array", "string", "object")
    if container.only("array") and item.only(*PLAIN):
        return boolean(j.comparison("in", item.code, container.code), item, container)
    if container.only("string"):
        expect(item, "`in` a text", "string")
        if item.only("string"):
            return boolean(j.call("contains", container.code, item.code), item, container)
    if container.only("object") and item.only("string"):
        found = j.call("exists", j.call("lookup", container.code, item.code))
        return boolean(found, item, container)
    return Value(j.helper("in", item.code, container.code), BOOLEAN)


# --- arithmetic -----------------------------------------------------------------------------------------------------


def _numeric(left: Value, right: Value) -> Type:
    both = all(isinstance(side.type, NumberType) and side.type.integer for side in (left, right))
    return INTEGER if both else NUMBER


def added(left: Value, right: Value) -> Value:
    for side in (left, right):
        expect(side, "`+`", "number", "string", "array")
    shared = left.kinds & right.kinds & {"number", "string", "array"}
    if not shared:
        raise mismatch(
            f"cannot add {describe(left.type)} and {describe(right.type)}",
            "to build text write `~` between the parts" if left.may("string") or right.may("string") else "",
        )
    total = left.total and right.total
    if left.kinds == right.kinds == {"number"}:
        return Value(j.binary("+", left.code, right.code), _numeric(left, right), total)
    if left.kinds == right.kinds == {"string"}:
        return Value(j.binary("&", left.code, right.code), TEXT, total)
    if left.kinds == right.kinds == {"array"}:
        items = union(item_type(left.type), item_type(right.type))
        return Value(j.call("append", left.code, right.code), ListType(items), total)
    if len(shared) > 1:
        type_: Type = ANY
    else:
        type_ = NUMBER if "number" in shared else TEXT if "string" in shared else ListType()
    return Value(j.helper("add", left.code, right.code), type_)


def arithmetic(operator: str, left: Value, right: Value) -> Value:
    """`-`, `*`, `/`, `//`, `%`, `**` with the meaning of Python."""
    for side in (left, right):
        help_text = "convert it with `| float` or `| int`" if side.may("string") else ""
        expect(side, f"`{operator}`", "number", help_text=help_text)
    sure = left.only("number") and right.only("number") and left.total and right.total
    match operator:
        case "-" | "*":
            return Value(j.binary(operator, left.code, right.code), _numeric(left, right), sure)
        case "/" if _nonzero(right):
            return Value(j.binary("/", left.code, right.code), NUMBER, sure)
        case "**":
            return Value(j.call("power", left.code, right.code), NUMBER)
        case _:
            name = {"/": "div", "//": "floordiv", "%": "mod"}[operator]
            return Value(j.helper(name, left.code, right.code), NUMBER if operator == "/" else _numeric(left, right))


def _nonzero(value: Value) -> bool:
    text = value.code.text.lstrip("-")
    return value.simple and text[:1].isdigit() and float(text) != 0


def negated(value: Value) -> Value:
    expect(value, "`-`", "number")
    return Value(
        j.negate(value.code), value.type if value.only("number") else NUMBER, value.total and value.only("number")
    )


# --- lists and objects ----------------------------------------------------------------------------------------------


def items_of(value: Value) -> Value:
    """The list over which iteration goes: a list itself, the characters of a text, the keys of an object."""
    expect(value, "iteration", "array", "string", "object")
    if value.only("array"):
        return value
    if value.only("object"):
        return Value(j.array([j.call("keys", value.code)]), ListType(TEXT), value.total)
    return Value(j.helper("list", value.code), ListType(item_type(value.type)))


def required_list(value: Value, what: str) -> Value:
    expect(value, what, "array")
    return value if value.only("array") else Value(j.helper("array", value.code), ListType(item_type(value.type)))


def required_object(value: Value, what: str) -> Value:
    expect(value, what, "object")
    if value.only("object"):
        return value
    members = [m for m in getattr(value.type, "members", ()) if isinstance(m, ObjectType)]
    return Value(j.helper("object", value.code), union(*members) if members else ObjectType())


def required_number(value: Value, what: str) -> Value:
    expect(value, what, "number")
    return value if value.only("number") else Value(j.helper("number", value.code), NUMBER)


def item(value: Value) -> Type:
    return item_type(value.type)


def flat_items(value: Value) -> bool:
    """Whether no item of this list is itself a list."""
    return "array" not in kinds(item_type(value.type))


def list_of(values: Sequence[Value]) -> Value:
    """A list literal. Items that are or may be lists are kept from being spliced into it."""
    type_ = ListType(union(*(value.type for value in values)))
    total = all(value.total for value in values)
    if all(value.only("array") or not value.may("array") for value in values):
        codes = [j.nested(value.code) if value.only("array") else value.code for value in values]
        return Value(j.array(codes), type_, total)
    boxes = [j.obj([(j.constant("v"), value.code)]) for value in values]
    return Value(j.helper("unbox", j.array(boxes)), type_, total)


def object_of(pairs: Sequence[tuple[Value, str | None, Value]]) -> Value:
    """An object literal; the middle of each triple is the key when it is known."""
    code = j.obj([(key.code, value.code) for key, _, value in pairs])
    known = {name: Property(value.type) for _, name, value in pairs if name is not None}
    closed = len(known) == len(pairs)
    total = closed and all(value.total for _, _, value in pairs)
    return Value(code, ObjectType(known, closed=closed), total)


def either(condition: Value, then: Value, otherwise: Value) -> Value:
    """`then if condition else otherwise`."""
    code = j.conditional(truth(condition).code, then.code, otherwise.code)
    total = condition.total and then.total and otherwise.total
    return Value(code, union(then.type, otherwise.type), total)


def sliced(value: Value, low: Value | None, high: Value | None) -> Value:
    expect(value, "a slice", "array", "string")
    for bound in (low, high):
        if bound is not None:
            expect(bound, "a slice bound", "number")
    codes = [bound.code if bound else j.constant(None) for bound in (low, high)]
    return Value(j.helper("slice", value.code, *codes), without_null(value.type))


def without_null(type_: Type) -> Type:
    members = getattr(type_, "members", None)
    if not members:
        return type_
    return union(*(m for m in members if kinds(m) != {"null"}))
