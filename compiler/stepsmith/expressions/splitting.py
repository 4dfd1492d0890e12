"""Cuts the text of a field into what is literal and what is inside of `{{ }}`.

Done here and not by Jinja2, so that everything outside stays as written: `{#`, `${x}`, line ends.
"""

from __future__ import annotations

import re

from stepsmith.diagnostics import Diagnostics
from stepsmith.expressions.places import Places

_STATEMENT = re.compile(r"\{%.*?%\}", re.DOTALL)


def split(text: str, places: Places, diagnostics: Diagnostics) -> list[str | tuple[int, int]] | None:
    """Literal texts and the bounds of what is inside each `{{ }}`; `{{-` and `-}}` trim their neighbour."""
    pieces: list[str | tuple[int, int]] = []
    at, trim = 0, False
    while True:
        opening = text.find("{{", at)
        literal = text[at:] if opening < 0 else text[at:opening]
        if trim:
            literal = literal.lstrip()
        if opening < 0:
            pieces += [literal] if literal else []
            break
        start = opening + 2
        if text[start : start + 1] in ("-", "+"):
            literal = literal.rstrip() if text[start] == "-" else literal
            start += 1
        pieces += [literal] if literal else []
        closing = _closing(text, start)
        if closing < 0:
            quoted = "}}" in text[start:]
            diagnostics.error(
                "expression-syntax",
                "a quote or bracket inside this {{ is not closed" if quoted else "this {{ has no }}",
                places.span(opening, opening + 2),
                "close it before the }}" if quoted else "for the two characters themselves write {{ '{{' }}",
            )
            return None
        trim = text[closing - 1] == "-" and closing - 1 > start
        pieces.append((start, closing - trim))
        at = closing + 2
    outside = "".join(piece if isinstance(piece, str) else "\0" for piece in pieces)
    if _STATEMENT.search(outside):
        marks = text.find("{%")
        diagnostics.error(
            "statement-in-template",
            "statements such as {% if %} and {% for %} do not exist here",
            places.span(marks, marks + 2),
            "write {{ a if condition else b }}; for the characters themselves write {{ '{%' }}",
        )
        return None
    return pieces


def _closing(text: str, at: int) -> int:
    """Where the `}}` stands that closes an expression which begins at `at`; -1 when there is none."""
    open_brackets: list[str] = []
    mark = ""
    while at < len(text):
        char = text[at]
        if mark:
            if char == "\\":
                at += 1
            elif char == mark:
                mark = ""
        elif char in "\"'":
            mark = char
        elif char in "([{":
            open_brackets.append(char)
        elif char == "}" and not open_brackets:
            if text.startswith("}}", at):
                return at
        elif char in ")]}" and open_brackets:
            open_brackets.pop()
        at += 1
    return -1
