"""What starts a workflow, as the events of its state machine, and how an event becomes the run's input.

EventBridge cannot compute: it copies values of the event, whole or into a text. An input that needs more is
refused with what to write instead.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from stepsmith.diagnostics import Diagnostics
from stepsmith.expressions.tree import Expression, chain_of
from stepsmith.model.values import ListValue, Literal, ObjectValue, Templated, Value, constant, templates
from stepsmith.model.workflow import EventTrigger, ScheduleTrigger
from stepsmith.source import Span
from stepsmith.template.cloudformation import Intrinsic, get_att
from stepsmith.template.cloudformation import Value as Cfn

DEAD_LETTERS: Final = "TriggerDeadLetterQueue"
"""The user's queue for events that could not start a run."""
BOUNDARY: Final = Intrinsic(
    "If",
    ("HasPermissionsBoundary", Intrinsic("Ref", "PermissionsBoundary"), Intrinsic("Ref", "AWS::NoValue")),
)
RETRIES: Final[Mapping[str, Cfn]] = {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 20}
"""An hour of trying: what answers an incident should not start a day later."""

_WHOLE_EVENT: Final = "<aws.events.event.json>"
_SCHEDULED_TIME: Final = "<aws.scheduler.scheduled-time>"
_LARGEST_INPUT_TEMPLATE: Final = 8192
_MOST_PATHS: Final = 100
_LARGEST_SCHEDULE_INPUT: Final = 256 * 1024
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def event_rule(trigger: EventTrigger, diagnostics: Diagnostics) -> Mapping[str, Cfn]:
    """The EventBridge rule of a trigger. Without an `input` of its own the run gets the whole event."""
    properties: dict[str, Cfn] = {"Pattern": trigger.pattern}
    if trigger.input is not None:
        transformer = _Transformer(diagnostics)
        template = transformer.template(trigger.input)
        transformer.check_limits(template, trigger.input.span)
        if transformer.paths:
            properties["InputTransformer"] = {"InputPathsMap": transformer.paths, "InputTemplate": template}
        elif _WHOLE_EVENT in template:
            properties["InputTransformer"] = {"InputTemplate": template}
        else:
            properties["Input"] = template
    properties["DeadLetterConfig"] = {"Arn": get_att(DEAD_LETTERS)}
    properties["RetryPolicy"] = RETRIES
    return {"Type": "EventBridgeRule", "Properties": properties}


def keyed_rule(trigger: EventTrigger, key: Value, workflow: str, diagnostics: Diagnostics) -> Mapping[str, Cfn]:
    """The rule of a trigger with a `dedupe_key`: it sends `{"workflow", "key", "input"}` to the starter."""
    transformer = _Transformer(diagnostics)
    data = transformer.template(trigger.input) if trigger.input is not None else _WHOLE_EVENT
    template = f'{{"workflow": {_json(workflow)}, "key": {transformer.template(key)}, "input": {data}}}'
    transformer.check_limits(template, key.span)
    made: dict[str, Cfn] = {"InputTemplate": template}
    if transformer.paths:
        made = {"InputPathsMap": transformer.paths, **made}
    properties: dict[str, Cfn] = {
        "Pattern": trigger.pattern,
        "InputTransformer": made,
        "DeadLetterConfig": {"Arn": get_att(DEAD_LETTERS)},
        "RetryPolicy": RETRIES,
    }
    return {"Type": "EventBridgeRule", "Properties": properties}


def keyed_schedule(trigger: ScheduleTrigger, key: Value, workflow: str, diagnostics: Diagnostics) -> Mapping[str, Cfn]:
    """The schedule of a trigger with a `dedupe_key`: the same, with the scheduled time in the key."""
    made = schedule(trigger, diagnostics)
    properties = made["Properties"]
    assert isinstance(properties, Mapping)
    sent = f'{{"workflow": {_json(workflow)}, "key": {_scheduled_key(key)}, "input": {properties["Input"]}}}'
    return {**made, "Properties": {**properties, "Input": sent}}


def _scheduled_key(key: Value) -> str:
    """The key as JSON, in which Scheduler puts the scheduled time (user guide, "Adding context attributes")."""
    if not isinstance(key, Templated):
        return _json(constant(key))
    parts = (_json(part)[1:-1] if isinstance(part, str) else _SCHEDULED_TIME for part in key.template.parts)
    return f'"{"".join(parts)}"'


def schedule(trigger: ScheduleTrigger, diagnostics: Diagnostics) -> Mapping[str, Cfn]:
    """The EventBridge Scheduler schedule of a trigger."""
    properties: dict[str, Cfn] = {
        "ScheduleExpression": trigger.expression,
        # SAM would name the schedule by its logical id alone, which two stacks of an account share.
        "OmitName": True,
    }
    if trigger.timezone is not None:
        properties["ScheduleExpressionTimezone"] = trigger.timezone
    properties["Input"] = _constant_input(trigger, diagnostics)
    properties["DeadLetterConfig"] = {"Arn": get_att(DEAD_LETTERS)}
    properties["RetryPolicy"] = RETRIES
    properties["PermissionsBoundary"] = BOUNDARY
    return {"Type": "ScheduleV2", "Properties": properties}


def _constant_input(trigger: ScheduleTrigger, diagnostics: Diagnostics) -> str:
    if trigger.input is None:
        return "{}"
    for template in templates(trigger.input):
        diagnostics.error(
            "trigger-input",
            "the input of a schedule cannot be computed: there is no event to read",
            template.span,
            "write the value itself; compute from it in the steps",
        )
        return "{}"
    text = _json(constant(trigger.input))
    if len(text.encode()) > _LARGEST_SCHEDULE_INPUT:
        diagnostics.error(
            "trigger-input",
            f"the input has {len(text.encode()):,} bytes; a schedule passes on {_LARGEST_SCHEDULE_INPUT:,}",
            trigger.input.span,
        )
    return text


@dataclass
class _Transformer:
    """Writes the input template of a rule and collects the paths of the event that it names."""

    diagnostics: Diagnostics
    paths: dict[str, str] = field(default_factory=dict)

    def template(self, value: Value) -> str:
        match value:
            case Literal():
                return _json(value.value)
            case ObjectValue():
                fields = (f"{_json(item.key)}: {self.template(item.value)}" for item in value.fields)
                return "{" + ", ".join(fields) + "}"
            case ListValue():
                return "[" + ", ".join(self.template(item) for item in value.items) + "]"
            case Templated():
                return self._templated(value)

    def _templated(self, value: Templated) -> str:
        template = value.template
        if template.whole:
            return self._placeholder(template.expressions[0]) or "null"
        text = ""
        for part in template.parts:
            if isinstance(part, str):
                text += _json(part)[1:-1]
                continue
            placeholder = self._placeholder(part)
            if placeholder == _WHOLE_EVENT:
                self._refuse(part, "the whole event cannot stand inside a text")
            text += placeholder or ""
        return f'"{text}"'

    def _placeholder(self, expression: Expression) -> str | None:
        chain = chain_of(expression.node)
        if chain is None or chain[0] != "event":
            self._refuse(expression, "EventBridge copies values of the event, it does not compute")
            return None
        if not chain[1]:
            return _WHOLE_EVENT
        path = "$"
        for step in chain[1]:
            if isinstance(step, int) and step >= 0:
                path += f"[{step}]"
            elif isinstance(step, str) and _NAME.fullmatch(step):
                path += f".{step}"
            else:
                self._refuse(expression, f"EventBridge's paths cannot name {step!r}")
                return None
        return f"<{self._name(path, chain[1])}>"

    def _name(self, path: str, steps: tuple[str | int, ...]) -> str:
        """A name for `path`: its last word, made unique; EventBridge reserves what begins with `aws`."""
        for name, known in self.paths.items():
            if known == path:
                return name
        words = [re.sub(r"[^A-Za-z0-9_]", "_", step) for step in steps if isinstance(step, str)]
        base = name = words[-1] if words and not words[-1].lower().startswith("aws") else "value"
        count = 1
        while name in self.paths:
            count += 1
            name = f"{base}_{count}"
        self.paths[name] = path
        return name

    def _refuse(self, expression: Expression, message: str) -> None:
        self.diagnostics.error(
            "trigger-input",
            message,
            expression.span,
            "write a path such as {{ event.detail.id }}, alone or within a text, or a literal; "
            "compute from it in the steps",
        )

    def check_limits(self, template: str, span: Span) -> None:
        if len(template) > _LARGEST_INPUT_TEMPLATE:
            self.diagnostics.error(
                "trigger-input",
                f"the input has {len(template):,} characters; a rule passes on {_LARGEST_INPUT_TEMPLATE:,}",
                span,
                "pass less: constants can stand in the steps",
            )
        if len(self.paths) > _MOST_PATHS:
            self.diagnostics.error(
                "trigger-input",
                f"the input reads {len(self.paths)} values of the event; a rule copies {_MOST_PATHS}",
                span,
                "pass a larger part of the event, such as {{ event.detail }}",
            )


def _json(value: object) -> str:
    """JSON in which no character opens one of EventBridge's or the Scheduler's own `<placeholders>`."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c").replace(">", "\\u003e")
