"""Validates data against the JSON Schemas that we write for editors, independently of the compiler's own checks.

It knows the keywords that those schemas use and refuses any other, so that none is silently ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_ANNOTATIONS = {"$schema", "$defs", "title", "description", "default", "examples", "format"}
_KINDS: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "number": (int, float),
    "integer": int,
}


def problems(data: Any, schema: Any, root: Any = None, path: str = "$") -> Iterator[str]:
    """What in `data` breaks `schema` (JSON Schema 2020-12), each with its path."""
    root = schema if root is None else root
    if isinstance(schema, bool):
        if not schema:
            yield f"{path} is not allowed"
        return
    for keyword, value in schema.items():
        if keyword in _ANNOTATIONS:
            continue
        check = _CHECKS.get(keyword)
        if check is None:
            raise AssertionError(f"this validator does not know {keyword}")
        yield from check(data, value, schema, root, path)


def is_valid(data: Any, schema: Any, root: Any) -> bool:
    return not any(True for _ in problems(data, schema, root))


def _of_kind(data: Any, kind: str) -> bool:
    if kind in ("number", "integer") and isinstance(data, bool):
        return False
    if kind == "integer" and isinstance(data, float):
        return data.is_integer()
    return isinstance(data, _KINDS[kind])


def _same(one: Any, other: Any) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _ref(data: Any, value: str, schema: Any, root: Any, path: str) -> Iterator[str]:
    target = root
    for part in value.removeprefix("#/").split("/"):
        target = target[part]
    yield from problems(data, target, root, path)


def _type(data: Any, value: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
    kinds = [value] if isinstance(value, str) else value
    if not any(_of_kind(data, kind) for kind in kinds):
        yield f"{path} is no {' or '.join(kinds)}"


def _enum(data: Any, value: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
    if not any(_same(data, choice) for choice in value):
        yield f"{path} is none of {value}"


def _const(data: Any, value: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
    if not _same(data, value):
        yield f"{path} is not {value}"


def _pattern(data: Any, value: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
    if isinstance(data, str) and not re.search(value, data):
        yield f"{path} does not match {value}"


def _bound(low: bool, measure: Any, kind: Any) -> Any:
    def check(data: Any, value: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
        if isinstance(data, kind) and not isinstance(data, bool):
            size = measure(data)
            if size < value if low else size > value:
                yield f"{path} is past the limit {value}"

    return check


def _beyond(low: bool) -> Any:
    def check(data: Any, value: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
        if isinstance(data, int | float) and (data <= value if low else data >= value):
            yield f"{path} is past the limit {value}"

    return check


def _items(data: Any, value: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
    for at, item in enumerate(data if isinstance(data, list) else ()):
        yield from problems(item, value, root, f"{path}[{at}]")


def _properties(data: Any, value: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
    for name, inner in value.items() if isinstance(data, dict) else ():
        if name in data:
            yield from problems(data[name], inner, root, f"{path}.{name}")


def _additional(data: Any, value: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
    for name in data if isinstance(data, dict) else ():
        if name not in schema.get("properties", {}):
            yield from problems(data[name], value, root, f"{path}.{name}")


def _names(data: Any, value: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
    for name in data if isinstance(data, dict) else ():
        yield from problems(name, value, root, f"{path}.{name}")


def _required(data: Any, value: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
    for name in value if isinstance(data, dict) else ():
        if name not in data:
            yield f"{path} lacks {name}"


def _any_of(data: Any, value: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
    if not any(is_valid(data, option, root) for option in value):
        yield f"{path} is of none of the forms"


def _one_of(data: Any, value: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
    fitting = sum(is_valid(data, option, root) for option in value)
    if fitting != 1:
        yield f"{path} is of {fitting} of the forms"


def _all_of(data: Any, value: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
    for inner in value:
        yield from problems(data, inner, root, path)


def _if(data: Any, value: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
    if is_valid(data, value, root):
        yield from problems(data, schema.get("then", True), root, path)


def _nothing(data: Any, value: Any, schema: Any, root: Any, path: str) -> Iterator[str]:
    yield from ()


_CHECKS: dict[str, Any] = {
    "$ref": _ref,
    "type": _type,
    "enum": _enum,
    "const": _const,
    "pattern": _pattern,
    "minimum": _bound(True, lambda number: number, (int, float)),
    "maximum": _bound(False, lambda number: number, (int, float)),
    "exclusiveMinimum": _beyond(True),
    "exclusiveMaximum": _beyond(False),
    "minLength": _bound(True, len, str),
    "maxLength": _bound(False, len, str),
    "minItems": _bound(True, len, list),
    "maxItems": _bound(False, len, list),
    "minProperties": _bound(True, len, dict),
    "maxProperties": _bound(False, len, dict),
    "items": _items,
    "properties": _properties,
    "additionalProperties": _additional,
    "propertyNames": _names,
    "required": _required,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "allOf": _all_of,
    "if": _if,
    "then": _nothing,
}
