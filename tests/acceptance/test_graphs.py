"""Lists of steps with `needs`, run as a user runs them."""

from __future__ import annotations

from datetime import datetime
from itertools import combinations, product
from typing import Any

import pytest

from stepsmith.catalog import ActionCatalog
from stepsmith.pipeline import compile_bytes
from stepsmith_functions.history.origins import origins_of_definition
from tests.acceptance.conftest import Desk

LOOK = """
    name: look
    steps:
      - {id: scan, action: note, params: {text: scan}}
      - {id: rest, wait: 10s, needs: [scan]}
      - {id: ask, action: note, params: {text: ask}}
      - id: judge
        if: "{{ steps.ask.output.length > 3 }}"
        action: note
        params: {text: never}
      - {id: report, action: note, params: {text: "{{ steps.judge.status }}"}, needs: [rest]}
    output: "{{ steps.report.output.text }}"
"""


def _at(step: dict[str, Any], key: str) -> datetime:
    return datetime.fromisoformat(step[key])


def test_steps_start_when_what_they_need_has_ended(desk: Desk) -> None:
    ran = desk.run(LOOK)
    assert (ran.status, ran.result["output"]) == ("succeeded", "skipped")
    assert ran.step("judge")["status"] == "skipped"
    assert _at(ran.step("ask"), "started_at") < _at(ran.step("rest"), "ended_at")
    assert _at(ran.step("report"), "started_at") >= _at(ran.step("rest"), "ended_at")


def test_the_history_shows_the_steps_as_they_are_written_and_nothing_else(desk: Desk) -> None:
    assert sorted(desk.run(LOOK).paths) == ["ask", "judge", "report", "rest", "scan"]


def test_without_a_source_map_the_paths_are_the_same(desk: Desk) -> None:
    states = origins_of_definition(desk.definition(LOOK)).states
    assert {name: origin.path for name, origin in states.items() if origin.step == name} == {
        name: name for name in ("ask", "judge", "report", "rest", "scan")
    }


def test_a_failure_in_a_graph_is_handled_around_it(desk: Desk) -> None:
    ran = desk.run("""
        name: handled
        steps:
          - id: careful
            try:
              - {id: good, action: note, params: {text: good}, needs: []}
              - {id: bad, action: note, params: {text: ""}}
              - {id: last, action: note, params: {text: last}, needs: [good, bad]}
            catch:
              - steps: [{id: tell, action: note, params: {text: "{{ error.type }} {{ error.step }}"}}]
                then: continue
        output: "{{ steps.tell.output.text | default('') }}"
    """)
    assert (ran.status, ran.result["output"]) == ("succeeded", "NothingToNote good.graph")
    assert "last" not in ran.paths


def test_a_graph_is_undone_latest_first_and_only_where_it_completed(desk: Desk) -> None:
    step = "action: note, params: {{text: {0}}}, rollback: {{action: note, params: {{text: un-{0}}}}}"
    ran = desk.run(f"""
        name: undone
        on_failure: rollback
        steps:
          - {{id: first, {step.format("first")}, needs: []}}
          - {{id: rest, wait: 5s, needs: [first]}}
          - {{id: late, {step.format("late")}, needs: [rest]}}
          - {{id: side, {step.format("side")}, needs: [first]}}
          - {{id: bad, action: note, params: {{text: ""}}, needs: [late, side]}}
          - {{id: never, {step.format("never")}, needs: [bad]}}
    """)
    assert (ran.status, ran.result["error"]["step"]) == ("rolled_back", "bad")
    assert [path for path in ran.paths if path.endswith(".rollback")] == [
        "late.rollback",
        "side.rollback",
        "first.rollback",
    ]


@pytest.mark.row("S2-002")
def test_any_graph_of_four_steps_is_accepted_and_one_more_need_that_closes_a_cycle_is_reported() -> None:
    pairs = list(combinations("abcd", 2))
    for chosen in product((False, True), repeat=len(pairs)):
        needs = [pair for pair, taken in zip(pairs, chosen, strict=True) if taken]
        assert _slugs(needs) <= {"over-waits"}, needs
        for earlier, later in needs:
            assert "needs-cycle" in _slugs([*needs, (later, earlier)]), needs


def _slugs(needs: list[tuple[str, str]]) -> set[str]:
    """What is reported of four steps of which the second of each pair needs the first."""
    steps = [
        f"  - {{id: {step}, wait: 1s, needs: [{', '.join(first for first, then in needs if then == step)}]}}\n"
        for step in "abcd"
    ]
    text = "name: graph\nsteps:\n" + "".join(steps)
    return {found.slug for found in compile_bytes("graph.yaml", text.encode(), ActionCatalog()).diagnostics}
