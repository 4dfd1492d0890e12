"""What a decision is to the workflow: the output of an approved step, the error of a rejected one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

REJECTED: Final = "ApprovalRejected"


def approved_output(by: str, comment: str, at: str) -> Mapping[str, str | bool]:
    """The output of the step; `at` is ISO 8601."""
    return {"approved": True, "by": by, "comment": comment, "at": at}


def rejection(by: str, comment: str) -> str:
    """The message of the error with which the step fails."""
    return f"rejected by {by}: {comment}" if comment else f"rejected by {by}"
