"""Map in distributed mode: each item, or batch of items, is an execution of its own.

Children see none of the outer variables and write to histories of their own. The Map fails when more of them fail
than are tolerated, with a fixed cause and not theirs (recorded and measured).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from stepsmith.engine.core import Core
from stepsmith.engine.errors import (
    EXCEED_TOLERATED_FAILURE_THRESHOLD,
    ITEM_READER_FAILED,
    RESULT_WRITER_FAILED,
    Failure,
)
from stepsmith.engine.events import Detail
from stepsmith.engine.execution import Execution, Status, Visit
from stepsmith.engine.flow import context_for, evaluation_failed, fail, finish
from stepsmith.engine.limits import DATA_BYTES, DISTRIBUTED_MAP_CONCURRENCY, check_data
from stepsmith.engine.machine import Machine, Map
from stepsmith.engine.states.inline_map import array_items, item_context, tolerance
from stepsmith.engine.states.numbers import number, whole
from stepsmith.engine.states.readers import Fetch, ReaderError, read_items
from stepsmith.engine.states.results import describe, transform, write_results
from stepsmith.engine.tasks import Purpose, TaskCall, TaskOutcome
from stepsmith.engine.templates import Context, FieldError
from stepsmith.engine.values import Json, Payload, to_text, utf8_size


@dataclass(frozen=True, slots=True)
class Plan:
    """The evaluated fields of one attempt."""

    items: Sequence[Json] | Mapping[str, Json] | None
    concurrency: int
    tolerated_count: int | None
    tolerated_percentage: float | None
    reader_arguments: Json
    max_items: float
    writer_arguments: Json
    batch_items: int | None
    batch_bytes: int | None
    batch_input: Json
    has_batch_input: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """The input of one child execution and the number of items in it."""

    input: Json
    items: int


class MapRun:
    """One attempt: the child executions and the count of those that failed."""

    def __init__(self, core: Core, visit: Visit, state: Map, plan: Plan, arn: str) -> None:
        self._core = core
        self._visit = visit
        self._state = state
        self._plan = plan
        self._arn = arn
        self._batches: list[Batch] = []
        self._children: list[Execution | None] = []
        self._active: dict[str, int] = {}
        self._next = 0
        self._total = 0
        self._failed = 0
        self._open = True
        label = arn.rsplit("/", 1)[-1].split(":")[0]
        parent = visit.run.execution
        self._machine = Machine(state.processor)
        self._machine_arn = f"{parent.state_machine_arn}/{label}"

    def start(self) -> None:
        """Get the items, from S3 if the state has a reader."""
        state, plan = self._state, self._plan
        if state.reader is None:
            assert plan.items is not None
            self._items_read(plan.items)
            return
        reader = state.reader
        fetch = Fetch(partial(self._call, Purpose.ITEM_READER))
        try:
            if plan.max_items < 0:
                raise ReaderError("field MaxItems must be positive")  # recorded
            items = read_items(reader, plan.reader_arguments, int(plan.max_items), fetch)
        except ReaderError as problem:
            self._after(fetch.seconds, partial(self._fail, Failure(ITEM_READER_FAILED, str(problem))))
            return
        self._after(fetch.seconds, partial(self._items_read, items))

    def abort(self, *, record: bool) -> None:  # noqa: ARG002 - children write to their own histories
        """Stop the children that still run."""
        self._open = False
        for child in self._children:
            if child is not None and child.running:
                self._core.stop(child)

    def resume(self) -> None:
        """After a redrive, run again the children that failed or had not been begun (documented)."""
        run = self._visit.run
        run.last_event = self._core.record(
            run.execution,
            "MapRunRedriven",
            {"mapRunArn": self._arn, "redriveCount": run.execution.redrive_count},
            run.last_event,
        ).id
        if not self._batches:
            self._open = True
            self.start()
            return
        self._open = True
        self._failed = 0
        self._active.clear()
        self._next = 0
        for at, child in enumerate(self._children):
            if child is not None and child.status is not Status.SUCCEEDED:
                self._children[at] = None
        self._fill()

    def _call(self, purpose: Purpose, resource: str, arguments: Json) -> TaskOutcome:
        visit = self._visit
        return self._core.tasks(
            TaskCall(
                resource=resource,
                arguments=arguments,
                state=self._state.name,
                execution=visit.run.execution,
                attempt=visit.attempt,
                token=None,
                timeout_seconds=None,
                heartbeat_seconds=None,
                entered_event_id=visit.entered_event,
                purpose=purpose,
            )
        )

    def _after(self, seconds: float, action: partial[None]) -> None:
        if seconds <= 0:
            action()
            return

        def later() -> None:
            if self._open and self._visit.run.execution.running:
                action()

        core = self._core
        self._visit.timer = core.scheduler.call_at(core.now() + timedelta(seconds=seconds), later)

    def _items_read(self, items: Sequence[Json] | Mapping[str, Json]) -> None:
        try:
            inputs = self._selected(items)
        except FieldError as problem:
            self._visit.children = None
            evaluation_failed(self._core, self._visit, problem)
            return
        self._batches = self._packed(inputs)
        self._children = [None] * len(self._batches)
        self._total = len(inputs)
        self._fill()

    def _selected(self, items: Sequence[Json] | Mapping[str, Json]) -> list[Json]:
        """Each item through the ItemSelector. The members of an object are items ``{Key, Value}`` (recorded)."""
        selector = self._state.item_selector
        source = "STATE_DATA"
        if self._state.reader is not None and isinstance(self._plan.reader_arguments, Mapping):
            place = self._plan.reader_arguments
            source = f"S3://{place.get('Bucket')}/{place.get('Key', place.get('Prefix', ''))}"
        keyed: list[tuple[str | None, Json]] = (
            list(items.items()) if isinstance(items, Mapping) else [(None, item) for item in items]
        )
        if selector is None:
            return [item if key is None else {"Key": key, "Value": item} for key, item in keyed]
        core, visit = self._core, self._visit
        return [
            selector.render(item_context(core, visit, at, item, key=key, source=source))
            for at, (key, item) in enumerate(keyed)
        ]

    def _packed(self, inputs: Sequence[Json]) -> list[Batch]:
        """Child inputs: single items, or batches within the batcher's number and size."""
        if self._state.batcher is None:
            return [Batch(item, 1) for item in inputs]
        plan = self._plan
        most = plan.batch_items or len(inputs)
        room = plan.batch_bytes or DATA_BYTES
        around: dict[str, Json] = {"BatchInput": plan.batch_input} if plan.has_batch_input else {}
        empty = utf8_size(to_text({**around, "Items": []}))
        batches: list[Batch] = []
        packed: list[Json] = []
        size = empty
        for item in inputs:
            weight = utf8_size(to_text(item)) + 1
            if packed and (len(packed) == most or size + weight - 1 > room):
                batches.append(Batch({**around, "Items": packed}, len(packed)))
                packed, size = [], empty
            packed.append(item)
            size += weight
        if packed:
            batches.append(Batch({**around, "Items": packed}, len(packed)))
        return batches

    def _fill(self) -> None:
        """Start children while there is room; end when none are left."""
        while self._open and len(self._active) < self._plan.concurrency:
            while self._next < len(self._batches) and self._children[self._next] is not None:
                self._next += 1
            if self._next == len(self._batches):
                break
            self._start_child(self._next)
            self._next += 1
        if self._open and not self._active and self._next >= len(self._batches):
            self._open = False
            self._write()

    def _start_child(self, at: int) -> None:
        parent = self._visit.run.execution
        child = self._core.start_child(
            self._machine,
            self._batches[at].input,
            state_machine_arn=self._machine_arn,
            role_arn=parent.role_arn,
            parent=parent,
            map_run_arn=self._arn,
            on_end=partial(self._child_ended, at),
        )
        self._children[at] = child
        self._active[child.arn] = at

    def _child_ended(self, at: int, child: Execution) -> None:
        if not self._open:
            return
        self._active.pop(child.arn, None)
        if child.status is not Status.SUCCEEDED:
            self._failed += self._batches[at].items
            if self._exceeded():
                self.abort(record=False)
                self._fail(
                    Failure(
                        EXCEED_TOLERATED_FAILURE_THRESHOLD,
                        "The specified tolerated failure threshold was exceeded",
                    )
                )
                return
        self._fill()

    def _exceeded(self) -> bool:
        """Documented and measured: a count of 0 is none set; of count and percentage the first passed counts."""
        count, percentage = self._plan.tolerated_count, self._plan.tolerated_percentage
        if not count and not percentage:
            return self._failed > 0
        if count and self._failed > count:
            return True
        return bool(percentage) and self._failed * 100 > (percentage or 0) * self._total

    def _write(self) -> None:
        state, plan = self._state, self._plan
        children = [child for child in self._children if child is not None]
        writer = state.writer
        if writer is None:
            self._succeed([child.output if child.status is Status.SUCCEEDED else describe(child) for child in children])
        elif writer.resource is None:
            self._succeed(transform(children, writer.transformation))
        else:
            fetch = Fetch(partial(self._call, Purpose.RESULT_WRITER))
            self._open = True
            try:
                result = write_results(writer, writer.resource, plan.writer_arguments, children, self._arn, fetch)
            except ReaderError as problem:
                self._after(fetch.seconds, partial(self._fail, Failure(RESULT_WRITER_FAILED, str(problem))))
                return
            self._after(fetch.seconds, partial(self._succeed, result))

    def _succeed(self, value: Json) -> None:
        core, visit, state = self._core, self._visit, self._state
        run = visit.run
        self._open = False
        visit.timer = None
        visit.children = None
        result = Payload(value)
        oversized = check_data(result, state.name)
        if oversized is not None:
            fail(core, visit, oversized)
            return
        visit.succeeded = True
        ended = core.record(run.execution, "MapRunSucceeded", {}, run.last_event)
        core.record(run.execution, "MapStateSucceeded", {}, ended.id)
        finish(core, visit, result, {"result": result}, state.assign, state.output, state.next)

    def _fail(self, failure: Failure) -> None:
        core, visit = self._core, self._visit
        run = visit.run
        self._open = False
        visit.timer = None
        details: dict[str, Detail] = {"error": failure.error or "", "cause": failure.cause or ""}
        run.last_event = core.record(run.execution, "MapRunFailed", details, run.last_event).id
        fail(core, visit, failure)


def _plan(core: Core, visit: Visit, state: Map) -> Plan:
    context = context_for(core, visit, {})
    count, percentage = tolerance(state, context)
    reader, batcher, writer = state.reader, state.batcher, state.writer
    has_batch_input = batcher is not None and batcher.batch_input is not None
    return Plan(
        items=_items(visit, state, context) if reader is None else None,
        concurrency=min(
            whole(state.max_concurrency, context, "MaxConcurrency", 0, 2**53) or DISTRIBUTED_MAP_CONCURRENCY,
            DISTRIBUTED_MAP_CONCURRENCY,
        ),
        tolerated_count=count,
        tolerated_percentage=percentage,
        reader_arguments=None if reader is None or reader.arguments is None else reader.arguments.render(context),
        max_items=0 if reader is None else number(reader.max_items, context, "MaxItems") or 0,
        writer_arguments=None if writer is None or writer.arguments is None else writer.arguments.render(context),
        batch_items=None if batcher is None else whole(batcher.max_items, context, "MaxItemsPerBatch", 1, 2**53),
        batch_bytes=None
        if batcher is None
        else whole(batcher.max_bytes, context, "MaxInputBytesPerBatch", 1, DATA_BYTES),
        batch_input=None if batcher is None or batcher.batch_input is None else batcher.batch_input.render(context),
        has_batch_input=has_batch_input,
    )


def _items(visit: Visit, state: Map, context: Context) -> Sequence[Json] | Mapping[str, Json]:
    """Items of a Map without a reader: an array, or an object given by `Items` or the input (recorded)."""
    value = visit.input.value if state.items is None else state.items.render(context)
    return value if isinstance(value, Mapping) else array_items(visit, state, value)


def begin(core: Core, visit: Visit, state: Map) -> None:
    """Start a map run over all items; a retry starts a new one (documented)."""
    visit.count_retries()
    try:
        plan = _plan(core, visit, state)
    except FieldError as problem:
        evaluation_failed(core, visit, problem)
        return
    visit.context = None  # measured: Output and Assign see no RetryCount
    run = visit.run
    execution = run.execution
    length = 0 if plan.items is None else len(plan.items)
    started = core.record(execution, "MapStateStarted", {"length": length}, run.last_event)
    label = state.label or core.ids()
    arn = f"{execution.state_machine_arn.replace(':stateMachine:', ':mapRun:', 1)}/{label}:{core.ids()}"
    run.last_event = core.record(execution, "MapRunStarted", {"mapRunArn": arn}, started.id).id
    map_run = MapRun(core, visit, state, plan, arn)
    visit.children = map_run
    map_run.start()
