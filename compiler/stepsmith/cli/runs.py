"""`stepsmith runs`: the runs of this project, the latest first."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from typing import Final

from stepsmith.cli.console import Console, duration
from stepsmith.cli.failures import CommandError, Exit
from stepsmith.cli.history import add_place, histories, unavailable
from stepsmith.cli.outcome import coloured, mark
from stepsmith.durations import DurationError, parse_duration
from stepsmith_functions.history.records import RunStatus, RunSummary
from stepsmith_functions.history.result import run_summary
from stepsmith_functions.history.store import HistoryError, RunQuery

EXAMPLE: Final = """
    stepsmith runs
    stepsmith runs --workflow critical-threat-response --status failed --since 2h
"""
_SHORT: Final = 8
"""Characters of a run's id that a list shows, unless two runs share them."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workflow", metavar="NAME", help="only runs of this workflow")
    parser.add_argument("--status", choices=[status.value for status in RunStatus], help="only runs with this status")
    parser.add_argument("--since", metavar="WHEN", help="only runs started since then: 30m, 2h, 1d, or 2026-05-04")
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="at most so many (default: 20)")
    parser.add_argument("--json", action="store_true", help="as JSON")
    add_place(parser)


def execute(arguments: argparse.Namespace, console: Console) -> int:
    if not 1 <= arguments.limit <= 1000:
        raise CommandError("--limit is from 1 to 1000")
    now = datetime.now(UTC)
    query = RunQuery(
        workflow=arguments.workflow,
        status=RunStatus(arguments.status) if arguments.status else None,
        since=since(arguments.since, now) if arguments.since else None,
    )
    try:
        page = histories(arguments).store.runs(query, limit=arguments.limit)
    except HistoryError as error:
        raise unavailable(error) from error
    if arguments.json:
        console.print_json([run_summary(run) for run in page.items])
        return Exit.DONE
    if not page.items:
        filtered = arguments.workflow or arguments.status or arguments.since
        console.print("no such runs" if filtered else "no runs yet: stepsmith run WORKFLOW makes one")
        return Exit.DONE
    short = _short_ids([run.run_id for run in page.items])
    rows = [_row(run, short, now, console) for run in page.items]
    header: tuple[str, ...] = ("RUN", "WORKFLOW", "STATUS", "STARTED", "TOOK", "ERROR")
    if any(run.continues for run in page.items):
        header = (*header, "CONTINUES")
        before = [run.continues or "" for run in page.items]
        rows = [(*row, short.get(run, run[:_SHORT])) for row, run in zip(rows, before, strict=True)]
    for line in console.table(rows, header=header):
        console.print(line)
    if page.cursor:
        console.print(console.style("there are more: --limit shows them", "dim"))
    return Exit.DONE


def _row(run: RunSummary, short: dict[str, str], now: datetime, console: Console) -> tuple[str, ...]:
    took = duration((run.ended_at - run.started_at).total_seconds()) if run.ended_at else ""
    status = f"{mark(run.status.value, console)} {coloured(run.status.value, console)}"
    return (short[run.run_id], run.workflow, status, ago(run.started_at, now), took, run.error_type or "")


def _short_ids(ids: list[str]) -> dict[str, str]:
    """The beginning of each id, as long as it takes to tell it from the others."""
    length = _SHORT
    while len({run_id[:length] for run_id in ids}) < len(ids):
        length += 4
    return {run_id: run_id[:length] for run_id in ids}


def ago(moment: datetime, now: datetime) -> str:
    """How long ago, as people say it; the date when it is more than a week."""
    seconds = (now - moment).total_seconds()
    if seconds < 0 or seconds > 7 * 86_400:
        return moment.astimezone().strftime("%Y-%m-%d %H:%M")
    if seconds < 60:
        return "just now"
    for unit, size in (("minute", 60), ("hour", 3600), ("day", 86_400)):
        count = int(seconds // size)
        if count < {"minute": 60, "hour": 24, "day": 8}[unit]:
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")


def since(text: str, now: datetime) -> datetime:
    """The moment that `--since` means: a duration before now, or a date and time. Raises CommandError."""
    try:
        return now - timedelta(seconds=parse_duration(text))
    except DurationError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        message = f"--since {text} is neither a duration nor a date"
        raise CommandError(message, help="write 2h, 1d or 2026-05-04") from None
    return moment.astimezone()
