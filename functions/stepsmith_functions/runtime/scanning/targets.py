"""What a scan looks at: a file or folder under an allowed root, an S3 object or all below a prefix.

It finds each file and opens it, in the same order every time, and says what it passes over and why. It follows no
symlink, reads what is no regular file never, and leaves the quarantine alone unless the scan was sent into it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from stepsmith_functions.runtime import files, s3
from stepsmith_functions.runtime.clients import AwsClient, code_of
from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.files import FileMissing, PathNotAllowed, Place
from stepsmith_functions.runtime.quarantine.local import LEDGER
from stepsmith_functions.runtime.quarantine.s3 import PREFIX as QUARANTINE
from stepsmith_functions.runtime.s3 import S3Object

Reason: TypeAlias = Literal[
    "excluded",
    "too_large",
    "symlink",
    "not_a_file",
    "unreadable",
    "vanished",
    "quarantined",
    "archived",
    "too_deep",
    "timed_out",
    "scan_failed",
]

DEEPEST: Final = 100
"""Folders below one another."""
_PREFIX: Final = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(/(?P<prefix>.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Passed:
    """A file or folder that is not scanned."""

    name: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Target:
    """A file to scan. It can be read while the search for targets has not gone on."""

    name: str
    """A path or `s3://` URI."""
    size: int
    """Bytes."""
    read: Callable[[], bytes | Reason]


Found: TypeAlias = Target | Passed


def shown(path: str) -> str:
    """A path as text that JSON can carry: bytes that are no UTF-8 are escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def targets(path: str, context: ActionContext) -> Generator[Found, None, None]:
    """The files at or below `path`.

    Raises FileMissing where there is nothing, and PathNotAllowed for a path outside the allowed roots or through a
    symlink; what turns up below is passed over instead.
    """
    match = _PREFIX.fullmatch(path)
    if match:
        client = context.clients.get("s3")
        return _objects(client, match["bucket"], match["prefix"] or "", context.settings.data_bucket)
    if path.startswith("s3:"):
        raise PathNotAllowed("path: names no S3 bucket")
    return _local(files.place_of(path, context.settings.file_roots, or_root=True))


def _local(place: Place) -> Generator[Found, None, None]:
    if place.parts:
        with files.folder(place.root, place.folder) as parent:
            try:
                kind = os.stat(place.name, dir_fd=parent, follow_symlinks=False).st_mode
            except OSError:
                raise FileMissing(f"there is no {place.name!r}") from None
            if not stat.S_ISDIR(kind):
                with files.regular_file(parent, place.name) as descriptor:
                    yield _target(place.path, descriptor)
                return
    pending = [place.parts]
    while pending:
        parts = pending.pop()
        try:
            with files.folder(place.root, parts) as folder:
                inner: list[tuple[str, ...]] = []
                for found in _entries(folder, Place(place.root, parts)):
                    if isinstance(found, str):
                        inner.append((*parts, found))
                    else:
                        yield found
                pending += reversed(inner)
        except (FileMissing, PathNotAllowed) as error:
            if parts == place.parts:
                raise
            reason: Reason = "vanished" if isinstance(error, FileMissing) else "unreadable"
            yield Passed(shown(os.path.join(place.root, *parts)), reason)


def _entries(folder: int, place: Place) -> Iterator[Found | str]:
    """The files in a folder, and the names of the folders in it that are to be entered."""
    with os.scandir(folder) as listed:
        entries = sorted(listed, key=lambda entry: entry.name)
    for entry in entries:
        path = os.path.join(place.path, entry.name)
        if entry.is_symlink():
            yield Passed(shown(path), "symlink")
        elif entry.is_dir(follow_symlinks=False):
            if (*place.parts, entry.name) == LEDGER:
                yield Passed(shown(path), "quarantined")
            elif len(place.parts) >= DEEPEST:
                yield Passed(shown(path), "too_deep")
            else:
                yield entry.name
        elif not entry.is_file(follow_symlinks=False):
            yield Passed(shown(path), "not_a_file")
        else:
            try:
                with files.regular_file(folder, entry.name) as descriptor:
                    yield _target(path, descriptor)
            except FileMissing:
                yield Passed(shown(path), "vanished")
            except PathNotAllowed:
                yield Passed(shown(path), "unreadable")


def _target(path: str, descriptor: int) -> Target:
    size = os.fstat(descriptor).st_size

    def read() -> bytes | Reason:
        try:
            with open(descriptor, "rb", closefd=False) as file:
                # A file that grows meanwhile is scanned as it was.
                return file.read(size)
        except OSError:
            return "unreadable"

    return Target(shown(path), size, read)


def _objects(client: AwsClient, bucket: str, asked: str, data_bucket: str | None) -> Generator[Found, None, None]:
    if asked and not asked.endswith("/"):
        item = S3Object(bucket, asked)
        found = s3.head(client, item)
        if found is not None:
            yield _object(client, item, found["ContentLength"])
            return
    prefix = asked if not asked or asked.endswith("/") else f"{asked}/"
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    any_found = False
    try:
        for page in pages:
            for entry in page.get("Contents", ()):
                any_found = True
                item = S3Object(bucket, entry["Key"])
                if bucket == data_bucket and item.key.startswith(QUARANTINE) and not asked.startswith(QUARANTINE):
                    yield Passed(item.uri, "quarantined")
                elif not (item.key.endswith("/") and entry["Size"] == 0):
                    yield _object(client, item, entry["Size"])
    except client.exceptions.ClientError as error:
        if code_of(error) == "NoSuchBucket":
            raise FileMissing(f"there is no bucket {bucket}") from None
        raise
    if not any_found:
        raise FileMissing(f"there is nothing at s3://{bucket}/{asked}")


def _object(client: AwsClient, item: S3Object, size: int) -> Target:
    def read() -> bytes | Reason:
        try:
            # An object that was replaced by a larger one meanwhile is not read beyond what was listed.
            content = s3.read(client, item, size)
        except client.exceptions.ClientError as error:
            match code_of(error):
                case "InvalidObjectState":
                    return "archived"
                case "AccessDenied":
                    return "unreadable"
            raise
        return "vanished" if content is None else content

    return Target(item.uri, size, read)
