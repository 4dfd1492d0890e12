"""Keeps the start and the end of runs as Step Functions tells of them, and completes what the history missed.

The events come at least once, in any order, and rarely not at all. So nothing here depends on their order: a run
only ever goes forward (`RunRecord.progress`), an end is complete without its start, and what an event left out or
a handler could not tell is read from the execution's own history. Two writes a run: its start and its end.

When that history cannot be read, the end is kept without it (`complete` is false) and IncompleteError asks to be
called again. `sweep` settles runs whose last event was lost. The Lambda around it is in `recorder`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

from stepsmith_functions.history.ending import run_ending
from stepsmith_functions.history.executions import RESUME_SUFFIX, ROLLBACK_SUFFIX, Change, Executions
from stepsmith_functions.history.origins import Origins
from stepsmith_functions.history.rebuild import steps_of, version_in
from stepsmith_functions.history.records import RunRecord, RunStatus, StepRecord, StepStatus
from stepsmith_functions.history.result import located, steps_in_order
from stepsmith_functions.history.store import (
    HistoryError,
    RunNotFoundError,
    RunQuery,
    RunStore,
    all_steps,
)
from stepsmith_functions.history.values import Json, StoredValue, from_text, to_text
from stepsmith_functions.history.visits import History

_logger = logging.getLogger(__name__)

_UNDER_WAY: Final = tuple(status for status in RunStatus if not status.is_final)
_STARTED_BY: Final = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"
"""What a parent adds to its child's input, so that the console links them (documented)."""
_TRIES_TO_REPLACE: Final = 3
_FROM_OUTSIDE: Final = ("ABORTED", "TIMED_OUT")


class OriginsFinder(Protocol):
    """Tells where the states of an execution's machine came from."""

    def find(self, change: Change, history: History) -> Origins:
        """Raises HistoryError when that cannot be found out now."""
        ...


class Recorded(StrEnum):
    """What came of a status change."""

    STARTED = "started"
    ENDED = "ended"
    KNOWN = "known"
    """The run was already as far, or further."""


class IncompleteError(HistoryError):
    """The end of a run is kept, but not what only the execution's history tells; to be tried again."""


class Recorder:
    """Keeps status changes in a store."""

    def __init__(self, store: RunStore, executions: Executions, origins: OriginsFinder) -> None:
        self._store = store
        self._executions = executions
        self._origins = origins

    def record(self, change: Change) -> Recorded:
        """Keeps what `change` tells. Calling it again, or late, changes nothing.

        Raises IncompleteError when the end was kept without what the history tells, HistoryError when nothing
        could be kept, and ValueError for a status that no run has.
        """
        status, _ = run_ending(change.status)
        if change.name.endswith(ROLLBACK_SUFFIX):
            return self._undoing(change)
        if not status.is_final:
            return self._start(change)
        known = self._known(change.run_id)
        if known is not None and not _goes_further(known, change):
            return Recorded.KNOWN
        return self._end(change, known)

    def sweep(self, now: datetime, *, older_than: timedelta = timedelta(hours=1), limit: int = 100) -> int:
        """Settles up to `limit` runs of each open status that have ended unnoticed; returns how many.

        A run that cannot be asked about is left for the next time.
        """
        settled = 0
        for status in _UNDER_WAY:
            page = self._store.runs(RunQuery(status=status, until=now - older_than), limit=limit)
            for summary in page.items:
                try:
                    settled += self._settle(summary.run_id)
                except HistoryError:
                    _logger.warning("run %s could not be settled", summary.run_id, exc_info=True)
        return settled

    def _settle(self, run_id: str) -> bool:
        run = self._store.run(run_id)
        change = self._executions.describe(run.execution_arn) if run.execution_arn else None
        if change is None or not run_ending(change.status)[0].is_final:
            return False
        if change.redrive_count < run.redrive_count:  # a redrive that was announced, and then refused
            self._store.replace_run(run, replace(run, redrive_count=change.redrive_count))
        return self.record(change) is Recorded.ENDED

    # -- start ----------------------------------------------------------------------------------------

    def _start(self, change: Change) -> Recorded:
        if change.input is None:  # left out for its length
            try:
                described = self._executions.describe(change.execution_arn)
                change = replace(change, input=described.input if described else None)
            except HistoryError:
                _logger.warning("the input of run %s is not known yet", change.run_id, exc_info=True)
        kept = self._store.put_run(self._linked(_run(change, RunStatus.RUNNING), change))
        return Recorded.STARTED if kept else Recorded.KNOWN

    def _linked(self, run: RunRecord, change: Change) -> RunRecord:
        """The run with where it goes on from. Its input is that of the run it goes on from; what its execution was
        given is what that one had on record."""
        if not change.name.endswith(RESUME_SUFFIX):
            return run
        link = change.continues
        if link is None:
            return replace(run, input=None)
        try:
            given = self._store.run(link.run_id).input
            if isinstance(given, StoredValue):
                given = self._store.load(given)
        except HistoryError:
            _logger.warning("the input of run %s is not known", link.run_id, exc_info=True)
            given = None
        return replace(run, input=given, continues=link)

    # -- end ------------------------------------------------------------------------------------------

    def _end(self, change: Change, known: RunRecord | None) -> Recorded:
        history: History | None = None
        steps: Sequence[StepRecord] | None = None
        problem: HistoryError | None = None
        try:
            history = self._executions.ended_history(change.execution_arn)
            if history.redrive_count != change.redrive_count:
                history = None  # it has been redriven meanwhile: the end after that will complete it
            else:
                change = _filled(change, history)
                steps = self._complete_steps(change, history)
        except HistoryError as error:
            problem = error
        if history is None:
            change = self._described(change, known)
        status, failure = run_ending(change.status, change.error, change.cause)
        status = status.after(known.control if known else None)
        run = replace(
            _run(change, status),
            version=version_in(history) if history else None,
            error=located(failure, steps or ()) if failure else None,
            transitions=history.transitions if history else None,
            complete=steps is not None,
        )
        kept = self._store.put_run(self._linked(run, change))
        if kept and self._is_to_be_undone(change, history):
            self._executions.roll_back(change.execution_arn, change.run_id)
        if problem is not None:
            raise IncompleteError(f"the end of run {change.run_id} is kept, its steps may lack some: {problem}")
        return Recorded.ENDED if kept else Recorded.KNOWN

    def _is_to_be_undone(self, change: Change, history: History | None) -> bool:
        """Whether the run was ended from outside, where no handler could act, and its workflow rolls back."""
        if change.status not in _FROM_OUTSIDE or history is None:
            return False
        return self._origins.find(change, history).undoes_itself

    # -- undoing a run after its end ------------------------------------------------------------------

    def _undoing(self, change: Change) -> Recorded:
        """The status of an execution that undoes a run is that run's."""
        if change.input is None:
            described = self._executions.describe(change.execution_arn)
            change = replace(change, input=described.input if described else None)
        run_id = change.undoes
        known = self._known(run_id) if run_id is not None else None
        if known is None or (not known.status.is_final and known.status is not RunStatus.ROLLING_BACK):
            raise IncompleteError(f"{change.execution_arn} undoes a run whose end is not known yet")
        status, _ = run_ending(change.status)
        if not status.is_final:
            kept = self._store.put_run(replace(known, status=RunStatus.ROLLING_BACK))
            return Recorded.STARTED if kept else Recorded.KNOWN
        history = self._executions.ended_history(change.execution_arn)
        told = {step.path for step in all_steps(self._store, known.run_id)}
        rebuilt = steps_of(history, self._origins.find(change, history), known.run_id)
        self._store.put_steps([step for step in rebuilt if step.path not in told])
        undone = RunStatus.ROLLED_BACK if status is RunStatus.SUCCEEDED else RunStatus.ROLLBACK_FAILED
        kept = self._store.put_run(replace(known, status=undone))
        return Recorded.ENDED if kept else Recorded.KNOWN

    def _described(self, change: Change, known: RunRecord | None) -> Change:
        """The change with what the event left out, as far as DescribeExecution can tell it now."""
        lacks_input = change.input is None and (known is None or known.input is None)
        lacks_end = change.output is None if change.status == "SUCCEEDED" else change.error is None
        if not lacks_input and not lacks_end:
            return change
        try:
            described = self._executions.describe(change.execution_arn)
        except HistoryError:
            _logger.warning("execution %s cannot be described", change.execution_arn, exc_info=True)
            return change
        if described is None:
            return change
        change = replace(change, input=change.input or described.input)
        if (described.status, described.redrive_count) == (change.status, change.redrive_count):
            change = replace(
                change,
                output=change.output or described.output,
                error=change.error or described.error,
                cause=change.cause or described.cause,
            )
        return change

    def _known(self, run_id: str) -> RunRecord | None:
        try:
            return self._store.run(run_id)
        except RunNotFoundError:
            return None

    # -- steps ----------------------------------------------------------------------------------------

    def _complete_steps(self, change: Change, history: History) -> Sequence[StepRecord]:
        """Writes the steps that handlers did not tell, or told otherwise than the history; returns all."""
        rebuilt = steps_of(history, self._origins.find(change, history), change.run_id)
        known = {step.path: step for step in all_steps(self._store, change.run_id)}
        self._store.put_steps([step for step in rebuilt if step.path not in known])
        settled = {step.path: step for step in rebuilt}
        for step in rebuilt:
            if (told := known.get(step.path)) is not None:
                settled[step.path] = self._settle_step(told, step)
        return steps_in_order([*settled.values(), *(step for path, step in known.items() if path not in settled)])

    def _settle_step(self, told: StepRecord, rebuilt: StepRecord) -> StepRecord:
        """A handler may still be writing: what it writes meanwhile is read again and settled again."""
        for _ in range(_TRIES_TO_REPLACE):
            step = settled(told, rebuilt)
            if step == told or self._store.replace_step(told, step):
                return step
            told = next((one for one in all_steps(self._store, told.run_id) if one.path == told.path), told)
        return told


def settled(told: StepRecord, rebuilt: StepRecord) -> StepRecord:
    """The step as it stays, of what its handler told and what the execution's history says.

    How it ended and how often it was tried is the history's to say: a handler knows nothing of its own timeout, of
    a result that was too large or of a start that got lost. Params, times and the line stay as told. A step that
    was stopped although its handler says it is done stays as told: its deed is done, and a rollback has to know.
    """
    if rebuilt.status is StepStatus.CANCELLED and told.status is StepStatus.SUCCEEDED:
        return told
    if told.status.is_final and (told.status, told.attempts) == (rebuilt.status, rebuilt.attempts):
        error = told.error if told.error and rebuilt.error and told.error.type == rebuilt.error.type else rebuilt.error
    else:
        error = rebuilt.error
    output = told.output if isinstance(told.output, StoredValue) else rebuilt.output
    return replace(
        told,
        status=rebuilt.status,
        attempts=rebuilt.attempts,
        error=error,
        output=output if rebuilt.status is StepStatus.SUCCEEDED else None,
        params=rebuilt.params if told.params is None else told.params,
        line=rebuilt.line if told.line is None else told.line,
        started_at=told.started_at or rebuilt.started_at,
        ended_at=told.ended_at if told.status is rebuilt.status and told.ended_at else rebuilt.ended_at,
        undoes=told.undoes or rebuilt.undoes,
        handed=rebuilt.handed if told.handed is None else told.handed,
        result=rebuilt.result,
        child_run_id=told.child_run_id or rebuilt.child_run_id,
    )


def _goes_further(known: RunRecord, change: Change) -> bool:
    """Whether an end adds to a run. One that is known but not complete may be completed."""
    end = replace(known, status=RunStatus.SUCCEEDED, redrive_count=change.redrive_count).progress
    return known.progress < end or (known.progress == end and not known.complete)


def _filled(change: Change, history: History) -> Change:
    """The change with what the event left out, out of the history."""
    error = history.error.type if history.error else None
    return replace(
        change,
        input=change.input if change.input is not None else _text(history.input),
        output=change.output if change.output is not None else _text(history.output),
        error=change.error or error,
        cause=change.cause or history.cause or None,
        ended_at=change.ended_at or history.ended_at,
    )


def _run(change: Change, status: RunStatus) -> RunRecord:
    given = _value(change.input)
    starter = given.get(_STARTED_BY) if isinstance(given, Mapping) else None
    return RunRecord(
        run_id=change.run_id,
        workflow=change.workflow,
        status=status,
        started_at=change.started_at,
        input=given,
        output=_value(change.output) if status is RunStatus.SUCCEEDED else None,
        ended_at=change.ended_at if status.is_final else None,
        execution_arn=change.execution_arn,
        parent_run_id=starter.rpartition(":")[2] if isinstance(starter, str) else None,
        redrive_count=change.redrive_count,
    )


def _value(text: str | None) -> Json:
    return from_text(text) if text is not None else None


def _text(value: Json) -> str | None:
    return to_text(value) if value is not None else None
