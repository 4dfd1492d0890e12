"""Which edges a workflow has, and in which runs each of them is taken."""

from __future__ import annotations

from typing import Any

import pytest

from stepsmith.local.mocks import Mock
from stepsmith.rehearsals.coverage import coverage_of_runs
from stepsmith.rehearsals.edges import Kind, edges_of
from stepsmith.rehearsals.passage import passage
from tests.rehearsals.conftest import CATALOG, OK, Ran, RunIt

LATE = Mock(value={}, after=3600)
TELL = "action: send_notification, params: {recipient: a@example.com, message: m}"


def taken(ran: Ran) -> set[str]:
    """The edges that the run took, but for those that say no more than that a step ran."""
    workflow, report = ran
    edges = edges_of(workflow, CATALOG)
    assert len({edge.name for edge in edges}) == len(edges)
    return {edge.name for edge in edges if edge.taken(passage(report)) and not edge.name.endswith("-ran")}


def names(ran: Ran) -> set[str]:
    return {edge.name for edge in edges_of(ran[0], CATALOG) if not edge.name.endswith("-ran")}


def gone(message: str = "gone") -> Mock:
    return Mock(error="DeliveryFailed", message=message)


def test_a_step_is_skipped_retried_timed_out_and_caught(run: RunIt) -> None:
    text = f"""
name: one
timeout: 1h
input: {{go: {{type: boolean}}}}
steps:
  - {{id: a, {TELL}, if: "{{{{ input.go }}}}", timeout: 10s, retry: {{max_retries: 1}}, on_failure: continue}}
  - {{id: b, {TELL}}}
"""
    assert names(run(text, {"go": True})) == {"timeout", "a-skipped", "a-retried", "a-timed-out", "a-caught"}
    assert taken(run(text, {"go": False})) == {"a-skipped"}
    assert taken(run(text, {"go": True})) == set()
    assert taken(run(text, {"go": True}, a=[gone(), OK])) == {"a-retried"}
    assert taken(run(text, {"go": True}, a=gone())) == {"a-retried", "a-caught"}
    # A time limit is seen also where the next attempt keeps to it.
    assert taken(run(text, {"go": True}, a=[LATE, OK])) == {"a-retried", "a-timed-out"}
    assert taken(run(text, {"go": True}, b=LATE)) == {"timeout"}


def test_each_error_that_a_handler_names_is_an_edge(run: RunIt) -> None:
    text = f"""
name: one
steps:
  - id: a
    {TELL.replace(", params", chr(10) + "    params")}
    on_failure:
      - errors: [DeliveryFailed, States.Timeout]
        steps: [{{id: note, {TELL}}}]
        then: continue
      - errors: [RecipientInvalid]
        then: continue
      - then: continue
"""
    text = text.replace("RecipientInvalid", CATALOG.get("send_notification").errors[0].name)  # type: ignore[union-attr]
    first = CATALOG.get("send_notification").errors[0].name  # type: ignore[union-attr]
    assert names(run(text)) == {"a-caught-DeliveryFailed", "a-caught-States-Timeout", f"a-caught-{first}", "a-caught"}
    assert taken(run(text, a=gone())) == {"a-caught-DeliveryFailed"}
    assert taken(run(text, a=Mock(error="States.Timeout"))) == {"a-caught-States-Timeout"}
    assert taken(run(text, a=Mock(error=first))) == {f"a-caught-{first}"}
    assert taken(run(text, a=Mock(error="Sandbox.Timedout"))) == {"a-caught"}


def test_a_catch_takes_what_leaves_the_steps_of_its_block(run: RunIt) -> None:
    text = f"""
name: one
steps:
  - id: block
    try:
      - {{id: a, {TELL}, on_failure: continue}}
      - {{id: b, {TELL}}}
    catch:
      - then: continue
    finally:
      - {{id: c, {TELL}}}
"""
    assert taken(run(text, a=gone())) == {"a-caught"}
    assert taken(run(text, b=gone())) == {"block-caught"}


def test_a_switch_takes_a_case_or_none(run: RunIt) -> None:
    text = f"""
name: one
input: {{n: {{type: array, items: {{type: integer}}}}}}
steps:
  - id: each
    for_each:
      in: "{{{{ input.n }}}}"
      as: i
      steps:
        - id: way
          switch:
            - {{if: "{{{{ i == 1 }}}}", steps: [{{id: a, {TELL}}}]}}
            - {{if: "{{{{ i == 2 }}}}", steps: [{{id: b, {TELL}}}]}}
"""
    assert names(run(text, {"n": []})) == {"way-case-1", "way-case-2", "way-no-case", "each-empty"}
    assert taken(run(text, {"n": []})) == {"each-empty"}
    assert taken(run(text, {"n": [1]})) == {"way-case-1"}
    # Each iteration is looked at by itself.
    assert taken(run(text, {"n": [2, 3]})) == {"way-case-2", "way-no-case"}
    other = text.replace('if: "{{ i == 2 }}"', "else").replace("else, steps: [{", "else: [{")
    assert names(run(other, {"n": []})) == {"way-case-1", "way-else", "each-empty"}
    assert taken(run(other, {"n": [3]})) == {"way-else"}


@pytest.mark.parametrize("items", ["[1, 2]", "[1]"])
def test_a_list_that_is_written_out_cannot_be_empty(run: RunIt, items: str) -> None:
    text = f"name: one\nsteps: [{{id: each, for_each: {{in: {items}, steps: [{{id: a, {TELL}}}]}}}}]\n"
    assert names(run(text)) == set()


@pytest.mark.parametrize(("least", "edges"), [("", {"each-empty"}), ("minItems: 1,", set())])
def test_an_input_that_must_have_an_item_cannot_be_empty(run: RunIt, least: str, edges: set[str]) -> None:
    text = f"""
name: one
input: {{n: {{type: array, {least} items: {{type: integer}}}}}}
steps: [{{id: each, for_each: {{in: "{{{{ input.n }}}}", steps: [{{id: a, {TELL}}}]}}}}]
"""
    assert names(run(text, {"n": [1]})) == edges


def test_a_loop_tolerates_some_failures_and_no_more(run: RunIt) -> None:
    text = f"""
name: one
steps:
  - id: each
    for_each: {{in: [1, 2], tolerate: 1, steps: [{{id: a, {TELL}}}]}}
"""
    assert taken(run(text)) == set()
    assert taken(run(text, a=[gone(), OK])) == {"each-tolerated"}
    assert taken(run(text, a=gone())) == {"each-intolerable"}
    assert names(run(text.replace("tolerate: 1", "tolerate: 100%"))) == {"each-tolerated"}
    # A failure that its step takes care of is none of the item's.
    assert taken(run(text.replace("message: m}", "message: m}, on_failure: continue"), a=gone())) == {"a-caught"}


@pytest.mark.parametrize(
    ("test", "mocks", "edges"),
    [
        ("until", {"a": [Mock(value={"message_id": "done"})]}, {"poll-done"}),
        ("until", {"a": [OK, Mock(value={"message_id": "done"})]}, {"poll-again", "poll-done"}),
        ("until", {"a": [OK]}, {"poll-again", "poll-exhausted"}),
    ],
)
def test_a_repeat_ends_or_is_given_up(run: RunIt, test: str, mocks: dict[str, Any], edges: set[str]) -> None:
    text = f"""
name: one
steps:
  - id: poll
    repeat:
      {test}: "{{{{ steps.a.output.message_id | default('') == 'done' }}}}"
      max: 3
      steps: [{{id: a, {TELL}}}]
"""
    ran = run(text, **mocks)
    assert names(ran) == {"poll-again", "poll-done", "poll-exhausted"}
    assert taken(ran) == edges


def test_a_while_may_have_no_round(run: RunIt) -> None:
    text = f"""
name: one
input: {{go: {{type: boolean}}}}
steps:
  - id: poll
    repeat: {{while: "{{{{ input.go }}}}", max: 2, steps: [{{id: a, {TELL}}}]}}
"""
    assert taken(run(text, {"go": False})) == {"poll-done", "poll-none"}
    assert taken(run(text, {"go": True})) == {"poll-again", "poll-exhausted"}


def test_an_undo_is_made_retried_and_fails(run: RunIt) -> None:
    text = f"""
name: one
on_failure: rollback
steps:
  - id: hold
    action: quarantine_file
    params: {{file_path: /tmp/x}}
    rollback:
      action: restore_file
      params: {{quarantine_id: "{{{{ output.quarantine_id }}}}"}}
      retry: 1
  - {{id: tell, {TELL}}}
"""
    held = Mock(value={"quarantine_id": "q-1"})
    lost = Mock(error=CATALOG.get("restore_file").errors[0].name, message="no")  # type: ignore[union-attr]
    undo = "hold.rollback"
    assert names(run(text, hold=held)) == {"hold-rollback-undone", "hold-rollback-failed", "hold-rollback-retried"}
    assert taken(run(text, hold=held)) == set()
    assert taken(run(text, hold=held, tell=gone())) == {"hold-rollback-undone"}
    assert taken(run(text, hold=held, tell=gone(), **{undo: [lost, OK]})) == {
        "hold-rollback-undone",
        "hold-rollback-retried",
    }
    assert taken(run(text, hold=held, tell=gone(), **{undo: lost})) == {
        "hold-rollback-failed",
        "hold-rollback-retried",
    }


def test_coverage_counts_by_kind_and_names_of_an_idle_step_only_that_it_never_ran(run: RunIt) -> None:
    text = f"""
name: one
input: {{go: {{type: boolean}}}}
steps:
  - {{id: a, {TELL}, if: "{{{{ input.go }}}}", timeout: 10s, retry: 1, on_failure: continue}}
"""
    workflow, report = run(text, {"go": False})
    covered = coverage_of_runs(workflow, [passage(report)], CATALOG)
    assert {kind.value: (share.taken, share.total) for kind, share in covered.kinds.items()} == {
        "steps": (0, 1),
        "skips": (1, 1),
        "retries": (0, 1),
        "handlers": (0, 1),
        "timeouts": (0, 1),
    }
    assert [gap.name for gap in covered.gaps] == ["a-ran"]
    assert (covered.all.taken, covered.all.total, covered.all.percent) == (1, 5, 20)
    again, other = run(text, {"go": True}, a=Mock(error="States.Timeout"))
    whole = coverage_of_runs(again, [passage(report), passage(other)], CATALOG)
    assert (whole.gaps, whole.all.percent) == ((), 100)


def test_steps_of_a_distributed_loop_are_seen(run: RunIt) -> None:
    text = f"""
name: one
input: {{n: {{type: array, items: {{type: integer}}}}}}
steps:
  - id: each
    for_each: {{in: "{{{{ input.n }}}}", mode: distributed, steps: [{{id: a, {TELL}, on_failure: continue}}]}}
"""
    workflow, report = run(text, {"n": [1, 2]})
    assert coverage_of_runs(workflow, [passage(report)], CATALOG).kinds[Kind.STEP].percent == 100
    assert taken((workflow, report)) == set()
    assert taken(run(text, {"n": [1, 2]}, a=gone())) == {"a-caught"}
    assert taken(run(text, {"n": []})) == {"each-empty"}
