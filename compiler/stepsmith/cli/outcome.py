"""A run as lines for a person: its steps as a tree, how it ended, what it put out.

It reads the result that `run --json` prints, so that a run looks the same while it happens and years later.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from stepsmith.cli.console import Console, duration, seen
from stepsmith_functions.history.records import UNDO

Result = Mapping[str, object]

_MARKS: Final = {
    "succeeded": ("succeeded", "green"),
    "failed": ("failed", "red"),
    "skipped": ("skipped", "dim"),
    "cancelled": ("failed", "yellow"),
    "running": ("running", "cyan"),
    "pending": ("waiting", "dim"),
    "paused": ("waiting", "yellow"),
    "cancelling": ("waiting", "yellow"),
    "waiting": ("waiting", "cyan"),
    "rolled_back": ("retried", "yellow"),
    "rollback_failed": ("failed", "red"),
    "timed_out": ("failed", "red"),
}
_ENDED_WELL: Final = ("succeeded", "rolled_back")


def mark(status: str, console: Console) -> str:
    """The tick, cross or circle of a status."""
    symbol, style = _MARKS.get(status, ("waiting", "dim"))
    return console.style(console.symbol(symbol), style)


def coloured(status: str, console: Console, text: str | None = None) -> str:
    """A status in its colour."""
    return console.style(text or status.replace("_", " "), _MARKS.get(status, ("", "dim"))[1])


def step_lines(steps: Sequence[Result], console: Console) -> list[str]:
    """A line per step: tick, name, attempts, time and result, as wide as the console."""
    labels = list(_labels([str(step["path"]) for step in steps]))
    rows = []
    for step, (depth, label) in zip(steps, labels, strict=True):
        status = str(step["status"])
        name = label if status != "skipped" else console.style(label, "dim")
        rows.append(("  " * (depth + 1) + mark(status, console) + " " + name, _attempts(step, console), _time(step)))
    lines = console.table(rows)
    edge = max((seen(line) for line in lines), default=0) + 2
    shown = []
    for line, step in zip(lines, steps, strict=True):
        room = max(console.width - edge - 1, 20)
        detail = _detail(step, console, room)
        shown.append(line + " " * (edge - seen(line)) + detail if detail else line)
    return shown


def _labels(paths: Sequence[str]) -> Iterator[tuple[int, str]]:
    """How deep each path stands below the others, and what is left of it there."""
    known = set(paths)
    for path in paths:
        if path.endswith(UNDO) and path.removesuffix(UNDO) in known:
            yield 0, f"undo {path.removesuffix(UNDO)}"
            continue
        around = sorted((other for other in known if path.startswith((f"{other}.", f"{other}["))), key=len)
        rest = path[len(around[-1]) :].lstrip(".") if around else path
        yield len(around), rest


def _attempts(step: Result, console: Console) -> str:
    attempts = step.get("attempts")
    if not isinstance(attempts, int) or attempts <= 1:
        return ""
    return console.style(f"{console.symbol('retried')} {attempts} attempts", "yellow")


def _time(step: Result) -> str:
    started, ended = moment(step.get("started_at")), moment(step.get("ended_at"))
    if started is None or ended is None or step["status"] == "skipped":
        return ""
    seconds = (ended - started).total_seconds()
    return duration(seconds) if seconds else ""


def _detail(step: Result, console: Console, room: int) -> str:
    status, error = str(step["status"]), step.get("error")
    if isinstance(error, dict):
        return console.style(console.cut(f"{error['type']}: {error['message']}", room), "red")
    if status == "succeeded":
        output = step.get("output")
        text = "" if output is None else json.dumps(output, ensure_ascii=False)
        kept = f"run {str(step['from_run'])[:8]}  " if step.get("from_run") else ""
        return console.style(console.cut(kept + text, room), "dim")
    progress = step.get("progress")
    if isinstance(progress, dict):
        return coloured(status, console, console.cut(_progress(progress), room))
    return coloured(status, console)


def _progress(progress: Mapping[str, object]) -> str:
    """How far a step is, as its action tells."""
    percent = progress.get("percent")
    parts = [f"{percent:.0f} %" if isinstance(percent, int | float) else None]
    parts += [str(progress[name]) for name in ("message", "item") if progress.get(name)]
    return " ".join(part for part in parts if part)


def summary_line(result: Result, console: Console, *, virtual: bool) -> str:
    """How the run ended, in one line."""
    status = str(result["status"])
    elapsed = result.get("elapsed_s")
    took = f" in {duration(float(elapsed))}" if isinstance(elapsed, (int, float)) and elapsed else ""
    took += " of virtual time" if virtual and took else ""
    transitions = result.get("transitions")
    cost = f", {transitions} transition{'' if transitions == 1 else 's'}" if isinstance(transitions, int) else ""
    head = f"{mark(status, console)} {coloured(status, console)}"
    return f"{head}{took}{console.style(cost, 'dim')}"


def title_line(result: Result, console: Console) -> str:
    """What ran."""
    version = f" {result['version']}" if result.get("version") else ""
    run = console.style(f"run {result['run_id']}", "dim")
    return f"{console.style(str(result['workflow']), 'bold')}{version}  {run}"


def lineage_lines(result: Result, console: Console) -> list[str]:
    """Which runs this one goes on from, and which one goes on from it."""
    lines: list[str] = []
    before = result.get("continues")
    if isinstance(before, dict):
        where = f"from step {before['step']}" if before.get("step") else "behind its last step"
        text = f"continues run {str(before['run_id'])[:8]} {where}"
        if before["first"] != before["run_id"]:
            text += f"; the first was run {str(before['first'])[:8]}"
        lines.append(console.style(text, "dim"))
    if result.get("continued_by"):
        lines.append(console.style(f"continued by run {str(result['continued_by'])[:8]}", "dim"))
    return lines


def output_lines(result: Result, console: Console, *, most: int = 24) -> list[str]:
    """The run's output, cut after `most` lines."""
    output = result.get("output")
    if output is None:
        return []
    lines = json.dumps(output, indent=2, ensure_ascii=False).splitlines()
    if len(lines) > most:
        hidden = f"{console.symbol('ellipsis')} {len(lines) - most} more lines: --json shows all of it"
        lines = [*lines[:most], console.style(hidden, "dim")]
    widest = max(console.width, 40)
    return [line if seen(line) <= widest else line[: widest - 3] + console.symbol("ellipsis") for line in lines]


def moment(text: object) -> datetime | None:
    """The moment of an ISO 8601 text."""
    return datetime.fromisoformat(text) if isinstance(text, str) else None


def ended_well(result: Result) -> bool:
    return str(result["status"]) in _ENDED_WELL
