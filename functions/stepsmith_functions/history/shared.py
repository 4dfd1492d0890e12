"""What runs share, in DynamoDB: how often actions began, and circuits.

A start is one conditional write, to an item of its key and window that DynamoDB forgets after it. A circuit is one item
that is read and, where it changes, replaced under the condition that nobody else has replaced it. Reads are consistent.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

from stepsmith_functions.history.items import TTL_ATTRIBUTE, circuit_key, rate_key
from stepsmith_functions.history.retrying import Backoff, ConditionFailedError
from stepsmith_functions.history.updates import DynamoClient, Update
from stepsmith_functions.history.values import from_text, to_text
from stepsmith_functions.runtime.limits import Kept, RateLimit

if TYPE_CHECKING:
    from pydantic import JsonValue


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

    def read(self, key: str) -> Kept:
        answer = self._backoff.call(
            self._client.get_item, TableName=self._table, Key=circuit_key(key), ConsistentRead=True
        )
        item = answer.get("Item")
        if not isinstance(item, Mapping):
            return Kept()
        state, revision = item.get("state") or {}, item.get("revision") or {}
        return Kept(cast("JsonValue", from_text(str(state.get("S") or "null"))), int(revision.get("N") or 0))

    def replace(self, key: str, kept: Kept, value: JsonValue, until: datetime) -> bool:
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
        return self._wrote(update, circuit_key(key))

    def _wrote(self, update: Update, key: Mapping[str, Mapping[str, object]]) -> bool:
        try:
            self._backoff.call(self._client.update_item, **update.arguments(self._table, key))
        except ConditionFailedError:
            return False
        return True


def _expiry(moment: datetime) -> dict[str, object]:
    return {"N": str(int(moment.timestamp()))}
