"""Lowers a whole workflow: its steps, its output, its `finally` and the check of its input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from stepsmith.analysis.facts import Analysis, use_templates
from stepsmith.asl.states import StateMachine
from stepsmith.catalog import ActionCatalog
from stepsmith.expressions.syntax import references
from stepsmith.lowering.blocks import lower_finally
from stepsmith.lowering.context import Context, in_order
from stepsmith.lowering.deadlines import survives
from stepsmith.lowering.edges import Edge, End
from stepsmith.lowering.frames import Finally, Guard
from stepsmith.lowering.input import lower_input
from stepsmith.lowering.names import Names
from stepsmith.lowering.steps import lower_block
from stepsmith.lowering.undoing import lower_rollback, lower_rollback_machine
from stepsmith.model.policies import Then
from stepsmith.model.steps import Block
from stepsmith.model.workflow import Workflow
from stepsmith.permissions import merged
from stepsmith.services import ServiceCatalog

NAME = "workflow"
"""What the states that belong to no step are named after."""


def environment_of(analysis: Analysis) -> tuple[str, ...]:
    """The names of the values that are set at deployment."""
    return tuple(sorted(set(_environment(analysis))))


def _environment(analysis: Analysis) -> Iterator[str]:
    for use in analysis.uses:
        for template in use_templates(use):
            for reference in references(template):
                if reference.root == "env" and reference.path and isinstance(reference.path[0], str):
                    yield reference.path[0]


def lower_workflow(
    workflow: Workflow, analysis: Analysis, catalog: ActionCatalog, services: ServiceCatalog | None = None
) -> StateMachine:
    """The machine of a workflow that passed the checks. Raises LoweringError for a bug of ours."""
    context = Context(workflow, analysis, catalog, Names(workflow, analysis), lower_block, services=services)
    start = lower_input(context, enter(context, workflow.steps))
    return finished(context, start)


def enter(context: Context, steps: Block) -> Edge:
    """The edge that enters `steps`, with what stands around the workflow's main sequence: its end, its `finally` and
    its rollback."""
    workflow, analysis = context.workflow, context.analysis
    context.deadline = workflow.timeout if survives(workflow) else None
    span = workflow.output.span if workflow.output is not None else workflow.span
    done = Edge(End(f"{NAME}.end", span, workflow.output, analysis.end))
    guards: tuple[Guard, ...] = ()
    leaves: tuple[Finally, ...] = ()
    if workflow.finally_steps:
        done, guard, leave = lower_finally(context, None, NAME, workflow.finally_steps, workflow.steps, done)
        guards, leaves = (guard,), (leave,)
    if workflow.rolls_back:
        # The rollback comes before the workflow's `finally`.
        with context.outliving(), context.guarded(guards, leaves):
            rollback = lower_rollback(context)
        guards = (rollback, *guards) if workflow.on_failure is Then.ROLLBACK else guards
    with context.guarded(guards, leaves):
        return context.block(steps, done)


def finished(context: Context, start: str) -> StateMachine:
    """The machine that begins at the state `start`, with the one that undoes its runs."""
    workflow = context.workflow
    main = StateMachine(
        name=workflow.name,
        start_at=start,
        states=tuple(in_order(context.frame.states, start)),
        comment=workflow.description,
        timeout=None if survives(workflow) else workflow.timeout,
        environment=environment_of(context.analysis),
        functions=tuple(sorted(context.functions)),
        distributed=tuple(sorted(context.labels)),
        machines=tuple(sorted(context.machines)),
        permissions=merged(context.permissions),
    )
    return replace(main, rollback=lower_rollback_machine(context))
