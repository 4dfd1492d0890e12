"""Samples obey the schemas that they are made from."""

from __future__ import annotations

import re
from typing import Any

import pytest

from stepsmith.expressions.types import from_schema
from stepsmith.rehearsals.samples import NoSampleError, matching, sample, sample_of_type
from stepsmith.schema import violations
from tests.rehearsals.conftest import CATALOG


@pytest.mark.parametrize(
    "pattern",
    ["^i-[0-9a-f]{8,17}$", "^[0-9a-f]{64}$", r"\d+\s\w?", "(a|b)c*", "[^a-z]x", r"^https?://[^/]+/.*$", "^$", "[^abc]"],
)
def test_a_text_matches_its_pattern(pattern: str) -> None:
    assert re.search(pattern, matching(pattern)) is not None


@pytest.mark.parametrize("pattern", ["(?=a)b", r"(a)\1x(?<!x)"])
def test_what_cannot_be_made_up_is_said(pattern: str) -> None:
    with pytest.raises(NoSampleError, match="could be made up"):
        matching(pattern)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string"}, "size"),
        ({"type": "string", "minLength": 6}, "sizexx"),
        ({"type": "string", "enum": ["b", "a"]}, "b"),
        ({"type": "string", "default": "d"}, "d"),
        ({"type": "string", "format": "email"}, "a@example.com"),
        ({"type": "integer", "minimum": 2}, 2),
        ({"type": "integer", "exclusiveMinimum": 7, "multipleOf": 5}, 15),
        ({"type": "integer", "maximum": -3}, -3),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 2}, [False, False]),
        ({"anyOf": [{"type": "null"}, {"type": "boolean"}]}, False),
        ({"type": "object", "properties": {"a": {"type": "null"}, "b": {}}, "required": ["a"]}, {"a": None}),
    ],
)
def test_sample(schema: dict[str, Any], expected: Any) -> None:
    assert sample(schema, "size") == expected


def test_a_wanted_property_is_there() -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}}
    assert sample(schema, "x", lambda name: name == "b") == {"b": "b"}
    assert sample_of_type(from_schema(schema), lambda name: name == "b") == {"b": "b"}


@pytest.mark.parametrize("name", CATALOG.names())
def test_every_action_has_a_sample_of_its_params_and_result(name: str) -> None:
    action = CATALOG.get(name)
    assert action is not None
    for schema in (action.params, action.result):
        assert list(violations(sample(schema), schema)) == []
        assert list(violations(sample(schema, "x", lambda _: True), schema)) == []
