"""`stepsmith resume`: a paused run goes on, and a run that failed, was stopped or ran out of time is continued."""

from __future__ import annotations

import argparse
from typing import Final

from stepsmith.cli import continuing, orders
from stepsmith.cli.console import Console
from stepsmith.cli.failures import CommandError, Exit
from stepsmith.cli.history import find_run, histories, unavailable
from stepsmith_functions.history.records import RunRecord, RunStatus
from stepsmith_functions.history.store import HistoryError

EXAMPLE: Final = """
    stepsmith resume latest
    stepsmith resume latest --from quarantine
    stepsmith resume 3f2a91c0 --stack security
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
            raise CommandError(
                f"{orders.describe(run)}, and only runs of this machine can be continued",
                help=_in_the_account(run),
                status=Exit.PROBLEMS,
            )
        return continuing.execute(arguments, console, place.store, run)
    if arguments.begin is not None:
        raise CommandError(f"{orders.describe(run)}: --from is for a run that is over", status=Exit.PROBLEMS)
    given = orders.give(arguments, None, (RunStatus.PAUSED,), RunStatus.RUNNING)
    soon = " within five minutes" if given.place.deployed else ""
    console.print(f"run {given.short} of {given.run.workflow} goes on{soon}")
    return Exit.DONE


def _in_the_account(run: RunRecord) -> str:
    arn = run.execution_arn or "ARN"
    return f"aws stepfunctions redrive-execution --execution-arn {arn} goes on where it failed, by the same definition"
