"""`stepsmith cancel`: a run ends in an orderly way, through its `finally`, or at once."""

from __future__ import annotations

import argparse
from typing import Final

from stepsmith.cli import orders
from stepsmith.cli.console import Console
from stepsmith.cli.failures import Exit
from stepsmith_functions.history.records import RunStatus
from stepsmith_functions.runtime.control import Order

EXAMPLE: Final = """
    stepsmith cancel latest --why "wrong host"
    stepsmith cancel 3f2a91c0 --now
"""


def configure(parser: argparse.ArgumentParser) -> None:
    orders.configure(parser)
    parser.add_argument("--now", action="store_true", help="stop it where it is: no finally runs")


def execute(arguments: argparse.Namespace, console: Console) -> int:
    order = Order.STOP if arguments.now else Order.CANCEL
    given = orders.give(arguments, order, orders.OPEN, RunStatus.CANCELLING)
    if arguments.now:
        given.place.stop(given.run, arguments.why)
        given.place.withdraw_approvals(given.run)
        console.print(f"run {given.short} of {given.run.workflow} is stopped")
        return Exit.DONE
    given.place.withdraw_approvals(given.run)
    console.print(f"run {given.short} of {given.run.workflow} is cancelled before its next action")
    return Exit.DONE
