"""Diagnostics for a person at a terminal: the place, the line, carets under it, what to write instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stepsmith.diagnostics import Diagnostic, Severity
from stepsmith.reporting.printable import printable, shown, width
from stepsmith.source import SourceFile

_WIDEST = 110
"""Columns beyond which a help gets a line of its own."""

_MARGIN = 40
"""Characters shown before the span where a line is too long to be shown whole."""

_LONGEST_LINE = 160
_LONGEST_MESSAGE = 1000

_RESET, _BOLD, _BLUE = "\x1b[0m", "\x1b[1m", "\x1b[1;34m"
_COLOURS = {Severity.ERROR: "\x1b[1;31m", Severity.WARNING: "\x1b[1;33m", Severity.HINT: "\x1b[1;36m"}


def render_text(diagnostics: Iterable[Diagnostic], sources: Mapping[str, SourceFile], *, colour: bool = False) -> str:
    """One block a diagnostic, blank lines between them and after the last."""
    return "".join(f"{_block(diagnostic, sources, colour=colour)}\n" for diagnostic in diagnostics)


def _block(diagnostic: Diagnostic, sources: Mapping[str, SourceFile], *, colour: bool) -> str:
    span, hue = diagnostic.span, _COLOURS[diagnostic.severity]

    def paint(text: str, how: str) -> str:
        return f"{how}{text}{_RESET}" if colour and text else text

    path = printable(span.path)
    severity = paint(f"{diagnostic.severity}:", hue)
    message = paint(_message(diagnostic.message), _BOLD)
    lines = [f"{paint(f'{path}:{span.start}:', _BOLD)} {severity} {message} [{diagnostic.slug}]"]
    number = str(span.start.line)
    gutter = " " * (len(number) + 1)
    bar = paint("|", _BLUE)
    source = sources.get(span.path)
    excerpt = _excerpt(diagnostic, source) if source is not None else None
    helps = [_message(line) for line in diagnostic.help.splitlines() if line.strip()]
    if excerpt is not None:
        beside = ""
        carets = "^" * excerpt.carets
        before_help = len(gutter) + 2 + excerpt.indent + excerpt.carets + 1
        one_line = span.start.line == span.end.line
        if len(helps) == 1 and one_line and before_help + width(helps[0]) <= _WIDEST:
            beside, helps = helps[0], []
        lines += [
            f"{gutter}{bar}",
            f"{paint(number, _BLUE)} {bar} {excerpt.line}".rstrip(),
            f"{gutter}{bar} {' ' * excerpt.indent}{paint(f'{carets} {beside}'.rstrip(), hue)}",
        ]
    lines += [f"{gutter}{paint('=', _BLUE)} help: {text}" for text in helps[:1]]
    lines += [f"{gutter}        {text}" for text in helps[1:]]
    return "".join(f"{line}\n" for line in lines)


def _message(text: str) -> str:
    text = printable(" ".join(text.splitlines()))
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[: _LONGEST_MESSAGE - 1]}…"


@dataclass(frozen=True, slots=True)
class _Excerpt:
    """A line as it is printed, and where its carets stand, in columns of the terminal."""

    line: str
    indent: int
    carets: int


def _excerpt(diagnostic: Diagnostic, source: SourceFile) -> _Excerpt | None:
    span = diagnostic.span
    length = source.line_length(span.start.line)
    if length is None:
        return None
    first = min(span.start.column - 1, length)
    last = min(span.end.column - 1, length) if span.end.line == span.start.line else length
    from_ = 0 if length <= _LONGEST_LINE else max(0, first - _MARGIN)
    to = min(length, from_ + _LONGEST_LINE)
    base = source.offset(span.start) - (span.start.column - 1)
    text = source.text[base + from_ : base + to]
    pieces = ["…"] if from_ else []
    column = start = end = len(pieces)
    for index, char in enumerate(text, from_):
        if index == first:
            start = column
        if index == last:
            end = column
        piece = shown(char, column)
        pieces.append(piece)
        column += width(piece)
    if first >= to:
        start = column
    if last >= to:
        end = column
    if to < length:
        pieces.append("…")
    return _Excerpt("".join(pieces).rstrip(), start, max(end - start, 1))
