"""The edges of a workflow: every way that a run of it may take, and how to see in a run that it was taken.

An edge is what its author wrote down as something that may happen: a step runs or is skipped, a case is taken or none,
an attempt is repeated, a limit of time is reached, a handler takes an error, a loop has nothing to do or never ends, a
step is undone. What the machine adds of its own (the retries of Lambda's transient errors) is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias, assert_never

from stepsmith.catalog import ActionCatalog
from stepsmith.model.policies import Handler, Then
from stepsmith.model.steps import (
    UNDO,
    ActionStep,
    ApprovalStep,
    AwsStep,
    Block,
    ChildStep,
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
    first_written,
    handlers_of,
    owner_of,
    walk,
)
from stepsmith.model.values import ListValue, Literal, Templated
from stepsmith.model.workflow import Workflow
from stepsmith.rehearsals.passage import Passage
from stepsmith.source import Span
from stepsmith_functions.history.records import RunStatus, StepRecord, StepStatus
from stepsmith_functions.history.told import REJECTED_LATE

TIMEOUT: Final = "States.Timeout"


class Kind(StrEnum):
    """The kinds of edges, in the order of the table's columns."""

    STEP = "steps"
    SKIP = "skips"
    BRANCH = "branches"
    LOOP = "loops"
    RETRY = "retries"
    CATCH = "handlers"
    TIMEOUT = "timeouts"
    UNDO = "undos"
    APPROVAL = "approvals"


Taken: TypeAlias = Callable[[Passage], bool]


@dataclass(frozen=True, slots=True)
class Edge:
    """One way that a run may take. `name` is the edge's own within its workflow, such as `kill-retried`."""

    kind: Kind
    name: str
    step: str
    """The id of the step it belongs to; empty for the workflow's own."""
    span: Span
    never: str
    """What is told where no run took it."""
    taken: Taken = field(compare=False, repr=False)


def edges_of(workflow: Workflow, catalog: ActionCatalog) -> tuple[Edge, ...]:
    """Every edge, in the order in which they are written."""
    found = list(_Edges(workflow, catalog).all())
    names: dict[str, int] = {}
    numbered = []
    for edge in found:
        names[edge.name] = count = names.get(edge.name, 0) + 1
        name = edge.name if count == 1 else f"{edge.name}-{count}"
        numbered.append(Edge(edge.kind, name, edge.step, edge.span, edge.never, edge.taken))
    return tuple(numbered)


@dataclass(frozen=True, slots=True)
class _Edges:
    workflow: Workflow
    catalog: ActionCatalog

    def all(self) -> Iterator[Edge]:
        if self.workflow.timeout is not None:
            never = f"no run of {self.workflow.name} ran into its timeout"
            span = self.workflow.name_span
            yield Edge(Kind.TIMEOUT, "timeout", "", span, never, lambda run: run.status is RunStatus.TIMED_OUT)
        for step in self.workflow.every_step():
            yield from self.of(step)

    def of(self, step: Step) -> Iterator[Edge]:
        name, span = step.id, step.span

        def edge(kind: Kind, word: str, never: str, taken: Taken, at: Span = span) -> Edge:
            return Edge(kind, f"{name}-{word}".replace(".", "-"), name, at, never, taken)

        if name.endswith(UNDO):
            undone = owner_of(name)
            yield edge(Kind.UNDO, "undone", f"{undone} was never undone", _ends(name, StepStatus.SUCCEEDED))
            yield edge(Kind.UNDO, "failed", f"undoing {undone} never failed", _ends(name, StepStatus.FAILED))
        else:
            yield edge(Kind.STEP, "ran", f"{name} never ran", lambda run: run.ran(name))
        if step.condition is not None:
            yield edge(Kind.SKIP, "skipped", f"{name} was never skipped", _ends(name, StepStatus.SKIPPED))
        if self.retries(step):
            yield edge(Kind.RETRY, "retried", f"{name} was never retried", _retried(name))
        if step.timeout is not None and not isinstance(step, ApprovalStep):
            never = f"{name} never ran into its timeout"
            yield edge(Kind.TIMEOUT, "timed-out", never, lambda run: (name, TIMEOUT) in run.failed_attempts)
        yield from self.of_verb(step, edge)
        groups = (step.catch, step.on_failure or ()) if isinstance(step, TryStep) else (handlers_of(step),)
        for group in groups:
            for handler in group:
                for error in handler.errors or (None,):
                    word = "caught" if error is None else f"caught-{error}"
                    never = f"no handler of {name} ever took an error"
                    if error is not None:
                        never = f"the handler of {name} never took {error}"
                    taken = self.takes(step, group, handler, error)
                    yield edge(Kind.CATCH, word, never, taken, handler.span)

    def retries(self, step: Step) -> bool:
        """Whether its author asked for retries of the step."""
        policy = step.retry
        if policy is None and isinstance(step, ActionStep | AwsStep | ChildStep):
            policy = self.workflow.retry
        return policy is not None and bool(policy.rules)

    def of_verb(self, step: Step, edge: Callable[..., Edge]) -> Iterator[Edge]:
        """The edges that a step has by its verb."""
        match step:
            case ApprovalStep():
                yield from self.of_approval(step, edge)
            case SwitchStep():
                yield from self.of_switch(step, edge)
            case RepeatStep():
                yield from self.of_repeat(step, edge)
            case ForEachStep():
                yield from self.of_for_each(step, edge)
            case ActionStep() | AwsStep() | ChildStep() | SetStep() | WaitStep() | StopStep() | FailStep():
                pass
            case ParallelStep() | TryStep() | GraphStep():
                pass
            case _:
                assert_never(step)

    def of_approval(self, step: ApprovalStep, edge: Callable[..., Edge]) -> Iterator[Edge]:
        name = step.id
        never = f"{name} was never rejected"
        yield edge(Kind.APPROVAL, "rejected", never, lambda run: any(_is_rejected(each) for each in run.of(name)))
        # An output of its own does not say whose decision it came from.
        if step.on_timeout is not OnTimeout.APPROVE or step.output is None:
            never = f"{name} never ran into its timeout"
            yield edge(Kind.APPROVAL, "timed-out", never, lambda run: any(_is_late(each) for each in run.of(name)))

    def of_switch(self, step: SwitchStep, edge: Callable[..., Edge]) -> Iterator[Edge]:
        name = step.id
        firsts = [_first(case.steps) for case in step.cases]
        for number, case in enumerate(step.cases, 1):
            told = f"case {number} of {name}" if case.condition is not None else f"else of {name}"
            word = f"case-{number}" if case.condition is not None else "else"
            yield edge(Kind.BRANCH, word, f"{told} was never taken", _starts(firsts[number - 1]), case.span)
        if step.cases[-1].condition is not None:

            def passed(run: Passage) -> bool:
                return any(not any(run.beside(record, first) for first in firsts) for record in run.of(name))

            yield edge(Kind.BRANCH, "no-case", f"{name} was never passed with no case of it taken", passed)

    def of_repeat(self, step: RepeatStep, edge: Callable[..., Edge]) -> Iterator[Edge]:
        name = step.id
        if step.most > 1:
            yield edge(Kind.LOOP, "again", f"{name} never had a second round", _reaches(name, 1))
        never = f"{name} never came to its end before its last round"
        yield edge(Kind.LOOP, "done", never, _ends(name, StepStatus.SUCCEEDED))
        if step.go_on is not None:
            yield edge(Kind.LOOP, "none", f"{name} never had no round at all", _has_none(name))
        never = f"{name} was never given up after its {step.most} rounds"

        def exhausted(run: Passage) -> bool:
            return any(
                record.status is StepStatus.FAILED
                and run.inside(record, step.most - 1)
                and (record.error is None or record.error.type == "RepeatExhausted")
                for record in run.of(name)
            )

        yield edge(Kind.LOOP, "exhausted", never, exhausted)

    def of_for_each(self, step: ForEachStep, edge: Callable[..., Edge]) -> Iterator[Edge]:
        name = step.id
        if not self.always_filled(step):
            yield edge(Kind.LOOP, "empty", f"{name} never had an empty list", _has_none(name))
        if not step.tolerate and not step.tolerate_percent:
            return

        def tolerated(run: Passage) -> bool:
            found = [self.lost(run, step, record.path) for record in run.of(name)]
            return any(0 < failed <= limit for failed, limit in found)

        def intolerable(run: Passage) -> bool:
            return any(failed > limit for failed, limit in (self.lost(run, step, each.path) for each in run.of(name)))

        yield edge(Kind.LOOP, "tolerated", f"no item of {name} failed and was tolerated", tolerated)
        if step.tolerate_percent is None or step.tolerate_percent < 100:
            yield edge(Kind.LOOP, "intolerable", f"never did more items of {name} fail than it tolerates", intolerable)

    def always_filled(self, step: ForEachStep) -> bool:
        """Whether its list cannot be empty: it is written out, or an input that must have an item."""
        match step.items:
            case ListValue(items):
                return bool(items)
            case Literal():
                return True
            case Templated(template) if template.whole and len(template.references) == 1:
                reference = template.references[0]
                name = reference.path[0] if reference.root == "input" and len(reference.path) == 1 else None
                declared = {item.name: item for item in self.workflow.input or ()}
                least = declared[name].schema.get("minItems") if isinstance(name, str) and name in declared else 0
                plain = template.expressions[0].source.strip() == f"input.{name}"
                return plain and isinstance(least, int) and least > 0
        return False

    def lost(self, run: Passage, step: ForEachStep, path: str) -> tuple[int, float]:
        """How many iterations of the loop at `path` failed, each by a step that stands in it and did not go on; and
        how many may."""
        failed = {
            record.path.rpartition(".")[0]
            for inner in _directly_in(step.steps)
            for record in run.of(inner.id)
            if record.path.startswith(f"{path}[")
            and record.error is not None
            and self.escapes(inner, record.error.type)
        }
        if step.tolerate_percent is None:
            return len(failed), step.tolerate
        return len(failed), run.rounds(path) * step.tolerate_percent / 100

    # -- handlers -------------------------------------------------------------------------------------

    def takes(self, step: Step, group: tuple[Handler, ...], handler: Handler, name: str | None) -> Taken:
        """Whether in a run `handler` took the error `name` (None: any). Its first step tells, else the errors do."""
        single = handler.errors is None or len(handler.errors) == 1
        if handler.steps and single:
            return _starts(_first(handler.steps))

        def taken(run: Passage) -> bool:
            if handler.steps and not run.started(_first(handler.steps)):
                return False
            return any(
                self.taker(group, error) is handler and (name is None or self.covers((name,), error))
                for error in self.arriving(step, group, run)
            )

        return taken

    def arriving(self, step: Step, group: tuple[Handler, ...], run: Passage) -> Iterator[str]:
        """The errors that came to the handlers `group` of `step`."""
        if not isinstance(step, TryStep) or group is not step.catch:
            yield from run.errors_of(step.id)
            return
        for inner in walk(step.steps):
            yield from (error for error in run.errors_of(inner.id) if self.escapes(inner, error))

    def escapes(self, step: Step, error: str) -> bool:
        """Whether `error` of `step` goes on to what stands around it."""
        taker = self.taker(step.on_failure or (), error)
        return taker is None or taker.then is not Then.CONTINUE

    def taker(self, group: tuple[Handler, ...], error: str) -> Handler | None:
        return next((handler for handler in group if self.covers(handler.errors, error)), None)

    def covers(self, names: tuple[str, ...] | None, error: str) -> bool:
        """Whether a handler of `names` takes `error` (Step Functions, "Error names")."""
        if names is None or "States.ALL" in names:
            return True
        if "States.TaskFailed" in names and error != TIMEOUT:
            return True
        return any(error in self.catalog.expand_error(name) for name in names)


def _first(block: Block) -> str:
    """The id of a step that runs first when the block runs."""
    step = first_written(block)
    return step.id if step is not None else ""


def _directly_in(block: Block) -> Iterator[Step]:
    """The steps that stand in the block as written; a graph holds the steps of its list."""
    for step in block:
        if isinstance(step, GraphStep):
            yield from step.nodes
        else:
            yield step


def _is_rejected(record: StepRecord) -> bool:
    return record.error is not None and record.error.type == "ApprovalRejected" and record.error != REJECTED_LATE


def _is_late(record: StepRecord) -> bool:
    """Whether nobody decided in time: what came of it, where that is no failure, was nobody's decision."""
    if record.error is not None:
        return record.error.type == TIMEOUT or record.error == REJECTED_LATE
    return isinstance(record.output, Mapping) and record.output.get("by") == "timeout"


def _starts(step: str) -> Taken:
    return lambda run: run.started(step)


def _ends(step: str, status: StepStatus) -> Taken:
    return lambda run: any(record.status is status for record in run.records.get(step, ()))


def _retried(step: str) -> Taken:
    return lambda run: any(record.attempts > 1 for record in run.of(step))


def _reaches(step: str, index: int) -> Taken:
    return lambda run: any(run.inside(record, index) for record in run.of(step))


def _has_none(step: str) -> Taken:
    """Whether the loop ended well with no iteration or round."""
    return lambda run: any(record.error is None and not run.inside(record, 0) for record in run.of(step))
