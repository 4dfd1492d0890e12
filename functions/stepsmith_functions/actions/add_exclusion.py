"""The action `add_exclusion`."""

from __future__ import annotations

from pydantic import Field

from stepsmith_functions.runtime import register
from stepsmith_functions.runtime.action import action
from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.contract import Params, Result
from stepsmith_functions.runtime.errors import InvalidParams
from stepsmith_functions.runtime.register import Entry
from stepsmith_functions.runtime.s3 import NotConfigured


class AddExclusionParams(Params):
    file_path: str | None = Field(default=None, min_length=1, max_length=4096, description="A path or an `s3://` URI.")
    sha256: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{64}$", description="Of the content, in lower-case hexadecimal."
    )
    reason: str = Field(min_length=1, max_length=2000, description="Why, for whoever reads it later.")


class AddExclusionResult(Result):
    exclusion_id: str = Field(description="The same for the same file.")


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
def add_exclusion(params: AddExclusionParams, context: ActionContext) -> AddExclusionResult:
    """Excludes a file from scans, by its path or its content.

    Adding the same exclusion again changes its reason only. A path that ends in `/` excludes what lies below it.
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
    return AddExclusionResult(exclusion_id=register.register_of(context).add("exclusion", entry))


handler = add_exclusion.handler
