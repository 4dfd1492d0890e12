"""A whole run: its steps, what undoes them, its `finally`, its output and its end; and the runs that it starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stepsmith.catalog import ActionCatalog
from stepsmith.model.policies import Then
from stepsmith.model.steps import ActionStep, ChildStep, TryStep
from stepsmith.model.workflow import Workflow
from tests.semantics.attempts import Answer, Attempt
from tests.semantics.orders import Orders
from tests.semantics.programs.naming import ROOT
from tests.semantics.reference.blocks import Blocks
from tests.semantics.reference.evaluating import TIMEOUT, problems_of
from tests.semantics.reference.state import (
    SECOND,
    Outcome,
    Plain,
    Raised,
    Refusal,
    RollsBack,
    Scope,
    Script,
    Stopped,
    World,
)
from tests.semantics.schedule import Ambiguous, OutOfTime, Pause, Process, Scheduler, Within

ASKS_AGAIN = 5 * SECOND
"""How often a rollback looks whether what Step Functions has given up is over."""


class Interpreter:
    """Says what comes of a run, and of the runs that it starts."""

    def __init__(
        self,
        workflow: Workflow,
        catalog: ActionCatalog,
        given: Mapping[str, Any],
        script: Plain | None = None,
        *,
        children: Mapping[str, Workflow] | None = None,
        answers: Script | None = None,
        orders: Orders = (),
        refusal: Refusal | None = None,
        run: type[Run] | None = None,
    ) -> None:
        """`script` answers the attempts of a run that starts no other, `answers` those of all. `orders` are given to
        runs by their ids, and `refusal` says how long it takes to refuse an action. `run` makes the first run."""
        self._workflow, self._given, self._run = workflow, given, run or Run
        answering = answers or _of_one(script or _nothing)
        scheduler = Scheduler((Raised, RollsBack, Stopped))
        self._world = World(catalog, answering, children or {}, orders, refusal or _at_once, scheduler)

    def run(self) -> Outcome:
        """How the run ends, with the calls of all runs. Raises Ambiguous where the language leaves an order open."""
        whole = self._run(self._workflow, self._world, self._given, ROOT, ())
        outcome: Outcome
        outcome, outcome.elapsed = self._world.scheduler.run(whole.process())
        outcome.calls = self._world.calls
        outcome.runs = list(self._world.started.items())
        return outcome


def _of_one(script: Plain) -> Script:
    return lambda step, path, attempt, run, workflow: script(step, path, attempt)


def _nothing(step: str, path: str, attempt: int) -> Answer:
    raise LookupError(f"nothing says how attempt {attempt} of {path} ({step}) ends")


def _at_once(run: str, path: str, attempt: int) -> int:
    return 0


class Run(Blocks):
    """One run of a workflow: the one that is asked for, or one that a step started."""

    def __init__(
        self, workflow: Workflow, world: World, given: Mapping[str, Any], run: str, parents: tuple[str, ...]
    ) -> None:
        super().__init__(workflow, world, given, run, parents)
        self._outlived = _outlived(workflow)
        self._rolled_back: str | None = None
        """The status of the run if its steps were undone."""

    def process(self) -> Process:
        """The run from its beginning to its end; returns its Outcome, whatever it is."""
        try:
            problems = problems_of(self._input, self._workflow.input or ())
            if problems:
                raise Raised("InputInvalid", problems, "")
            limit = None if self._outlived or self._workflow.timeout is None else self._workflow.timeout * SECOND
            output = (yield from self._whole()) if limit is None else (yield Within(self._whole(), limit))
        except OutOfTime:
            return Outcome("timed_out", error=TIMEOUT)
        except Stopped as stopped:
            return Outcome("succeeded", stopped.output)
        except Raised as raised:
            late = raised.late and self._rolled_back != "rollback_failed"
            status = "timed_out" if late else self._rolled_back or "failed"
            if raised.cancels and status != "rollback_failed":
                status = "cancelled"
            ending = Outcome(status, error=raised.type, message=raised.message, step=raised.step)
            ending.cancelled = raised.cancels
            return ending
        return Outcome("succeeded", output)

    def _started(self, workflow: str, given: Mapping[str, Any], run: str, parents: tuple[str, ...]) -> Process:
        return Run(self._world.workflows[workflow], self._world, given, run, parents).process()

    def _whole(self) -> Process:
        scope = Scope(timed=self._outlived and self._workflow.timeout is not None)
        yield from self._finally(self._body(scope), self._workflow.finally_steps, scope)
        return self._value(self._workflow.output, scope) if self._workflow.output is not None else None

    def _body(self, scope: Scope) -> Process:
        try:
            yield from self._block(self._workflow.steps, scope)
        except RollsBack as rolls_back:
            yield from self._roll_back()
            raise rolls_back.raised from None
        except Raised as raised:
            if self._workflow.on_failure is Then.ROLLBACK and (raised.cancels or not raised.final):
                yield from self._roll_back()
            raise

    # -- rollback ---------------------------------------------------------------------------------

    def _roll_back(self) -> Process:
        """Undoes what has completed, the latest first, once nothing can complete any more."""
        while (known := self._attempts_made.known(self._scheduler.now)).running:
            yield Pause(ASKS_AGAIN)
        if known.tied:
            raise Ambiguous
        self._rolled_back = "rollback_failed" if known.unknown else "rolled_back"
        for path in known.unknown:
            self._in_doubt(path)
        for attempt in known.completed:
            try:
                yield from self._undo(attempt)
            except Raised:
                self._rolled_back = "rollback_failed"

    def _in_doubt(self, path: str) -> None:
        """Nobody knows whether the step took effect: it is not undone."""

    def _undo(self, done: Attempt) -> Process:
        scope: Scope = done.scope
        undo, path = done.step.rollback, f"{done.path}.rollback"
        extra = {"output": self._reshaped(done.step, done.result, scope)}
        do: Callable[..., Process] = self._running if isinstance(undo, ChildStep) else self._calling
        assert isinstance(undo, ActionStep | ChildStep)
        return (yield from do(undo, path, scope, extra))


def _outlived(workflow: Workflow) -> bool:
    """Whether something in the workflow runs on when its time is up: then the deadline is only for the main path."""
    steps = list(workflow.every_step())
    handlers = [each for step in steps for each in (*(step.on_failure or ()), *getattr(step, "catch", ()))]
    last = [block for step in steps if isinstance(step, TryStep) and (block := step.finally_steps)]
    undone = workflow.on_failure is Then.ROLLBACK or any(each.then is Then.ROLLBACK for each in handlers)
    return bool(workflow.finally_steps or last or undone or any(each.steps for each in handlers))
