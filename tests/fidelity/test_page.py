"""docs/fidelity.md says what the tests say."""

from __future__ import annotations

import re

import pytest

from stepsmith.engine import limits
from tests.fidelity.page import PAGE, written

TEXT = PAGE.read_text(encoding="utf-8")
SOURCES = ("documented", "recorded", "measured", "assumed")


def test_the_generated_parts_are_up_to_date() -> None:
    assert written(TEXT) == TEXT, "run: python -m tests.fidelity.page"


def test_the_figures_are_there() -> None:
    figures = re.search(r"<!-- begin figures.*?-->(.*?)<!-- end figures -->", TEXT, re.DOTALL)
    assert figures
    assert figures[1].count("\n| ") >= 6


def rows() -> list[list[str]]:
    """The rows of the tables of behaviours, which have three columns."""
    lines = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    cells = [re.split(r"(?<!\\)\|", line.removeprefix("|").removesuffix("|")) for line in lines]
    return [[cell.strip() for cell in row] for row in cells if len(row) == 3 and row[1].strip() != "source"]


def test_every_behaviour_has_its_source() -> None:
    assert len(rows()) > 50
    for behaviour, source, _ in rows():
        assert all(part in SOURCES for part in re.split(r", ", source)), f"{behaviour}: {source}"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("25,000 events", limits.HISTORY_EVENTS == 25_000),
        ("256 KiB", limits.DATA_BYTES == 256 * 1024),
        ("10 MiB", limits.VARIABLES_BYTES == 10 * 1024 * 1024),
        ("40 iterations", limits.INLINE_MAP_CONCURRENCY == 40),
        ("10,000 children", limits.DISTRIBUTED_MAP_CONCURRENCY == 10_000),
        ("24,855 days", limits.TIMESTAMP_DAYS_AHEAD == 24_855),
    ],
)
def test_the_limits_that_it_names_are_the_engines(text: str, value: bool) -> None:
    assert text in TEXT
    assert value
