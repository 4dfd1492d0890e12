"""Runs one workflow again and again on one emulated AWS, with one fault each time.

The machine, the ledger and the runtime around each action are the real ones; only what an action does in the end is
scripted, and takes no time but virtual one. The scripted result is held to the action's model.
"""

from __future__ import annotations

import importlib
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, Final, get_type_hints

from pydantic import ConfigDict

from stepsmith.catalog import ActionCatalog, ActionSignature
from stepsmith.engine import Execution, TaskCall, TaskFailed, TaskOutcome, TaskSucceeded
from stepsmith.local.approvals.mocking import Decision
from stepsmith.local.aws import LocalAws
from stepsmith.local.handlers import Fault as LambdaFault
from stepsmith.local.machines import create_machines, functions_of
from stepsmith.local.mocks import Mock, Mocks, mocked_outcome
from stepsmith.local.program import Program
from stepsmith.local.recording import MemoryHistory
from stepsmith.local.sam import read_template
from stepsmith.local.services import compact
from stepsmith.local.tasks import invocation_result
from stepsmith.model.steps import ActionStep, ApprovalStep, AwsStep
from stepsmith.model.workflow import Workflow
from stepsmith.project import Project
from stepsmith.rehearsals.model import Rehearsal
from stepsmith.rehearsals.samples import sample
from stepsmith.schema import Schema, as_schema, resolve
from stepsmith_functions.history.ending import run_ending
from stepsmith_functions.history.records import RunError, RunStatus, StepRecord
from stepsmith_functions.history.store import HistoryError
from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.contract import Params
from stepsmith_functions.runtime.control import ControlReader
from stepsmith_functions.runtime.errors import OF_THE_GATE, ActionError
from stepsmith_functions.runtime.recording import Begun, Earlier, StepEnd, StepStart
from stepsmith_functions.runtime.settings import Settings

LATE: Final = 1
"""Seconds past its limit at which a task that is too slow is done after all."""


_OF_THE_GATE: Final = tuple(error.__name__ for error in OF_THE_GATE)
"""What no action raises: the runtime does, in place of an action that a crash or a timeout leaves in doubt."""


class Kind(Enum):
    """The kinds of faults."""

    ERROR = "error"
    """The action raises an error that it declares."""
    TIMEOUT = "timeout"
    """It takes effect, but later than its step waits; without a `timeout`, its function's own limit ends it."""
    CRASH = "crash"
    """The process ends in the middle: nobody tells how far it came."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong at one step."""

    step: str
    kind: Kind
    error: str
    lasting: bool
    """At every attempt, else at the first one only."""
    history: bool
    """Whether the history table works."""

    def __str__(self) -> str:
        often = "every time" if self.lasting else "once"
        return f"{self.step}: {self.error} {often}, history {'works' if self.history else 'fails'}"


@dataclass(frozen=True, slots=True)
class Called:
    """One attempt of a step as the world outside saw it. Times are seconds since the start of the run."""

    step: str
    path: str
    """Of a step without a handler, which is not told its path, its id."""
    attempt: int
    at: float
    took: float
    limit: float | None
    """How long its step waited for it."""
    error: str | None
    message: str
    result: Any
    acted: bool = True
    """Whether the action was begun at all: the runtime may answer in its place."""

    @property
    def effective(self) -> bool:
        """Whether it took effect, heard or not."""
        return self.acted and self.error is None

    @property
    def heard(self) -> bool:
        """Whether its step came to hear of success."""
        return self.error is None and (self.limit is None or self.took < self.limit)


@dataclass(frozen=True, slots=True)
class Observed:
    """One run with its fault."""

    status: RunStatus
    error: RunError | None
    calls: tuple[Called, ...]
    execution: Execution = field(repr=False)


class _Anything(Params):
    """Any params."""

    model_config = ConfigDict(extra="allow")


class _Ended(BaseException):
    """The process of a handler ends: no `except Exception` sees it."""


class _Book(MemoryHistory):
    """The history of the handlers, which may fail at every call."""

    failing = False

    def _check(self) -> None:
        if self.failing:
            raise HistoryError("the table cannot be reached")

    def control(self, settings: Settings) -> ControlReader | None:
        self._check()
        return super().control(settings)

    def started(self, step: StepStart) -> Begun | Earlier:
        self._check()
        return super().started(step)

    def ended(self, step: StepEnd) -> None:
        self._check()
        super().ended(step)

    def told(self, run_id: str) -> dict[str, StepRecord]:
        self._check()
        return super().told(run_id)

    def mocked(self, call: TaskCall, outcome: TaskOutcome, now: datetime) -> None:
        """The handlers tell for themselves."""


class _Context:
    """What Lambda tells a handler of its call."""

    aws_request_id = "local"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 60_000


class Bench:
    """A context manager. `run` runs the workflow as a rehearsal says, with a fault."""

    def __init__(
        self, workflow: Workflow, program: Program, project: Project, catalog: ActionCatalog, folder: Path
    ) -> None:
        template = read_template(project.template)
        functions = functions_of(template, project, catalog)
        self._aws = LocalAws(template, functions, folder, mocks=self)
        self._aws.history = self._aws.tasks.history = self._book = _Book()
        self._program, self._functions, self._catalog = program, functions, catalog
        self._steps = {step.id: step for step in workflow.every_step()}
        self._actions = {action.function_id: action for action in catalog}
        self._limits = {name: functions[name].timeout for name in self._actions}
        self._exit = ExitStack()
        self._number = 0
        self._mocks = Mocks()
        self._fault: Fault | None = None
        self._calls: list[Called] = []
        self._begun = self._aws.now()
        self._ending: float | None = None
        self._handlers = {action.name: self._scripted(action) for action in catalog}
        self._answered: Mock = Mock()
        self._acted = False

    def __enter__(self) -> Bench:
        logging.disable(logging.CRITICAL)  # of each fault the handlers log a traceback
        self._exit.callback(logging.disable, logging.NOTSET)
        self._exit.enter_context(self._aws)
        self._machine = create_machines(self._program, self._aws, self._functions)
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def run(self, rehearsal: Rehearsal, fault: Fault | None) -> Observed:
        """One run. Every action that the rehearsal does not mock succeeds with a sample of its result."""
        self._number += 1
        self._mocks, self._fault, self._calls = Mocks(rehearsal.mocks), fault, []
        self._book.failing = fault is not None and not fault.history
        self._begun = self._aws.now()
        execution = self._aws.start_execution(self._machine, json.dumps(rehearsal.input), f"run-{self._number}")
        self._aws.engine.run(until=execution)
        status, error = run_ending(execution.status.value, execution.error, execution.cause)
        return Observed(status, error, tuple(self._calls), execution)

    # -- what the engine asks ---------------------------------------------------------------------------

    def answer(self, call: TaskCall) -> TaskOutcome | None:
        """The outcome of a step's task; None for what is none, the ledger's."""
        states: Any = self._program.origins["states"]
        step = states.get(call.state, {}).get("step")
        if isinstance(self._steps.get(step), ApprovalStep):
            return mocked_outcome(self._mocks.next(step) or Mock(decision=Decision(True)), call)
        arguments: Any = call.arguments
        name = arguments.get("FunctionName") if isinstance(arguments, Mapping) else None
        if not isinstance(name, str):
            return self._of_service(call)
        function = self._aws.functions.find(name)
        action = self._actions.get(function.logical_id)
        if action is None:
            return None
        payload = arguments["Payload"]
        self._ending, self._aws.handler_clock.slept, self._acted = None, 0.0, False
        at = self._since()
        self._answered = self._next(payload["step"]["id"], action.name)
        result, fault = self._invoked(action.name, payload)
        took = self._aws.handler_clock.slept
        if self._ending is not None:
            took = self._ending
        told = payload["step"]
        self._calls.append(
            Called(
                told["id"], told["path"], int(told["attempt"]), at, took, call.timeout_seconds,
                fault.type if fault else None, fault.message if fault else "", result, self._acted,
            )
        )  # fmt: skip
        if fault is not None:
            return TaskFailed(fault.type, compact(fault.payload()), took)
        return TaskSucceeded(invocation_result(result, 200), took)

    def _invoked(self, action: str, event: Any) -> tuple[Any, LambdaFault | None]:
        """What Lambda answers. Without the thread in which a run on a laptop can end a handler that overruns."""
        try:
            return self._handlers[action](json.loads(json.dumps(event)), _Context), None
        except _Ended as ended:
            return None, LambdaFault(str(ended), f"RequestId: local Error: {ended}", "local")
        except ActionError as error:
            return None, LambdaFault(type(error).__name__, str(error), "local")

    def _of_service(self, call: TaskCall) -> TaskOutcome | None:
        states: Any = self._program.origins["states"]
        step = states[call.state]["step"]
        model = self._steps[step]
        if not isinstance(model, AwsStep):
            return None
        mock, at = self._next(step, None), self._since()
        self._calls.append(
            Called(step, step, 0, at, mock.after, call.timeout_seconds, mock.error, mock.message, mock.value)
        )
        if mock.error is not None:
            return TaskFailed(mock.error, mock.message, mock.after)
        return TaskSucceeded(mock.value if mock.value is not None else {}, mock.after)

    def _since(self) -> float:
        return (self._aws.now() - self._begun).total_seconds()

    def _next(self, step: str, action: str | None) -> Mock:
        mock = self._mocks.next(step, action) or Mock(value={})
        fault = self._fault
        if (
            fault is None
            or fault.step != step
            or (not fault.lasting and any(each.step == step for each in self._calls))
        ):
            return mock
        model = self._steps[step]
        if fault.kind is Kind.TIMEOUT and model.timeout is not None:
            if mock.error is not None:
                mock = Mock(value={})
            return replace(mock, after=model.timeout + LATE)
        return Mock(error=fault.error, message=f"{fault.error} of the matrix")

    # -- what the actions do ------------------------------------------------------------------------------

    def _scripted(self, signature: ActionSignature) -> Callable[[Any, Any], Any]:
        """The action's own handler, around a body that does as it is told."""
        module, _, attribute = signature.handler.rpartition(".")
        action = getattr(importlib.import_module(module), attribute).__self__
        model = get_type_hints(action.function)["return"]

        def body(params: Any, context: ActionContext) -> Any:
            mock, self._acted = self._answered, True
            if mock.error in ("Sandbox.Timedout", "Runtime.ExitError"):
                self._ending = float(self._limits[signature.function_id]) if mock.error == "Sandbox.Timedout" else 0.0
                raise _Ended(mock.error)
            if mock.after:
                context.clock.sleep(mock.after)
            if mock.error is not None:
                raise type(mock.error, (ActionError,), {})(mock.message)
            return model.model_validate(filled(mock.value, signature.result, signature.result))

        # What a rehearsal gives its run need not be what the action would take: its mocks never look at it.
        handler: Callable[[Any, Any], Any] = replace(action, params=_Anything, function=body).handler
        return handler


def filled(value: Any, schema: Schema, root: Schema) -> Any:
    """A mocked result with the fields that it leaves out."""
    schema = resolve(schema, root)
    if isinstance(value, list):
        return [filled(item, as_schema(schema.get("items") or {}), root) for item in value]
    if not isinstance(value, dict):
        return value
    properties = as_schema(schema.get("properties") or {})
    required = schema.get("required")
    missing = [name for name in required if name not in value] if isinstance(required, list) else []
    made: Any = sample({**schema, "$defs": root.get("$defs", {})}) if missing else {}
    known = {name: filled(item, as_schema(properties.get(name) or {}), root) for name, item in value.items()}
    return {**{name: made[name] for name in missing}, **known}


def faults_of(
    workflow: Workflow, catalog: ActionCatalog, errors_of: Callable[[AwsStep], tuple[str, ...]]
) -> list[Fault]:
    """Every fault of every step that does something, in the order of the file. `errors_of` an AWS call are those that
    its service declares."""
    found: list[Fault] = []
    for step in workflow.every_step():
        kinds: list[tuple[Kind, str]] = []
        if isinstance(step, ActionStep):
            action = catalog.get(step.action)
            assert action is not None
            kinds = [(Kind.ERROR, error.name) for error in action.errors if error.name not in _OF_THE_GATE]
            kinds.append((Kind.TIMEOUT, "States.Timeout" if step.timeout is not None else "Sandbox.Timedout"))
            kinds.append((Kind.CRASH, "Runtime.ExitError"))
        elif isinstance(step, AwsStep):
            kinds = [(Kind.ERROR, error) for error in errors_of(step)]
            kinds.append((Kind.TIMEOUT, "States.Timeout"))
            kinds.append((Kind.CRASH, "States.TaskFailed"))
        found += [
            Fault(step.id, kind, error, lasting, history)
            for kind, error in kinds
            for lasting in (True, False)
            for history in (True, False)
        ]
    return found


def answers_of(observed: Observed) -> Mapping[tuple[str, int], Called]:
    """What each attempt of a step was answered, by path and number."""
    return {(call.path, call.attempt): call for call in observed.calls}
