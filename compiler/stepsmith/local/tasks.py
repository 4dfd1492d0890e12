"""What the engine's tasks do on this machine: a mock, a function of the stack, an emulated service, a child.

Each answer has the shape that Step Functions gives it. Handlers take no virtual time unless they say that they
sleep; one that really runs past its state's timeout loses against it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from stepsmith.document import Json
from stepsmith.engine import (
    Execution,
    Purpose,
    Status,
    TaskCall,
    TaskFailed,
    TaskOutcome,
    TaskSucceeded,
    TaskWaiting,
)
from stepsmith.engine.values import Json as Value
from stepsmith.local.functions import FunctionUnknownError, LocalFunctions
from stepsmith.local.handlers import Answer
from stepsmith.local.recording import HandlerClock, MemoryHistory
from stepsmith.local.services import Integration, ServiceError, Services, compact, integration_of
from stepsmith_functions.history.ending import CANCELLED
from stepsmith_functions.runtime.control import Control as Order

_SLACK: Final = 0.001
"""Seconds past a timeout at which an answer that comes too late would come."""


class MockSource(Protocol):
    """Answers tasks in place of what they would do."""

    def answer(self, call: TaskCall) -> TaskOutcome | None:
        """None: nothing is mocked here."""
        ...


class Control(Protocol):
    """What was ordered of a run from outside."""

    def wait(self, payload: Value) -> Order | None:
        """Waits while the run of a handler's event is paused; the order to end it, if there is one."""
        ...


class Executions(Protocol):
    """What a task that waits for a child needs."""

    def when_ended(self, arn: str, then: Callable[[Execution], None]) -> None: ...

    def stop_by_arn(self, arn: str) -> None: ...

    def answer(self, token: str, outcome: TaskSucceeded | TaskFailed) -> None: ...


@dataclass
class LocalTasks:
    """The task handler of a local engine."""

    functions: LocalFunctions
    services: Services
    clock: HandlerClock
    real_time: bool = False
    mocks: MockSource | None = None
    executions: Executions | None = field(default=None, repr=False)
    """Set before the first task."""
    history: MemoryHistory | None = field(default=None, repr=False)
    """What handlers tell of their steps; of a mocked step it is told here."""
    control: Control | None = field(default=None, init=False)
    """None where nobody can order anything."""
    current: Execution | None = field(default=None, init=False)
    """The execution whose task is being done: the parent of what it starts."""
    logs: list[str] = field(default_factory=list, init=False, repr=False)
    """What handlers printed."""

    def __call__(self, call: TaskCall) -> TaskOutcome:
        outer, self.current = self.current, call.execution
        try:
            ended = self.control.wait(_payload(call)) if self.control else None
            mocked = self.mocks.answer(call) if self.mocks else None
            if mocked is None:
                return self._done(call)
            if ended is not None:
                # What the handler would answer.
                fault = {"errorMessage": f"the run was {ended.sentence()}", "errorType": CANCELLED}
                mocked = TaskFailed(CANCELLED, compact(fault))
            if self.history is not None:
                self.history.mocked(call, mocked, self.clock.now())
            return mocked
        finally:
            self.current = outer

    def _done(self, call: TaskCall) -> TaskOutcome:
        if call.purpose is not Purpose.TASK:
            return _of_service(lambda: self._moved(call))
        integration = integration_of(call.resource)
        if integration is None:
            return self._function(call, call.resource, call.arguments)
        if integration.service == "lambda" and not integration.sdk:
            return self._lambda(call, integration)
        if integration.service == "states" and not integration.sdk:
            return self._child(call, integration)
        outcome = _of_service(lambda: self.services.call(integration, call.arguments))
        return _waiting(outcome) if integration.pattern == "waitForTaskToken" else outcome

    def _moved(self, call: TaskCall) -> Json:
        """Reads the items or writes the results of a distributed Map."""
        integration = integration_of(call.resource)
        if integration is None:
            raise ServiceError("States.Runtime", f"{call.resource} cannot be read or written in a local run")
        as_sdk = Integration(integration.service, integration.action, True, "")
        return self.services.call(as_sdk, call.arguments)

    def _function(self, call: TaskCall, name: str, payload: Value) -> TaskOutcome:
        """A function's own result, without what the Invoke API puts around it."""
        return self._invoked(call, name, payload, lambda answer: answer.payload)

    def _lambda(self, call: TaskCall, integration: Integration) -> TaskOutcome:
        given: Mapping[str, Value] = call.arguments if isinstance(call.arguments, Mapping) else {}
        name, qualifier = str(given.get("FunctionName", "")), given.get("Qualifier")
        if isinstance(qualifier, str):
            name = f"{name}:{qualifier}"
        payload = given.get("Payload", {})
        if isinstance(payload, str):
            # Recorded: a text is sent as it is, as the JSON document.
            try:
                payload = json.loads(payload)
            except ValueError as error:
                return TaskFailed("Lambda.InvalidRequestContentException", f"Could not parse request body: {error}")
        kind = given.get("InvocationType", "RequestResponse")
        if kind == "DryRun":
            return TaskSucceeded(invocation_result({}, 204))
        outcome = self._invoked(call, name, payload, lambda answer: invocation_result(answer.payload, 200))
        if kind == "Event":
            return TaskSucceeded(invocation_result({}, 202))
        return _waiting(outcome) if integration.pattern == "waitForTaskToken" else outcome

    def _invoked(self, call: TaskCall, name: str, payload: Value, shape: Callable[[Answer], Json]) -> TaskOutcome:
        self.clock.slept = 0.0
        try:
            answer = self.functions.invoke(name, payload, patience=call.timeout_seconds)
        except FunctionUnknownError as error:
            cause = f"{error} (Service: Lambda, Status Code: 404, Request ID: local)"
            return TaskFailed("Lambda.ResourceNotFoundException", cause)
        if answer.log:
            self.logs.append(answer.log)
        after = 0.0 if self.real_time else self.clock.slept
        if answer.overran and call.timeout_seconds is not None:
            # Nothing will answer: the state's own timeout is what happens next.
            return TaskFailed(None, None, 0.0 if self.real_time else call.timeout_seconds + _SLACK)
        if answer.fault is None:
            return TaskSucceeded(shape(answer), after)
        if answer.fault.type == "Sandbox.Timedout" and not self.real_time:
            after = float(self.functions.find(name).timeout)
        return TaskFailed(answer.fault.type, compact(answer.fault.payload()), after)

    def _child(self, call: TaskCall, integration: Integration) -> TaskOutcome:
        """Starts another machine, and waits for its end where the resource says `.sync`."""
        outcome = _of_service(lambda: self.services.call(integration, call.arguments))
        if not integration.pattern.startswith("sync") or not isinstance(outcome, TaskSucceeded):
            return _waiting(outcome) if integration.pattern == "waitForTaskToken" else outcome
        submitted, token, executions = outcome.output, call.token, self.executions
        assert isinstance(submitted, dict)
        assert token is not None
        assert executions is not None
        arn = str(submitted["ExecutionArn"])
        parsed = integration.pattern == "sync:2"

        def ended(child: Execution) -> None:
            if child.status is Status.SUCCEEDED:
                executions.answer(token, TaskSucceeded(child_description(child, parsed)))
            else:
                cause = compact(child_description(child, False))
                executions.answer(token, TaskFailed("States.TaskFailed", cause))

        executions.when_ended(arn, ended)
        return TaskWaiting(submitted, cancel=lambda: executions.stop_by_arn(arn))


def _payload(call: TaskCall) -> Value:
    """The event that a task calls a handler with; null for any other task."""
    integration = integration_of(call.resource) if call.purpose is Purpose.TASK else None
    invokes = integration is not None and integration.service == "lambda" and not integration.sdk
    return call.arguments.get("Payload") if invokes and isinstance(call.arguments, Mapping) else None


def _of_service(work: Callable[[], Json]) -> TaskOutcome:
    try:
        return TaskSucceeded(work())
    except ServiceError as error:
        return TaskFailed(error.error, error.cause)


def _waiting(outcome: TaskOutcome) -> TaskOutcome:
    """The task has been handed over; its result is what the token's holder sends."""
    return TaskWaiting(outcome.output, outcome.after) if isinstance(outcome, TaskSucceeded) else outcome


def invocation_result(payload: Json, status: int) -> Json:
    """The result of the optimised Lambda integration (recorded)."""
    return {
        "ExecutedVersion": "$LATEST",
        "Payload": payload,
        "SdkHttpMetadata": {"AllHttpHeaders": {}, "HttpHeaders": {}, "HttpStatusCode": status},
        "SdkResponseMetadata": {"RequestId": "local"},
        "StatusCode": status,
    }


def child_description(child: Execution, parsed: bool) -> dict[str, Value]:
    """What `.sync` gives of a child: DescribeExecution's fields, input and output parsed for `.sync:2` (recorded)."""
    ended = child.stopped or child.started
    described: dict[str, Value] = {
        "ExecutionArn": child.arn,
        "Input": child.input if parsed else compact(child.input),
        "InputDetails": {"Included": True},
        "Name": child.name,
        "StartDate": round(child.started.timestamp() * 1000),
        "StateMachineArn": child.state_machine_arn,
        "Status": str(child.status),
        "StopDate": round(ended.timestamp() * 1000),
    }
    if child.output_text is not None:
        described["Output"] = child.output if parsed else child.output_text
        described["OutputDetails"] = {"Included": True}
    if child.error is not None:
        described["Error"] = child.error
    if child.cause is not None:
        described["Cause"] = child.cause
    return described
