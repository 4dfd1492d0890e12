"""Steps must name actions that exist."""

from __future__ import annotations

from stepsmith.checks.context import CheckContext
from stepsmith.diagnostics import did_you_mean, one_of
from stepsmith.model.steps import ActionStep


def check_actions(context: CheckContext) -> None:
    names = context.catalog.names()
    known = f"known actions: {one_of(names)}" if names else "this project has no actions yet"
    for step in context.workflow.every_step():
        if isinstance(step, ActionStep) and context.catalog.get(step.action) is None:
            context.diagnostics.error(
                "unknown-action",
                f'no action is named "{step.action}"',
                step.action_span,
                did_you_mean(step.action, names, known),
            )
