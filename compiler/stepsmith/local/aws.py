"""The emulated AWS of a local run: moto's API and services, our engine and the project's functions behind it.

One at a time in a process, since moto's state is the process's. Nothing of the person's own AWS configuration is
seen while it lives: no profile, no credentials, no endpoint.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Final

import boto3  # type: ignore[import-untyped]
import botocore.session  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from moto import mock_aws

from stepsmith.document import Json
from stepsmith.engine import (
    Engine,
    EngineError,
    Evaluation,
    Event,
    Execution,
    RealClock,
    TaskFailed,
    TaskSucceeded,
    VirtualClock,
)
from stepsmith.local import moto_seam
from stepsmith.local.data_files import data_loader
from stepsmith.local.functions import ACCOUNT, REGION, LocalFunctions
from stepsmith.local.handlers import Answer
from stepsmith.local.recording import HandlerClock, MemoryHistory
from stepsmith.local.sam import FunctionResource, SamTemplate
from stepsmith.local.services import Services
from stepsmith.local.stack import LocalStack
from stepsmith.local.tasks import LocalTasks, MockSource
from stepsmith_functions.runtime import clients as runtime_clients
from stepsmith_functions.runtime.hosting import Host, hosted

ROLE: Final = f"arn:aws:iam::{ACCOUNT}:role/local"

_ENVIRONMENT: Final = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
}
_HIDDEN: Final = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL")


class LocalAws:
    """A context manager: the emulation lives inside the `with` block.

    `functions` are the stack's by logical id. The objects of its buckets outlive the process in the folder
    `kept_objects`, if there is one. `observer` is told of each history event, `trace` of each evaluated
    expression. With `real_time` waits are waited for, and `idle` is told for how many seconds; else time jumps.
    """

    def __init__(
        self,
        template: SamTemplate,
        functions: Mapping[str, FunctionResource],
        working_folder: Path,
        *,
        real_time: bool = False,
        mocks: MockSource | None = None,
        observer: Callable[[Execution, Event], None] | None = None,
        idle: Callable[[float], None] | None = None,
        trace: Callable[[Evaluation], None] | None = None,
        start: datetime | None = None,
        kept_objects: Path | None = None,
    ) -> None:
        self._clients: dict[str, Any] = {}
        self._exit = ExitStack()
        clock = RealClock(idle) if real_time else VirtualClock(start or _now())
        self.history = MemoryHistory()
        self.stack = LocalStack(template, self.client, working_folder, kept=kept_objects)
        self.functions = LocalFunctions(
            {self.stack.reference(name): function for name, function in functions.items()},
            self.stack.variables,
            self.new_id,
        )
        self.handler_clock = HandlerClock(clock, virtual=not real_time)
        self.tasks = LocalTasks(
            self.functions,
            Services(self.client, lambda: boto3.Session().get_available_services()),
            self.handler_clock,
            real_time,
            mocks,
            self,
            self.history,
        )
        random = None if real_time else _NoJitter()
        self.engine = Engine(self.tasks, clock=clock, ids=self.new_id, observer=observer, trace=trace, random=random)
        self._executions: dict[str, Execution] = {}
        self._watchers: dict[str, list[Callable[[Execution], None]]] = {}

    def __enter__(self) -> LocalAws:
        with ExitStack() as stack:
            before = {name: os.environ.get(name) for name in (*_ENVIRONMENT, *_HIDDEN)}
            stack.callback(_restore, before)
            for name in _HIDDEN:
                os.environ.pop(name, None)
            stack.enter_context(mock_aws(config={"core": {"mock_credentials": False}}))
            os.environ.update(_ENVIRONMENT)
            session = _session()
            boto3.setup_default_session(botocore_session=session)
            stack.callback(moto_seam.install(self).remove)
            stack.callback(runtime_clients.reset)
            runtime_clients.reset(session)
            stack.enter_context(hosted(Host(clock=self.handler_clock, history=self.history)))
            stack.callback(self._stop_everything)
            self._exit = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.__exit__(kind, error, trace)

    def _stop_everything(self) -> None:
        for execution in self._executions.values():
            self.engine.stop(execution)
        self.stack.keep_objects()
        self._clients.clear()

    def client(self, service: str) -> Any:
        """The boto3 client of a service."""
        if service not in self._clients:
            # One attempt, and no retry that would really wait: the emulation refuses for good reasons only.
            config = Config(retries={"mode": "standard", "total_max_attempts": 1}, parameter_validation=True)
            self._clients[service] = boto3.client(service, region_name=REGION, config=config)
        return self._clients[service]

    def create_machine(self, name: str, definition: str) -> str:
        """Makes a state machine through the API; its ARN. Raises botocore's ClientError for a bad definition."""
        answer = self.client("stepfunctions").create_state_machine(name=name, definition=definition, roleArn=ROLE)
        return str(answer["stateMachineArn"])

    def start_execution(self, machine_arn: str, text: str, name: str) -> Execution:
        """Starts an execution through the API; it moves when the engine is run."""
        answer = self.client("stepfunctions").start_execution(stateMachineArn=machine_arn, input=text, name=name)
        return self._executions[str(answer["executionArn"])]

    # What moto's API asks for: moto_seam.Desk.

    def new_id(self) -> str:
        return str(uuid.uuid4())

    def now(self) -> datetime:
        return self.engine.clock.now()

    def call_at(self, moment: datetime, action: Callable[[], None]) -> None:
        self.engine.call_later((moment - self.now()).total_seconds(), action, passive=True)

    def start(self, definition: str, data: Json, name: str, machine_arn: str, role_arn: str) -> Execution:
        execution = self.engine.start(
            definition,
            data,
            name=name,
            state_machine_arn=machine_arn,
            role_arn=role_arn,
            parent=self.tasks.current,
            on_end=self._ended,
        )
        self._executions[execution.arn] = execution
        moto_seam.publish_status(execution, ACCOUNT, REGION, self.new_id())
        return execution

    def _ended(self, execution: Execution) -> None:
        moto_seam.publish_status(execution, ACCOUNT, REGION, self.new_id())
        self.history.ended_run(execution.name, self.handler_clock.now())
        for then in self._watchers.pop(execution.arn, []):
            then(execution)

    def stop(self, execution: Execution, error: str | None, cause: str | None) -> None:
        self.engine.stop(execution, error, cause)

    def redrive(self, execution: Execution) -> None:
        self.engine.redrive(execution)
        moto_seam.publish_status(execution, ACCOUNT, REGION, self.new_id())

    def drive(self, execution: Execution) -> None:
        self.engine.run(until=execution)

    def complete_task(self, token: str, output: str) -> None:
        self.engine.complete_task_text(token, output)

    def fail_task(self, token: str, error: str | None, cause: str | None) -> None:
        self.engine.fail_task(token, error, cause)

    def heartbeat_task(self, token: str) -> None:
        self.engine.heartbeat_task(token)

    def invoke(self, name: str, payload: Json) -> Answer:
        return self.functions.invoke(name, payload)

    def first_call(self, service: str) -> None:
        self.stack.provision(service)

    # What a task that waits for a child asks for: tasks.Executions.

    def when_ended(self, arn: str, then: Callable[[Execution], None]) -> None:
        self._watchers.setdefault(arn, []).append(then)

    def stop_by_arn(self, arn: str) -> None:
        self._watchers.pop(arn, None)
        self.engine.stop(self._executions[arn])

    def answer(self, token: str, outcome: TaskSucceeded | TaskFailed) -> None:
        try:
            if isinstance(outcome, TaskSucceeded):
                self.engine.complete_task(token, outcome.output)
            else:
                self.engine.fail_task(token, outcome.error, outcome.cause)
        except EngineError:
            # The task was given up in the same moment; AWS too drops such an answer.
            return


class _NoJitter(Random):
    """The engine's random numbers in virtual time: a back-off lasts its whole delay, the same in every run."""

    def uniform(self, a: float, b: float) -> float:  # noqa: ARG002 - the signature is Random's
        return b


def _session() -> Any:
    """A botocore session of its own, which shares with others only what it has read of botocore's data files."""
    session = botocore.session.Session()
    session.register_component("data_loader", data_loader())
    return session


def _restore(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _now() -> datetime:
    """Milliseconds are the finest that history events and records have."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
