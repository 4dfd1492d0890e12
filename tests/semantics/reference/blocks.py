"""Steps that hold others: blocks, branches, loops, handlers and `finally`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, assert_never

from stepsmith.expressions.tree import Template
from stepsmith.model.policies import Handler, Then
from stepsmith.model.steps import (
    ActionStep,
    ApprovalStep,
    Block,
    ChildStep,
    FailStep,
    ForEachStep,
    GraphStep,
    ParallelStep,
    RepeatStep,
    SetStep,
    Step,
    StopStep,
    SwitchStep,
    TryStep,
    WaitStep,
    is_written,
    walk,
)
from tests.semantics.reference.calling import Caller
from tests.semantics.reference.evaluating import TIMEOUT, reads
from tests.semantics.reference.state import KEPT, MISSING, SECOND, Raised, RollsBack, Scope, Stopped
from tests.semantics.schedule import Ambiguous, Pause, Process, Signal, Together, Until


class Blocks(Caller):
    """Does the steps of one run in their order."""

    # -- blocks and steps -------------------------------------------------------------------------

    def _block(self, block: Block, scope: Scope) -> Process:
        """Runs the steps in order; returns the output of the last one, `MISSING` where it has none."""
        for step in block:
            yield from self._step(step, scope)
        return scope.steps[block[-1].id].get("output", MISSING) if block else MISSING

    def _step(self, step: Step, scope: Scope) -> Process:
        if step.condition is not None and not self._true(step.condition, scope):
            scope.steps[step.id] = {"status": "skipped"}
            return
        try:
            output = yield from self._verb(step, scope)
        except RollsBack as rolls_back:
            scope.steps[step.id] = {"status": "failed", "error": rolls_back.raised.fields()}
            raise
        except Raised as raised:
            if isinstance(step, ParallelStep | ForEachStep) and raised.type == TIMEOUT and self._is_late(scope):
                raised.late, raised.message = True, self._late_message()
            # What the step itself says beats what the workflow says; a block fails anew, by itself.
            raised.final = (raised.final and isinstance(step, SwitchStep | RepeatStep)) or step.on_failure == ()
            scope.steps[step.id] = {"status": "failed", "error": raised.fields(self._shown_step(step, raised))}
            yield from self._handle(step, step.on_failure or (), raised, scope, self._shown_step(step, raised))
            return
        if output is not KEPT:
            scope.steps[step.id] = _succeeded(output)

    def _shown_step(self, step: Step, raised: Raised) -> str:
        """Step Functions does not tell which state inside a Parallel or Map failed, so the block stands for it."""
        if isinstance(step, ParallelStep | ForEachStep):
            raised.step = step.id
        return raised.step

    def _handle(self, owner: Step, handlers: tuple[Handler, ...], raised: Raised, scope: Scope, step: str) -> Process:
        """Goes on after a failure where a handler says so, else raises it again. None goes on past the deadline."""
        while handlers and handlers[-1].then is Then.FAIL and not handlers[-1].steps:
            handlers = handlers[:-1]  # it says what happens anyway
        handler = next((item for item in handlers if self._covers(item.errors, raised.type)), None)
        if handler is None or raised.cancels:
            raise raised
        raised.refused = False
        outer, scope.error = scope.error, raised.fields(step)
        timed, scope.timed = scope.timed, False
        try:
            yield from self._block(handler.steps, scope)
        except Raised as anew:
            anew.final = False
            raise
        finally:
            scope.error, scope.timed = outer, timed
        if handler.then is Then.ROLLBACK:
            raise RollsBack(raised)
        if handler.then is not Then.CONTINUE:
            raise raised
        if self._is_late(scope) and (handler.steps or raised.type == TIMEOUT):
            late = self._late(owner)
            scope.steps[owner.id] = {"status": "failed", "error": late.fields()}
            raise late

    def _verb(self, step: Step, scope: Scope) -> Process:
        match step:
            case ActionStep():
                return (yield from self._action(step, scope))
            case ChildStep():
                return (yield from self._child(step, scope))
            case ApprovalStep():
                return (yield from self._approval(step, scope))
            case SetStep():
                scope.variables |= self._value(step.values, scope)
                return None
            case WaitStep():
                seconds = step.seconds
                if isinstance(seconds, Template):
                    seconds = self._text(seconds, scope)
                yield Pause(self._cut((seconds or 0) * SECOND, scope))
                self._in_time(step, scope)
                return None
            case StopStep():
                raise Stopped(self._value(step.result, scope) if step.result is not None else None)
            case FailStep():
                raise Raised(step.error, self._value(step.cause, scope), step.id)
            case SwitchStep():
                return (yield from self._switch(step, scope))
            case RepeatStep():
                return (yield from self._repeat(step, scope))
            case ParallelStep():
                return (yield from self._attempts(lambda: self._parallel(step, scope), step.retry, []))
            case ForEachStep():
                return (yield from self._attempts(lambda: self._for_each(step, scope), step.retry, []))
            case TryStep():
                return (yield from self._try(step, scope))
            case GraphStep():
                return (yield from self._graph(step, scope))
            case _:
                assert_never(step)

    def _switch(self, step: SwitchStep, scope: Scope) -> Process:
        for case in step.cases:
            if case.condition is None or self._true(case.condition, scope):
                return (yield from self._block(case.steps, scope))
        return MISSING

    def _repeat(self, step: RepeatStep, scope: Scope) -> Process:
        outer = scope.path
        inside = [inner.id for inner in walk(step.steps)]
        output: Any = MISSING
        number = 0

        def forget() -> None:
            for name in inside:
                scope.steps.pop(name, None)

        try:
            while True:
                if step.go_on is not None and not self._true(step.go_on, scope):
                    return output
                if step.delay and (step.go_on is not None or number):
                    self._in_time(step, scope)
                if number == step.most:
                    raise Raised("RepeatExhausted", f"{step.id} was not done after {step.most} rounds", step.id)
                if number and step.delay:
                    yield Pause(self._cut(step.delay * SECOND, scope))
                forget()
                scope.path = outer
                scope.path = scope.below(step, f"[{number}]")
                output = yield from self._block(step.steps, scope)
                number += 1
                if step.until is not None and self._true(step.until, scope):
                    return output
        finally:
            scope.path = outer
            forget()

    def _parallel(self, step: ParallelStep, scope: Scope) -> Process:
        scopes = [
            scope.private(scope.below(step, f".{item.name}" if step.keyed else f"[{item.name}]"))
            for item in step.branches
        ]
        members = [self._block(item.steps, inner) for item, inner in zip(step.branches, scopes, strict=True)]
        results = yield Together(members, len(members))
        outputs = [None if result is MISSING else result for result in results]
        result: Any = dict(zip([item.name for item in step.branches], outputs, strict=True)) if step.keyed else outputs
        output = self._reshaped(step, result, scope)
        for item, inner in zip(step.branches, scopes, strict=True):
            ran = {each.id for each in walk(item.steps)}
            scope.steps |= {name: state for name, state in inner.steps.items() if name in ran}
        return output

    def _graph(self, step: GraphStep, scope: Scope) -> Process:
        """Each step starts when all that it needs or reads have ended, and those that it is known to wait for too."""
        homes = {inner.id: node.id for node in step.nodes for inner in walk((node,))}
        ended = {node.id: Signal() for node in step.nodes}

        def one(node: Step) -> Process:
            waits = {need.id for need in node.needs or ()} | {homes[name] for name in reads(node) if name in homes}
            waits |= {first for first, later in step.added if later == node.id}
            for name in sorted(waits - {node.id}):
                yield Until(ended[name])
            inner = replace(scope, variables=dict(scope.variables))
            yield from self._step(node, inner)
            yield ended[node.id]

        try:
            yield Together([one(node) for node in step.nodes], len(step.nodes))
        except Raised as raised:
            # Nothing is known then of any of its steps, but Step Functions may tell which one it was.
            for name in homes:
                scope.steps.pop(name, None)
            joint = _joint_of(step, raised.step)
            if joint != raised.step and raised.type == TIMEOUT and self._is_late(scope):
                raised.late, raised.message = True, self._late_message()
            raised.step = joint
            raise
        except RollsBack:
            for name in homes:
                scope.steps.pop(name, None)
            raise
        return scope.steps[step.last.id].get("output", MISSING)

    def _for_each(self, step: ForEachStep, scope: Scope) -> Process:
        items = self._value(step.items, scope)
        if not isinstance(items, list):
            raise Ambiguous  # it fails, and what the error says is Step Functions' to say
        failures = 0

        def one(index: int, item: Any) -> Process:
            nonlocal failures
            names = {step.item_name: item, **({step.index_name: index} if step.index_name else {})}
            inner = scope.private(scope.below(step, f"[{index}]"), names)
            try:
                output = yield from self._block(step.steps, inner)
            except Raised as raised:
                if raised.cancels or (not step.tolerate and step.tolerate_percent is None):
                    raise
                failures += 1
                return None
            return None if output is MISSING else output

        results = yield Together([one(index, item) for index, item in enumerate(items)], step.concurrency)
        if step.tolerate or step.tolerate_percent is not None:
            self._in_time(step, scope)
        limit = step.tolerate
        if step.tolerate_percent is not None:
            limit = len(items) * step.tolerate_percent / 100
        if failures > limit:
            raise Raised("ToleranceExceeded", f"more items of {step.id} failed than it tolerates", step.id)
        return self._reshaped(step, results, scope)

    def _try(self, step: TryStep, scope: Scope) -> Process:
        def body() -> Process:
            try:
                output = yield from self._block(step.steps, scope)
            except RollsBack as rolls_back:
                scope.steps[step.id] = {"status": "failed", "error": rolls_back.raised.fields()}
                raise
            except Raised as raised:
                scope.steps[step.id] = {"status": "failed", "error": raised.fields()}
                yield from self._handle(step, step.catch, raised, scope, raised.step)
            else:
                scope.steps[step.id] = _succeeded(output)

        yield from self._finally(body(), step.finally_steps, scope)
        return KEPT

    def _finally(self, body: Process, block: Block, scope: Scope) -> Process:
        pending: Raised | RollsBack | Stopped | None = None
        try:
            yield from body
        except (Raised, RollsBack, Stopped) as problem:
            pending = problem
        if block and isinstance(pending, Raised):
            pending.refused = False
        outer = scope.timed, scope.sheltered
        scope.timed, scope.sheltered = False, True
        try:
            yield from self._block(block, scope)
        except Raised as late:
            if pending is None or isinstance(pending, Stopped):
                pending = late
        finally:
            scope.timed, scope.sheltered = outer
        if pending is not None:
            raise pending


def _joint_of(graph: GraphStep, failed: str) -> str:
    """What Step Functions tells of a failure in a graph: of steps that run at once only the state that joins them."""
    for step in graph.steps:
        if not is_written(step) and any(inner.id == failed for inner in walk((step,))):
            return step.id
    return failed


def _succeeded(output: Any) -> dict[str, Any]:
    return {"status": "succeeded", **({} if output is MISSING else {"output": output})}
