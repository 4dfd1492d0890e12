"""One use of a row of the tables in an expression: binds what the author wrote to the row's parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jinja2 import nodes

from stepsmith.diagnostics import did_you_mean
from stepsmith.document import Json
from stepsmith.expressions import jsonata as j
from stepsmith.expressions.catalogue import FILTERS, TESTS, UNSUPPORTED_FILTERS, UNSUPPORTED_TESTS
from stepsmith.expressions.jsonata import Code
from stepsmith.expressions.lookups import Place, item_of, property_of
from stepsmith.expressions.table import REQUIRED, Row
from stepsmith.expressions.types import NULL, type_of
from stepsmith.expressions.values import Maybe, Refused, Value, constant, needed, truth

if TYPE_CHECKING:
    from stepsmith.expressions.translator import Translator

NOT_CONSTANT = object()


def constant_of(node: nodes.Expr) -> Json | object:
    """The value of a literal: constants, their negatives, and lists of them; else NOT_CONSTANT."""
    match node:
        case nodes.Const(value=str() | bool() | int() | float() | None as value):
            return value
        case nodes.Neg(node=nodes.Const(value=int() | float() as number)) if not isinstance(number, bool):
            return -number
        case _:
            return NOT_CONSTANT


def row_of_filter(name: str) -> Row:
    """The row of a filter. Raises Refused with what to write instead."""
    if name in FILTERS:
        return FILTERS[name]
    if name in UNSUPPORTED_FILTERS:
        raise Refused("unknown-filter", f"the filter `{name}` is not supported", UNSUPPORTED_FILTERS[name])
    raise Refused("unknown-filter", f"there is no filter `{name}`", did_you_mean(name, FILTERS))


def row_of_test(name: str) -> Row:
    """The row of a test. Raises Refused with what to write instead."""
    if name in TESTS:
        return TESTS[name]
    if name in UNSUPPORTED_TESTS:
        raise Refused("unknown-test", f"the test `{name}` is not supported", UNSUPPORTED_TESTS[name])
    raise Refused("unknown-test", f"there is no test `{name}`", did_you_mean(name, TESTS))


class Use:
    """Implements `table.Call`."""

    def __init__(
        self,
        translator: Translator,
        row: Row,
        name: str,
        node: nodes.Node,
        subject: nodes.Expr | Value | Maybe | None,
        args: Sequence[nodes.Expr],
        keywords: Sequence[nodes.Keyword | nodes.Pair],
    ) -> None:
        self.name = name
        self._translator = translator
        self.row = row
        self._node = node
        self._subject = subject
        self._value: Value | None = None
        self._arguments: dict[str, nodes.Expr] = {}
        self._rest: list[nodes.Expr] = []
        self._keywords: list[nodes.Keyword] = []
        self._bindings: list[tuple[str, Code]] = []
        self._rest_values: list[Value] | None = None
        self._bind(args, keywords)

    def _bind(self, args: Sequence[nodes.Expr], keywords: Sequence[nodes.Keyword | nodes.Pair]) -> None:
        parameters = self.row.parameters
        # Where further arguments follow (`map('join', ', ')`), only parameters that must be given are positional.
        positional = [p for p in parameters if p.default is REQUIRED] if self.row.rest else list(parameters)
        for parameter, arg in zip(positional, args, strict=False):
            self._arguments[parameter.name] = arg
        more = list(args[len(positional) :])
        if more and not self.row.rest:
            at_most = f"at most {len(positional)}" if positional else "none"
            raise Refused("filter-argument", f"`{self.name}` has too many arguments, it takes {at_most}", self._usage())
        self._rest = more
        known = {parameter.name for parameter in parameters}
        for keyword in keywords:
            assert isinstance(keyword, nodes.Keyword)  # the annotation of Jinja2's nodes says Pair
            if keyword.key in self._arguments:
                raise Refused("filter-argument", f"`{self.name}` is given `{keyword.key}` twice", self._usage())
            if keyword.key in known:
                self._arguments[keyword.key] = keyword.value
            elif self.row.rest and self.row.name in ("map", "select", "reject", "selectattr", "rejectattr"):
                self._keywords.append(keyword)
            else:
                help_text = did_you_mean(keyword.key, known, self._usage())
                raise Refused("filter-argument", f"`{self.name}` has no argument `{keyword.key}`", help_text)
        for parameter in parameters:
            if parameter.default is REQUIRED and parameter.name not in self._arguments:
                raise Refused("filter-argument", f"`{self.name}` needs `{parameter.name}`", self._usage())

    def _usage(self) -> str:
        return f"write {self.row.signature}"

    # --- table.Call

    def subject(self) -> Value:
        if self._value is None:
            match self._subject:
                case Value():
                    self._value = self._subject
                case Maybe():
                    self._value = self._translator.consumed(self._subject, self._node)
                case None:
                    raise Refused("filter-argument", f"`{self.name}` needs an argument", self._usage())
                case node:
                    self._value = self._translator.value(node)
        return self._value

    def maybe(self) -> Maybe:
        match self._subject:
            case Maybe():
                return self._subject
            case Value() as value:
                return Maybe(value.code, value.type, self.source(), present=True, simple=value.simple)
            case None:
                raise Refused("filter-argument", f"`{self.name}` needs an argument", self._usage())
            case node:
                return self._translator.optional(node)

    def argument(self, name: str) -> Value:
        if name in self._arguments:
            return self._translator.value(self._arguments[name])
        default = next(p.default for p in self.row.parameters if p.name == name)
        assert default is not REQUIRED
        assert not isinstance(default, list | dict)
        return constant(default, type_of(default) if default is not None else NULL)

    def literal(self, name: str) -> Json:
        if name not in self._arguments:
            default = next(p.default for p in self.row.parameters if p.name == name)
            assert default is not REQUIRED
            return default
        value = constant_of(self._arguments[name])
        if value is NOT_CONSTANT:
            raise Refused(
                "filter-argument",
                f"`{self.name}`: `{name}` must be written as a constant, it cannot come from data",
            )
        return value  # type: ignore[return-value]  # what is not NOT_CONSTANT is JSON

    def given(self, name: str) -> bool:
        return name in self._arguments

    def rest(self) -> Sequence[Value]:
        if self._rest_values is None:
            self._rest_values = [self._translator.value(node) for node in self._rest]
        return self._rest_values

    def source(self) -> str:
        if isinstance(self._subject, Maybe):
            return self._subject.label
        if isinstance(self._subject, nodes.Expr):
            return self._translator.source_of(self._subject)
        return "an item"

    def fresh(self) -> str:
        return self._translator.fresh()

    def attribute(self, of: Value, path: Json) -> Maybe:
        if isinstance(path, int) and not isinstance(path, bool):
            steps: list[str | int] = [path]
        elif isinstance(path, str) and path:
            steps = [int(step) if step.isdigit() else step for step in path.split(".")]
        else:
            raise Refused("filter-argument", f"`{self.name}`: the attribute must be a quoted name")
        at = Place(Maybe(of.code, of.type, "item", present=True), strict=False)
        for step in steps:
            if isinstance(step, str):
                at = property_of(at, step)
            else:
                at = item_of(at, constant(step, type_of(step)), str(step))
        return at.read

    def apply_filter(self, to: Value) -> Value:
        name, arguments, keywords = self._inner("map", "a filter")
        row = row_of_filter(name)
        inner = Use(self._translator, row, name, self._node, to, arguments, keywords)
        return self._translator.written(inner, self._node)

    def apply_test(self, to: Value | Maybe) -> Value:
        if not self._rest:
            return truth(to if isinstance(to, Value) else needed(to))
        name, arguments, keywords = self._inner(self.name, "a test")
        inner = Use(self._translator, row_of_test(name), name, self._node, to, arguments, keywords)
        return self._translator.written(inner, self._node)

    def _inner(self, name: str, what: str) -> tuple[str, list[nodes.Expr], list[nodes.Keyword]]:
        """The name and the arguments of the filter or test to apply; what is not constant is bound before the loop."""
        chosen = constant_of(self._rest[0]) if self._rest else None
        if not isinstance(chosen, str):
            raise Refused("filter-argument", f"`{name}` needs the quoted name of {what} as its first argument")
        return (
            chosen,
            [self._outside(n) for n in self._rest[1:]],
            [nodes.Keyword(k.key, self._outside(k.value), lineno=k.lineno) for k in self._keywords],
        )

    def _outside(self, node: nodes.Expr) -> nodes.Expr:
        if constant_of(node) is not NOT_CONSTANT:
            return node
        value = self._translator.value(node)
        if value.simple:
            return node
        name = self.fresh()
        self._bindings.append((name, value.code))
        return self._translator.standing_for(Value(j.variable(name), value.type, value.total, simple=True), node)

    def bindings(self) -> list[tuple[str, Code]]:
        return self._bindings

    def warn(self, slug: str, message: str, help_text: str) -> None:
        self._translator.warn(slug, message, self._node, help_text)
