"""Large values as S3 objects, under `history/<run id>/<digest>.json` in the deployment's bucket
(`DATA_BUCKET`).

Objects are never deleted here: the bucket's lifecycle rule on `history/` ends them with the history.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from stepsmith_functions.history.retrying import Backoff
from stepsmith_functions.history.store import HistoryUnavailableError
from stepsmith_functions.history.values import StoredValue, digest

PREFIX: Final = "history/"


class Readable(Protocol):
    def read(self) -> bytes: ...


class S3Client(Protocol):
    """What this module calls of boto3's low-level S3 client."""

    def put_object(self, **arguments: object) -> Mapping[str, object]: ...
    def get_object(self, **arguments: object) -> Mapping[str, object]: ...


class S3Values:
    """A `ValueStore` over one bucket."""

    def __init__(self, client: S3Client, bucket: str, *, backoff: Backoff | None = None) -> None:
        self._client = client
        self._bucket = bucket
        self._backoff = backoff or Backoff()

    def save(self, run_id: str, text: str) -> StoredValue:
        sha256 = digest(text)
        body = text.encode()
        value = StoredValue(self._bucket, f"{PREFIX}{run_id}/{sha256}.json", len(body), sha256)
        self._backoff.call(
            self._client.put_object,
            Bucket=value.bucket,
            Key=value.key,
            Body=body,
            ContentType="application/json",
        )
        return value

    def load(self, value: StoredValue) -> str:
        answer = self._backoff.call(self._client.get_object, Bucket=value.bucket, Key=value.key)
        body = answer["Body"]
        if not hasattr(body, "read"):
            raise HistoryUnavailableError(f"{value.uri} came without a body")
        text = str(body.read(), "utf-8")
        if digest(text) != value.sha256:
            raise HistoryUnavailableError(f"{value.uri} is not what was stored: its digest differs")
        return text
