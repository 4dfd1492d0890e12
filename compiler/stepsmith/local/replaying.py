"""Follows the first part of a workflow once more by its records, and so finds what the rest of it may read.

The part is a machine of its own (`stepsmith.lowering.continuing`) on our engine: conditions, loops, handlers and `set`
steps are evaluated again, while every call is answered with what the earlier run has on record, after the time that it
took. Nothing has an effect, and no call is made. What has no record is answered with a mark, which shows wherever it
ends up.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from stepsmith.document import Json
from stepsmith.engine import (
    Engine,
    Status,
    TaskCall,
    TaskFailed,
    TaskOutcome,
    TaskSucceeded,
    VirtualClock,
    api_event,
)
from stepsmith.lowering.continuing import REACHED
from stepsmith_functions.history.reading import read_history
from stepsmith_functions.history.records import RunRecord, StepRecord, StepStatus
from stepsmith_functions.history.store import HistoryError
from stepsmith_functions.history.values import Recorded, StoredValue

ABSENT: Final = "stepsmith.not-on-record"
"""The key of the mark; its value is the path of the step."""
_NEVER: Final = 10.0**9
"""Seconds after which a call ends that did not: something else was there first, or it has no record."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of it."""

    reached: bool
    """The end of the part was reached."""
    variables: Mapping[str, Json]
    """The machine's variables there, by their names."""
    absent: Mapping[str, StepRecord | None]
    """By path: the calls on the way that have no record of how they ended, with what there is."""
    answered: Mapping[str, StepRecord]
    """By path: the calls that have one."""
    state: str | None = None
    """The state that failed it, where it was not reached."""
    error: str | None = None
    cause: str | None = None


def replay(definition: str, run: RunRecord, steps: Mapping[str, StepRecord]) -> Replayed:
    """Follows `definition` by the records `steps` of `run`, by path, whose values are all at hand."""
    replaying = _Records(steps)
    engine = Engine(replaying.answer, clock=VirtualClock(run.started_at))
    execution = engine.start(definition, plain(run.input), name=run.run_id)
    engine.run(until=execution)
    history = read_history(api_event(event) for event in execution.events)
    outermost = [visit for visit in history.visits if visit.scope.owner is None]
    variables: dict[str, Json] = {}
    for visit in sorted(outermost, key=lambda visit: visit.exited_id or 0):
        if visit.exited_id is not None:
            variables |= {name: json.loads(text) for name, text in visit.assigned.items()}
    return Replayed(
        execution.status is Status.SUCCEEDED and any(visit.state == REACHED for visit in outermost),
        variables,
        replaying.absent,
        replaying.answered,
        execution.failure.state if execution.failure else None,
        execution.error,
        execution.cause,
    )


def marks(value: Json) -> Iterator[str]:
    """The paths of the steps whose marks are anywhere in `value`."""
    match value:
        case dict():
            if isinstance(path := value.get(ABSENT), str):
                yield path
            for inner in value.values():
                yield from marks(inner)
        case list():
            for inner in value:
                yield from marks(inner)
        case _:
            pass


def plain(value: Recorded) -> Json:
    """A value of the history as JSON. Raises HistoryError for one that lies apart and was not fetched."""
    if isinstance(value, StoredValue):
        raise HistoryError(f"{value.uri} was not fetched")
    found: Json = json.loads(json.dumps(value))
    return found


class _Records:
    def __init__(self, steps: Mapping[str, StepRecord]) -> None:
        self._steps = steps
        self.absent: dict[str, StepRecord | None] = {}
        self.answered: dict[str, StepRecord] = {}

    def answer(self, call: TaskCall) -> TaskOutcome:
        path = _path_of(call)
        step = self._steps.get(path)
        match step.status if step is not None else None:
            case StepStatus.SUCCEEDED if step is not None:
                self.answered[path] = step
                return TaskSucceeded({"Payload": plain(step.output)}, _seconds(step))
            case StepStatus.FAILED if step is not None and step.error is not None:
                self.answered[path] = step
                cause = json.dumps({"errorMessage": step.error.message, "errorType": step.error.type})
                return TaskFailed(step.error.type, cause, _seconds(step))
            case _:
                self.absent[path] = step
                # A sibling that failed ends it, as it did in the run; else it is missing.
                stopped = step is not None and step.status is StepStatus.CANCELLED
                return TaskSucceeded({"Payload": {ABSENT: path}}, _NEVER if stopped else 0)


def _path_of(call: TaskCall) -> str:
    arguments = call.arguments
    payload = arguments.get("Payload") if isinstance(arguments, dict) else None
    step = payload.get("step") if isinstance(payload, dict) else None
    path = step.get("path") if isinstance(step, dict) else None
    return path if isinstance(path, str) else call.state


def _seconds(step: StepRecord) -> float:
    if step.started_at is None or step.ended_at is None:
        return 0
    return max((step.ended_at - step.started_at).total_seconds(), 0)
