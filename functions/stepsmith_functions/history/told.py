"""What one visit of a state tells of its step: params, answer, error, the way that it took. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from stepsmith_functions.history.events import RATE_LIMITED
from stepsmith_functions.history.origins import Origin, Way
from stepsmith_functions.history.records import StepError, StepStatus
from stepsmith_functions.history.values import Json, from_text
from stepsmith_functions.history.visits import Visit

ROLLBACK: Final = "workflow.rollback"
"""The state that asks the ledger."""
RAN_OUT: Final = ("States.Timeout", "the run took longer than its timeout")
_REFUSED: Final = re.compile(rf"\$error\('({RAN_OUT[1]} of \d+ seconds)'\).* field 'TimeoutSeconds'")
"""In the cause of a step that was not begun: Step Functions repeats the expression and names its field (recorded)."""


def ran_out(visit: Visit, *steps: str) -> bool:
    """Whether the workflow's time was up for one of `steps` when the state ended: the Choice behind it
    (`STEP.deadline`, an approval's, or that which counts a loop's failures) raises the timeout by `….late`."""
    choice = visit.next
    if choice is None or choice.state not in {
        f"{step}.{part}" for step in steps for part in ("deadline", "overdue", "tolerance")
    }:
        return False
    return choice.next is not None and choice.next.state.endswith(".late")


def late_error(visit: Visit) -> StepError | None:
    return StepError(*RAN_OUT) if ran_out(visit, visit.state) else None


def way_taken(visit: Visit, origin: Origin) -> Way | None:
    following = visit.next.state if visit.next else None
    candidates = [way for way in origin.ways if way.next == following]
    if visit.failed and visit.error is not None:
        # What leaves for the rollback shows under the error that it began with: then the state alone must tell.
        error = visit.error.type
        candidates = [way for way in candidates if not way.errors or _takes(way.errors, error)] or candidates
    marked = [way for way in candidates if way.marked and way.output == visit.output]
    plain = [way for way in candidates if not way.marked]
    return next(iter(marked or plain), None)


def handed_by(visit: Visit, origin: Origin) -> Json:
    """What the step handed over for its undo."""
    if origin.hands is not None and (text := visit.assigned.get(origin.hands)) is not None:
        return member(from_text(text), "with")
    return member(member(member(visit.parameters, "Payload"), "step"), "undo")


def _takes(errors: tuple[str, ...], error: str) -> bool:
    """Whether a Catch of these errors takes one of this name (ASL, "Error names")."""
    wide = "States.ALL" in errors or ("States.TaskFailed" in errors and error not in _NO_TASK_FAILED)
    return wide or error in errors


_NO_TASK_FAILED: Final = ("States.Timeout", "States.HeartbeatTimeout", "States.QueryEvaluationError")


def raised_by(visit: Visit, origin: Origin) -> StepError:
    """The error that a step fails with in a state of its own; its message is on record where something reads it."""
    error = origin.raises or ""
    if visit.kind == "Fail" and visit.error is not None:
        return visit.error
    noted = noted_by(visit)
    return noted if noted is not None and noted.type == error else StepError(error, origin.says or "")


def noted_by(visit: Visit) -> StepError | None:
    """The error that the state has kept in a variable for a handler."""
    for text in visit.assigned.values():
        value = from_text(text)
        name, message = member(value, "type"), member(value, "message")
        if isinstance(name, str) and isinstance(message, str):
            return StepError(name, message)
    return None


def undone_by(visit: Visit) -> str | None:
    """The path of the step that an undo undoes: the machine hands it over as the state's input."""
    path = member(visit.input, "undoes")
    return path if isinstance(path, str) else None


def params_of(visit: Visit) -> Json:
    """What the step was called with: the params in a handler's payload, else all that a service was sent."""
    payload = member(visit.parameters, "Payload")
    params = member(payload, "params")
    if params is not None:
        return params
    return visit.parameters if payload is None else payload


def answer_of(visit: Visit) -> Json:
    """What a task's service answered, as the step's output shows it: a handler's result, a child's output."""
    if visit.resource.startswith("startExecution.sync"):
        return member(visit.result, "Output")
    if visit.resource.startswith("startExecution"):
        arn = member(visit.result, "ExecutionArn")
        return {"run_id": arn.rpartition(":")[2]} if isinstance(arn, str) else visit.result
    payload = member(visit.result, "Payload")
    return visit.result if payload is None else payload


REJECTED_LATE: Final = StepError("ApprovalRejected", "nobody decided in time")
"""What the machine raises where nobody's decision is a rejection (`stepsmith.lowering.approvals`)."""


def failure_status(error: StepError | None) -> StepStatus:
    """How a step stands that failed: one that the run's cancel kept from beginning is cancelled."""
    return StepStatus.CANCELLED if error is not None and error.type == "RunCancelled" else StepStatus.FAILED


def error_of(visit: Visit, origin: Origin | None = None) -> StepError | None:
    """The step's error: of a child that failed, the child's own, which its description in the cause tells; of a step
    that was not begun since the workflow's time was up, that."""
    error = visit.error
    if error is not None and origin is not None and origin.rejects_late and error.type == "States.Timeout":
        return StepError(*RAN_OUT) if ran_out(visit, visit.state) else REJECTED_LATE
    if error is not None and error.type == "States.QueryEvaluationError" and (late := _REFUSED.search(error.message)):
        return StepError(RAN_OUT[0], late[1])
    if error is None or error.type != "States.TaskFailed" or not visit.resource.startswith("startExecution.sync"):
        return error
    try:
        described = json.loads(error.message)
    except ValueError:
        return error
    name, cause = member(described, "Error"), member(described, "Cause")
    if not isinstance(name, str):
        name = "States.Timeout" if member(described, "Status") == "TIMED_OUT" else "ChildStopped"
    return StepError(name, message_in(cause))


def message_in(cause: Json) -> str:
    """The message in a Lambda error's cause or in that of a machine of ours (see `ending`), else the cause itself."""
    if not isinstance(cause, str):
        return ""
    try:
        told = json.loads(cause)
    except ValueError:
        return cause
    key = "message" if cause.startswith('{"message":') else "errorMessage"
    message = member(told, key)
    return message if isinstance(message, str) else cause


def child_run_of(visit: Visit) -> str | None:
    """The name of the execution that the step started and waited for."""
    if not visit.resource.startswith("startExecution.sync"):
        return None
    arn = member(visit.result, "ExecutionArn") or member(visit.result, "executionArn")
    return arn.rpartition(":")[2] if isinstance(arn, str) else None


def member(value: Json, key: str) -> Json:
    return value.get(key) if isinstance(value, Mapping) else None


def is_held(visit: Visit) -> bool:
    """Whether its handler did not let it begin, and the machine asks again later."""
    if not visit.failed or visit.error is None:
        return False
    return visit.error.type in ("RunPaused", "RunQueued") or (visit.error.type == RATE_LIMITED and visit.is_limited)
