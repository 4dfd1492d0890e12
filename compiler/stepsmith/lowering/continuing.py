"""Lowers a workflow that goes on from one of its steps, as two machines.

`lower_recorded` makes the part before the step, in which every call is answered from a record and has no effect:
followed again, it says what the steps from there on find in the machine's variables. `lower_continuation` makes the
machine that has these values put into its variables and begins at the step. Both name variables alike, and neither
decides whether the records suffice.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Final, assert_never

from stepsmith.analysis.facts import Analysis
from stepsmith.asl.states import Origin, PassState, Role, StateMachine, SucceedState
from stepsmith.catalog import ActionCatalog, ActionSignature
from stepsmith.document import Json
from stepsmith.expressions import jsonata
from stepsmith.lowering.context import Context, in_order
from stepsmith.lowering.edges import Edge
from stepsmith.lowering.folding import state_for
from stepsmith.lowering.input import lower_input
from stepsmith.lowering.machine import enter, environment_of, finished
from stepsmith.lowering.names import INPUT, Names
from stepsmith.lowering.steps import lower_block
from stepsmith.model.policies import Handler, RetryPolicy, Then
from stepsmith.model.steps import (
    ActionStep,
    ApprovalStep,
    AwsStep,
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
    behind,
    in_sequence,
    walk,
)
from stepsmith.model.values import ObjectValue
from stepsmith.model.workflow import Workflow
from stepsmith.services import ServiceCatalog

REACHED: Final = "workflow.reached"
"""The state at which the recorded part ends."""
GO_ON: Final = "workflow.continue"
"""The first state of a continuation; its input has the values of the variables under KEPT."""
KEPT: Final = "kept"
_RECORDED: Final = ActionSignature(name="(recorded)", summary="", handler="", params={}, result={})
_NO_RETRY: Final = RetryPolicy((), transient=False)


def lower_recorded(
    workflow: Workflow, analysis: Analysis, catalog: ActionCatalog, services: ServiceCatalog | None, count: int
) -> StateMachine:
    """The first `count` steps of the main sequence, ending at REACHED. Each step that calls something is a Task that
    is sent the step's path and answered with the step's output, as it is after `output:`; nothing is tried again."""
    context = Context(
        workflow,
        analysis,
        ActionCatalog([*catalog, _RECORDED]),
        Names(workflow, analysis),
        lower_block,
        services=services,
    )
    reached = context.add(SucceedState(name=REACHED, origin=Origin(Role.END, workflow.name_span), output={}))
    start = lower_input(context, context.block(_block(in_sequence(workflow.steps)[:count]), Edge(reached)))
    states = tuple(in_order(context.frame.states, start))
    return StateMachine(workflow.name, start, states, environment=environment_of(analysis))


def lower_continuation(
    workflow: Workflow,
    analysis: Analysis,
    catalog: ActionCatalog,
    services: ServiceCatalog | None,
    count: int,
    given: Collection[str],
) -> StateMachine:
    """The machine that begins behind the first `count` steps of the main sequence. `given` are the variables, by their
    names in the machine, that its input has values for."""
    context = Context(workflow, analysis, catalog, Names(workflow, analysis), lower_block, services=services)
    entry = state_for(context, enter(context, behind(workflow.steps, count)))
    assign: dict[str, Json] = {name: jsonata.field(jsonata.path("$states.input", KEPT, name)) for name in sorted(given)}
    description = "Takes over what an earlier run has on record."
    origin = Origin(Role.HELPER, workflow.name_span, description=description)
    start = context.add(PassState(name=GO_ON, origin=origin, assign=assign, output={}, next=entry))
    return finished(context, start)


def variables_of(
    workflow: Workflow, analysis: Analysis, steps: Collection[str], variables: Collection[str]
) -> dict[str, tuple[str, str]]:
    """The machine's variables outside of all branches: those of the input, of `steps` and of `variables`, by name, each
    with what it holds: `("steps", ID)`, `("vars", NAME)` or `("input", "")`."""
    names = Names(workflow, analysis)
    found = {names.step(name, ()): ("steps", name) for name in steps}
    found |= {names.variable(name): ("vars", name) for name in variables}
    return found | ({INPUT: ("input", "")} if workflow.input is not None else {})


def _block(block: Block) -> Block:
    return tuple(_step(step) for step in block)


def _step(step: Step) -> Step:
    match step:
        case ActionStep() | AwsStep() | ChildStep() | ApprovalStep():
            return _call(step)
        case ForEachStep() if step.distributed:
            return _call(step)
        case ForEachStep():
            return replace(step, steps=_block(step.steps), retry=_NO_RETRY, on_failure=_handlers(step.on_failure))
        case ParallelStep():
            branches = tuple(replace(branch, steps=_block(branch.steps)) for branch in step.branches)
            return replace(step, branches=branches, retry=_NO_RETRY, on_failure=_handlers(step.on_failure))
        case SwitchStep():
            return replace(step, cases=tuple(replace(case, steps=_block(case.steps)) for case in step.cases))
        case RepeatStep():
            return replace(step, steps=_block(step.steps))
        case TryStep():
            inner = replace(step, steps=_block(step.steps), finally_steps=_block(step.finally_steps))
            return replace(inner, catch=_handlers(step.catch) or ())
        case WaitStep():
            return replace(step, seconds=1, until=None)
        case GraphStep():
            steps = _block(step.steps)
            made = {inner.id: inner for inner in walk(steps)}
            return replace(step, steps=steps, nodes=tuple(made[node.id] for node in step.nodes))
        case SetStep() | StopStep() | FailStep():
            return step
        case _:
            assert_never(step)


def _handlers(handlers: tuple[Handler, ...] | None) -> tuple[Handler, ...] | None:
    """The handlers; one that would begin a rollback only fails, since a run that was rolled back is not continued."""
    if handlers is None:
        return None
    return tuple(
        replace(each, steps=_block(each.steps), then=Then.FAIL if each.then is Then.ROLLBACK else each.then)
        for each in handlers
    )


def _call(step: ActionStep | AwsStep | ChildStep | ApprovalStep | ForEachStep) -> ActionStep:
    return ActionStep(
        id=step.id,
        span=step.span,
        id_span=step.id_span,
        condition=step.condition,
        retry=_NO_RETRY,
        on_failure=_handlers(step.on_failure),
        action=_RECORDED.name,
        action_span=step.span,
        params=ObjectValue((), step.span),
    )
