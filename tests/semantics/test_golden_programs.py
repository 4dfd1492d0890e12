"""The golden workflows do what the reference does, with every step failing in turn and with conditions both ways."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from stepsmith.model.steps import ActionStep, ApprovalStep, ChildStep
from stepsmith.pipeline import Compilation
from tests.golden.cases import ACCEPTED, SOURCE, accepted, compile_accepted, sample_input
from tests.semantics.comparison import compare
from tests.semantics.programs.program import Program
from tests.semantics.schedule import Ambiguous
from tests.support.machines import CATALOG, DECIDED, RESULTS

# What the reference does not speak of: other workflows, times of day, and the text of a definition that it never makes.
BEYOND = {"children", "wait", "output-folded", "rollback"}


def _programs(name: str, compilation: Compilation) -> Iterator[Program]:
    assert compilation.workflow is not None
    text = (ACCEPTED / name / SOURCE).read_text(encoding="utf-8")
    actions = [step for step in compilation.workflow.every_step() if isinstance(step, ActionStep)]
    good: dict[str, list[dict[str, Any]]] = {step.id: [{"result": RESULTS[step.action]}] for step in actions}
    approvals = [step for step in compilation.workflow.every_step() if isinstance(step, ApprovalStep)]
    good |= {step.id: [{"result": DECIDED}] for step in approvals}
    filled = {item.name for item in compilation.workflow.input or () if "minItems" in item.schema}
    for given in _inputs(sample_input(compilation), filled):
        yield Program(text, given, good, compilation)
        for asked in approvals:
            yield Program(
                text, given, {**good, asked.id: [{"error": "ApprovalRejected", "message": "no"}]}, compilation
            )
            yield Program(text, given, {**good, asked.id: [{"late": True}]}, compilation)
        for step in actions:
            signature = CATALOG.get(step.action)
            assert signature is not None
            for error in (signature.errors[0].name, "Lambda.Unknown"):
                failing = [{"error": error, "message": "no"}]
                yield Program(text, given, {**good, step.id: failing}, compilation)
                yield Program(text, given, {**good, step.id: [*failing, *good[step.id]]}, compilation)


def _inputs(given: dict[str, Any], filled: set[str]) -> Iterator[dict[str, Any]]:
    """The input, and it with each boolean the other way and each list empty that is not in `filled`."""
    yield given
    for name, value in given.items():
        if isinstance(value, bool):
            yield {**given, name: not value}
        if isinstance(value, list) and name not in filled:
            yield {**given, name: []}


@pytest.mark.parametrize("name", [name for name in accepted() if name not in BEYOND])
def test_golden_workflow(name: str) -> None:
    compilation = compile_accepted(name)
    assert compilation.workflow is not None
    assert not any(isinstance(step, ChildStep) for step in compilation.workflow.every_step())
    compared = 0
    for made in _programs(name, compilation):
        try:
            difference = compare(made)
        except Ambiguous:
            continue
        assert difference is None, f"{made.given} {made.answers}\n{difference}"
        compared += 1
    assert compared > 0
