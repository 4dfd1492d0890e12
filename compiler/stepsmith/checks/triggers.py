"""A trigger must supply what the workflow's input asks for, from what an event can give."""

from __future__ import annotations

from stepsmith.checks.context import CheckContext
from stepsmith.diagnostics import Diagnostics, did_you_mean, one_of
from stepsmith.expressions.scope import Binding, Scope
from stepsmith.expressions.syntax import references
from stepsmith.expressions.translate import translate
from stepsmith.model.values import ObjectValue, constant, templates
from stepsmith.model.workflow import ApiTrigger, EventTrigger, ScheduleTrigger, WorkflowType
from stepsmith.schema import violations
from stepsmith.source import Span


def check_triggers(context: CheckContext) -> None:
    for trigger in context.workflow.triggers:
        match trigger:
            case EventTrigger():
                scope = Scope({"event": Binding(code="$event", strict=False)})
                _check_input(context, trigger.input, scope, trigger.span, "the event")
                _check_key(context, trigger, scope)
            case ScheduleTrigger():
                _check_input(context, trigger.input, Scope({}), trigger.span, "the schedule")
                _check_key(context, trigger, Scope({"event": Binding(code="$event", strict=False)}))
            case ApiTrigger():
                pass


def _check_key(context: CheckContext, trigger: EventTrigger | ScheduleTrigger, scope: Scope) -> None:
    key = trigger.dedupe_key
    if key is None:
        return
    scheduled = isinstance(trigger, ScheduleTrigger)
    example = "{{ event.time }}, the scheduled time" if scheduled else "{{ event.id }}"
    read = [reference for template in templates(key) for reference in references(template)]
    found = Diagnostics()
    for template in templates(key):
        translate(template, scope, found)
    context.diagnostics.extend(found)
    if context.workflow.type is WorkflowType.EXPRESS:
        context.diagnostics.error(
            "not-in-express",
            "Step Functions does not refuse a second express execution of the same name",
            key.span,
            "leave dedupe_key out, or write type: standard",
        )
    elif not any(reference.root == "event" for reference in read):
        context.diagnostics.error(
            "dedupe-key",
            "this key is the same for every event: one run would be all that ever starts",
            key.span,
            f"write {example}",
        )
    elif scheduled and any(reference.root == "event" and reference.path != ("time",) for reference in read):
        context.diagnostics.error("dedupe-key", "a schedule has nothing but its time", key.span, f"write {example}")


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
