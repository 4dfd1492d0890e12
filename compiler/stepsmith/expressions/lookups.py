"""Reading inside values: properties, items, characters. What is read may be missing, so each look-up gives an
`Maybe`."""

from __future__ import annotations

from dataclasses import dataclass

from stepsmith.diagnostics import did_you_mean, one_of
from stepsmith.expressions import jsonata as j
from stepsmith.expressions.jsonata import Code
from stepsmith.expressions.types import (
    ANY,
    TEXT,
    ListType,
    NumberType,
    ObjectType,
    TextType,
    Type,
    UnionType,
    describe,
    find_property,
    kinds,
    property_names,
    union,
)
from stepsmith.expressions.values import Doubt, Maybe, Refused, Value, expect, mismatch

_SLUGS = {"step": "unknown-step", "variable": "unknown-variable", "input property": "unknown-input"}


@dataclass(frozen=True, slots=True)
class Place:
    """An `Maybe` together with what its next step must know: how it is reached, and how to speak of it."""

    read: Maybe
    strict: bool = True
    noun: str = "property"
    walked: tuple[Code, tuple[str, ...]] | None = None  # base and names so far, where the base's type is unknown


def place(value: Value, label: str) -> Place:
    """A value as the start of look-ups, such as the item of a loop."""
    return Place(Maybe(value.code, value.type, label, present=True, simple=value.simple))


def unknown_member(noun: str, name: str, known: tuple[str, ...], label: str) -> Refused:
    """The refusal of a name that its namespace or its closed object does not have."""
    slug = _SLUGS.get(noun, "unknown-property")
    message = f'there is no {noun} "{name}"' if slug != "unknown-property" else f'{label} has no property "{name}"'
    listed = f"it has {one_of(known)}" if slug == "unknown-property" else f"there is {one_of(known)}"
    otherwise = f"set it in a step before this one: set: {{{name}: …}}" if noun == "variable" else ""
    return Refused(slug, message, did_you_mean(name, known, listed if known else otherwise))


def property_of(at: Place, name: str) -> Place:
    """The property `name` of an object. Refuses a name that the type does not have."""
    base = at.read
    found = find_property(base.type, name)
    label = f"{base.label}.{name}" if name.isidentifier() else f"{base.label}[{name!r}]"
    if found is None:
        names = property_names(base.type)
        if names or "object" in kinds(base.type):
            raise unknown_member(at.noun, name, names, base.label)
        raise Refused(
            "unknown-property",
            f'{base.label} is {describe(base.type)} and has no property "{name}"',
            "take an item first, as in x[0], or one of every item with `| map(attribute=…)`"
            if "array" in kinds(base.type)
            else "",
        )
    walked = None
    if "array" not in kinds(base.type):
        code = j.steps(base.code, [name])
    elif at.walked is not None:
        start, names = at.walked
        walked = (start, (*names, name))
        code = j.helper("walk", start, j.array([j.constant(each) for each in walked[1]]))
    else:
        walked = (base.code, (name,))
        code = j.helper("get", base.code, j.constant(name))
    doubt = base.doubt
    if doubt is None and found.declared and not found.present:
        doubt = Doubt(f"{label} is optional and may be missing", at.strict)
    present = base.present and found.present and kinds(base.type) == {"object"}
    read = Maybe(code, found.type, label, present, doubt, simple=walked is None and base.simple)
    return Place(read, at.strict, "property", walked)


def item_of(at: Place, key: Value, source: str) -> Place:
    """The item at a computed or constant index of a list or text, or the property of a computed name."""
    base = at.read
    label = f"{base.label}[{source}]"
    expect(key, "an index", "number", "string")
    expect(Value(base.code, base.type), "an index", "array", "string", "object")
    if key.only("number") and not (kinds(base.type) & {"array", "string"}):
        raise mismatch(f"{base.label} is {describe(base.type)}, its properties have names", "write x['name']")
    if key.only("string") and not kinds(base.type) & {"object"}:
        raise Refused("unknown-property", f"{base.label} is {describe(base.type)} and has no properties", "write x[0]")
    whole = isinstance(key.type, NumberType) and key.type.integer
    if key.simple and key.only("number") and not whole and key.code.text.lstrip("-")[:1].isdigit():
        raise mismatch("the index of a list is a whole number")
    if isinstance(base.type, ListType) and key.simple and whole:
        code = j.index(base.code, key.code)
    elif kinds(base.type) == {"object"} and key.only("string"):
        code = j.call("lookup", base.code, key.code)
    else:
        code = j.helper("item", base.code, key.code)
    return Place(Maybe(code, _item_type(base.type, key), label, doubt=base.doubt, simple=False), at.strict)


def _item_type(type_: Type, key: Value) -> Type:
    match type_:
        case ListType():
            return type_.item
        case TextType():
            return TEXT
        case ObjectType() if type_.closed or type_.properties:
            return union(*(each.type for each in type_.properties.values()), *(() if type_.closed else (ANY,)))
        case ObjectType():
            return type_.rest
        case UnionType():
            readable = [m for m in type_.members if kinds(m) & {"array", "string", "object"}]
            return union(*(_item_type(member, key) for member in readable))
        case _:
            return ANY
