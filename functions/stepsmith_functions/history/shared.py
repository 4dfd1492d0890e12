"""What runs share, in DynamoDB: how often actions began, circuits, and which runs hold places.

A start is one conditional write, to an item of its key and window that DynamoDB forgets after it. A circuit, and the
places of a key, are one item each that is read and, where it changes, replaced under the condition that nobody else has
replaced it. Reads are consistent.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, cast

from stepsmith_functions.history.items import TTL_ATTRIBUTE, control_attribute, place_key, rate_key, run_key, shared_key
from stepsmith_functions.history.records import RunStatus
from stepsmith_functions.history.retrying import Backoff, ConditionFailedError
from stepsmith_functions.history.updates import DynamoClient, Update
from stepsmith_functions.history.values import from_text, to_text
from stepsmith_functions.runtime.control import Control
from stepsmith_functions.runtime.limits import Kept, RateLimit, Subject

if TYPE_CHECKING:
    from pydantic import JsonValue

_UNDER_WAY: Final = (RunStatus.RUNNING, RunStatus.PAUSED, RunStatus.WAITING_APPROVAL)
"""Of a run that can still be asked to end."""


class DynamoSharedState:
    """A `runtime.limits.SharedState` over the table that `items` describes. Its methods raise HistoryError."""

    def __init__(self, client: DynamoClient, table: str, *, backoff: Backoff | None = None) -> None:
        self._client = client
        self._table = table
        self._backoff = backoff or Backoff()

    def take(self, rate: RateLimit, now: datetime) -> bool:
        begin = rate.window(now)
        update = Update()
        taken, none, one = update.name("taken"), update.value({"N": "0"}), update.value({"N": "1"})
        update.set_expression("taken", f"if_not_exists({taken}, {none}) + {one}")
        update.set(TTL_ATTRIBUTE, _expiry(begin + timedelta(days=1, seconds=rate.per)))
        most = update.value({"N": str(rate.limit)})
        update.require(f"attribute_not_exists({taken}) OR {taken} < {most}")
        return self._wrote(update, rate_key(rate.key, rate.per, begin))

    def read(self, key: str, subject: Subject = Subject.CIRCUIT) -> Kept:
        answer = self._backoff.call(
            self._client.get_item, TableName=self._table, Key=shared_key(subject, key), ConsistentRead=True
        )
        item = answer.get("Item")
        if not isinstance(item, Mapping):
            return Kept()
        state, revision = item.get("state") or {}, item.get("revision") or {}
        return Kept(cast("JsonValue", from_text(str(state.get("S") or "null"))), int(revision.get("N") or 0))

    def replace(
        self, key: str, kept: Kept, value: JsonValue, until: datetime, subject: Subject = Subject.CIRCUIT
    ) -> bool:
        update = Update()
        update.set("state", {"S": to_text(value)})
        update.set(TTL_ATTRIBUTE, _expiry(until))
        revision = update.name("revision")
        if kept.revision:
            known = update.value({"N": str(kept.revision)})
            update.require(f"{revision} = {known}")
        else:
            update.require(f"attribute_not_exists({revision})")
        update.set("revision", {"N": str(kept.revision + 1)})
        return self._wrote(update, shared_key(subject, key))

    def remember_place(self, run_id: str, key: str, until: datetime) -> None:
        update = Update()
        update.set("key", {"S": key})
        update.set(TTL_ATTRIBUTE, _expiry(until))
        self._wrote(update, place_key(run_id))

    def place_of(self, run_id: str) -> str | None:
        answer = self._backoff.call(
            self._client.get_item, TableName=self._table, Key=place_key(run_id), ConsistentRead=True
        )
        item = answer.get("Item")
        key = item.get("key") if isinstance(item, Mapping) else None
        return str(key["S"]) if isinstance(key, Mapping) else None

    def cancel(self, run_id: str, control: Control) -> None:
        update = Update()
        update.set("control", control_attribute(control))
        update.set("status", {"S": RunStatus.CANCELLING.value})
        status = update.name("status")
        wanted = ", ".join(update.value({"S": each.value}) for each in _UNDER_WAY)
        update.require(f"{status} IN ({wanted})")
        self._wrote(update, run_key(run_id))

    def _wrote(self, update: Update, key: Mapping[str, Mapping[str, object]]) -> bool:
        try:
            self._backoff.call(self._client.update_item, **update.arguments(self._table, key))
        except ConditionFailedError:
            return False
        return True


def _expiry(moment: datetime) -> dict[str, object]:
    return {"N": str(int(moment.timestamp()))}
