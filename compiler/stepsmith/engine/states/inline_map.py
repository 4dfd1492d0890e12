"""Map in inline mode: iterations inside the execution, at most some forty at once.

Each iteration has a scope of its own inside the Map's. The first failed iteration fails the Map with its own error;
the tolerated failures of a distributed Map mean nothing here (documented).
"""

from __future__ import annotations

from collections.abc import Sequence

from stepsmith.engine.core import Core
from stepsmith.engine.errors import Failure
from stepsmith.engine.execution import Run, Visit
from stepsmith.engine.flow import abort, context_for, evaluation_failed, fail, finish, resume, start_run
from stepsmith.engine.limits import INLINE_MAP_CONCURRENCY, check_data
from stepsmith.engine.machine import Map
from stepsmith.engine.states.numbers import number, whole
from stepsmith.engine.templates import Context, FieldError, Query
from stepsmith.engine.values import Json, Payload, json_type, to_text


class Iterations:
    """The iterations of one attempt: starts them as others end and joins their outputs in item order."""

    def __init__(self, core: Core, visit: Visit, state: Map, items: Sequence[Json], concurrency: int) -> None:
        self._core = core
        self._visit = visit
        self._state = state
        self._items = items
        self._concurrency = concurrency
        self._outputs: list[Json] = [None] * len(items)
        self._active: dict[int, Run] = {}
        self._next = 0
        self._left = len(items)

    def start(self) -> None:
        """Start as many iterations as may run at once; end at once when there are no items."""
        if not self._items:
            self._succeed()
            return
        previous = self._visit.run.last_event
        for _ in range(min(self._concurrency, len(self._items))):
            if not self._start_next(previous):
                return

    def run_succeeded(self, run: Run, output: Payload) -> None:
        """One iteration is done: start the next, or end the state with the last one."""
        core, visit = self._core, self._visit
        del self._active[run.index]
        self._outputs[run.index] = output.value
        self._left -= 1
        event = core.record(
            run.execution,
            "MapIterationSucceeded",
            {"name": self._state.name, "index": run.index},
            run.last_event,
        )
        if self._left == 0:
            visit.run.last_event = event.id
            self._succeed()
        elif self._next < len(self._items):
            # Recorded: the next iteration follows from the last state of the one that made room.
            self._start_next(run.last_event)

    def run_failed(self, run: Run, failure: Failure) -> None:
        """One iteration failed: give up the others and fail with its error."""
        core, visit = self._core, self._visit
        core.record(
            run.execution,
            "MapIterationFailed",
            {"name": self._state.name, "index": run.index},
            run.last_event,
        )
        visit.run.last_event = run.last_event
        self.abort(record=True)
        fail(core, visit, failure)

    def abort(self, *, record: bool) -> None:
        """Give up the iterations that still run."""
        for run in self._active.values():
            if run.closed:
                continue
            abort(self._core, run, record=record)
            if record:
                self._core.record(
                    run.execution,
                    "MapIterationAborted",
                    {"name": self._state.name, "index": run.index},
                    run.last_event,
                )

    def resume(self) -> None:
        """Go on with the iterations that did not succeed, and with the items that had not been begun."""
        if not self._active and self._next >= len(self._items):
            self._succeed()
            return
        previous = self._visit.run.last_event
        for run in list(self._active.values()):
            resume(self._core, run, previous)
        while len(self._active) < self._concurrency and self._next < len(self._items):
            if not self._start_next(previous):
                return

    def _start_next(self, previous: int) -> bool:
        core, visit, state = self._core, self._visit, self._state
        outer = visit.run
        at = self._next
        item = self._items[at]
        if state.item_selector is not None:
            try:
                item = state.item_selector.render(item_context(core, visit, at, item))
            except FieldError as problem:
                self.abort(record=True)
                evaluation_failed(core, visit, problem)
                return False
        self._next = at + 1
        started = core.record(outer.execution, "MapIterationStarted", {"name": state.name, "index": at}, previous)
        run = Run(outer.execution, state.processor, self, core.scope(outer.scope), Payload(item), started.id, at)
        self._active[at] = run
        start_run(core, run)
        return True

    def _succeed(self) -> None:
        core, visit, state = self._core, self._visit, self._state
        outer = visit.run
        result = Payload(self._outputs)
        oversized = check_data(result, state.name)
        visit.children = None  # a redrive after too large a result does all of it again (documented)
        if oversized is not None:
            fail(core, visit, oversized)
            return
        visit.succeeded = True
        core.record(outer.execution, "MapStateSucceeded", {}, outer.last_event)
        finish(core, visit, result, {"result": result}, state.assign, state.output, state.next)


def item_context(
    core: Core, visit: Visit, at: int, item: Json, *, key: str | None = None, source: str = "STATE_DATA"
) -> Context:
    """What an ItemSelector sees: the context object with ``Map.Item``, which nothing else sees (documented)."""
    about: dict[str, Json] = {"Index": at, "Value": item, "Source": source}
    if key is not None:
        about["Key"] = key
    return context_for(core, visit, {}, about)


def array_items(visit: Visit, state: Map, value: Json) -> Sequence[Json]:
    """The items of a Map, whose `Items` or else input is `value`: they must be an array. Raises FieldError."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return value
    if state.items is None:
        raise FieldError(None, None, f"Map state input must be an array but was: {visit.input.text}")
    if isinstance(state.items, Query):
        raise state.items.unexpected("array", value)
    raise FieldError("Items", None, f"The Items field must be an array but was '{json_type(value)}': {to_text(value)}")


def tolerance(state: Map, context: Context) -> tuple[int | None, float | None]:
    """The tolerated number and percentage of failures. Raises FieldError."""
    count = whole(state.tolerated_count, context, "ToleratedFailureCount", 0, 2**53)
    percentage = number(state.tolerated_percentage, context, "ToleratedFailurePercentage")
    if percentage is not None and not 0 <= percentage <= 100:
        raise FieldError("ToleratedFailurePercentage", None, "ToleratedFailurePercentage must be between 0 and 100.")
    return count, percentage


def begin(core: Core, visit: Visit, state: Map) -> None:
    """Evaluate the items and start the iterations."""
    visit.count_retries()
    context = context_for(core, visit, {})
    try:
        items = array_items(visit, state, visit.input.value if state.items is None else state.items.render(context))
        most = whole(state.max_concurrency, context, "MaxConcurrency", 0, 2**53) or INLINE_MAP_CONCURRENCY
        tolerance(state, context)
    except FieldError as problem:
        evaluation_failed(core, visit, problem)
        return
    visit.context = None  # measured: Output and Assign see no RetryCount
    outer = visit.run
    started = core.record(outer.execution, "MapStateStarted", {"length": len(items)}, outer.last_event)
    outer.last_event = started.id
    iterations = Iterations(core, visit, state, items, min(most, INLINE_MAP_CONCURRENCY))
    visit.children = iterations
    iterations.start()
