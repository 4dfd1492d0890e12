"""Text from a file, made safe and measurable for a terminal.

A file may hold escape sequences and bidirectional overrides that would change what a terminal shows; they are
shown as escapes.
"""

from __future__ import annotations

import unicodedata

_TAB_STOP = 4


def printable(text: str) -> str:
    """`text` in one line with every control character written as an escape."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def shown(char: str, column: int) -> str:
    """What to print for `char` when it falls on display column `column` (from 0) of a source line."""
    if char == "\t":
        return " " * (_TAB_STOP - column % _TAB_STOP)
    return char if char.isprintable() or char == " " else _escaped(char)


def width(text: str) -> int:
    """The columns that `text` takes on a terminal: two for wide characters, none for combining marks."""
    if text.isascii():
        return len(text)
    return sum(map(_char_width, text))


def _char_width(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def _escaped(char: str) -> str:
    if char == "\u00a0" or unicodedata.category(char) == "Zs":
        return " "
    # A joiner holds an emoji together and changes nothing else.
    if char == "\u200d":
        return char
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
