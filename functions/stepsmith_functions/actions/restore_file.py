"""The action `restore_file`."""

from __future__ import annotations

from pydantic import Field

from stepsmith_functions.runtime.action import action
from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.contract import Params, Result, Statement
from stepsmith_functions.runtime.files import FileExists, FileMissing, PathNotAllowed
from stepsmith_functions.runtime.quarantine import local
from stepsmith_functions.runtime.quarantine import s3 as objects
from stepsmith_functions.runtime.quarantine.manifest import ID_PATTERN, QuarantineDamaged, QuarantineMissing
from stepsmith_functions.runtime.s3 import NotConfigured


class RestoreFileParams(Params):
    quarantine_id: str = Field(pattern=ID_PATTERN, description="As `quarantine_file` gave it.")


class RestoreFileResult(Result):
    file_path: str = Field(description="Where the file is again, as a path or an `s3://` URI.")


@action(
    effect="write",
    repeatable=True,
    timeout=60,
    memory=256,
    errors=(QuarantineMissing, QuarantineDamaged, FileExists, FileMissing, PathNotAllowed, NotConfigured),
    permissions=(
        Statement(
            ("s3:GetObject", "s3:PutObject", "s3:PutObjectTagging"),
            ("arn:${AWS::Partition}:s3:::${WatchedBucket}/*",),
        ),
        Statement(
            ("s3:GetObject", "s3:GetObjectTagging", "s3:PutObject", "s3:DeleteObject"),
            ("${DataBucket.Arn}/quarantine/*",),
        ),
        # Without the right to list, S3 answers 403 instead of 404 for what does not exist.
        Statement(("s3:ListBucket",), ("${DataBucket.Arn}", "arn:${AWS::Partition}:s3:::${WatchedBucket}")),
    ),
    environment={"DATA_BUCKET": "${DataBucket}", "FILE_ROOTS": "${FileRoots}"},
    example={"quarantine_id": "s3-00112233445566778899aabbccddeeff"},
)
def restore_file(params: RestoreFileParams, context: ActionContext) -> RestoreFileResult:
    """Puts a quarantined file or S3 object back where it came from.

    Content, permissions and times (of an object: metadata and tags) are as they were; what has changed in quarantine
    is not restored, and nothing that stands there by now is replaced. The same step called again returns its first
    result.
    """
    take_back = local.take_back if params.quarantine_id.startswith("file-") else objects.take_back
    return RestoreFileResult(file_path=take_back(params.quarantine_id, context).origin)


handler = restore_file.handler
