"""What the command line writes to: colours and symbols where they can be shown, plain text elsewhere.

Nothing here knows a command. Standard output carries what was asked for, standard error what accompanies it.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from typing import Final, TextIO

_STYLES: Final = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

_UNICODE_SYMBOLS: Final = {
    "succeeded": "✓",
    "failed": "✗",
    "skipped": "○",
    "retried": "↻",
    "running": "▸",
    "waiting": "…",
    "ellipsis": "…",
    "arrow": "→",
    "dash": "–",
    "bar": "│",
}
_ASCII_SYMBOLS: Final = {
    "succeeded": "+",
    "failed": "x",
    "skipped": "o",
    "retried": "~",
    "running": ">",
    "waiting": "~",
    "ellipsis": "...",
    "arrow": "->",
    "dash": "-",
    "bar": "|",
}


@dataclass(frozen=True)
class Console:
    """The two streams of a command and what they can show."""

    out: TextIO
    err: TextIO
    colour: bool
    """Whether standard output takes escape sequences for colours."""
    live: bool
    """Whether standard output is a terminal on which lines can be rewritten."""
    symbols: Mapping[str, str]

    def print(self, text: str = "") -> None:
        """Writes a line to standard output."""
        self.out.write(text + "\n")

    def print_json(self, value: object) -> None:
        """Writes JSON to standard output, with escapes only where the encoding needs them."""
        import json

        text = json.dumps(value, indent=2, ensure_ascii=False)
        self.print(text if can_show(text, self.out) else json.dumps(value, indent=2))

    def note(self, text: str) -> None:
        """Writes a line to standard error."""
        self.err.write(text + "\n")

    @contextmanager
    def working(self, text: str) -> Iterator[None]:
        """Says on a terminal what takes a moment, while it does; it is gone afterwards."""
        shown = _is_terminal(self.err) and self.live
        if shown:
            self.err.write(f"{text}{self.symbol('ellipsis')}")
            self.err.flush()
        try:
            yield
        finally:
            if shown:
                self.err.write("\r\x1b[K")
                self.err.flush()

    def style(self, text: str, *styles: str) -> str:
        """`text` in the given styles (`bold`, `dim` or a colour), unchanged where colours are off."""
        if not self.colour or not styles or not text:
            return text
        return f"\x1b[{';'.join(_STYLES[style] for style in styles)}m{text}\x1b[0m"

    def symbol(self, name: str) -> str:
        return self.symbols[name]

    @property
    def width(self) -> int:
        """Columns of the terminal; 100 where there is none."""
        return shutil.get_terminal_size((100, 24)).columns

    @property
    def height(self) -> int:
        """Lines of the terminal."""
        return shutil.get_terminal_size((100, 24)).lines

    def cut(self, text: str, width: int) -> str:
        """`text` on one line and within `width` columns."""
        flat = " ".join(text.split())
        mark = self.symbol("ellipsis")
        return flat if len(flat) <= width else flat[: max(width - len(mark), 0)] + mark

    def table(self, rows: Iterable[Sequence[str]], *, header: Sequence[str] = ()) -> list[str]:
        """Aligned lines; styled cells count by what is seen. The last column is not padded."""
        cells = [list(row) for row in rows]
        if header:
            cells.insert(0, [self.style(title, "dim") for title in header])
        columns = max((len(row) for row in cells), default=0)
        widths = [max(seen(row[at]) for row in cells if at < len(row)) for at in range(columns)]
        lines = []
        for row in cells:
            padded = [cell + " " * (widths[at] - seen(cell)) for at, cell in enumerate(row[:-1])]
            lines.append("  ".join([*padded, row[-1]]).rstrip())
        return lines


def seen(text: str) -> int:
    """The number of columns that `text` takes once its escape sequences are gone."""
    return len(_ESCAPES.sub("", text))


def standard_console(environment: Mapping[str, str] | None = None) -> Console:
    """The console on the process's own streams. NO_COLOR and a dumb terminal turn colours off."""
    given = os.environ if environment is None else environment
    for stream in (sys.stdout, sys.stderr):
        # A character that the encoding lacks must not end a command that has done its work.
        if isinstance(stream, TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
    terminal = _is_terminal(sys.stdout) and given.get("TERM") != "dumb"
    full = can_show("".join(_UNICODE_SYMBOLS.values()), sys.stdout)
    return Console(
        out=sys.stdout,
        err=sys.stderr,
        colour=terminal and not given.get("NO_COLOR"),
        live=terminal,
        symbols=_UNICODE_SYMBOLS if full else _ASCII_SYMBOLS,
    )


def can_show(text: str, stream: TextIO) -> bool:
    """Whether the stream's encoding has every character of `text`."""
    try:
        text.encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:
        return False


def duration(seconds: float) -> str:
    """A length of time as people say it: `12 ms`, `3.4 s`, `2m 05s`, `1d 02h`."""
    if seconds < 0.0005:
        return "0 s"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 and seconds % 1 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m {rest:02}s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}h {minutes:02}m"
    days, hours = divmod(hours, 24)
    return f"{days}d {hours:02}h"


def plural(count: int, noun: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
