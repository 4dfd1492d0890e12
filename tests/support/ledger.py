"""The ledger of runs on the bare engine: what handlers would have told, and what a machine that asks is answered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from stepsmith.engine import Execution, TaskCall, TaskFailed, TaskOutcome, TaskSucceeded, api_event
from stepsmith_functions.history.reading import read_history
from stepsmith_functions.history.records import StepRecord, StepStatus
from stepsmith_functions.history.values import StoredValue
from stepsmith_functions.rollback.completed import ledger_of
from stepsmith_functions.rollback.question import StepStillRunning, answer, read_question

FUNCTION = "${LedgerFunction}"
NEVER_BEGAN = ("Lambda.TooManyRequestsException", "Lambda.ServiceException")
"""The errors of calls that no handler heard of."""
CRASHED = ("Lambda.Unknown", "Sandbox.Timedout")
"""The errors of handlers that could not tell how they ended."""


class Told:
    """Keeps how each attempt of a step ends, as its handler would, and answers the ledger's questions from it."""

    def __init__(self) -> None:
        self._steps: dict[str, dict[str, StepRecord]] = {}
        """By run and path."""

    def step(self, call: TaskCall, outcome: TaskOutcome) -> None:
        error = outcome.error if isinstance(outcome, TaskFailed) else None
        if error in NEVER_BEGAN:
            return
        payload: Any = call.arguments
        step = payload["Payload"]["step"]
        began = now_of(call.execution)
        ended = began + timedelta(seconds=outcome.after)
        output: Any = None
        if isinstance(outcome, TaskSucceeded):
            output = outcome.output["Payload"] if isinstance(outcome.output, dict) else None
        crashed = error in CRASHED
        self._steps.setdefault(call.execution.name, {})[step["path"]] = StepRecord(
            call.execution.name,
            step["id"],
            step["path"],
            StepStatus.RUNNING if crashed else StepStatus.FAILED if error else StepStatus.SUCCEEDED,
            output=output,
            handed=step.get("undo"),
            started_at=began,
            attempt_started=began,
            ended_at=None if crashed else ended,
            undoes=step.get("undoes"),
        )

    def ledger(self, call: TaskCall) -> TaskOutcome:
        arguments: Any = call.arguments
        question = read_question(arguments["Payload"])
        history = read_history([api_event(event) for event in call.execution.events])
        ledger = ledger_of(history, self._steps.get(call.execution.name, {}), question.steps, now_of(call.execution))
        try:
            found = answer(question, ledger, lambda value: None if isinstance(value, StoredValue) else value)
        except StepStillRunning as running:
            return TaskFailed("StepStillRunning", str(running))
        return TaskSucceeded({"StatusCode": 200, "Payload": found})


def now_of(execution: Execution) -> datetime:
    """The moment at which a task of the execution is called: that of its last event."""
    stamp = execution.events[-1].timestamp
    return stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)
