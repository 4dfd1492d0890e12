"""Every expression must read what is there, with types that fit; all mistakes of all expressions are found."""

from __future__ import annotations

from stepsmith.analysis.facts import Use, UseKind, use_templates
from stepsmith.checks.context import CheckContext
from stepsmith.expressions.scope import Binding, Scope
from stepsmith.expressions.translate import translate, translate_condition
from stepsmith.expressions.types import describe, kinds
from stepsmith.model.secrets import holds_secret, without_secrets
from stepsmith.model.values import templates

_WANTED = {
    UseKind.ITEMS: ("array", "what a loop runs over", "a list"),
    UseKind.SECONDS: ("number", "a wait", "a number of seconds"),
    UseKind.TIME: ("string", "until", "a time such as 2027-01-31T08:00:00Z"),
    UseKind.TEXT: ("string", "a cause", "text"),
}


def check_expressions(context: CheckContext) -> None:
    for use in context.analysis.uses:
        if not any(True for _ in use_templates(use)):
            continue
        scope = scope_of(context, use)
        if use.condition is not None and not holds_secret(use.condition):
            translate_condition(use.condition, scope, context.diagnostics)
        for template in templates(use.value):
            rest = without_secrets(template)
            if rest is None or holds_secret(rest):
                continue
            translation = translate(rest, scope, context.diagnostics)
            wanted = _WANTED.get(use.kind)
            if translation is not None and wanted is not None and not kinds(translation.type) & {wanted[0]}:
                context.diagnostics.error(
                    "wrong-type",
                    f"{wanted[1]} must be {wanted[2]}, the expression yields {describe(translation.type)}",
                    template.span,
                )


def scope_of(context: CheckContext, use: Use) -> Scope:
    """The names in scope where `use` stands."""
    extra: dict[str, Binding] = {}
    if use.kind is UseKind.RESHAPE and use.step is not None:
        extra["output"] = Binding(type=context.analysis.results[use.step.id], code="$output")
    return context.scope(use.point, extra)
