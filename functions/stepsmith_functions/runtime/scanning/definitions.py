"""Which rules are in use: those that were published last, else those that ship with the code.

The data bucket holds bundles as they were fetched (`definitions/bundles/VERSION`) and a pointer to the one in use
(`definitions/current.json`), written last, so that a reader finds the old rules or the new ones, whole. The bundle
before stays beside; older ones go.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from stepsmith_functions.runtime import s3
from stepsmith_functions.runtime.clients import AwsClient, code_of
from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.files import FileChanged
from stepsmith_functions.runtime.s3 import S3Object
from stepsmith_functions.runtime.scanning import bundle
from stepsmith_functions.runtime.scanning.bundle import LARGEST_BUNDLE, RulesInvalid, Sources

PREFIX: Final = "definitions/"
POINTER: Final = f"{PREFIX}current.json"
PACKAGED: Final = "packaged"
"""What the version of the rules is called that ship with the code."""
_LARGEST_POINTER: Final = 1 << 16


class Release(BaseModel):
    """A published bundle."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    key: str
    sha256: str
    rules: int
    source: str
    published_at: str
    operation: str
    """Which step published it (`ActionContext.operation_id`)."""


class Pointer(BaseModel):
    """What `current.json` says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    current: Release
    previous: Release | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """The pointer as it was read, and the ETag on whose condition it may be replaced."""

    pointer: Pointer
    etag: str


@dataclass(frozen=True, slots=True)
class Definitions:
    """Rules ready to be compiled."""

    version: str
    sha256: str
    sources: Sources


def standing(client: AwsClient, bucket: str) -> Standing | None:
    """What is published; None where nothing is. Raises RulesInvalid for a pointer that cannot be read."""
    try:
        answer = client.get_object(Bucket=bucket, Key=POINTER)
    except client.exceptions.ClientError as error:
        if code_of(error) in ("NoSuchKey", "NoSuchBucket"):
            return None
        raise
    try:
        pointer = Pointer.model_validate_json(answer["Body"].read(_LARGEST_POINTER))
    except ValidationError:
        raise RulesInvalid(f"what {POINTER} says cannot be read") from None
    return Standing(pointer, answer["ETag"])


def in_use(context: ActionContext) -> Definitions:
    """The rules to scan with. Raises RulesInvalid where the published bundle is not what was published."""
    bucket = context.settings.data_bucket
    found = standing(context.clients.get("s3"), bucket) if bucket else None
    if found is None or bucket is None:
        content = bundle.packaged()
        return Definitions(PACKAGED, hashlib.sha256(content).hexdigest(), bundle.sources_of(content))
    release = found.pointer.current
    published = s3.read(context.clients.get("s3"), S3Object(bucket, release.key), LARGEST_BUNDLE + 1)
    if published is None or hashlib.sha256(published).hexdigest() != release.sha256:
        raise RulesInvalid(f"the bundle of version {release.version} is not the one that was published")
    return Definitions(release.version, release.sha256, bundle.sources_of(published))


def is_whole(release: Release, context: ActionContext, bucket: str) -> bool:
    """Whether the bundle of `release` still stands as it was published."""
    content = s3.read(context.clients.get("s3"), S3Object(bucket, release.key), LARGEST_BUNDLE + 1)
    return content is not None and hashlib.sha256(content).hexdigest() == release.sha256


def publish(
    content: bytes, source: str, rules: int, before: Standing | None, context: ActionContext, bucket: str
) -> Release:
    """Puts a bundle into use in the place of `before`. Raises FileChanged where another has been published since."""
    client = context.clients.get("s3")
    now = context.clock.now()
    digest = hashlib.sha256(content).hexdigest()
    version = f"{now:%Y%m%dT%H%M%SZ}-{digest[:12]}"
    release = Release(
        version=version,
        key=f"{PREFIX}bundles/{version}",
        sha256=digest,
        rules=rules,
        source=source,
        published_at=now.isoformat(),
        operation=context.operation_id(),
    )
    previous = before.pointer.current if before else None
    client.put_object(Bucket=bucket, Key=release.key, Body=content)
    _point(client, bucket, Pointer(current=release, previous=previous), before)
    last = before.pointer.previous if before else None
    if last and last.key not in (release.key, previous.key if previous else None):
        client.delete_object(Bucket=bucket, Key=last.key)
    return release


def _point(client: AwsClient, bucket: str, pointer: Pointer, before: Standing | None) -> None:
    body = json.dumps(pointer.model_dump(mode="json"), indent=2).encode()
    condition = {"IfMatch": before.etag} if before else {"IfNoneMatch": "*"}
    known = client.meta.service_model.operation_model("PutObject").input_shape.members
    try:
        client.put_object(
            Bucket=bucket,
            Key=POINTER,
            Body=body,
            ContentType="application/json",
            # The boto3 of the Lambda runtime may be too old to know a condition.
            **{name: value for name, value in condition.items() if name in known},
        )
    except client.exceptions.ClientError as error:
        if code_of(error) in ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"):
            raise FileChanged("other rules were published meanwhile") from None
        raise
