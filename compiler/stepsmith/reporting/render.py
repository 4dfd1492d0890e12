"""Chooses the format of a report, and counts for its last line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import assert_never

from stepsmith.diagnostics import Diagnostic, Severity
from stepsmith.reporting.github import render_github
from stepsmith.reporting.machine import render_json
from stepsmith.reporting.sarif import render_sarif
from stepsmith.reporting.text import render_text
from stepsmith.source import SourceFile


class Format(StrEnum):
    """The formats of `stepsmith check --format`."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"


def render(
    diagnostics: Iterable[Diagnostic],
    sources: Mapping[str, SourceFile],
    format: Format | str = Format.TEXT,  # noqa: A002
    colour: bool = False,
) -> str:
    """The report on `diagnostics`, ending in a line end unless it is empty.

    `sources` holds the texts by the paths in the spans; a diagnostic of a file that is not there is shown
    without its line. `colour` adds ANSI colours to the text format and does nothing to the others.
    """
    found = list(diagnostics)
    match Format(format):
        case Format.TEXT:
            return render_text(found, sources, colour=colour) + (f"{summary(found)}\n" if found else "")
        case Format.JSON:
            return render_json(found)
        case Format.GITHUB:
            return render_github(found)
        case Format.SARIF:
            return render_sarif(found)
        case other:
            assert_never(other)


def summary(diagnostics: Iterable[Diagnostic]) -> str:
    """How many of each severity there are, in how many files: `2 errors, 1 warning in 3 files`."""
    found = list(diagnostics)
    counts = Counter(diagnostic.severity for diagnostic in found)
    files = len({diagnostic.span.path for diagnostic in found})
    parts = [_counted(counts[severity], severity.value) for severity in Severity if counts[severity]]
    return f"{', '.join(parts) or 'no problems'} in {_counted(files, 'file')}" if found else "no problems"


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"
