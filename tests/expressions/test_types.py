"""Static types: from JSON Schema as pydantic writes it, in words, and through look-ups."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from stepsmith.document import Json
from stepsmith.expressions.types import (
    ANY,
    BOOLEAN,
    INTEGER,
    NULL,
    NUMBER,
    TEXT,
    ListType,
    ObjectType,
    Property,
    TextType,
    Type,
    UnionType,
    describe,
    find_property,
    from_schema,
    kinds,
    type_of,
    union,
)


@pytest.mark.parametrize(
    ("schema", "type_"),
    [
        ({}, ANY),
        (True, ANY),
        ({"type": "string"}, TEXT),
        ({"enum": ["a", "b"]}, TextType(("a", "b"))),
        ({"const": 1}, INTEGER),
        ({"type": ["string", "null"]}, UnionType((TEXT, NULL))),
        ({"type": "string", "nullable": True}, UnionType((TEXT, NULL))),
        ({"anyOf": [{"type": "integer"}, {"type": "number"}]}, NUMBER),
        ({"oneOf": [{"type": "string"}, {}]}, ANY),
        ({"type": "array"}, ListType()),
        ({"type": "array", "items": {"type": "boolean"}}, ListType(BOOLEAN)),
        ({"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}]}, ListType(union(TEXT, INTEGER))),
        ({"type": "object"}, ObjectType()),
        ({"properties": {"a": {}}}, ObjectType({"a": Property(ANY, required=False)}, closed=True)),
        (
            {"type": "object", "properties": {"a": {}}, "additionalProperties": True},
            ObjectType({"a": Property(ANY, required=False)}),
        ),
        ({"type": "object", "additionalProperties": {"type": "string"}}, ObjectType(rest=TEXT)),
        ({"type": "object", "additionalProperties": False}, ObjectType(closed=True)),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"type": "string"}}}, TEXT),
        ({"$ref": "#/$defs/A~1B", "$defs": {"A/B": {"type": "string"}}}, TEXT),
        ({"$ref": "#/$defs/missing"}, ANY),
        ({"$ref": "https://example.com/x"}, ANY),
        (
            {"allOf": [{"properties": {"a": {"type": "string"}}}, {"properties": {"b": {}}, "required": ["b"]}]},
            ObjectType({"a": Property(TEXT, required=False), "b": Property(ANY)}, closed=True),
        ),
        ({"type": "nonsense"}, ANY),
        ({"enum": []}, ANY),
        ({"type": "object", "properties": [1], "required": "x"}, ObjectType()),
    ],
)
def test_from_schema(schema: Json, type_: Type) -> None:
    """What schemas say, and nothing for what they do not."""
    assert from_schema(schema) == type_


def test_a_schema_that_refers_to_itself_is_cut() -> None:
    """Where it recurs the type is unknown."""
    schema: Json = {"$ref": "#/$defs/N", "$defs": {"N": {"properties": {"next": {"$ref": "#/$defs/N"}}}}}
    assert from_schema(schema) == ObjectType({"next": Property(ANY, required=False)}, closed=True)
    nested: Json = {"type": "string"}
    for _ in range(500):
        nested = {"type": "array", "items": nested}
    assert isinstance(from_schema(nested), ListType)


class _Inner(BaseModel):
    size: int
    note: str | None = None


class _Model(BaseModel):
    name: str
    inner: _Inner
    many: list[_Inner] = []
    table: dict[str, float] = {}


def test_from_a_pydantic_model() -> None:
    """Both modes of a model's schema."""
    inner = ObjectType(
        {"size": Property(INTEGER), "note": Property(UnionType((TEXT, NULL)), required=False)}, closed=True
    )
    found = from_schema(_Model.model_json_schema())
    assert found == ObjectType(
        {
            "name": Property(TEXT),
            "inner": Property(inner),
            "many": Property(ListType(inner), required=False),
            "table": Property(ObjectType(rest=NUMBER), required=False),
        },
        closed=True,
    )


@pytest.mark.parametrize(
    ("type_", "words"),
    [
        (ANY, "any value"),
        (TEXT, "text"),
        (TextType(("a", "b")), "one of 'a', 'b'"),
        (INTEGER, "an integer"),
        (ListType(), "a list"),
        (ListType(TEXT), "a list of text"),
        (ListType(ListType(INTEGER)), "a list of lists"),
        (ObjectType({"b": Property(TEXT), "a": Property(TEXT)}), "an object with a, b"),
        (UnionType((TEXT, NULL)), "text or null"),
        (UnionType((TEXT, NUMBER, NULL)), "text, a number or null"),
    ],
)
def test_types_in_words(type_: Type, words: str) -> None:
    """For messages."""
    assert describe(type_) == words


def test_unions_are_flat_and_without_repetition() -> None:
    """Unknown swallows everything; choices are merged."""
    assert union() == ANY
    assert union(TEXT, ANY) == ANY
    assert union(TEXT, TEXT) == TEXT
    assert union(union(TEXT, NULL), NUMBER, INTEGER) == UnionType((NULL, NUMBER, TEXT)) or kinds(
        union(union(TEXT, NULL), NUMBER, INTEGER)
    ) == {"string", "null", "number"}
    assert union(TextType(("a",)), TextType(("b",))) == TextType(("a", "b"))
    assert union(TextType(("a",)), TEXT) == TEXT


def test_look_ups_in_unions() -> None:
    """A property that only some members have may be missing."""
    some = UnionType((ObjectType({"a": Property(TEXT)}, closed=True), NULL))
    found = find_property(some, "a")
    assert found is not None
    assert (found.type, found.present) == (TEXT, False)
    assert find_property(some, "b") is None
    assert find_property(TEXT, "a") is None


def test_type_of_a_value() -> None:
    """Empty lists know nothing of their items."""
    assert type_of([1, "a"]) == ListType(union(INTEGER, TextType(("a",))))
    assert type_of([]) == ListType(ANY)
    assert type_of({"a": True}) == ObjectType({"a": Property(BOOLEAN)}, closed=True)
