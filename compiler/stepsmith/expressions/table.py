"""What a row of the tables of filters, tests, functions and methods is, and what its writer is given.

A row says in one place how the thing is called, what it takes and gives, how it is written in JSONata, and shows an
example that the tests run and the documentation prints.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, TypeAlias

from stepsmith.document import Json
from stepsmith.expressions.jsonata import Code
from stepsmith.expressions.values import Maybe, Value


class Required(Enum):
    """Marks a parameter that must be given."""

    REQUIRED = "required"


REQUIRED = Required.REQUIRED


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter after the subject. `literal`: it must be written as a constant, since the emitted code depends on
    it."""

    name: str
    default: Json | Required = REQUIRED
    literal: bool = False


def needed(name: str, *, literal: bool = False) -> Parameter:
    return Parameter(name, REQUIRED, literal)


def optional(name: str, default: Json, *, literal: bool = False) -> Parameter:
    return Parameter(name, default, literal)


class Call(Protocol):
    """One use of a row: its subject (what stands before `|`, `is` or `.`), its arguments, and fresh names."""

    name: str

    def subject(self) -> Value:
        """The subject, which must be there."""

    def maybe(self) -> Maybe:
        """The subject where it may be missing (`default`, `is defined`)."""

    def argument(self, name: str) -> Value:
        """An argument, or the default of its parameter."""

    def literal(self, name: str) -> Json:
        """The value of an argument that must be constant."""

    def given(self, name: str) -> bool:
        """Whether the author wrote this argument."""

    def rest(self) -> Sequence[Value]:
        """The positional arguments behind the declared ones."""

    def source(self) -> str:
        """The subject as the author wrote it, for messages."""

    def fresh(self) -> str:
        """A local name that nothing else has."""

    def attribute(self, of: Value, path: Json) -> Maybe:
        """The property of an item that an `attribute=` names, dots and indexes included."""

    def apply_filter(self, to: Value) -> Value:
        """The filter named by the first argument of `map`, with the remaining arguments."""

    def apply_test(self, to: Value | Maybe) -> Value:
        """The test named by an argument of `select` and its kin, with the arguments behind; truth without one."""

    def bindings(self) -> list[tuple[str, Code]]:
        """What must be bound before the expression for the arguments of `apply_filter` and `apply_test`."""

    def warn(self, slug: str, message: str, help_text: str) -> None:
        """Reports a warning at this call."""


Writer: TypeAlias = Callable[[Call], Value | Maybe]


@dataclass(frozen=True, slots=True)
class Row:
    """A filter, test, function or method.

    `takes` and `gives` are for people; `example` is an expression and `result` the JSON it gives. `rest`: further
    positional arguments are taken as they come (and keyword ones where `map` hands them on). `note` says where it
    differs from Jinja2.
    """

    name: str
    takes: str
    gives: str
    write: Writer
    parameters: tuple[Parameter, ...] = ()
    aliases: tuple[str, ...] = ()
    example: str = ""
    result: Json = None
    note: str = ""
    rest: bool = False

    @property
    def signature(self) -> str:
        """The name with its parameters, as the documentation shows it."""
        words = [p.name if p.default is REQUIRED else f"{p.name}={_shown(p.default)}" for p in self.parameters] + (
            ["…"] if self.rest else []
        )
        return f"{self.name}({', '.join(words)})" if words else self.name


def _shown(value: Json | Required) -> str:
    return {"None": "none", "True": "true", "False": "false"}.get(repr(value), repr(value))


def named(*rows: Row) -> dict[str, Row]:
    """The rows by name and alias. Raises ValueError when two rows claim one name."""
    found: dict[str, Row] = {}
    for row in rows:
        for name in (row.name, *row.aliases):
            if name in found:
                raise ValueError(f"two rows are called {name}")
            found[name] = row
    return found
