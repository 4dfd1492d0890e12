"""Where the engine's time comes from.

The engine asks for the time and asks to be woken at a moment; it never reads a clock of its own. A `VirtualClock`
jumps to that moment, a `RealClock` sleeps until it comes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

DEFAULT_START = datetime(2025, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """The time, in UTC, and the way to get to a later one."""

    def now(self) -> datetime:
        """The present moment, with a time zone."""
        ...

    def wait_until(self, moment: datetime) -> None:
        """Return when `moment` has come; at once when it has passed."""
        ...


class VirtualClock:
    """A clock that moves only when it is told to, so that a day's wait takes no time and every run is alike."""

    __slots__ = ("_now",)

    def __init__(self, start: datetime = DEFAULT_START) -> None:
        if start.tzinfo is None:
            raise ValueError("the start of a VirtualClock needs a time zone")
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        """The virtual moment."""
        return self._now

    def wait_until(self, moment: datetime) -> None:
        """Jump to `moment`; a virtual clock never goes back."""
        if moment > self._now:
            self._now = moment


class RealClock:
    """The machine's own clock. `idle` is called before it sleeps, with the seconds that nothing is to happen."""

    __slots__ = ("_idle",)

    def __init__(self, idle: Callable[[float], None] | None = None) -> None:
        self._idle = idle

    def now(self) -> datetime:
        """The present moment in UTC."""
        return datetime.now(UTC)

    def wait_until(self, moment: datetime) -> None:
        """Sleep until `moment`; Ctrl-C interrupts the sleep."""
        if self._idle is not None and (rest := (moment - self.now()).total_seconds()) > 0:
            self._idle(rest)
        while (rest := (moment - self.now()).total_seconds()) > 0:
            time.sleep(rest)
