"""JSON values, times and references as the history keeps them.

A value is kept as JSON text, so that numbers, nulls and empty texts come back as they went in. One that is
too large for a table's item is kept elsewhere and replaced by a `StoredValue`. Nothing here masks secrets:
whoever hands a value in has done so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol, TypeAlias, cast

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"

INLINE_LIMIT: Final = 64 * 1024
"""Bytes of JSON text that stay in a table's item. A DynamoDB item holds 400 KB at most (documented), and an
item of ours holds at most two values and an error, whose cause Step Functions limits to 32,768
characters.
"""


@dataclass(frozen=True, slots=True)
class StoredValue:
    """Where a value lies that was too large to be kept in the record: an S3 object that holds its JSON
    text.
    """

    bucket: str
    key: str
    size: int
    """Bytes of the JSON text in UTF-8."""
    sha256: str
    """Hex digest of the JSON text in UTF-8."""

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def to_json(self) -> dict[str, Json]:
        """The reference as people and programs see it in a result."""
        return {"stored_at": self.uri, "size": self.size, "sha256": self.sha256}


def stored_value(value: Json) -> StoredValue:
    """The reference that `StoredValue.to_json` wrote. Raises ValueError when it is none."""
    if isinstance(value, Mapping):
        uri, size, sha256 = value.get("stored_at"), value.get("size"), value.get("sha256")
        if isinstance(uri, str) and uri.startswith("s3://") and isinstance(size, int) and isinstance(sha256, str):
            bucket, _, key = uri.removeprefix("s3://").partition("/")
            return StoredValue(bucket, key, size, sha256)
    raise ValueError(f"no reference to a stored value: {value!r}")


Recorded: TypeAlias = "Json | StoredValue"


class ValueStore(Protocol):
    """Keeps large JSON texts. `save` and `load` raise `store.HistoryError` when the service fails."""

    def save(self, run_id: str, text: str) -> StoredValue:
        """Keep `text`; the same text of the same run is kept once."""
        ...

    def load(self, value: StoredValue) -> str:
        """The text that `value` stands for."""
        ...


def to_text(value: Json) -> str:
    """The compact JSON text of a value; always encodable as UTF-8.

    Raises ValueError for numbers that JSON cannot write and TypeError for what is no JSON value.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate, which only an escape can carry
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text


def from_text(text: str) -> Json:
    """The value of a JSON text. Raises ValueError when it is none."""
    return cast(Json, json.loads(text))


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def to_stamp(moment: datetime) -> str:
    """A moment as text of one width, so that texts sort as the moments do: `2026-07-12T08:30:00.000000Z`.

    Raises ValueError for a moment without a time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"a moment in the history needs a time zone: {moment!r}")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def from_stamp(text: str) -> datetime:
    """The moment of an ISO 8601 text; one without a zone is taken as UTC. Raises ValueError when it is
    none.
    """
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def shown_time(moment: datetime | None) -> str | None:
    """A moment as results show it, in milliseconds: `2026-07-12T08:30:00.000Z`."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
