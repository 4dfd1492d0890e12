"""The attempts of a run that failed, out of its history: the record of a step tells only how its last one ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from stepsmith.engine import Event, Execution
from stepsmith.local.program import Program

_FAILURES: Final = frozenset(
    {
        "TaskFailed",
        "TaskTimedOut",
        "TaskStartFailed",
        "TaskSubmitFailed",
        "LambdaFunctionFailed",
        "LambdaFunctionTimedOut",
        "LambdaFunctionScheduleFailed",
        "LambdaFunctionStartFailed",
    }
)


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """One attempt of a step, and the name of the error with which it failed."""

    step: str
    error: str


def failed_attempts(program: Program, execution: Execution) -> tuple[FailedAttempt, ...]:
    """The failed attempts at tasks of `execution`, in their order; those of its children are theirs."""
    return tuple(_failed(program, execution.events))


def _failed(program: Program, events: Sequence[Event]) -> Iterator[FailedAttempt]:
    states = program.origins.get("states")
    for event in events:
        if event.type not in _FAILURES:
            continue
        before = event
        while before.previous_event_id and not before.type.endswith("StateEntered"):
            before = events[before.previous_event_id - 1]
        origin = states.get(before.state or "") if isinstance(states, dict) else None
        step, error = origin.get("step") if isinstance(origin, dict) else None, event.details.get("error")
        if isinstance(step, str) and isinstance(error, str):
            yield FailedAttempt(step, error)
