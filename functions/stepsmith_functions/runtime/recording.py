"""How a handler tells the history what happened to its step, and what an action may read back from it.

The history implements these protocols (`stepsmith_functions.history`); the runtime calls them and survives
their failure. There is no storage here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

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
    action: str
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


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEnd:
    """The same attempt has ended; `error` is None on success. It repeats the start, which may get lost."""

    run_id: str
    workflow: str
    version: str | None
    step_id: str
    path: str
    action: str
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


class StepRecorder(Protocol):
    """Keeps what handlers tell. It may raise: the handler logs that and goes on."""

    def started(self, step: StepStart) -> None: ...

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
