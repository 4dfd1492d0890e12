"""The exploration finds runs for edges that nobody has tried, makes them small, and says what it cannot reach."""

from __future__ import annotations

from pathlib import Path

import pytest

from stepsmith.cli.workflows import SERVICES
from stepsmith.diagnostics import Diagnostics
from stepsmith.loading import load_document
from stepsmith.local.mocks import Mocks
from stepsmith.local.program import Program
from stepsmith.local.runner import RunOptions, RunReport, run_workflow
from stepsmith.pipeline import compile_bytes
from stepsmith.rehearsals.choices import Choices, Scenario
from stepsmith.rehearsals.comparison import compare
from stepsmith.rehearsals.edges import edges_of
from stepsmith.rehearsals.exploring import Exploration, explore
from stepsmith.rehearsals.reading import read_rehearsal
from stepsmith.rehearsals.running import detailed
from stepsmith.rehearsals.writing import rehearsal_text
from stepsmith.source import SourceFile
from tests.rehearsals.conftest import CATALOG, PROJECT
from tests.support.process import process_as_before

HELD = """\
name: held
timeout: 1h
on_failure: rollback
input:
  path: {type: string, pattern: "^/srv/[a-z]+$"}
  level: {type: integer, default: 1}
  tell: {type: boolean, required: false}
steps:
  - id: hold
    action: quarantine_file
    params: {file_path: "{{ input.path }}"}
    timeout: 10s
    retry: {max_retries: 1, on: [FileChanged, States.Timeout]}
    rollback: {action: restore_file, params: {quarantine_id: "{{ output.quarantine_id }}"}}
  - id: way
    switch:
      - if: "{{ input.level > 7 }}"
        steps: [{id: high, set: {word: high}}]
      - if: "{{ steps.hold.output.sha256 == 'abc' }}"
        steps: [{id: known, set: {word: known}}]
  - id: tell
    if: "{{ input.tell is defined and input.tell }}"
    action: send_notification
    params: {recipient: a@example.com, message: gone}
    on_failure:
      - errors: [DeliveryFailed]
        then: continue
    rollback: none
"""


def explored(text: str, tmp_path: Path, taken: tuple[str, ...] = (), most: int = 300) -> tuple[Exploration, list[str]]:
    """What is found, and for each find what differs when its text is rehearsed."""
    compiled = compile_bytes("test.yaml", text.encode(), CATALOG)
    assert compiled.asl is not None, [f"{item.span}: {item.message}" for item in compiled.diagnostics]
    workflow = compiled.workflow
    assert workflow is not None
    assert compiled.origins is not None
    program = Program(workflow.name, compiled.asl, compiled.origins)

    def run(scenario: Scenario) -> RunReport:
        options = RunOptions(mocks=Mocks(scenario.mocks), working_folder=tmp_path, keep=False)
        return run_workflow(program, dict(scenario.input), PROJECT, CATALOG, options)

    with process_as_before():
        edges = edges_of(workflow, CATALOG)
        found = explore(edges, taken, Choices(workflow, CATALOG, SERVICES), (), run, most)
        wrong = []
        for find in found.finds:
            diagnostics = Diagnostics()
            document = load_document(SourceFile("found.yaml", rehearsal_text(find, workflow.name)), diagnostics)
            assert document is not None
            rehearsal = read_rehearsal(document, "found", workflow, CATALOG, diagnostics)
            assert rehearsal is not None, [item.message for item in diagnostics]
            assert isinstance(rehearsal.input, dict)
            report = run(Scenario(rehearsal.input, rehearsal.mocks))
            wrong += [difference.what for difference in compare(rehearsal.expect, detailed(report))]
    return found, wrong


def test_every_edge_is_found_and_each_find_passes_as_a_rehearsal(tmp_path: Path) -> None:
    found, wrong = explored(HELD, tmp_path)
    assert found.unreached == ()
    assert wrong == []
    named = [edge.name for find in found.finds for edge in find.edges]
    assert {"timeout", "hold-timed-out", "hold-retried", "way-case-1", "way-case-2", "way-no-case"} <= set(named)
    assert {"hold-rollback-undone", "hold-rollback-failed", "tell-caught-DeliveryFailed", "tell-skipped"} <= set(named)
    assert len(named) == len(set(named))


def test_the_search_is_always_the_same_and_its_finds_are_small(tmp_path: Path) -> None:
    found, _ = explored(HELD, tmp_path)
    again, _ = explored(HELD, tmp_path)
    assert [find.scenario.key for find in found.finds] == [find.scenario.key for find in again.finds]
    assert found.runs == again.runs
    high = next(find for find in found.finds if "way-case-1" in [edge.name for edge in find.edges])
    assert set(high.scenario.input) == {"path", "level"}
    text = rehearsal_text(high, "held")
    assert text.startswith("# Made by `stepsmith test --explore`. Until it was there:\n# - ")
    assert "tell:" not in text  # it was skipped


def test_what_is_taken_already_is_not_looked_for(tmp_path: Path) -> None:
    found, _ = explored(HELD, tmp_path)
    every = tuple(edge.name for find in found.finds for edge in find.edges)
    rest, _ = explored(HELD, tmp_path, tuple(name for name in every if name != "hold-timed-out"))
    assert [[edge.name for edge in find.edges] for find in rest.finds] == [["hold-timed-out"]]
    none, _ = explored(HELD, tmp_path, every)
    assert none.finds == ()


LONG = """\
name: long
input: {path: {type: string, maxLength: 60}}
steps:
  - id: way
    switch:
      - if: "{{ input.path | length > 50 }}"
        steps:
          - id: tell
            action: send_notification
            params: {recipient: a@example.com, message: gone}
            retry: 1
"""


@pytest.mark.parametrize(
    ("most", "why"), [(2, "not in the 2 runs"), (300, "no value that was tried makes the condition")]
)
def test_what_is_not_reached_is_said(tmp_path: Path, most: int, why: str) -> None:
    found, _ = explored(LONG, tmp_path, most=most)
    told = {each.edge.name: each.why for each in found.unreached}
    assert told["way-case-1"].startswith(why)
    assert told["tell-retried"] == "tell never ran"
    assert found.runs <= most


ASKED = """\
name: asked
steps:
  - id: ask
    approval: {message: Shall it be deleted?, timeout: 1h}
    on_failure:
      - errors: [ApprovalRejected]
        then: continue
"""


def test_people_are_mocked_too(tmp_path: Path) -> None:
    found, wrong = explored(ASKED, tmp_path)
    assert (found.unreached, wrong) == ((), [])
    assert {edge.name for find in found.finds for edge in find.edges} == {
        "ask-ran",
        "ask-rejected",
        "ask-timed-out",
        "ask-caught-ApprovalRejected",
    }
