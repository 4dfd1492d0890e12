"""What a rollback cannot do, and what it would leave behind."""

from __future__ import annotations

from stepsmith.checks.context import CheckContext
from stepsmith.model.policies import Then
from stepsmith.model.steps import (
    ActionStep,
    Block,
    ForEachStep,
    Step,
    TryStep,
    handlers_of,
    inner_blocks,
    rolls_back,
    walk,
)
from stepsmith.model.workflow import WorkflowType


def check_rollback(context: CheckContext) -> None:
    _check_places(context, context.workflow.steps, "")
    _check_places(context, context.workflow.finally_steps, "finally")
    if context.workflow.type is WorkflowType.EXPRESS:
        _check_express(context)
    if context.workflow.on_failure is Then.ROLLBACK:
        _check_undos(context)


def _check_places(context: CheckContext, block: Block, inside: str) -> None:
    """Neither a `finally` nor an iteration that is an execution of its own can begin a rollback of the run."""
    for step in block:
        if inside and rolls_back(step):
            context.diagnostics.error(
                "rollback-not-here",
                f"a rollback can't begin inside {inside}",
                step.id_span,
                "write on_failure: rollback on the loop itself"
                if inside == "a distributed loop"
                else "a finally runs after the rollback: write on_failure: fail or continue",
            )
        if inside == "finally" and step.rollback is not None:
            context.diagnostics.error(
                "rollback-not-here",
                "what finally does is not undone: it runs after the rollback",
                step.rollback.id_span,
                "move the step out of finally, or remove its rollback",
            )
        if inside == "a distributed loop" and step.rollback is not None and not isinstance(step, ActionStep):
            context.diagnostics.error(
                "rollback-not-here",
                "only actions can be undone inside a distributed loop: its items are executions of their own, of which "
                "nothing else is on record",
                step.rollback.id_span,
                "use an action, or write mode: inline",
            )
        for inner in inner_blocks(step):
            last = isinstance(step, TryStep) and inner is step.finally_steps
            around = "finally" if last else inside
            if isinstance(step, ForEachStep) and step.distributed:
                around = around or "a distributed loop"
            _check_places(context, inner, around)
        for handler in handlers_of(step):
            _check_places(context, handler.steps, inside)


def _check_express(context: CheckContext) -> None:
    if context.workflow.rolls_back or context.workflow.undoable:
        context.diagnostics.error(
            "not-in-express",
            "an express workflow can't roll back: Step Functions keeps no history of it to read what has completed",
            context.workflow.name_span,
            "write type: standard, or handle the failures with try and catch",
        )


def _check_undos(context: CheckContext) -> None:
    """Under `on_failure: rollback`, a step that changes something should say how that is undone."""
    for step in _rolled_back(context.workflow.steps):
        action = context.catalog.get(step.action) if isinstance(step, ActionStep) else None
        if action is not None and action.effect != "read" and step.rollback is None and not step.stays:
            what = "destroys something" if action.effect == "destructive" else "changes something"
            context.diagnostics.warning(
                "no-rollback",
                f"'{step.id}' {what} and has no rollback, so that a rolled-back run leaves that behind",
                step.id_span,
                "add rollback: {action: …, params: {…}}; where nothing is to be undone, say so with rollback: none",
            )


def _rolled_back(block: Block) -> list[Step]:
    """The steps of the body; what handlers do stays done, so that it needs no undo to be complete."""
    handled = {inner.id for step in walk(block) for handler in handlers_of(step) for inner in walk(handler.steps)}
    return [step for step in walk(block) if step.id not in handled]
