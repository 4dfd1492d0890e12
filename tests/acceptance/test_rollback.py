"""Runs that undo what they have done: in which order, whatever the block, and what the history says of it."""

from __future__ import annotations

import json

import pytest

from tests.acceptance.conftest import Desk

LOCK_DOWN = """
    name: lock-down
    input: {files: {type: array, items: {type: string}}, fails: {type: integer, default: 1}}
    on_failure: rollback
    steps:
      - for_each:
          in: "{{ input.files }}"
          as: file
          steps:
            - id: quarantine
              action: quarantine_file
              params: {file_path: "{{ file }}"}
              rollback: {action: restore_file, params: {quarantine_id: "{{ output.quarantine_id }}"}}
      - {id: check, action: unsteady, params: {fails: "{{ input.fails }}"}}
    finally:
      - {id: told, action: note, params: {text: "closed after {{ steps.check.status | default('nothing') }}"}}
"""


@pytest.mark.row("S4-005", "S4-099", "S4-100", "S4-070", "S4-032", "S4-020")
def test_files_go_back_where_they_were_latest_first(new_desk: Desk) -> None:
    for name in ("a", "b"):
        new_desk.write(f"files/{name}", f"content of {name}")
    ran = new_desk.run(LOCK_DOWN, {"files": ["files/a", "files/b"]})
    assert (ran.exit_status, ran.status) == (1, "rolled_back")
    assert ran.result["error"] == {"type": "Unsteady", "message": "try 1 of 2", "step": "check", "line": 13}
    assert [(new_desk.root / "files" / name).read_text() for name in ("a", "b")] == ["content of a", "content of b"]
    assert [(step["path"], step["status"]) for step in ran.steps] == [
        ("for_each", "succeeded"),
        ("for_each[0].quarantine", "rolled_back"),
        ("for_each[1].quarantine", "rolled_back"),
        ("check", "failed"),
        ("for_each[1].quarantine.rollback", "succeeded"),
        ("for_each[0].quarantine.rollback", "succeeded"),
        ("told", "succeeded"),
    ]
    assert new_desk.journal == ["closed after failed"]
    shown = new_desk.call("show", "latest", "--json").json
    assert (shown["status"], [step["path"] for step in shown["steps"]]) == ("rolled_back", ran.paths)
    told = new_desk.call("show", "latest").out
    assert "undo for_each[1].quarantine" in told
    assert "rolled back" in told


def test_a_run_that_succeeds_undoes_nothing(new_desk: Desk) -> None:
    new_desk.write("files/a", "content")
    ran = new_desk.run(LOCK_DOWN, {"files": ["files/a"], "fails": 0})
    assert (ran.status, ran.paths) == ("succeeded", ["for_each", "for_each[0].quarantine", "check", "told"])
    assert not (new_desk.root / "files" / "a").exists()


def test_an_undo_that_fails_is_told_and_the_others_still_run(new_desk: Desk) -> None:
    mocks = """
        quarantine: {return: {quarantine_id: q-1}}
        quarantine.rollback: [{return: {}}, {raise: QuarantineMissing, message: it is gone}]
    """
    ran = new_desk.run(LOCK_DOWN, {"files": ["files/a", "files/b"]}, mocks)
    assert ran.status == "rollback_failed"
    assert ran.result["error"]["type"] == "Unsteady"
    assert ran.step("for_each[1].quarantine")["status"] == "rolled_back"
    assert ran.step("for_each[0].quarantine")["status"] == "rollback_failed"
    assert ran.step("for_each[0].quarantine.rollback")["error"]["message"] == "it is gone"


BRANCHES = """
    name: branches
    on_failure: rollback
    steps:
      - parallel:
          done: [{id: first, action: note, params: {text: first}, rollback: {action: note, params: {text: undo first}}}]
          late: [{id: slow, action: note, params: {text: slow}, rollback: {action: note, params: {text: undo slow}}}]
          broken:
            - {id: second, action: slow, params: {seconds: 5}}
            - {id: breaks, action: unsteady, params: {fails: 1}}
"""


def test_what_a_sibling_finishes_while_the_parallel_is_failing_is_undone_too(new_desk: Desk) -> None:
    mocks = """
        first: {return: {text: first, length: 5}, after: 1s}
        slow: {return: {text: slow, length: 4}, after: 1m}
    """
    ran = new_desk.run(BRANCHES, mocks=mocks)
    assert ran.status == "rolled_back"
    assert new_desk.journal == ["undo slow", "undo first"]
    assert ran.result["elapsed_s"] == 60
    assert [ran.step(path)["status"] for path in ("parallel.done.first", "parallel.late.slow")] == ["rolled_back"] * 2


@pytest.mark.row("S4-073", "S4-114", "S4-020")
def test_a_step_may_fail_the_run_without_a_rollback(new_desk: Desk) -> None:
    text = """
        name: without
        on_failure: rollback
        steps:
          - {id: noted, action: note, params: {text: done}, rollback: {action: note, params: {text: undone}}}
          - {action: unsteady, params: {fails: 1}, on_failure: fail}
    """
    ran = new_desk.run(text)
    assert (ran.status, new_desk.journal) == ("failed", ["done"])


def test_calls_of_aws_and_other_workflows_are_undone_with_what_they_answered(new_desk: Desk) -> None:
    new_desk.workflow("""
        name: clean-up
        input: {queue: {type: string}}
        steps:
          - {action: note, params: {text: "cleaning {{ input.queue }}"}}
    """)
    text = """
        name: queues
        on_failure: rollback
        steps:
          - for_each:
              in: [one, two]
              steps:
                - id: make
                  aws: sqs:createQueue
                  params: {QueueName: "{{ item }}"}
                  rollback:
                    workflow: clean-up
                    params: {queue: "{{ item }} {{ 'made' if output.QueueUrl else 'lost' }}"}
          - {action: unsteady, params: {fails: 1}}
    """
    ran = new_desk.run(text)
    assert (ran.status, new_desk.journal) == ("rolled_back", ["cleaning two made", "cleaning one made"]), ran.err


def test_the_happy_path_costs_the_same_with_and_without(new_desk: Desk) -> None:
    new_desk.write("files/a", "content")
    ran = new_desk.run(LOCK_DOWN, {"files": ["files/a"], "fails": 0})
    new_desk.write("files/b", "content")
    lines = [line for line in LOCK_DOWN.splitlines() if "rollback" not in line]
    without = new_desk.run("\n".join(lines), {"files": ["files/b"], "fails": 0})
    assert ran.result["transitions"] == without.result["transitions"]
    assert json.dumps(new_desk.definition("\n".join(lines))).count("rollback") == 0


AFTERWARDS = """
    name: afterwards
    steps:
      - for_each:
          in: [a, b]
          steps:
            - id: noted
              action: note
              params: {text: "{{ item }}"}
              output: {said: "{{ output.text }}"}
              rollback: {action: note, params: {text: "undo {{ item }} {{ output.said }}"}}
      - id: make
        aws: sqs:createQueue
        params: {QueueName: mine}
        rollback: {action: note, params: {text: "undo {{ output.QueueUrl is defined and 'queue' }}"}}
      - {action: unsteady, params: {fails: 1}}
"""


def test_a_failed_run_is_undone_in_a_later_process(new_desk: Desk) -> None:
    ran = new_desk.run(AFTERWARDS)
    assert (ran.status, new_desk.journal) == ("failed", ["a", "b"])
    called = new_desk.call("rollback", "latest", "--json")
    assert (called.status, called.json["status"]) == (0, "rolled_back"), called.err
    assert new_desk.journal == ["a", "b", "undo queue", "undo b b", "undo a a"]
    assert called.json["error"]["type"] == "Unsteady"
    assert [step["path"] for step in called.json["steps"] if step["status"] == "rolled_back"] == [
        "for_each[0].noted",
        "for_each[1].noted",
        "make",
    ]
    again = new_desk.call("rollback", "latest")
    assert (again.status, "rolled back already" in again.err) == (1, True)


def test_a_run_that_succeeded_is_undone_only_when_that_is_said(new_desk: Desk) -> None:
    new_desk.run(AFTERWARDS.replace("fails: 1", "fails: 0"))
    refused = new_desk.call("rollback", "latest")
    assert (refused.status, "--succeeded" in refused.err, new_desk.journal) == (1, True, ["a", "b"])
    undone = new_desk.call("rollback", "latest", "--succeeded")
    assert (undone.status, new_desk.journal[2:]) == (0, ["undo queue", "undo b b", "undo a a"])


def test_what_an_earlier_rollback_could_not_undo_is_tried_again(new_desk: Desk) -> None:
    text = """
        name: twice
        on_failure: rollback
        steps:
          - {id: one, action: note, params: {text: one}, rollback: {action: note, params: {text: undo one}}}
          - {id: two, action: note, params: {text: two}, rollback: {action: note, params: {text: undo two}}}
          - {action: unsteady, params: {fails: 1}}
    """
    ran = new_desk.run(text, mocks="{one.rollback: {raise: NothingToNote}}")
    assert (ran.status, new_desk.journal) == ("rollback_failed", ["one", "two", "undo two"])
    called = new_desk.call("rollback", "latest", "--json")
    assert (called.status, called.json["status"]) == (0, "rolled_back"), called.err
    assert new_desk.journal == ["one", "two", "undo two", "undo one"]


def test_mocks_answer_undos_and_a_step_in_doubt_is_shown_as_not_undone(new_desk: Desk) -> None:
    """The run ended while a call was at work, and nobody heard how that ended."""
    note = "action: note, params: {text: x}, rollback: {action: note, params: {text: undone}}"
    text = f"""
        name: doubtful
        steps:
          - id: both
            parallel:
              quick: [{{id: first, {note}}}]
              long: [{{id: slow, {note}}}]
              bad: [{{id: breaks, action: unsteady, params: {{fails: 1}}}}]
    """
    answer = "{return: {text: x, length: 1}, after: SECONDS}"
    mocks = f"first: {answer}\nslow: {answer.replace('SECONDS', '9s')}\nbreaks: {{raise: Unsteady, after: 3s}}\n"
    ran = new_desk.run(text, None, mocks.replace("SECONDS", "1s"))
    assert ran.status == "failed"
    undos = new_desk.write("undos.yaml", "first.rollback: {return: {text: mocked, length: 6}}\n")
    called = new_desk.call("rollback", "latest", "--mock", str(undos), "--json")
    assert (called.status, called.json["status"], new_desk.journal) == (1, "rollback_failed", [])
    steps = {step["path"]: step for step in called.json["steps"]}
    assert steps["both.quick.first"]["status"] == "rolled_back"
    assert steps["both.quick.first.rollback"]["status"] == "succeeded"
    assert steps["both.long.slow"]["status"] == "rollback_failed"
    doubt = {"type": "EffectUnknown", "message": "it is not known whether the step took effect"}
    assert (steps["both.long.slow.rollback"]["status"], steps["both.long.slow.rollback"]["error"]) == ("failed", doubt)
    wrong = new_desk.write("wrong.yaml", "nobody: {return: 1}\n")
    assert new_desk.call("rollback", "latest", "--mock", str(wrong)).status == 1


def test_a_workflow_without_undos_says_so(new_desk: Desk) -> None:
    new_desk.run("name: plain\nsteps:\n  - {action: unsteady, params: {fails: 1}}\n")
    called = new_desk.call("rollback", "latest")
    assert (called.status, "no step of plain says how it is undone" in called.err) == (2, True)


def test_a_run_whose_virtual_time_went_ahead_is_undone_in_a_later_process(new_desk: Desk) -> None:
    text = """
        name: ahead
        steps:
          - {wait: 3d}
          - {id: one, action: note, params: {text: one}, rollback: {action: note, params: {text: undo one}}}
          - {action: unsteady, params: {fails: 1}}
    """
    assert new_desk.run(text).status == "failed"
    called = new_desk.call("rollback", "latest")
    assert (called.status, new_desk.journal) == (0, ["one", "undo one"]), called.out
