"""Results that no state can hold: passed on, shown by reference, and kept whole."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from stepsmith.project import Project
from stepsmith_functions.history.local import LocalRunStore
from stepsmith_functions.history.store import all_steps
from tests.acceptance.conftest import HEAD, Desk, make_desk
from tests.support.process import process_as_before

MORE = {
    "gather": '''
        class GatherParams(Params):
            lines: int

        class GatherResult(Result):
            lines: list[str]
            text: str
            first: str
            count: int

        @action(effect="read", repeatable=True, example={"lines": 1})
        def gather(params: GatherParams, context: ActionContext) -> GatherResult:
            """Makes lines of a hundred bytes."""
            lines = [f"{number:07} é".ljust(99) for number in range(params.lines)]
            return GatherResult(lines=lines, text="\\n".join(lines), first=lines[0], count=len(lines))

        handler = gather.handler
    ''',
    "measure": '''
        import hashlib
        from pydantic import JsonValue

        class MeasureParams(Params):
            lines: list[str]
            text: str = ""
            more: JsonValue = None

        class MeasureResult(Result):
            count: int
            sha256: str
            more: str

        @action(effect="read", repeatable=True, example={"lines": ["a"]})
        def measure(params: MeasureParams, context: ActionContext) -> MeasureResult:
            """Says what it was given."""
            text = params.text.encode()
            return MeasureResult(
                count=len(params.lines), sha256=hashlib.sha256(text).hexdigest(), more=repr(params.more)[:80]
            )

        handler = measure.handler
    ''',
}
LARGE = """
    name: large
    input: {lines: {type: integer}}
    steps:
      - {id: gather, action: gather, params: {lines: "{{ input.lines }}"}}
      - id: measure
        action: measure
        params: {lines: "{{ steps.gather.output.lines }}", text: "{{ steps.gather.output.text }}"}
    output:
      count: "{{ steps.gather.output.count }}"
      first: "{{ steps.gather.output.first }}"
      measured: "{{ steps.measure.output }}"
"""
COUNTED = """
    name: counted
    input: {found: {type: object}}
    steps:
      - id: measure
        action: measure
        params: {lines: "{{ input.found.lines }}", more: {all: ["{{ input.found.lines }}"]}}
    output: "{{ steps.measure.output }}"
"""
PARENT = """
    name: parent
    steps:
      - {id: gather, action: gather, params: {lines: 9000}}
      - {id: count, workflow: counted, params: {found: "{{ steps.gather.output }}"}}
    output: "{{ steps.count.output }}"
"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, own_functions: Path, _settings: None) -> Iterator[Desk]:
    """A project with an action that gathers much and one that measures it."""
    folder = tmp_path_factory.mktemp("large")
    shutil.copytree(own_functions, folder / "own", ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in MORE.items():
        source = f'"""An action of the user\'s own."""\n{dedent(HEAD)}\n{dedent(text)}'
        (folder / "own" / "stepsmith_functions" / "actions" / f"{name}.py").write_text(source)
    with process_as_before():
        made = make_desk(folder, folder / "own")
        (folder / "own" / "catalog.json").write_text(Project(made.root).catalog_text())
        yield made


def text_of(lines: int) -> str:
    return "\n".join(f"{number:07} é".ljust(99) for number in range(lines))


@pytest.mark.row("S0-071")
def test_three_megabytes_reach_the_next_action_and_stay_whole(desk: Desk) -> None:
    text = text_of(30_000)
    assert len(text.encode()) >= 3_000_000
    ran = desk.run(LARGE, {"lines": 30_000})
    assert ran.status == "succeeded", ran.result["error"]
    whole = hashlib.sha256(text.encode()).hexdigest()
    measured = {"count": 30_000, "sha256": whole, "more": "None"}
    assert ran.result["output"] == {"count": 30_000, "first": text.split("\n")[0], "measured": measured}

    shown = desk.call("show", str(ran.result["run_id"]), "--json").json
    gathered = shown["steps"][0]
    reference: dict[str, Any] = gathered["output"]["text"]["$stored"]
    assert (reference["type"], gathered["output"]["lines"]["$stored"]["type"]) == ("string", "array")
    assert reference["stored_at"].startswith(f"s3://local-databucket/runs/{ran.result['run_id']}/")
    kept = {step.path: step for step in all_steps(LocalRunStore(Project(desk.root).history), shown["run_id"])}
    assert kept["measure"].params == {name: gathered["output"][name] for name in ("lines", "text")}

    folder = desk.root / ".stepsmith" / "s3"
    stored = (folder / reference["stored_at"].removeprefix("s3://")).read_bytes()
    assert (len(stored), hashlib.sha256(stored).hexdigest()) == (reference["size"], reference["sha256"])
    assert json.loads(stored) == text


def test_what_a_state_holds_stays_where_expressions_read_it(desk: Desk) -> None:
    ran = desk.run(LARGE, {"lines": 900})
    assert ran.status == "succeeded"
    assert ran.step("gather")["output"]["text"] == text_of(900)
    assert len(ran.step("gather")["output"]["lines"]) == 900


def test_only_as_much_is_stored_as_it_takes(desk: Desk) -> None:
    """Two fields of 130 KB: one of them stays."""
    ran = desk.run(LARGE, {"lines": 1_300})
    output = ran.step("gather")["output"]
    assert [name for name in ("lines", "text") if isinstance(output[name], dict)] == ["lines"]
    assert output["text"] == text_of(1_300)


def test_the_actions_of_another_workflow_take_it_too(desk: Desk) -> None:
    desk.workflow(COUNTED)
    ran = desk.run(PARENT)
    assert ran.status == "succeeded", ran.result["error"]
    assert ran.result["output"]["count"] == 9_000
    assert ran.result["output"]["more"].startswith("{'all': [['0000000 é")
