"""Where things are written: a source file, a position in it and a span between two positions."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property

_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a text. Lines and columns count from 1, columns in characters."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of one file, from `start` to just before `end`."""

    path: str
    start: Position
    end: Position

    def __str__(self) -> str:
        return f"{self.path}:{self.start}"


@dataclass(frozen=True)
class SourceFile:
    """A text and the path by which people know it; the path is shown, never opened, by the compiler."""

    path: str
    text: str = field(repr=False)

    @cached_property
    def _starts(self) -> array[int]:
        """The offset at which each line begins. `\\r\\n`, `\\n` and a lone `\\r` end a line, as in YAML."""
        starts = array("L", [0])
        starts.extend(end.end() for end in _LINE_END.finditer(self.text))
        return starts

    def line(self, number: int) -> str:
        """The text of line `number` (from 1) without its end; empty past the end of the file."""
        if not 1 <= number <= len(self._starts):
            return ""
        start = self._starts[number - 1]
        end = self._starts[number] if number < len(self._starts) else len(self.text)
        return self.text[start:end].rstrip("\r\n")

    def line_length(self, number: int) -> int | None:
        """How many characters line `number` (from 1) has without its end; None past the end of the file."""
        if not 1 <= number <= len(self._starts):
            return None
        start = self._starts[number - 1]
        end = self._starts[number] if number < len(self._starts) else len(self.text)
        while end > start and self.text[end - 1] in "\r\n":
            end -= 1
        return end - start

    def position(self, offset: int) -> Position:
        """The position of the character at `offset` (from 0)."""
        line = bisect_right(self._starts, offset)
        return Position(line, offset - self._starts[line - 1] + 1)

    def offset(self, position: Position) -> int:
        """The offset of `position`; the inverse of `position()`."""
        return self._starts[position.line - 1] + position.column - 1

    def between(self, span: Span) -> str:
        """The text that `span` covers."""
        return self.text[self.offset(span.start) : self.offset(span.end)]

    def span(self, start: int, end: int) -> Span:
        """The span of the characters from offset `start` to just before offset `end`."""
        return Span(self.path, self.position(start), self.position(end))
