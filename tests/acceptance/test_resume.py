"""Runs that go on from an earlier one: where it failed, in a corrected workflow, with what they need on record."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from stepsmith.local.alive import holding
from stepsmith.local.runner import Progress, RunOptions, run_workflow
from stepsmith_functions.history.local import LocalRunStore
from stepsmith_functions.history.records import RunRecord, RunStatus
from tests.acceptance.conftest import Desk

BROKEN = """
    name: contain
    input: {file: {type: string}, fails: {type: integer, default: 1}}
    steps:
      - id: look
        action: note
        params: {text: "look at {{ input.file }}"}
        output: {said: "{{ output.text }}", size: "{{ output.length }}"}
      - {id: label, set: {label: "{{ steps.look.output.said | upper }}", of: "{{ run.id }}"}}
      - {id: check, action: unsteady, params: {fails: "{{ input.fails }}"}}
      - {id: tell, action: note, params: {text: "{{ vars.label }} {{ steps.look.output.size }} {{ input.fails }}"}}
    output: {label: "{{ vars.label }}", of: "{{ vars.of }}", look: "{{ steps.look.output }}"}
"""


@pytest.mark.row("S0-041")
def test_a_failed_run_goes_on_once_the_world_is_mended(new_desk: Desk) -> None:
    ran = new_desk.run(BROKEN, {"file": "a.bin"})
    assert (ran.status, new_desk.journal) == ("failed", ["look at a.bin"])
    mocks = new_desk.write("mended.yaml", "check: {return: {tries: 1}}")
    called = new_desk.call("resume", "latest", "--mock", str(mocks), "--json")
    assert (called.status, called.json["status"]) == (0, "succeeded"), called.err
    assert new_desk.journal == ["look at a.bin", "LOOK AT A.BIN 13 1"]
    first = ran.result["run_id"]
    assert called.json["output"] == {
        "label": "LOOK AT A.BIN",
        "of": first,
        "look": {"said": "look at a.bin", "size": 13},
    }
    assert [(step["path"], step.get("from_run")) for step in called.json["steps"]] == [
        ("look", first),
        ("label", first),
        ("check", None),
        ("tell", None),
    ]
    assert called.json["continues"] == {"run_id": first, "step": "check", "first": first}


def test_a_corrected_workflow_goes_on_from_a_step_with_the_earlier_outputs(new_desk: Desk) -> None:
    ran = new_desk.run(BROKEN, {"file": "a.bin"})
    new_desk.workflow(BROKEN.replace('fails: "{{ input.fails }}"', "fails: 0"))
    called = new_desk.call("resume", "latest", "--from", "check")
    assert called.status == 0, called.err
    assert f"contain goes on with run {ran.result['run_id'][:8]} from step check" in called.out
    assert new_desk.journal == ["look at a.bin", "LOOK AT A.BIN 13 1"]
    shown = new_desk.call("show", "latest").out
    assert f"continues run {ran.result['run_id'][:8]} from step check" in shown
    later = new_desk.call("show", "latest", "--json").json["run_id"]
    assert f"continued by run {later[:8]}" in new_desk.call("show", ran.result["run_id"]).out
    assert later != ran.result["run_id"]


def test_a_run_of_a_file_that_is_no_workflow_of_the_project_goes_on_and_is_undone(new_desk: Desk) -> None:
    """Its name alone would find nothing; where it was run from is on record."""
    undo = "rollback: {action: note, params: {text: undone}}"
    text = BROKEN.replace("name: contain", "name: loose").replace(
        "        output: {said", f"        {undo}\n        output: {{said"
    )
    new_desk.write("loose.yaml", text)
    called = new_desk.call("run", "loose.yaml", "-p", "file=a.bin")
    assert called.status == 1
    first = new_desk.call("runs", "--json").json[0]["run_id"]
    for command in ("resume", "rollback"):
        assert f"stepsmith {command} {first[:8]} " in called.out
    assert new_desk.call("rollback", first).status == 0
    assert new_desk.journal == ["look at a.bin", "undone"]
    new_desk.call("run", "loose.yaml", "-p", "file=b.bin")
    new_desk.write("loose.yaml", text.replace('fails: "{{ input.fails }}"', "fails: 0"))
    again = new_desk.call("resume", "latest", "--json")
    assert (again.status, again.json["status"]) == (0, "succeeded"), again.err
    (new_desk.root / "loose.yaml").rename(new_desk.root / "moved.yaml")
    new_desk.call("run", "moved.yaml", "-p", "file=c.bin")
    (new_desk.root / "moved.yaml").unlink()
    refused = new_desk.call("rollback", "latest", "--succeeded")
    assert (refused.status, "was run from moved.yaml, where it is no more" in refused.err) == (2, True), refused.err


def test_a_continuation_that_fails_goes_on_as_one_lineage(new_desk: Desk) -> None:
    first = new_desk.run(BROKEN, {"file": "a.bin"}).result["run_id"]
    second = new_desk.call("resume", "latest", "--json").json
    assert (second["status"], second["continues"]["run_id"]) == ("failed", first)
    new_desk.workflow(BROKEN.replace('fails: "{{ input.fails }}"', "fails: 0"))
    third = new_desk.call("resume", "latest", "--json").json
    assert third["status"] == "succeeded"
    assert third["continues"] == {"run_id": second["run_id"], "step": "check", "first": first}
    assert third["steps"][0]["from_run"] == first
    listed = [(run["run_id"], run.get("continues")) for run in new_desk.call("runs", "--json").json]
    assert listed == [(third["run_id"], second["run_id"]), (second["run_id"], first), (first, None)]
    assert new_desk.call("runs").out.splitlines()[1].endswith(second["run_id"][:8])
    refused = new_desk.call("resume", first)
    assert (refused.status, f"was continued by run {second['run_id'][:8]}" in refused.err) == (1, True)
    assert "it is over: succeeded" in new_desk.call("resume", third["run_id"]).err


def test_outputs_that_are_not_on_record_are_refused_by_name(new_desk: Desk) -> None:
    ran = new_desk.run(BROKEN, {"file": "a.bin"})
    text = BROKEN.replace(
        "      - {id: check,", "      - {id: owner, action: note, params: {text: who}}\n      - {id: check,"
    ).replace('"{{ vars.label }} {{', '"{{ steps.owner.output.text }} {{ vars.label }} {{')
    new_desk.workflow(text)
    called = new_desk.call("resume", "latest", "--from", "check")
    assert (called.status, new_desk.journal) == (1, ["look at a.bin"])
    place = "workflows/contain.yaml:11:49: error: steps.owner.output.text is not on record"
    assert f"{place}: 'owner' did not run in run {ran.result['run_id'][:8]} [not-on-record]" in called.err
    assert "--from owner" in called.err
    assert new_desk.call("show", "latest", "--json").json["run_id"] == ran.result["run_id"]
    called = new_desk.call("resume", "latest", "--from", "owner")
    assert called.status == 1
    assert new_desk.journal == ["look at a.bin", "who"]


def test_a_step_that_nobody_reads_may_be_missing_and_is_named(new_desk: Desk) -> None:
    new_desk.run(BROKEN, {"file": "a.bin"})
    text = BROKEN.replace(
        "      - {id: check,", "      - {id: owner, action: note, params: {text: who}}\n      - {id: check,"
    ).replace('fails: "{{ input.fails }}"', "fails: 0")
    new_desk.workflow(text)
    called = new_desk.call("resume", "latest", "--from", "check")
    assert (called.status, "not run, and not read: owner" in called.out) == (0, True), called.err
    assert new_desk.journal == ["look at a.bin", "LOOK AT A.BIN 13 1"]


def test_an_output_that_was_recorded_by_another_step_is_refused(new_desk: Desk) -> None:
    new_desk.run(BROKEN, {"file": "a.bin"})
    text = BROKEN.replace("size: ", "width: ").replace("output.size }} {{ input", "output.width + 1 }} {{ input")
    new_desk.workflow(text)
    called = new_desk.call("resume", "latest")
    assert called.status == 1
    assert "steps.look.output.width is not on record: 'look' was another step in run" in called.err
    assert "[recorded-otherwise]" in called.err
    text = BROKEN.replace('size: "{{ output.length }}"', "size: [1]").replace(
        "output.size }} {{", "output.size | sum }} {{"
    )
    new_desk.workflow(text)
    assert "steps.look.output.size is number, not a list" in new_desk.call("resume", "latest").err


BLOCKS = """
    name: blocks
    on_failure: rollback
    input: {files: {type: array, items: {type: string}}}
    steps:
      - id: pick
        switch:
          - if: "{{ input.files | length > 5 }}"
            steps: [{set: {many: true}}]
          - else:
              - set: {many: false}
              - {id: counted, action: note, params: {text: counted}}
      - id: careful
        try: [{id: gone, action: unsteady, params: {fails: 1}, on_failure: fail}]
        catch: [{steps: [{set: {why: "{{ error.type }} in {{ error.step }}"}}], then: continue}]
      - id: each
        for_each:
          in: "{{ input.files }}"
          steps:
            - id: noted
              action: note
              params: {text: "{{ item }}"}
              rollback: {action: note, params: {text: "undo {{ item }}"}}
            - {id: breaks, action: unsteady, params: {fails: "{{ 1 if item == 'b' else 0 }}"}, on_failure: fail}
        on_failure: fail
      - id: last
        action: note
        params:
          text: >-
            {{ vars.why | default }} {{ vars.many }} {{ steps.careful.status }}
            {{ steps.pick.output.length | default }}
    finally:
      - {id: closed, action: note, params: {text: "closed, {{ steps.careful.status | default('?') }}"}}
"""


def test_a_block_begins_again_as_a_whole(new_desk: Desk) -> None:
    new_desk.run(BLOCKS, {"files": ["a", "b"]})
    before = ["counted", "a", "b", "closed, failed"]
    assert new_desk.journal == before
    refused = new_desk.call("resume", "latest", "--from", "noted")
    assert (refused.status, "--from each" in refused.err) == (2, True)
    mocks = new_desk.write("mended.yaml", "breaks: {return: {tries: 1}}")
    called = new_desk.call("resume", "latest", "--mock", str(mocks), "--json")
    assert called.status == 0, called.err
    assert new_desk.journal[4:] == ["a", "b", "Unsteady in gone false failed 7", "closed, failed"]


def test_a_rollback_of_the_continuation_undoes_what_both_have_done(new_desk: Desk) -> None:
    first = new_desk.run(BLOCKS, {"files": ["a", "b"]}).result["run_id"]
    mocks = new_desk.write("mended.yaml", "breaks: {return: {tries: 1}}\nlast: {raise: NothingToNote}")
    called = new_desk.call("resume", "latest", "--mock", str(mocks), "--json")
    assert (called.status, called.json["status"]) == (1, "rolled_back"), called.err
    assert new_desk.journal[4:] == ["a", "b", "undo b", "undo a", "undo b", "undo a", "closed, failed"]
    undone = [step["path"] for step in called.json["steps"] if step["status"] == "rolled_back"]
    assert undone == [f"each[0].noted~{first[:8]}", f"each[1].noted~{first[:8]}", "each[0].noted", "each[1].noted"]
    assert "what it had done is undone" in new_desk.call("resume", "latest").err
    assert "goes on from it" in new_desk.call("rollback", first).err


def test_kept_steps_are_undone_by_a_rollback_in_a_later_process(new_desk: Desk) -> None:
    text = """
        name: later
        steps:
          - id: one
            action: note
            params: {text: one}
            rollback: {action: note, params: {text: "undo {{ output.text }}"}}
          - {id: two, action: unsteady, params: {fails: 1}}
          - {id: three, action: unsteady, params: {fails: 1}}
    """
    new_desk.run(text)
    mocks = new_desk.write("mended.yaml", "two: {return: {tries: 1}}")
    assert new_desk.call("resume", "latest", "--mock", str(mocks)).status == 1
    called = new_desk.call("rollback", "latest", "--json")
    assert (called.status, called.json["status"], new_desk.journal) == (0, "rolled_back", ["one", "undo one"]), (
        called.err
    )
    assert called.json["steps"][0]["status"] == "rolled_back"


def test_a_run_that_timed_out_goes_on(new_desk: Desk) -> None:
    text = """
        name: late
        timeout: 10m
        steps:
          - {id: one, action: note, params: {text: one}}
          - {id: pause, wait: 1h}
          - {id: two, action: note, params: {text: "{{ steps.one.output.text }} two"}}
    """
    assert new_desk.run(text).status == "timed_out"
    new_desk.workflow(text.replace("1h", "1m"))
    called = new_desk.call("resume", "latest", "--json")
    assert (called.status, new_desk.journal) == (0, ["one", "one two"]), called.err
    assert [step["path"] for step in called.json["steps"]] == ["one", "pause", "two"]


def test_a_run_that_was_stopped_goes_on(new_desk: Desk) -> None:
    text = """
        name: stopped
        steps:
          - {id: one, action: note, params: {text: one}}
          - id: both
            parallel:
              left: [{id: two, action: note, params: {text: two}}]
              right: [{id: three, wait: 1h}, {id: four, action: note, params: {text: four}}]
    """
    program, project, catalog = new_desk.program(text)

    stopped: list[float] = []

    def stop(progress: Progress) -> None:
        if any(step.step_id == "three" for step in progress.steps()) and not stopped:
            stopped.append(progress.elapsed)
            raise KeyboardInterrupt

    ran = run_workflow(program, {}, project, catalog, RunOptions(progress=stop))
    assert ran.run.status == "cancelled"
    called = new_desk.call("resume", "latest", "--json")
    assert (called.status, called.json["continues"]["step"]) == (0, "both"), called.err
    assert new_desk.journal == ["one", "two", "two", "four"]


def test_what_failed_behind_the_last_step_is_done_again(new_desk: Desk) -> None:
    text = """
        name: ending
        steps:
          - {id: one, action: note, params: {text: one}}
        finally:
          - {id: report, action: note, params: {text: ""}}
        output: {said: "{{ steps.one.output.text }}"}
    """
    assert new_desk.run(text).status == "failed"
    new_desk.workflow(text.replace('text: ""', "text: report"))
    called = new_desk.call("resume", "latest", "--json")
    assert (called.status, called.json["output"], new_desk.journal) == (0, {"said": "one"}, ["one", "report"])
    assert called.json["continues"]["step"] is None


def test_a_failure_before_the_step_must_be_taken(new_desk: Desk) -> None:
    new_desk.run(BROKEN, {"file": "a.bin"})
    called = new_desk.call("resume", "latest", "--from", "tell")
    assert (called.status, "'check' failed in run" in called.err) == (1, True)
    assert "[not-reached]" in called.err
    new_desk.workflow(BROKEN.replace('"{{ input.fails }}"}}', '"{{ input.fails }}"}, on_failure: continue}'))
    called = new_desk.call("resume", "latest", "--from", "tell")
    assert (called.status, new_desk.journal) == (0, ["look at a.bin", "LOOK AT A.BIN 13 1"]), called.err


def test_a_step_that_is_not_there_is_refused(new_desk: Desk) -> None:
    new_desk.run(BROKEN, {"file": "a.bin"})
    called = new_desk.call("resume", "latest", "--from", "chek")
    assert (called.status, 'did you mean "check"?' in called.err) == (2, True)
    new_desk.workflow(BROKEN.replace("id: check", "id: probe"))
    called = new_desk.call("resume", "latest")
    assert (called.status, "the run failed in 'check', which contain does not have any more" in called.err) == (1, True)
    new_desk.workflow(BROKEN.replace("file: {type: string}", "file: {type: integer}"))
    called = new_desk.call("resume", "latest")
    assert (called.status, "refuses the input" in called.err) == (1, True)


def test_calls_of_aws_children_and_distributed_loops_are_kept(new_desk: Desk) -> None:
    new_desk.workflow("name: kid\nsteps:\n  - {action: note, params: {text: kid}}\noutput: {x: 7}\n")
    text = """
        name: calls
        input: {n: {type: integer, default: 1}}
        steps:
          - {id: make, aws: "sqs:createQueue", params: {QueueName: mine}}
          - {id: child, workflow: kid}
          - id: spread
            for_each:
              in: [p, q]
              mode: distributed
              steps: [{id: inner, action: note, params: {text: "{{ item }}"}}]
          - {id: check, action: unsteady, params: {fails: 1}}
          - {id: tell, action: note, params: {text: "{{ steps.child.output.x }} {{ steps.spread.output[1].text }}"}}
        output: "{{ steps.make.output.QueueUrl is defined }}"
    """
    new_desk.run(text)
    assert new_desk.journal == ["kid", "p", "q"]
    mocks = new_desk.write("mended.yaml", "check: {return: {tries: 1}}")
    called = new_desk.call("resume", "latest", "--mock", str(mocks), "--json")
    assert (called.status, new_desk.journal[3:]) == (0, ["7 q"]), called.err
    assert called.json["output"] is True


def test_two_cannot_go_on_with_one_run(new_desk: Desk) -> None:
    first = new_desk.run(BROKEN, {"file": "a.bin"}).result["run_id"]
    store = LocalRunStore(new_desk.root / ".stepsmith" / "history.db")
    assert store.hand_on(first, "other")
    assert not store.hand_on(first, "another")
    assert new_desk.call("resume", first).status == 1


def test_what_is_too_large_to_be_handed_over_is_refused(new_desk: Desk) -> None:
    new_desk.run(BROKEN, {"file": "a" * 100_000})
    called = new_desk.call("resume", "latest")
    assert (called.status, "[too-much-on-record]" in called.err) == (1, True)


def test_a_graph_goes_on_with_what_had_not_ended(new_desk: Desk) -> None:
    text = """
        name: graph
        steps:
          - {id: a, action: note, params: {text: a}}
          - {id: b, action: note, params: {text: b}, needs: [a]}
          - {id: c, action: unsteady, params: {fails: 1}, needs: [a]}
          - {id: d, action: note, params: {text: "{{ steps.a.output.text }} {{ steps.b.output.text }}"}, needs: [b, c]}
        output: "{{ steps.d.output.text }}"
    """
    assert new_desk.run(text).status == "failed"
    assert new_desk.journal == ["a", "b"]
    new_desk.workflow(text.replace("fails: 1", "fails: 0"))
    called = new_desk.call("resume", "latest", "--from", "c", "--json")
    assert (called.status, called.json["output"]) == (0, "a b"), called.err
    assert new_desk.journal == ["a", "b", "b", "a b"]


def test_a_run_that_is_not_over_is_not_begun_at_a_step(new_desk: Desk) -> None:
    run = RunRecord("by-hand", "contain", RunStatus.PAUSED, datetime(2026, 5, 4, tzinfo=UTC))
    history = new_desk.root / ".stepsmith" / "history.db"
    LocalRunStore(history).put_run(run)
    with holding(history, "by-hand"):
        called = new_desk.call("resume", "by-hand", "--from", "check")
    assert (called.status, "--from is for a run that is over" in called.err) == (1, True)


def test_people_are_not_asked_again(new_desk: Desk) -> None:
    text = """
        name: asked
        steps:
          - {id: ask, approval: {message: Go on?, timeout: 1h}}
          - {id: check, action: unsteady, params: {fails: 1}}
          - {id: tell, action: note, params: {text: "{{ steps.ask.output.approved }} by {{ steps.ask.output.by }}"}}
    """
    ran = new_desk.run(text, mocks="ask: {approve: {by: ann}}")
    assert (ran.status, ran.result["error"]["step"]) == ("failed", "check")
    mocks = new_desk.write("mended.yaml", "check: {return: {tries: 1}}")
    called = new_desk.call("resume", "latest", "--mock", str(mocks), "--json")
    assert (called.status, new_desk.journal) == (0, ["true by ann"]), called.err
