"""An approval must ask something, of people who can be reached, and of enough of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from stepsmith.analysis.facts import Use, UseKind
from stepsmith.checks.context import CheckContext
from stepsmith.checks.params import hint, misfits
from stepsmith.diagnostics import did_you_mean
from stepsmith.expressions.syntax import Template
from stepsmith.expressions.translate import Translation
from stepsmith.model.steps import ApprovalStep
from stepsmith.model.values import ListValue, Literal, Templated, Value
from stepsmith.schema import Schema

_MESSAGE: Final[Schema] = {"type": "string", "minLength": 1}
_RECIPIENTS: Final[Schema] = {"type": "array", "items": {"type": "string"}}
_COMPUTED: Final[Schema] = {"type": ["array", "string"], "items": {"type": "string"}}
"""What an expression in place of the recipients may yield."""
RECIPIENT: Final = re.compile(r"arn:aws[a-z-]*:sns:\S+|[^\s@:]+@[^\s@:]+\.[^\s@:]+|(slack|teams):https?://\S+")
"""As `send_notification` takes them, but less strict: the handler has the last word."""


_WANTED: Final[Mapping[str, str]] = {
    "message": "write what is to be decided",
    "approvers": "write a list such as [name@example.com]",
    "notify": "write a list such as [name@example.com]",
}


def check_approvals(context: CheckContext) -> None:
    for use in context.analysis.uses:
        step = use.step
        if use.kind is not UseKind.PARAMS or not isinstance(step, ApprovalStep):
            continue
        for item in step.request.fields:
            computed = isinstance(item.value, Templated)
            schema = _MESSAGE if item.key == "message" else _COMPUTED if computed else _RECIPIENTS
            for problem in misfits(item.value, schema, {}, _translations(context, use)):
                value, message = problem
                told = f'"{item.key}" of an approval {message}'
                context.diagnostics.error("wrong-param", told, value.span, hint(problem) or _WANTED[item.key])
            if item.key != "message":
                _check_recipients(context, item.value)
        _check_quorum(context, step)


def _translations(context: CheckContext, use: Use) -> Callable[[Template], Translation | None]:
    return lambda template: context.translated(use, template)


def _check_recipients(context: CheckContext, value: Value) -> None:
    for each in value.items if isinstance(value, ListValue) else ():
        text = each.value if isinstance(each, Literal) else None
        if isinstance(text, str) and not RECIPIENT.fullmatch(text):
            kind = text.partition(":")[0]
            near = did_you_mean(kind, ("slack", "teams")) if ":" in text else ""
            context.diagnostics.error(
                "bad-recipient",
                f'"{text}" is nobody who can be told',
                each.span,
                near or "write an e-mail address, the ARN of an SNS topic, or slack: or teams: and a webhook's URL",
            )


def _check_quorum(context: CheckContext, step: ApprovalStep) -> None:
    asked = step.request.get("approvers")
    if not isinstance(asked, ListValue):
        return
    constants = [each.value for each in asked.items if isinstance(each, Literal) and isinstance(each.value, str)]
    most = len(set(constants)) + len(asked.items) - len(constants)
    if step.quorum > most > 0:
        context.diagnostics.error(
            "quorum-too-high",
            f"{step.quorum} must approve, and {most} {'is' if most == 1 else 'are'} asked",
            asked.span,
            f"ask more people, or write quorum: {most}",
        )
