"""Secrets in params: an expression that is just `secrets.NAME` is never evaluated by the machine.

The machine sends the places of secrets, never their values; the handler fills them in.
"""

from __future__ import annotations

from dataclasses import replace

from stepsmith.expressions.syntax import Expression, Template, references


def holds_secret(template: Template) -> bool:
    """Whether the template reads a secret anywhere."""
    return any(reference.root == "secrets" for reference in references(template))


def without_secrets(template: Template) -> Template | None:
    """The template without the expressions that are just a secret, for all that must not see them; None when no
    expression is left."""
    if not holds_secret(template):
        return template
    kept = tuple(part for part in template.parts if not (isinstance(part, Expression) and part.secret is not None))
    rest = replace(template, parts=kept, whole=False)
    return rest if rest.expressions else None
