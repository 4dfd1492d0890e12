"""Which steps a step reads: reading `steps.a` in a graph implies needing `a`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from stepsmith.expressions.syntax import Template, references
from stepsmith.model.steps import Step


def steps_read(step: Step) -> Iterator[str]:
    """The ids in every `steps.ID` of `step`, of its modifiers and of the steps inside it."""
    for template in _templates(step):
        for reference in references(template):
            first = reference.path[0] if reference.path else None
            if reference.root == "steps" and isinstance(first, str):
                yield first


def _templates(thing: object) -> Iterator[Template]:
    """Every template anywhere in a part of the model: whatever a verb or modifier may hold, its reads count."""
    match thing:
        case Template():
            yield thing
        case tuple():
            for item in thing:
                yield from _templates(item)
        case _ if is_dataclass(thing):
            for field in fields(thing):
                yield from _templates(getattr(thing, field.name))
        case _:
            return
