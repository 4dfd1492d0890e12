"""What `pause`, `resume` and `cancel` share: the run that is meant, and the order that is put on its record.

The process that runs it, or its handlers in an account, read the order there before each action.
"""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from stepsmith.cli.failures import CommandError, Exit
from stepsmith.cli.history import Histories, add_place, find_run, histories, unavailable
from stepsmith_functions.history.records import RunRecord, RunStatus
from stepsmith_functions.history.store import HistoryError
from stepsmith_functions.runtime.control import Control, Order

WAITING: Final = (RunStatus.PENDING, RunStatus.RUNNING, RunStatus.WAITING_APPROVAL)
OPEN: Final = (*WAITING, RunStatus.PAUSED, RunStatus.CANCELLING)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run's id, its beginning, or latest")
    parser.add_argument("--why", metavar="TEXT", default="", help="the reason, which the history keeps")
    add_place(parser)


@dataclass(frozen=True, slots=True)
class Ordered:
    """The run as it was when it was given an order."""

    run: RunRecord
    place: Histories

    @property
    def short(self) -> str:
        return self.run.run_id[:8]


def give(
    arguments: argparse.Namespace, order: Order | None, expected: Collection[RunStatus], status: RunStatus
) -> Ordered:
    """Puts `order` on the run that the arguments name, None lifts what is there; its status becomes `status`.

    Raises CommandError for a run that is not known, and, with the status 1, for one whose status is none of
    `expected`.
    """
    place = histories(arguments)
    run_id = find_run(place.store, arguments.run)
    control = None
    if order is not None:
        control = Control(order, place.caller() or getpass.getuser(), datetime.now(UTC), arguments.why)
    try:
        run = place.store.run(run_id)
        if not place.store.order(run_id, control, expected, status):
            run = place.store.run(run_id)
            raise CommandError(f"{describe(run)}", status=Exit.PROBLEMS)
    except HistoryError as error:
        raise unavailable(error) from error
    return Ordered(run, place)


def describe(run: RunRecord) -> str:
    """Why a run cannot be given an order now."""
    shown = run.status.value.replace("_", " ")
    return f"run {run.run_id[:8]} of {run.workflow} is {'over: ' if run.status.is_final else ''}{shown}"
