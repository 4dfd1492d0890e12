"""A reference interpreter of the workflow language: what docs/language.md says, as directly as it can be written.

It walks the steps that the reader made and evaluates expressions with Jinja2. It shares nothing with analysis, lowering
or the engine, so that agreement with them means something.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, assert_never

from stepsmith.catalog import ActionCatalog
from stepsmith.expressions.tree import Template
from stepsmith.model.policies import Handler, RetryPolicy, RetryRule, Then
from stepsmith.model.steps import (
    ActionStep,
    ApprovalStep,
    Block,
    FailStep,
    ForEachStep,
    GraphStep,
    OnTimeout,
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
from stepsmith.model.values import ListValue, Literal, ObjectValue, Templated, Value
from stepsmith.model.workflow import Workflow
from tests.expressions.oracle import text, value_by_jinja
from tests.semantics.attempts import Answer, Attempt, Attempts
from tests.semantics.schedule import Ambiguous, OutOfTime, Pause, Process, Scheduler, Signal, Together, Until

SECOND = 1_000_000
TRANSIENT = RetryRule(
    6,
    2,
    on=(
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.TooManyRequestsException",
    ),
)
TIMEOUT = "States.Timeout"
REJECTED = "ApprovalRejected"
STARTED = datetime(2025, 1, 1, tzinfo=UTC)
"""When every run starts."""
ASKS_AGAIN = 5 * SECOND
"""How often a rollback looks whether what Step Functions has given up is over."""
WHILE_STILL_RUNNING = RetryRule(8, 5, on=("StillRunning",))
"""An earlier call of an action that must not be repeated may still be at work (docs/running.md, "One effect")."""
NEVER_AGAIN = ("EffectUnknown", "RunCancelled")
"""What no retry repeats (there)."""


Script = Callable[[str, str, int], Answer]
"""Answers an attempt, by the step's id, its path and the number of the attempt, from 0."""


class Raised(Exception):  # noqa: N818 - the language's word
    """A step failed."""

    def __init__(self, type_: str, message: str, step: str) -> None:
        super().__init__(type_, message, step)
        self.type, self.message, self.step = type_, message, step
        self.late = False
        """It is the workflow's timeout."""
        self.refused = False
        """The step was not begun, since no time was left: retries do not see that."""
        self.final = False
        """Whether a step of the main sequence says `on_failure: fail`: no rollback follows."""

    def fields(self, step: str | None = None) -> dict[str, Any]:
        return {"type": self.type, "message": self.message, "step": step or self.step}


class RollsBack(Exception):  # noqa: N818 - not an error
    """A failure is on its way to the rollback of the run."""

    def __init__(self, raised: Raised) -> None:
        super().__init__(raised)
        self.raised = raised


class Stopped(Exception):  # noqa: N818 - not an error
    """A `stop` ended the run."""

    def __init__(self, output: Any) -> None:
        super().__init__(output)
        self.output = output


@dataclass(frozen=True)
class Call:
    """One attempt of an action: when, which, with what."""

    at: int
    path: str
    attempt: int
    params: Any


@dataclass
class Outcome:
    status: str
    output: Any = None
    error: str | None = None
    message: str | None = None
    step: str | None = None
    """The step that failed the run."""
    elapsed: int = 0
    """Microseconds."""
    calls: list[Call] = field(default_factory=list)


@dataclass
class Scope:
    """What expressions may read at a place, and the path that steps there have."""

    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    names: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    path: str = ""
    timed: bool = False
    """The steps here must be done at the deadline."""

    def private(self, path: str, names: Mapping[str, Any] | None = None) -> Scope:
        """The scope of a branch or an iteration, which begins with all that is known outside."""
        return Scope(
            dict(self.steps), dict(self.variables), {**self.names, **(names or {})}, self.error, path, self.timed
        )

    def as_it_is(self) -> Scope:
        """A copy that later steps do not change."""
        return Scope(dict(self.steps), dict(self.variables), self.names, self.error, self.path)

    def below(self, step: Step, part: str) -> str:
        """The path of the steps inside a branch, iteration or round of `step`."""
        return f"{self.path}.{step.id}{part}" if self.path else f"{step.id}{part}"


MISSING = object()
"""In place of an output: there is none."""
KEPT = object()
"""In place of an output: the step has noted itself how it ended."""


class Interpreter:
    def __init__(self, workflow: Workflow, catalog: ActionCatalog, given: Mapping[str, Any], script: Script) -> None:
        self._workflow = workflow
        self._catalog = catalog
        defaults = {item.name: item.default for item in workflow.input or () if item.has_default}
        self._input = {**defaults, **given}
        self._script = script
        self._scheduler = Scheduler((Raised, RollsBack, Stopped))
        self._calls: list[Call] = []
        self._outlived = _outlived(workflow)
        self._deadline = None if workflow.timeout is None else workflow.timeout * SECOND
        self._attempts_made = Attempts()
        self._rolled_back: str | None = None
        """The status of the run if its steps were undone."""

    def run(self) -> Outcome:
        try:
            outcome = Outcome(
                "succeeded", self._scheduler.run(self._whole(), None if self._outlived else self._deadline)
            )
        except OutOfTime:
            outcome = Outcome("timed_out", error=TIMEOUT)
        except Stopped as stopped:
            outcome = Outcome("succeeded", stopped.output)
        except Raised as raised:
            late = raised.late and self._rolled_back != "rollback_failed"
            status = "timed_out" if late else self._rolled_back or "failed"
            outcome = Outcome(status, error=raised.type, message=raised.message, step=raised.step)
        outcome.elapsed = self._scheduler.now
        outcome.calls = self._calls
        return outcome

    def _whole(self) -> Process:
        scope = Scope(timed=self._outlived and self._deadline is not None)
        yield from self._finally(self._body(scope), self._workflow.finally_steps, scope)
        return self._value(self._workflow.output, scope) if self._workflow.output is not None else None

    def _body(self, scope: Scope) -> Process:
        try:
            yield from self._block(self._workflow.steps, scope)
        except RollsBack as rolls_back:
            yield from self._roll_back()
            raise rolls_back.raised from None
        except Raised as raised:
            if self._workflow.on_failure is Then.ROLLBACK and not raised.final:
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
        for attempt in known.completed:
            try:
                yield from self._undo(attempt)
            except Raised:
                self._rolled_back = "rollback_failed"

    def _undo(self, done: Attempt) -> Process:
        scope: Scope = done.scope
        undo = done.step.rollback
        assert isinstance(undo, ActionStep)
        output = self._reshaped(done.step, done.answer.result, scope)
        return (yield from self._calling(undo, f"{done.path}.rollback", scope, {"output": output}))

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
        if handler is None:
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
                return (yield from self._retried(step, lambda: self._parallel(step, scope)))
            case ForEachStep():
                return (yield from self._retried(step, lambda: self._for_each(step, scope)))
            case TryStep():
                return (yield from self._try(step, scope))
            case GraphStep():
                return (yield from self._graph(step, scope))
            case _:
                assert_never(step)

    def _action(self, step: ActionStep, scope: Scope) -> Process:
        result = yield from self._calling(step, scope.below(step, ""), scope)
        return self._reshaped(step, result, scope)

    def _calling(self, step: ActionStep, path: str, scope: Scope, extra: Mapping[str, Any] | None = None) -> Process:
        """Calls the step's function until it succeeds or is not tried again; returns its result."""
        attempts = iter(range(1_000_000))
        signature = self._catalog.get(step.action)
        assert signature is not None

        def attempt() -> Process:
            number = next(attempts)
            if self._is_late(scope):
                late = self._late(step)
                late.refused = True
                raise late
            self._calls.append(Call(self._scheduler.now, path, number, self._value(step.params, scope, extra)))
            answer = self._script(step.id, path, number)
            limit = step.timeout * SECOND if step.timeout is not None else None
            if scope.timed and self._deadline is not None:
                left = -((self._scheduler.now - self._deadline) // SECOND) * SECOND  # whole seconds, rounded up
                limit = left if limit is None else min(limit, left)
            began = Attempt(step, path, scope.as_it_is(), self._scheduler.now, answer, signature.timeout * SECOND)
            if step.rollback is not None:
                self._attempts_made.begin(began)
            try:
                if limit is not None and answer.after >= limit:
                    yield Pause(limit)
                    raise self._late(step) if self._is_late(scope) else Raised(TIMEOUT, "", step.id)
                yield Pause(answer.after)
            except GeneratorExit:
                began.given_up = True
                raise
            finally:
                began.ended = self._scheduler.now
            if answer.error is not None:
                raise Raised(answer.error, answer.message, step.id)
            began.succeeded = True
            return answer.result

        policy = step.retry or self._workflow.retry
        return (yield from self._attempts(attempt, policy, transient=policy is None or policy.transient))

    def _approval(self, step: ApprovalStep, scope: Scope) -> Process:
        """People decide; when they have not done so in time, the step's `on_timeout` does. It is asked once."""
        path = scope.below(step, "")
        if self._is_late(scope):
            refused = self._late(step)
            refused.refused = True
            raise refused
        asked = {item.key: self._value(item.value, scope) for item in step.request.fields}
        self._calls.append(Call(self._scheduler.now, path, 0, asked))
        answer = self._script(step.id, path, 0)
        limit = self._cut((step.timeout or 0) * SECOND, scope)
        if answer.after < limit:
            yield Pause(answer.after)
            if answer.error is not None:
                raise Raised(answer.error, answer.message, step.id)
            return self._reshaped(step, answer.result, scope)
        yield Pause(limit)
        if self._is_late(scope):
            raise self._late(step)
        if step.on_timeout is OnTimeout.FAIL:
            raise Raised(TIMEOUT, "", step.id)
        if step.on_timeout is OnTimeout.REJECT:
            raise Raised(REJECTED, "nobody decided in time", step.id)
        moment = STARTED + timedelta(microseconds=self._scheduler.now)
        at = moment.strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0").rstrip(".") + "Z"
        return self._reshaped(step, {"approved": True, "by": "timeout", "comment": "", "at": at}, scope)

    def _reshaped(self, step: Step, result: Any, scope: Scope) -> Any:
        if step.output is None:
            return result
        return self._value(step.output, scope, {"output": result})

    def _retried(self, step: ParallelStep | ForEachStep, attempt: Callable[[], Process]) -> Process:
        return (yield from self._attempts(attempt, step.retry, transient=False))

    def _attempts(self, attempt: Callable[[], Process], policy: RetryPolicy | None, *, transient: bool) -> Process:
        """Makes attempts as the retry rules say: the first rule that matches an error is the one that counts."""
        rules = [WHILE_STILL_RUNNING, *([TRANSIENT] if transient else []), *(policy.rules if policy else ())]
        used = [0] * len(rules)
        while True:
            try:
                return (yield from attempt())
            except Raised as raised:
                if raised.refused or raised.type in NEVER_AGAIN:
                    raise
                found = next((at for at, rule in enumerate(rules) if self._covers(rule.on, raised.type)), None)
                if found is None or used[found] >= rules[found].max_retries:
                    raise
                rule = rules[found]
                delay = rule.delay * rule.backoff ** used[found]
                delay = min(delay, rule.max_delay) if rule.max_delay is not None else delay
                used[found] += 1
                yield Pause(round(delay * SECOND))

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
            waits = {need.id for need in node.needs or ()} | {homes[name] for name in _reads(node) if name in homes}
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
        failures = 0

        def one(index: int, item: Any) -> Process:
            nonlocal failures
            names = {step.item_name: item, **({step.index_name: index} if step.index_name else {})}
            inner = scope.private(scope.below(step, f"[{index}]"), names)
            try:
                output = yield from self._block(step.steps, inner)
            except Raised:
                if not step.tolerate and step.tolerate_percent is None:
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
        timed, scope.timed = scope.timed, False
        try:
            yield from self._block(block, scope)
        except Raised as late:
            if pending is None or isinstance(pending, Stopped):
                pending = late
        finally:
            scope.timed = timed
        if pending is not None:
            raise pending

    # -- the deadline -----------------------------------------------------------------------------

    def _is_late(self, scope: Scope) -> bool:
        return scope.timed and self._deadline is not None and self._scheduler.now >= self._deadline

    def _late_message(self) -> str:
        return f"the run took longer than its timeout of {self._workflow.timeout} seconds"

    def _late(self, step: Step) -> Raised:
        raised = Raised(TIMEOUT, self._late_message(), step.id)
        raised.late = True
        return raised

    def _in_time(self, step: Step, scope: Scope) -> None:
        if self._is_late(scope):
            raise self._late(step)

    def _cut(self, pause: int, scope: Scope) -> int:
        """A pause of the main path lasts to the deadline at most, in whole seconds rounded up."""
        if not scope.timed or self._deadline is None:
            return pause
        return min(pause, max(0, -((self._scheduler.now - self._deadline) // SECOND) * SECOND))

    # -- values -----------------------------------------------------------------------------------

    def _true(self, condition: Template, scope: Scope) -> bool:
        return bool(self._text(condition, scope))

    def _value(self, value: Value, scope: Scope, extra: Mapping[str, Any] | None = None) -> Any:
        match value:
            case Literal():
                return value.value
            case Templated():
                return self._text(value.template, scope, extra)
            case ObjectValue():
                return {item.key: self._value(item.value, scope, extra) for item in value.fields}
            case ListValue():
                return [self._value(item, scope, extra) for item in value.items]
            case _:
                assert_never(value)

    def _text(self, template: Template, scope: Scope, extra: Mapping[str, Any] | None = None) -> Any:
        names: dict[str, Any] = {
            "input": self._input,
            "steps": scope.steps,
            "vars": scope.variables,
            "run": {"id": "run-1", "workflow": self._workflow.name, "attempt": 1},
            **({"error": scope.error} if scope.error is not None else {}),
            **scope.names,
            **(extra or {}),
        }
        parts = [
            part if isinstance(part, str) else value_by_jinja(part.source.strip(), names) for part in template.parts
        ]
        return parts[0] if template.whole else "".join(text(part) for part in parts)

    def _covers(self, names: tuple[str, ...] | None, error: str) -> bool:
        """Whether a handler or retry for `names` (None: for all) takes an error, by its name or a base class of it."""
        if names is None or error in names:
            return True
        bases = {
            base
            for action in self._catalog
            for declared in action.errors
            if declared.name == error
            for base in declared.bases
        }
        if "States.TaskFailed" in names and error != TIMEOUT:
            return True
        return "States.ALL" in names or bool(bases.intersection(names))


def _outlived(workflow: Workflow) -> bool:
    """Whether something in the workflow runs on when its time is up: then the deadline is only for the main path."""
    steps = list(workflow.every_step())
    handlers = [each for step in steps for each in (*(step.on_failure or ()), *getattr(step, "catch", ()))]
    last = [block for step in steps if isinstance(step, TryStep) and (block := step.finally_steps)]
    undone = workflow.on_failure is Then.ROLLBACK or any(each.then is Then.ROLLBACK for each in handlers)
    return bool(workflow.finally_steps or last or undone or any(each.steps for each in handlers))


def _reads(step: Step) -> set[str]:
    """The steps that a step reads anywhere, found in its text."""
    return {name for text_ in _texts(step) for name in re.findall(r"steps(?:\.|\[['\"])([a-z][a-z0-9_-]*)", text_)}


def _texts(thing: Any) -> Iterator[str]:
    """The sources of all expressions inside a part of a workflow."""
    if isinstance(thing, Template):
        yield from (part.source for part in thing.parts if not isinstance(part, str))
    elif isinstance(thing, tuple):
        for item in thing:
            yield from _texts(item)
    elif is_dataclass(thing):
        for each in fields(thing):
            yield from _texts(getattr(thing, each.name))


def _joint_of(graph: GraphStep, failed: str) -> str:
    """What Step Functions tells of a failure in a graph: of steps that run at once only the state that joins them."""
    for step in graph.steps:
        if not is_written(step) and any(inner.id == failed for inner in walk((step,))):
            return step.id
    return failed


def _succeeded(output: Any) -> dict[str, Any]:
    return {"status": "succeeded", **({} if output is MISSING else {"output": output})}
