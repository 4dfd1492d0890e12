"""What the commands about runs share: whose history it is, and which run a word means.

Without `--stack` it is the project's own and needs nothing but SQLite.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Protocol

from stepsmith.cli.failures import CommandError, Exit
from stepsmith.local.alive import settle_lost
from stepsmith.project import project_of
from stepsmith_functions.history.local import LocalRunStore
from stepsmith_functions.history.records import RunRecord
from stepsmith_functions.history.store import LARGEST_PAGE, HistoryError, RunNotFoundError, RunStore

LATEST = "latest"


class Histories(Protocol):
    """The place where runs are kept, and what else it takes to act on them."""

    deployed: bool

    @property
    def store(self) -> RunStore: ...

    @property
    def flags(self) -> str:
        """What another command needs to mean the same place, such as ` --stack security`."""
        ...

    def caller(self) -> str | None:
        """Who acts; None: whoever is logged in here."""
        ...

    def stop(self, run: RunRecord, why: str) -> None:
        """Ends the run's execution at once."""
        ...

    def withdraw_approvals(self, run: RunRecord) -> None:
        """Has the approvals that wait in a run withdrawn on which an order to end stands."""
        ...


class LocalHistories:
    """The runs of this project. The process that runs one heeds the order to stop that stands on its record."""

    deployed = False
    flags = ""

    def __init__(self) -> None:
        self.store: RunStore = open_history()

    def caller(self) -> str | None:
        return None

    def stop(self, run: RunRecord, why: str) -> None:
        """Nothing more than the order, which stands on the run's record."""
        del run, why

    def withdraw_approvals(self, run: RunRecord) -> None:
        """Nothing: the process of the run looks for the order while it waits."""
        del run


def add_place(parser: argparse.ArgumentParser) -> None:
    """The flags that say whose runs are meant."""
    parser.add_argument("--stack", metavar="NAME", help="the runs of a deployed stack, not those of this project")
    parser.add_argument("--endpoint-url", metavar="URL", help="where that stack's AWS is, if it is not the account's")


def histories(arguments: argparse.Namespace) -> Histories:
    """The place that the flags name. Raises CommandError for a stack that has no history."""
    if arguments.stack is None:
        if arguments.endpoint_url is not None:
            raise CommandError("--endpoint-url needs --stack", help="write the stack's name too")
        return LocalHistories()
    from stepsmith.cli.deployed import open_stack

    return open_stack(arguments.stack, arguments.endpoint_url)


def open_history() -> LocalRunStore:
    """The history of the project around the working folder. Runs whose process is gone are over in it."""
    path = project_of(None, Path.cwd()).history
    try:
        settle_lost(path)
    except HistoryError as error:
        raise unavailable(error) from error
    return LocalRunStore(path)


def find_run(store: RunStore, word: str, workflow: str | None = None) -> str:
    """The id of the run that an id, its beginning or `latest` means, of one workflow if that is given. Raises
    CommandError if it is not one run."""
    try:
        if word != LATEST and _is_known(store, word):
            return word
        runs = store.runs(limit=LARGEST_PAGE).items
    except HistoryError as error:
        raise unavailable(error) from error
    known = [run.run_id for run in runs if word != LATEST or workflow in (None, run.workflow)]
    if not known:
        of_it = f" of {workflow}" if workflow is not None else ""
        raise CommandError(f"there are no runs{of_it} yet", help=f"stepsmith run {workflow or 'WORKFLOW'} makes one")
    if word == LATEST:
        # A run that another one started is part of that one; its virtual start may lie ahead of everything.
        return next((run_id for run_id in known if store.run(run_id).parent_run_id is None), known[0])
    if word in known:
        return word
    found = [run_id for run_id in known if run_id.startswith(word)]
    if not found:
        raise CommandError(f'no run begins with "{word}"', help="stepsmith runs lists them")
    if len(found) > 1:
        some = ", ".join(run_id[: len(word) + 4] for run_id in found[:5])
        raise CommandError(f'{len(found)} runs begin with "{word}"', help=f"write more of it: {some}")
    return found[0]


def _is_known(store: RunStore, run_id: str) -> bool:
    try:
        return store.run(run_id).run_id == run_id
    except RunNotFoundError:
        return False


def unavailable(error: HistoryError) -> CommandError:
    return CommandError(f"the history cannot be read: {error}", status=Exit.PROBLEMS)
