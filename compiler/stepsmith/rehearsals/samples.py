"""Values that a schema or a type allows: plain ones, always the same, to stand where nobody has written any.

A sample is small: what is required, and what the caller names. It makes no claim to be likely.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any, Final, TypeAlias

from stepsmith.document import Json
from stepsmith.expressions.types import (
    AnyType,
    BooleanType,
    ListType,
    NullType,
    NumberType,
    ObjectType,
    TextType,
    Type,
    UnionType,
)
from stepsmith.schema import Schema, as_schema, resolve, violations

Wanted: TypeAlias = Callable[[str], bool]
"""Whether a property that need not be there shall be."""
_DEEPEST: Final = 8
_FORMATS: Final = {
    "date-time": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "time": "00:00:00Z",
    "email": "a@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "192.0.2.1",
}


class NoSampleError(Exception):
    """The schema asks for what is not made up here; the text says what."""


def sample(schema: Schema, name: str = "value", wanted: Wanted = lambda _: False) -> Json:
    """A value that `schema` allows. `name` is what it is called. Raises NoSampleError."""
    value = _sample(schema, schema, name, wanted, 0)
    problem = next(violations(value, schema), None)
    if problem is not None:
        raise NoSampleError(f"no value of {name} could be made up: {problem}")
    return value


def _sample(schema: Schema, root: Schema, name: str, wanted: Wanted, depth: int) -> Json:
    schema = resolve(schema, root)
    for key in ("default", "const"):
        if key in schema:
            return schema[key]
    for key in ("enum", "examples"):
        choices = schema.get(key)
        if isinstance(choices, list) and choices:
            return choices[0]
    for key in ("anyOf", "oneOf"):
        choices = schema.get(key)
        if isinstance(choices, list) and choices:
            options = [as_schema(choice) for choice in choices]
            filled = [option for option in options if option.get("type") != "null"]
            return _sample((filled or options)[0], root, name, wanted, depth)
    kinds = schema.get("type")
    match kinds[0] if isinstance(kinds, list) and kinds else kinds:
        case "string":
            return _text(schema, name)
        case "integer" | "number":
            return _number(schema)
        case "boolean":
            return False
        case "array":
            least = schema.get("minItems")
            count = max(least if isinstance(least, int) else 0, 1) if depth < _DEEPEST else 0
            item = as_schema(schema.get("items") or {})
            return [_sample(item, root, name, wanted, depth + 1) for _ in range(count)]
        case "object":
            return _object(schema, root, wanted, depth)
        case "null":
            return None
    return _object(schema, root, wanted, depth) if "properties" in schema else name


def _object(schema: Schema, root: Schema, wanted: Wanted, depth: int) -> Json:
    required = schema.get("required")
    names = required if isinstance(required, list) else []
    properties = as_schema(schema.get("properties") or {})
    return {
        key: _sample(as_schema(inner), root, key, wanted, depth + 1)
        for key, inner in properties.items()
        if key in names or (wanted(key) and depth < _DEEPEST)
    }


def _text(schema: Schema, name: str) -> str:
    pattern, least, most = schema.get("pattern"), schema.get("minLength"), schema.get("maxLength")
    text = _FORMATS.get(str(schema.get("format")), name)
    if isinstance(pattern, str) and re.search(pattern, text) is None:
        text = matching(pattern)
    if isinstance(least, int) and len(text) < least:
        text = text.ljust(least, "x")
    return text[:most] if isinstance(most, int) else text


def _number(schema: Schema) -> int | float:
    step = schema.get("multipleOf")
    step = step if isinstance(step, int | float) and step > 0 else 1
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    high, below = schema.get("maximum"), schema.get("exclusiveMaximum")
    value: int | float = 0 if schema.get("type") == "number" or "minimum" in schema else step
    if isinstance(low, int | float):
        value = max(value, low)
    if isinstance(above, int | float) and value <= above:
        value = above + step
    if isinstance(high, int | float):
        value = min(value, high)
    if isinstance(below, int | float) and value >= below:
        value = below - step
    return value if value % step == 0 else value - value % step + step


def matching(pattern: str) -> str:
    """A text that the regular expression finds. Raises NoSampleError for one that asks for what is not made up."""
    try:
        text = "".join(_pieces(_parser.parse(pattern)))
    except (re.error, KeyError) as error:
        raise NoSampleError(f"no text for {pattern!r} could be made up") from error
    if re.search(pattern, text) is None:
        raise NoSampleError(f"no text for {pattern!r} could be made up")
    return text


def _pieces(parsed: Any) -> Iterator[str]:
    for kind, given in parsed:
        if kind is ops.LITERAL:
            yield chr(given)
        elif kind is ops.ANY:
            yield "x"
        elif kind is ops.NOT_LITERAL:
            yield "x" if given != ord("x") else "y"
        elif kind is ops.IN:
            yield _of_class(given)
        elif kind is ops.CATEGORY:
            yield _CATEGORIES[given]
        elif kind in (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT):
            least, most, inner = given
            yield "".join(_pieces(inner)) * min(max(least, 1), int(most))
        elif kind is ops.SUBPATTERN:
            yield from _pieces(given[-1])
        elif kind is ops.BRANCH:
            yield from _pieces(given[1][0])
        elif kind is not ops.AT:
            raise KeyError(kind)


_CATEGORIES: Final = {
    ops.CATEGORY_DIGIT: "0",
    ops.CATEGORY_WORD: "a",
    ops.CATEGORY_SPACE: " ",
    ops.CATEGORY_NOT_DIGIT: "a",
    ops.CATEGORY_NOT_WORD: "-",
    ops.CATEGORY_NOT_SPACE: "a",
}


def _of_class(members: Any) -> str:
    if members[0][0] is ops.NEGATE:
        pattern = re.compile("[" + "".join(_spelled(*member) for member in members[1:]) + "]")
        return next(char for char in "a0-_ ." if not pattern.match(char))
    kind, given = members[0]
    if kind is ops.LITERAL:
        return chr(given)
    return chr(given[0]) if kind is ops.RANGE else _CATEGORIES[given]


def _spelled(kind: Any, given: Any) -> str:
    if kind is ops.LITERAL:
        return re.escape(chr(given))
    if kind is ops.RANGE:
        return f"{re.escape(chr(given[0]))}-{re.escape(chr(given[1]))}"
    return {ops.CATEGORY_DIGIT: r"\d", ops.CATEGORY_WORD: r"\w", ops.CATEGORY_SPACE: r"\s"}[given]


def sample_of_type(type_: Type, wanted: Wanted, name: str = "value", depth: int = 0) -> Json:
    """A value of a static type. An object has what is required of it and what is wanted."""
    match type_:
        case TextType(choices):
            return choices[0] if choices else name
        case NumberType():
            return 0
        case BooleanType():
            return False
        case NullType():
            return None
        case ListType(item):
            return [sample_of_type(item, wanted, name, depth + 1)] if depth < _DEEPEST else []
        case ObjectType(properties):
            return {
                key: sample_of_type(found.type, wanted, key, depth + 1)
                for key, found in properties.items()
                if wanted(key) and depth < _DEEPEST
            }
        case UnionType(members):
            filled = (member for member in members if not isinstance(member, NullType))
            return sample_of_type(next(filled, members[0]), wanted, name, depth)
        case AnyType():
            return name
