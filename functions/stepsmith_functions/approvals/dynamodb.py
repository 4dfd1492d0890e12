"""`ApprovalStore` over the table of the history.

    item         pk              sk
    an approval  RUN#<run id>    APPROVAL#<digest of the path>

The token is an attribute of its own, which no index holds. While an approval waits, or owes an answer to its task, it
has `queue` and `due`, the keys of the index `by_due`: what is due is one Query. `revision` is what conditional
updates look at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from stepsmith_functions.approvals.documents import approval_from_text, approval_to_text
from stepsmith_functions.approvals.records import Approval, path_digest
from stepsmith_functions.history.items import BY_DUE, TTL_ATTRIBUTE, Attribute
from stepsmith_functions.history.retrying import Backoff, ConditionFailedError
from stepsmith_functions.history.store import HistoryUnavailableError
from stepsmith_functions.history.updates import DynamoClient, Update
from stepsmith_functions.history.values import to_stamp

QUEUE: Final = "approval"
_KIND: Final = "approval"


class DynamoApprovalStore:
    """Approvals in the table of the history. The client is handed in."""

    def __init__(
        self, client: DynamoClient, table: str, *, keep_days: int = 90, backoff: Backoff | None = None
    ) -> None:
        self._client = client
        self._table = table
        self._keep = timedelta(days=keep_days)
        self._backoff = backoff or Backoff()

    def ask(self, approval: Approval) -> bool:
        update = self._writing(approval)
        token = update.name("token")
        update.set("token", {"S": approval.token})
        update.require(f"attribute_not_exists({token}) OR {token} <> {update.value({'S': approval.token})}")
        return self._update(update, approval)

    def replace(self, known: Approval, approval: Approval) -> bool:
        update = self._writing(replace(approval, revision=known.revision + 1))
        # A question that was asked anew begins again with its first revision, but never with the same token.
        update.require(f"{update.name('revision')} = {update.value({'N': str(known.revision)})}")
        update.require(f"{update.name('token')} = {update.value({'S': known.token})}")
        return self._update(update, approval)

    def _writing(self, approval: Approval) -> Update:
        update = Update()
        for name, text in (
            ("kind", _KIND),
            ("run_id", approval.run_id),
            ("path", approval.path),
            ("document", approval_to_text(approval)),
        ):
            update.set(name, {"S": text})
        update.set("revision", {"N": str(approval.revision)})
        update.set(TTL_ATTRIBUTE, {"N": str(int((approval.deadline + self._keep).timestamp()))})
        if approval.due is None:
            update.remove("queue")
            update.remove("due")
        else:
            update.set("queue", {"S": QUEUE})
            update.set("due", {"S": to_stamp(approval.due)})
        return update

    def find(self, approval_id: str) -> Approval | None:
        run_id, _, digest = approval_id.rpartition(".")
        if not run_id or not digest:
            return None
        answer = self._backoff.call(
            self._client.get_item, TableName=self._table, Key=_key(run_id, digest), ConsistentRead=True
        )
        item = answer.get("Item")
        return _approval(item) if isinstance(item, Mapping) else None

    def of_run(self, run_id: str) -> Sequence[Approval]:
        found = self._query(
            KeyConditionExpression="pk = :run AND begins_with(sk, :kind)",
            ExpressionAttributeValues={":run": {"S": f"RUN#{run_id}"}, ":kind": {"S": "APPROVAL#"}},
            ConsistentRead=True,
        )
        return sorted((_approval(item) for item in found), key=lambda each: (each.asked_at, each.path))

    def due(self, until: datetime | None = None, *, limit: int = 100) -> Sequence[Approval]:
        condition, names, values = "#queue = :queue", {"#queue": "queue"}, {":queue": {"S": QUEUE}}
        if until is not None:
            condition += " AND #due <= :until"
            names["#due"], values[":until"] = "due", {"S": to_stamp(until)}
        found = self._query(
            IndexName=BY_DUE,
            KeyConditionExpression=condition,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
            Limit=limit,
        )
        keys = [(str(item["run_id"]["S"]), str(item["sk"]["S"]).removeprefix("APPROVAL#")) for item in found[:limit]]
        read = [self.find(f"{run_id}.{digest}") for run_id, digest in keys]
        # The index follows the table after a moment.
        return [each for each in read if each is not None and each.due is not None]

    def _query(self, **arguments: object) -> list[Mapping[str, Mapping[str, object]]]:
        items: list[Mapping[str, Mapping[str, object]]] = []
        while True:
            answer = self._backoff.call(self._client.query, TableName=self._table, **arguments)
            found, after = answer.get("Items"), answer.get("LastEvaluatedKey")
            if not isinstance(found, list):
                raise HistoryUnavailableError("DynamoDB answered a Query without Items")
            items += found
            if not after or "Limit" in arguments:
                return items
            arguments["ExclusiveStartKey"] = after

    def _update(self, update: Update, approval: Approval) -> bool:
        key = _key(approval.run_id, path_digest(approval.path))
        try:
            self._backoff.call(self._client.update_item, **update.arguments(self._table, key))
        except ConditionFailedError:
            return False
        return True


def _key(run_id: str, digest: str) -> dict[str, Attribute]:
    return {"pk": {"S": f"RUN#{run_id}"}, "sk": {"S": f"APPROVAL#{digest}"}}


def _approval(item: Mapping[str, Mapping[str, object]]) -> Approval:
    return approval_from_text(str(item["document"]["S"]), str(item["token"]["S"]))
