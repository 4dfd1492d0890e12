"""Writes a rehearsal down: what a run was given, and what it did as what is expected."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import yaml

from stepsmith.document import Json
from stepsmith.local.mocks import Mock
from stepsmith.local.runner import RunReport
from stepsmith.rehearsals.exploring import Find, called

_DECIDED: Final = {True: "approve", False: "reject", None: "timeout"}


def rehearsal_text(find: Find, workflow: str) -> str:
    """The YAML of a rehearsal that was found. It expects what the run did, and says that nobody has read it."""
    return "\n".join(_lines(find, workflow)) + "\n"


def _lines(find: Find, workflow: str) -> Iterator[str]:
    yield "# Made by `stepsmith test --explore`. Until it was there:"
    yield from (f"# - {edge.never}" for edge in find.edges)
    yield "# It expects what the run did, right or wrong. Read it, and write here what it shows."
    yield f"workflow: {workflow}"
    yield f"input: {_flow(dict(find.scenario.input))}"
    mocks = called(find.report, find.scenario.mocks)
    if mocks:
        yield "mocks:"
    for name, answers in mocks.items():
        if len(answers) == 1:
            yield f"  {name}: {_flow(_mock(answers[0]))}"
            continue
        yield f"  {name}:"
        yield from (f"    - {_flow(_mock(answer))}" for answer in answers)
    yield "expect:"
    yield from (f"  {line}" for line in _expected(find.report))


def _expected(report: RunReport) -> Iterator[str]:
    result = report.result
    yield f"status: {result['status']}"
    error = report.run.error
    if error is not None:
        yield f"error: {_flow({'type': error.type, **({'step': error.step} if error.step else {})})}"
    elapsed = result["elapsed_s"]
    if isinstance(elapsed, int | float) and elapsed:
        yield f"elapsed_s: {int(elapsed) if elapsed == int(elapsed) else elapsed}"
    # As the result shows them: a step that was undone is `rolled_back` there.
    steps = [step for step in _list(result["steps"]) if isinstance(step, dict)]
    if steps:
        yield "steps:"
    for step in steps:
        told = {"id": step["id"]}
        if step["path"] != step["id"]:
            told["path"] = step["path"]
        told["status"] = step["status"]
        if isinstance(step["attempts"], int) and step["attempts"] > 1:
            told["attempts"] = step["attempts"]
        yield f"  - {_flow(told)}"


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _mock(mock: Mock) -> dict[str, Json]:
    if mock.decision is not None:
        return {_DECIDED[mock.decision.approves]: True}
    told: dict[str, Json] = {"return": mock.value} if mock.error is None else {"raise": mock.error}
    if mock.error is not None and mock.message:
        told["message"] = mock.message
    return {**told, "after": mock.after} if mock.after else told


def _flow(value: Json) -> str:
    """A value in one line."""
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=float("inf"), allow_unicode=True)
    return text.strip()
