"""What the history knows of a run and of a step of it: plain values, independent of where they are kept.

How they lie in DynamoDB, keys included, is described at the head of `items`. Values arrive with their secrets
masked. A record is never changed: a store replaces it by a later one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from stepsmith_functions.history.values import Json, Recorded
from stepsmith_functions.runtime.control import Control, Order
from stepsmith_functions.runtime.recording import StepProgress

UNDO: Final = ".rollback"
"""Behind the id and the path of a step: those of its undo, as the compiler spells them."""


class RunStatus(StrEnum):
    """How a run stands. The last six are final, until Step Functions redrives the execution."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    WAITING_APPROVAL = "waiting_approval"
    CANCELLING = "cancelling"
    ROLLING_BACK = "rolling_back"
    CANCELLED = "cancelled"
    ROLLED_BACK = "rolled_back"
    ROLLBACK_FAILED = "rollback_failed"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"

    @property
    def is_final(self) -> bool:
        return self in _FINAL_RUN

    def after(self, control: Control | None) -> RunStatus:
        """How a run with this status stands under an order: one that is asked to end and then fails was cancelled."""
        match self, control:
            case RunStatus.RUNNING | RunStatus.FAILED, Control(order=Order.CANCEL | Order.STOP):
                return RunStatus.CANCELLING if self is RunStatus.RUNNING else RunStatus.CANCELLED
            case RunStatus.RUNNING, Control(order=Order.PAUSE):
                return RunStatus.PAUSED
            case _:
                return self


class StepStatus(StrEnum):
    """How a step stands. A step that did not start has no record, unless its `if` was false: then it is
    skipped.
    """

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    ROLLED_BACK = "rolled_back"
    ROLLBACK_FAILED = "rollback_failed"

    @property
    def is_final(self) -> bool:
        return self not in _OPEN_STEP


_FINAL_RUN: Final = frozenset(
    {
        RunStatus.CANCELLED,
        RunStatus.ROLLED_BACK,
        RunStatus.ROLLBACK_FAILED,
        RunStatus.SUCCEEDED,
        RunStatus.FAILED,
        RunStatus.TIMED_OUT,
    }
)
_OPEN_STEP: Final = frozenset({StepStatus.PENDING, StepStatus.RUNNING, StepStatus.WAITING})


@dataclass(frozen=True, slots=True)
class StepError:
    """Why a step failed: the error's name as Retry and Catch see it, and its text."""

    type: str
    message: str

    def to_json(self) -> dict[str, Json]:
        return {"type": self.type, "message": self.message}


@dataclass(frozen=True, slots=True)
class RunError:
    """Why a run failed, and the innermost step that failed it, where that is known."""

    type: str
    message: str
    step: str | None = None
    line: int | None = None

    def to_json(self) -> dict[str, Json]:
        return {"type": self.type, "message": self.message, "step": self.step, "line": self.line}


@dataclass(frozen=True, slots=True)
class Continues:
    """How a run goes on from an earlier one."""

    run_id: str
    """The run that it goes on from."""
    step: str | None
    """The step of the main sequence that it began with; None: only what stands behind the last one."""
    first: str
    """The first run of the lineage."""

    def to_json(self) -> dict[str, Json]:
        return {"run_id": self.run_id, "step": self.step, "first": self.first}


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run. Its id is the name of the execution."""

    run_id: str
    workflow: str
    status: RunStatus
    started_at: datetime
    version: str | None = None
    """The workflow's own `version:`."""
    input: Recorded = None
    output: Recorded = None
    error: RunError | None = None
    ended_at: datetime | None = None
    transitions: int | None = None
    """States entered plus retries, as Step Functions bills them; known once the execution's history was
    read.
    """
    execution_arn: str | None = None
    parent_run_id: str | None = None
    redrive_count: int = 0
    complete: bool = False
    """Whether the steps were compared with the execution's own history after the end."""
    control: Control | None = None
    """What a person has ordered of it, and nobody has lifted."""
    continues: Continues | None = None
    """The run that this one goes on from."""
    continued_by: str | None = None
    """The run that goes on from this one, which had ended without success."""
    file: str | None = None
    """Of a run on a laptop: where its workflow is written, from the project's root."""

    @property
    def progress(self) -> int:
        """How far the run is: a record replaces one that is less far, whatever order they arrive in.

        Six positions per redrive: not started, under way, ended, being undone after its end, undone in part, undone. A
        redrive goes past all of them.
        """
        match self.status:
            case RunStatus.PENDING:
                phase = 0
            case RunStatus.ROLLING_BACK:
                phase = 3
            case RunStatus.ROLLBACK_FAILED:
                phase = 4
            case RunStatus.ROLLED_BACK:
                phase = 5
            case _:
                phase = 2 if self.status.is_final else 1
        return 6 * self.redrive_count + phase

    @property
    def begins_again(self) -> bool:
        """Whether it is the start of a redrive."""
        return self.redrive_count > 0 and not self.status.is_final

    def summary(self) -> RunSummary:
        return RunSummary(
            self.run_id,
            self.workflow,
            self.status,
            self.started_at,
            self.version,
            self.ended_at,
            self.error.type if self.error else None,
            self.continues.run_id if self.continues else None,
        )


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a list of runs shows of each."""

    run_id: str
    workflow: str
    status: RunStatus
    started_at: datetime
    version: str | None = None
    ended_at: datetime | None = None
    error_type: str | None = None
    continues: str | None = None
    """The run that it goes on from, where the store can tell without reading the run."""


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A step of a run, all its attempts together. Its path is its identity within the run."""

    run_id: str
    step_id: str
    path: str
    """Tells branches and iterations apart: `scan_all[2].scan`, `checks.network.ping`."""
    status: StepStatus
    attempts: int = 1
    """Attempts begun; 0 for a step that was skipped."""
    line: int | None = None
    """The line of the step's `-` in the workflow."""
    action: str | None = None
    """The action's name; None for a step that calls none."""
    params: Recorded = None
    """The params of the last attempt, with every expression evaluated."""
    output: Recorded = None
    error: StepError | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    sequence: int = 0
    """Settles the order of steps that started at one moment; the event's id when read from an execution's
    history.
    """
    undoes: str | None = None
    """The path of the step that this one undoes, where it is an undo."""
    child_run_id: str | None = None
    """The run that this step started and waited for."""
    handed: Recorded = None
    """What it handed over for its undo when it began."""
    result: Recorded = None
    """What its handler answered, where its `output` is another and an undo may read it."""
    attempt_started: datetime | None = None
    """When the last attempt began, as its handler told."""
    progress: StepProgress | None = None
    """How far the attempt is that is under way, where its action tells."""
    kept_from: str | None = None
    """The earlier run that it ran in, where this run goes on from that one."""
