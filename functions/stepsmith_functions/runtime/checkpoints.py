"""Between two items of a long action: is the run still wanted, and how far is the action?

A cancel ends the action there. A pause is waited out while the function has time; then an action that may be repeated
is given up, to be tried again by the machine, and any other goes on: what it has done could not be told apart.
Looking and telling are both rare, whatever the number of items, and neither ever fails the action.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from stepsmith_functions.runtime.control import Control, Order
from stepsmith_functions.runtime.errors import RunCancelled, RunPaused
from stepsmith_functions.runtime.recording import StepProgress

LOOK_EVERY: Final = 2.0
"""Seconds between two looks at the run's record."""
TELL_EVERY: Final = 3.0
"""Seconds between two writes of progress."""
RESERVE: Final = 30.0
"""Seconds that a paused action leaves of its function's time."""


class Time(Protocol):
    """What is needed of the clock."""

    def elapsed(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


@dataclass
class Checkpoints:
    """The checkpoints of one call. `control` gives the order that stands for its run; `tell` keeps its progress."""

    control: Callable[[], Control | None]
    tell: Callable[[StepProgress], object]
    clock: Time
    remaining_seconds: Callable[[], float]
    may_be_given_up: bool
    """Whether the action is repeatable and the machine would try again after a pause."""
    logger: Callable[[], Any]
    _look: float = field(default=0.0, init=False)
    _tell: float = field(default=0.0, init=False)
    _begun: bool = field(default=False, init=False)

    def reached(self, progress: StepProgress) -> None:
        """Raises RunCancelled and RunPaused."""
        now = self.clock.elapsed()
        if not self._begun:
            # The step's own start has just been written and the gate has just looked.
            self._begun, self._look, self._tell = True, now + LOOK_EVERY, now + TELL_EVERY
            return
        if progress.says_anything and now >= self._tell:
            self._tell = now + TELL_EVERY
            self.tell(progress)
        if now >= self._look:
            self._heed()
            self._look = self.clock.elapsed() + LOOK_EVERY

    def _heed(self) -> None:
        control = self.control()
        while control is not None and control.order is Order.PAUSE:
            if self.remaining_seconds() < RESERVE:
                if self.may_be_given_up:
                    raise RunPaused(f"the run was {control.sentence()}")
                self.logger().info("the run is paused, but the action cannot be tried again: it goes on")
                return
            self.clock.sleep(LOOK_EVERY)
            control = self.control()
        if control is not None:
            raise RunCancelled(f"the run was {control.sentence()}")
