"""The Lambda that a machine asks what there is to undo: it hears both witnesses, other modules do the rest.

GetExecutionHistory is eventually consistent (API reference). The state that asks names itself, and a history that
shows that state shows all that led to it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from stepsmith_functions.history.executions import Executions
from stepsmith_functions.history.reading import read_history
from stepsmith_functions.history.records import StepRecord
from stepsmith_functions.history.retrying import ServiceRefusedError
from stepsmith_functions.history.store import HistoryError
from stepsmith_functions.history.values import Json, Recorded, StoredValue
from stepsmith_functions.history.visits import History
from stepsmith_functions.rollback.completed import ledger_of
from stepsmith_functions.rollback.question import Question, answer, read_question
from stepsmith_functions.runtime import invocation
from stepsmith_functions.runtime.settings import Settings

_logger = logging.getLogger(__name__)


def handler(event: Mapping[str, Json], _context: object = None) -> dict[str, Json]:
    """Answers what is to be undone next.

    Raises StepStillRunning while a step may still end, HistoryError when the execution's history cannot be read.
    """
    host = invocation.host()
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
        return source.load(value) if source is not None else None

    return answer(question, ledger_of(history, told, question.steps, host.clock.now()), load)


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
