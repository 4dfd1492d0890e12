"""`RunStore` over the DynamoDB table that `items` describes.

The client is handed in: boto3's low-level `dynamodb` client, or anything that answers like it. Every
question is one Query per page, except that a query for a workflow *and* a status reads the workflow's index
and drops the runs with other statuses, which may take several. Nothing here scans.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from stepsmith_functions.history.items import (
    BY_STATUS,
    BY_TIME,
    BY_WORKFLOW,
    RUN_KIND,
    TTL_ATTRIBUTE,
    Attribute,
    Item,
    ItemWriter,
    control_attribute,
    index_hash,
    run_from_item,
    run_key,
    run_started,
    step_from_item,
    step_key,
    summary_from_item,
)
from stepsmith_functions.history.records import RunRecord, RunStatus, RunSummary, StepRecord, StepStatus
from stepsmith_functions.history.retrying import Backoff, ConditionFailedError
from stepsmith_functions.history.store import (
    EVERY_RUN,
    HistoryThrottledError,
    HistoryUnavailableError,
    Page,
    RunNotFoundError,
    RunQuery,
    check_limit,
    decode_cursor,
    encode_cursor,
    question_of,
)
from stepsmith_functions.history.updates import DynamoClient, Update
from stepsmith_functions.history.values import Json, StoredValue, ValueStore, from_text, to_stamp
from stepsmith_functions.runtime.control import Control

_BATCH: Final = 25
"""Items in a BatchWriteItem (documented)."""
_RUN_KEYS: Final = ("pk", "sk")
_MAY_LACK: Final = (
    *("version", "input", "input_at", "output", "output_at", "error", "error_type", "ended_at", "transitions"),
    *("execution_arn", "parent_run_id", "control", "continues", "continued_by", TTL_ATTRIBUTE),
)
"""What a run's item need not have."""
_LATER: Final = "\uffff"
"""Sorts after any text of a run's start."""


class DynamoRunStore:
    """Runs and steps in one table. Safe to share between threads as far as the client is."""

    def __init__(
        self,
        client: DynamoClient,
        table: str,
        values: ValueStore,
        *,
        keep_days: int = 90,
        backoff: Backoff | None = None,
    ) -> None:
        """`keep_days`: how long after its end a run may be read (`HISTORY_DAYS`); then TTL removes it."""
        self._client = client
        self._table = table
        self._values = values
        self._writer = ItemWriter(values.save, keep_days=keep_days)
        self._backoff = backoff or Backoff()

    def put_run(self, run: RunRecord) -> bool:
        item = self._writer.run(run)
        update = Update()
        for name, value in item.items():
            if name not in _RUN_KEYS:
                update.set(name, value)
        for name in ("output", "output_at", "error", "error_type", "ended_at", "transitions", "expires_at"):
            if name not in item:
                update.remove(name)
        if run.begins_again and run.control is None:
            update.remove("control")
        if "input" in item or "input_at" in item:  # of the two forms, the other one goes
            update.remove("input_at" if "input" in item else "input")
        progress = update.name("progress")
        further = update.value(item["progress"])
        condition = f"attribute_not_exists({progress}) OR {progress} < {further}"
        if run.status.is_final and run.complete:
            complete, no = update.name("complete"), update.value({"BOOL": False})
            condition += f" OR ({progress} = {further} AND {complete} = {no})"
        update.require(condition)
        return self._update(update, run_key(run.run_id))

    def move_run(self, run_id: str, expected: Collection[RunStatus], status: RunStatus) -> bool:
        return self._move(run_id, expected, status, Update())

    def order(self, run_id: str, control: Control | None, expected: Collection[RunStatus], status: RunStatus) -> bool:
        update = Update()
        if control is None:
            update.remove("control")
        else:
            update.set("control", control_attribute(control))
        return self._move(run_id, expected, status, update)

    def _move(self, run_id: str, expected: Collection[RunStatus], status: RunStatus, update: Update) -> bool:
        if status.is_final or any(before.is_final for before in expected):
            raise ValueError("the end of a run comes from its execution, by put_run")
        if not expected:
            return False
        update.set("status", {"S": status.value})
        name = update.name("status")
        wanted = ", ".join(update.value({"S": before.value}) for before in sorted(expected))
        update.require(f"{name} IN ({wanted})")
        return self._update(update, run_key(run_id))

    def replace_run(self, known: RunRecord, run: RunRecord) -> bool:
        item = self._writer.run(run)
        update = Update()
        for name, value in item.items():
            if name not in _RUN_KEYS:
                update.set(name, value)
        for name in _MAY_LACK:
            if name not in item:
                update.remove(name)
        update.require(f"{update.name('status')} = {update.value({'S': known.status.value})}")
        update.require(f"{update.name('redrive_count')} = {update.value({'N': str(known.redrive_count)})}")
        by = update.name("continued_by")
        if known.continued_by is None:
            update.require(f"attribute_not_exists({by})")
        else:
            update.require(f"{by} = {update.value({'S': known.continued_by})}")
        return self._update(update, run_key(run.run_id))

    def hand_on(self, run_id: str, by: str) -> bool:
        update = Update()
        value = {"S": by}
        update.set("continued_by", value)
        name, status = update.name("continued_by"), update.name("status")
        update.require(f"attribute_not_exists({name}) OR {name} = {update.value(value)}")
        wanted = ", ".join(update.value({"S": each.value}) for each in RunStatus if each.is_final)
        update.require(f"{status} IN ({wanted})")
        return self._update(update, run_key(run_id))

    def put_steps(self, steps: Iterable[StepRecord]) -> None:
        now = datetime.now(UTC)
        unique = {(step.run_id, step.path): step for step in steps}
        items = iter([self._writer.step(step, now) for step in unique.values()])
        while batch := list(islice(items, _BATCH)):
            self._write_batch([{"PutRequest": {"Item": item}} for item in batch])

    def _write_batch(self, requests: Sequence[object]) -> None:
        """BatchWriteItem may leave some out for its rate limits (documented); those are sent again."""
        for attempt in range(self._backoff.attempts):
            if attempt:
                self._backoff.pause(attempt - 1)
            answer = self._backoff.call(self._client.batch_write_item, RequestItems={self._table: requests})
            left = answer.get("UnprocessedItems")
            requests = left.get(self._table, ()) if isinstance(left, Mapping) else ()
            if not requests:
                return
        raise HistoryThrottledError(f"{len(requests)} steps were not written after {self._backoff.attempts} attempts")

    def replace_step(self, known: StepRecord, step: StepRecord) -> bool:
        item = self._writer.step(step, datetime.now(UTC))
        update = Update()
        for name, value in item.items():
            if name not in _RUN_KEYS:
                update.set(name, value)
        for name in ("params", "params_at", "output", "output_at", "error", "ended_at", "started_at", "progress"):
            if name not in item:
                update.remove(name)
        if step.status.is_final and step.status is not StepStatus.CANCELLED:
            # A handler that outlives its step's end must not overwrite what Step Functions made of the
            # step. After a cancelled one it may: its deed is done, and a rollback has to know.
            update.set("settled", {"BOOL": True})
        status, attempts, ended = update.name("status"), update.name("attempts"), update.name("ended_at")
        update.require(f"{status} = {update.value({'S': known.status.value})}")
        update.require(f"{attempts} = {update.value({'N': str(known.attempts)})}")
        if known.ended_at:
            update.require(f"{ended} = {update.value({'S': to_stamp(known.ended_at)})}")
        else:
            update.require(f"attribute_not_exists({ended})")
        return self._update(update, step_key(step.run_id, step.path))

    def run(self, run_id: str) -> RunRecord:
        answer = self._backoff.call(
            self._client.get_item, TableName=self._table, Key=run_key(run_id), ConsistentRead=True
        )
        item = answer.get("Item")
        if not item:
            raise RunNotFoundError(run_id)
        return run_from_item(_item(item))

    def runs(self, query: RunQuery = EVERY_RUN, *, limit: int = 50, cursor: str | None = None) -> Page[RunSummary]:
        check_limit(limit)
        question = question_of(query)
        index, value = _index_of(query)
        after = decode_cursor(question, cursor) if cursor is not None else None
        arguments: dict[str, object] = {
            "IndexName": index,
            "KeyConditionExpression": "#hash = :hash AND #started BETWEEN :since AND :until",
            "ExpressionAttributeNames": {"#hash": index_hash(index), "#started": "run_started"},
            "ExpressionAttributeValues": {
                ":hash": {"S": value},
                ":since": {"S": to_stamp(query.since) if query.since else " "},
                # Nothing sorts between a start and the same start followed by `#` and an id, so a text
                # without them excludes the runs of that very moment.
                ":until": {"S": to_stamp(query.until) if query.until else _LATER},
            },
            "ScanIndexForward": False,
        }
        filtered = index == BY_WORKFLOW and query.status is not None
        found: list[RunSummary] = []
        for summary in self._summaries(arguments, index, value, after, None if filtered else limit + 1):
            if filtered and summary.status is not query.status:
                continue
            found.append(summary)
            if len(found) > limit:
                last = found[limit - 1]
                position = run_started(last.started_at, last.run_id)
                return Page(tuple(found[:limit]), encode_cursor(question, position))
        return Page(tuple(found))

    def _summaries(
        self, arguments: dict[str, object], index: str, value: str, after: str | None, limit: int | None
    ) -> Iterator[RunSummary]:
        """The runs of one index, from `after` on. `limit` spares reading more than are wanted."""
        if limit is not None:
            arguments = {**arguments, "Limit": limit}
        start: object = None
        if after is not None:
            start = {
                **run_key(after.partition("#")[2]),
                index_hash(index): {"S": value},
                "run_started": {"S": after},
            }
        while True:
            items, start = self._query_page(arguments, start)
            yield from map(summary_from_item, items)
            if not start:
                return

    def steps(self, run_id: str, *, limit: int = 500, cursor: str | None = None) -> Page[StepRecord]:
        check_limit(limit)
        question = f"steps {run_id}"
        arguments: dict[str, object] = {
            "KeyConditionExpression": "pk = :run AND begins_with(sk, :step)",
            "ExpressionAttributeValues": {":run": run_key(run_id)["pk"], ":step": {"S": "STEP#"}},
            "ConsistentRead": True,
            "Limit": limit,
        }
        start: object = step_key(run_id, decode_cursor(question, cursor)) if cursor is not None else None
        items, after = self._query_page(arguments, start)
        steps = tuple(map(step_from_item, items))
        return Page(steps, encode_cursor(question, steps[-1].path) if after and steps else None)

    def load(self, value: StoredValue) -> Json:
        return from_text(self._values.load(value))

    def _query_page(self, arguments: Mapping[str, object], start: object) -> tuple[list[Item], object]:
        """One Query: its items, and where the next one starts (None after the last)."""
        if start:
            arguments = {**arguments, "ExclusiveStartKey": start}
        answer = self._backoff.call(self._client.query, TableName=self._table, **arguments)
        items = answer.get("Items")
        if not isinstance(items, list):
            raise HistoryUnavailableError("DynamoDB answered a Query without Items")
        return [_item(item) for item in items], answer.get("LastEvaluatedKey")

    def _update(self, update: Update, key: Mapping[str, Attribute]) -> bool:
        try:
            self._backoff.call(self._client.update_item, **update.arguments(self._table, key))
        except ConditionFailedError:
            return False
        return True


def _item(value: object) -> Item:
    if not isinstance(value, Mapping):
        raise HistoryUnavailableError(f"DynamoDB answered an item that is no mapping: {type(value).__name__}")
    return value


def _index_of(query: RunQuery) -> tuple[str, str]:
    """The index that answers a query, and its hash value."""
    if query.workflow is not None:
        return BY_WORKFLOW, query.workflow
    if query.status is not None:
        return BY_STATUS, query.status.value
    return BY_TIME, RUN_KIND
