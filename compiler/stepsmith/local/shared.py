"""What the runs of one process share: how often actions began, circuits and places, kept in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from stepsmith_functions.runtime.control import Control, ControlReader
from stepsmith_functions.runtime.limits import Kept, RateLimit, SharedState, Subject

if TYPE_CHECKING:
    from pydantic import JsonValue


class LocalSharedState(SharedState, ControlReader, Protocol):
    """What runs share on this machine; it also tells which ends runs have ordered of others."""

    def forget(self, run_id: str) -> None:
        """The run is over, and has given up its place: nobody asks about it any more."""
        ...


class MemorySharedState:
    """A `LocalSharedState` for a process with one thread of runs."""

    def __init__(self) -> None:
        self._starts: Counter[tuple[str, int, datetime]] = Counter()
        self._kept: dict[tuple[Subject, str], Kept] = {}
        self._places: dict[str, str] = {}
        self._orders: dict[str, Control] = {}

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
        self._orders.setdefault(run_id, control)

    def controls(self, run_ids: Sequence[str]) -> Sequence[Control]:
        return [self._orders[run_id] for run_id in run_ids if run_id in self._orders]

    def forget(self, run_id: str) -> None:
        self._places.pop(run_id, None)
        self._orders.pop(run_id, None)
