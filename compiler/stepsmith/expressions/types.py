"""What the compiler knows of a value before a run: its static type.

Types come from JSON Schema (a workflow's input, an action's result model) and flow through expressions. They
are descriptions only: nothing here checks data or reports mistakes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, assert_never

from stepsmith.diagnostics import one_of
from stepsmith.document import Json


@dataclass(frozen=True, slots=True)
class AnyType:
    """Nothing is known: any JSON value."""


@dataclass(frozen=True, slots=True)
class TextType:
    """A JSON string; `choices` are its only values when they are known."""

    choices: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class NumberType:
    """A JSON number; `integer` says that it has no fraction."""

    integer: bool = False


@dataclass(frozen=True, slots=True)
class BooleanType:
    """true or false."""


@dataclass(frozen=True, slots=True)
class NullType:
    """null."""


@dataclass(frozen=True, slots=True)
class ListType:
    """A JSON array whose items are all of one type."""

    item: Type = field(default_factory=AnyType)


@dataclass(frozen=True, slots=True)
class Property:
    """A declared property of an object; one that is not `required` may be missing.

    `doubted` False: nobody knows whether it may be missing, so that reading it is no mistake.
    """

    type: Type
    required: bool = True
    doubted: bool = True


@dataclass(frozen=True, slots=True)
class ObjectType:
    """A JSON object. `closed` says that it has no other properties; else those are of type `rest`."""

    properties: Mapping[str, Property] = field(default_factory=dict)
    closed: bool = False
    rest: Type = field(default_factory=AnyType)


@dataclass(frozen=True, slots=True)
class UnionType:
    """One of several types. Built by `union()`, which keeps it flat and without repetition."""

    members: tuple[Type, ...]


Type: TypeAlias = AnyType | TextType | NumberType | BooleanType | NullType | ListType | ObjectType | UnionType

ANY = AnyType()
TEXT = TextType()
NUMBER = NumberType()
INTEGER = NumberType(integer=True)
BOOLEAN = BooleanType()
NULL = NullType()
OBJECT = ObjectType()

# The names are those that JSONata's $type() answers.
KINDS = frozenset({"string", "number", "boolean", "null", "array", "object"})

_KIND_WORDS = {
    "string": "text",
    "number": "a number",
    "boolean": "a boolean",
    "null": "null",
    "array": "a list",
    "object": "an object",
}

# A schema that nests deeper is cut: what lies below is of unknown type.
_DEEPEST_SCHEMA = 24


def union(*types: Type) -> Type:
    """The type of a value that is of one of `types`; unknown as soon as one of them is."""
    members: list[Type] = []
    for each in types:
        for member in each.members if isinstance(each, UnionType) else (each,):
            if isinstance(member, AnyType):
                return ANY
            if member not in members:
                members.append(member)
    texts = [m for m in members if isinstance(m, TextType)]
    if len(texts) > 1:
        members = [m for m in members if not isinstance(m, TextType)]
        if all(text.choices is not None for text in texts):
            choices = dict.fromkeys(choice for text in texts for choice in text.choices or ())
            members.append(TextType(tuple(choices)))
        else:
            members.append(TEXT)
    if NUMBER in members and INTEGER in members:
        members.remove(INTEGER)
    if not members:
        return ANY
    return members[0] if len(members) == 1 else UnionType(tuple(members))


def kinds(type_: Type) -> frozenset[str]:
    """The JSON kinds (in the words of JSONata's `$type`) that a value of this type may have."""
    match type_:
        case AnyType():
            return KINDS
        case TextType():
            return frozenset({"string"})
        case NumberType():
            return frozenset({"number"})
        case BooleanType():
            return frozenset({"boolean"})
        case NullType():
            return frozenset({"null"})
        case ListType():
            return frozenset({"array"})
        case ObjectType():
            return frozenset({"object"})
        case UnionType():
            return frozenset().union(*(kinds(member) for member in type_.members))
        case _:
            assert_never(type_)


def item_type(type_: Type) -> Type:
    """The type of the items that iteration over a value of this type gives (see the filter `list`)."""
    match type_:
        case ListType():
            return type_.item
        case TextType() | ObjectType():
            return TEXT
        case UnionType():
            return union(*(item_type(member) for member in type_.members))
        case _:
            return ANY


@dataclass(frozen=True, slots=True)
class Found:
    """What a look-up of a property found: its type, whether it is surely there, and whether it was declared."""

    type: Type
    present: bool
    declared: bool


def find_property(type_: Type, name: str) -> Found | None:
    """The property `name` of a value of this type; None when no value of the type can have it."""
    match type_:
        case AnyType():
            return Found(ANY, present=False, declared=False)
        case ObjectType():
            if name in type_.properties:
                declared = type_.properties[name]
                return Found(declared.type, declared.required, declared=declared.doubted)
            return None if type_.closed else Found(type_.rest, present=False, declared=False)
        case UnionType():
            found = [find_property(member, name) for member in type_.members]
            there = [each for each in found if each is not None]
            if not there:
                return None
            return Found(
                union(*(each.type for each in there)),
                len(there) == len(found) and all(each.present for each in there),
                any(each.declared for each in there),
            )
        case _:
            return None


def property_names(type_: Type) -> tuple[str, ...]:
    """The declared property names of an object type, or of the object types in a union."""
    match type_:
        case ObjectType():
            return tuple(type_.properties)
        case UnionType():
            names = (name for member in type_.members for name in property_names(member))
            return tuple(dict.fromkeys(names))
        case _:
            return ()


def describe(type_: Type) -> str:
    """The type in words for a message: `text`, `a list of text`, `text or null`."""
    match type_:
        case AnyType():
            return "any value"
        case TextType(choices=None):
            return "text"
        case TextType(choices=choices):
            return f"one of {one_of([repr(choice) for choice in choices or ()], 6)}"
        case NumberType():
            return "an integer" if type_.integer else "a number"
        case BooleanType():
            return "a boolean"
        case NullType():
            return "null"
        case ListType():
            return "a list" if isinstance(type_.item, AnyType) else f"a list of {_plural(type_.item)}"
        case ObjectType():
            return f"an object with {one_of(type_.properties, 6)}" if type_.properties else "an object"
        case UnionType():
            words = [describe(member) for member in type_.members]
            return f"{', '.join(words[:-1])} or {words[-1]}"
        case _:
            assert_never(type_)


def _plural(type_: Type) -> str:
    match type_:
        case NumberType():
            return "integers" if type_.integer else "numbers"
        case BooleanType():
            return "booleans"
        case NullType():
            return "nulls"
        case ListType():
            return "lists"
        case ObjectType():
            return "objects"
        case _:
            return describe(type_)


def describe_kinds(names: Iterable[str]) -> str:
    """JSON kinds in words: `text or a number`."""
    words = [_KIND_WORDS[name] for name in _KIND_WORDS if name in set(names)]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def type_of(value: Json) -> Type:
    """The type of one JSON value, as narrow as the union can say."""
    match value:
        case bool():
            return BOOLEAN
        case str():
            return TextType((value,))
        case int():
            return INTEGER
        case float():
            return NumberType(integer=value.is_integer())
        case None:
            return NULL
        case list():
            return ListType(union(*(type_of(item) for item in value)) if value else ANY)
        case dict():
            return ObjectType({k: Property(type_of(v)) for k, v in value.items()}, closed=True)
        case _:
            assert_never(value)


def from_schema(schema: Json, *, closed: bool = True) -> Type:
    """The type that a JSON Schema describes: `$defs`, `$ref`, `anyOf`, `allOf`, `enum` as pydantic writes them.

    An object that lists properties and says nothing of `additionalProperties` counts as closed when `closed` is
    true: a pydantic model puts out nothing else, and a workflow's input refuses the rest. What the schema language can
    say beyond these types (patterns, ranges, `not`) does not show. A schema that refers to itself is cut where it
    recurs.
    """
    return _Schemas(schema, closed).type(schema, (), 0)


class _Schemas:
    """One schema document while it is read."""

    def __init__(self, root: Json, closed: bool) -> None:
        self._root = root
        self._closed = closed

    def type(self, schema: Json, seen: tuple[str, ...], depth: int) -> Type:
        if not isinstance(schema, dict) or depth > _DEEPEST_SCHEMA:
            return ANY
        reference = schema.get("$ref")
        if isinstance(reference, str):
            if reference in seen:
                return ANY
            return self.type(self._resolve(reference), (*seen, reference), depth + 1)
        for word in ("anyOf", "oneOf"):
            options = schema.get(word)
            if isinstance(options, list) and options:
                return union(*(self.type(option, seen, depth + 1) for option in options))
        parts = schema.get("allOf")
        if isinstance(parts, list) and parts:
            return self._all_of([self.type(part, seen, depth + 1) for part in parts])
        if "const" in schema:
            return type_of(schema["const"])
        values = schema.get("enum")
        if isinstance(values, list) and values:
            return union(*(type_of(value) for value in values))
        named = schema.get("type")
        if isinstance(named, list):
            return union(*(self._named(name, schema, seen, depth) for name in named)) if named else ANY
        if schema.get("nullable") is True:
            return union(self._named(named, schema, seen, depth), NULL)
        return self._named(named, schema, seen, depth)

    def _named(self, name: Json, schema: dict[str, Json], seen: tuple[str, ...], depth: int) -> Type:
        match name:
            case "string":
                return TEXT
            case "integer":
                return INTEGER
            case "number":
                return NUMBER
            case "boolean":
                return BOOLEAN
            case "null":
                return NULL
            case "array":
                items = schema.get("items")
                prefix = schema.get("prefixItems")
                of_all: list[Json] = [items] if isinstance(items, dict) else []
                of_all += prefix if isinstance(prefix, list) else []
                return ListType(union(*(self.type(item, seen, depth + 1) for item in of_all)))
            case "object":
                return self._object(schema, seen, depth)
            case None if "properties" in schema:
                return self._object(schema, seen, depth)
            case None if "items" in schema:
                return self._named("array", schema, seen, depth)
            case _:
                return ANY

    def _object(self, schema: dict[str, Json], seen: tuple[str, ...], depth: int) -> ObjectType:
        listed = schema.get("properties")
        required = schema.get("required")
        names = required if isinstance(required, list) else []
        properties = {
            name: Property(self.type(each, seen, depth + 1), name in names)
            for name, each in (listed.items() if isinstance(listed, dict) else ())
        }
        more = schema.get("additionalProperties")
        if isinstance(more, dict):
            return ObjectType(properties, closed=False, rest=self.type(more, seen, depth + 1))
        if more is None:
            return ObjectType(properties, closed=self._closed and isinstance(listed, dict))
        return ObjectType(properties, closed=more is False)

    def _all_of(self, types: list[Type]) -> Type:
        """Objects are merged; of other types the first that says something stands for all."""
        objects = [each for each in types if isinstance(each, ObjectType)]
        if len(objects) == len(types):
            merged: dict[str, Property] = {}
            for each in objects:
                merged.update(each.properties)
            return ObjectType(merged, closed=all(each.closed for each in objects))
        return next((each for each in types if not isinstance(each, AnyType)), ANY)

    def _resolve(self, reference: str) -> Json:
        if not reference.startswith("#"):
            return None
        at = self._root
        for step in reference[1:].split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(at, dict) or key not in at:
                return None
            at = at[key]
        return at
