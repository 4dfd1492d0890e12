"""What can go wrong: failures of a run as data, misuse of the engine as exceptions.

A `Failure` is what Retry and Catch see; it is a value that is handed on. The exceptions below are for the engine's
caller: a definition it cannot run, a task token it does not know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

ALL = "States.ALL"
TASK_FAILED = "States.TaskFailed"
TIMEOUT = "States.Timeout"
HEARTBEAT_TIMEOUT = "States.HeartbeatTimeout"
QUERY_EVALUATION_ERROR = "States.QueryEvaluationError"
DATA_LIMIT_EXCEEDED = "States.DataLimitExceeded"
NO_CHOICE_MATCHED = "States.NoChoiceMatched"
RUNTIME = "States.Runtime"
ITEM_READER_FAILED = "States.ItemReaderFailed"
RESULT_WRITER_FAILED = "States.ResultWriterFailed"
EXCEED_TOLERATED_FAILURE_THRESHOLD = "States.ExceedToleratedFailureThreshold"

_NOT_TASK_FAILED = frozenset({TIMEOUT, HEARTBEAT_TIMEOUT, QUERY_EVALUATION_ERROR, RUNTIME})


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a state failed.

    `error` and `cause` are what the history and a catcher's `$states.errorOutput` show; both may be None, as after a
    SendTaskFailure that names neither (recorded from AWS). `state` is where it began, which inside a Parallel or Map
    is not the state that failed last. For a failed evaluation `field` is the place as the history writes it
    (``Output/result``), `expression` the JSONata text, and `message` what went wrong without AWS's preamble.
    """

    error: str | None
    cause: str | None = None
    state: str | None = None
    field: str | None = None
    expression: str | None = None
    message: str | None = None
    entered_event_id: int | None = None
    missed_heartbeat: bool = False

    def at(self, state: str, entered_event_id: int) -> Failure:
        """The same failure, with the state it began in unless that is known already."""
        if self.state is not None:
            return self
        return replace(self, state=state, entered_event_id=entered_event_id)


def matches(listed: Sequence[str], failure: Failure) -> bool:
    """Whether a retrier or catcher that lists these names takes the failure.

    Documented and recorded: names match exactly, without wildcards; ``States.ALL`` takes everything but
    ``States.Runtime``, which nothing takes; ``States.TaskFailed`` takes everything but timeouts and failed
    evaluations (measured by the author of sfnx for the latter). A missed heartbeat was recorded as
    ``States.Timeout`` while the documentation names ``States.HeartbeatTimeout``: here either name takes it.
    """
    error = failure.error
    if error == RUNTIME:
        return False
    for name in listed:
        if name in (error, ALL):
            return True
        if name == TASK_FAILED and error not in _NOT_TASK_FAILED:
            return True
        if name == HEARTBEAT_TIMEOUT and failure.missed_heartbeat:
            return True
    return False


class EngineError(Exception):
    """Anything the engine refuses to do."""


class InvalidDefinition(EngineError):  # noqa: N818 - the API calls it so
    """The definition cannot be read as a state machine. `location` is a path such as ``/States/Greet/Next``."""

    def __init__(self, message: str, location: str) -> None:
        super().__init__(f"{message} at {location}" if location else message)
        self.message = message
        self.location = location


class UnsupportedQueryLanguage(EngineError):  # noqa: N818 - it reads as the reason
    """A state is in JSONPath mode, which this engine leaves to others."""

    def __init__(self, location: str) -> None:
        super().__init__(f"the state at {location} is in JSONPath mode; this engine runs JSONata only")
        self.location = location


class TaskTokenError(EngineError):
    """An answer to a task that cannot be taken. The classes are called as the API's errors are."""


class InvalidToken(TaskTokenError):  # noqa: N818 - the API's name
    """Nobody ever gave out this token."""


class TaskTimedOut(TaskTokenError):  # noqa: N818 - the API's name
    """The task has timed out or has been closed already (API model of SendTaskSuccess)."""


class InvalidOutput(TaskTokenError):  # noqa: N818 - the API's name
    """The answer is no JSON text."""


class ExecutionNotRedrivable(EngineError):  # noqa: N818 - the API's name
    """The execution runs, has succeeded, or cannot go on from where it ended."""
