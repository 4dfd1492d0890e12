"""What `runs` and `show` share: the local history, and which run a word means. Needs nothing but SQLite."""

from __future__ import annotations

from pathlib import Path

from stepsmith.cli.failures import CommandError, Exit
from stepsmith.project import project_of
from stepsmith_functions.history.local import LocalRunStore
from stepsmith_functions.history.store import LARGEST_PAGE, HistoryError

LATEST = "latest"


def open_history() -> LocalRunStore:
    """The history of the project around the working folder."""
    return LocalRunStore(project_of(None, Path.cwd()).history)


def find_run(store: LocalRunStore, word: str, workflow: str | None = None) -> str:
    """The id of the run that an id, its beginning or `latest` means, of one workflow if that is given. Raises
    CommandError if it is not one run."""
    try:
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


def unavailable(error: HistoryError) -> CommandError:
    return CommandError(f"the history cannot be read: {error}", status=Exit.PROBLEMS)
