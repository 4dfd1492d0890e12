"""How a step that calls AWS takes its answer."""

from __future__ import annotations

from enum import StrEnum


class CallPattern(StrEnum):
    """When the call counts as done (developer guide, "Service integration patterns"). Values as authors write them."""

    ANSWER = ""
    """When the API has answered."""
    JOB = "sync"
    """When the job that it started has ended."""
    TOKEN = "waitForTaskToken"  # noqa: S105 - a word of the language, no secret
    """When someone has answered with the task token."""
