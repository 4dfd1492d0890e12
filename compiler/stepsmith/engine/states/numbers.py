"""Numeric fields of Task and Map: constants or expressions, whole numbers within bounds."""

from __future__ import annotations

import math

from stepsmith.engine.templates import Context, FieldError, Query, Template
from stepsmith.engine.values import to_text


def number(template: Template | None, context: Context, name: str) -> float | None:
    """The value of a numeric field, or None when the state has none. Raises FieldError."""
    if template is None:
        return None
    value = template.render(context)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        if isinstance(template, Query):
            raise template.unexpected("number", value)
        raise FieldError(name, None, f"The {name} field must be a number but was: {to_text(value)}")
    return value


def whole(template: Template | None, context: Context, name: str, least: int, most: int) -> int | None:
    """The value of an integer field; a fraction is rounded down (documented). Raises FieldError."""
    value = number(template, context, name)
    if value is None:
        return None
    floor = math.floor(value)
    if not least <= floor <= most:
        why = f"must be a number between {least} and {most} but was: {to_text(value)}"
        if isinstance(template, Query):
            raise template.invalid(f"returned a value that is out of range. It {why}")
        raise FieldError(name, None, f"The {name} field {why}")
    return floor
