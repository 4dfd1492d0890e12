"""`stepsmith show`: one run, step by step, as it stands or as it was when it ended."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from typing import Final

from stepsmith.cli.console import Console
from stepsmith.cli.deciding import decision_lines
from stepsmith.cli.failures import Exit
from stepsmith.cli.history import add_place, find_run, histories, unavailable
from stepsmith.cli.outcome import lineage_lines, output_lines, step_lines, summary_line, title_line
from stepsmith.cli.runs import ago
from stepsmith_functions.history.result import result_of
from stepsmith_functions.history.store import HistoryError

EXAMPLE: Final = """
    stepsmith show latest
    stepsmith show 3f2a91c0 --json
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run's id, its beginning, or latest")
    parser.add_argument("--json", action="store_true", help="as JSON, the same that run --json prints")
    add_place(parser)


def execute(arguments: argparse.Namespace, console: Console) -> int:
    store = histories(arguments).store
    run_id = find_run(store, arguments.run)
    try:
        result = json.loads(json.dumps(result_of(store, run_id, details=not arguments.json, load_values=False)))
        control = store.run(run_id).control
    except HistoryError as error:
        raise unavailable(error) from error
    if arguments.json:
        console.print_json(result)
        return Exit.DONE
    console.print(title_line(result, console))
    if result.get("input") is not None:
        shown = json.dumps(result["input"], ensure_ascii=False)
        console.print("  input " + console.cut(shown, max(console.width - 8, 20)))
    for line in lineage_lines(result, console):
        console.print("  " + line)
    for line in step_lines(result["steps"], console):
        console.print(line)
    for line in decision_lines(run_id, console):
        console.print(line)
    console.print(summary_line(result, console, virtual=False))
    if control is not None:
        console.print(console.style(f"{control.sentence()}, {ago(control.at, datetime.now(UTC))}", "yellow"))
    failed = result.get("error")
    if isinstance(failed, dict):
        place = f" at step {failed['step']}, line {failed['line']}" if failed.get("step") else ""
        console.print(f"{console.style(failed['type'], 'red')}{place}: {failed['message']}")
    for line in output_lines(result, console):
        console.print(line)
    return Exit.DONE
