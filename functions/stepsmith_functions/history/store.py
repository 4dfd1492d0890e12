"""What a store of runs does, whoever keeps them, and how it fails.

`DynamoRunStore` keeps the runs of a deployed stack, `LocalRunStore` those of a laptop. Both refuse to take
a run back to where it was: see `RunStore.put_run`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, Protocol, TypeVar

from stepsmith_functions.history.records import RunRecord, RunStatus, RunSummary, StepRecord
from stepsmith_functions.history.values import Json, StoredValue, from_text, to_text
from stepsmith_functions.runtime.control import Control

T = TypeVar("T")

LARGEST_PAGE: Final = 1000


class HistoryError(Exception):
    """The history cannot answer. The subclasses tell why."""


class RunNotFoundError(HistoryError):
    """No run has this id."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"no run {run_id!r} in the history")
        self.run_id = run_id


class CursorInvalidError(HistoryError):
    """A cursor that no page of this query gave out."""


class HistoryThrottledError(HistoryError):
    """The service refused for its rate limits, and went on refusing while we waited and tried again."""


class HistoryUnavailableError(HistoryError):
    """The service or the file failed; the message is its own."""


class ValueLostError(HistoryUnavailableError):
    """A large value is not there any more, or is not what was stored."""


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Which runs: of a workflow, with a status, started at or after `since` and before `until`."""

    workflow: str | None = None
    status: RunStatus | None = None
    since: datetime | None = None
    until: datetime | None = None


EVERY_RUN: Final = RunQuery()


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of an answer. `cursor` asks for the next one; None after the last."""

    items: tuple[T, ...]
    cursor: str | None = None


class RunStore(Protocol):
    """Keeps runs and their steps. Every method raises `HistoryError` when the place where they lie fails."""

    def put_run(self, run: RunRecord) -> bool:
        """Keep `run`, unless what is kept is as far or further (`RunRecord.progress`); says whether it was
        kept.

        So duplicates, and messages in any order, end in the same record. Where both have ended equally far, a
        `complete` record replaces one that is not. What only the kept record knows of the start (`input`,
        `version`, `execution_arn`, `parent_run_id`, `continues`) is taken over, and `continued_by`; also `control`,
        but for one that begins again, redriven: that lifts the order under which it ended.
        """
        ...

    def replace_run(self, known: RunRecord, run: RunRecord) -> bool:
        """Keep `run` in place of `known`, whatever its progress, if that one's status, redrives and `continued_by` are
        still those; says whether. For a redrive, which begins at the desk before Step Functions tells of it."""
        ...

    def hand_on(self, run_id: str, by: str) -> bool:
        """Note that the run `by` goes on from a run that has ended; says whether no other one had before."""
        ...

    def move_run(self, run_id: str, expected: Collection[RunStatus], status: RunStatus) -> bool:
        """Change the status of a run that has one of the `expected`; says whether it was so.

        For what happens between start and end: pause, approval, cancelling. Neither side may be final.
        """
        ...

    def order(self, run_id: str, control: Control | None, expected: Collection[RunStatus], status: RunStatus) -> bool:
        """As `move_run`, and put `control` on the run in place of what stood there; None lifts it."""
        ...

    def put_steps(self, steps: Iterable[StepRecord]) -> None:
        """Keep these steps, in place of any that have their paths."""
        ...

    def replace_step(self, known: StepRecord, step: StepRecord) -> bool:
        """Keep `step` in place of `known` if its status, attempts and end are still those; says whether."""
        ...

    def run(self, run_id: str) -> RunRecord:
        """The run. Raises RunNotFoundError."""
        ...

    def runs(self, query: RunQuery = EVERY_RUN, *, limit: int = 50, cursor: str | None = None) -> Page[RunSummary]:
        """The runs that `query` names, latest start first, at most `limit` (1 to 1,000) a page.

        Raises CursorInvalidError for a cursor of another query or of none.
        """
        ...

    def steps(self, run_id: str, *, limit: int = 500, cursor: str | None = None) -> Page[StepRecord]:
        """The steps of a run by path, at most `limit` a page; none for an unknown run. See
        `steps_in_order`.
        """
        ...

    def load(self, value: StoredValue) -> Json:
        """The value that a record refers to."""
        ...


def all_steps(store: RunStore, run_id: str) -> list[StepRecord]:
    """Every step of a run, by path."""
    page = store.steps(run_id, limit=LARGEST_PAGE)
    steps = list(page.items)
    while page.cursor:
        page = store.steps(run_id, limit=LARGEST_PAGE, cursor=page.cursor)
        steps.extend(page.items)
    return steps


def check_limit(limit: int) -> None:
    """Raises ValueError for a page that no store gives."""
    if not 1 <= limit <= LARGEST_PAGE:
        raise ValueError(f"a page holds 1 to {LARGEST_PAGE} entries, not {limit}")


def encode_cursor(question: str, position: str) -> str:
    """An opaque text for the place after `position` in the answers to `question`."""
    return base64.urlsafe_b64encode(to_text([question, position]).encode()).decode().rstrip("=")


def decode_cursor(question: str, cursor: str) -> str:
    """The position that `encode_cursor` put in. Raises CursorInvalidError when it was for another
    question.
    """
    try:
        value = from_text(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode())
    except (binascii.Error, ValueError) as error:
        raise CursorInvalidError("this is no cursor that a page of the history gave") from error
    match value:
        case [str(asked), str(position)] if asked == question and position:
            return position
        case _:
            raise CursorInvalidError("this cursor belongs to another query")


def question_of(query: RunQuery) -> str:
    """Names a query in its cursors."""
    parts = (
        query.workflow,
        query.status,
        query.since.isoformat() if query.since else None,
        query.until.isoformat() if query.until else None,
    )
    return to_text(["runs", *parts])
