"""What handlers tell of their steps, kept in DynamoDB.

Each attempt makes two writes, both to the one item of its step. An attempt is known by the moment it began,
`attempt_started`, which its end repeats. So a write that arrives twice changes nothing, an end whose start
was lost is complete in itself, and the end of an attempt that Step Functions gave up (a timeout) cannot
overwrite the attempt that followed. A step that is visited again under its path (a redrive, a retried
block) goes on counting attempts.

An action that must not be repeated begins by the same write, under a condition: no call of the same visit of the
state may have begun, but for an attempt that has told of its failure. What is in the way comes back with the refusal.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from stepsmith_functions.history.documents import progress_to_json
from stepsmith_functions.history.items import (
    TTL_ATTRIBUTE,
    Attribute,
    Item,
    ItemWriter,
    begun_from_item,
    step_from_item,
    step_key,
)
from stepsmith_functions.history.records import StepStatus
from stepsmith_functions.history.retrying import Backoff, ConditionFailedError
from stepsmith_functions.history.store import HistoryError
from stepsmith_functions.history.updates import Answer, DynamoClient, Update
from stepsmith_functions.history.values import StoredValue, ValueStore, from_text, to_stamp, to_text
from stepsmith_functions.runtime.recording import (
    Begun,
    Earlier,
    EarlierStatus,
    StepEnd,
    StepError,
    StepProgress,
    StepStart,
)

if TYPE_CHECKING:
    from pydantic import JsonValue

_VALUE_ATTRIBUTES = ("params", "params_at", "output", "output_at", "handed", "handed_at")


class DynamoStepRecorder:
    """A `runtime.recording.StepRecorder` over the table that `items` describes."""

    def __init__(
        self,
        client: DynamoClient,
        table: str,
        values: ValueStore,
        *,
        keep_days: int = 90,
        backoff: Backoff | None = None,
    ) -> None:
        self._client = client
        self._table = table
        self._values = values
        self._writer = ItemWriter(values.save, keep_days=keep_days)
        self._backoff = backoff or Backoff()

    def started(self, step: StepStart) -> Begun | Earlier | None:
        """Writes that an attempt is running, unless it may run but once and another is in its way, which is then the
        answer. Raises HistoryError when the table cannot be written.
        """
        update = Update()
        self._set_identity(update, step)
        self._count_attempt(update, step)
        status = StepStatus.WAITING if step.waits else StepStatus.RUNNING
        update.set("status", {"S": status.value})
        update.set(TTL_ATTRIBUTE, self._writer.expiry(step.started_at))
        self._set_values(update, self._given(step))
        for name in ("error", "ended_at", "settled", "progress"):
            update.remove(name)
        update.answer_with(new=True, refused=step.once)
        if step.once:
            self._require_first(update, step)
        else:
            begun, moment = update.name("attempt_started"), update.value({"S": to_stamp(step.started_at)})
            update.require(f"attribute_not_exists({begun}) OR {begun} < {moment}")
        try:
            answer = self._backoff.call(
                self._client.update_item, **update.arguments(self._table, step_key(step.run_id, step.path))
            )
        except ConditionFailedError as refusal:
            return self._earlier(refusal.item, step) if step.once else None
        return _begun(answer)

    @staticmethod
    def _require_first(update: Update, step: StepStart) -> None:
        """Another visit, or a retry after an attempt that told of its failure: nothing else may begin."""
        visit, attempt = step.visit or "", {"N": str(step.attempt)}
        named, number, status = update.name("visit"), update.name("attempt"), update.name("status")
        this, now, failed = update.value({"S": visit}), update.value(attempt), update.value({"S": "failed"})
        update.require(
            f"attribute_not_exists({named}) OR {named} < {this} "
            f"OR ({named} = {this} AND {status} = {failed} AND {number} < {now})"
        )
        update.set("visit", {"S": visit})
        update.set("attempt", attempt)
        if step.until is not None:
            update.set("until", {"S": to_stamp(step.until)})

    def _earlier(self, item: Mapping[str, object] | None, step: StepStart) -> Earlier:
        """The call that is in the way, as the table has it."""
        kept: Item = cast("Item", item or {})
        visit, attempt, status, until = begun_from_item(kept)
        if visit != step.visit:
            return Earlier(status=EarlierStatus.PASSED_OVER, attempt=attempt)
        match status:
            case StepStatus.SUCCEEDED:
                return self._succeeded(kept, attempt)
            case StepStatus.FAILED:
                error = step_from_item(kept).error
                told = StepError(error.type, error.message) if error else None
                return Earlier(status=EarlierStatus.FAILED, attempt=attempt, error=told)
            case StepStatus.RUNNING if attempt <= step.attempt:
                return Earlier(status=EarlierStatus.RUNNING, attempt=attempt, until=until)
            case _:
                return Earlier(status=EarlierStatus.PASSED_OVER, attempt=attempt)

    def _succeeded(self, item: Item, attempt: int) -> Earlier:
        step = step_from_item(item)
        output = step.output if step.result is None else step.result
        try:
            value = from_text(self._values.load(output)) if isinstance(output, StoredValue) else output
        except HistoryError:
            return Earlier(status=EarlierStatus.SUCCEEDED, attempt=attempt, readable=False)
        return Earlier(status=EarlierStatus.SUCCEEDED, attempt=attempt, output=cast("JsonValue", value))

    def progressed(self, step: StepStart, progress: StepProgress) -> None:
        """Writes how far an attempt is. Raises HistoryError when the table cannot be written."""
        update = Update()
        update.set("progress", {"S": to_text(progress_to_json(progress))})
        begun, moment = update.name("attempt_started"), update.value({"S": to_stamp(step.started_at)})
        status, running = update.name("status"), update.value({"S": StepStatus.RUNNING.value})
        update.require(f"{begun} = {moment} AND {status} = {running}")
        with suppress(ConditionFailedError):
            self._backoff.call(
                self._client.update_item, **update.arguments(self._table, step_key(step.run_id, step.path))
            )

    def ended(self, step: StepEnd) -> None:
        """Writes how an attempt ended. Raises HistoryError when the table cannot be written."""
        values = {
            **self._given(step),
            **self._writer.value(step.run_id, "output", step.output),
        }
        update = self._end(step, values)
        begun, moment = update.name("attempt_started"), update.value({"S": to_stamp(step.started_at)})
        update.require(f"{begun} = {moment}")
        update.require(f"attribute_not_exists({update.name('settled')})")
        if self._write(update, step):
            return
        # Either the start was lost, or this attempt was given up and a later one, or the end of the run, has
        # settled the step.
        update = self._end(step, values)
        self._count_attempt(update, step)
        begun, moment = update.name("attempt_started"), update.value({"S": to_stamp(step.started_at)})
        update.require(f"attribute_not_exists({begun}) OR {begun} < {moment}")
        update.require(f"attribute_not_exists({update.name('settled')})")
        self._write(update, step)

    def _given(self, step: StepStart | StepEnd) -> dict[str, Attribute]:
        """What the step was given: both writes have it, since the first may get lost."""
        return {
            **self._writer.value(step.run_id, "params", step.params),
            **self._writer.value(step.run_id, "handed", step.handed),
        }

    def _end(self, step: StepEnd, values: dict[str, Attribute]) -> Update:
        update = Update()
        self._set_identity(update, step)
        update.set("status", {"S": (StepStatus.FAILED if step.error else StepStatus.SUCCEEDED).value})
        update.set("ended_at", {"S": to_stamp(step.ended_at)})
        update.set(TTL_ATTRIBUTE, self._writer.expiry(step.ended_at))
        update.remove("progress")
        if step.error:
            error = {"type": step.error.type, "message": step.error.message}
            update.set("error", {"S": to_text(error)})
        else:
            update.remove("error")
        self._set_values(update, values)
        return update

    @staticmethod
    def _set_identity(update: Update, step: StepStart | StepEnd) -> None:
        for name, text in (
            ("kind", "step"),
            ("run_id", step.run_id),
            ("workflow", step.workflow),
            ("version", step.version),
            ("step_id", step.step_id),
            ("path", step.path),
            ("action", step.action),
            ("undoes", step.undoes),
        ):
            if text is not None:
                update.set(name, {"S": text})
        if step.line is not None:
            update.set("line", {"N": str(step.line)})

    @staticmethod
    def _count_attempt(update: Update, step: StepStart | StepEnd) -> None:
        started, attempts = update.name("started_at"), update.name("attempts")
        moment = update.value({"S": to_stamp(step.started_at)})
        # The machine's own number counts also what did not begin: it asks again while a run is paused.
        before, one = update.value({"N": "0"}), update.value({"N": "1"})
        update.set_expression("started_at", f"if_not_exists({started}, {moment})")
        update.set_expression("attempts", f"if_not_exists({attempts}, {before}) + {one}")
        update.set("attempt_started", {"S": to_stamp(step.started_at)})

    @staticmethod
    def _set_values(update: Update, values: dict[str, Attribute]) -> None:
        for name in _VALUE_ATTRIBUTES:
            if name in values:
                update.set(name, values[name])
            else:
                update.remove(name)

    def _write(self, update: Update, step: StepStart | StepEnd) -> bool:
        try:
            self._backoff.call(
                self._client.update_item, **update.arguments(self._table, step_key(step.run_id, step.path))
            )
        except ConditionFailedError:
            return False
        return True


def _begun(answer: Answer) -> Begun | None:
    """How often the step has begun, as the write left it."""
    attributes = answer.get("Attributes")
    attempts = attributes.get("attempts") if isinstance(attributes, Mapping) else None
    number = attempts.get("N") if isinstance(attempts, Mapping) else None
    return Begun(int(number)) if isinstance(number, str) else None
