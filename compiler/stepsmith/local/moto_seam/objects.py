"""The objects of emulated buckets, read beneath the S3 API: to keep them all is no call of the workflow that ran.

Through the API each object takes as long as a step of a run.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any


def objects_of(account: str, bucket: str) -> Iterator[tuple[str, bytes]]:
    """The keys that ListObjectsV2 lists, in its order, each with the bytes that GetObject gives.

    A bucket that is gone has none.
    """
    backend: Any = importlib.import_module("moto.s3.models").s3_backends[account]["aws"]
    if bucket not in backend.buckets:
        return
    found, *_ = backend.list_objects(backend.buckets[bucket], None, None, None, None)
    for item in found:
        yield item.name, item.value
