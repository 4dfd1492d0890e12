"""`stepsmith resume`: a paused run goes on, and a run that failed, was stopped or ran out of time is continued."""

from __future__ import annotations

import argparse
from typing import Final

from stepsmith.cli import continuing, orders
from stepsmith.cli.console import Console
from stepsmith.cli.failures import CommandError, Exit
from stepsmith.cli.history import find_run, histories, unavailable
from stepsmith_functions.history.records import RunStatus
from stepsmith_functions.history.store import HistoryError

EXAMPLE: Final = """
    stepsmith resume latest
    stepsmith resume latest --from quarantine
    stepsmith resume 3f2a91c0 --stack security
    stepsmith resume 3f2a91c0 --from quarantine --stack security
"""


def configure(parser: argparse.ArgumentParser) -> None:
    orders.configure(parser)
    continuing.configure(parser)


def execute(arguments: argparse.Namespace, console: Console) -> int:
    place = histories(arguments)
    try:
        run = place.store.run(find_run(place.store, arguments.run))
    except HistoryError as error:
        raise unavailable(error) from error
    if run.status.is_final:
        if place.deployed:
            from stepsmith.cli import continuing_deployed
            from stepsmith.cli.deployed import StackHistories

            assert isinstance(place, StackHistories)
            return continuing_deployed.execute(arguments, console, place, run)
        return continuing.execute(arguments, console, place.store, run)
    if arguments.begin is not None:
        raise CommandError(f"{orders.describe(run)}: --from is for a run that is over", status=Exit.PROBLEMS)
    given = orders.give(arguments, None, (RunStatus.PAUSED,), RunStatus.RUNNING)
    soon = " within five minutes" if given.place.deployed else ""
    console.print(f"run {given.short} of {given.run.workflow} goes on{soon}")
    return Exit.DONE
