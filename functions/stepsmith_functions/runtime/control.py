"""What a person wants of a run that is under way: that it waits, or that it ends in an orderly way.

It stands on the run's record, where a command puts it and where handlers read it at the start of each step
(`gate`). There is no storage here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Order(StrEnum):
    """What is wanted."""

    PAUSE = "pause"
    """No step begins until the order is lifted."""
    CANCEL = "cancel"
    """No step begins; `finally` blocks and a rollback still run."""
    STOP = "stop"
    """The execution is ended at once; nothing of it runs any more."""


@dataclass(frozen=True, slots=True)
class Control:
    """An order, and who gave it."""

    order: Order
    by: str
    at: datetime
    """UTC."""
    why: str = ""

    def sentence(self) -> str:
        """For messages: `cancelled by ann: wrong host`."""
        done = {Order.PAUSE: "paused", Order.CANCEL: "cancelled", Order.STOP: "stopped"}[self.order]
        return f"{done} by {self.by}" + (f": {self.why}" if self.why else "")


class ControlReader(Protocol):
    """Reads the orders of runs. It may raise: the handler logs that and goes on."""

    def controls(self, run_ids: Sequence[str]) -> Sequence[Control]:
        """The orders that stand for any of these runs; none for runs that nobody knows."""
        ...


def strongest(controls: Sequence[Control]) -> Control | None:
    """The order that counts where a run and those that wait for it have several: an end comes before a wait."""
    ranks = list(Order)
    return max(controls, key=lambda control: ranks.index(control.order), default=None)
