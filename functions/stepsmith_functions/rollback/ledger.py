"""The Lambda that a machine asks what there is to undo: it hears both witnesses, other modules do the rest.

GetExecutionHistory is eventually consistent (API reference). The state that asks names itself, and a history that
shows that state shows all that led to it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from stepsmith_functions.history.executions import Executions
from stepsmith_functions.history.reading import read_history
from stepsmith_functions.history.records import StepRecord
from stepsmith_functions.history.retrying import ServiceRefusedError
from stepsmith_functions.history.store import HistoryError, ValueLostError
from stepsmith_functions.history.values import Json, Recorded, StoredValue
from stepsmith_functions.history.visits import History
from stepsmith_functions.rollback.completed import ledger_of
from stepsmith_functions.rollback.question import Question, answer, read_question
from stepsmith_functions.runtime import hosting
from stepsmith_functions.runtime.settings import Settings

PATIENCE: Final = timedelta(minutes=2)
"""How long a value that cannot be read just now is asked for again: the machine asks for four minutes in all
(`stepsmith.lowering.undoing`), and what else is to be undone must not wait in vain."""

_logger = logging.getLogger(__name__)


def handler(event: Mapping[str, Json], _context: object = None) -> dict[str, Json]:
    """Answers what is to be undone next.

    Raises StepStillRunning while a step may still end, HistoryError when the execution's history cannot be read, or,
    for the first two minutes, a value that an undo needs.
    """
    host = hosting.host()
    question = read_question(event)
    executions = Executions(host.clients.get("stepfunctions"))
    history = _history(executions, question)
    source = host.history.ledger(Settings.from_environment(host.environment))
    told: Mapping[str, StepRecord] | None = None
    if source is not None:
        try:
            told = source.told(question.run_id)
        except HistoryError:
            _logger.warning("what the steps of run %s told cannot be read", question.run_id, exc_info=True)

    def load(value: Recorded) -> Json:
        if not isinstance(value, StoredValue):
            return value
        if source is None:
            raise ValueLostError(f"{value.uri} is in no history of this deployment")
        try:
            return source.load(value)
        except ValueLostError:
            raise
        except HistoryError as error:
            if _asked_for(history, question, host.clock.now()) < PATIENCE:
                raise  # the machine asks again
            raise ValueLostError(f"{value.uri} cannot be read: {error}") from error

    return answer(question, ledger_of(history, told, question.steps, host.clock.now()), load)


def _asked_for(history: History, question: Question, now: datetime) -> timedelta:
    """How long the machine has been asking; for ever where the history does not tell."""
    asking = (visit.entered_at for visit in reversed(history.visits) if visit.state == question.asked_by)
    since = next(asking, None)
    return PATIENCE if since is None else now - since


def _history(executions: Executions, question: Question) -> History:
    """The execution's own history; one without visits where Step Functions keeps it no longer (90 days, documented)."""
    if question.asked_by is not None:
        return executions.history_showing(question.execution_arn, question.asked_by)
    try:
        return executions.ended_history(question.execution_arn)
    except ServiceRefusedError as error:
        if error.code != "ExecutionDoesNotExist":
            raise
        return read_history(())
