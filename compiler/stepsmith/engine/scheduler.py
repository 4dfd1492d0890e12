"""The order in which things happen: what is due now, and what is due later.

A discrete-event queue. Work that is due is done in the order in which it was asked for; when none is left, time goes
to the next deadline. No threads: whoever runs the scheduler does the work.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from datetime import datetime

from stepsmith.engine.clock import Clock


class Timer:
    """One thing to do at one moment. `cancel` it and it will not happen."""

    __slots__ = ("_scheduler", "_woken", "action", "passive", "when")

    def __init__(self, scheduler: Scheduler, when: datetime, action: Callable[[], None], passive: bool) -> None:
        self._scheduler = scheduler
        self.when = when
        self.action: Callable[[], None] | None = action
        self.passive = passive
        self._woken = False

    def cancel(self) -> None:
        """Forget the action; cancelling twice, or after it happened, does nothing."""
        if self.action is not None:
            self.action = None
            if not self._woken:
                self._scheduler.forget(self)

    def wake(self) -> None:
        """The moment has come: from now on the timer no longer counts as a deadline."""
        self._woken = True

    def fire(self) -> None:
        """Do the action, unless it was cancelled after the timer woke."""
        action, self.action = self.action, None
        if action is not None:
            action()


class Scheduler:
    """A queue of due work and a heap of deadlines over one clock."""

    __slots__ = ("_active", "_cancelled", "_due", "_heap", "_sequence", "clock")

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._due: deque[Callable[[], None]] = deque()
        self._heap: list[tuple[datetime, int, Timer]] = []
        self._sequence = 0
        self._active = 0
        self._cancelled = 0

    def call_soon(self, action: Callable[[], None]) -> None:
        """Do it now, after what is already due."""
        self._due.append(action)

    def call_at(self, when: datetime, action: Callable[[], None], *, passive: bool = False) -> Timer:
        """Do it at `when`. A passive deadline happens when its time has come but never makes time go on."""
        timer = Timer(self, when, action, passive)
        self._sequence += 1
        heapq.heappush(self._heap, (when, self._sequence, timer))
        if not passive:
            self._active += 1
        return timer

    def forget(self, timer: Timer) -> None:
        """Account for a cancelled timer; the heap is swept when most of it is dead."""
        if not timer.passive:
            self._active -= 1
        self._cancelled += 1
        if self._cancelled > 64 and self._cancelled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].action is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    @property
    def has_due(self) -> bool:
        """Whether anything can be done without time going on."""
        return bool(self._due)

    def next_deadline(self, *, passive: bool = False) -> datetime | None:
        """The earliest deadline that time may go to, or None when nothing is bound to happen.

        With `passive`, also when all that is left is passive: time goes on anyhow.
        """
        self._drop_cancelled()
        return self._heap[0][0] if self._heap and (self._active or passive) else None

    def run_one(self) -> None:
        """Do the first thing that is due."""
        self._due.popleft()()

    def wake(self) -> None:
        """Make due whatever deadline has come by the clock's present moment."""
        now = self.clock.now()
        self._drop_cancelled()
        while self._heap and self._heap[0][0] <= now:
            timer = heapq.heappop(self._heap)[2]
            timer.wake()
            if not timer.passive:
                self._active -= 1
            self._due.append(timer.fire)
            self._drop_cancelled()

    def _drop_cancelled(self) -> None:
        while self._heap and self._heap[0][2].action is None:
            heapq.heappop(self._heap)
            self._cancelled -= 1
