"""Runs a program on the engine: its actions are scripted, and so are the people who decide and who order; the machines,
the gate at each step's boundary and the ledger of a rollback are the real ones."""

from __future__ import annotations

import contextlib
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from stepsmith.asl.names import machine_id
from stepsmith.engine import (
    Engine,
    Execution,
    Status,
    TaskCall,
    TaskFailed,
    TaskOutcome,
    TaskSucceeded,
    TaskTokenError,
    TaskWaiting,
)
from stepsmith.local.services import compact
from stepsmith.local.tasks import child_description
from stepsmith_functions.runtime.control import Control
from stepsmith_functions.runtime.control import Order as Ordered
from stepsmith_functions.runtime.errors import ActionError, RunCancelled
from stepsmith_functions.runtime.gate import Boundary, Keepers, ask
from tests.semantics.attempts import Answer
from tests.semantics.programs.naming import ROOT, child_run
from tests.semantics.programs.program import Program
from tests.semantics.reference import SECOND, Call
from tests.support.ledger import FUNCTION, Told

OUR_KEYS = ("AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID", "STEPSMITH_PARENTS")
"""What a machine adds to the input of a workflow that it starts."""


class FullJitter(random.Random):
    """Back-off without chance: jitter counts as none."""

    def uniform(self, a: float, b: float) -> float:
        return b


def on_engine(program: Program) -> tuple[Execution, list[Call]]:
    """The execution of the program's workflow, and the calls of all its runs."""
    bench = _Bench(program)
    execution = bench.engine.start(program.compilation.asl or "", program.given, name=ROOT)
    bench.began = execution.started
    bench.engine.run(execution)
    bench.finish(execution)
    return execution, bench.calls


@dataclass
class _Bench:
    program: Program
    calls: list[Call] = field(default_factory=list)
    told: Told = field(default_factory=Told)
    began: datetime = datetime(2025, 1, 1, tzinfo=UTC)

    def __post_init__(self) -> None:
        self.script = self.program.performance()
        self.engine = Engine(self._answer, random=FullJitter(0))
        self.machines = {f"${{{machine_id(name)}}}": child for name, child in self.program.children.items()}

    def finish(self, execution: Execution) -> None:
        """Runs what was started without being waited for to its end."""
        for child in execution.children:
            self.engine.run(until=child)
            self.finish(child)

    def _now(self) -> int:
        return round((self.engine.clock.now() - self.began).total_seconds() * SECOND)

    def _answer(self, call: TaskCall) -> TaskOutcome:
        if ":states:::states:startExecution" in call.resource:
            return self._start(call)
        arguments: Any = call.arguments
        payload = arguments["Payload"]
        if arguments["FunctionName"] == FUNCTION:
            return self.told.ledger(call)
        step, run = payload["step"], payload["run"]
        outcome: TaskOutcome
        refused = self._refusal(payload)
        error = type(refused).__name__ if refused is not None else None
        self.calls.append(replace(call_of(payload, self._now()), refused=error))
        if refused is not None:
            after = self.program.refusal(run["id"], step["path"], step["attempt"])
            cause = compact({"errorMessage": str(refused), "errorType": type(refused).__name__})
            outcome = TaskFailed(type(refused).__name__, cause, after / SECOND)
            if isinstance(refused, RunCancelled):
                self.told.step(call, outcome)
            return outcome
        given = self.script(step["id"], step["path"], step["attempt"], run["id"], run["workflow"])
        if "token" in payload:
            self.engine.call_later(given.after / SECOND, lambda: self._decide(payload["token"], given), passive=True)
            self._withdraw(payload)
            return TaskWaiting({"StatusCode": 200, "Payload": None})
        if given.error is None:
            outcome = TaskSucceeded({"StatusCode": 200, "Payload": given.result}, given.after / SECOND)
        else:
            outcome = TaskFailed(given.error, cause_of(given.message, given.error), given.after / SECOND)
        self.told.step(call, outcome)
        return outcome

    def _refusal(self, payload: Any) -> ActionError | None:
        """What the gate says to the call of an action."""
        run = payload["run"]
        control = run.get("control")
        step = Boundary(
            run_id=run["id"],
            controlled=control is not None,
            pausable=control is not None and control["pausable"],
            parents=tuple(control["parents"]) if control is not None else (),
            attempt=payload["step"]["attempt"],
        )
        keepers = Keepers(
            control=lambda: self,
            begin=lambda: None,
            now=self.engine.clock.now,
            logger=lambda: logging.getLogger("bench"),
        )
        try:
            ask(step, keepers)
        except ActionError as refused:
            return refused
        return None

    def controls(self, run_ids: Sequence[str]) -> Sequence[Control]:
        """The orders that stand for any of these runs."""
        now = self._now()
        return [
            Control(Ordered(order.kind), "ann", self.engine.clock.now())
            for order in self.program.orders
            if order.run in run_ids and order.since <= now < order.until
        ]

    def _start(self, call: TaskCall) -> TaskOutcome:
        """Starts another workflow, and waits for its end where the resource says `.sync`."""
        arguments: Any = call.arguments
        given = {key: value for key, value in arguments["Input"].items() if key not in OUR_KEYS}
        name = child_run(call.execution.name, call.state, self._now(), given)
        self.calls.append(Call(self._now(), "", 0, given, name))
        token = call.token if ".sync" in call.resource else None

        def ended(child: Execution) -> None:
            with contextlib.suppress(TaskTokenError):  # it was given up
                if token is None:
                    return
                if child.status is Status.SUCCEEDED:
                    self.engine.complete_task(token, child_description(child, True))
                else:
                    self.engine.fail_task(token, "States.TaskFailed", compact(child_description(child, False)))

        machine = self.machines[arguments["StateMachineArn"]]
        asl = machine.compilation.asl or ""
        child = self.engine.start(asl, arguments["Input"], name=name, parent=call.execution, on_end=ended)
        submitted = {"ExecutionArn": child.arn, "StartDate": 0}
        if token is None:
            return TaskSucceeded(submitted)
        return TaskWaiting(submitted, cancel=lambda: self.engine.stop(child))

    def _withdraw(self, payload: Any) -> None:
        """What a cancel does to a question that waits."""
        run, control = payload["run"], payload["run"].get("control")
        runs = () if control is None else (run["id"], *control["parents"])
        withdrawn = Answer(0, error=RunCancelled.__name__, message="the run was cancelled by ann")
        for order in self.program.orders:
            if order.kind == "cancel" and order.run in runs:
                seconds = (order.since - self._now()) / SECOND
                self.engine.call_later(seconds, lambda: self._decide(payload["token"], withdrawn), passive=True)

    def _decide(self, token: str, given: Answer) -> None:
        """Answers for the people who were asked; too late once the step's time is over or its branch was given up."""
        with contextlib.suppress(TaskTokenError):
            if given.error is None:
                self.engine.complete_task(token, given.result)
            else:
                self.engine.fail_task(token, given.error, given.message)


def call_of(payload: Any, at: int) -> Call:
    """The attempt that a handler is called with; of an approval without what the reference has no words for."""
    step, params, run = payload["step"], dict(payload["params"]), payload["run"]["id"]
    if "token" in payload:
        for setting in ("quorum", "timeout", "remind"):
            params.pop(setting, None)
    return Call(at, step["path"], step["attempt"], params, "" if run == ROOT else run)


def cause_of(message: str, error: str) -> str:
    quoted = message.replace('"', '\\"')
    return f'{{"errorMessage": "{quoted}", "errorType": "{error}", "stackTrace": []}}'
