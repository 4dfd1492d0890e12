"""Executions as Step Functions tells of them: status events, DescribeExecution, and the whole history.

"Step Functions Execution Status Change" events come at least once, in any order and rarely not at all; they leave
the output out when it is long, then the input as well (documented). What they leave out is marked here, never
guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from stepsmith_functions.history.documents import run_continues
from stepsmith_functions.history.events import Event
from stepsmith_functions.history.reading import read_history
from stepsmith_functions.history.records import Continues
from stepsmith_functions.history.retrying import Backoff, ServiceRefusedError
from stepsmith_functions.history.store import HistoryUnavailableError
from stepsmith_functions.history.values import Json, digest, from_text, to_text
from stepsmith_functions.history.visits import History

_DETAIL_TYPE: Final = "Step Functions Execution Status Change"
_BETWEEN: Final = "PENDING_REDRIVE"
"""A child of a distributed Map that its parent is about to redrive: the redrive itself brings its own event."""
ROLLBACK_SUFFIX: Final = ".rollback"
"""Behind the name of a workflow's machine: the machine that undoes a run of it after its end."""
RESUME_SUFFIX: Final = ".resume"
"""The same of the machine that goes on with runs of the workflow."""
_LONGEST_NAME: Final = 80
"""Characters of an execution's name (documented)."""
_MOST_EVENTS: Final = 1000
"""Events in an answer of GetExecutionHistory (documented)."""


class StatesClient(Protocol):
    """What the history calls of boto3's low-level Step Functions client."""

    def describe_execution(self, **arguments: object) -> Mapping[str, object]: ...
    def describe_state_machine_for_execution(self, **arguments: object) -> Mapping[str, object]: ...
    def get_execution_history(self, **arguments: object) -> Mapping[str, object]: ...
    def start_execution(self, **arguments: object) -> Mapping[str, object]: ...


class HistoryBehindError(HistoryUnavailableError):
    """The history of an execution that has ended does not show the end yet: it is eventually consistent."""


@dataclass(frozen=True, slots=True)
class Change:
    """What was told about an execution. Absent values were left out."""

    execution_arn: str
    machine: str
    """The state machine's name."""
    run_id: str
    status: str
    started_at: datetime
    ended_at: datetime | None = None
    redrive_count: int = 0
    input: str | None = None
    """JSON text."""
    output: str | None = None
    """JSON text."""
    error: str | None = None
    cause: str | None = None

    @property
    def workflow(self) -> str:
        """Machines of a stack are named `STACK_WORKFLOW`, and neither name has a `_` of its own."""
        return self.name.removesuffix(ROLLBACK_SUFFIX).removesuffix(RESUME_SUFFIX)

    @property
    def name(self) -> str:
        """The machine's name within its stack."""
        return self.machine.partition("_")[2] or self.machine

    @property
    def continues(self) -> Continues | None:
        """The run that this one goes on from; None for one that begins by itself, or where that is not told."""
        if not self.name.endswith(RESUME_SUFFIX) or self.input is None:
            return None
        given = from_text(self.input)
        told = given.get("continues") if isinstance(given, Mapping) else None
        run = told.get("run") if isinstance(told, Mapping) else None
        return run_continues({**told, "run_id": run}) if isinstance(told, Mapping) and isinstance(run, str) else None

    @property
    def undoes(self) -> str | None:
        """The id of the run that this execution undoes after its end; None for a run of its own."""
        if not self.name.endswith(ROLLBACK_SUFFIX) or self.input is None:
            return None
        given = from_text(self.input)
        run = given.get("run") if isinstance(given, Mapping) else None
        run_id = run.get("id") if isinstance(run, Mapping) else None
        return run_id if isinstance(run_id, str) else None


def change_of_event(event: Mapping[str, object]) -> Change | None:
    """What an EventBridge event tells; None for one that is about no run.

    Executions of the items of a distributed Map are no runs: the name of their machine ends in `/LABEL`.
    Raises ValueError for a status event that lacks what every one has.
    """
    detail = event.get("detail")
    if event.get("detail-type") != _DETAIL_TYPE or not isinstance(detail, Mapping):
        return None
    return _change(detail)


def change_of_description(answer: Mapping[str, object]) -> Change | None:
    """What DescribeExecution tells, in the same way."""
    return _change(answer)


def _change(told: Mapping[str, object]) -> Change | None:
    machine = _needed(told, "stateMachineArn").split(":", 6)[6]
    status = _needed(told, "status")
    if "/" in machine or status == _BETWEEN:
        return None
    started_at = _moment(told.get("startDate"))
    if started_at is None:
        raise ValueError("a status change without startDate")
    redrives = told.get("redriveCount")
    return Change(
        execution_arn=_needed(told, "executionArn"),
        machine=machine,
        run_id=_needed(told, "name"),
        status=status,
        started_at=started_at,
        ended_at=_moment(told.get("stopDate")),
        redrive_count=redrives if isinstance(redrives, int) else 0,
        input=_maybe_text(told, "input"),
        output=_maybe_text(told, "output"),
        error=_maybe_text(told, "error"),
        cause=_maybe_text(told, "cause"),
    )


def _needed(told: Mapping[str, object], key: str) -> str:
    text = _maybe_text(told, key)
    if text is None:
        raise ValueError(f"a status change without {key}")
    return text


def _maybe_text(told: Mapping[str, object], key: str) -> str | None:
    value = told.get(key)
    return value if isinstance(value, str) else None


def _moment(value: object) -> datetime | None:
    """Events have epoch milliseconds (documented), boto3 gives a datetime."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value / 1000, UTC)
    return None


class Executions:
    """Asks Step Functions. Every method raises HistoryError when the service fails."""

    def __init__(self, client: StatesClient, *, backoff: Backoff | None = None) -> None:
        self._client = client
        self._backoff = backoff or Backoff()

    def describe(self, execution_arn: str) -> Change | None:
        return change_of_description(self._backoff.call(self._client.describe_execution, executionArn=execution_arn))

    def definition(self, execution_arn: str) -> Mapping[str, Json]:
        """The definition that the execution runs, even if the machine was updated since."""
        answer = self._backoff.call(self._client.describe_state_machine_for_execution, executionArn=execution_arn)
        definition = from_text(str(answer.get("definition")))
        return definition if isinstance(definition, Mapping) else {}

    def roll_back(self, execution_arn: str, run_id: str, *, attempt: int = 1) -> str:
        """Starts to undo a run that has ended; gives the ARN of the execution that does.

        The same attempt is started once: Step Functions takes an execution's name once (documented: 90 days).
        """
        head, machine, _ = execution_arn.replace(":execution:", ":stateMachine:", 1).rsplit(":", 2)
        machine = machine.removesuffix(RESUME_SUFFIX)
        name = rollback_name(run_id, attempt)
        arn = f"{head}:{machine}{ROLLBACK_SUFFIX}"
        given = to_text({"run": {"id": run_id, "execution": execution_arn}})
        try:
            self._backoff.call(self._client.start_execution, stateMachineArn=arn, name=name, input=given)
        except ServiceRefusedError as error:
            if error.code != "ExecutionAlreadyExists":
                raise
        return f"{head.replace(':stateMachine', ':execution', 1)}:{machine}{ROLLBACK_SUFFIX}:{name}"

    def ended_history(self, execution_arn: str) -> History:
        """The whole history of an execution that has ended. Raises HistoryBehindError if the end never shows."""
        for attempt in range(self._backoff.attempts):
            if attempt:
                self._backoff.pause(attempt - 1)
            history = read_history(self._events(execution_arn))
            if history.ending is not None:
                return history
        raise HistoryBehindError(f"the history of {execution_arn} does not show its end")

    def history_showing(self, execution_arn: str, state: str) -> History:
        """The history of an execution up to a state that it is known to have entered, and so with all that led there.

        Raises HistoryBehindError if that never shows.
        """
        for attempt in range(self._backoff.attempts):
            if attempt:
                self._backoff.pause(attempt - 1)
            history = read_history(self._events(execution_arn))
            if any(visit.state == state for visit in history.visits):
                return history
        raise HistoryBehindError(f"the history of {execution_arn} does not show {state}")

    def _events(self, execution_arn: str) -> Iterator[Event]:
        token: object = None
        while True:
            more = {"nextToken": token} if token else {}
            answer = self._backoff.call(
                self._client.get_execution_history,
                executionArn=execution_arn,
                maxResults=_MOST_EVENTS,
                includeExecutionData=True,
                **more,
            )
            events = answer.get("events")
            yield from events if isinstance(events, list) else ()
            token = answer.get("nextToken")
            if not token:
                return


def rollback_name(run_id: str, attempt: int) -> str:
    """The name of the execution that undoes a run: the run's id with a number behind it, cut where that is too long."""
    suffix = f"-undo-{attempt}"
    if len(run_id) + len(suffix) <= _LONGEST_NAME:
        return run_id + suffix
    return f"{run_id[: _LONGEST_NAME - len(suffix) - 13]}-{digest(run_id)[:12]}{suffix}"
