"""Templates that were left unquoted: YAML reads the braces of `key: {{ x }}` as two mappings.

Finds them in the text of a line and says how to quote a value; does not parse what is between the braces.
"""

from __future__ import annotations

from collections.abc import Iterator

from stepsmith.diagnostics import Diagnostics
from stepsmith.source import Span

_OPENERS = "[{"
_CLOSERS = "]}"
_LONGEST_SHOWN = 80


def report_unquoted(text: str, span: Span, diagnostics: Diagnostics) -> None:
    """Reports the value `text`, written at `span` without quotes."""
    diagnostics.error(
        "unquoted-template",
        "a template must be quoted: without quotes YAML reads its braces as a mapping",
        span,
        quote_help(text),
    )


def quote_help(text: str) -> str:
    """A help that shows the value `text` in quotes, when it is short enough to show."""
    return f"write {quoted(text)}" if len(text) <= _LONGEST_SHOWN and "\n" not in text else "put it in quotes"


def quoted(text: str) -> str:
    """`text` as a quoted YAML scalar, in the quotes that need no escapes where there are such."""
    if '"' not in text and "\\" not in text:
        return f'"{text}"'
    if "'" not in text:
        return f"'{text}'"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def find_unquoted(line: str) -> Iterator[tuple[int, int]]:
    """Where in `line` the values with an unquoted template begin and end (offsets).

    A plain text may hold `{{` after its beginning, except inside `[…]` and `{…}`, where a brace ends it.
    """
    depth, at, value_start = 0, 0, -1
    while at < len(line):
        char = line[at]
        if char == "#" and (at == 0 or line[at - 1] in " \t"):
            return
        if value_start < 0:
            if char in " \t":
                at += 1
                continue
            if char in "\"'":
                at = _after_quoted(line, at)
                continue
            if char == "-" and line[at + 1 : at + 2] in ("", " "):
                at += 1
                continue
            value_start = at
        if line.startswith("{{", at) and (depth or at == value_start):
            end = _end_of_value(line, at, in_flow=depth > 0)
            yield value_start, end
            at, value_start = end, -1
            continue
        if char in _OPENERS and (depth or at == value_start):
            depth, value_start = depth + 1, -1
        elif char in _CLOSERS and depth:
            depth, value_start = depth - 1, -1
        elif (char == "," and depth) or (char == ":" and line[at + 1 : at + 2] in ("", " ", "\t")):
            value_start = -1
        at += 1


def _after_quoted(line: str, at: int) -> int:
    quote = line[at]
    at += 1
    while at < len(line) and line[at] != quote:
        at += 2 if quote == '"' and line[at] == "\\" else 1
    return at + 1


def _end_of_value(line: str, at: int, *, in_flow: bool) -> int:
    close = line.find("}}", at)
    is_key = close >= 0 and line[close + 2 : close + 4] in (":", ": ")
    if is_key or (in_flow and close >= 0):
        return close + 2
    comment = line.find(" #", line.rfind("}}", at) if "}}" in line[at:] else at)
    return len(line[:comment].rstrip() if comment >= 0 else line.rstrip())
