"""Every expression must read what is there, with types that fit; all mistakes of all expressions are found."""

from __future__ import annotations

from stepsmith.analysis.facts import UseKind, use_templates
from stepsmith.checks.context import CheckContext
from stepsmith.expressions.translate import translate_condition
from stepsmith.expressions.types import describe, kinds
from stepsmith.model.secrets import holds_secret, without_secrets
from stepsmith.model.values import templates

_WANTED = {
    UseKind.ITEMS: (("array",), "what a loop runs over", "a list"),
    UseKind.SECONDS: (("number",), "a wait", "a number of seconds"),
    UseKind.TIME: (("string",), "until", "a time such as 2027-01-31T08:00:00Z"),
    UseKind.TEXT: (("string",), "a cause", "text"),
    UseKind.KEY: (("string", "number"), "a key", "text or a number"),
}


def check_expressions(context: CheckContext) -> None:
    for use in context.analysis.uses:
        if not any(True for _ in use_templates(use)):
            continue
        if use.condition is not None and not holds_secret(use.condition):
            translate_condition(use.condition, context.scope_of(use), context.diagnostics)
        for template in templates(use.value):
            rest = without_secrets(template)
            if rest is None or holds_secret(rest):
                continue
            translation = context.translated(use, rest)
            wanted = _WANTED.get(use.kind)
            if translation is not None and wanted is not None and not kinds(translation.type) & set(wanted[0]):
                context.diagnostics.error(
                    "wrong-type",
                    f"{wanted[1]} must be {wanted[2]}, the expression yields {describe(translation.type)}",
                    template.span,
                    f"read something that is {wanted[2]}",
                )
