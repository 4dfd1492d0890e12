"""`stepsmith approvals`: what waits for people."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import Final

from stepsmith.cli.console import Console
from stepsmith.cli.deciding import Shown, add_stack, approvals_of, quorum_of
from stepsmith.cli.failures import Exit
from stepsmith.cli.runs import ago

EXAMPLE: Final = """
    stepsmith approvals
    stepsmith approvals --stack security-prod --json
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="as JSON")
    add_stack(parser)


def execute(arguments: argparse.Namespace, console: Console) -> int:
    waiting = approvals_of(arguments).waiting()
    if arguments.json:
        console.print_json(list(waiting))
        return Exit.DONE
    if not waiting:
        console.print("no approval waits")
        return Exit.DONE
    now = datetime.now(UTC)
    rows = [_row(each, now, console) for each in waiting]
    for line in console.table(rows, header=("RUN", "WORKFLOW", "STEP", "ASKED", "QUORUM", "QUESTION")):
        console.print(line)
    return Exit.DONE


def _row(approval: Shown, now: datetime, console: Console) -> tuple[str, ...]:
    return (
        str(approval["run_id"])[:8],
        str(approval["workflow"]),
        str(approval["step"]),
        ago(datetime.fromisoformat(str(approval["asked_at"])), now),
        quorum_of(approval),
        console.cut(" ".join(str(approval["message"]).split()), 60),
    )
