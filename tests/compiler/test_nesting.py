"""Deep nesting costs what it holds: work that doubled with each level would never end here."""

from __future__ import annotations

import pytest

from tests.support.machines import compiled

DEPTH = 24


def _nested(opening: list[str], indent: int) -> str:
    """A step within `DEPTH` blocks, each opened by the lines of `opening`."""
    lines = ["name: deep", "input: {list: {type: array}, on: {type: boolean}}", "steps:"]
    for depth in range(DEPTH):
        lines += [" " * (2 + depth * indent) + line.replace("N", str(depth)) for line in opening]
    return "\n".join([*lines, " " * (2 + DEPTH * indent) + "- {id: last, action: ping}", ""])


@pytest.mark.parametrize(
    "opening",
    [
        ["- id: bN", "  repeat:", "    until: '{{ input.on }}'", "    max: 1", "    steps:"],
        ["- id: bN", "  for_each:", "    in: '{{ input.list }}'", "    steps:"],
        ["- id: bN", "  parallel:", "    other: [{id: oN, action: ping}]", "    this:"],
        ["- id: bN", "  catch: [{steps: [{id: cN, action: ping}]}]", "  finally: [{id: fN, action: ping}]", "  try:"],
    ],
    ids=["repeat", "for_each", "parallel", "try"],
)
def test_blocks_within_blocks(opening: list[str]) -> None:
    assert compiled(_nested(opening, 6 if ":" in opening[-1] and opening[-1].startswith("    ") else 4)).asl is not None
