"""JSON templates: values of a definition in which strings may be expressions.

A definition's value is compiled once. Parts without an expression are kept as the value that the definition holds and
handed out as they are; only the rest is built anew on each evaluation. Fields are located as the history does it:
``Output/result``, ``Arguments/Items[0]``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from stepsmith.engine.query.expression import (
    Bound,
    Evaluator,
    Expression,
    QueryError,
    VariableFrame,
    expression,
    expression_text,
    is_expression,
)
from stepsmith.engine.values import Json, json_type, to_text


class FieldError(Exception):
    """A field of a state gave no usable value.

    `field` is None where AWS names none, `expression` is None where there is none. `message` is the sentence of the
    cause after AWS's preamble about the state.
    """

    def __init__(self, field: str | None, query: str | None, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.expression = query
        self.message = message


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluated expression, for tracing: its value, or the reason why it has none."""

    execution: str
    state: str
    field: str
    expression: str
    value: Json
    error: str | None


Trace: TypeAlias = Callable[[str, str, Json, "str | None"], None]


class Context:
    """What expressions see: a scope's variables and ``$states``; and who is told of each evaluation.

    `states` is plain JSON; `bind` gives the same in the library's form, and is called at most once.
    """

    __slots__ = ("_bind", "_bound", "evaluator", "scope", "states", "trace")

    def __init__(
        self,
        evaluator: Evaluator,
        scope: VariableFrame,
        states: Mapping[str, Json],
        bind: Callable[[], Mapping[str, Bound]],
        trace: Trace | None,
    ) -> None:
        self.evaluator = evaluator
        self.scope = scope
        self.states = states
        self.trace = trace
        self._bind = bind
        self._bound: Mapping[str, Bound] | None = None

    def evaluate(self, query: Expression) -> Json:
        """The value of an expression here. Raises QueryError."""
        return self.evaluator.evaluate(query, self.scope, self.states, self._bound_states)

    def _bound_states(self) -> Mapping[str, Bound]:
        if self._bound is None:
            self._bound = self._bind()
        return self._bound


@dataclass(frozen=True, slots=True)
class Literal:
    """A value without expressions."""

    value: Json

    def render(self, _: Context) -> Json:
        """The value itself."""
        return self.value


@dataclass(frozen=True, slots=True)
class Query:
    """An expression at one place of a definition."""

    expression: Expression
    field: str

    def render(self, context: Context) -> Json:
        """Its value. Raises FieldError."""
        query = self.expression
        try:
            value = context.evaluate(query)
        except QueryError as problem:
            if context.trace is not None:
                context.trace(self.field, query.text, None, problem.reason)
            raise FieldError(
                self.field,
                query.text,
                f"The JSONata expression '{query.text}' specified for the field '{self.field}' {problem.reason}",
            ) from None
        if context.trace is not None:
            context.trace(self.field, query.text, value, None)
        return value

    def unexpected(self, expected: str, value: Json) -> FieldError:
        """The error for a value of the wrong type, worded as AWS was recorded to word it."""
        return FieldError(
            self.field,
            self.expression.text,
            f"The JSONata expression '{self.expression.text}' specified for the field '{self.field}' returned an "
            f"unexpected result type. Expected '{expected}', but was '{json_type(value)}' for value: {to_text(value)}",
        )

    def invalid(self, why: str) -> FieldError:
        """The error for a value of the right type that the field cannot take."""
        return FieldError(
            self.field,
            self.expression.text,
            f"The JSONata expression '{self.expression.text}' specified for the field '{self.field}' {why}",
        )


@dataclass(frozen=True, slots=True)
class ObjectTemplate:
    """An object with an expression somewhere below."""

    members: tuple[tuple[str, Template], ...]

    def render(self, context: Context) -> Json:
        """A new object. Raises FieldError."""
        return {key: member.render(context) for key, member in self.members}


@dataclass(frozen=True, slots=True)
class ArrayTemplate:
    """An array with an expression somewhere below."""

    items: tuple[Template, ...]

    def render(self, context: Context) -> Json:
        """A new array. Raises FieldError."""
        return [item.render(context) for item in self.items]


Template: TypeAlias = Literal | Query | ObjectTemplate | ArrayTemplate


def compile_template(value: Json, field: str) -> Template:
    """The template of a definition's value that stands at `field`."""
    match value:
        case str():
            if is_expression(value):
                return Query(expression(expression_text(value)), field)
            return Literal(value)
        case Mapping():
            members = tuple((key, compile_template(member, f"{field}/{key}")) for key, member in value.items())
            if all(isinstance(member, Literal) for _, member in members):
                return Literal(value)
            return ObjectTemplate(members)
        case list():
            items = tuple(compile_template(item, f"{field}[{at}]") for at, item in enumerate(value))
            if all(isinstance(item, Literal) for item in items):
                return Literal(value)
            return ArrayTemplate(items)
        case _:
            return Literal(value)


def queries(template: Template) -> list[Query]:
    """All expressions of a template, in the order in which they stand."""
    match template:
        case Literal():
            return []
        case Query():
            return [template]
        case ObjectTemplate(members):
            return [query for _, member in members for query in queries(member)]
        case ArrayTemplate(items):
            return [query for item in items for query in queries(item)]
