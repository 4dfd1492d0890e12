"""A report as one HTML page that loads nothing, runs nothing and prints well."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

from pydantic import JsonValue

from stepsmith_functions.runtime.reports.report import Document
from stepsmith_functions.runtime.reports.text import is_empty, shown, visible

_GOOD = frozenset({"succeeded", "pass", "rolled_back"})
_BAD = frozenset({"failed", "fail", "cancelled", "timed_out", "rollback_failed"})

_STYLE = """
:root { color-scheme: light dark; --ink: #1a2230; --soft: #5b6675; --line: #dde3ea; --page: #f4f6f9; --card: #ffffff;
  --good: #12704a; --good-back: #e3f4ec; --bad: #b3261e; --bad-back: #fce9e7; --idle: #5b6675; --idle-back: #e9edf2;
  --accent: #23456e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ecf2; --soft: #9aa6b5; --line: #313a47; --page: #12161c;
  --card: #1b212a; --good: #6fd3a4; --good-back: #17382b; --bad: #ff9d94; --bad-back: #47211e; --idle: #a9b4c2;
  --idle-back: #2a323d; --accent: #3b669c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI",
  Roboto, "Helvetica Neue", sans-serif; }
header { background: var(--accent); color: #ffffff; padding: 28px 0 26px; }
main, header > div { max-width: 960px; margin: 0 auto; padding: 0 24px; }
header p { margin: 0; opacity: .85; } h1 { margin: 4px 0 8px; font-size: 26px; line-height: 1.25; overflow-wrap:
anywhere; }
.kind { font-size: 12px; letter-spacing: .09em; text-transform: uppercase; font-weight: 600; }
h2 { font-size: 17px; margin: 30px 0 10px; }
section.figures { display: flex; flex-wrap: wrap; gap: 12px; margin-top: -14px; }
.figure { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 10px 16px; min-width:
118px; }
.figure b { display: block; font-size: 20px; line-height: 1.3; } .figure span { color: var(--soft); font-size: 13px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 4px 0; margin-bottom:
12px; } table { border-collapse: collapse; width: 100%; } caption { display: none; }
th { text-align: left; font-size: 12px; color: var(--soft); font-weight: 600; }
th, td { padding: 8px 16px; vertical-align: top; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
tr:last-child > td, tr:last-child > th[scope=row] { border-bottom: 0; } td.fixed { white-space: nowrap; }
table.facts th { width: 190px; font-size: 13px; } table.facts table th, table.facts table td { padding: 4px 8px 4px 0; }
code, pre { font: 13px/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; } .digest { font-size: 11px; color: var(--soft); }
.mark { display: inline-block; border-radius: 999px; padding: 1px 10px; font-size: 12px; font-weight: 600;
white-space: nowrap;
  color: var(--idle); background: var(--idle-back); }
.mark.good { color: var(--good); background: var(--good-back); } .mark.bad { color: var(--bad); background:
var(--bad-back); }
.error { color: var(--bad); margin-top: 4px; } .note { border-left: 3px solid var(--bad); padding: 8px 16px; }
footer { color: var(--soft); font-size: 13px; margin: 34px 0 40px; }
@media print { body { background: #ffffff; } header { color: #000000; background: none; padding: 0; } .card, .figure {
break-inside: avoid; }
  section.figures { margin-top: 12px; } }
"""


def render(document: Document) -> str:
    """The document of a report as a page."""
    return "".join(_page(document))


def _page(document: Any) -> Iterator[str]:
    head, summary = document["report"], document["summary"]
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield f"<title>{_text(head['title'])}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
    yield f'<header><div><p class="kind">{_text(head["type"])} report</p><h1>{_text(head["title"])}</h1>'
    yield f"<p>{_text(head['generated_at'])}</p></div></header>\n<main>\n"
    yield '<section class="figures">'
    yield _figure(str(summary["steps"]), "steps")
    for status, count in summary["by_status"].items():
        yield _figure(str(count), status)
    yield _figure(_duration(summary["elapsed_s"]), "elapsed")
    if "compliant" in document:
        yield _figure({True: "Yes", False: "No", None: "Unknown"}[document["compliant"]], "compliant")
    yield "</section>\n"
    for note in document["notes"]:
        yield f'<p class="card note">{_text(note)}</p>\n'
    yield from _run(head, summary)
    if head["type"] == "incident":
        yield from _timeline(document["timeline"])
    elif head["type"] == "compliance":
        yield from _controls(document["controls"])
    else:
        yield from _steps(document["steps"])
    if not is_empty(document["data"]):
        yield f'<h2>Data</h2>\n<div class="card">{_value(document["data"])}</div>\n'
    yield f"<footer>Written by Stepsmith at {_text(head['generated_at'])}. All times are UTC.</footer>\n"
    yield "</main>\n</body>\n</html>\n"


def _run(head: Any, summary: Any) -> Iterator[str]:
    facts: dict[str, JsonValue] = {
        "Workflow": head["workflow"],
        "Run": head["run_id"],
        "Started": summary["started_at"],
    }
    yield f'<h2>Run</h2>\n<div class="card">{_value({k: v for k, v in facts.items() if v} or "Invoked alone")}</div>\n'


def _timeline(events: Any) -> Iterator[str]:
    yield "<h2>Timeline</h2>\n"
    yield from _table(
        ("Time", "Step", "Status", "Duration"),
        [
            (
                f'<td class="fixed">{_text(event["at"] or "")}</td>',
                f"<td><code>{_text(event['step'])}</code><br>{_text(event['action'])}{_error(event['error'])}</td>",
                f"<td>{_mark(event['status'])}{_attempts(event['attempts'])}</td>",
                f'<td class="fixed">{_duration(event["duration_s"])}</td>',
            )
            for event in events
        ],
    )
    for event in events:
        if not is_empty(event["output"]):
            yield f"<h2>Output of <code>{_text(event['step'])}</code></h2>\n"
            yield f'<div class="card">{_value(event["output"])}</div>\n'


def _controls(controls: Any) -> Iterator[str]:
    yield "<h2>Controls</h2>\n"
    yield from _table(
        ("Control", "Result", "Assessed", "Evidence (SHA-256)"),
        [
            (
                f"<td><code>{_text(c['control'])}</code><br>{_text(c['check'])}{_error(c['finding'])}</td>",
                f"<td>{_mark(c['result'])}</td>",
                f'<td class="fixed">{_text(c["assessed_at"] or "")}</td>',
                f'<td><code class="digest">{_text(c["evidence_sha256"] or "")}</code></td>',
            )
            for c in controls
        ],
    )


def _steps(steps: Any) -> Iterator[str]:
    yield "<h2>Steps</h2>\n"
    yield from _table(
        ("Step", "Status", "Duration"),
        [
            (
                f"<td><code>{_text(step['step'])}</code><br>{_text(step['action'])}{_error(step['error'])}</td>",
                f"<td>{_mark(step['status'])}{_attempts(step['attempts'])}</td>",
                f'<td class="fixed">{_duration(step["duration_s"])}</td>',
            )
            for step in steps
        ],
    )


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    if not rows:
        yield "<p>None.</p>\n"
        return
    yield '<div class="card"><table><thead><tr>'
    yield "".join(f'<th scope="col">{head}</th>' for head in heads)
    yield "</tr></thead><tbody>\n"
    for row in rows:
        yield f"<tr>{''.join(row)}</tr>\n"
    yield "</tbody></table></div>\n"


def _value(value: JsonValue, depth: int = 0) -> str:
    """A mapping as a table of facts, three levels deep; anything else as text."""
    if isinstance(value, dict) and value and depth < 3:
        rows = (f'<tr><th scope="row">{_text(k)}</th><td>{_value(v, depth + 1)}</td></tr>' for k, v in value.items())
        return f'<table class="facts"><tbody>{"".join(rows)}</tbody></table>'
    content = f"<pre>{html.escape(shown(value))}</pre>"
    return content if depth else f'<table class="facts"><tbody><tr><td>{content}</td></tr></tbody></table>'


def _figure(number: str, label: str) -> str:
    return f'<div class="figure"><b>{_text(number)}</b><span>{_text(label.replace("_", " "))}</span></div>'


def _mark(status: str) -> str:
    kind = " good" if status in _GOOD else " bad" if status in _BAD else ""
    return f'<span class="mark{kind}">{_text(status.replace("_", " "))}</span>'


def _attempts(count: int) -> str:
    return f"<br>{count} attempts" if count > 1 else ""


def _error(error: Any) -> str:
    if not error:
        return ""
    return f'<div class="error"><b>{_text(error["type"])}</b> {html.escape(shown(error["message"]))}</div>'


def _duration(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:g} s"


def _text(text: str) -> str:
    return html.escape(visible(text))
