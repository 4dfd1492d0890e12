"""Task: one call of the task handler per attempt, with its timeout, its heartbeat and its token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from stepsmith.engine.core import Core
from stepsmith.engine.errors import DATA_LIMIT_EXCEEDED, TIMEOUT, Failure
from stepsmith.engine.events import Detail
from stepsmith.engine.execution import Visit
from stepsmith.engine.flow import context_for, evaluation_failed, fail, finish
from stepsmith.engine.limits import DATA_BYTES, WAIT_SECONDS, check_data
from stepsmith.engine.machine import Task
from stepsmith.engine.states.numbers import whole
from stepsmith.engine.tasks import TaskCall, TaskFailed, TaskOutcome, TaskSucceeded, TaskWaiting
from stepsmith.engine.templates import FieldError, Query
from stepsmith.engine.values import Json, Payload

if TYPE_CHECKING:
    from stepsmith.engine.scheduler import Timer

_OPTIMISED: Final = "arn:aws:states:::"


@dataclass(frozen=True, slots=True)
class Grammar:
    """How the history speaks of a resource: its family of events and the details that each of them repeats."""

    family: str
    resource: str
    resource_type: str
    has_token: bool

    @classmethod
    def of(cls, resource: str) -> Grammar:
        """The grammar of a resource ARN (recorded for all three families)."""
        parts = resource.split(":")
        partition, service = ([*parts[1:3], "", ""])[:2]
        if service == "lambda":
            return cls("LambdaFunction", resource, "lambda", False)
        if service == "states" and len(parts) > 5 and parts[5] == "activity":
            return cls("Activity", resource, "activity", True)
        prefix = f"arn:{partition}:states:::"
        name = resource.removeprefix(prefix)
        kind, _, action = name.partition(":")
        if kind == "aws-sdk":
            service_name, _, action = action.partition(":")
            kind = f"aws-sdk:{service_name}"
        waits = ".waitForTaskToken" in action or ".sync" in action
        return cls("Task", action, kind, waits)

    @property
    def subject(self) -> str:
        """What a cause calls the task when its result is too large."""
        return self.resource_type if self.family == "Task" else self.resource

    def details(self) -> dict[str, Detail]:
        """The details that every event of the family has."""
        if self.family == "Task":
            return {"resourceType": self.resource_type, "resource": self.resource}
        return {}


_grammars: dict[str, Grammar] = {}


def grammar_of(resource: str) -> Grammar:
    """`Grammar.of`, remembered."""
    grammar = _grammars.get(resource)
    if grammar is None:
        grammar = _grammars[resource] = Grammar.of(resource)
    return grammar


class Attempt:
    """One attempt at a task, from its start to its answer."""

    __slots__ = (
        "answer",
        "answered",
        "cancel",
        "core",
        "deadline",
        "grammar",
        "heartbeat",
        "open",
        "state",
        "submitted",
        "timers",
        "token",
        "visit",
    )

    def __init__(
        self,
        core: Core,
        visit: Visit,
        state: Task,
        grammar: Grammar,
        token: str | None,
        deadline: datetime | None,
        heartbeat: float | None,
    ) -> None:
        self.core = core
        self.visit = visit
        self.state = state
        self.grammar = grammar
        self.token = token
        self.deadline = deadline
        self.heartbeat = heartbeat
        self.open = True
        self.submitted = False
        self.answered = False
        self.answer: TaskSucceeded | TaskFailed | None = None
        self.timers: dict[str, Timer] = {}
        self.cancel: Callable[[], None] | None = None

    def close(self) -> None:
        """Take no answer any more; whoever was asked for one is told."""
        if not self.open:
            return
        self.open = False
        for timer in self.timers.values():
            timer.cancel()
        self.timers.clear()
        if self.visit.close_task == self.close:
            self.visit.close_task = None
        if self.cancel is not None and not self.answered:
            self.cancel()  # an answer given from within has nobody to go to, and is no error
        if self.token is not None:
            self.core.attempts[self.token] = None

    def take(self, outcome: TaskOutcome) -> None:
        """What the handler returned, or what it will have returned after so many seconds."""
        core = self.core
        done = core.now() + timedelta(seconds=outcome.after)
        if self.deadline is not None and done > self.deadline:
            if isinstance(outcome, TaskWaiting):
                self.cancel = outcome.cancel
            self._at(self.deadline, "deadline", partial(self.time_out, missed_heartbeat=False))
        elif outcome.after > 0:
            self._at(done, "result", partial(self.settle, outcome))
        else:
            # After whatever else is due now, so that siblings have begun before one that fails at once ends them.
            core.soon(partial(self.settle, outcome))

    def settle(self, outcome: TaskOutcome) -> None:
        """The handler's outcome has come about."""
        if not self._alive():
            return
        match outcome:
            case TaskWaiting():
                self._wait(outcome)
            case TaskSucceeded():
                self._succeed(outcome.output)
            case TaskFailed():
                self._fail(outcome.error, outcome.cause)

    def beat(self) -> None:
        """A heartbeat came: the clock for the next one starts anew."""
        if self.heartbeat is not None and self.submitted:
            timer = self.timers.pop("heartbeat", None)
            if timer is not None:
                timer.cancel()
            self._at(
                self.core.now() + timedelta(seconds=self.heartbeat),
                "heartbeat",
                partial(self.time_out, missed_heartbeat=True),
            )

    def time_out(self, *, missed_heartbeat: bool) -> None:
        """The task's time is up, or a heartbeat was missed; recorded, both show as States.Timeout without a cause."""
        if not self._alive():
            return
        self.close()
        run = self.visit.run
        details: dict[str, Detail] = {**self.grammar.details(), "error": TIMEOUT}
        event = self.core.record(run.execution, f"{self.grammar.family}TimedOut", details, run.last_event)
        run.last_event = event.id
        fail(self.core, self.visit, Failure(TIMEOUT, missed_heartbeat=missed_heartbeat))

    def _wait(self, outcome: TaskWaiting) -> None:
        run = self.visit.run
        self.cancel = outcome.cancel
        self.submitted = True
        if self.grammar.family == "Task":
            details: dict[str, Detail] = {**self.grammar.details(), "output": Payload(outcome.submitted).text}
            run.last_event = self.core.record(run.execution, "TaskSubmitted", details, run.last_event).id
        if self.answer is not None:
            self.settle(self.answer)
            return
        if self.deadline is not None:
            self._at(self.deadline, "deadline", partial(self.time_out, missed_heartbeat=False))
        self.beat()

    def _succeed(self, output: Json) -> None:
        core, visit, run = self.core, self.visit, self.visit.run
        result = Payload(output)
        oversized = check_data(result, self.grammar.subject)
        if oversized is not None:
            self._fail(oversized.error, oversized.cause)
            return
        self.answered = True
        self.close()
        core.evaluator.watch(result.text)
        details: dict[str, Detail] = {**self.grammar.details(), "output": result.text}
        event = core.record(run.execution, f"{self.grammar.family}Succeeded", details, run.last_event)
        run.last_event = event.id
        state = self.state
        finish(core, visit, result, {"result": result}, state.assign, state.output, state.next)

    def _fail(self, error: str | None, cause: str | None) -> None:
        run = self.visit.run
        self.answered = True
        self.close()
        details = self.grammar.details()
        if error is not None:
            details["error"] = error
        if cause is not None:
            details["cause"] = cause
        event = self.core.record(run.execution, f"{self.grammar.family}Failed", details, run.last_event)
        run.last_event = event.id
        fail(self.core, self.visit, Failure(error, cause))

    def _alive(self) -> bool:
        return self.open and not self.visit.run.closed and self.visit.run.execution.running

    def _at(self, when: datetime, name: str, action: partial[None]) -> None:
        self.timers[name] = self.core.scheduler.call_at(when, action)


def begin(core: Core, visit: Visit, state: Task) -> None:
    """Schedule and start an attempt: fields are evaluated anew for each (documented and measured)."""
    run = visit.run
    grammar = grammar_of(state.resource)
    token = core.ids() if grammar.has_token else None
    visit.count_retries()
    if token is not None:
        visit.context_object()["Task"] = {"Token": token}
    context = context_for(core, visit, {})
    try:
        arguments = visit.input if state.arguments is None else Payload(state.arguments.render(context))
        timeout = whole(state.timeout, context, "TimeoutSeconds", 1, WAIT_SECONDS)
        heartbeat = whole(state.heartbeat, context, "HeartbeatSeconds", 1, WAIT_SECONDS)
        role_arn: str | None = None
        if state.role_arn is not None:
            role = state.role_arn.render(context)
            if not isinstance(role, str):
                if isinstance(state.role_arn, Query):
                    raise state.role_arn.unexpected("string", role)
                raise FieldError("Credentials/RoleArn", None, "The RoleArn of Credentials must be a string.")
            role_arn = role
    except FieldError as problem:
        evaluation_failed(core, visit, problem)
        return
    if arguments.size > DATA_BYTES:
        fail(
            core,
            visit,
            Failure(
                DATA_LIMIT_EXCEEDED,
                f"The state/task '{state.name}' has arguments with a size exceeding the maximum number of bytes "
                "service limit.",
            ),
        )
        return
    _record_start(core, visit, grammar, arguments, timeout, heartbeat, role_arn)
    now = core.now()
    deadline = None if timeout is None else now + timedelta(seconds=timeout)
    attempt = Attempt(core, visit, state, grammar, token, deadline, heartbeat)
    if token is not None:
        core.attempts[token] = attempt
    visit.close_task = attempt.close
    outcome = core.tasks(
        TaskCall(
            resource=state.resource,
            arguments=arguments.value,
            state=state.name,
            execution=run.execution,
            attempt=visit.attempt,
            token=token,
            timeout_seconds=timeout,
            heartbeat_seconds=heartbeat,
            entered_event_id=visit.entered_event,
            credentials_role_arn=role_arn,
        )
    )
    attempt.take(outcome)


def _record_start(
    core: Core,
    visit: Visit,
    grammar: Grammar,
    arguments: Payload,
    timeout: int | None,
    heartbeat: int | None,
    role_arn: str | None,
) -> None:
    run = visit.run
    details: dict[str, Detail] = {}
    if grammar.family == "Task":
        details.update(grammar.details())
        details["region"] = run.execution.arn.split(":")[3]
        details["parameters"] = arguments.text
    else:
        details["resource"] = grammar.resource
        details["input"] = arguments.text
    if timeout is not None:
        details["timeoutInSeconds"] = timeout
    if heartbeat is not None:
        details["heartbeatInSeconds"] = heartbeat
    if role_arn is not None:
        details["taskCredentials"] = {"roleArn": role_arn}
    scheduled = core.record(run.execution, f"{grammar.family}Scheduled", details, run.last_event)
    run.last_event = core.record(run.execution, f"{grammar.family}Started", grammar.details(), scheduled.id).id
