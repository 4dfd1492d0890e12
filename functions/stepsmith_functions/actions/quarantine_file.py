"""The action `quarantine_file`."""

from __future__ import annotations

from pydantic import Field

from stepsmith_functions.runtime import files, s3
from stepsmith_functions.runtime.action import action
from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.contract import Params, Result, Statement
from stepsmith_functions.runtime.files import FileChanged, FileMissing, PathNotAllowed
from stepsmith_functions.runtime.quarantine import local
from stepsmith_functions.runtime.quarantine import s3 as objects
from stepsmith_functions.runtime.quarantine.manifest import AlreadyQuarantined, QuarantineDamaged
from stepsmith_functions.runtime.quarantine.s3 import ObjectTooLarge
from stepsmith_functions.runtime.s3 import NotConfigured


class QuarantineFileParams(Params):
    file_path: str = Field(
        min_length=1,
        max_length=4096,
        description="A file under an allowed root, or an object as `s3://bucket/key`.",
    )
    quarantine_dir: str | None = Field(
        default=None,
        min_length=1,
        max_length=1024,
        description="Where to: a folder under an allowed root (`.quarantine` if left out); for an object, "
        "a folder below `quarantine/` in the data bucket.",
    )


class QuarantineFileResult(Result):
    quarantine_id: str = Field(description="What `restore_file` takes.")
    quarantine_path: str = Field(description="Where the content is now, as a path or an `s3://` URI.")
    sha256: str = Field(description="Of the content, in hexadecimal.")
    size: int = Field(description="Bytes.")


@action(
    effect="destructive",
    repeatable=True,
    timeout=60,
    memory=256,
    errors=(
        FileMissing,
        PathNotAllowed,
        AlreadyQuarantined,
        FileChanged,
        ObjectTooLarge,
        QuarantineDamaged,
        NotConfigured,
    ),
    permissions=(
        Statement(
            (
                "s3:GetObject",
                "s3:GetObjectTagging",
                "s3:GetObjectVersion",
                "s3:DeleteObject",
                "s3:DeleteObjectVersion",
            ),
            ("arn:${AWS::Partition}:s3:::${WatchedBucket}/*",),
        ),
        Statement(("s3:GetObject", "s3:PutObject", "s3:PutObjectTagging"), ("${DataBucket.Arn}/quarantine/*",)),
        # Without the right to list, S3 answers 403 instead of 404 for what does not exist.
        Statement(("s3:ListBucket",), ("${DataBucket.Arn}", "arn:${AWS::Partition}:s3:::${WatchedBucket}")),
    ),
    environment={"DATA_BUCKET": "${DataBucket}", "FILE_ROOTS": "${FileRoots}"},
    example={"file_path": "s3://uploads-example/incoming/invoice.pdf.exe"},
)
def quarantine_file(params: QuarantineFileParams, context: ActionContext) -> QuarantineFileResult:
    """Moves a file or an S3 object into quarantine.

    It keeps the content's hash, origin, permissions and times, so that `restore_file` puts it back exactly.
    A file must lie under one of the deployment's roots and be no symlink; in quarantine nobody can run or
    change it. The same step called again returns its first result.
    """
    item = s3.object_of(params.file_path)
    manifest = (
        objects.put(item, params.quarantine_dir, context)
        if item
        else local.put(files.place_of(params.file_path, context.settings.file_roots), params.quarantine_dir, context)
    )
    return QuarantineFileResult(
        quarantine_id=manifest.quarantine_id,
        quarantine_path=manifest.kept_at,
        sha256=manifest.sha256,
        size=manifest.size,
    )


handler = quarantine_file.handler
