"""Diagnostics as JSON, one object each, for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable

from stepsmith.diagnostics import Diagnostic


def render_json(diagnostics: Iterable[Diagnostic]) -> str:
    """A list of objects with the keys of `stepsmith check --format json`; lines and columns count from 1."""
    return json.dumps([_record(diagnostic) for diagnostic in diagnostics], indent=2, ensure_ascii=False) + "\n"


def _record(diagnostic: Diagnostic) -> dict[str, str | int]:
    span = diagnostic.span
    return {
        "file": span.path,
        "line": span.start.line,
        "column": span.start.column,
        "end_line": span.end.line,
        "end_column": span.end.column,
        "severity": diagnostic.severity.value,
        "slug": diagnostic.slug,
        "message": diagnostic.message,
        "help": diagnostic.help,
    }
