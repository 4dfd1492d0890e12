"""The action `log_false_positive`."""

from __future__ import annotations

from pydantic import Field

from stepsmith_functions.runtime import register
from stepsmith_functions.runtime.action import action
from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.contract import Result
from stepsmith_functions.runtime.register import FileParams
from stepsmith_functions.runtime.s3 import NotConfigured


class LogFalsePositiveResult(Result):
    record_id: str = Field(description="The same for the same file.")


@action(
    effect="write",
    repeatable=True,
    timeout=15,
    memory=256,
    errors=(NotConfigured,),
    example=register.EXAMPLE,
)
def log_false_positive(params: FileParams, context: ActionContext) -> LogFalsePositiveResult:
    """Records that a detection was wrong, for analysis.

    It excludes nothing; `add_exclusion` does. Recording the same file again changes the reason only.
    It needs `file_path` or `sha256`; with both, the entry is about that content at that path.
    """
    return LogFalsePositiveResult(record_id=register.add("false_positive", params, context))


handler = log_false_positive.handler
