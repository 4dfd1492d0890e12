"""Runs of a deployed stack that are undone there."""

from __future__ import annotations

from tests.acceptance.stacks import Stack

UNDOABLE = """
    name: contain
    steps:
      - id: one
        action: note
        params: {text: one}
        rollback: {action: note, params: {text: "undo {{ output.text }}"}}
      - {id: two, action: unsteady, params: {fails: 9}}
"""


def test_a_failed_run_is_undone_by_its_workflows_second_machine(stack: Stack) -> None:
    run_id = stack.run(UNDOABLE)
    assert stack.result(run_id)["status"] == "failed"
    failed = stack.store.run(run_id)
    called = stack.call("rollback", run_id)
    assert (called.status, called.err) == (0, "")
    assert "is being undone" in called.out
    again = stack.call("rollback", run_id)
    assert (again.status, "it is rolling back" in again.err) == (1, True)
    # The recorder has not heard of it yet.
    assert stack.store.replace_run(stack.store.run(run_id), failed)
    again = stack.call("rollback", run_id)
    assert (again.status, "is being undone already" in again.err) == (1, True)
    stack.aws.engine.run()
    assert (stack.result(run_id)["status"], stack.desk.journal) == ("rolled_back", ["one", "undo one"])
    over = stack.call("rollback", run_id)
    assert (over.status, "rolled back already" in over.err) == (1, True)


def test_what_could_not_be_undone_is_tried_again(stack: Stack) -> None:
    text = UNDOABLE.replace(
        '{action: note, params: {text: "undo {{ output.text }}"}}', "{action: unsteady, params: {fails: 2}}"
    )
    run_id = stack.run(text)
    assert stack.call("rollback", run_id).status == 0
    stack.aws.engine.run()
    assert stack.result(run_id)["status"] == "rollback_failed"
    begun = stack.call("rollback", run_id, "--json")
    assert (begun.status, begun.json["attempt"]) == (0, 2)


def test_what_cannot_be_undone_says_why(stack: Stack) -> None:
    run_id = stack.run("""
        name: plain
        steps:
          - {id: two, action: unsteady, params: {fails: 9}}
    """)
    called = stack.call("rollback", run_id)
    assert (called.status, "no step of plain says how it is undone" in called.err) == (1, True)
    assert stack.call("rollback", run_id, "--real-time").status == 2


def test_a_run_that_succeeded_is_undone_when_that_is_meant(stack: Stack) -> None:
    run_id = stack.run(UNDOABLE.replace("fails: 9", "fails: 0"))
    called = stack.call("rollback", run_id)
    assert (called.status, "--succeeded" in called.err) == (1, True)
    assert stack.call("rollback", run_id, "--succeeded").status == 0
    stack.aws.engine.run()
    assert (stack.result(run_id)["status"], stack.desk.journal) == ("rolled_back", ["one", "undo one"])
