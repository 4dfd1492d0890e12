"""What a decision is to the workflow: the output of an approved step, the error of a rejected or withdrawn one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from stepsmith_functions.runtime.errors import RunCancelled

REJECTED: Final = "ApprovalRejected"
CANCELLED: Final = RunCancelled.__name__
"""What the gate answers in a run that was cancelled."""


def approved_output(by: str, comment: str, at: str) -> Mapping[str, str | bool]:
    """The output of the step; `at` is ISO 8601."""
    return {"approved": True, "by": by, "comment": comment, "at": at}


def rejection(by: str, comment: str) -> str:
    """The message of the error with which the step fails."""
    return f"rejected by {by}: {comment}" if comment else f"rejected by {by}"
