"""From a field of the YAML file to templates, and what a template reads. Names, types and JSONata come later."""

from __future__ import annotations

from stepsmith.diagnostics import Diagnostics
from stepsmith.document import ScalarNode
from stepsmith.expressions.conditions import parse_condition
from stepsmith.expressions.parsing import parse_expression
from stepsmith.expressions.places import places_of
from stepsmith.expressions.splitting import split
from stepsmith.expressions.tree import Expression, Reference, Template
from stepsmith.source import SourceFile

__all__ = ["Expression", "Reference", "Template", "parse_condition", "parse_template", "references"]


def parse_template(
    node: ScalarNode, source: SourceFile, diagnostics: Diagnostics, *, legacy: bool = False
) -> Template | None:
    """The template that a field holds; None for a literal without `{{`, or after reporting an error.

    `legacy`: as for conditions, unquoted words beside a known name are text; and a name may have hyphens.
    """
    text = node.value
    if not isinstance(text, str) or "{{" not in text:
        return None
    places = places_of(node, source)
    pieces = split(text, places, diagnostics)
    if pieces is None:
        return None
    parts: list[str | Expression] = []
    failed = False
    for piece in pieces:
        if isinstance(piece, str):
            parts.append(piece)
            continue
        start, end = piece
        expression = parse_expression(text[start:end], places.part(range(start, end)), diagnostics, hyphens=legacy)
        if expression is None:
            failed = True
        else:
            parts.append(expression)
    if failed:
        return None
    if len(parts) == 2 and isinstance(parts[0], Expression) and parts[1] == "\n":
        parts.pop()
    return Template(tuple(parts), len(parts) == 1, node.span, legacy)


def references(template: Template) -> tuple[Reference, ...]:
    """Every read of a name in the template, in the order written."""
    return template.references
