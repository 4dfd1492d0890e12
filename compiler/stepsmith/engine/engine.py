"""The engine: many executions over one clock, moved by whoever calls `run`.

Deterministic with a `VirtualClock`, given ids and random numbers. Single-threaded: a server with threads of its own
must call it from one at a time.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from random import Random

from stepsmith.engine.clock import Clock, VirtualClock
from stepsmith.engine.core import Core, HistoryFull
from stepsmith.engine.errors import (
    RUNTIME,
    TIMEOUT,
    ExecutionNotRedrivable,
    Failure,
    InvalidOutput,
    InvalidToken,
    TaskTimedOut,
)
from stepsmith.engine.events import Detail, Event
from stepsmith.engine.execution import Execution, Run, Status
from stepsmith.engine.flow import abort, resume, start_run
from stepsmith.engine.limits import DURATION, HISTORY_EVENTS
from stepsmith.engine.machine import Machine
from stepsmith.engine.reader import read_machine
from stepsmith.engine.states import begin
from stepsmith.engine.states.task import Attempt
from stepsmith.engine.tasks import TaskFailed, TaskHandler, TaskSucceeded
from stepsmith.engine.templates import Evaluation
from stepsmith.engine.values import Json, Payload

_STATES_ARN = "arn:aws:states:us-east-1:123456789012"


class _Whole:
    """Owner of an execution's outermost run."""

    def __init__(self, engine: Engine, execution: Execution) -> None:
        self._engine = engine
        self._execution = execution

    def run_succeeded(self, run: Run, output: Payload) -> None:
        """The execution succeeded."""
        self._engine._end(
            self._execution,
            Status.SUCCEEDED,
            "ExecutionSucceeded",
            {"output": output.text},
            run.last_event,
            output=output,
        )

    def run_failed(self, run: Run, failure: Failure) -> None:
        """The execution failed."""
        self._engine._fail(self._execution, failure, run.last_event)


class Engine:
    """Runs state machines in JSONata mode.

    `tasks` does the tasks. `clock` defaults to a `VirtualClock`, `ids` gives fresh UUIDs for names and tokens,
    `random` the numbers for jitter and `$random`. `observer` is told of each history event as it is written, `trace`
    of each evaluated expression.
    """

    def __init__(
        self,
        tasks: TaskHandler,
        *,
        clock: Clock | None = None,
        ids: Callable[[], str] | None = None,
        observer: Callable[[Execution, Event], None] | None = None,
        trace: Callable[[Evaluation], None] | None = None,
        random: Random | None = None,
    ) -> None:
        self.clock: Clock = VirtualClock() if clock is None else clock
        self._core = Core(
            tasks,
            self.clock,
            (lambda: str(uuid.uuid4())) if ids is None else ids,
            Random() if random is None else random,  # noqa: S311 - jitter, not secrets
            observer,
            trace,
            begin,
            self.start,
            self.stop,
        )

    def start(
        self,
        definition: Machine | Mapping[str, Json] | str,
        input: Json,  # noqa: A002 - the API's word
        *,
        name: str | None = None,
        arn: str | None = None,
        state_machine_arn: str = f"{_STATES_ARN}:stateMachine:StateMachine",
        role_arn: str = "arn:aws:iam::123456789012:role/StepFunctions",
        parent: Execution | None = None,
        map_run_arn: str | None = None,
        on_end: Callable[[Execution], None] | None = None,
    ) -> Execution:
        """Put a new execution on the schedule; it moves when `run` or `advance` is called.

        May be called from within a task handler, with that call's execution as `parent`. `on_end` is called once, when
        the execution has ended. Without `name` it is called by a fresh id; without `arn` the ARN is made of the
        machine's and the name. Raises InvalidDefinition and UnsupportedQueryLanguage.
        """
        machine = read_machine(definition)
        if name is None:
            name = self._core.ids()
        if arn is None:
            arn = f"{state_machine_arn.replace(':stateMachine:', ':execution:', 1)}:{name}"
        execution = Execution(
            arn=arn,
            name=name,
            machine=machine,
            state_machine_arn=state_machine_arn,
            role_arn=role_arn,
            input=input,
            started=self._core.now(),
            parent=parent,
            map_run_arn=map_run_arn,
            _on_end=on_end,
        )
        if parent is not None:
            parent._children.append(execution)
        payload = Payload(input)
        self._core.evaluator.watch(payload.text)
        details: dict[str, Detail] = {"input": payload.text, "roleArn": role_arn}
        self._core.record(execution, "ExecutionStarted", details, 0)
        scope = self._core.scope(None)
        # Recorded: the first state's Entered has no parent, not the ExecutionStarted.
        execution._root = Run(execution, machine.graph, _Whole(self, execution), scope, payload, 0)
        self._limit_time(execution)
        start_run(self._core, execution._root)
        return execution

    def run(self, until: Execution | None = None) -> None:
        """Do all there is to do, time going on as far as it must, or only as far as the end of `until`.

        Returns when nothing can happen any more: an execution that waits for a task token without a timeout is then
        still RUNNING. With a RealClock the waits are real; Ctrl-C comes out as KeyboardInterrupt and leaves the
        executions where they are.
        """
        while until is None or until.running:
            if self._step():
                continue
            deadline = self._core.scheduler.next_deadline()
            if deadline is None:
                return
            self.clock.wait_until(deadline)
            self._core.scheduler.wake()

    def advance(self, seconds: float) -> None:
        """Let this much time pass and do all that is due in it. With 0, do what is due now."""
        end = self.clock.now() + timedelta(seconds=seconds)
        scheduler = self._core.scheduler
        while True:
            scheduler.wake()
            while self._step():
                pass
            deadline = scheduler.next_deadline(passive=True)
            if deadline is None or deadline > end:
                break
            self.clock.wait_until(deadline)
        self.clock.wait_until(end)
        scheduler.wake()
        while self._step():
            pass

    @property
    def next_deadline(self) -> datetime | None:
        """When the engine next wants `advance` to be called; None when only an answer from outside can move it."""
        if self._core.scheduler.has_due:
            return self.clock.now()
        return self._core.scheduler.next_deadline()

    def call_later(self, seconds: float, action: Callable[[], None], *, passive: bool = False) -> None:
        """Call a function when this much time has passed: a schedule, a scripted answer to a task token.

        One that is `passive` is called when its time has come, but `run` does not go on for its sake alone: a
        schedule that sets itself anew would otherwise never let it return.
        """
        when = self.clock.now() + timedelta(seconds=seconds)
        self._core.scheduler.call_at(when, action, passive=passive)

    def complete_task(self, token: str, output: Json) -> None:
        """Answer a waiting task with its result. Raises InvalidToken and TaskTimedOut."""
        self._answer(token, TaskSucceeded(output))

    def complete_task_text(self, token: str, output: str) -> None:
        """As `complete_task`, with JSON text as SendTaskSuccess takes it. Raises InvalidOutput too."""
        try:
            value = json.loads(output)
        except ValueError as problem:
            raise InvalidOutput(f"Invalid Output: '{problem}'") from None
        self.complete_task(token, value)

    def fail_task(self, token: str, error: str | None = None, cause: str | None = None) -> None:
        """Answer a waiting task with a failure. Raises InvalidToken and TaskTimedOut."""
        self._answer(token, TaskFailed(error, cause))

    def heartbeat_task(self, token: str) -> None:
        """Tell that a waiting task is still worked on. Raises InvalidToken and TaskTimedOut."""
        self._attempt(token).beat()

    def stop(self, execution: Execution, error: str | None = None, cause: str | None = None) -> None:
        """End an execution from outside: no Catch, nothing of it runs on. Does nothing when it has ended."""
        if not execution.running:
            return
        details: dict[str, Detail] = {}
        if error is not None:
            details["error"] = error
        if cause is not None:
            details["cause"] = cause
        self._end(execution, Status.ABORTED, "ExecutionAborted", details, 0, error=error, cause=cause)

    def redrive(self, execution: Execution) -> None:
        """Take up an execution that failed, timed out or was stopped where it ended, with the variables it had.

        Raises ExecutionNotRedrivable for one that runs or has succeeded, and for a history that is too long.
        """
        if execution.status in (Status.RUNNING, Status.SUCCEEDED):
            raise ExecutionNotRedrivable(f"Execution is {execution.status} and cannot be redriven")
        if len(execution._events) >= HISTORY_EVENTS - 1:
            raise ExecutionNotRedrivable("Execution history event limit has been reached")
        root = execution._root
        assert root is not None
        execution.redrive_count += 1
        execution.redriven = self._core.now()
        execution.status = Status.RUNNING
        execution.error = execution.cause = execution.failure = execution.stopped = None
        execution._context = execution._bound_about = None
        event = self._core.record(execution, "ExecutionRedriven", {"redriveCount": execution.redrive_count}, 0)
        self._limit_time(execution)
        self._guarded(partial(resume, self._core, root, event.id))

    def _step(self) -> bool:
        scheduler = self._core.scheduler
        if not scheduler.has_due:
            return False
        self._guarded(scheduler.run_one)
        return True

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except HistoryFull as full:
            self._fail(
                full.execution,
                Failure(RUNTIME, f"The execution reached the maximum number of history events ({HISTORY_EVENTS})."),
                len(full.execution._events),
            )

    def _limit_time(self, execution: Execution) -> None:
        """Set the machine's own timeout, or else the year that AWS gives, which by itself makes no time pass."""
        seconds = execution.machine.timeout
        limit = DURATION if seconds is None else timedelta(seconds=seconds)
        execution._timer = self._core.scheduler.call_at(
            self._core.now() + limit, partial(self._time_out, execution), passive=seconds is None
        )

    def _time_out(self, execution: Execution) -> None:
        if execution.running:
            root = execution._root
            last = 0 if root is None else root.last_event
            # Recorded: DescribeExecution then has neither error nor cause.
            self._end(execution, Status.TIMED_OUT, "ExecutionTimedOut", {"error": TIMEOUT}, last)

    def _fail(self, execution: Execution, failure: Failure, previous: int) -> None:
        details: dict[str, Detail] = {}
        if failure.error is not None:
            details["error"] = failure.error
        if failure.cause is not None:
            details["cause"] = failure.cause
        execution.failure = failure
        self._end(
            execution,
            Status.FAILED,
            "ExecutionFailed",
            details,
            previous,
            error=failure.error,
            cause=failure.cause,
        )

    def _end(
        self,
        execution: Execution,
        status: Status,
        kind: str,
        details: Mapping[str, Detail],
        previous: int,
        *,
        output: Payload | None = None,
        error: str | None = None,
        cause: str | None = None,
    ) -> None:
        if execution._timer is not None:
            execution._timer.cancel()
            execution._timer = None
        if execution._root is not None:
            abort(self._core, execution._root, record=False)
        execution.stopped = self._core.now()
        execution.error = error
        execution.cause = cause
        if output is not None:
            execution.output = output.value
            execution.output_text = output.text
        execution.status = status
        self._core.record(execution, kind, details, previous, last=True)
        if execution._on_end is not None:
            execution._on_end(execution)

    def _attempt(self, token: str) -> Attempt:
        attempts = self._core.attempts
        if token not in attempts:
            raise InvalidToken("Invalid Token: 'Invalid token'")
        attempt = attempts[token]
        if attempt is None or attempt.answered:
            raise TaskTimedOut("Task Timed Out: 'Provided task does not exist anymore'")
        return attempt

    def _answer(self, token: str, outcome: TaskSucceeded | TaskFailed) -> None:
        attempt = self._attempt(token)
        attempt.answered = True
        attempt.answer = outcome
        if attempt.submitted:
            self._core.soon(partial(attempt.settle, outcome))
