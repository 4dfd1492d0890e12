"""What must hold of a run whatever went wrong in it. Each rule looks at what the world saw, not at what was recorded.

Where the reference interpreter knows all verbs of the workflow, it says what the run must come to, call by call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from stepsmith.catalog import ActionCatalog
from stepsmith.model.policies import Then
from stepsmith.model.steps import UNDO, ActionStep, AwsStep, Block, ChildStep, Step, TryStep, owner_of, walk
from stepsmith.model.values import templates
from stepsmith.model.workflow import Workflow
from stepsmith_functions.history.records import RunStatus
from tests.semantics.faults.bench import Called, Fault, Kind, Observed, answers_of
from tests.semantics.reference import SECOND, Answer, Interpreter
from tests.semantics.schedule import Ambiguous

UNDONE: Final = (RunStatus.ROLLED_BACK, RunStatus.ROLLBACK_FAILED)
NOT_KNOWN: Final = "it is not known whether"
"""Stands in the error of a run that could not find out what took effect."""


def problems(
    workflow: Workflow, catalog: ActionCatalog, given: dict[str, Any], fault: Fault, seen: Observed, plain: Observed
) -> Iterator[str]:
    """What is wrong with the run `seen`, each in a sentence. `plain` is the run with the same fault and a history that
    works."""
    if not seen.status.is_final:
        yield f"the run did not end: {seen.status}"
        return
    if not is_in_doubt(fault):
        yield from repeated(workflow, catalog, seen)
    yield from _undone(workflow, seen)
    yield from _finally_ran(workflow, seen)
    if seen.status is RunStatus.SUCCEEDED:
        if seen.error is not None:
            yield f"it succeeded with an error: {seen.error.type}"
    elif seen.error is None or not seen.error.type:
        yield "its error is lost"
    elif seen.error.type not in {call.error for call in seen.calls} | _own_errors(workflow):
        yield f"its error is {seen.error.type}, which nothing raised"
    if workflow.on_failure is Then.ROLLBACK and seen.status is RunStatus.FAILED and not _by_finally(workflow, seen):
        yield "it failed and was not rolled back"
    if not fault.history:
        yield from _as_with_history(fault, seen, plain)
    if interpretable(workflow) and (fault.history or not workflow.rolls_back):
        yield from _as_the_reference(workflow, catalog, given, seen)


def _by_finally(workflow: Workflow, seen: Observed) -> bool:
    """Whether all was done before the error was raised: by the workflow's `finally`."""
    last = {step.id for step in walk(workflow.finally_steps)}
    raisers = {call.step for call in seen.calls if seen.error is not None and call.error == seen.error.type}
    return bool(raisers) and raisers <= last


def _own_errors(workflow: Workflow) -> set[str | None]:
    """The errors that the workflow raises itself, or that Step Functions does."""
    raised: set[str | None] = {getattr(step, "error", None) for step in workflow.every_step()}
    return raised | {"States.Timeout", "ToleranceExceeded", "RepeatExhausted"}


def is_in_doubt(fault: Fault) -> bool:
    """Whether nobody could know that the action took effect: it was given up, and the table that would tell is away.
    Then one effect is only as good as Step Functions' own delivery (docs/running.md, "One effect")."""
    return fault.kind is Kind.TIMEOUT and not fault.history


def repeated(workflow: Workflow, catalog: ActionCatalog, seen: Observed) -> Iterator[str]:
    """An action that is not declared repeatable takes effect once a path."""
    steps = {step.id: step for step in workflow.every_step()}
    effects = Counter((call.step, call.path) for call in seen.calls if call.effective)
    for (name, path), count in effects.items():
        step = steps[name]
        action = catalog.get(step.action) if isinstance(step, ActionStep) else None
        if action is not None and not action.repeatable and count > 1:
            yield f"{path} took effect {count} times"


def _undone(workflow: Workflow, seen: Observed) -> Iterator[str]:
    """After a rollback nothing is left that was done and heard of; without one, nothing is undone."""
    undos = [call for call in seen.calls if call.step.endswith(UNDO)]
    if seen.status not in UNDONE:
        if undos and seen.status is not RunStatus.TIMED_OUT:
            yield f"{undos[0].path} ran, and the run ended {seen.status}"
        return
    undoable = {step.id for step in workflow.undoable}
    done: dict[str, list[Called]] = {name: [] for name in undoable}
    for path, call in _last_attempts(seen).items():
        if call.step in undoable and call.heard:
            done[call.step].append(call)
        elif call.step in undoable and call.effective and f"{path}{UNDO}" in {undo.path for undo in undos}:
            done[call.step].append(call)  # it was given up, and its handler told that it was done after all
    tried = {name: {(call.path, call.attempt) for call in undos if owner_of(call.step) == name} for name in undoable}
    good = Counter(owner_of(call.step) for call in undos if call.heard)
    for name in undoable:
        if len(done[name]) and not tried[name]:
            yield f"{name} was done and nobody tried to undo it"
        elif seen.status is RunStatus.ROLLED_BACK and good[name] != len(done[name]):
            yield f"{name} was done {len(done[name])} times and undone {good[name]} times"
    knows = seen.error is None or NOT_KNOWN not in seen.error.message
    if seen.status is RunStatus.ROLLBACK_FAILED and knows and all(call.heard for call in undos):
        yield "no undo failed, and yet the rollback did"
    yield from _in_reverse(workflow, seen, undos)


def _last_attempts(seen: Observed) -> dict[str, Called]:
    """The last attempt of each path; of a service's call, which has no path, each call by itself."""
    last: dict[str, Called] = {}
    for number, call in enumerate(seen.calls):
        last[call.path if call.attempt or call.path != call.step else f"{call.path}#{number}"] = call
        if call.attempt:
            last.pop(f"{call.path}#{number - 1}", None)
    return last


def _in_reverse(workflow: Workflow, seen: Observed, undos: list[Called]) -> Iterator[str]:
    """Undos come latest first, by the moment at which the step they undo was done."""
    ended = {call.path: call.at + call.took for call in seen.calls if call.heard}
    steps = {step.id: step for step in workflow.every_step()}
    order = [owner_of(call.path) for call in undos if isinstance(steps[call.step], ActionStep) and call.attempt == 0]
    moments = [ended[path] for path in order if path in ended]
    if moments != sorted(moments, reverse=True):
        yield f"the undos came in the order {', '.join(order)}"


def _finally_ran(workflow: Workflow, seen: Observed) -> Iterator[str]:
    """The steps of `finally` were called, of the workflow and of each `try` of which a step was."""
    if seen.status is RunStatus.TIMED_OUT and not workflow.finally_steps:
        return
    called = {call.step for call in seen.calls}
    blocks: list[tuple[str, Block, bool]] = [("the workflow", workflow.finally_steps, bool(seen.calls))]
    for step in workflow.every_step():
        if isinstance(step, TryStep):
            blocks.append((step.id, step.finally_steps, any(inner.id in called for inner in walk(step.steps))))
    for name, block, begun in blocks:
        first = next(iter(block), None)
        if begun and first is not None and _surely_called(first) and first.id not in called:
            yield f"finally of {name} did not run"


def _surely_called(step: Step) -> bool:
    return isinstance(step, ActionStep | AwsStep) and step.condition is None


def _as_with_history(fault: Fault, seen: Observed, plain: Observed) -> Iterator[str]:
    """Without the table a run comes to the same, or says that it does not know what took effect."""
    if seen.error is not None and NOT_KNOWN in seen.error.message:
        if seen.status is not RunStatus.ROLLBACK_FAILED:
            yield f"it is not known what took effect, and the run ended {seen.status}"
        return
    told, expected = (_ending(run) for run in (seen, plain))
    if is_in_doubt(fault) or fault.kind is Kind.CRASH:
        return  # the runtime cannot tell that an action which must not be repeated may have taken effect
    if told != expected:
        yield f"without the history it ended {told}, with it {expected}"
    calls, wanted = (Counter((call.path, call.attempt) for call in run.calls) for run in (seen, plain))
    if calls != wanted:
        yield f"without the history the calls differ: {(calls - wanted) or (wanted - calls)}"


def _ending(run: Observed) -> tuple[str, str | None]:
    return run.status.value, run.error.type if run.error else None


# -- the reference ------------------------------------------------------------------------------------


def interpretable(workflow: Workflow) -> bool:
    """Whether the reference knows all of the workflow."""
    every = list(workflow.every_step())
    return not any(isinstance(step, AwsStep | ChildStep) or _reads_env(step) for step in every)


def _reads_env(step: Step) -> bool:
    """Whether it reads what only a deployment has."""
    params = step.params if isinstance(step, ActionStep) else None
    return any(reference.root == "env" for template in templates(params) for reference in template.references)


def _as_the_reference(
    workflow: Workflow, catalog: ActionCatalog, given: dict[str, Any], seen: Observed
) -> Iterator[str]:
    answers = answers_of(seen)
    unheard: list[str] = []

    def script(step: str, path: str, attempt: int) -> Answer:
        call = answers.get((path, attempt))
        if call is None:
            unheard.append(f"{path} was not called for the {attempt + 1}. time")
            return Answer(0, error="NeverCalled")
        return Answer(round(call.took * SECOND), call.result, call.error, call.message)

    try:
        expected = Interpreter(workflow, catalog, given, script).run()
    except Ambiguous:
        return
    yield from unheard
    told = (seen.status.value, seen.error.type if seen.error else None)
    if told != (expected.status, expected.error):
        yield f"it ended {told}, and should have ended {(expected.status, expected.error)}"
    calls = sorted((call.path, call.attempt, round(call.at * SECOND)) for call in seen.calls)
    wanted = sorted((call.path, call.attempt, call.at) for call in expected.calls)
    if not unheard and calls != wanted:
        yield f"its calls were {calls}, and should have been {wanted}"
