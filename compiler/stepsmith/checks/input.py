"""The declared input must be one that Step Functions can check before the first step."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stepsmith.checks.context import CheckContext
from stepsmith.document import Json
from stepsmith.expressions import regexes
from stepsmith.expressions.values import Refused
from stepsmith.schema import Schema, as_schema

_PLAINER = "write a pattern without it, and let the first step look closer"


def check_input(context: CheckContext) -> None:
    for item in context.workflow.input or ():
        for pattern in _patterns(item.schema):
            if not _is_python(pattern):
                continue  # The reader has said so, where it is written.
            try:
                regexes.read(pattern)
            except Refused as problem:
                context.diagnostics.error(
                    "bad-schema", f"the pattern of {item.name}: {problem.message}", item.span, problem.help or _PLAINER
                )


def _is_python(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def _patterns(schema: Schema) -> Iterator[str]:
    """Every pattern in a schema, those of items and properties included."""
    pattern: Json = schema.get("pattern")
    if isinstance(pattern, str):
        yield pattern
    if "items" in schema:
        yield from _patterns(as_schema(schema["items"]))
    for inner in as_schema(schema.get("properties")).values():
        yield from _patterns(as_schema(inner))
