"""Verdicts for programs: as JSON, and as the JUnit XML that CI systems read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree

from stepsmith.diagnostics import Diagnostic
from stepsmith.document import Json
from stepsmith.rehearsals.coverage import Coverage
from stepsmith.rehearsals.model import MISSING, Compared, Difference, Missing, Outcome, Verdict


def as_json(verdicts: Sequence[Verdict]) -> dict[str, Json]:
    """`{"passed", "failed", "invalid", "seconds", "rehearsals": [{"name", "file", "workflow", "outcome", "seconds",
    "differences", "diagnostics", "run"}]}`; a difference is `{"file", "line", "column", "what", "expected", "actual",
    "note"}`, without `expected` or `actual` where there is none, and `run` is what `run --json` prints."""
    counts = {outcome.value: sum(item.outcome is outcome for item in verdicts) for outcome in Outcome}
    return {
        **counts,
        "seconds": round(sum(item.seconds for item in verdicts), 3),
        "rehearsals": [_verdict(item) for item in verdicts],
    }


def _verdict(verdict: Verdict) -> dict[str, Json]:
    return {
        "name": verdict.name,
        "file": verdict.file,
        "workflow": verdict.workflow,
        "outcome": verdict.outcome.value,
        "seconds": round(verdict.seconds, 3),
        "differences": [_difference(item) for item in verdict.differences],
        "diagnostics": [_diagnostic(item) for item in verdict.diagnostics],
        "run": verdict.report.result if verdict.report else None,
    }


def _difference(item: Difference) -> dict[str, Json]:
    found: dict[str, Json] = {
        "file": item.span.path,
        "line": item.span.start.line,
        "column": item.span.start.column,
        "what": item.what,
        "note": item.note,
    }
    for name, value in (("expected", item.expected), ("actual", item.actual)):
        if not isinstance(value, Missing):
            found[name] = value
    return found


def _diagnostic(item: Diagnostic) -> dict[str, Json]:
    return {
        "file": item.span.path,
        "line": item.span.start.line,
        "column": item.span.start.column,
        "severity": item.severity.value,
        "slug": item.slug,
        "message": item.message,
        "help": item.help,
    }


def junit(verdicts: Sequence[Verdict], covered: Sequence[Coverage] = (), least: int | None = None) -> str:
    """A `testsuite` with a `testcase` for each rehearsal; one with mistakes is an `error`. Where coverage was asked
    for, another with one for each workflow, which fails below `least` per cent."""
    suite = ElementTree.Element(
        "testsuite",
        name="stepsmith",
        tests=str(len(verdicts)),
        failures=str(sum(item.outcome is Outcome.FAILED for item in verdicts)),
        errors=str(sum(item.outcome is Outcome.INVALID for item in verdicts)),
        skipped="0",
        time=f"{sum(item.seconds for item in verdicts):.3f}",
    )
    for item in verdicts:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=item.workflow or "rehearsals",
            name=item.name,
            file=item.file,
            time=f"{item.seconds:.3f}",
        )
        if item.outcome is Outcome.FAILED:
            lines = [f"{difference.span}: {sentence(difference)}" for difference in item.differences]
            _problem(case, "failure", f"{len(lines)} of what was expected came out otherwise", lines)
        elif item.outcome is Outcome.INVALID:
            lines = [f"{found.span}: {found.message} [{found.slug}]" for found in item.diagnostics]
            _problem(case, "error", lines[0] if lines else "the rehearsal cannot be read", lines)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    if covered:
        root.append(_coverage_suite(covered, least))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _coverage_suite(covered: Sequence[Coverage], least: int | None) -> ElementTree.Element:
    short = [item for item in covered if least is not None and item.all.percent < least]
    counts = {"tests": len(covered), "failures": len(short), "errors": 0, "skipped": 0}
    suite = ElementTree.Element("testsuite", {name: str(count) for name, count in counts.items()}, name="coverage")
    for item in covered:
        case = ElementTree.SubElement(suite, "testcase", classname="coverage", name=item.workflow, file=item.file)
        told = f"{item.all.taken} of {item.all.total} edges taken: {item.all.percent} %"
        lines = [f"{gap.span}: {gap.never}" for gap in item.gaps]
        if item in short:
            _problem(case, "failure", f"{told}, {least} % are asked", lines)
        else:
            ElementTree.SubElement(case, "system-out").text = _printable("\n".join([told, *lines]))
    return suite


def _problem(case: ElementTree.Element, kind: str, message: str, lines: Iterable[str]) -> None:
    element = ElementTree.SubElement(case, kind, message=_printable(message))
    element.text = _printable("\n".join(lines))


def _printable(text: str) -> str:
    """XML 1.0 has no control characters but these three."""
    return "".join(char if char >= " " or char in "\t\n\r" else "�" for char in text)


def sentence(difference: Difference) -> str:
    """A difference in one line."""
    if difference.note:
        return f"{difference.what}: {difference.note}"
    return f"{difference.what}: expected {written(difference.expected)}, got {written(difference.actual)}"


def written(value: Compared) -> str:
    """A value as it would be written, in one line."""
    return "nothing" if value is MISSING else json.dumps(value, ensure_ascii=False)
