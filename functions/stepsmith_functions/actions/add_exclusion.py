"""The action `add_exclusion`."""

from __future__ import annotations

from pydantic import Field

from stepsmith_functions.runtime import register
from stepsmith_functions.runtime.action import action
from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.contract import Result
from stepsmith_functions.runtime.register import FileParams
from stepsmith_functions.runtime.s3 import NotConfigured


class AddExclusionResult(Result):
    exclusion_id: str = Field(description="The same for the same file.")


@action(
    effect="write",
    repeatable=True,
    timeout=15,
    memory=256,
    errors=(NotConfigured,),
    example=register.EXAMPLE,
)
def add_exclusion(params: FileParams, context: ActionContext) -> AddExclusionResult:
    """Excludes a file from scans, by its path or its content.

    Adding the same exclusion again changes its reason only. A path that ends in `/` excludes what lies below it.
    It needs `file_path` or `sha256`; with both, the entry is about that content at that path.
    """
    return AddExclusionResult(exclusion_id=register.add("exclusion", params, context))


handler = add_exclusion.handler
