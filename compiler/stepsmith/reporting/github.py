"""Diagnostics as workflow commands of GitHub Actions, which shows them beside the changed lines.

The commands and their escapes are those of GitHub's page "Workflow commands for GitHub Actions".
"""

from __future__ import annotations

from collections.abc import Iterable

from stepsmith.diagnostics import Diagnostic, Severity

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.HINT: "notice"}


def render_github(diagnostics: Iterable[Diagnostic]) -> str:
    """One command a line and diagnostic."""
    return "".join(f"{_command(diagnostic)}\n" for diagnostic in diagnostics)


def _command(diagnostic: Diagnostic) -> str:
    span = diagnostic.span
    places = {"file": span.path, "line": str(span.start.line), "endLine": str(span.end.line)}
    # GitHub takes columns only where both ends lie on one line.
    if span.start.line == span.end.line:
        places |= {"col": str(span.start.column), "endColumn": str(span.end.column)}
    places["title"] = diagnostic.slug
    properties = ",".join(f"{name}={_property(value)}" for name, value in places.items())
    text = f"{diagnostic.message}\n{diagnostic.help}" if diagnostic.help else diagnostic.message
    return f"::{_COMMANDS[diagnostic.severity]} {properties}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
