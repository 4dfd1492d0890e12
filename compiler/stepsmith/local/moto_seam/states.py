"""Step Functions: moto's API and its records of machines, with our engine in place of an interpreter."""

from __future__ import annotations

import contextlib
import importlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from moto.core.exceptions import AWSError
from moto.core.responses import ActionResult, EmptyResult
from moto.stepfunctions.exceptions import InvalidExecutionInput
from moto.stepfunctions.models import StateMachine, StepFunctionBackend

from stepsmith.document import Json
from stepsmith.engine import (
    EngineError,
    Execution,
    ExecutionNotRedrivable,
    InvalidOutput,
    Status,
    TaskTimedOut,
    UnsupportedQueryLanguage,
    api_event,
    read_machine,
    validate,
)
from stepsmith.engine.limits import DATA_BYTES
from stepsmith.local.moto_seam.desk import Desk
from stepsmith.local.services import compact

REDRIVABLE: Final = timedelta(days=14)
"""How long after its end an execution may be redriven (Step Functions API, RedriveExecution)."""


class InvalidDefinitionError(AWSError):
    TYPE = "InvalidDefinition"


class TaskTimedOutError(AWSError):
    TYPE = "TaskTimedOut"


class InvalidOutputError(AWSError):
    TYPE = "InvalidOutput"


class InvalidTokenError(AWSError):
    TYPE = "InvalidToken"


class NotRedrivableError(AWSError):
    TYPE = "ExecutionNotRedrivable"


class InvalidPageTokenError(AWSError):
    TYPE = "InvalidToken"


class WrongTypeError(AWSError):
    TYPE = "StateMachineTypeNotSupported"


class TooLongError(AWSError):
    TYPE = "ValidationException"


class LocalExecution:
    """An execution as moto's API reads it, over the engine's own."""

    output_details: Final = {"included": True}
    trace_header: Final = None

    def __init__(self, execution: Execution, text: str, definition: str = "", version_arn: str | None = None) -> None:
        self.engine = execution
        self.definition = definition
        """The text that it runs, whatever becomes of its machine."""
        self.version_arn = version_arn
        """The version that it was started by, if it was."""
        self.execution_input = text
        self.execution_arn = self.exec_arn = execution.arn
        self.name = execution.name
        self.state_machine_arn = execution.state_machine_arn
        self.start_date = execution.started

    @property
    def status(self) -> str:
        return str(self.engine.status)

    @property
    def stop_date(self) -> datetime | None:
        return self.engine.stopped

    @property
    def output(self) -> str | None:
        return self.engine.output_text

    @property
    def error(self) -> str | None:
        return self.engine.error

    @property
    def cause(self) -> str | None:
        return self.engine.cause

    def history(self, *, include_data: bool = True) -> list[dict[str, object]]:
        return [api_event(event, include_data=include_data) for event in self.engine.events]


class StatesBackend(StepFunctionBackend):
    """moto's Step Functions without an interpreter, completed by our engine."""

    desk: Desk

    def create_state_machine(self, name: str, definition: str, *args: Any, **kwargs: Any) -> StateMachine:
        _refuse(definition, kwargs.get("sm_type") == "EXPRESS")
        return super().create_state_machine(name, definition, *args, **kwargs)

    def update_state_machine(self, arn: str, definition: str | None = None, *args: Any, **kwargs: Any) -> StateMachine:
        if definition is not None:
            _refuse(definition, self.describe_state_machine(arn).type == "EXPRESS")
        return super().update_state_machine(arn, definition, *args, **kwargs)

    def start_execution(self, state_machine_arn: str, name: str | None, execution_input: str) -> Any:
        """Starts the version that an alias routes to, too. moto knows no alias here."""
        if name:
            self._validate_name(name)
        if len(execution_input.encode()) > DATA_BYTES:
            raise TooLongError(
                "1 validation error detected: Value at 'input' failed to satisfy constraint: "
                f"Member must have length less than or equal to {DATA_BYTES}"
            )
        machine = self._machine(state_machine_arn)
        owner = self.describe_state_machine(getattr(machine, "source_arn", machine.arn))
        known = owner._handle_name_input_idempotency(name, execution_input) if name else None
        if known is not None:
            return known
        name = name or self.desk.new_id()
        try:
            data: Json = json.loads(execution_input)
        except ValueError as error:
            raise InvalidExecutionInput(f"Invalid State Machine Execution Input: '{error}'") from None
        if is_jsonpath(machine.definition):
            return _interpreter(self.desk).start_execution(self, state_machine_arn, name, execution_input)
        started = LocalExecution(
            self.desk.start(machine.definition, data, name, owner.arn, machine.roleArn),
            execution_input,
            machine.definition,
            machine.arn if machine is not owner else None,
        )
        executions: list[Any] = owner.executions
        executions.append(started)
        return started

    def _machine(self, arn: str) -> Any:
        with contextlib.suppress(Exception):
            alias = self.describe_state_machine_alias(arn)
            return self.describe_state_machine(alias.routing_configuration[0]["stateMachineVersionArn"])
        return self.describe_state_machine(arn)

    def send_task_success(self, task_token: str, outcome: str) -> None:
        _answered(lambda: self.desk.complete_task(task_token, outcome))

    def send_task_failure(self, task_token: str, error: str | None = None, cause: str | None = None) -> None:
        _answered(lambda: self.desk.fail_task(task_token, error, cause))

    def send_task_heartbeat(self, task_token: str) -> None:
        _answered(lambda: self.desk.heartbeat_task(task_token))


def _refuse(definition: str, express: bool) -> None:
    """Raises InvalidDefinitionError with every reason why AWS would not take the definition."""
    problems = validate(definition, express=express)
    if problems:
        reasons = ", ".join(str(problem) for problem in problems)
        raise InvalidDefinitionError(f"Invalid State Machine Definition: '{reasons}'")


def is_jsonpath(definition: str) -> bool:
    """Whether a machine is for moto's own interpreter."""
    try:
        read_machine(definition)
    except UnsupportedQueryLanguage:
        return True
    return False


def _answered(answer: Callable[[], None]) -> None:
    """Gives an answer to a task; the engine's refusals become the API's errors."""
    try:
        answer()
    except TaskTimedOut as error:
        raise TaskTimedOutError(str(error)) from None
    except InvalidOutput as error:
        raise InvalidOutputError(str(error)) from None
    except EngineError as error:
        raise InvalidTokenError(str(error)) from None


_LISTED: Final = (
    "executionArn",
    "stateMachineArn",
    "name",
    "status",
    "startDate",
    "stopDate",
    "stateMachineVersionArn",
    "redriveCount",
    "redriveDate",
)

# What moto's responses for Step Functions leave out. Each function stands in for the method of its name.


def describe_execution(self: Any) -> ActionResult:
    backend = self.stepfunction_backend
    execution = backend.describe_execution(self._get_param("executionArn"))
    return ActionResult(_description(execution, backend.desk.now()))


def _not_redrivable(execution: LocalExecution, now: datetime) -> str | None:
    """Why an execution cannot be redriven at all (Step Functions API, RedriveExecution); None where it can."""
    engine = execution.engine
    if engine.status in (Status.RUNNING, Status.SUCCEEDED):
        return f"Execution is {engine.status} and cannot be redriven"
    if engine.stopped is not None and now - engine.stopped > REDRIVABLE:
        return "Execution has exceeded the redrivable period of 14 days"
    return None


def _description(execution: Any, now: datetime) -> dict[str, object]:
    status = str(execution.status)
    described = {
        "executionArn": execution.execution_arn,
        "stateMachineArn": execution.state_machine_arn,
        "name": execution.name,
        "status": status,
        "startDate": execution.start_date,
        "stopDate": execution.stop_date if status != "RUNNING" else None,
        "input": execution.execution_input,
        "inputDetails": {"included": True},
        "error": execution.error,
        "cause": execution.cause,
    }
    if status == "SUCCEEDED":
        output = execution.output
        described["output"] = output if isinstance(output, str) else compact(output)
        described["outputDetails"] = {"included": True}
    if isinstance(execution, LocalExecution):
        reason = _not_redrivable(execution, now)
        described["stateMachineVersionArn"] = execution.version_arn
        described["redriveCount"] = execution.engine.redrive_count
        described["redriveDate"] = execution.engine.redriven
        described["redriveStatus"] = "NOT_REDRIVABLE" if reason else "REDRIVABLE"
        described["redriveStatusReason"] = reason
    return {name: value for name, value in described.items() if value is not None}


def get_execution_history(self: Any) -> ActionResult:
    execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
    if not isinstance(execution, LocalExecution):
        return ActionResult(execution.to_history_output())
    include = self._get_param("includeExecutionData")
    events = execution.history(include_data=include is not False)
    if self._get_param("reverseOrder"):
        events.reverse()
    return ActionResult(page(self, "events", events))


def page(self: Any, name: str, items: Sequence[object]) -> dict[str, object]:
    """The part of a list that a request asks for; 100 where it does not say (documented)."""
    size = int(self._get_param("maxResults") or 100)
    token = str(self._get_param("nextToken") or 0)
    if not token.isdigit():
        raise InvalidPageTokenError(f"Invalid Token: '{token}'")
    start = int(token)
    page: dict[str, object] = {name: list(items[start : start + size])}
    if start + size < len(items):
        page["nextToken"] = str(start + size)
    return page


def list_executions(self: Any) -> ActionResult:
    backend, status, redriven = (
        self.stepfunction_backend,
        self._get_param("statusFilter"),
        self._get_param("redriveFilter"),
    )
    map_run = self._get_param("mapRunArn")
    if map_run:
        found = list(_children(backend, map_run))
    else:
        machine = backend.describe_state_machine(self._get_param("stateMachineArn"))
        if (owner := getattr(machine, "source_arn", None)) is None:
            found = list(machine.executions)
        else:
            every = backend.describe_state_machine(owner).executions
            found = [one for one in every if getattr(one, "version_arn", None) == machine.arn]
    shown = [
        {name: value for name, value in _description(item, backend.desk.now()).items() if name in _LISTED}
        for item in sorted(found, key=lambda item: item.start_date, reverse=True)
    ]
    if status:
        shown = [item for item in shown if item["status"] == status]
    if redriven:
        shown = [item for item in shown if bool(item.get("redriveCount")) == (redriven == "REDRIVEN")]
    return ActionResult(page(self, "executions", shown))


def _children(backend: StatesBackend, map_run: str) -> Iterator[LocalExecution]:
    """The executions of a distributed Map's run."""
    for machine in backend.state_machines:
        for execution in machine.executions:
            if not isinstance(execution, LocalExecution):
                continue
            for child in execution.engine.children:
                if child.map_run_arn == map_run:
                    yield LocalExecution(child, compact(child.input))


def stop_execution(self: Any) -> ActionResult:
    execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
    error, cause = self._get_param("error"), self._get_param("cause")
    if isinstance(execution, LocalExecution):
        self.stepfunction_backend.desk.stop(execution.engine, error, cause)
        return ActionResult({"stopDate": execution.stop_date})
    stopped = datetime.now().astimezone()
    execution.stop(stop_date=stopped, error=error, cause=cause)
    return ActionResult({"stopDate": stopped})


def redrive_execution(self: Any) -> ActionResult:
    execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
    if not isinstance(execution, LocalExecution):
        raise NotRedrivableError("a machine in JSONPath mode cannot be redriven in a local run")
    if reason := _not_redrivable(execution, self.stepfunction_backend.desk.now()):
        raise NotRedrivableError(reason)
    try:
        self.stepfunction_backend.desk.redrive(execution.engine)
    except ExecutionNotRedrivable as error:
        raise NotRedrivableError(str(error)) from None
    return ActionResult({"redriveDate": execution.engine.redriven})


def start_sync_execution(self: Any) -> ActionResult:
    backend = self.stepfunction_backend
    text = self._get_param("input") or "{}"
    arn = self._get_param("stateMachineArn")
    if backend._machine(arn).type != "EXPRESS":
        raise WrongTypeError("This operation is not supported by this type of state machine")
    execution = backend.start_execution(arn, self._get_param("name"), text)
    if not isinstance(execution, LocalExecution):
        raise WrongTypeError("a machine in JSONPath mode cannot be started synchronously in a local run")
    backend.desk.drive(execution.engine)
    described = _description(execution, backend.desk.now())
    for name in ("redriveCount", "redriveDate", "redriveStatus", "redriveStatusReason"):
        described.pop(name, None)
    return ActionResult(described)


def send_task_failure(self: Any) -> ActionResult:
    token, error, cause = (self._get_param(name) for name in ("taskToken", "error", "cause"))
    self.stepfunction_backend.send_task_failure(token, error, cause)
    return EmptyResult()


def validate_state_machine_definition(self: Any) -> ActionResult:
    problems = validate(self._get_param("definition"), express=self._get_param("type") == "EXPRESS")
    found = [
        {"severity": "ERROR", "code": problem.code, "message": problem.message, "location": problem.location}
        for problem in problems
    ]
    return ActionResult({"result": "FAIL" if found else "OK", "diagnostics": found, "truncated": False})


def _interpreter(desk: Desk) -> Any:
    """moto's own backend with its interpreter, for JSONPath machines; its Lambda tasks call our functions."""
    models = importlib.import_module("moto.stepfunctions.parser.models")
    calls: Any = importlib.import_module(
        "moto.stepfunctions.parser.asl.component.state.exec.state_task.lambda_eval_utils"
    )

    def invoke(parameters: Mapping[str, Any], region: str, state_credentials: Any) -> dict[str, object]:  # noqa: ARG001
        payload = parameters.get("Payload")
        text = payload.decode() if isinstance(payload, bytes) else payload
        answer = desk.invoke(str(parameters["FunctionName"]), json.loads(text or "{}"))
        response: dict[str, object] = {"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": answer.payload}
        if answer.fault:
            response |= {"Payload": answer.fault.payload(), "FunctionError": "Unhandled"}
        return response

    calls._invoke_lambda_function = invoke
    return models.StepFunctionsParserBackend


REPLACEMENTS: Final[Mapping[str, Callable[[Any], ActionResult]]] = {
    function.__name__: function
    for function in (
        describe_execution,
        get_execution_history,
        list_executions,
        stop_execution,
        redrive_execution,
        start_sync_execution,
        send_task_failure,
        validate_state_machine_definition,
    )
}
