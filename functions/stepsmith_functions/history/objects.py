"""Large values as S3 objects, under `<prefix>/<run id>/<digest>.json` in the deployment's bucket (`DATA_BUCKET`).

`history/` holds what a record refers to, `runs/` what a reference within a run's data stands for (`runtime.large`).
Objects are never deleted here: the bucket's lifecycle rules on both prefixes end them with the history.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final, Protocol

from stepsmith_functions.history.retrying import Backoff, ServiceRefusedError
from stepsmith_functions.history.store import HistoryUnavailableError, ValueLostError
from stepsmith_functions.history.values import StoredValue, digest

PREFIX: Final = "history/"


class Readable(Protocol):
    def read(self, amount: int, /) -> bytes: ...


class S3Client(Protocol):
    """What this module calls of boto3's low-level S3 client."""

    def put_object(self, **arguments: object) -> Mapping[str, object]: ...
    def get_object(self, **arguments: object) -> Mapping[str, object]: ...


class S3Values:
    """A `ValueStore` over one prefix of a bucket."""

    def __init__(self, client: S3Client, bucket: str, *, prefix: str = PREFIX, backoff: Backoff | None = None) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix
        self._backoff = backoff or Backoff()

    def save(self, run_id: str, text: str) -> StoredValue:
        sha256 = digest(text)
        body = text.encode()
        value = StoredValue(self._bucket, f"{self._prefix}{run_id}/{sha256}.json", len(body), sha256)
        self._backoff.call(
            self._client.put_object,
            Bucket=value.bucket,
            Key=value.key,
            Body=body,
            ContentType="application/json",
        )
        return value

    def load(self, value: StoredValue) -> str:
        """The text that `value` stands for; of a longer object no more than tells so is read.

        Raises ValueLostError where it is gone or differs.
        """
        try:
            answer = self._backoff.call(self._client.get_object, Bucket=value.bucket, Key=value.key)
        except ServiceRefusedError as error:
            if error.code == "NoSuchKey":
                raise ValueLostError(f"{value.uri} is not there, or no more") from error
            raise
        body = answer["Body"]
        if not hasattr(body, "read"):
            raise HistoryUnavailableError(f"{value.uri} came without a body")
        content = body.read(value.size + 1)
        if len(content) != value.size or hashlib.sha256(content).hexdigest() != value.sha256:
            raise ValueLostError(f"{value.uri} is not what was stored: its size or digest differs")
        return str(content, "utf-8")
