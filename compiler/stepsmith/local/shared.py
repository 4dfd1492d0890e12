"""What the runs of one process share: how often actions began, and circuits, kept in memory."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING

from stepsmith_functions.runtime.limits import Kept, RateLimit

if TYPE_CHECKING:
    from pydantic import JsonValue


class MemorySharedState:
    """A `runtime.limits.SharedState` for a process with one thread of runs."""

    def __init__(self) -> None:
        self._starts: Counter[tuple[str, int, datetime]] = Counter()
        self._circuits: dict[str, Kept] = {}

    def take(self, rate: RateLimit, now: datetime) -> bool:
        window = (rate.key, rate.per, rate.window(now))
        if self._starts[window] >= rate.limit:
            return False
        self._starts[window] += 1
        return True

    def read(self, key: str) -> Kept:
        return self._circuits.get(key, Kept())

    def replace(self, key: str, kept: Kept, value: JsonValue, until: datetime) -> bool:  # noqa: ARG002 - it ends soon
        if self.read(key).revision != kept.revision:
            return False
        self._circuits[key] = Kept(value, kept.revision + 1)
        return True
