"""The programs that are timed beside each other are equal, and docs/figures.md has what is measured.

No time is asserted.
"""

from __future__ import annotations

import json

from sfnx.compiler import definitions

from stepsmith.pipeline import compile_bytes
from tests.benchmarks.figures import Figure, Subject
from tests.benchmarks.page import page
from tests.benchmarks.programs import (
    catalog,
    crossing_workflow,
    diamonds_workflow,
    lambda_chain,
    linear_sfnx,
    linear_workflow,
    notes_workflow,
)
from tests.project.documents import ROOT


def test_both_compilers_make_a_line_of_the_same_calls() -> None:
    compilation = compile_bytes("linear.yaml", linear_workflow(7).encode(), catalog())
    assert compilation.asl is not None
    theirs = definitions(linear_sfnx(7), "linear.py", False)["linear"]
    names = [f"call_{number}" for number in range(7)]
    for machine in (json.loads(compilation.asl), theirs):
        tasks = [name for name, state in machine["States"].items() if state["Type"] == "Task"]
        assert tasks == names


def test_the_other_programs_are_what_they_are_said_to_be() -> None:
    notes = compile_bytes("notes.yaml", notes_workflow(10).encode(), catalog())
    assert notes.workflow is not None
    assert notes.asl is not None
    assert len(notes.workflow.steps) == 10
    for jsonata in (True, False):
        states = json.loads(lambda_chain(5, "arn", jsonata=jsonata))["States"]
        assert [state["Type"] for state in states.values()] == ["Task"] * 5


def test_the_graphs_are_what_they_are_said_to_be() -> None:
    for text, crosses in ((diamonds_workflow(200), False), (crossing_workflow(200), True)):
        compilation = compile_bytes("graph.yaml", text.encode(), catalog())
        assert compilation.asl is not None
        assert bool(len(compilation.diagnostics)) is crosses


def test_the_page_has_the_tables_that_are_measured() -> None:
    text = (ROOT / "docs" / "figures.md").read_text(encoding="utf-8")
    for heading in ("Compiling", "Commands", "Running here", "A cold start's imports"):
        assert f"\n## {heading}\n" in text
    assert "| 5,000 steps |" in text


def test_a_row_shows_both_times_and_their_ratio() -> None:
    text = page([Subject("Work", "What it is.", (Figure("ours", 0.05, "theirs", 0.2, 0.4),))], "2026-01-01")
    assert "| ours | 50.0 | theirs | 200 | 0.25 | 0.4 |" in text
