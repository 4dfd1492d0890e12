"""Secrets may be read only where they stay out of the machine, its history and its logs."""

from __future__ import annotations

import re
from typing import Final

from stepsmith.analysis.facts import Use, UseKind, use_templates
from stepsmith.checks.context import CheckContext
from stepsmith.expressions.syntax import Expression, Template, references
from stepsmith.model.secrets import holds_secret
from stepsmith.model.steps import ActionStep

ENVIRONMENT_NAME: Final = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")


def check_environment(context: CheckContext) -> None:
    """Names of values that are set at deployment are spelled as environment variables are."""
    for use in context.analysis.uses:
        for template in use_templates(use):
            for reference in references(template):
                name = reference.path[0] if reference.path else None
                if reference.root == "env" and isinstance(name, str) and not ENVIRONMENT_NAME.fullmatch(name):
                    context.diagnostics.error(
                        "bad-name",
                        f'"{name}" is no name for a value that is set at deployment',
                        reference.span,
                        f"use capital letters, digits and single _, such as env.{slug_of(name)}",
                    )


def slug_of(name: str) -> str:
    return re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_") or "API_URL"


def check_secrets(context: CheckContext) -> None:
    for use in context.analysis.uses:
        for template in use_templates(use):
            if not holds_secret(template):
                continue
            for reference in references(template):
                if reference.root == "secrets" and not _allowed(use):
                    context.diagnostics.error(
                        "secret-not-here",
                        "a secret can be read only in the params of an action",
                        reference.span,
                        "anywhere else its value would stand in the run's history; pass it to the action that needs it",
                    )
            if _allowed(use):
                _check_alone(context, template)


def _allowed(use: Use) -> bool:
    return use.kind is UseKind.PARAMS and isinstance(use.step, ActionStep)


def _check_alone(context: CheckContext, template: Template) -> None:
    for expression in template.expressions:
        if expression.secret is None and _reads_secret(template, expression):
            context.diagnostics.error(
                "secret-in-expression",
                "a secret can't be part of a larger expression: only the handler knows its value",
                expression.span,
                "write {{ secrets.NAME }} by itself; text around it is fine",
            )


def _reads_secret(template: Template, expression: Expression) -> bool:
    only = Template((expression,), whole=True, span=template.span)
    return any(reference.root == "secrets" for reference in references(only))
