"""How the coverage of rehearsals is shown: a table of the workflows, and a line for each edge that none took."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from stepsmith.cli.console import Console
    from stepsmith.rehearsals.coverage import Coverage

_INDENT: Final = "    "


def coverage_lines(covered: Sequence[Coverage], console: Console, least: int | None = None) -> Iterator[str]:
    """The table, then what is missing, each at its line. `least` is the percentage below which a workflow is red."""
    from stepsmith.rehearsals.edges import Kind

    kinds = [kind for kind in Kind if any(kind in item.kinds for item in covered)]
    rows = [["edges taken", *(kind.value for kind in kinds), "all"]]
    for item in covered:
        shares = [item.kinds.get(kind) for kind in kinds]
        cells = ["-" if share is None else f"{share.taken}/{share.total}" for share in shares]
        rows.append([item.workflow, *cells, f"{item.all.percent} %"])
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for number, row in enumerate(rows):
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        if number:
            cells[-1] = console.style(cells[-1], _colour(covered[number - 1].all.percent, least))
        yield "  ".join(cells)
    for item in covered:
        for gap in item.gaps:
            yield f"{_INDENT}{console.style(f'{gap.span}:', 'bold')} {gap.never}"
    short = [item for item in covered if least is not None and item.all.percent < least]
    for item in short:
        yield console.style(
            f"{item.workflow}: {item.all.percent} % of its edges were taken, {least} % are asked", "red"
        )


def _colour(percent: int, least: int | None) -> str:
    if least is not None and percent < least:
        return "red"
    return "green" if percent == 100 else "yellow"
