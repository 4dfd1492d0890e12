"""The tables of docs/expressions.md, written from the tables that the compiler uses."""

from __future__ import annotations

import json
from collections.abc import Iterable

from stepsmith.expressions import filters_data, filters_list, filters_text, functions, predicates
from stepsmith.expressions.catalogue import UNSUPPORTED_FILTERS, UNSUPPORTED_METHODS, UNSUPPORTED_TESTS
from stepsmith.expressions.table import Row


def markdown() -> str:
    """All filters, tests, functions and methods as Markdown, with an example and its result for each."""
    filters = sorted([*filters_data.ROWS, *filters_list.ROWS, *filters_text.ROWS], key=lambda row: row.name)
    return "\n".join(
        [
            "### Filters",
            "",
            *_table(filters),
            "",
            "These filters of Jinja2 are not supported:",
            "",
            *_instead(UNSUPPORTED_FILTERS),
            "",
            "### Tests",
            "",
            *_table(predicates.ROWS),
            "",
            "These tests of Jinja2 are not supported:",
            "",
            *_instead(UNSUPPORTED_TESTS),
            "",
            "### Functions",
            "",
            *_table(functions.FUNCTIONS),
            "",
            "### Methods",
            "",
            "Methods take text as it is: unlike filters they do not turn another value into text first.",
            "",
            *_table(functions.METHODS),
            "",
            "In place of other methods:",
            "",
            *_instead(UNSUPPORTED_METHODS),
            "",
        ]
    )


def _table(rows: Iterable[Row]) -> list[str]:
    lines = ["| name | of | gives | example | notes |", "| --- | --- | --- | --- | --- |"]
    for row in rows:
        name = f"`{row.signature}`"
        if row.aliases:
            name += f", also {', '.join(f'`{alias}`' for alias in row.aliases)}"
        example = ""
        if row.example:
            example = f"`{row.example}` is `{json.dumps(row.result, ensure_ascii=False)}`"
        cells = (name, row.takes, row.gives, example, row.note)
        lines.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
    return lines


def _instead(unsupported: dict[str, str]) -> list[str]:
    rows = [f"| `{name}` | {_cell(instead)} |" for name, instead in unsupported.items()]
    return ["| name | instead |", "| --- | --- |", *rows]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
