"""What passes between the engine and whoever does its tasks.

The engine calls the handler once per attempt with a `TaskCall` and gets a `TaskOutcome`. How a Lambda function is
found or a service is called is the handler's business; what a failure means for the run is the engine's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from stepsmith.engine.values import Json

if TYPE_CHECKING:
    from stepsmith.engine.execution import Execution


class Purpose(Enum):
    """Why a task is called: as a Task state, or to read the items or write the results of a distributed Map."""

    TASK = "task"
    ITEM_READER = "item reader"
    RESULT_WRITER = "result writer"


@dataclass(frozen=True, slots=True)
class TaskCall:
    """One attempt at a task.

    `arguments` and what is in them are shared with the run and must not be changed. `attempt` is the number of
    retries before this one. `token` is given to tasks that may be answered later (``.waitForTaskToken``, ``.sync``,
    activities). The two times are seconds, None where the definition sets none.
    """

    resource: str
    arguments: Json
    state: str
    execution: Execution
    attempt: int
    token: str | None
    timeout_seconds: float | None
    heartbeat_seconds: float | None
    entered_event_id: int
    credentials_role_arn: str | None = None
    purpose: Purpose = Purpose.TASK


@dataclass(frozen=True, slots=True)
class TaskSucceeded:
    """The task's result, which it gives `after` so many virtual seconds."""

    output: Json
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class TaskFailed:
    """The task's failure, Lambda errors too, `after` so many virtual seconds."""

    error: str | None
    cause: str | None = None
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class TaskWaiting:
    """The task has been handed over and will be answered through its token.

    `submitted` is the first response, which the history shows as TaskSubmitted, `after` so many virtual seconds;
    heartbeats count from then (documented for Lambda). `cancel` is called when the wait ends without an answer:
    the task timed out, its branch was given up, the execution was stopped.
    """

    submitted: Json = None
    after: float = 0.0
    cancel: Callable[[], None] | None = None


TaskOutcome: TypeAlias = TaskSucceeded | TaskFailed | TaskWaiting
TaskHandler: TypeAlias = Callable[[TaskCall], TaskOutcome]
