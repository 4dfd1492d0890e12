"""The events of an execution's history, as GetExecutionHistory gives them: their parts as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, TypeAlias

from stepsmith_functions.history.records import StepError
from stepsmith_functions.history.values import Json, from_stamp, from_text

Event: TypeAlias = Mapping[str, object]
"""An event as boto3 gives it; `timestamp` may also be epoch seconds or ISO 8601 text."""

SCHEDULED: Final = ("TaskScheduled", "LambdaFunctionScheduled", "ActivityScheduled")
SUCCEEDED: Final = ("TaskSucceeded", "LambdaFunctionSucceeded", "ActivitySucceeded")
NOT_BEGUN: Final = ("RunPaused", "RunQueued", "StillRunning")
"""What a handler answers that did not let its action begin; the machine asks again."""
RATE_LIMITED: Final = "RateLimited"
"""The same, of a step with a `rate_limit`; elsewhere it is an error of the action's own."""
FAILED: Final = frozenset(
    {f"Task{end}" for end in ("Failed", "TimedOut", "StartFailed", "SubmitFailed")}
    | {f"LambdaFunction{end}" for end in ("Failed", "TimedOut", "StartFailed", "ScheduleFailed")}
    | {f"Activity{end}" for end in ("Failed", "TimedOut", "ScheduleFailed")}
)


def as_error(error: object, cause: object) -> StepError:
    """The error of a failure. A Python handler's cause is JSON with the exception's message (recorded)."""
    name = error if isinstance(error, str) and error else "States.TaskFailed"
    text = cause if isinstance(cause, str) else ""
    if text.startswith("{"):
        try:
            value = from_text(text)
        except ValueError:
            value = None
        if isinstance(value, Mapping) and isinstance(message := value.get("errorMessage"), str):
            return StepError(name, message)
    return StepError(name, text)


def details_of(event: Event) -> Mapping[str, object]:
    for key, value in event.items():
        if key.endswith("EventDetails") and isinstance(value, Mapping):
            return value
    return {}


def value_of(text: object) -> Json:
    """The value of a JSON text; the text itself where AWS gave something else."""
    if not isinstance(text, str):
        return None
    try:
        return from_text(text)
    except ValueError:
        return text


def moment_of(value: object) -> datetime:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    if isinstance(value, str):
        return from_stamp(value)
    raise ValueError("an event of an execution's history has a timestamp")
