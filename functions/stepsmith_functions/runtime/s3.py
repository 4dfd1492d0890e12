"""S3 as the actions use it: URIs, and the few calls whose conditions and answers need care."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import Any, TypeAlias

from stepsmith_functions.runtime.clients import AwsClient, code_of
from stepsmith_functions.runtime.errors import PermanentError
from stepsmith_functions.runtime.files import FileChanged
from stepsmith_functions.runtime.settings import Settings

Answer: TypeAlias = dict[str, Any]

LARGEST_COPY = 5 * 1024**3
"""Bytes that one CopyObject takes (Amazon S3 API reference, CopyObject)."""

_URI = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(?P<key>.+)", re.DOTALL)


class NotConfigured(PermanentError):  # noqa: N818 - the name is part of the contract with workflows
    """The deployment lacks a setting that the action needs."""


@dataclass(frozen=True, slots=True)
class S3Object:
    """A bucket and a key."""

    bucket: str
    key: str

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def object_of(text: str) -> S3Object | None:
    """The object that an `s3://bucket/key` URI names, None for any other text."""
    match = _URI.fullmatch(text)
    return S3Object(match["bucket"], match["key"]) if match else None


def data_bucket(settings: Settings) -> str:
    """The deployment's bucket. Raises NotConfigured."""
    if settings.data_bucket is None:
        raise NotConfigured("this deployment has no data bucket (DATA_BUCKET is empty)")
    return settings.data_bucket


def head(client: AwsClient, item: S3Object, **more: str) -> Answer | None:
    """HeadObject's answer; None where the object or its bucket does not exist.

    S3 says 404 only to a caller who may list the bucket, and 403 to others (HeadObject, API reference).
    """
    try:
        answer: Answer = client.head_object(Bucket=item.bucket, Key=item.key, **more)
    except client.exceptions.ClientError as error:
        if code_of(error) in ("404", "NoSuchKey", "NoSuchBucket", "NotFound"):
            return None
        raise
    return answer


def read(client: AwsClient, item: S3Object, limit: int) -> bytes | None:
    """The first `limit` bytes of an object; None where it does not exist."""
    try:
        answer: Answer = client.get_object(Bucket=item.bucket, Key=item.key)
    except client.exceptions.ClientError as error:
        if code_of(error) in ("NoSuchKey", "NoSuchBucket"):
            return None
        raise
    body: bytes = answer["Body"].read(limit)
    return body


def copy(client: AwsClient, source: S3Object, target: S3Object, **conditions: str) -> str:
    """Copies up to 5 GiB inside S3, metadata and tags included; returns the SHA-256 of the content in
    hexadecimal.

    S3 computes the checksum itself, so that the content never passes through the function.
    """
    known = client.meta.service_model.operation_model("CopyObject").input_shape.members
    answer: Answer = client.copy_object(
        Bucket=target.bucket,
        Key=target.key,
        CopySource={"Bucket": source.bucket, "Key": source.key},
        ChecksumAlgorithm="SHA256",
        # The boto3 of the Lambda runtime may be too old to know a condition.
        **{name: value for name, value in conditions.items() if name in known},
    )
    checksum = answer.get("CopyObjectResult", {}).get("ChecksumSHA256")
    return base64.b64decode(checksum).hex() if checksum else sha256_of(client, target)


def delete_exactly(client: AwsClient, item: S3Object, etag: str, version_id: str | None) -> None:
    """Deletes the very content that was seen: its version, or the object if it still has the same ETag.

    Without the version a versioned bucket would only hide the object behind a delete marker. Raises FileChanged.
    """
    condition = {"VersionId": version_id} if version_id else {"IfMatch": etag}
    try:
        client.delete_object(Bucket=item.bucket, Key=item.key, **condition)
    except client.exceptions.ClientError as error:
        if code_of(error) in ("PreconditionFailed", "ConditionalRequestConflict"):
            raise FileChanged("the object was replaced meanwhile") from None
        raise


def sha256_of(client: AwsClient, item: S3Object) -> str:
    """The SHA-256 of an object's content in hexadecimal, by reading it."""
    digest = hashlib.sha256()
    for chunk in client.get_object(Bucket=item.bucket, Key=item.key)["Body"].iter_chunks(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()
