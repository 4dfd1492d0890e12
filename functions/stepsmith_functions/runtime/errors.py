# ruff: noqa: N818 - these names are part of the contract with workflows
"""Errors as part of the contract: a class name is what `Retry` and `Catch` match; renaming one breaks
workflows.

Messages are shown to people and stored in the history. They name params, never the values of secrets.
"""

from __future__ import annotations

from typing import ClassVar


class ActionError(Exception):
    """Any failure that an action reports on purpose."""

    retryable: ClassVar[bool] = False


class TransientError(ActionError):
    """The same call may succeed later."""

    retryable = True


class PermanentError(ActionError):
    """The same call will fail again."""


class InvalidParams(PermanentError):
    """The params do not match the action's model."""


class InvalidResult(PermanentError):
    """The action made a result that its own model refuses: a bug of the action."""


class SecretUnavailable(PermanentError):
    """A secret that the step uses does not exist or may not be read."""


class AwsRefused(PermanentError):
    """An AWS service refused a call, most often for want of a permission."""


class AwsUnavailable(TransientError):
    """An AWS service was throttling, unreachable or failing."""


class EffectUnknown(PermanentError):
    """An earlier call of the step never told how it ended; the action must not be repeated."""


class RunPaused(ActionError):
    """The run is paused: the machine asks again. No handler and no retry of a workflow sees it."""


class RunCancelled(ActionError):
    """The run is cancelled: it passes every handler on its way to `finally`. No retry of a workflow sees it."""


class StillRunning(ActionError):
    """An earlier call of the step may still be at work: the machine asks again."""


class RateLimited(ActionError):
    """The step's `rate_limit` is used up just now: the machine asks again. No retry of a workflow sees it."""


class CircuitOpen(PermanentError):
    """The step's `circuit_breaker` is open: the action failed too often of late."""


class RunQueued(ActionError):
    """The run has no place among those of its workflow yet: the machine asks again. No retry of a workflow sees it."""


class ConcurrencyLimit(PermanentError):
    """As many runs as the workflow's `concurrency` allows are under way."""


OF_THE_GATE: tuple[type[ActionError], ...] = (
    RunPaused,
    RunCancelled,
    StillRunning,
    EffectUnknown,
    RateLimited,
    CircuitOpen,
    RunQueued,
    ConcurrencyLimit,
)
"""What is raised in place of an action that has not run (`gate`)."""

ALWAYS_POSSIBLE: tuple[type[ActionError], ...] = (InvalidParams, AwsRefused, AwsUnavailable)
"""What the runtime itself may raise around any action."""


def summary_of(documented: object) -> str:
    """The first line of a docstring, without its full stop."""
    lines = (getattr(documented, "__doc__", None) or "").strip().splitlines()
    return lines[0].rstrip().removesuffix(".") if lines else ""
