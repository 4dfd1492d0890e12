"""The code blocks and tables of the project's documents, for the tests that run and compare them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
_BLOCK: Final = re.compile(
    r"(?P<notes>(?:^<!--[^\n]*-->\n)*)^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_NOTE: Final = re.compile(r"<!-- (\w+): (.+?) -->")


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """A fenced block and the comments directly above it, `<!-- name: value -->`."""

    page: str
    line: int
    language: str
    text: str
    notes: dict[str, str]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str | None = None) -> Iterator[CodeBlock]:
    """The code blocks of a page, of one language or all."""
    text = page.read_text(encoding="utf-8")
    for match in _BLOCK.finditer(text):
        if language is None or match["language"] == language:
            line = text.count("\n", 0, match.start("text"))
            notes = dict(_NOTE.findall(match["notes"]))
            yield CodeBlock(page.relative_to(ROOT).as_posix(), line, match["language"], match["text"], notes)


def table(page: Path, name: str) -> list[list[str]]:
    """The rows of the table below `<!-- table: NAME -->`, without its header, each cell as written."""
    lines = page.read_text(encoding="utf-8").split(f"<!-- table: {name} -->\n")[1].splitlines()
    rows = []
    for line in lines[2:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def listed(page: Path, name: str) -> list[str]:
    """The codes in the paragraph below `<!-- list: NAME -->`."""
    paragraph = page.read_text(encoding="utf-8").split(f"<!-- list: {name} -->\n")[1].split("\n\n")[0]
    return re.findall(r"`([^`]+)`", paragraph)


def codes(cell: str) -> list[str]:
    """The codes in a cell of a table."""
    return re.findall(r"`([^`]+)`", cell)
