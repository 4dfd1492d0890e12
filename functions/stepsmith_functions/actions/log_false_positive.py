"""The action `log_false_positive`."""

from __future__ import annotations

from pydantic import Field

from stepsmith_functions.runtime import register
from stepsmith_functions.runtime.action import action
from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.contract import Params, Result
from stepsmith_functions.runtime.errors import InvalidParams
from stepsmith_functions.runtime.register import Entry
from stepsmith_functions.runtime.s3 import NotConfigured


class LogFalsePositiveParams(Params):
    file_path: str | None = Field(default=None, min_length=1, max_length=4096, description="A path or an `s3://` URI.")
    sha256: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{64}$", description="Of the content, in lower-case hexadecimal."
    )
    reason: str = Field(min_length=1, max_length=2000, description="Why, for whoever reads it later.")


class LogFalsePositiveResult(Result):
    record_id: str = Field(description="The same for the same file.")


@action(
    effect="write",
    repeatable=True,
    timeout=15,
    memory=256,
    errors=(NotConfigured,),
    example={
        "sha256": "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f",
        "reason": "The scanner's own test file",
    },
)
def log_false_positive(params: LogFalsePositiveParams, context: ActionContext) -> LogFalsePositiveResult:
    """Records that a detection was wrong, for analysis.

    It excludes nothing; `add_exclusion` does. Recording the same file again changes the reason only.
    It needs `file_path` or `sha256`; with both, the entry is about that content at that path.
    """
    if params.file_path is None and params.sha256 is None:
        raise InvalidParams("file_path or sha256 is needed")
    entry = Entry(
        file_path=params.file_path,
        sha256=params.sha256,
        reason=params.reason,
        added_at=context.clock.now(),
        run_id=context.run_id,
    )
    return LogFalsePositiveResult(record_id=register.register_of(context).add("false_positive", entry))


handler = log_false_positive.handler
