"""Results that are too large for a state: their large fields lie in S3, and a reference goes through the machine.

The reference stands where the value stood, and any action's params take it for the value:

    {"$stored": {"stored_at": "s3://BUCKET/runs/RUN ID/SHA256.json", "size": BYTES, "sha256": HEX, "type": "array"}}

It is believed for what it proves: it must name the deployment's own bucket, a key that is made of a run and the digest,
and content that has this size and digest. Everything else of that shape is data like any other and stays as it is. So
what comes in with a run's data can name no other object, nor one whose content's digest it does not know already. What
was resolved is not looked into again. `history.objects` keeps the objects, as it does the history's own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from stepsmith_functions.runtime import log
from stepsmith_functions.runtime.clients import Clients
from stepsmith_functions.runtime.errors import AwsRefused, AwsUnavailable, InvalidParams, InvalidResult
from stepsmith_functions.runtime.settings import Settings

if TYPE_CHECKING:  # most steps neither store nor read a large value
    from pydantic import JsonValue

    from stepsmith_functions.history.objects import S3Values
    from stepsmith_functions.history.values import StoredValue

REFERENCE: Final = "$stored"
"""The only key of a reference."""
PREFIX: Final = "runs/"
LARGEST_IN_STATE: Final = 192 * 1024
"""Bytes of a result's JSON that go through the machine. A result, an Assign and a task's arguments take 262,144 each
(Step Functions quotas); a quarter is left for what stands beside the result there."""
LARGEST: Final = 32 * 1024 * 1024
"""Bytes of JSON that one result may have, and that all references in the params of a step may stand for."""
_SMALLEST: Final = 1024
"""Bytes from which a field is worth a reference, which has some 300 itself."""
_KEY: Final = re.compile(rf"{PREFIX}[^/\x00]{{1,256}}/(?P<sha256>[0-9a-f]{{64}})\.json")
_RUN_ID: Final = re.compile(r"[^/\x00]{1,256}")

_Open: TypeAlias = "Callable[[], S3Values]"


def placed(output: JsonValue, size: int, run_id: str | None, settings: Settings, clients: Clients) -> JsonValue:
    """What goes through the machine in place of a result that is `size` bytes of JSON.

    The largest of its texts, lists and objects are stored, only as many as it takes: all else stays where expressions
    read it. Without a run or a bucket, or where S3 fails, the whole result goes out: Step Functions then refuses it
    with States.DataLimitExceeded, for which no retry runs the action again. Raises InvalidResult above `LARGEST`.
    """
    if size > LARGEST:
        raise InvalidResult(f"the result has {size:,} bytes of JSON; at most {LARGEST:,} can be kept")
    if size <= LARGEST_IN_STATE or settings.data_bucket is None or run_id is None or not _RUN_ID.fullmatch(run_id):
        return output
    from stepsmith_functions.history.store import HistoryError

    try:
        return _shrunk(output, size, run_id, _values(settings.data_bucket, clients))
    except HistoryError:
        log.logger().exception("the large result was not stored")
        return output


def _shrunk(output: JsonValue, size: int, run_id: str, values: S3Values) -> JsonValue:
    if isinstance(output, dict):
        sizes = {name: size_of(value) for name, value in output.items() if isinstance(value, str | list | dict)}
        shrunk = dict(output)
        for name in sorted(sizes, key=lambda name: (-sizes[name], name)):
            if size <= LARGEST_IN_STATE or sizes[name] < _SMALLEST:
                break
            shrunk[name] = _stored(output[name], run_id, values)
            size -= sizes[name] - size_of(shrunk[name])
        if size <= LARGEST_IN_STATE:
            return shrunk
    return _stored(output, run_id, values)


def _stored(value: JsonValue, run_id: str, values: S3Values) -> JsonValue:
    from stepsmith_functions.history.values import to_text

    kept = values.save(run_id, to_text(value)).to_json()
    kind = "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"
    return cast("JsonValue", {REFERENCE: {**kept, "type": kind}})


def size_of(value: JsonValue) -> int:
    """Bytes of a value's JSON as Lambda writes it, a little more than Step Functions counts. Raises ValueError for a
    number that JSON cannot write."""
    return len(json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogatepass"))


def resolved(params: JsonValue, settings: Settings, clients: Clients) -> JsonValue:
    """The params with the values in the place of the references to them.

    Raises InvalidParams where a value is gone or is not what was stored, or all together are above `LARGEST`;
    AwsRefused and AwsUnavailable where S3 fails.
    """
    bucket = settings.data_bucket
    if bucket is None or not _holds_reference(params):
        return params
    return _Resolver(bucket, lambda: _values(bucket, clients), LARGEST).resolve(params)


def _holds_reference(value: JsonValue) -> bool:
    if isinstance(value, dict):
        return (len(value) == 1 and REFERENCE in value) or any(map(_holds_reference, value.values()))
    return isinstance(value, list) and any(map(_holds_reference, value))


@dataclass(slots=True)
class _Resolver:
    bucket: str
    open: _Open
    left: int
    """Bytes that may still come in. Each place counts, for a value that is named a thousand times is written as often
    when the params are read."""
    known: dict[str, JsonValue] = field(default_factory=dict)
    values: S3Values | None = None

    def resolve(self, value: JsonValue) -> JsonValue:
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        if not isinstance(value, dict):
            return value
        stored = self._reference(value)
        if stored is None:
            return {name: self.resolve(item) for name, item in value.items()}
        self.left -= stored.size
        if self.left < 0:
            raise InvalidParams(f"the stored values in the params have more than {LARGEST:,} bytes")
        if stored.key not in self.known:
            self.known[stored.key] = self._load(stored)
        return self.known[stored.key]

    def _reference(self, value: Mapping[str, JsonValue]) -> StoredValue | None:
        from stepsmith_functions.history.values import stored_value

        if len(value) != 1 or REFERENCE not in value:
            return None
        try:
            stored = stored_value(value[REFERENCE])
        except ValueError:
            return None
        key = _KEY.fullmatch(stored.key)
        ours = stored.bucket == self.bucket and key is not None and key["sha256"] == stored.sha256
        return stored if ours and stored.size > 0 else None

    def _load(self, stored: StoredValue) -> JsonValue:
        from stepsmith_functions.history.retrying import ServiceRefusedError
        from stepsmith_functions.history.store import HistoryError, ValueLostError
        from stepsmith_functions.history.values import from_text

        if self.values is None:
            self.values = self.open()
        try:
            return cast("JsonValue", from_text(self.values.load(stored)))
        except ValueLostError as error:
            raise InvalidParams(str(error)) from None
        except ServiceRefusedError as error:
            raise AwsRefused(f"{stored.uri} cannot be read: {error}") from None
        except HistoryError as error:
            raise AwsUnavailable(f"{stored.uri} cannot be read: {error}") from None


def _values(bucket: str, clients: Clients) -> S3Values:
    from stepsmith_functions.history.objects import S3Values

    return S3Values(clients.get("s3"), bucket, prefix=PREFIX)
