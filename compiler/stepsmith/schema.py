"""JSON Schema as far as workflows use it: which keywords an input may declare, and whether data obeys a schema.

It serves declared inputs, literal params, defaults and mocked results. Schemas of actions come from pydantic and may
use `$ref`, `$defs`, `anyOf` and `oneOf` besides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from stepsmith.diagnostics import did_you_mean
from stepsmith.document import Json

TYPES: Final = ("string", "integer", "number", "boolean", "array", "object", "null")

KEYWORDS: Final = (
    "type",
    "description",
    "title",
    "enum",
    "const",
    "examples",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "items",
    "minItems",
    "maxItems",
    "properties",
    "required",
    "additionalProperties",
)
"""What an input property's schema may say."""

Schema = Mapping[str, Json]
PathPart = str | int


@dataclass(frozen=True, slots=True)
class Violation:
    """A place in the data (keys and indexes from its root) and what is wrong there, such as `must be text`."""

    path: tuple[PathPart, ...]
    message: str

    def __str__(self) -> str:
        return f"{path_text(self.path)} {self.message}" if self.path else self.message


def path_text(path: Sequence[PathPart]) -> str:
    """A path as people write it: `hosts[0].name`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else part)
    return text


def type_name(value: Json) -> str:
    """The JSON Schema type of a value; a whole number is an `integer`."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "number"
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return "object"


def violations(value: Json, schema: Schema, *, root: Schema | None = None) -> Iterator[Violation]:
    """Everything in `value` that breaks `schema`. `root` holds the `$defs` that `$ref` points into."""
    yield from _violations(value, schema, root if root is not None else schema, ())


def _violations(value: Json, schema: Schema, root: Schema, path: tuple[PathPart, ...]) -> Iterator[Violation]:
    schema = resolve(schema, root)
    for keyword in ("anyOf", "oneOf"):
        options = schema.get(keyword)
        if isinstance(options, list):
            found = [list(_violations(value, as_schema(option), root, path)) for option in options]
            if all(found):
                nearest = max(found, key=lambda problems: max(len(problem.path) for problem in problems))
                yield (
                    nearest[0] if len(nearest[0].path) > len(path) else Violation(path, _expected(options, value, root))
                )
                return
    allowed = _types(schema)
    if allowed and not _is_of(value, allowed):
        yield Violation(path, f"must be {' or '.join(allowed)}, not {type_name(value)}")
        return
    choices = schema.get("enum")
    if isinstance(choices, list) and not any(same(value, choice) for choice in choices):
        yield Violation(path, f"must be one of {', '.join(show(choice) for choice in choices)}, not {show(value)}")
    if "const" in schema and not same(value, schema["const"]):
        yield Violation(path, f"must be {show(schema['const'])}, not {show(value)}")
    for keyword, check in _BOUNDS.items():
        bound = schema.get(keyword)
        problem = check(value, bound) if bound is not None else None
        if problem:
            yield Violation(path, problem)
    if isinstance(value, list):
        items = schema.get("items")
        if isinstance(items, dict):
            for index, item in enumerate(value):
                yield from _violations(item, items, root, (*path, index))
    if isinstance(value, dict):
        yield from _object_violations(value, schema, root, path)


def _object_violations(
    value: Mapping[str, Json], schema: Schema, root: Schema, path: tuple[PathPart, ...]
) -> Iterator[Violation]:
    properties = as_schema(schema.get("properties") or {})
    required = schema.get("required")
    for name in required if isinstance(required, list) else ():
        if isinstance(name, str) and name not in value:
            yield Violation((*path, name), "is missing")
    extra = schema.get("additionalProperties", True)
    for name, item in value.items():
        if name in properties:
            yield from _violations(item, as_schema(properties[name]), root, (*path, name))
        elif extra is False:
            yield Violation((*path, name), "is not known")
        elif isinstance(extra, dict):
            yield from _violations(item, extra, root, (*path, name))


def suggestion(value: Json, message: str) -> str:
    """What to write instead of `value`, of which a violation says `message`; empty when the message says it all."""
    if match := re.search(r"must be one of (.*), not ", message):
        choices = [choice.strip().strip('"') for choice in match[1].split(",")]
        return did_you_mean(str(value), choices, f"write {choices[0]}, or another of these")
    if "must be string, not" in message and isinstance(value, bool | int | float):
        return f'write it in quotes: "{show(value)}"'
    if match := re.search(r"must be (integer|number|boolean), not string", message):
        return _UNQUOTED[match[1]]
    if "must be array" in message:
        return "write a list: [first, second]"
    if "must be object" in message:
        return "write a mapping: {name: value}"
    return ""


_UNQUOTED: Final = {
    "integer": "write a whole number without quotes, such as 3",
    "number": "write a number without quotes, such as 1.5",
    "boolean": "write true or false without quotes",
}


def resolve(schema: Schema, root: Schema) -> Schema:
    """`schema` with a `$ref` into `root` followed (`#/$defs/NAME`)."""
    seen = 0
    while isinstance(reference := schema.get("$ref"), str) and seen < 32:
        found: Json = dict(root)
        for part in reference.removeprefix("#/").split("/"):
            found = found.get(part, {}) if isinstance(found, dict) else {}
        schema, seen = as_schema(found), seen + 1
    return schema


def as_schema(value: Json) -> Schema:
    """A schema node; anything that is no object allows everything, as `true` does."""
    return value if isinstance(value, dict) else {}


def same(left: Json, right: Json) -> bool:
    """Equality of JSON values: a boolean never equals a number."""
    if isinstance(left, bool) is not isinstance(right, bool):
        return False
    return left == right


def show(value: Json) -> str:
    """A short text of a value for a message."""
    text = f'"{value}"' if isinstance(value, str) else "null" if value is None else str(value)
    if isinstance(value, bool):
        text = "true" if value else "false"
    return text if len(text) <= 60 else text[:57] + "…"


def _types(schema: Schema) -> tuple[str, ...]:
    declared = schema.get("type")
    if isinstance(declared, str):
        return (declared,)
    return tuple(item for item in declared if isinstance(item, str)) if isinstance(declared, list) else ()


def _is_of(value: Json, allowed: Sequence[str]) -> bool:
    name = type_name(value)
    return name in allowed or (name == "integer" and "number" in allowed)


def _expected(options: Sequence[Json], value: Json, root: Schema) -> str:
    names = [name for option in options for name in _types(resolve(as_schema(option), root))]
    return f"must be {' or '.join(dict.fromkeys(names)) or 'one of the allowed forms'}, not {type_name(value)}"


def _number(value: Json) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _numeric(test: Callable[[float, float], bool], words: str) -> Callable[[Json, Json], str | None]:
    def check(value: Json, bound: Json) -> str | None:
        number, limit = _number(value), _number(bound)
        return (
            f"must be {words} {bound}" if number is not None and limit is not None and not test(number, limit) else None
        )

    return check


def _sized(kind: type[str] | type[list[Json]], least: bool, words: str) -> Callable[[Json, Json], str | None]:
    def check(value: Json, bound: Json) -> str | None:
        if not isinstance(value, kind) or not isinstance(bound, int):
            return None
        fits = len(value) >= bound if least else len(value) <= bound
        return None if fits else f"must have {'at least' if least else 'at most'} {bound} {words}"

    return check


def _pattern(value: Json, bound: Json) -> str | None:
    if isinstance(value, str) and isinstance(bound, str) and not re.search(bound, value):
        return f"must match {bound}"
    return None


_BOUNDS: Final[Mapping[str, Callable[[Json, Json], str | None]]] = {
    "minimum": _numeric(lambda number, limit: number >= limit, "at least"),
    "maximum": _numeric(lambda number, limit: number <= limit, "at most"),
    "exclusiveMinimum": _numeric(lambda number, limit: number > limit, "more than"),
    "exclusiveMaximum": _numeric(lambda number, limit: number < limit, "less than"),
    "multipleOf": _numeric(lambda number, limit: limit == 0 or number % limit == 0, "a multiple of"),
    "minLength": _sized(str, True, "characters"),
    "maxLength": _sized(str, False, "characters"),
    "minItems": _sized(list, True, "items"),
    "maxItems": _sized(list, False, "items"),
    "pattern": _pattern,
}
