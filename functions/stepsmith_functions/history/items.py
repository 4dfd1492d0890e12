"""How records lie in DynamoDB.

One table, named by the environment's `HISTORY_TABLE`:

    item    pk              sk
    a run   RUN#<run id>    RUN
    a step  RUN#<run id>    STEP#<path>

    starts in a window  RATE#<key>      <seconds>#<its begin>
    a circuit           CIRCUIT#<key>   STATE
    who holds a place   PLACES#<key>    STATE
    its key, of a run   RUN#<run id>    PLACE

so that a run is one GetItem and its steps are one Query per page. Runs also carry `run_started`
(`<start, fixed width>#<run id>`), the range key of three indexes; steps do not, and so stand in none of them:

    index        hash      range         answers
    by_workflow  workflow  run_started   the runs of a workflow in a span of time
    by_status    status    run_started   the runs with a status in a span of time
    by_time      kind      run_started   recent runs

A fourth index is for what waits for its time, such as an approval: `by_due` (hash `queue`, range `due`) holds those
items that have both, and no more of them than whose they are.

Each question is one Query per page and never a Scan. `by_time` has one hash value: a partition takes 1,000
writes a second, more than the executions that an account may start (documented: 300 a second by default),
and an entry is written twice a run. The indexes hold what `RunSummary` shows, not the values.

Values and errors are JSON texts. A value longer than `values.INLINE_LIMIT` is kept in S3 and its reference
stands in `<name>_at`. `expires_at` (epoch seconds) is the TTL attribute: set when a run ends and when a
step is written, never on a run that is under way. So `HISTORY_DAYS` has to be longer than the longest run.

`progress` and `complete` of a run are what its conditional updates look at (`records.RunRecord.progress`), `visit`,
`attempt` and `until` of a step what the start of an action does that must not be repeated (`steps`). `control` of a run
is the order that handlers read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from stepsmith_functions.history.documents import (
    control_from_json,
    control_to_json,
    progress_from_json,
    progress_to_json,
    run_continues,
    run_error,
    step_error,
)
from stepsmith_functions.history.records import (
    RunRecord,
    RunStatus,
    RunSummary,
    StepRecord,
    StepStatus,
)
from stepsmith_functions.history.values import (
    INLINE_LIMIT,
    Json,
    Recorded,
    StoredValue,
    digest,
    from_stamp,
    from_text,
    stored_value,
    to_stamp,
    to_text,
)
from stepsmith_functions.runtime.control import Control

Attribute: TypeAlias = Mapping[str, object]
"""A value as the low-level API writes it: `{"S": "text"}`."""
Item: TypeAlias = Mapping[str, Attribute]
Save: TypeAlias = Callable[[str, str], StoredValue]
"""Keeps a large JSON text of a run: (run id, text) -> where it lies."""

BY_WORKFLOW: Final = "by_workflow"
BY_STATUS: Final = "by_status"
BY_TIME: Final = "by_time"
BY_DUE: Final = "by_due"
TTL_ATTRIBUTE: Final = "expires_at"
RUN_KIND: Final = "run"
_STEP_KIND: Final = "step"
_SUMMARY_ATTRIBUTES: Final = ("run_id", "version", "started_at", "ended_at", "error_type", "continues")
_HASHES: Final = {BY_WORKFLOW: "workflow", BY_STATUS: "status", BY_TIME: "kind"}
_LONGEST_PLAIN_PATH: Final = 900
"""Bytes. A range key holds 1,024 bytes (documented)."""


def table_definition(name: str) -> dict[str, object]:
    """The arguments of `create_table` for a table called `name`; the keys are defined here and nowhere else.

    TTL is not among them: DynamoDB sets it by `update_time_to_live` with `TTL_ATTRIBUTE`.
    """
    keys = ("pk", "sk", "run_started", "queue", "due", *_HASHES.values())
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in sorted(keys)],
        "KeySchema": _key_schema("pk", "sk"),
        "GlobalSecondaryIndexes": [
            {
                "IndexName": index,
                "KeySchema": _key_schema(hash_key, "run_started"),
                "Projection": {
                    "ProjectionType": "INCLUDE",
                    "NonKeyAttributes": sorted({*_SUMMARY_ATTRIBUTES, "workflow", "status"} - {hash_key}),
                },
            }
            for index, hash_key in _HASHES.items()
        ]
        + [
            {
                "IndexName": BY_DUE,
                "KeySchema": _key_schema("queue", "due"),
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["run_id"]},
            }
        ],
    }


def _key_schema(hash_key: str, range_key: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": hash_key, "KeyType": "HASH"},
        {"AttributeName": range_key, "KeyType": "RANGE"},
    ]


def index_hash(index: str) -> str:
    """The hash attribute of an index."""
    return _HASHES[index]


def run_key(run_id: str) -> dict[str, Attribute]:
    return {"pk": {"S": f"RUN#{run_id}"}, "sk": {"S": "RUN"}}


def step_key(run_id: str, path: str) -> dict[str, Attribute]:
    """The key of a step. A path that is too long for a key keeps its beginning and gets a digest."""
    encoded = path.encode()
    if len(encoded) > _LONGEST_PLAIN_PATH:
        path = encoded[:_LONGEST_PLAIN_PATH].decode(errors="ignore") + "#" + digest(path)
    return {"pk": {"S": f"RUN#{run_id}"}, "sk": {"S": f"STEP#{path}"}}


def rate_key(key: str, per: int, begin: datetime) -> dict[str, Attribute]:
    """The key of the starts that are counted in one window of `per` seconds."""
    return {"pk": {"S": f"RATE#{_short(key)}"}, "sk": {"S": f"{per}#{int(begin.timestamp())}"}}


def shared_key(subject: str, key: str) -> dict[str, Attribute]:
    """The key of a value that runs share: `circuit` or `places`."""
    return {"pk": {"S": f"{subject.upper()}#{_short(key)}"}, "sk": {"S": "STATE"}}


def place_key(run_id: str) -> dict[str, Attribute]:
    """The key of what tells where a run holds a place."""
    return {"pk": {"S": f"RUN#{run_id}"}, "sk": {"S": "PLACE"}}


def _short(key: str) -> str:
    """A key of an author's, or its digest where it is too long for a table's."""
    return key if len(key.encode(errors="replace")) <= _LONGEST_PLAIN_PATH else "#" + digest(key)


def run_started(started_at: datetime, run_id: str) -> str:
    """The range key of a run in the indexes: by time, and one order for runs of one moment."""
    return f"{to_stamp(started_at)}#{run_id}"


class ItemWriter:
    """Turns records into attributes: puts large values elsewhere and says when an item may go."""

    def __init__(self, save: Save, *, keep_days: int, inline_limit: int = INLINE_LIMIT) -> None:
        self._save = save
        self._keep = timedelta(days=keep_days)
        self._inline_limit = inline_limit

    def expiry(self, last: datetime) -> Attribute:
        """The TTL of what was last touched at `last`."""
        return {"N": str(int((last + self._keep).timestamp()))}

    def value(self, run_id: str, name: str, value: Recorded) -> dict[str, Attribute]:
        """The attribute that holds a value, under its own name or as a reference; none for null."""
        if value is None:
            return {}
        if isinstance(value, StoredValue):
            return {f"{name}_at": {"S": _reference_text(value)}}
        text = to_text(value)
        if len(text) > self._inline_limit or len(text.encode()) > self._inline_limit:
            return {f"{name}_at": {"S": _reference_text(self._save(run_id, text))}}
        return {name: {"S": text}}

    def run(self, run: RunRecord) -> dict[str, Attribute]:
        """The attributes of a run, keys included."""
        item: dict[str, Attribute] = {
            **run_key(run.run_id),
            "kind": {"S": RUN_KIND},
            "run_id": {"S": run.run_id},
            "workflow": {"S": run.workflow},
            "status": {"S": run.status.value},
            "started_at": {"S": to_stamp(run.started_at)},
            "run_started": {"S": run_started(run.started_at, run.run_id)},
            "redrive_count": {"N": str(run.redrive_count)},
            "progress": {"N": str(run.progress)},
            "complete": {"BOOL": run.complete},
            **self.value(run.run_id, "input", run.input),
            **self.value(run.run_id, "output", run.output),
            **_texts(version=run.version, execution_arn=run.execution_arn, parent_run_id=run.parent_run_id),
            **_texts(continued_by=run.continued_by),
        }
        if run.control:
            item["control"] = control_attribute(run.control)
        if run.continues:
            item["continues"] = {"S": to_text(run.continues.to_json())}
        if run.error:
            item["error"] = {"S": to_text(run.error.to_json())}
            item["error_type"] = {"S": run.error.type}
        if run.ended_at:
            item["ended_at"] = {"S": to_stamp(run.ended_at)}
            item[TTL_ATTRIBUTE] = self.expiry(run.ended_at)
        if run.transitions is not None:
            item["transitions"] = {"N": str(run.transitions)}
        return item

    def step(self, step: StepRecord, written_at: datetime) -> dict[str, Attribute]:
        """The attributes of a step, keys included."""
        item: dict[str, Attribute] = {
            **step_key(step.run_id, step.path),
            "kind": {"S": _STEP_KIND},
            "run_id": {"S": step.run_id},
            "step_id": {"S": step.step_id},
            "path": {"S": step.path},
            "status": {"S": step.status.value},
            "attempts": {"N": str(step.attempts)},
            "sequence": {"N": str(step.sequence)},
            TTL_ATTRIBUTE: self.expiry(step.ended_at or step.started_at or written_at),
            **self.value(step.run_id, "params", step.params),
            **self.value(step.run_id, "output", step.output),
            **self.value(step.run_id, "handed", step.handed),
            **self.value(step.run_id, "result", step.result),
            **_texts(action=step.action, undoes=step.undoes, child_run_id=step.child_run_id),
            **_texts(kept_from=step.kept_from),
        }
        if step.progress:
            item["progress"] = {"S": to_text(progress_to_json(step.progress))}
        if step.line is not None:
            item["line"] = {"N": str(step.line)}
        if step.error:
            item["error"] = {"S": to_text(step.error.to_json())}
        if step.started_at:
            item["started_at"] = {"S": to_stamp(step.started_at)}
        if step.ended_at:
            item["ended_at"] = {"S": to_stamp(step.ended_at)}
        if step.attempt_started:
            item["attempt_started"] = {"S": to_stamp(step.attempt_started)}
        return item


def run_from_item(item: Item) -> RunRecord:
    """The run of an item. Raises ValueError for an item that no `ItemWriter` wrote."""
    error = _object(item, "error")
    return RunRecord(
        run_id=_text(item, "run_id"),
        workflow=_text(item, "workflow"),
        status=RunStatus(_text(item, "status")),
        started_at=from_stamp(_text(item, "started_at")),
        version=_maybe_text(item, "version"),
        input=_value(item, "input"),
        output=_value(item, "output"),
        error=run_error(error) if error else None,
        ended_at=_maybe_time(item, "ended_at"),
        transitions=_maybe_number(item, "transitions"),
        execution_arn=_maybe_text(item, "execution_arn"),
        parent_run_id=_maybe_text(item, "parent_run_id"),
        redrive_count=_maybe_number(item, "redrive_count") or 0,
        complete=item.get("complete", {}).get("BOOL") is True,
        control=control_of_item(item),
        continues=run_continues(_object(item, "continues")),
        continued_by=_maybe_text(item, "continued_by"),
    )


def control_attribute(control: Control) -> Attribute:
    """An order as it lies on its run."""
    return {"S": to_text(control_to_json(control))}


def control_of_item(item: Item) -> Control | None:
    """The order that stands for the run of `item`."""
    document = _object(item, "control")
    return control_from_json(document) if document else None


def begun_from_item(item: Item) -> tuple[str, int, str, datetime | None]:
    """Of a step: the visit and the attempt that began last, its status, and when it is over at the latest."""
    visit, status = _maybe_text(item, "visit") or "", _maybe_text(item, "status") or ""
    return visit, _maybe_number(item, "attempt") or 0, status, _maybe_time(item, "until")


def summary_from_item(item: Item) -> RunSummary:
    """The summary of an item of an index, which lacks the values. Raises ValueError as `run_from_item`
    does.
    """
    link = run_continues(_object(item, "continues"))
    return RunSummary(
        run_id=_text(item, "run_id"),
        workflow=_text(item, "workflow"),
        status=RunStatus(_text(item, "status")),
        started_at=from_stamp(_text(item, "started_at")),
        version=_maybe_text(item, "version"),
        ended_at=_maybe_time(item, "ended_at"),
        error_type=_maybe_text(item, "error_type"),
        continues=link.run_id if link is not None else None,
    )


def step_from_item(item: Item) -> StepRecord:
    """The step of an item. Raises ValueError for an item that no `ItemWriter` wrote."""
    error, progress = _object(item, "error"), _object(item, "progress")
    return StepRecord(
        run_id=_text(item, "run_id"),
        step_id=_text(item, "step_id"),
        path=_text(item, "path"),
        status=StepStatus(_text(item, "status")),
        attempts=_maybe_number(item, "attempts") or 0,
        line=_maybe_number(item, "line"),
        action=_maybe_text(item, "action"),
        params=_value(item, "params"),
        output=_value(item, "output"),
        error=step_error(error) if error else None,
        started_at=_maybe_time(item, "started_at"),
        ended_at=_maybe_time(item, "ended_at"),
        sequence=_maybe_number(item, "sequence") or 0,
        undoes=_maybe_text(item, "undoes"),
        child_run_id=_maybe_text(item, "child_run_id"),
        handed=_value(item, "handed"),
        result=_value(item, "result"),
        attempt_started=_maybe_time(item, "attempt_started"),
        progress=progress_from_json(progress) if progress else None,
        kept_from=_maybe_text(item, "kept_from"),
    )


def _reference_text(value: StoredValue) -> str:
    return to_text(value.to_json())


def _texts(**texts: str | None) -> dict[str, Attribute]:
    return {name: {"S": text} for name, text in texts.items() if text is not None}


def _text(item: Item, name: str) -> str:
    text = _maybe_text(item, name)
    if text is None:
        raise ValueError(f"an item of the history without {name!r}: {dict(item.get('pk', {}))}")
    return text


def _maybe_text(item: Item, name: str) -> str | None:
    text = item.get(name, {}).get("S")
    return text if isinstance(text, str) else None


def _maybe_number(item: Item, name: str) -> int | None:
    number = item.get(name, {}).get("N")
    return int(number) if isinstance(number, str) else None


def _maybe_time(item: Item, name: str) -> datetime | None:
    text = _maybe_text(item, name)
    return from_stamp(text) if text else None


def _object(item: Item, name: str) -> Mapping[str, Json] | None:
    text = _maybe_text(item, name)
    value = from_text(text) if text else None
    return value if isinstance(value, Mapping) else None


def _value(item: Item, name: str) -> Recorded:
    text = _maybe_text(item, name)
    if text is not None:
        return from_text(text)
    reference = _maybe_text(item, f"{name}_at")
    return stored_value(from_text(reference)) if reference is not None else None
