"""How a handler tells the history what happened to its step, and what an action may read back from it.

The history implements these protocols (`stepsmith_functions.history`); the runtime calls them and survives
their failure. There is no storage here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # who only reads the history needs no pydantic
    from pydantic import JsonValue


@dataclass(frozen=True, slots=True)
class StepError:
    """Why an attempt failed. `type` is the error name that `Retry` and `Catch` match."""

    type: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStart:
    """One attempt of a step begins. `path` tells branches and iterations apart; `attempt` counts from 0."""

    run_id: str
    workflow: str
    version: str | None
    step_id: str
    path: str
    action: str | None
    """None for a step that is no action."""
    attempt: int
    line: int | None
    params: JsonValue
    """As rendered by the machine, with `***` where a secret stood."""
    started_at: datetime
    """UTC."""
    handed: JsonValue = None
    """What the machine hands over for the step's undo."""
    undoes: str | None = None
    """The path of the step that this one undoes."""
    visit: str | None = None
    """Names the visit of the machine's state: the same for all its retries; later ones sort after it."""
    once: bool = False
    """Whether the action must not begin again where it may have taken effect in the same visit."""
    until: datetime | None = None
    """When the call is over at the latest."""
    waits: bool = False
    """It waits for somebody and does nothing meanwhile."""


@dataclass(frozen=True, slots=True)
class Begun:
    """The attempt is on record."""

    attempts: int
    """How often the step has begun, this time included."""


class EarlierStatus(StrEnum):
    """How an earlier call stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PASSED_OVER = "passed_over"
    """It is no earlier but a later one: the present call comes too late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """A call of the same step that is in the way of the present one."""

    status: EarlierStatus
    attempt: int
    output: JsonValue = None
    readable: bool = True
    """Whether the output could be read."""
    error: StepError | None = None
    until: datetime | None = None
    """When it is over at the latest, if it has not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEnd:
    """The same attempt has ended; `error` is None on success. It repeats the start, which may get lost."""

    run_id: str
    workflow: str
    version: str | None
    step_id: str
    path: str
    action: str | None
    attempt: int
    line: int | None
    params: JsonValue
    output: JsonValue
    error: StepError | None
    started_at: datetime
    ended_at: datetime
    handed: JsonValue = None
    """What the machine hands over for the step's undo."""
    undoes: str | None = None
    """The path of the step that this one undoes."""


@dataclass(frozen=True, slots=True)
class StepProgress:
    """How far an attempt is, as its action says."""

    percent: float | None = None
    """0 to 100."""
    message: str | None = None
    item: str | None = None
    """What it works on."""

    @property
    def says_anything(self) -> bool:
        return (self.percent, self.message, self.item) != (None, None, None)


class StepRecorder(Protocol):
    """Keeps what handlers tell. It may raise: the handler logs that and goes on."""

    def started(self, step: StepStart) -> Begun | Earlier | None:
        """Keeps that an attempt begins; of one that may run but `once`, only where no call is in its way.

        None where that is not known.
        """
        ...

    def progressed(self, step: StepStart, progress: StepProgress) -> None:
        """Keeps how far the attempt is that began with `step`, unless another one has begun or it has ended."""
        ...

    def ended(self, step: StepEnd) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedStep:
    """What a report shows of one step that has started."""

    step_id: str
    path: str
    action: str
    status: str
    attempts: int
    started_at: datetime | None
    ended_at: datetime | None
    output: JsonValue
    error: StepError | None


class RunReader(Protocol):
    """Reads one run's steps back, in the order in which they started."""

    def steps_of_run(self, run_id: str) -> Sequence[RecordedStep]: ...
