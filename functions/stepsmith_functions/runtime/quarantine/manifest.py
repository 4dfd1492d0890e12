"""What the quarantine remembers of each thing it holds, and the errors that its users share.

A manifest is JSON beside the content. Its id says where to look (`file-…` or `s3-…`) and is the same for
every attempt of one step, so that a repeated call finds its own work.
"""
# ruff: noqa: N818 - these names are part of the contract with workflows

from __future__ import annotations

import hashlib
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.errors import PermanentError

ID_PATTERN = r"^(file|s3)-[0-9a-f]{32}$"

M = TypeVar("M", bound="Manifest")


class AlreadyQuarantined(PermanentError):
    """Another run or step has put this file into quarantine."""


class QuarantineMissing(PermanentError):
    """Nothing is in quarantine under this id."""


class QuarantineDamaged(PermanentError):
    """What lies in quarantine is not what was put there."""


class Manifest(BaseModel):
    """One thing in quarantine. `restored_by` is set once it is back in its place."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    quarantine_id: str
    origin: str
    """Absolute path or `s3://` URI."""
    kept_at: str
    """Absolute path or `s3://` URI of the content."""
    sha256: str
    size: int
    """Bytes."""
    quarantined_at: str
    """ISO 8601, UTC."""
    run_id: str | None
    step_path: str | None
    restored_at: str | None = None
    restored_by: str | None = None
    """The operation that restored it."""

    @classmethod
    def read(cls: type[M], text: bytes | None) -> M | None:
        """The manifest in `text`, None for None. Raises QuarantineDamaged."""
        try:
            return None if text is None else cls.model_validate_json(text)
        except ValidationError:
            raise QuarantineDamaged("the manifest is not readable") from None

    def written(self) -> bytes:
        return self.model_dump_json(indent=2).encode()


class FileManifest(Manifest):
    """A local file, with what a rename or a copy cannot carry along."""

    store_root: str
    store_parts: tuple[str, ...]
    """The folder that holds the content."""
    mode: int
    """Permission bits."""
    uid: int
    gid: int
    mtime_ns: int
    device: int
    inode: int


class ObjectManifest(Manifest):
    """An S3 object. Its metadata and tags travel with S3's own copy."""

    bucket: str
    key: str
    version_id: str | None
    etag: str
    kept_key: str
    """Key in the data bucket."""


def quarantine_id(kind: str, origin: str, context: ActionContext) -> str:
    """The id under which this step keeps `origin`."""
    digest = hashlib.sha256(f"{context.operation_id()}\n{origin}".encode()).hexdigest()
    return f"{kind}-{digest[:32]}"


def digest_of(origin: str) -> str:
    """A name for `origin` that is fit for a file or an object key."""
    return hashlib.sha256(origin.encode("utf-8", "surrogateescape")).hexdigest()
