"""A trigger must supply what the workflow's input asks for, from what an event can give."""

from __future__ import annotations

from stepsmith.checks.context import CheckContext
from stepsmith.diagnostics import Diagnostics, did_you_mean, one_of
from stepsmith.expressions.scope import Binding, Scope
from stepsmith.expressions.translate import translate
from stepsmith.model.values import ObjectValue, constant, templates
from stepsmith.model.workflow import ApiTrigger, EventTrigger, ScheduleTrigger
from stepsmith.schema import violations
from stepsmith.source import Span


def check_triggers(context: CheckContext) -> None:
    for trigger in context.workflow.triggers:
        match trigger:
            case EventTrigger():
                scope = Scope({"event": Binding(code="$event", strict=False)})
                _check_input(context, trigger.input, scope, trigger.span, "the event")
            case ScheduleTrigger():
                _check_input(context, trigger.input, Scope({}), trigger.span, "the schedule")
            case ApiTrigger():
                pass


def _check_input(context: CheckContext, given: ObjectValue | None, scope: Scope, span: Span, noun: str) -> None:
    declared = {item.name: item for item in context.workflow.input or ()}
    fields = given.fields if given else ()
    names = {item.key for item in fields}
    for name, wanted in declared.items():
        if wanted.required and name not in names:
            context.diagnostics.error(
                "trigger-input",
                f'{noun} starts the workflow without its input "{name}"',
                span,
                f"add {name}: under the trigger's input, or give the input a default",
            )
    for item in fields:
        if context.workflow.input is not None and item.key not in declared:
            context.diagnostics.error(
                "trigger-input",
                f'the workflow has no input "{item.key}"',
                item.key_span,
                did_you_mean(item.key, declared, f"its inputs: {one_of(declared)}" if declared else "it declares none"),
            )
        found = Diagnostics()
        for template in templates(item.value):
            translate(template, scope, found)
        context.diagnostics.extend(found)
        if item.key in declared and not any(True for _ in templates(item.value)):
            for problem in violations(constant(item.value), declared[item.key].schema):
                context.diagnostics.error(
                    "trigger-input",
                    f"{item.key} {problem}",
                    item.value.span,
                    "write a value that obeys the input's schema",
                )
