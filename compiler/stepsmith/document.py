"""The YAML document as read: a closed union of nodes that know where they were written.

A node's place is not part of its value: two nodes written in different places with equal content are equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from stepsmith.source import SourceFile, Span

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Scalar: TypeAlias = bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """A text, number, boolean or null. `plain` tells an unquoted scalar from a quoted or block one."""

    value: Scalar
    span: Span = field(compare=False, repr=False)
    plain: bool = field(default=True, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SequenceNode:
    """A list. `dashes` gives the place of each item's `-` (of the item itself in flow style)."""

    items: tuple[Node, ...]
    span: Span = field(compare=False, repr=False)
    dashes: tuple[Span, ...] = field(default=(), compare=False, repr=False)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.items)


@dataclass(frozen=True, slots=True)
class Entry:
    """A key and its value in a mapping."""

    key: str
    key_span: Span = field(compare=False, repr=False)
    value: Node = field()


@dataclass(frozen=True, slots=True)
class MappingNode:
    """A mapping with text keys, in the order written; keys are unique."""

    entries: tuple[Entry, ...]
    span: Span = field(compare=False, repr=False)

    def get(self, key: str) -> Node | None:
        entry = self.entry(key)
        return entry.value if entry else None

    def entry(self, key: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.key == key), None)

    def keys(self) -> tuple[str, ...]:
        return tuple(entry.key for entry in self.entries)


Node: TypeAlias = ScalarNode | SequenceNode | MappingNode


@dataclass(frozen=True, slots=True)
class Document:
    """One parsed file: its root node and the text it came from."""

    root: Node
    source: SourceFile = field(repr=False)


def plain(node: Node) -> Json:
    """The node's value as plain JSON data, without places."""
    match node:
        case ScalarNode():
            return node.value
        case SequenceNode():
            return [plain(item) for item in node.items]
        case MappingNode():
            return {entry.key: plain(entry.value) for entry in node.entries}
