"""Every expression must read what is there, with types that fit; all mistakes of all expressions are found."""

from __future__ import annotations

from stepsmith.analysis.facts import UseKind, use_templates
from stepsmith.checks.context import CheckContext
from stepsmith.expressions.translate import translate_condition
from stepsmith.expressions.types import KINDS, Type, describe, kinds
from stepsmith.model.secrets import holds_secret, without_secrets
from stepsmith.model.values import templates
from stepsmith.source import Span

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
            if translation is not None and wanted is not None:
                _check_type(context, translation.type, wanted, template.span)


def _check_type(context: CheckContext, found: Type, wanted: tuple[tuple[str, ...], str, str], span: Span) -> None:
    """A declared value that may also be null is passed over: a condition before it often says that it is not."""
    names, what, article = wanted
    others = kinds(found) - set(names)
    if others == kinds(found):
        message = f"{what} must be {article}, the expression yields {describe(found)}"
        context.diagnostics.error("wrong-type", message, span, f"read something that is {article}")
    elif others - {"null"} and others | set(names) != KINDS:
        message = f"{what} must be {article}, the expression yields {describe(found)}; anything else fails the run"
        context.diagnostics.warning("maybe-wrong-type", message, span, f"read something that is always {article}")
