"""Which runs of this project are under way: the process of a run holds a lock for as long as it lives.

A process that is killed tells nobody that its run is over. Whoever looks at the history next finds the lock free, and
has the run end as failed, so that it can go on or be undone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from stepsmith_functions.history.local import LocalRunStore
from stepsmith_functions.history.records import RunError, RunRecord, RunStatus, StepStatus
from stepsmith_functions.history.result import steps_in_order
from stepsmith_functions.history.store import RunNotFoundError, RunQuery, all_steps

try:
    import fcntl
except ImportError:  # only POSIX has it: elsewhere no run is ever taken for lost
    fcntl = None  # type: ignore[assignment]

LOST: Final = RunError(
    "ProcessGone", "the process of the run has ended without a word: resume goes on with it, rollback undoes it"
)
_OPEN: Final = (
    RunStatus.PENDING,
    RunStatus.RUNNING,
    RunStatus.PAUSED,
    RunStatus.WAITING_APPROVAL,
    RunStatus.CANCELLING,
)
_PAGE: Final = 200


@contextmanager
def holding(history: Path, run_id: str) -> Iterator[None]:
    """Shows other processes that the run is under way. `history` is the file that keeps it."""
    if fcntl is None:
        yield
        return
    path = _lock_of(history, run_id)
    with contextlib.ExitStack() as held:
        # Where nothing can be written, nobody else reads of the run either.
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            fcntl.flock(held.enter_context(path.open("wb")), fcntl.LOCK_EX)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                path.unlink()


def settle_lost(history: Path) -> None:
    """Has the runs end whose process is gone. Raises HistoryError when the history cannot be read or written."""
    if fcntl is None or not history.is_file():
        return
    store = LocalRunStore(history)
    for status in _OPEN:
        for summary in store.runs(RunQuery(status=status), limit=_PAGE).items:
            run = store.run(summary.run_id)
            if not is_held(history, _root(store, run)):
                _settle(store, run)


def _settle(store: LocalRunStore, run: RunRecord) -> None:
    steps = steps_in_order(all_steps(store, run.run_id))
    moments = [moment for step in steps for moment in (step.started_at, step.ended_at) if moment is not None]
    ended = max([run.started_at, *moments])
    status = RunStatus.CANCELLED if run.status is RunStatus.CANCELLING else RunStatus.FAILED
    # A run that came to its end meanwhile has another record, which stays.
    if store.replace_run(run, replace(run, status=status, error=LOST, ended_at=ended)):
        open_steps = [step for step in steps if not step.status.is_final]
        store.put_steps([replace(step, status=StepStatus.CANCELLED, ended_at=ended) for step in open_steps])


def _root(store: LocalRunStore, run: RunRecord) -> str:
    """The run in whose process a run is: the one that nothing started."""
    while run.parent_run_id is not None:
        try:
            run = store.run(run.parent_run_id)
        except RunNotFoundError:
            break
    return run.run_id


def is_held(history: Path, run_id: str) -> bool:
    """Whether the process of a run lives that nothing started. True where that cannot be told."""
    if fcntl is None:
        return True
    try:
        with _lock_of(history, run_id).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _lock_of(history: Path, run_id: str) -> Path:
    return history.parent / "alive" / f"{run_id}.lock"
