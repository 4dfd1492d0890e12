"""From templates to JSONata: whole fields, texts and conditions, with their types."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from stepsmith.diagnostics import Diagnostics
from stepsmith.expressions import jsonata as j
from stepsmith.expressions import values as v
from stepsmith.expressions.scope import Scope
from stepsmith.expressions.translator import Translator
from stepsmith.expressions.tree import Expression, Template
from stepsmith.expressions.types import TEXT, Type
from stepsmith.expressions.values import Value
from stepsmith.source import Span


@dataclass(frozen=True, slots=True)
class Translation:
    """An expression as JSONata, without its marks. `total`: proven never to fail and never to be undefined."""

    code: str
    type: Type
    total: bool


def translate(template: Template, scope: Scope, diagnostics: Diagnostics) -> Translation | None:
    """The value of a field; None after reporting an error.

    A field that is one expression keeps the type of its value, any other is text. A field that is only a reference is
    written as the bare reference: Step Functions itself fails a field whose value is missing, and names field and
    expression.
    """
    found = Diagnostics()
    numbers = count(1)
    try:
        parts = [_part(part, template, scope, found, numbers) for part in template.parts]
        return _finished(parts[0] if template.whole else v.joined(parts), template, found, diagnostics)
    except RecursionError:
        _too_deep(template.span, found)
    diagnostics.extend(found)
    return None


def _part(
    part: str | Expression, template: Template, scope: Scope, found: Diagnostics, numbers: Iterator[int]
) -> Value:
    if isinstance(part, str):
        return v.constant(part, TEXT)
    translator = Translator(part, scope, found, bare_words=template.bare_words, numbers=numbers)
    return translator.field() if template.whole else translator.text()


def translate_condition(template: Template, scope: Scope, diagnostics: Diagnostics) -> Translation | None:
    """The truth of a condition, always a boolean; None after reporting an error."""
    found = Diagnostics()
    match template.parts:
        case (Expression() as expression,) if template.whole:
            translator = Translator(expression, scope, found, bare_words=template.bare_words)
            try:
                return _finished(translator.condition(expression.node), template, found, diagnostics)
            except RecursionError:
                _too_deep(template.span, found)
        case _:
            help_text = "write one {{ … }}, and compare inside of it"
            found.error("condition-type", "a condition is one expression, this is text", template.span, help_text)
    diagnostics.extend(found)
    return None


def _too_deep(span: Span, diagnostics: Diagnostics) -> None:
    diagnostics.error(
        "expression-too-deep",
        "this expression is nested more deeply than Step Functions evaluates",
        span,
        "compute a part in a `set:` step and read it as vars.NAME",
    )


def _finished(value: Value, template: Template, found: Diagnostics, diagnostics: Diagnostics) -> Translation | None:
    if value.code.depth > j.DEEPEST and not found.has_errors:
        _too_deep(template.span, found)
    diagnostics.extend(found)
    if found.has_errors:
        return None
    return Translation(j.program(value.code), value.type, value.total)
