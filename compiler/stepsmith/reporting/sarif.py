"""Diagnostics as SARIF 2.1.0, the OASIS format that code scanning services take."""

from __future__ import annotations

import json
from collections.abc import Iterable
from urllib.parse import quote

from stepsmith import __version__
from stepsmith.diagnostics import Diagnostic, Severity
from stepsmith.document import Json

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.HINT: "note"}


def render_sarif(diagnostics: Iterable[Diagnostic]) -> str:
    """A log of one run. A rule is a slug; its default level is that of the first diagnostic that has it."""
    found = list(diagnostics)
    levels: dict[str, Severity] = {}
    for diagnostic in found:
        levels.setdefault(diagnostic.slug, diagnostic.severity)
    slugs = sorted(levels)
    indexes = {slug: index for index, slug in enumerate(slugs)}
    rules: list[Json] = [
        {
            "id": slug,
            "shortDescription": {"text": slug.replace("-", " ").capitalize()},
            "defaultConfiguration": {"level": _LEVELS[levels[slug]]},
        }
        for slug in slugs
    ]
    results: list[Json] = [_result(diagnostic, indexes[diagnostic.slug]) for diagnostic in found]
    log: Json = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "stepsmith", "semanticVersion": __version__, "rules": rules}},
                "columnKind": "unicodeCodePoints",
                "results": results,
            }
        ],
    }
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _result(diagnostic: Diagnostic, rule_index: int) -> Json:
    span = diagnostic.span
    text = f"{diagnostic.message}. {diagnostic.help}" if diagnostic.help else diagnostic.message
    return {
        "ruleId": diagnostic.slug,
        "ruleIndex": rule_index,
        "level": _LEVELS[diagnostic.severity],
        "message": {"text": text},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _uri(span.path)},
                    "region": {
                        "startLine": span.start.line,
                        "startColumn": span.start.column,
                        "endLine": span.end.line,
                        "endColumn": span.end.column,
                    },
                }
            }
        ],
    }


def _uri(path: str) -> str:
    """A path as the URI reference that SARIF asks for; relative paths stay so, to the checkout's root."""
    return quote(path.replace("\\", "/"), safe="/~!$&'()*+,;=@")
