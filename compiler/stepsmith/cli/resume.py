"""`stepsmith resume`: a paused run goes on."""

from __future__ import annotations

import argparse
from typing import Final

from stepsmith.cli import orders
from stepsmith.cli.console import Console
from stepsmith.cli.failures import Exit
from stepsmith_functions.history.records import RunStatus

EXAMPLE: Final = """
    stepsmith resume latest
    stepsmith resume 3f2a91c0 --stack security
"""


def configure(parser: argparse.ArgumentParser) -> None:
    orders.configure(parser)


def execute(arguments: argparse.Namespace, console: Console) -> int:
    given = orders.give(arguments, None, (RunStatus.PAUSED,), RunStatus.RUNNING)
    soon = " within five minutes" if given.place.deployed else ""
    console.print(f"run {given.short} of {given.run.workflow} goes on{soon}")
    return Exit.DONE
