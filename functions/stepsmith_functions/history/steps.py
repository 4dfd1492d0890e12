"""What handlers tell of their steps, kept in DynamoDB.

Each attempt makes two writes, both to the one item of its step. An attempt is known by the moment it began,
`attempt_started`, which its end repeats. So a write that arrives twice changes nothing, an end whose start
was lost is complete in itself, and the end of an attempt that Step Functions gave up (a timeout) cannot
overwrite the attempt that followed. A step that is visited again under its path (a redrive, a retried
block) goes on counting attempts.
"""

from __future__ import annotations

from stepsmith_functions.history.items import TTL_ATTRIBUTE, Attribute, ItemWriter, step_key
from stepsmith_functions.history.records import StepStatus
from stepsmith_functions.history.retrying import Backoff, ConditionFailedError
from stepsmith_functions.history.updates import DynamoClient, Update
from stepsmith_functions.history.values import ValueStore, to_stamp, to_text
from stepsmith_functions.runtime.recording import StepEnd, StepStart

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
        self._writer = ItemWriter(values.save, keep_days=keep_days)
        self._backoff = backoff or Backoff()

    def started(self, step: StepStart) -> None:
        """Writes that an attempt is running. Raises HistoryError when the table cannot be written."""
        update = Update()
        self._set_identity(update, step)
        self._count_attempt(update, step)
        update.set("status", {"S": StepStatus.RUNNING.value})
        update.set(TTL_ATTRIBUTE, self._writer.expiry(step.started_at))
        self._set_values(update, self._given(step))
        for name in ("error", "ended_at", "settled"):
            update.remove(name)
        begun, moment = update.name("attempt_started"), update.value({"S": to_stamp(step.started_at)})
        update.require(f"attribute_not_exists({begun}) OR {begun} < {moment}")
        self._write(update, step)

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
        before, one = update.value({"N": str(step.attempt)}), update.value({"N": "1"})
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
