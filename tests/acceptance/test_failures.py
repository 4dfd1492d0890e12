"""What happens when a step fails: tries, delays, limits, handlers, and how the run ends."""

from __future__ import annotations

import json
import re

import pytest

from tests.acceptance.conftest import Desk, Ran

TWICE = """
    name: twice
    steps:
      - id: shaky
        action: unsteady
        params: {fails: 2}
        retry: {max_retries: 3, delay: 5s, backoff: 3}
    output: {tries: "{{ steps.shaky.output.tries }}"}
"""


@pytest.mark.row("S0-012", "S0-026", "S4-101")
def test_a_step_is_tried_again_after_growing_delays(desk: Desk) -> None:
    ran = desk.run(TWICE)
    assert (ran.status, ran.result["output"]) == ("succeeded", {"tries": 3})
    assert ran.step("shaky")["attempts"] == 3
    assert ran.result["elapsed_s"] == 5 + 15
    assert ran.step("shaky")["error"] is None
    fewer = desk.run(TWICE.replace("max_retries: 3", "max_retries: 1"))
    assert (fewer.status, fewer.step("shaky")["attempts"], fewer.result["elapsed_s"]) == ("failed", 2, 5)


@pytest.mark.row("S4-007", "S4-134")
def test_three_retries_each_after_twice_the_delay(desk: Desk) -> None:
    text = """
        name: three
        steps:
          - {id: shaky, action: unsteady, params: {fails: 3}, retry: 3}
    """
    ran = desk.run(text)
    assert (ran.status, ran.step("shaky")["attempts"]) == ("succeeded", 4)
    assert ran.result["elapsed_s"] == 1 + 2 + 4


@pytest.mark.row("S0-059", "S0-060", "S4-102", "S4-044", "S1-094", "S4-026")
def test_with_no_retries_left_a_typed_error_fails_the_run(desk: Desk) -> None:
    text = """
        name: exhausted
        steps:
          - {id: shaky, action: unsteady, params: {fails: 9}, retry: 2}
          - {id: never, action: note, params: {text: never}}
    """
    ran = desk.run(text)
    assert (ran.exit_status, ran.status, ran.result["output"]) == (1, "failed", None)
    assert ran.result["error"] == {"type": "Unsteady", "message": "try 3 of 10", "step": "shaky", "line": 3}
    assert ran.paths == ["shaky"]
    shaky = ran.step("shaky")
    assert (shaky["status"], shaky["attempts"], shaky["output"]) == ("failed", 3, None)
    assert shaky["error"] == {"type": "Unsteady", "message": "try 3 of 10"}
    assert "never" not in desk.journal


@pytest.mark.row("S0-027", "S0-058", "S4-103", "S1-111", "S1-113")
def test_a_step_that_is_too_slow_is_ended(desk: Desk) -> None:
    """Success, an error and running out of time are three outcomes that a workflow can tell apart."""
    text = """
        name: limited
        input: {seconds: {type: integer}}
        steps:
          - id: work
            action: slow
            params: {seconds: "{{ input.seconds }}"}
            timeout: 600
            on_failure:
              - errors: [States.Timeout]
                steps: [{action: note, params: {text: "too slow: {{ error.type }}"}}]
                then: continue
              - steps: [{action: note, params: {text: "broken: {{ error.type }}"}}]
                then: continue
        output: {status: "{{ steps.work.status }}"}
    """
    fast, slow = desk.run(text, {"seconds": 599}), desk.run(text, {"seconds": 601})
    broken = desk.run(text, {"seconds": 1}, "work: {raise: AwsRefused, message: no}")
    assert (fast.result["elapsed_s"], fast.result["output"], len(fast.steps)) == (599, {"status": "succeeded"}, 1)
    assert (slow.result["elapsed_s"], slow.result["output"]) == (600, {"status": "failed"})
    assert slow.step("work")["error"]["type"] == "States.Timeout"
    assert slow.steps[1]["output"]["text"] == "too slow: States.Timeout"
    assert broken.steps[1]["output"]["text"] == "broken: AwsRefused"


def test_a_run_that_is_too_slow_is_timed_out(desk: Desk) -> None:
    ran = desk.run("name: endless\ntimeout: 10m\nsteps: [{wait: 9m}, {action: slow, params: {seconds: 300}}]\n")
    assert (ran.exit_status, ran.status, ran.result["elapsed_s"]) == (1, "timed_out", 600)


@pytest.mark.row("S0-032")
def test_a_clean_up_of_a_failed_step_is_waited_for(desk: Desk) -> None:
    text = """
        name: cleaned
        steps:
          - id: work
            action: unsteady
            params: {fails: 9}
            on_failure:
              - steps:
                  - {id: rest, action: slow, params: {seconds: 30}}
                  - {id: tidy, action: note, params: {text: "tidied after {{ error.type }}: {{ error.message }}"}}
          - {id: next, action: note, params: {text: next}}
    """
    failed = desk.run(text)
    assert (failed.status, failed.result["error"]["type"]) == ("failed", "Unsteady")
    assert (failed.result["error"]["step"], failed.result["elapsed_s"]) == ("work", 30)
    assert [step["id"] for step in failed.steps] == ["work", "rest", "tidy"]
    assert failed.steps[-1]["output"]["text"] == "tidied after Unsteady: try 1 of 10"
    fine = desk.run(text.replace("fails: 9", "fails: 0"))
    assert fine.paths == ["work", "next"]


@pytest.mark.row("S1-012", "S1-049")
def test_a_run_recovers_by_its_handlers_or_fails_without(desk: Desk) -> None:
    text = """
        name: recovering
        steps:
          - id: block
            try:
              - {id: one, action: note, params: {text: one}}
              - {id: two, action: unsteady, params: {fails: 9}}
              - {id: three, action: note, params: {text: three}}
            catch:
              - errors: [Unsteady]
                steps: [{id: instead, action: note, params: {text: "instead of {{ error.step }}"}}]
                then: continue
          - {id: after, action: note, params: {text: after}}
    """
    ran = desk.run(text)
    assert (ran.status, ran.exit_status) == ("succeeded", 0)
    assert [step["id"] for step in ran.steps] == ["block", "one", "two", "instead", "after"]
    assert by_id(ran, "instead")["output"]["text"] == "instead of two"
    without = desk.run(text.replace("[Unsteady]", "[States.Timeout]"))
    assert (without.status, without.result["error"]["type"]) == ("failed", "Unsteady")
    assert "after" not in [step["id"] for step in without.steps]


def test_an_error_that_a_workflow_raises_itself_is_told_where_a_handler_takes_it(desk: Desk) -> None:
    ran = desk.run(
        """
        name: raised
        input: {count: {type: integer}}
        steps:
          - id: careful
            try:
              - id: too_many
                if: "{{ input.count > 1 }}"
                fail: {error: TooMany, cause: "{{ input.count }} at once"}
            catch:
              - errors: [TooMany]
                steps:
                  - {id: told, action: note, params: {text: "{{ error.message }}"}}
                then: continue
          - id: after
            if: "{{ input.count > 2 }}"
            fail: {error: FarTooMany, cause: "{{ input.count }} of them"}
        finally:
          - {id: closed, action: note, params: {text: closed}}
        """,
        {"count": 3},
    )
    assert [(step["id"], step["status"], step["error"]) for step in ran.steps if step["status"] == "failed"] == [
        ("careful", "failed", {"type": "TooMany", "message": "3 at once"}),  # as its status is read, though it went on
        ("too_many", "failed", {"type": "TooMany", "message": "3 at once"}),
        ("after", "failed", {"type": "FarTooMany", "message": "3 of them"}),
    ]
    assert ran.result["error"]["step"] == "after"


@pytest.mark.row("S4-113", "S4-072", "S4-020")
def test_a_failed_step_that_may_be_skipped_does_not_end_the_run(desk: Desk) -> None:
    for word in ("continue", "skip"):
        ran = desk.run(
            f"""
            name: tolerant
            steps:
              - {{id: broken, action: unsteady, params: {{fails: 9}}, on_failure: {word}}}
              - {{id: next, action: note, params: {{text: "it {{{{ steps.broken.status }}}}"}}}}
            """
        )
        assert (ran.status, ran.exit_status) == ("succeeded", 0)
        assert ran.step("broken")["status"] == "failed"
        assert ran.step("next")["output"]["text"] == "it failed"


@pytest.mark.row("S4-114", "S1-114", "S1-118")
def test_a_failed_run_leaves_what_was_done_and_tells_how_far_it_came(new_desk: Desk) -> None:
    text = """
        name: half-way
        steps:
          - {id: hide, action: quarantine_file, params: {file_path: bad.bin}}
          - {id: keep, action: note, params: {text: "kept {{ steps.hide.output.size }}"}}
          - {id: broken, action: unsteady, params: {fails: 9}}
          - {id: never, action: note, params: {text: never}}
    """
    new_desk.write("bad.bin", "bad")
    ran = new_desk.run(text)
    assert ran.result["error"] == {"type": "Unsteady", "message": "try 1 of 10", "step": "broken", "line": 5}
    kept = new_desk.call("show", ran.result["run_id"], "--json").json
    assert [step["status"] for step in kept["steps"]] == ["succeeded", "succeeded", "failed"]
    assert kept["steps"][0]["output"]["size"] == 3
    assert kept["steps"][1]["output"] == {"text": "kept 3", "length": 6}
    assert kept["error"] == ran.result["error"]
    assert not (new_desk.root / "bad.bin").exists()
    assert new_desk.journal == ["kept 3"]


def test_calls_and_blocks_can_be_retried_and_handled_like_actions(desk: Desk) -> None:
    desk.workflow("name: breaks\nsteps: [{id: inner, action: unsteady, params: {fails: 99}}]\n")
    kinds = {
        "action": "action: unsteady\n            params: {fails: 99}",
        "aws": "aws: sqs:getQueueUrl\n            params: {QueueName: nothing}",
        "workflow": "workflow: breaks",
        "parallel": "parallel: {a: [{action: unsteady, params: {fails: 99}}], b: [{wait: 1}]}",
        "for_each": "for_each: {in: [1, 2], steps: [{action: unsteady, params: {fails: 99}}]}",
    }
    for kind, verb in kinds.items():
        text = f"""
        name: handles-{kind.replace("_", "-")}
        steps:
          - id: outer
            {verb}
            retry: {{max_retries: 2, delay: 7s, backoff: 1}}
            on_failure:
              - steps: [{{id: handled, action: note, params: {{text: "{{{{ error.type }}}}"}}}}]
                then: continue
        """
        ran = desk.run(text)
        assert ran.status == "succeeded", kind
        assert by_id(ran, "outer")["attempts"] == 3, kind
        assert ran.result["elapsed_s"] >= 14
        assert by_id(ran, "handled")["output"]["length"] > 4, kind


@pytest.mark.row("S3-025", "S3-026", "S1-148")
def test_a_failure_is_reported_with_what_is_needed_to_find_its_cause(desk: Desk) -> None:
    name = desk.workflow(
        """
        name: reported
        input: {text: {type: string}}
        steps:
          - {id: first, action: note, params: {text: fine}}
          - id: second
            action: note
            params: {text: "{{ input.text }}"}
        """
    )
    called = desk.call("run", name, "-p", "text=")
    found = re.search(r"stepsmith show (\w+)", called.out)
    assert found is not None
    assert called.status == 1
    message = 'error: step "second" failed with NothingToNote: there is nothing to note [run-failed]'
    assert f"workflows/reported.yaml:5:3: {message}" in called.out
    assert "5 |   - id: second" in called.out
    assert '= params: {"text": ""}' in called.out
    kept = desk.call("show", found[1], "--json").json
    assert kept["workflow"] == "reported"
    assert kept["error"] == {
        "type": "NothingToNote",
        "message": "there is nothing to note",
        "step": "second",
        "line": 5,
    }
    assert "at step second, line 5" in desk.call("show", found[1]).out


def by_id(ran: Ran, step_id: str) -> dict[str, object]:
    """The first step with this id, wherever it stands."""
    found: dict[str, object] = next(step for step in ran.steps if step["id"] == step_id)
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]


def test_a_failure_before_a_finally_is_shown_at_its_line(desk: Desk) -> None:
    desk.workflow(
        """
        name: held-up
        steps:
          - {id: first, wait: 1s}
          - {id: bad, fail: {error: Broken, cause: no good}}
        finally:
          - {id: last, wait: 1s}
        """
    )
    called = desk.call("run", "held-up")
    assert called.status == 1
    assert 'held-up.yaml:4:3: error: step "bad" failed with Broken: no good' in called.out + called.err
