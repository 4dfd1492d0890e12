"""What of a workflow its rehearsals have exercised: steps, conditions, cases, handlers, retries and undos.

It counts what happened in runs, not what was expected of them: a rehearsal may pass through a step and say nothing of
it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from stepsmith.catalog import ActionCatalog
from stepsmith.document import Json
from stepsmith.model.policies import Handler
from stepsmith.model.steps import (
    ActionStep,
    ApprovalStep,
    AwsStep,
    Block,
    ChildStep,
    OnTimeout,
    Step,
    SwitchStep,
    TryStep,
    first_written,
    handlers_of,
    walk,
)
from stepsmith.model.workflow import Workflow
from stepsmith.rehearsals.model import Verdict
from stepsmith.source import Span
from stepsmith_functions.history.rebuild import REJECTED_LATE
from stepsmith_functions.history.records import StepRecord, StepStatus


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that no rehearsal has exercised."""

    span: Span
    what: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """What rehearsals have exercised of a workflow, of all that can happen in it."""

    workflow: str
    file: str
    exercised: int
    possible: int
    gaps: tuple[Gap, ...]

    def to_json(self) -> dict[str, Json]:
        """`{"workflow", "file", "exercised", "possible", "gaps": [{"line", "column", "what"}]}`."""
        gaps: list[Json] = [
            {"line": gap.span.start.line, "column": gap.span.start.column, "what": gap.what} for gap in self.gaps
        ]
        return {
            "workflow": self.workflow,
            "file": self.file,
            "exercised": self.exercised,
            "possible": self.possible,
            "gaps": gaps,
        }


def coverage(verdicts: Iterable[Verdict], catalog: ActionCatalog) -> list[Coverage]:
    """The coverage of every workflow that was rehearsed, in the order of the rehearsals."""
    workflows: dict[str, Workflow] = {}
    seen: dict[str, _Seen] = {}
    for verdict in verdicts:
        if verdict.report is None or verdict.compiled is None or verdict.compiled.workflow is None:
            continue
        workflow = verdict.compiled.workflow
        workflows[workflow.name] = workflow
        seen.setdefault(workflow.name, _Seen()).add(verdict.report.steps)
    return [_of(workflow, seen[name], catalog) for name, workflow in workflows.items()]


def _of(workflow: Workflow, seen: _Seen, catalog: ActionCatalog) -> Coverage:
    every = list(_possibilities(workflow, catalog))
    missing = [item for item in every if not item.happened(seen)]
    # Of a step that never ran there is nothing more to say.
    idle = {item.step for item in missing if item.is_step}
    gaps = (Gap(item.span, item.what) for item in missing if item.is_step or item.step not in idle)
    ordered = tuple(sorted(gaps, key=lambda gap: (gap.span.start, gap.what)))
    return Coverage(workflow.name, workflow.span.path, len(every) - len(missing), len(every), ordered)


@dataclass
class _Seen:
    """What happened in all runs of a workflow, by the ids of its steps."""

    started: set[str] = field(default_factory=set)
    """Skipped steps too."""
    ran: set[str] = field(default_factory=set)
    skipped: set[str] = field(default_factory=set)
    retried: set[str] = field(default_factory=set)
    undone: set[str] = field(default_factory=set)
    late: set[str] = field(default_factory=set)
    """Approvals that nobody decided in time."""
    errors: dict[str, set[str]] = field(default_factory=dict)

    def add(self, steps: Iterable[StepRecord]) -> None:
        for step in steps:
            if step.undoes is not None:
                self.undone.add(step.undoes.rpartition(".")[2].partition("[")[0])
            self.started.add(step.step_id)
            (self.skipped if step.status is StepStatus.SKIPPED else self.ran).add(step.step_id)
            if _is_late(step):
                self.late.add(step.step_id)
            if step.attempts > 1:
                self.retried.add(step.step_id)
            if step.error is not None:
                self.errors.setdefault(step.step_id, set()).add(step.error.type)


@dataclass(frozen=True, slots=True)
class _Possibility:
    step: str
    span: Span
    what: str
    happened: Callable[[_Seen], bool]
    is_step: bool = False


def _possibilities(workflow: Workflow, catalog: ActionCatalog) -> Iterator[_Possibility]:
    for step in workflow.every_step():
        yield from _of_step(step, workflow, catalog)


def _of_step(step: Step, workflow: Workflow, catalog: ActionCatalog) -> Iterator[_Possibility]:
    name, span = step.id, step.span
    yield _Possibility(name, span, f"{name} never ran", lambda seen: name in seen.ran, is_step=True)
    if step.condition is not None:
        yield _Possibility(name, span, f"{name} was never skipped", lambda seen: name in seen.skipped)
    if isinstance(step, ActionStep | AwsStep | ChildStep):
        policy = step.retry if step.retry is not None else workflow.retry
        if policy is not None and policy.rules:
            yield _Possibility(name, span, f"{name} was never retried", lambda seen: name in seen.retried)
    if isinstance(step, ApprovalStep):
        yield _Possibility(name, span, f"{name} was never rejected", _fails(name, "ApprovalRejected"))
        # An output of its own does not say whose decision it came from.
        if step.on_timeout is not OnTimeout.APPROVE or step.output is None:
            yield _Possibility(name, span, f"{name} never ran into its timeout", lambda seen: name in seen.late)
    if step.rollback is not None:
        yield _Possibility(name, span, f"{name} was never undone", lambda seen: name in seen.undone)
    if isinstance(step, SwitchStep):
        for number, case in enumerate(step.cases, 1):
            told = f"case {number} of {name}" if case.condition is not None else f"else of {name}"
            yield _Possibility(name, case.span, f"{told} was never taken", _starts(case.steps))
    for handler in handlers_of(step):
        errors = f" for {', '.join(handler.errors)}" if handler.errors else ""
        what = f"the handler of {name}{errors} was never needed"
        yield _Possibility(name, handler.span, what, _handles(handler, step, catalog))


def _fails(name: str, error: str) -> Callable[[_Seen], bool]:
    return lambda seen: error in seen.errors.get(name, ())


def _is_late(step: StepRecord) -> bool:
    """Whether nobody decided in time: what came of it, where that is no failure, was nobody's decision."""
    if step.error is not None:
        return step.error.type == "States.Timeout" or step.error == REJECTED_LATE
    return isinstance(step.output, Mapping) and step.output.get("by") == "timeout"


def _starts(block: Block) -> Callable[[_Seen], bool]:
    first = first_written(block)
    return lambda seen: first is not None and first.id in seen.started


def _handles(handler: Handler, step: Step, catalog: ActionCatalog) -> Callable[[_Seen], bool]:
    """Whether the handler was taken: its first step started, or what it guards failed with one of its errors."""
    if handler.steps:
        return _starts(handler.steps)
    guarded = [step.id, *(inner.id for inner in walk(step.steps))] if isinstance(step, TryStep) else [step.id]
    names = None
    if handler.errors is not None:
        names = {name for error in handler.errors for name in catalog.expand_error(error)}

    def happened(seen: _Seen) -> bool:
        found = {error for name in guarded for error in seen.errors.get(name, ())}
        return bool(found if names is None else found & names)

    return happened
