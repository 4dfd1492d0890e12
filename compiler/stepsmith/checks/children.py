"""Steps that run another workflow: it must exist, take what it is given, and not come back to this one."""

from __future__ import annotations

from stepsmith.analysis.facts import Use
from stepsmith.checks.context import CheckContext
from stepsmith.checks.params import may_fit
from stepsmith.diagnostics import did_you_mean, one_of
from stepsmith.expressions.types import describe, from_schema
from stepsmith.model.signature import Siblings, WorkflowSignature
from stepsmith.model.steps import ChildStep
from stepsmith.model.values import Templated, constant, templates
from stepsmith.model.workflow import WorkflowType
from stepsmith.schema import violations


def check_children(context: CheckContext) -> None:
    if context.siblings is None:
        return
    for use in context.analysis.uses:
        if not isinstance(use.step, ChildStep) or use.value is not use.step.params:
            continue
        step = use.step
        child = context.siblings.get(step.workflow)
        if child is None:
            names = sorted(context.siblings)
            context.diagnostics.error(
                "unknown-workflow",
                f'no workflow is named "{step.workflow}"',
                step.workflow_span,
                did_you_mean(step.workflow, names, f"known workflows: {one_of(names)}"),
            )
            continue
        _check_cycle(context, step, context.siblings)
        _check_type(context, step, child)
        _check_input(context, use, step, child)


def _check_cycle(context: CheckContext, step: ChildStep, siblings: Siblings) -> None:
    way = _way(step.workflow, context.workflow.name, siblings)
    if way is not None:
        shown = " -> ".join([context.workflow.name, *way])
        context.diagnostics.error(
            "workflow-cycle",
            f"this workflow would start itself again: {shown}",
            step.workflow_span,
            "break the circle: neither could be deployed, since each needs the other first",
        )


def _way(start: str, goal: str, siblings: Siblings) -> list[str] | None:
    """The workflows from `start` to `goal`, both included, if one starts the other."""
    waiting, seen = [[start]], {start}
    while waiting:
        way = waiting.pop(0)
        if way[-1] == goal:
            return way
        for child in siblings[way[-1]].children if way[-1] in siblings else ():
            if child not in seen:
                seen.add(child)
                waiting.append([*way, child])
    return None


def _check_type(context: CheckContext, step: ChildStep, child: WorkflowSignature) -> None:
    if not step.waits:
        return
    if context.workflow.type is WorkflowType.EXPRESS:
        context.diagnostics.error(
            "not-in-express",
            "an express workflow can't wait for another one",
            step.workflow_span,
            "write wait: false, or type: standard",
        )
    elif child.type is WorkflowType.EXPRESS:
        context.diagnostics.error(
            "not-in-express",
            f"{child.name} is an express workflow, which no step can wait for",
            step.workflow_span,
            "write wait: false, or make that one type: standard",
        )


def _check_input(context: CheckContext, use: Use, step: ChildStep, child: WorkflowSignature) -> None:
    declared = {item.name: item for item in child.input or ()}
    for name, item in declared.items():
        if item.required and step.params.get(name) is None:
            context.diagnostics.error(
                "missing-param",
                f'{child.name} needs the input "{name}"',
                step.workflow_span,
                f"add {name}: under params",
            )
    for given in step.params.fields:
        wanted = declared.get(given.key)
        if wanted is None:
            if child.input is not None:
                known = f"its inputs: {one_of(declared)}" if declared else "it declares none"
                context.diagnostics.error(
                    "unknown-param",
                    f'{child.name} has no input "{given.key}"',
                    given.key_span,
                    did_you_mean(given.key, declared, known),
                )
            continue
        if not any(True for _ in templates(given.value)):
            for problem in violations(constant(given.value), wanted.schema):
                context.diagnostics.error("wrong-param", f'the input "{given.key}" {problem}', given.value.span)
        elif isinstance(given.value, Templated):
            translation = context.translated(use, given.value.template)
            expected = from_schema(dict(wanted.schema))
            if translation is not None and not may_fit(translation.type, expected):
                context.diagnostics.error(
                    "wrong-param",
                    f'the input "{given.key}" must be {describe(expected)}, '
                    f"the expression yields {describe(translation.type)}",
                    given.value.span,
                )
