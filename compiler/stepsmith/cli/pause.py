"""`stepsmith pause`: a run begins no further step until it is resumed."""

from __future__ import annotations

import argparse
from typing import Final

from stepsmith.cli import orders
from stepsmith.cli.console import Console
from stepsmith.cli.failures import Exit
from stepsmith_functions.history.records import RunStatus
from stepsmith_functions.runtime.control import Order

EXAMPLE: Final = """
    stepsmith pause latest --why "the host is being looked at"
    stepsmith pause 3f2a91c0 --stack security
"""


def configure(parser: argparse.ArgumentParser) -> None:
    orders.configure(parser)


def execute(arguments: argparse.Namespace, console: Console) -> int:
    given = orders.give(arguments, Order.PAUSE, orders.WAITING, RunStatus.PAUSED)
    console.print(f"run {given.short} of {given.run.workflow} pauses before its next action")
    console.print(console.style(f"stepsmith resume {given.short}{given.place.flags} lets it go on", "dim"))
    return Exit.DONE
