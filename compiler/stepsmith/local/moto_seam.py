"""The one place that reaches under moto. Each seam is a row of `SEAMS` with its reason.

moto is the AWS API and the services; its Step Functions interpreter is not true to AWS, and importing it costs twice
as much as boto3 and moto together. So our engine stands behind moto's API, and moto's interpreter is loaded only for
a JSONPath machine. `tests/local/test_moto_seam.py` holds a canary for each seam: it fails when what is replaced has
changed, or no longer needs replacing.

Patches are in force between `install()` and `Installed.remove()`; they are process-wide, as moto is.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

import boto3  # type: ignore[import-untyped]
from botocore.handlers import BUILTIN_HANDLERS  # type: ignore[import-untyped]
from moto.core.exceptions import AWSError
from moto.core.responses import ActionResult, EmptyResult
from moto.stepfunctions.exceptions import InvalidExecutionInput
from moto.stepfunctions.models import StateMachine, StepFunctionBackend

from stepsmith.document import Json
from stepsmith.engine import (
    EngineError,
    Execution,
    ExecutionNotRedrivable,
    InvalidDefinition,
    InvalidOutput,
    TaskTimedOut,
    UnsupportedQueryLanguage,
    api_event,
)
from stepsmith.engine.values import Json as Value
from stepsmith.local.functions import FunctionUnknownError
from stepsmith.local.handlers import Answer
from stepsmith.local.services import compact


class Desk(Protocol):
    """What stands behind moto's API: our engine and the functions of the stack."""

    def new_id(self) -> str: ...

    def validate(self, definition: str) -> None:
        """Raises InvalidDefinition and UnsupportedQueryLanguage."""
        ...

    def start(self, definition: str, data: Json, name: str, machine_arn: str, role_arn: str) -> Execution: ...

    def stop(self, execution: Execution, error: str | None, cause: str | None) -> None: ...

    def redrive(self, execution: Execution) -> None: ...

    def drive(self, execution: Execution) -> None:
        """Runs until the execution has ended."""
        ...

    def complete_task(self, token: str, output: str) -> None: ...

    def fail_task(self, token: str, error: str | None, cause: str | None) -> None: ...

    def heartbeat_task(self, token: str) -> None: ...

    def invoke(self, name: str, payload: Json) -> Answer:
        """Raises FunctionUnknownError."""
        ...

    def first_call(self, service: str) -> None:
        """Told before the first request to a service, by boto3's name for it."""
        ...


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


class LocalExecution:
    """An execution as moto's API reads it, over the engine's own."""

    output_details: Final = {"included": True}
    trace_header: Final = None

    def __init__(self, execution: Execution, text: str) -> None:
        self.engine = execution
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
        _validate(self.desk, definition)
        return super().create_state_machine(name, definition, *args, **kwargs)

    def update_state_machine(self, arn: str, definition: str | None = None, *args: Any, **kwargs: Any) -> StateMachine:
        if definition is not None:
            _validate(self.desk, definition)
        return super().update_state_machine(arn, definition, *args, **kwargs)

    def start_execution(self, state_machine_arn: str, name: str | None, execution_input: str) -> Any:
        """Starts the version that an alias routes to, too. moto knows no alias here."""
        if name:
            self._validate_name(name)
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
        if is_jsonpath(self.desk, machine.definition):
            return _interpreter(self.desk).start_execution(self, state_machine_arn, name, execution_input)
        started = LocalExecution(
            self.desk.start(machine.definition, data, name, owner.arn, machine.roleArn), execution_input
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


def _validate(desk: Desk, definition: str) -> None:
    try:
        desk.validate(definition)
    except UnsupportedQueryLanguage:
        _interpreter(desk)._validate_definition(definition)
    except InvalidDefinition as error:
        raise InvalidDefinitionError(f"Invalid State Machine Definition: '{error}'") from None


def is_jsonpath(desk: Desk, definition: str) -> bool:
    """Whether a machine is for moto's own interpreter."""
    try:
        desk.validate(definition)
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


# What moto's responses for Step Functions leave out. Each function stands in for the method of its name.


def describe_execution(self: Any) -> ActionResult:
    execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
    return ActionResult(_description(execution))


def _description(execution: Any) -> dict[str, object]:
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
        described["redriveCount"] = execution.engine.redrive_count
        described["redriveDate"] = execution.engine.redriven
    return {name: value for name, value in described.items() if value is not None}


def get_execution_history(self: Any) -> ActionResult:
    execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
    if not isinstance(execution, LocalExecution):
        return ActionResult(execution.to_history_output())
    include = self._get_param("includeExecutionData")
    events = execution.history(include_data=include is not False)
    if self._get_param("reverseOrder"):
        events.reverse()
    size = int(self._get_param("maxResults") or 100)
    start = int(self._get_param("nextToken") or 0)
    page: dict[str, object] = {"events": events[start : start + size]}
    if start + size < len(events):
        page["nextToken"] = str(start + size)
    return ActionResult(page)


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
    try:
        self.stepfunction_backend.desk.redrive(execution.engine)
    except ExecutionNotRedrivable as error:
        raise NotRedrivableError(str(error)) from None
    return ActionResult({"redriveDate": execution.engine.redriven})


def start_sync_execution(self: Any) -> ActionResult:
    backend = self.stepfunction_backend
    text = self._get_param("input") or "{}"
    execution = backend.start_execution(self._get_param("stateMachineArn"), self._get_param("name"), text)
    backend.desk.drive(execution.engine)
    described = _description(execution)
    for name in ("redriveCount", "redriveDate"):
        described.pop(name, None)
    return ActionResult(described)


def send_task_failure(self: Any) -> ActionResult:
    token, error, cause = (self._get_param(name) for name in ("taskToken", "error", "cause"))
    self.stepfunction_backend.send_task_failure(token, error, cause)
    return EmptyResult()


def validate_state_machine_definition(self: Any) -> ActionResult:
    try:
        _validate(self.stepfunction_backend.desk, self._get_param("definition"))
    except InvalidDefinitionError as error:
        problem = {"severity": "ERROR", "code": "SCHEMA_VALIDATION_FAILED", "message": str(error.message)}
        return ActionResult({"result": "FAIL", "diagnostics": [problem], "truncated": False})
    return ActionResult({"result": "OK", "diagnostics": [], "truncated": False})


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


def invoke_function(
    desk: Desk, name: str, body: Any, headers: Mapping[str, str], response_headers: dict[str, str]
) -> bytes | None:
    """Lambda's Invoke for boto3 callers, in place of moto's echo or its Docker containers."""
    from moto.awslambda.exceptions import UnknownFunctionException

    text = body.decode() if isinstance(body, bytes) else body
    if (headers.get("X-Amz-Invocation-Type") or "RequestResponse") == "DryRun":
        return b""
    try:
        answer = desk.invoke(name, json.loads(text or "{}"))
    except FunctionUnknownError as error:
        raise UnknownFunctionException(error.arn) from None
    response_headers["x-amz-executed-version"] = "$LATEST"
    if answer.fault:
        response_headers["x-amz-function-error"] = "Unhandled"
        return compact(answer.fault.payload()).encode()
    return compact(answer.payload).encode()


def send_to_targets(desk: Desk, original: Callable[..., None], rule: Any, event: Any, transform: bool) -> None:
    """Sends an event to a rule's targets, Lambda functions and state machines too.

    moto refuses those two with an exception that its caller sees, ignores `Input`, and gives nothing to the
    targets after a refused one. Everything else is left to moto, one target at a time.
    """
    if not rule.event_pattern.matches_event(event):
        return
    targets = rule.targets
    for target in list(targets):
        arn = str(target["Arn"])
        service = arn.split(":")[2]
        if service in ("lambda", "states"):
            data = _target_input(target, event)
            with contextlib.suppress(FunctionUnknownError):
                if service == "lambda":
                    desk.invoke(arn, data)
                else:
                    _backend_of(arn).start_execution(arn, None, compact(data))
            continue
        rule.targets = [target]
        try:
            original(rule, event, transform)
        except NotImplementedError:
            continue
        finally:
            rule.targets = targets


def _backend_of(arn: str) -> StatesBackend:
    assert _installed is not None
    region, account = arn.split(":")[3:5]
    return _installed.backend(account, region)


def _target_input(target: Mapping[str, Any], event: Any) -> Json:
    """What a target gets: its constant Input, what InputPath or InputTransformer makes, else the event."""
    if target.get("Input") is not None:
        constant: Json = json.loads(target["Input"])
        return constant
    transformer = target.get("InputTransformer") or {}
    if transformer.get("InputTemplate"):
        events = importlib.import_module("moto.events.models")
        made = events.EventTemplateParser.parse(
            input_template=transformer["InputTemplate"],
            input_paths_map=transformer.get("InputPathsMap", {}),
            event=event,
        )
        transformed: Json = json.loads(made) if isinstance(made, str) else made
        return transformed
    whole: Json = json.loads(json.dumps(event, default=str))
    for part in str(target.get("InputPath") or "$").split(".")[1:]:
        whole = whole.get(part) if isinstance(whole, dict) else None
    return whole


def publish_status(execution: Execution, account: str, region: str, event_id: str) -> None:
    """Sends the execution's status event to the default bus. moto sends none.

    Nothing is imported for it: without rules nobody would get the event.
    """
    events = sys.modules.get("moto.events.models")
    if events is None:
        return
    ended = execution.stopped
    detail: dict[str, Value] = {
        "executionArn": execution.arn,
        "stateMachineArn": execution.state_machine_arn,
        "name": execution.name,
        "status": str(execution.status),
        "startDate": round(execution.started.timestamp() * 1000),
        "stopDate": round(ended.timestamp() * 1000) if ended else None,
        "input": compact(execution.input),
        "inputDetails": {"included": True},
        "output": execution.output_text,
        "outputDetails": {"included": True} if execution.output_text is not None else None,
        "error": execution.error,
        "cause": execution.cause,
    }
    moment = (ended or execution.started).timestamp()
    event = {
        "version": "0",
        "id": event_id,
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": account,
        "time": moment,
        "region": region,
        "resources": [execution.arn],
        "detail": detail,
        "ingestion-time": moment,
    }
    backend = events.events_backends[account][region]
    for rule in list(backend.describe_event_bus("default").rules.values()):
        rule.send_to_targets(dict(event))


@dataclass(frozen=True, slots=True)
class Seam:
    """A name in moto that is replaced, and why. `parameters` is what the original takes; None: moto has none."""

    module: str
    owner: str
    """The class; empty for the module itself."""
    name: str
    reason: str
    parameters: tuple[str, ...] | None = ("self",)


_API: Final = "moto.stepfunctions.responses"
SEAMS: Final = (
    Seam(
        _API, "", "get_backend", "our engine instead of moto's interpreter or its canned answers", ("account", "region")
    ),
    Seam(
        "moto.core.base_backend",
        "AccountSpecificBackend",
        "get_session",
        "a session of its own, which reads all of botocore's endpoints once more",
        ("cls",),
    ),
    Seam(_API, "StepFunctionResponse", "describe_execution", "no stopDate after a timeout, no redriveCount"),
    Seam(_API, "StepFunctionResponse", "get_execution_history", "paging, order and includeExecutionData are ignored"),
    Seam(_API, "StepFunctionResponse", "stop_execution", "error and cause are dropped"),
    Seam(_API, "StepFunctionResponse", "send_task_failure", "the cause is dropped"),
    Seam(_API, "StepFunctionResponse", "redrive_execution", "not there", None),
    Seam(_API, "StepFunctionResponse", "start_sync_execution", "not there", None),
    Seam(_API, "StepFunctionResponse", "validate_state_machine_definition", "not there", None),
    Seam(
        "moto.awslambda.models",
        "LambdaBackend",
        "invoke",
        "needs Docker, or echoes the payload",
        ("self", "function_name", "qualifier", "body", "headers", "response_headers"),
    ),
    Seam(
        "moto.events.models",
        "Rule",
        "send_to_targets",
        "no Lambda or Step Functions targets, Input is ignored",
        ("self", "original_event", "transform_input"),
    ),
)
_REGIONS: Final = "moto.core.base_backend"
_BY_SERVICE: Final = {"lambda": "moto.awslambda.models", "events": "moto.events.models"}
"""Modules that are patched when their service is first called: importing them costs time that most runs need not
spend."""


@dataclass
class Installed:
    """The seams in force for one desk."""

    desk: Desk
    backends: dict[tuple[str, str], StatesBackend] = field(default_factory=dict)
    _undo: list[Callable[[], None]] = field(default_factory=list)
    _called: set[str] = field(default_factory=set)

    def backend(self, account: str, region: str) -> StatesBackend:
        key = (account, region)
        if key not in self.backends:
            self.backends[key] = StatesBackend(region, account)
            self.backends[key].desk = self.desk
        return self.backends[key]

    def before_call(self, service: str) -> None:
        """A request to `service` is about to be made."""
        if service in self._called:
            return
        self._called.add(service)
        if service in _BY_SERVICE:
            self.patch(_BY_SERVICE[service])
        self.desk.first_call(service)

    def patch(self, module: str) -> None:
        """Puts the replacements of a module in place."""
        for seam in SEAMS:
            if seam.module == module:
                loaded = importlib.import_module(seam.module)
                self._replace(getattr(loaded, seam.owner) if seam.owner else loaded, seam.name)

    def _replace(self, owner: Any, name: str) -> None:
        original = owner.__dict__.get(name)
        setattr(owner, name, self._replacement(name, original))

        def restore() -> None:
            if original is None:
                delattr(owner, name)
            else:
                setattr(owner, name, original)

        self._undo.append(restore)

    def _replacement(self, name: str, original: Any) -> Any:
        desk = self.desk
        if name == "get_backend":
            return self.backend
        if name == "get_session":
            return classmethod(lambda _: boto3.DEFAULT_SESSION or boto3.Session())
        if name == "invoke":

            def invoke(
                _: Any, function_name: str, qualifier: str | None, body: Any, headers: Any, response_headers: Any
            ) -> bytes | None:
                qualified = f"{function_name}:{qualifier}" if qualifier and ":" not in function_name else function_name
                return invoke_function(desk, qualified, body, headers, response_headers)

            return invoke
        if name == "send_to_targets":

            def send(rule: Any, original_event: Any, transform_input: bool = True) -> None:
                send_to_targets(desk, original, rule, original_event, transform_input)

            return send
        return globals()[name]

    def remove(self) -> None:
        """Takes the patches out again."""
        global _installed
        for undo in reversed(self._undo):
            undo()
        self._undo.clear()
        _installed = None


_installed: Installed | None = None


def install(desk: Desk) -> Installed:
    """Puts `desk` behind moto's API. Raises RuntimeError while another one stands there."""
    global _installed
    if _installed is not None:
        raise RuntimeError("another local AWS is running in this process")
    _installed = Installed(desk)
    _installed.patch(_REGIONS)
    _installed.patch(_API)
    return _installed


def _before_call(model: Any, **_: object) -> None:
    if _installed is not None:
        _installed.before_call(str(model.service_model.service_name))


BUILTIN_HANDLERS.append(("before-call", _before_call))
