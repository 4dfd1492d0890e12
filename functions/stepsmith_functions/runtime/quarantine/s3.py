"""Quarantine of S3 objects: into the `quarantine/` prefix of the data bucket, and back.

The object is copied by S3 itself, described, and then deleted on the condition that it still is what was
copied. The index entry that names the origin is written last and so tells a finished quarantine from one
that was cut off.
"""

from __future__ import annotations

from stepsmith_functions.runtime import s3
from stepsmith_functions.runtime.clients import AwsClient, code_of
from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.errors import PermanentError
from stepsmith_functions.runtime.files import FileChanged, FileExists, FileMissing, PathNotAllowed
from stepsmith_functions.runtime.quarantine.manifest import (
    AlreadyQuarantined,
    ObjectManifest,
    QuarantineDamaged,
    QuarantineMissing,
    digest_of,
    quarantine_id,
)
from stepsmith_functions.runtime.s3 import Answer, S3Object

PREFIX = "quarantine/"
_MANIFEST_LIMIT = 1 << 20


class ObjectTooLarge(PermanentError):  # noqa: N818 - the name is part of the contract with workflows
    """The object is larger than the 5 GiB that S3 copies in one piece."""


def put(source: S3Object, directory: str | None, context: ActionContext) -> ObjectManifest:
    """Takes the object `source` into quarantine; `directory` is a folder below `quarantine/` in the data
    bucket.

    Raises FileMissing, AlreadyQuarantined (by another step), FileChanged, ObjectTooLarge, PathNotAllowed,
    NotConfigured.
    """
    client = context.clients.get("s3")
    bucket = s3.data_bucket(context.settings)
    if source.bucket == bucket and source.key.startswith(PREFIX):
        raise AlreadyQuarantined("the object is inside the quarantine")
    identity = quarantine_id("s3", source.uri, context)
    index = S3Object(bucket, f"{PREFIX}origins/{digest_of(source.uri)}")
    indexed = s3.read(client, index, 200)
    own = _manifest(client, bucket, identity)
    if own and not own.restored_at and indexed == identity.encode():
        return own
    found = s3.head(client, source)
    if own and not own.restored_at and (found is None or found["ETag"] == own.etag):
        manifest = own
    elif found is None:
        _refuse_quarantined(client, bucket, indexed)
        raise FileMissing(f"there is no {source.uri}")
    else:
        kept = S3Object(bucket, _key(directory, identity))
        manifest = _copied(client, source, found, kept, identity, context)
        _write(client, bucket, manifest)
    if found is not None:
        s3.delete_exactly(client, source, manifest.etag, manifest.version_id)
    client.put_object(Bucket=index.bucket, Key=index.key, Body=identity.encode())
    return manifest


def take_back(identity: str, context: ActionContext) -> ObjectManifest:
    """Puts the object `identity` back under its bucket and key, as a new version where the bucket keeps
    versions.

    Raises QuarantineMissing, QuarantineDamaged, FileExists. A second call by the same step finds it restored.
    """
    client = context.clients.get("s3")
    bucket = s3.data_bucket(context.settings)
    manifest = _manifest(client, bucket, identity)
    operation = context.operation_id()
    if manifest is None:
        raise QuarantineMissing(f"nothing is in quarantine as {identity}")
    if manifest.restored_at:
        if manifest.restored_by == operation and context.run_id:
            return manifest
        raise QuarantineMissing(f"{identity} has been restored already")
    kept, origin = S3Object(bucket, manifest.kept_key), S3Object(manifest.bucket, manifest.key)
    content, standing = s3.head(client, kept), s3.head(client, origin)
    # A first try may have ended between the copy and writing that down: the content is then in both places.
    if standing is None or not _is_back(client, origin, standing, manifest):
        if content is None or content["ContentLength"] != manifest.size:
            raise QuarantineDamaged(f"the content of {identity} is not what was put there")
        if standing is not None:
            raise FileExists("something else stands where the object came from")
        try:
            if s3.copy(client, kept, origin, IfNoneMatch="*") != manifest.sha256:
                raise QuarantineDamaged(f"the content of {identity} is not what was put there")
        except client.exceptions.ClientError as error:
            if code_of(error) == "PreconditionFailed":
                raise FileExists("something else stands where the object came from") from None
            raise
    back = manifest.model_copy(update={"restored_at": context.clock.now().isoformat(), "restored_by": operation})
    _write(client, bucket, back)
    client.delete_object(Bucket=bucket, Key=f"{PREFIX}origins/{digest_of(origin.uri)}")
    client.delete_object(Bucket=bucket, Key=kept.key)
    return back


def _key(directory: str | None, identity: str) -> str:
    parts = (directory or "").strip("/").split("/") if directory else []
    if any(part in ("", ".", "..") for part in parts):
        raise PathNotAllowed("the quarantine folder of an object is a plain path below quarantine/")
    return "".join(f"{part}/" for part in [PREFIX.rstrip("/"), *parts, identity]) + "content"


def _copied(
    client: AwsClient, source: S3Object, found: Answer, kept: S3Object, identity: str, context: ActionContext
) -> ObjectManifest:
    if found["ContentLength"] > s3.LARGEST_COPY:
        raise ObjectTooLarge(f"the object has {found['ContentLength']} bytes")
    try:
        digest = s3.copy(client, source, kept, CopySourceIfMatch=found["ETag"])
    except client.exceptions.ClientError as error:
        if code_of(error) == "PreconditionFailed":
            raise FileChanged("the object was replaced while it was quarantined") from None
        raise
    return ObjectManifest(
        quarantine_id=identity,
        origin=source.uri,
        kept_at=kept.uri,
        sha256=digest,
        size=found["ContentLength"],
        quarantined_at=context.clock.now().isoformat(),
        run_id=context.run_id,
        step_path=context.step_path,
        bucket=source.bucket,
        key=source.key,
        version_id=found.get("VersionId"),
        etag=found["ETag"],
        kept_key=kept.key,
    )


def _is_back(client: AwsClient, origin: S3Object, standing: Answer, manifest: ObjectManifest) -> bool:
    return bool(
        standing["ContentLength"] == manifest.size
        and standing["ETag"] == manifest.etag
        and s3.sha256_of(client, origin) == manifest.sha256
    )


def _refuse_quarantined(client: AwsClient, bucket: str, indexed: bytes | None) -> None:
    if indexed is not None:
        manifest = _manifest(client, bucket, indexed.decode())
        if manifest and not manifest.restored_at:
            raise AlreadyQuarantined(f"the object is in quarantine as {manifest.quarantine_id}")


def _manifest(client: AwsClient, bucket: str, identity: str) -> ObjectManifest | None:
    item = S3Object(bucket, f"{PREFIX}{identity}/manifest.json")
    return ObjectManifest.read(s3.read(client, item, _MANIFEST_LIMIT))


def _write(client: AwsClient, bucket: str, manifest: ObjectManifest) -> None:
    client.put_object(
        Bucket=bucket,
        Key=f"{PREFIX}{manifest.quarantine_id}/manifest.json",
        Body=manifest.written(),
        ContentType="application/json",
    )
