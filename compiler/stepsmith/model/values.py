"""Values of a workflow: a literal or an expression is a type, so that no later stage sniffs texts for braces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from stepsmith.document import Json, Scalar
from stepsmith.expressions.syntax import Template
from stepsmith.source import Span


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, number, boolean or null that means itself."""

    value: Scalar
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Templated:
    """A text with `{{ … }}` in it."""

    template: Template

    @property
    def span(self) -> Span:
        return self.template.span


@dataclass(frozen=True, slots=True)
class Field:
    """A key of an object value and what stands under it."""

    key: str
    key_span: Span = field(compare=False, repr=False)
    value: Value = field()


@dataclass(frozen=True, slots=True)
class ObjectValue:
    """An object whose fields may hold expressions; keys never do."""

    fields: tuple[Field, ...]
    span: Span = field(compare=False, repr=False)

    def get(self, key: str) -> Value | None:
        return next((item.value for item in self.fields if item.key == key), None)


@dataclass(frozen=True, slots=True)
class ListValue:
    """A list whose items may hold expressions."""

    items: tuple[Value, ...]
    span: Span = field(compare=False, repr=False)


Value: TypeAlias = Literal | Templated | ObjectValue | ListValue


def templates(value: Value | None) -> Iterator[Template]:
    """Every template within `value`, in the order written."""
    match value:
        case None | Literal():
            return
        case Templated():
            yield value.template
        case ObjectValue():
            for item in value.fields:
                yield from templates(item.value)
        case ListValue():
            for element in value.items:
                yield from templates(element)


def constant(value: Value) -> Json:
    """The value as plain data. Raises ValueError if an expression stands in it."""
    match value:
        case Literal():
            return value.value
        case Templated():
            raise ValueError(f"{value.span}: an expression is no constant")
        case ObjectValue():
            return {item.key: constant(item.value) for item in value.fields}
        case ListValue():
            return [constant(element) for element in value.items]
