"""What an action is handed besides its params: who runs it, how long it may take, and the world's ends.

Clients, clock and ids come in from outside, so that a test or a local run replaces them.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from stepsmith_functions.runtime import log
from stepsmith_functions.runtime.checkpoints import Checkpoints
from stepsmith_functions.runtime.clients import Clients
from stepsmith_functions.runtime.recording import RunReader, StepProgress
from stepsmith_functions.runtime.secrets import SecretStore
from stepsmith_functions.runtime.settings import Settings

if TYPE_CHECKING:
    from aws_lambda_powertools.logging import Logger


class Clock(Protocol):
    """The time, and how to wait."""

    def now(self) -> datetime:
        """The wall clock, in UTC."""
        ...

    def elapsed(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def elapsed(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Ids(Protocol):
    """New identifiers."""

    def new(self) -> str:
        """32 hexadecimal digits that nobody else has."""
        ...


class RandomIds:
    """Random UUIDs."""

    def new(self) -> str:
        return uuid.uuid4().hex


@dataclass(frozen=True, kw_only=True)
class ActionContext:
    """One call of an action. Run and step are None when the handler was invoked with params only."""

    run_id: str | None = None
    workflow: str | None = None
    step_id: str | None = None
    step_path: str | None = None
    """Tells branches and iterations apart, e.g. `scan_all[2].scan`."""
    attempt: int = 0
    """0 on the first try; how often the step has begun before in this run."""
    settings: Settings = field(default_factory=Settings)
    clients: Clients
    clock: Clock = field(default_factory=SystemClock)
    ids: Ids = field(default_factory=RandomIds)
    secrets: SecretStore
    open_history: Callable[[], RunReader | None] = field(default=lambda: None)
    """Opens the history for reading; None where none is kept."""
    remaining_seconds: Callable[[], float] = field(default=lambda: 900.0)
    """Seconds until Lambda ends the call."""

    checkpoints: Checkpoints | None = None
    """None where the handler was invoked alone."""

    @property
    def logger(self) -> Logger:
        """The log; what is written to it carries the run and the step."""
        return log.logger()

    def checkpoint(self, percent: float | None = None, message: str | None = None, item: str | None = None) -> None:
        """To be called between two items of long work, as often as one likes: ends the action when its run is
        cancelled, waits while it is paused, and tells how far it is (`percent` from 0 to 100).

        Raises RunCancelled and RunPaused, which an action lets pass after it has put its own things in order.
        """
        if self.checkpoints is not None:
            self.checkpoints.reached(StepProgress(percent, message, item))

    def operation_id(self) -> str:
        """Names what this step does, the same for every attempt of it: 24 hexadecimal digits.

        An action that leaves something behind keeps it under this name, so that a repeated call finds its
        own work. Without a run each call is an operation of its own.
        """
        if self.run_id is None or self.step_path is None:
            return self.ids.new()[:24]
        return hashlib.sha256(f"{self.run_id}\n{self.step_path}".encode()).hexdigest()[:24]
