"""What the end of an execution says about a run. Pure; the desk and the recorder share it.

A machine of ours that has to end as something that Step Functions has no status for ends in a Fail state whose
Cause is JSON: `{"message", "status"?, "step"?, "line"?}`. `status` may be `rolled_back`, `rollback_failed`,
`timed_out` or `cancelled`; the Fail state's Error is the error that the run began to fail with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from stepsmith_functions.history.events import as_error
from stepsmith_functions.history.rebuild import version_in
from stepsmith_functions.history.records import RunError, RunRecord, RunStatus, StepRecord
from stepsmith_functions.history.result import located
from stepsmith_functions.history.values import Json, from_text
from stepsmith_functions.history.visits import History

_STATUSES: Final = {
    "RUNNING": RunStatus.RUNNING,
    "SUCCEEDED": RunStatus.SUCCEEDED,
    "FAILED": RunStatus.FAILED,
    "TIMED_OUT": RunStatus.TIMED_OUT,
    "ABORTED": RunStatus.CANCELLED,
}
_ENDINGS: Final = {
    None: "RUNNING",
    "Succeeded": "SUCCEEDED",
    "Failed": "FAILED",
    "TimedOut": "TIMED_OUT",
    "Aborted": "ABORTED",
}
CANCELLED: Final = "RunCancelled"
"""What handlers answer in a run that was cancelled; it is the error that such a run ends with."""
_OURS: Final = frozenset({RunStatus.ROLLED_BACK, RunStatus.ROLLBACK_FAILED, RunStatus.TIMED_OUT, RunStatus.CANCELLED})


def run_ending(status: str, error: str | None = None, cause: str | None = None) -> tuple[RunStatus, RunError | None]:
    """The status and error of a run whose execution has this status, error and cause.

    Raises ValueError for a status that is none of an execution that was started.
    """
    if status not in _STATUSES:
        raise ValueError(f"no run has an execution with the status {status!r}")
    found = _STATUSES[status]
    if found in (RunStatus.RUNNING, RunStatus.SUCCEEDED):
        return found, None
    told = _told(cause) if found is RunStatus.FAILED else {}
    if found is RunStatus.FAILED and (ours := told.get("status")) in _OURS:
        found = RunStatus(str(ours))
    if error == CANCELLED and found in (RunStatus.FAILED, RunStatus.ROLLED_BACK):
        found = RunStatus.CANCELLED  # its rollback, if there was one, is on record with its steps
    if found is RunStatus.TIMED_OUT and not error:
        error, cause = "States.Timeout", cause or "The run took longer than its timeout allows."
    if not error and not cause and found is RunStatus.CANCELLED:
        return found, None
    plain = as_error(error, cause)
    message, step, line = told.get("message"), told.get("step"), told.get("line")
    return found, RunError(
        plain.type,
        message if isinstance(message, str) else plain.message,
        step if isinstance(step, str) else None,
        line if isinstance(line, int) else None,
    )


def run_of_history(
    history: History,
    steps: Iterable[StepRecord],
    *,
    run_id: str,
    workflow: str,
    version: str | None = None,
    execution_arn: str | None = None,
) -> RunRecord:
    """The run whose execution has this history; `steps` are those that `rebuild` found, to locate its error in.

    Raises ValueError for a history without its beginning.
    """
    if history.started_at is None:
        raise ValueError("a history without ExecutionStarted is not whole")
    error = history.error
    status, failure = run_ending(_ENDINGS[history.ending], error.type if error else None, history.cause)
    return RunRecord(
        run_id=run_id,
        workflow=workflow,
        status=status,
        started_at=history.started_at,
        version=version or version_in(history),
        input=history.input,
        output=history.output if status is RunStatus.SUCCEEDED else None,
        error=located(failure, steps) if failure else None,
        ended_at=history.ended_at,
        transitions=history.transitions,
        execution_arn=execution_arn,
        redrive_count=history.redrive_count,
        complete=history.ending is not None,
    )


def _told(cause: str | None) -> Mapping[str, Json]:
    if not cause or not cause.startswith("{"):
        return {}
    try:
        value = from_text(cause)
    except ValueError:
        return {}
    return value if isinstance(value, Mapping) and isinstance(value.get("message"), str) else {}
