"""What the runs of one process share: how often actions began, circuits and places, kept in memory."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING

from stepsmith_functions.runtime.control import Control
from stepsmith_functions.runtime.limits import Kept, RateLimit, Subject

if TYPE_CHECKING:
    from pydantic import JsonValue


class MemorySharedState:
    """A `runtime.limits.SharedState` for a process with one thread of runs."""

    def __init__(self) -> None:
        self._starts: Counter[tuple[str, int, datetime]] = Counter()
        self._kept: dict[tuple[Subject, str], Kept] = {}
        self._places: dict[str, str] = {}
        self.orders: dict[str, Control] = {}
        """The ends that runs have ordered of others."""

    def take(self, rate: RateLimit, now: datetime) -> bool:
        window = (rate.key, rate.per, rate.window(now))
        if self._starts[window] >= rate.limit:
            return False
        self._starts[window] += 1
        return True

    def read(self, key: str, subject: Subject = Subject.CIRCUIT) -> Kept:
        return self._kept.get((subject, key), Kept())

    def replace(
        self,
        key: str,
        kept: Kept,
        value: JsonValue,
        until: datetime,  # noqa: ARG002 - the process ends soon
        subject: Subject = Subject.CIRCUIT,
    ) -> bool:
        if self.read(key, subject).revision != kept.revision:
            return False
        self._kept[subject, key] = Kept(value, kept.revision + 1)
        return True

    def remember_place(self, run_id: str, key: str, until: datetime) -> None:  # noqa: ARG002
        self._places[run_id] = key

    def place_of(self, run_id: str) -> str | None:
        return self._places.get(run_id)

    def cancel(self, run_id: str, control: Control) -> None:
        self.orders.setdefault(run_id, control)
