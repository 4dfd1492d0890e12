"""The reference page of a project's actions, docs/actions.md, from their catalogue."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final

from stepsmith.catalog import ActionCatalog, ActionSignature
from stepsmith.durations import format_duration
from stepsmith.schema import Schema, as_schema, resolve

_INTRODUCTION: Final = """\
# Actions

What a step can do with `action: NAME` and `params`. This page is written by `stepsmith build` from the actions
themselves; `stepsmith actions NAME` says the same on a terminal.

An action only reads, writes, or destroys. One that may be repeated does no harm when a retry runs it twice. A retry
helps against the errors that are marked so; a handler may name an error or one of the classes above it. Of a result
above 192 KiB the large fields come as references, which the params of every action take for the values
([Large results](language.md#large-results)).
"""
_EFFECTS: Final = {"read": "Only reads", "write": "Writes", "destructive": "Destroys"}
_LIMITS: Final = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "matches `{}`",
}


def action_page(catalog: ActionCatalog) -> str:
    """The page's text."""
    rows = [(f"[`{each.name}`](#{each.name})", each.effect, each.summary) for each in catalog]
    parts = [_INTRODUCTION, *_table(("action", "effect", "what it does"), rows), ""]
    for action in catalog:
        parts += _section(action)
    return "\n".join(parts)


def _section(action: ActionSignature) -> Iterator[str]:
    yield f"## {action.name}"
    yield ""
    yield f"{action.summary}."
    if action.description:
        yield ""
        yield action.description
    yield ""
    repeat = "may be repeated" if action.repeatable else "must not be repeated blindly"
    bounds = f"{format_duration(action.timeout)} at most, {action.memory} MB"
    yield f"{_EFFECTS[action.effect]}; {repeat}; {bounds}."
    yield ""
    yield from _fields("param", action.params)
    yield from _fields("result", action.result)
    errors = [
        (
            f"`{error.name}`",
            "yes" if error.retryable else "",
            ", ".join(f"`{base}`" for base in error.bases),
            error.summary,
        )
        for error in sorted(action.errors, key=lambda item: item.name)
    ]
    yield from (*_table(("error", "worth a retry", "is a", "when"), errors), "")
    if action.permissions:
        permissions = [(_codes(each.actions), _codes(each.resources)) for each in action.permissions]
        yield from (*_table(("may call", "on"), permissions), "")
    if action.environment:
        settings = [(f"`{name}`", f"`{value}`") for name, value in action.environment.items()]
        yield from (*_table(("environment", "from"), settings), "")
    yield from ("```yaml", f"- action: {action.name}")
    if action.example:
        yield "  params:"
        yield from (f"    {name}: {json.dumps(value, ensure_ascii=False)}" for name, value in action.example.items())
    yield from ("```", "")


def _fields(title: str, schema: Schema) -> Iterator[str]:
    properties = as_schema(schema.get("properties") or {})
    if not properties:
        return
    required = schema.get("required")
    needed = required if isinstance(required, list) else []
    rows = []
    for name, inner in properties.items():
        found = as_schema(inner)
        words = [str(found.get("description", "")), _default(found, name in needed), _limits(found)]
        rows.append(
            (f"`{name}`", _kind(found, schema), "" if name in needed else "optional", " ".join(filter(None, words)))
        )
    yield from (*_table((title, "type", "", "meaning"), rows), "")


def _kind(schema: Schema, root: Schema) -> str:
    found = resolve(schema, root)
    options = found.get("anyOf") or found.get("oneOf")
    if isinstance(options, list):
        kinds = [_kind(as_schema(option), root) for option in options]
        return " or ".join(kind for kind in dict.fromkeys(kinds) if kind != "null")
    choices = found.get("enum")
    if isinstance(choices, list):
        return ", ".join(f"`{choice}`" for choice in choices)
    if "const" in found:
        return f"`{found['const']}`"
    kind = str(found.get("type", "any"))
    return f"list of {_kind(as_schema(found.get('items', {})), root)}" if kind == "array" else kind


def _default(schema: Schema, needed: bool) -> str:
    value = schema.get("default")
    return "" if needed or value is None else f"Default: `{json.dumps(value, ensure_ascii=False)}`."


def _limits(schema: Schema) -> str:
    options = schema.get("anyOf")
    bodies = [as_schema(option) for option in options] if isinstance(options, list) else [schema]
    found = [words.format(body[name]) for body in bodies for name, words in _LIMITS.items() if name in body]
    text = (
        ", ".join(dict.fromkeys(found))
        .replace("at least 1 characters", "not empty")
        .replace("at least 1 items", "not empty")
    )
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _codes(texts: Sequence[str]) -> str:
    return ", ".join(f"`{text}`" for text in texts)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in line)} |" for line in lines]
