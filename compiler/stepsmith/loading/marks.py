"""The text that a YAML parser is given, and the way back from its marks to places in the source.

The two texts differ only where a parser could not take the source as it is: a byte order mark, and the pairs
of surrogate escapes by which JSON writes a character beyond the basic plane.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Self

from stepsmith.diagnostics import Diagnostics
from stepsmith.loading.events import Mark
from stepsmith.source import Position, SourceFile, Span

# YAML 1.2.2, production 1 (c-printable).
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# PyYAML counts these as line ends, as YAML 1.1 did, or counts their columns in a way of its own.
_LINES_COUNTED_OTHERWISE = re.compile("[\x85\u2028\u2029\ufeff]")

_SURROGATE_PAIR = re.compile(
    r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})", re.ASCII
)

_END_OF_TAG = re.compile(r"[\s,\[\]{}]|$")


@dataclass(slots=True)
class ParserText:
    """What a parser reads of `source`; `_parsed_at` and `_written_at` pair the offsets where they differ."""

    source: SourceFile
    text: str
    _parsed_at: list[int] = field(default_factory=list)
    _written_at: list[int] = field(default_factory=list)
    _by_offset: bool = False

    @classmethod
    def of(cls, source: SourceFile, diagnostics: Diagnostics) -> Self | None:
        """The text for a parser; None and a diagnostic when it has characters that YAML refuses."""
        text = source.text
        if bad := _UNPRINTABLE.search(text):
            at = source.span(bad.start(), bad.end())
            diagnostics.error(
                "control-character",
                f"the character U+{ord(bad.group()):04X} is not allowed in YAML",
                at,
                f'remove it, or write it as an escape in double quotes: "{_escape(bad.group())}"',
            )
            return None
        by_offset = _LINES_COUNTED_OTHERWISE.search(text) is not None
        parsed = cls(source, text, _by_offset=by_offset)
        if text.startswith("\ufeff"):
            parsed.text = text[1:]
            parsed._parsed_at, parsed._written_at = [0], [1]
        parsed._join_surrogates()
        return parsed

    def _join_surrogates(self) -> None:
        """Writes JSON's `\\ud83d\\ude00` as YAML's `\\U0001f600`; YAML knows no surrogates."""
        text = self.text
        if not text.lstrip().startswith(("{", "[")) or not _SURROGATE_PAIR.search(text):
            return
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            return
        pieces: list[str] = []
        length, after, base = 0, 0, self._written_at[0] if self._written_at else 0
        for pair in _SURROGATE_PAIR.finditer(text):
            high, low = int(pair[2], 16), int(pair[3], 16)
            joined = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)
            piece = f"{text[after : pair.start()]}{pair[1]}\\U{joined:08x}"
            pieces.append(piece)
            length, after = length + len(piece), pair.end()
            self._parsed_at.append(length)
            self._written_at.append(after + base)
        self.text = "".join([*pieces, text[after:]])
        self._by_offset = True

    def written(self, index: int) -> int:
        """The offset in the source of the character at `index` of the parser's text."""
        nearest = bisect_right(self._parsed_at, index) - 1
        if nearest < 0:
            return index
        return min(self._written_at[nearest] + index - self._parsed_at[nearest], len(self.source.text))

    def position(self, mark: Mark) -> Position:
        index = mark.index
        # libyaml puts the end of the text on a line of its own.
        if self._by_offset or index >= len(self.text):
            return self.source.position(self.written(index))
        return Position(mark.line + 1, mark.column + 1)

    def at(self, mark: Mark, length: int) -> str:
        """The `length` characters from `mark` on."""
        return self.text[mark.index : mark.index + length]

    def between(self, start: Mark, end: Mark) -> str:
        """The text as the author wrote it, from `start` to just before `end`."""
        return self.source.text[self.written(start.index) : self.written(end.index)]

    def end_of_block(self, start: Mark, end: Mark) -> Position:
        """Where a block scalar's last line ends; its own end mark lies past the blank lines that follow."""
        kept = len(self.text[start.index : end.index].rstrip())
        return self.source.position(self.written(start.index + kept))

    def dash(self, item: Mark) -> Span:
        """The span of the `-` before a block sequence's item that starts at `item`."""
        text, at = self.text, item.index - 1
        while at >= 0 and text[at] in " \t":
            at -= 1
        if at < 0 or text[at] != "-":
            return self._dash_above(self.position(item))
        if self._by_offset:
            return self.source.span(self.written(at), self.written(at) + 1)
        line, column = item.line + 1, item.column + 1 - (item.index - at)
        return Span(self.source.path, Position(line, column), Position(line, column + 1))

    def _dash_above(self, item: Position) -> Span:
        """The `-` of an item that begins on a later line, past comments and blank lines."""
        for number in range(item.line - 1, 0, -1):
            line = self.source.line(number)
            code = line[: line.index("#")].rstrip() if "#" in line else line.rstrip()
            if code.endswith("-"):
                dash = Position(number, len(code))
                return Span(self.source.path, dash, Position(number, len(code) + 1))
            if code.strip():
                break
        return Span(self.source.path, item, item)

    def tag_span(self, mark: Mark) -> Span:
        """The span of the tag in the properties of the node that starts at `mark`."""
        start = max(self.text.find("!", mark.index), mark.index)
        end = _END_OF_TAG.search(self.text, start)
        return self.source.span(self.written(start), self.written(end.start() if end else start))


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
