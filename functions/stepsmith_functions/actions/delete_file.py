"""The action `delete_file`."""

from __future__ import annotations

import os

from pydantic import Field

from stepsmith_functions.runtime import files, s3
from stepsmith_functions.runtime.action import action
from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.contract import Params, Result, Statement
from stepsmith_functions.runtime.files import FileChanged, FileMissing, PathNotAllowed
from stepsmith_functions.runtime.quarantine import local
from stepsmith_functions.runtime.quarantine.manifest import AlreadyQuarantined
from stepsmith_functions.runtime.quarantine.s3 import PREFIX
from stepsmith_functions.runtime.s3 import S3Object


class DeleteFileParams(Params):
    file_path: str = Field(
        min_length=1,
        max_length=4096,
        description="A file under an allowed root, or an object as `s3://bucket/key`.",
    )


class DeleteFileResult(Result):
    deleted: bool = Field(description="Always true: what cannot be deleted is an error.")


@action(
    effect="destructive",
    repeatable=True,
    timeout=30,
    memory=256,
    errors=(FileMissing, PathNotAllowed, AlreadyQuarantined, FileChanged),
    permissions=(
        Statement(
            ("s3:GetObject", "s3:DeleteObject", "s3:DeleteObjectVersion"),
            ("arn:${AWS::Partition}:s3:::${WatchedBucket}/*",),
        ),
        # Without the right to list, S3 answers 403 instead of 404 for what does not exist.
        Statement(("s3:ListBucket",), ("arn:${AWS::Partition}:s3:::${WatchedBucket}",)),
    ),
    environment={"DATA_BUCKET": "${DataBucket}", "FILE_ROOTS": "${FileRoots}"},
    example={"file_path": "s3://uploads-example/incoming/invoice.pdf.exe"},
)
def delete_file(params: DeleteFileParams, context: ActionContext) -> DeleteFileResult:
    """Deletes a file or an S3 object for good.

    Of an object the current version goes; older ones stay. What lies in quarantine is refused. A repeated call that
    finds the file gone raises FileMissing.
    """
    item = s3.object_of(params.file_path)
    if item:
        _delete_object(item, context)
    else:
        _delete_local(params.file_path, context)
    return DeleteFileResult(deleted=True)


def _delete_object(item: S3Object, context: ActionContext) -> None:
    if item.bucket == context.settings.data_bucket and item.key.startswith(PREFIX):
        raise AlreadyQuarantined("the object is inside the quarantine")
    client = context.clients.get("s3")
    found = s3.head(client, item)
    if found is None:
        raise FileMissing(f"there is no {item.uri}")
    s3.delete_exactly(client, item, found["ETag"], found.get("VersionId"))


def _delete_local(path: str, context: ActionContext) -> None:
    place = files.place_of(path, context.settings.file_roots)
    if place.parts[:1] == local.LEDGER:
        raise AlreadyQuarantined("the file is inside the quarantine")
    with files.writing(), files.folder(place.root, place.folder) as parent:
        with files.regular_file(parent, place.name) as found:
            info = os.fstat(found)
        files.remove(parent, place.name, info)


handler = delete_file.handler
