"""What handlers tell of their steps during a local run, kept in memory until the run's record is written.

It answers the protocols of `stepsmith_functions.runtime.recording` and `invocation`, in place of the table, so that
a handler and an action that reads the history find here what they find in a deployment.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

from stepsmith.engine import Clock, TaskCall, TaskFailed, TaskOutcome, TaskSucceeded, TaskWaiting
from stepsmith_functions.history.records import StepError, StepRecord, StepStatus
from stepsmith_functions.history.store import HistoryError
from stepsmith_functions.history.values import Json, StoredValue
from stepsmith_functions.runtime.control import Control, ControlReader
from stepsmith_functions.runtime.recording import (
    Begun,
    Earlier,
    EarlierStatus,
    RecordedStep,
    RunReader,
    StepEnd,
    StepProgress,
    StepRecorder,
    StepStart,
)
from stepsmith_functions.runtime.recording import StepError as ToldError
from stepsmith_functions.runtime.settings import Settings

if TYPE_CHECKING:  # few runs share anything
    from pydantic import JsonValue

    from stepsmith.local.shared import LocalSharedState


class HandlerClock:
    """The time that handlers see. In virtual time their sleeps take none, and are counted in `slept`."""

    def __init__(self, clock: Clock, *, virtual: bool) -> None:
        self._clock = clock
        self._virtual = virtual
        self._skipped = 0.0
        self.slept = 0.0
        """Seconds that the present call has slept; the caller sets it back to 0 before each call."""

    def now(self) -> datetime:
        return self._clock.now() + timedelta(seconds=self.slept)

    def elapsed(self) -> float:
        return time.monotonic() + self._skipped

    def sleep(self, seconds: float) -> None:
        if not self._virtual:
            time.sleep(max(seconds, 0))
            return
        self.slept += max(seconds, 0)
        self._skipped += max(seconds, 0)


class _Orders:
    """The orders that runs gave, besides those of people."""

    def __init__(self, runs: ControlReader, people: ControlReader | None) -> None:
        self._runs = runs
        self._people = people

    def controls(self, run_ids: Sequence[str]) -> Sequence[Control]:
        return [*self._runs.controls(run_ids), *(self._people.controls(run_ids) if self._people else ())]


class MemoryHistory:
    """The steps of the runs of this process, by run and path."""

    def __init__(self) -> None:
        self._steps: dict[str, dict[str, StepRecord]] = {}
        self._begun: dict[tuple[str, str], StepStart] = {}
        """The starts of actions that must not be repeated, by run and path."""
        self.on_progress: Callable[[StepRecord], None] | None = None
        """Told when an action tells how far it is."""
        self.on_effect: Callable[[StepRecord], None] | None = None
        """Told when an action that must not be repeated begins and when it has ended: what is known of that must
        outlive the process."""
        self.controls: ControlReader | None = None
        """Who knows whether a run is paused or cancelled; None where nobody could have ordered it."""
        self.share: Callable[[], LocalSharedState] = _in_memory
        """Makes what its runs share, once the first step asks for that."""
        self._shared: LocalSharedState | None = None

    def control(self, settings: Settings) -> ControlReader | None:  # noqa: ARG002
        return _Orders(self._shared, self.controls) if self._shared is not None else self.controls

    def ended_run(self, run_id: str, now: datetime) -> None:
        """The run is over: another one may have its place."""
        if self._shared is None:
            return
        from stepsmith_functions.runtime.limits import ContendedError
        from stepsmith_functions.runtime.places import leave

        # A place that cannot be given up now is free when this process ends.
        with contextlib.suppress(HistoryError, ContendedError):
            leave(self._shared, run_id, now, for_good=True)
            self._shared.forget(run_id)

    def shared(self, settings: Settings) -> LocalSharedState:  # noqa: ARG002
        if self._shared is None:
            self._shared = self.share()
        return self._shared

    def recorder(self, settings: Settings) -> StepRecorder | None:  # noqa: ARG002 - the same for every setting
        return self

    def reader(self, settings: Settings) -> RunReader | None:  # noqa: ARG002
        return self

    def remember(self, steps: Iterable[StepRecord]) -> None:
        """Takes in the steps of a run of an earlier process."""
        for step in steps:
            self._keep(step)

    def ledger(self, settings: Settings) -> MemoryHistory:  # noqa: ARG002
        return self

    def told(self, run_id: str) -> dict[str, StepRecord]:
        return self.steps(run_id)

    def load(self, value: StoredValue) -> Json:
        raise HistoryError(f"nothing is kept apart in a local run: {value.uri}")

    def started(self, step: StepStart) -> Begun | Earlier:
        known = self._steps.get(step.run_id, {}).get(step.path)
        if step.once:
            earlier = self._earlier(step, known)
            if earlier is not None:
                return earlier
            self._begun[step.run_id, step.path] = step
        attempts = known.attempts + 1 if known else 1
        self._keep(
            StepRecord(
                run_id=step.run_id,
                step_id=step.step_id,
                path=step.path,
                status=StepStatus.WAITING if step.waits else StepStatus.RUNNING,
                attempts=attempts,
                line=step.line,
                action=step.action,
                params=step.params,
                started_at=known.started_at if known else step.started_at,
                attempt_started=step.started_at,
                handed=step.handed,
                undoes=step.undoes,
                sequence=known.sequence if known else len(self._steps.get(step.run_id, {})),
            )
        )
        self._tell_effect(step.run_id, step.path)
        return Begun(attempts)

    def _tell_effect(self, run_id: str, path: str) -> None:
        if self.on_effect is not None and (run_id, path) in self._begun:
            self.on_effect(self._steps[run_id][path])

    def _earlier(self, step: StepStart, known: StepRecord | None) -> Earlier | None:
        """The call of the same visit that is in the way of `step`, as `DynamoStepRecorder` finds it."""
        begun = self._begun.get((step.run_id, step.path))
        if begun is None or known is None or begun.visit != step.visit:
            return None
        error = ToldError(known.error.type, known.error.message) if known.error else None
        match known.status:
            case StepStatus.SUCCEEDED:
                output = cast("JsonValue", known.output)
                return Earlier(status=EarlierStatus.SUCCEEDED, attempt=begun.attempt, output=output)
            case StepStatus.FAILED:
                told = Earlier(status=EarlierStatus.FAILED, attempt=begun.attempt, error=error)
                return None if begun.attempt < step.attempt else told
            case _:
                return Earlier(status=EarlierStatus.RUNNING, attempt=begun.attempt, until=begun.until)

    def progressed(self, step: StepStart, progress: StepProgress) -> None:
        known = self._steps.get(step.run_id, {}).get(step.path)
        if known is not None:
            self._keep(replace(known, progress=progress))
            if self.on_progress is not None:
                self.on_progress(self._steps[step.run_id][step.path])

    def ended(self, step: StepEnd) -> None:
        steps = self._steps.get(step.run_id, {})
        # A step that a cancel refused ends without having begun.
        known = steps.get(step.path) or StepRecord(
            run_id=step.run_id,
            step_id=step.step_id,
            path=step.path,
            status=StepStatus.PENDING,
            attempts=1,
            line=step.line,
            action=step.action,
            started_at=step.started_at,
            handed=step.handed,
            undoes=step.undoes,
            sequence=len(steps),
        )
        error = StepError(step.error.type, step.error.message) if step.error else None
        self._keep(
            replace(
                known,
                status=StepStatus.FAILED if error else StepStatus.SUCCEEDED,
                params=step.params,
                output=step.output,
                error=error,
                attempt_started=step.started_at,
                ended_at=step.ended_at,
                progress=None,
            )
        )
        self._tell_effect(step.run_id, step.path)

    def mocked(self, call: TaskCall, outcome: TaskOutcome, now: datetime) -> None:
        """Tells of a step that was mocked what its handler would have told. Anything but an action's call tells
        nothing."""
        arguments = call.arguments if isinstance(call.arguments, Mapping) else {}
        payload = arguments.get("Payload")
        step = payload.get("step") if isinstance(payload, Mapping) else None
        run = payload.get("run") if isinstance(payload, Mapping) else None
        if not isinstance(step, Mapping) or not isinstance(run, Mapping) or isinstance(outcome, TaskWaiting):
            return
        known = self._steps.get(str(run.get("id")), {}).get(str(step.get("path")))
        attempt, line = step.get("attempt"), step.get("line")
        answer = outcome.output if isinstance(outcome, TaskSucceeded) else None
        error = StepError(outcome.error or "", outcome.cause or "") if isinstance(outcome, TaskFailed) else None
        self._keep(
            StepRecord(
                run_id=str(run.get("id")),
                step_id=str(step.get("id")),
                path=str(step.get("path")),
                status=StepStatus.FAILED if error else StepStatus.SUCCEEDED,
                attempts=int(attempt) + 1 if isinstance(attempt, int | float) else 1,
                line=int(line) if isinstance(line, int | float) else None,
                action=str(step.get("action")),
                params=payload.get("params") if isinstance(payload, Mapping) else None,
                output=answer.get("Payload") if isinstance(answer, Mapping) else None,
                error=error,
                started_at=known.started_at if known else now,
                ended_at=now + timedelta(seconds=outcome.after),
                sequence=known.sequence if known else len(self._steps.get(str(run.get("id")), {})),
                undoes=undoes if isinstance(undoes := step.get("undoes"), str) else None,
                handed=step.get("undo"),
                attempt_started=now,
            )
        )

    def _keep(self, step: StepRecord) -> None:
        self._steps.setdefault(step.run_id, {})[step.path] = step

    def steps(self, run_id: str) -> dict[str, StepRecord]:
        """What was told of a run's steps, by path."""
        return dict(self._steps.get(run_id, {}))

    def steps_of_run(self, run_id: str) -> Sequence[RecordedStep]:
        return [
            RecordedStep(
                step_id=step.step_id,
                path=step.path,
                action=step.action or "",
                status=step.status.value,
                attempts=step.attempts,
                started_at=step.started_at,
                ended_at=step.ended_at,
                output=cast("JsonValue", step.output),
                error=ToldError(step.error.type, step.error.message) if step.error else None,
            )
            for step in self._steps.get(run_id, {}).values()
        ]


def _in_memory() -> LocalSharedState:
    from stepsmith.local.shared import MemorySharedState

    return MemorySharedState()
