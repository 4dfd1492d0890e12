"""Where in the YAML file the characters of a scalar's value stand, so that a mistake inside `{{ }}` has an exact
place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from stepsmith.document import ScalarNode
from stepsmith.source import SourceFile, Span

_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_FOLDED = re.compile(r"\\\r?\n[ \t]*")
_SPACE = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Places:
    """The offset in the file of each character of a text; empty when they could not be told apart."""

    source: SourceFile
    whole: Span  # what to point at when the exact place is not known
    offsets: Sequence[int] = field(default=(), repr=False)

    def span(self, start: int, end: int) -> Span:
        """The span of the characters `start` up to `end` of the text."""
        if not self.offsets:
            return self.whole
        last = len(self.offsets) - 1
        start = min(max(start, 0), last)
        end = min(max(end, start + 1), last + 1)
        return self.source.span(self.offsets[start], self.offsets[end - 1] + 1)

    def part(self, origins: Sequence[int]) -> Places:
        """The places of a text whose characters came from the positions `origins` of this one."""
        if not self.offsets:
            return self
        if isinstance(origins, range):
            return Places(self.source, self.whole, self.offsets[origins.start : origins.stop])
        return Places(self.source, self.whole, [self.offsets[at] for at in origins])


def places_of(node: ScalarNode, source: SourceFile) -> Places:
    """The places of the characters of a text node: plain, quoted and block scalars; folding and escapes followed."""
    value = node.value
    if not isinstance(value, str):
        return Places(source, node.span)
    start = source.offset(node.span.start)
    raw = source.text[start : source.offset(node.span.end)]
    quoted = raw[:1] in ("'", '"')
    if raw[quoted : quoted + len(value)] == value and "\n" not in value and "\\" not in value:
        # Written as it is meant, as nearly all are.
        return Places(source, node.span, range(start + quoted, start + quoted + len(value)))
    return Places(source, node.span, [start + at for at in _align(raw, value)])


def _align(raw: str, value: str) -> list[int]:
    """For each character of `value` its position in `raw`, the text as written; empty when they do not match."""
    at, style = 0, raw[:1]
    if style in ("'", '"'):
        at = 1
    elif style in ("|", ">"):
        at = raw.find("\n") + 1
        style = "|"
    else:
        style = ""
    found: list[int] = []
    for char in value:
        if style == '"':
            while folded := _FOLDED.match(raw, at):
                at = folded.end()
            if escape := _ESCAPE.match(raw, at):
                found.append(at)
                at = escape.end()
                continue
        if char in _SPACE:
            found.append(min(at, len(raw) - 1))
            if raw[at : at + 1] in ("\r", "\n"):
                while at < len(raw) and raw[at] in _SPACE:
                    at += 1
            elif raw[at : at + 1] == char:
                at += 1
            continue
        while at < len(raw) and raw[at] != char and raw[at] in _SPACE:
            at += 1
            if style == '"' and (escape := _ESCAPE.match(raw, at)):
                break
        if at >= len(raw) or (raw[at] != char and not (style == '"' and raw[at] == "\\")):
            return []
        found.append(at)
        if style == '"' and (escape := _ESCAPE.match(raw, at)):
            at = escape.end()
        else:
            at += 2 if style == "'" and char == "'" else 1
    return found
