"""What an action reads back of its own run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from pydantic import JsonValue

from stepsmith_functions.history.records import StepRecord
from stepsmith_functions.history.result import steps_in_order, undone
from stepsmith_functions.history.store import RunStore, all_steps
from stepsmith_functions.history.values import StoredValue
from stepsmith_functions.runtime.recording import RecordedStep, StepError


class HistoryReader:
    """A `runtime.recording.RunReader` over any store."""

    def __init__(self, store: RunStore) -> None:
        self._store = store

    def steps_of_run(self, run_id: str) -> Sequence[RecordedStep]:
        """The steps of a run in the order in which they started. Raises HistoryError when the store fails."""
        return [self._read(step) for step in undone(steps_in_order(all_steps(self._store, run_id)))]

    def _read(self, step: StepRecord) -> RecordedStep:
        output = self._store.load(step.output) if isinstance(step.output, StoredValue) else step.output
        return RecordedStep(
            step_id=step.step_id,
            path=step.path,
            action=step.action or "",
            status=step.status.value,
            attempts=step.attempts,
            started_at=step.started_at,
            ended_at=step.ended_at,
            output=cast(JsonValue, output),
            error=StepError(step.error.type, step.error.message) if step.error else None,
        )
