"""What the states need of the engine, without the engine's public face: time, ids, evaluator, history, schedule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from random import Random
from typing import TYPE_CHECKING

from stepsmith.engine.clock import Clock
from stepsmith.engine.events import Detail, Event
from stepsmith.engine.execution import Execution, Scope, Visit
from stepsmith.engine.limits import HISTORY_EVENTS
from stepsmith.engine.query.expression import Evaluator
from stepsmith.engine.scheduler import Scheduler
from stepsmith.engine.tasks import TaskHandler
from stepsmith.engine.templates import Evaluation, Trace
from stepsmith.engine.values import Json

if TYPE_CHECKING:
    from stepsmith.engine.states.task import Attempt


class HistoryFull(Exception):  # noqa: N818 - a way out, not an error of ours
    """An execution has used up its events. Unwinds to the schedule, which fails the execution."""

    def __init__(self, execution: Execution) -> None:
        super().__init__(execution.arn)
        self.execution = execution


class Core:
    """The services that the states share. One per engine."""

    def __init__(
        self,
        tasks: TaskHandler,
        clock: Clock,
        ids: Callable[[], str],
        random: Random,
        observer: Callable[[Execution, Event], None] | None,
        trace: Callable[[Evaluation], None] | None,
        begin: Callable[[Core, Visit], None],
        start_child: Callable[..., Execution],
        stop: Callable[[Execution], None],
    ) -> None:
        self.tasks = tasks
        self.clock = clock
        self.scheduler = Scheduler(clock)
        self.ids = ids
        self.random = random
        self.observer = observer
        self.trace = trace
        self.evaluator = Evaluator(clock.now, ids, random)
        self.attempts: dict[str, Attempt | None] = {}
        self.start_child = start_child
        self.stop = stop
        self._begin = begin

    def now(self) -> datetime:
        """The present moment."""
        return self.clock.now()

    def scope(self, parent: Scope | None) -> Scope:
        """A scope for variables inside `parent`, or an outermost one."""
        return Scope(parent, self.evaluator.scope(None if parent is None else parent.frame))

    def soon(self, action: Callable[[], None]) -> None:
        """Do it now, after what is already due."""
        self.scheduler.call_soon(action)

    def begin(self, visit: Visit) -> None:
        """Begin an attempt at the visited state."""
        self._begin(self, visit)

    def record(
        self, execution: Execution, kind: str, details: Mapping[str, Detail], previous: int, *, last: bool = False
    ) -> Event:
        """Add an event to the history. Raises HistoryFull when only the execution's end still fits."""
        events = execution._events
        number = len(events) + 1
        if number >= HISTORY_EVENTS and not last:
            raise HistoryFull(execution)
        event = Event(number, previous, self.clock.now(), kind, details)
        events.append(event)
        if self.observer is not None:
            self.observer(execution, event)
        return event

    def tracer(self, visit: Visit) -> Trace:
        """A trace function that knows which state it speaks of."""
        report = self.trace
        assert report is not None

        def trace(field: str, query: str, value: Json, error: str | None) -> None:
            report(Evaluation(visit.run.execution.arn, visit.state.name, field, query, value, error))

        return trace
