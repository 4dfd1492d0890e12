"""What a deployment knows beyond single runs: exclusions from scans, and detections that proved false.

It stands in the history's table under keys of its own (`pk` = `REGISTER#<kind>`, `sk` = the id) and in none of its
indexes; entries do not expire. An id says what the entry is about, so that adding it again changes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol, TypeAlias

from pydantic import Field, JsonValue

from stepsmith_functions.runtime.clients import AwsClient
from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.contract import Params
from stepsmith_functions.runtime.errors import InvalidParams
from stepsmith_functions.runtime.s3 import NotConfigured

Kind: TypeAlias = Literal["exclusion", "false_positive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing known of a file: of its path (or `s3://` URI), its content, or both."""

    file_path: str | None
    sha256: str | None
    reason: str
    added_at: datetime
    run_id: str | None
    """The run that added it first."""

    def identity(self, kind: Kind) -> str:
        about = json.dumps([kind, self.file_path, self.sha256])
        return f"{kind.replace('_', '-')}-{hashlib.sha256(about.encode()).hexdigest()[:24]}"


class FileParams(Params):
    """The params of an action that adds an entry."""

    file_path: str | None = Field(default=None, min_length=1, max_length=4096, description="A path or an `s3://` URI.")
    sha256: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{64}$", description="Of the content, in lower-case hexadecimal."
    )
    reason: str = Field(min_length=1, max_length=2000, description="Why, for whoever reads it later.")


EXAMPLE: Final[dict[str, JsonValue]] = {
    "sha256": "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f",
    "reason": "The scanner's own test file",
}
"""Params of such an action."""


class Register(Protocol):
    """Keeps entries by what they are about."""

    def add(self, kind: Kind, entry: Entry) -> str:
        """Keeps `entry` and returns its id; one about the same file keeps its first date and gets the new reason."""
        ...

    def entries(self, kind: Kind) -> Iterator[Entry]: ...


class TableRegister:
    """The register in DynamoDB."""

    def __init__(self, client: AwsClient, table: str) -> None:
        self._client, self._table = client, table

    def add(self, kind: Kind, entry: Entry) -> str:
        identity = entry.identity(kind)
        values = {
            ":reason": {"S": entry.reason},
            ":added_at": {"S": entry.added_at.isoformat()},
            ":file_path": _text(entry.file_path),
            ":sha256": _text(entry.sha256),
            ":run_id": _text(entry.run_id),
        }
        self._client.update_item(
            TableName=self._table,
            Key={"pk": {"S": f"REGISTER#{kind}"}, "sk": {"S": identity}},
            UpdateExpression="SET reason = :reason, file_path = :file_path, sha256 = :sha256, "
            "added_at = if_not_exists(added_at, :added_at), run_id = if_not_exists(run_id, :run_id)",
            ExpressionAttributeValues=values,
        )
        return identity

    def entries(self, kind: Kind) -> Iterator[Entry]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": f"REGISTER#{kind}"}},
        )
        for page in pages:
            for item in page["Items"]:
                yield Entry(
                    file_path=item["file_path"].get("S"),
                    sha256=item["sha256"].get("S"),
                    reason=item["reason"]["S"],
                    added_at=datetime.fromisoformat(item["added_at"]["S"]),
                    run_id=item["run_id"].get("S"),
                )


def _text(value: str | None) -> dict[str, object]:
    return {"NULL": True} if value is None else {"S": value}


def register_of(context: ActionContext) -> Register:
    """The deployment's register. Raises NotConfigured where it keeps none."""
    if context.settings.history_table is None:
        raise NotConfigured("this deployment keeps no register (HISTORY_TABLE is empty)")
    return TableRegister(context.clients.get("dynamodb"), context.settings.history_table)


def add(kind: Kind, params: FileParams, context: ActionContext) -> str:
    """Keeps what the params say and returns its id. Raises InvalidParams for an entry about nothing, NotConfigured."""
    if params.file_path is None and params.sha256 is None:
        raise InvalidParams("file_path or sha256 is needed")
    entry = Entry(
        file_path=params.file_path,
        sha256=params.sha256,
        reason=params.reason,
        added_at=context.clock.now(),
        run_id=context.run_id,
    )
    return register_of(context).add(kind, entry)
