"""What stands at a step's boundary: a handler asks it once, before its action does anything.

It is a short list of questions (`QUESTIONS`), asked in order. Each lets the step pass, answers in its place with what
is on record, or raises what the machine is told: `RunCancelled`, `RunPaused`, `StillRunning`, `EffectUnknown`. A
question whose answer the table does not give is taken as passed: an outage of the history fails no action.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from pydantic import JsonValue

from stepsmith_functions.runtime.control import Control, ControlReader, Order, strongest
from stepsmith_functions.runtime.errors import ActionError, EffectUnknown, RunCancelled, RunPaused, StillRunning
from stepsmith_functions.runtime.recording import Begun, Earlier, EarlierStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundary:
    """The step that wants to begin, as the machine's event tells of it."""

    run_id: str | None
    controlled: bool
    """Whether it heeds a pause and a cancel: the steps of a `finally` do not."""
    pausable: bool
    """Whether the machine would ask again after a pause; an express one would not."""
    parents: tuple[str, ...]
    """The runs that wait for this one, the nearest first."""
    attempt: int
    """The number of the machine's retry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keepers:
    """Who answers the questions. None where the deployment keeps no history."""

    control: Callable[[], ControlReader | None]
    begin: Callable[[], Begun | Earlier | None]
    """Writes that the attempt begins, unless one before it is in the way; None where nothing was written."""
    now: Callable[[], datetime]
    logger: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Passed:
    """The action may run; `begun` tells how often it was begun before, where that is on record."""

    begun: Begun | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """The action has run: its output, as it is on record."""

    output: JsonValue


Answer: TypeAlias = "Passed | Done"
Question: TypeAlias = Callable[[Boundary, Keepers], Answer]


def ask(step: Boundary, keepers: Keepers) -> Answer:
    """What comes of the questions: the first that answers in place of the action, else that it may run."""
    answer: Answer = Passed()
    for question in QUESTIONS:
        answer = question(step, keepers)
        if isinstance(answer, Done):
            return answer
    return answer


def does_the_run_go_on(step: Boundary, keepers: Keepers) -> Answer:
    """Raises RunCancelled and RunPaused."""
    control = control_of(step, keepers)
    if control is None:
        return Passed()
    if control.order is not Order.PAUSE:
        raise RunCancelled(f"the run was {control.sentence()}")
    if step.pausable:
        raise RunPaused(f"the run was {control.sentence()}")
    return Passed()


def control_of(step: Boundary, keepers: Keepers) -> Control | None:
    """The order that stands for the run of `step`, or for one that waits for it."""
    if not step.controlled or step.run_id is None:
        return None
    try:
        reader = keepers.control()
        return strongest(reader.controls((step.run_id, *step.parents))) if reader else None
    except Exception:
        keepers.logger().exception("whether the run is paused or cancelled could not be read")
        return None


def was_it_done_before(step: Boundary, keepers: Keepers) -> Answer:
    """The output of an earlier call of the same visit that succeeded. Raises StillRunning and EffectUnknown.

    An attempt that failed has told so, and the machine's own retry of it may run. One that told nothing (it ran out
    of time, or crashed) may have taken effect: it is never repeated. Only actions that are not declared repeatable
    are asked; the recorder lets others begin.
    """
    earlier = keepers.begin()
    if not isinstance(earlier, Earlier):
        return Passed(earlier)
    match earlier.status:
        case EarlierStatus.SUCCEEDED if earlier.readable:
            return Done(earlier.output)
        case EarlierStatus.SUCCEEDED:
            raise StillRunning("an earlier call has succeeded, and its output cannot be read just now")
        case EarlierStatus.FAILED if earlier.error is not None and earlier.attempt == step.attempt:
            raise _as_recorded(earlier.error.type, earlier.error.message)
        case EarlierStatus.RUNNING if earlier.until is not None and keepers.now() < earlier.until:
            raise StillRunning(f"an earlier call of this step may be at work until {earlier.until.isoformat()}")
        case _:
            raise EffectUnknown(
                "an earlier call of this step began and never told how it ended: it may have taken effect"
            )


QUESTIONS: Final[tuple[Question, ...]] = (
    does_the_run_go_on,
    was_it_done_before,  # last: it writes that the step begins
)
"""In this order."""


def _as_recorded(name: str, message: str) -> ActionError:
    """The error that the same attempt has failed with, under its own name."""
    error: ActionError = type(name, (ActionError,), {})(message)
    return error
