"""A report as Markdown (CommonMark with tables): every foreign text stands in code, where nothing is interpreted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from stepsmith_functions.runtime.reports.report import Document
from stepsmith_functions.runtime.reports.text import is_empty, shown, visible


def render(document: Document) -> str:
    """The document of a report as a page."""
    return "\n".join(_lines(document)) + "\n"


def _lines(document: Any) -> Iterator[str]:
    head, summary = document["report"], document["summary"]
    yield f"# {_escaped(head['title'])}"
    yield ""
    yield f"| {head['type'].capitalize()} report | |"
    yield "|---|---|"
    yield f"| Workflow | {_code(head['workflow'])} |"
    yield f"| Run | {_code(head['run_id'])} |"
    yield f"| Generated | {head['generated_at']} |"
    yield f"| Steps | {summary['steps']}{_counts(summary['by_status'])} |"
    yield f"| Started | {summary['started_at'] or 'unknown'} |"
    yield f"| Elapsed | {_duration(summary['elapsed_s'])} |"
    for note in document["notes"]:
        yield from ("", f"> {_escaped(note)}")
    if head["type"] == "incident":
        yield from _timeline(document["timeline"])
    elif head["type"] == "compliance":
        yield from _controls(document)
    else:
        yield from _table(
            "Steps",
            ("Step", "Action", "Status", "Attempts", "Duration"),
            [
                (_code(s["step"]), _code(s["action"]), s["status"], s["attempts"], _duration(s["duration_s"]))
                for s in document["steps"]
            ],
        )
        yield from _failures(document["steps"], "step", "error")
    if not is_empty(document["data"]):
        yield from ("", "## Data", "", *_fenced(document["data"]))


def _timeline(events: Any) -> Iterator[str]:
    yield from _table(
        "Timeline",
        ("Time", "Step", "Action", "Status", "Duration"),
        [
            (e["at"] or "", _code(e["step"]), _code(e["action"]), e["status"], _duration(e["duration_s"]))
            for e in events
        ],
    )
    yield from _failures(events, "step", "error")
    outputs = [event for event in events if not is_empty(event["output"])]
    if outputs:
        yield from ("", "## Outputs")
    for event in outputs:
        yield from ("", f"### {_code(event['step'])}", "", *_fenced(event["output"]))


def _controls(document: Any) -> Iterator[str]:
    verdict = {True: "compliant", False: "not compliant", None: "not assessed"}[document["compliant"]]
    yield from ("", f"**Result: {verdict}**")
    yield from _table(
        "Controls",
        ("Control", "Check", "Result", "Assessed", "Evidence (SHA-256)"),
        [
            (
                _code(c["control"]),
                _code(c["check"]),
                c["result"],
                c["assessed_at"] or "",
                _code(c["evidence_sha256"]),
            )
            for c in document["controls"]
        ],
    )
    yield from _failures(document["controls"], "control", "finding")


def _failures(entries: Any, name: str, error: str) -> Iterator[str]:
    failed = [entry for entry in entries if entry[error]]
    if failed:
        yield from ("", "## Findings" if error == "finding" else "## Errors", "")
    for entry in failed:
        yield f"- {_code(entry[name])}: {_code(entry[error]['type'])} {_code(entry[error]['message'])}"


def _table(title: str, heads: tuple[str, ...], rows: list[tuple[object, ...]]) -> Iterator[str]:
    yield from ("", f"## {title}", "")
    if not rows:
        yield "None."
        return
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield f"| {' | '.join(str(cell) for cell in row)} |"


def _counts(by_status: dict[str, int]) -> str:
    return f" ({', '.join(f'{count} {status}' for status, count in by_status.items())})" if by_status else ""


def _duration(seconds: float | None) -> str:
    return "unknown" if seconds is None else f"{seconds:g} s"


def _code(text: str | None) -> str:
    """A code span that `text` cannot leave: a longer fence than any in it, no line end, no cell end."""
    if text is None:
        return "none"
    line = re.sub(r"\s+", " ", shown(text)).replace("|", "\\|") or " "
    fence = "`" * (max((len(run) for run in re.findall(r"`+", line)), default=0) + 1)
    return f"{fence} {line} {fence}" if line.startswith("`") or line.endswith("`") else f"{fence}{line}{fence}"


def _fenced(value: Any) -> Iterator[str]:
    text = shown(value)
    fence = "`" * max(3, max((len(run) for run in re.findall(r"`+", text)), default=0) + 1)
    yield from (f"{fence}{'' if isinstance(value, str) else 'json'}", *text.splitlines(), fence)


def _escaped(text: str) -> str:
    line = re.sub(r"\s+", " ", visible(text)).strip()
    # A colon is escaped too, since readers turn a bare URL into a link.
    return re.sub(r"([\\`*_{}\[\]()#+.!|<>&~:@-])", r"\\\1", line)
