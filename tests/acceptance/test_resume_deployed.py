"""Runs of a deployed stack that go on there."""

from __future__ import annotations

from typing import Any

import pytest

from stepsmith.asl.names import environment_key
from stepsmith.cli import stack_machines
from stepsmith.engine import ExecutionNotRedrivable
from stepsmith_functions.history.records import RunRecord, RunStatus
from stepsmith_functions.history.store import all_steps
from tests.acceptance.stacks import NOTHING, Stack

BROKEN = """
    name: contain
    input: {file: {type: string}}
    steps:
      - id: look
        action: note
        params: {text: "look at {{ input.file }}"}
        output: {said: "{{ output.text }}", size: "{{ output.length }}"}
      - {id: label, set: {label: "{{ steps.look.output.said | upper }}", of: "{{ run.id }}"}}
      - {id: check, action: unsteady, params: {fails: 1}, on_failure: fail}
      - {id: tell, action: note, params: {text: "{{ vars.label }} {{ steps.look.output.size }}"}}
    output: {label: "{{ vars.label }}", of: "{{ vars.of }}"}
"""
MENDED = BROKEN.replace("fails: 1", "fails: 0")


def test_a_corrected_workflow_goes_on_from_a_step_with_the_earlier_outputs(stack: Stack) -> None:
    first = stack.run(BROKEN, {"file": "a.bin"})
    assert stack.result(first)["status"] == "failed"
    stack.desk.workflow(MENDED)
    called = stack.call("resume", "latest", "--from", "check")
    assert called.status == 0, called.err
    later = stack.later(first)
    assert called.out.splitlines() == [
        f"contain goes on with run {first[:8]} from step check",
        f"stepsmith show {later[:8]} --stack security shows how it goes",
    ]
    assert stack.desk.journal == ["look at a.bin"]
    begun = stack.result(later)
    assert (begun["status"], stack.store.run(later).input) == ("running", {"file": "a.bin"})
    stack.aws.engine.run()
    assert stack.desk.journal == ["look at a.bin", "LOOK AT A.BIN 13"]
    ended = stack.result(later)
    assert (ended["status"], ended["workflow"]) == ("succeeded", "contain")
    assert stack.store.run(later).input == {"file": "a.bin"}
    assert ended["output"] == {"label": "LOOK AT A.BIN", "of": first}
    assert ended["continues"] == {"run_id": first, "step": "check", "first": first}
    assert {step["path"]: step.get("from_run") for step in ended["steps"]} == {
        "look": first,
        "label": first,
        "check": None,
        "tell": None,
    }
    assert [step["line"] for step in ended["steps"] if step["path"] == "tell"] == [10]
    assert f"continues run {first[:8]} from step check" in stack.call("show", later).out
    assert f"continued by run {later[:8]}" in stack.call("show", first).out
    listed = [(run["run_id"], run.get("continues")) for run in stack.call("runs", "--json").json]
    assert sorted(listed, key=str) == sorted([(later, first), (first, None)], key=str)


def test_a_continuation_that_fails_goes_on_as_one_lineage(stack: Stack) -> None:
    first = stack.run(BROKEN, {"file": "a.bin"})
    second = stack.call("resume", first, "--from", "check", "--json").json
    assert second["continues"] == {"run_id": first, "step": "check", "first": first}
    stack.aws.engine.run()
    assert stack.result(second["run_id"])["status"] == "failed"
    stack.desk.workflow(MENDED)
    third = stack.call("resume", second["run_id"], "--json").json
    assert (third["redriven"], third["continues"]["first"]) == (False, first)
    stack.aws.engine.run()
    ended = stack.result(third["run_id"])
    assert ended["status"] == "succeeded"
    assert {step["path"]: step.get("from_run") for step in ended["steps"]} == {
        "look": first,
        "label": first,
        "check": None,
        "tell": None,
    }
    versions = stack.states.list_state_machine_versions(stateMachineArn=stack.resources["ContainResumeMachine"])
    assert len(versions["stateMachineVersions"]) == 2


def test_outputs_that_are_not_on_record_are_refused_by_name(stack: Stack) -> None:
    first = stack.run(BROKEN, {"file": "a.bin"})
    stack.desk.workflow(
        MENDED.replace(
            "      - {id: check,", "      - {id: owner, action: note, params: {text: who}}\n      - {id: check,"
        ).replace('"{{ vars.label }} {{', '"{{ steps.owner.output.text }} {{ vars.label }} {{')
    )
    called = stack.call("resume", first, "--from", "check")
    assert called.status == 1
    assert "steps.owner.output.text is not on record: 'owner' did not run" in called.err
    assert _untouched(stack, first)
    assert stack.call("resume", first, "--from", "chek").status == 2


def _untouched(stack: Stack, run_id: str) -> bool:
    """Whether nothing was made, started or noted."""
    machine = stack.resources["ContainResumeMachine"]
    versions = stack.states.list_state_machine_versions(stateMachineArn=machine)["stateMachineVersions"]
    started = stack.states.list_executions(stateMachineArn=machine)["executions"]
    return not versions and not started and stack.store.run(run_id).continued_by is None


def test_what_the_stack_lacks_is_refused_by_name(stack: Stack) -> None:
    first = stack.run(BROKEN, {"file": "a.bin"})
    stack.desk.workflow(MENDED.replace("action: unsteady, params: {fails: 0}", "action: slow, params: {seconds: 1}"))
    called = stack.call("resume", first, "--from", "check")
    assert (called.status, "does not allow it" in called.err) == (1, True)
    assert stack.aws.stack.reference("SlowFunction") in called.err
    del stack.resources["SlowFunction"]
    called = stack.call("resume", first, "--from", "check")
    assert (called.status, "security lacks what contain needs now: SlowFunction" in called.err) == (1, True)
    assert _untouched(stack, first)
    del stack.resources["ContainResumeMachine"]
    called = stack.call("resume", first, "--from", "check")
    assert (called.status, "has no ContainResumeMachine" in called.err) == (1, True)


def test_only_one_run_goes_on_from_a_run(stack: Stack) -> None:
    first = stack.run(BROKEN, {"file": "a.bin"})
    stack.desk.workflow(MENDED)
    assert stack.call("resume", first).status == 0
    called = stack.call("resume", first)
    assert (called.status, f"was continued by run {stack.later(first)[:8]}" in called.err) == (1, True)


def test_one_that_was_announced_and_never_started_is_started_under_its_id(stack: Stack) -> None:
    first = stack.run(BROKEN, {"file": "a.bin"})
    stack.desk.workflow(MENDED)
    assert stack.store.hand_on(first, "announced")  # and then the desk's process died
    assert stack.call("resume", first, "--json").json["run_id"] == "announced"
    stack.aws.engine.run()
    assert stack.result("announced")["status"] == "succeeded"


def test_a_run_from_which_another_was_announced_is_not_redriven(stack: Stack) -> None:
    run_id = stack.start(stack.deploy("name: rests\nsteps: [{id: rest, wait: 1h}]\n"))
    stack.aws.engine.advance(10)
    assert stack.call("cancel", run_id, "--now").status == 0
    assert stack.store.hand_on(run_id, "announced")
    begun = stack.call("resume", run_id, "--json").json
    assert (begun["redriven"], begun["run_id"]) == (False, "announced")


def test_a_name_that_another_desk_started_meanwhile_is_not_started_again(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = stack.run(BROKEN, {"file": "a.bin"})
    stack.desk.workflow(MENDED)
    publish = stack_machines.StackMachines.publish

    def published(self: stack_machines.StackMachines, definition: str, description: str) -> str:
        version = publish(self, definition, description)
        assert self.place.store.hand_on(first, "other")
        return version

    monkeypatch.setattr(stack_machines.StackMachines, "publish", published)
    called = stack.call("resume", first)
    assert (called.status, "another run goes on from run" in called.err) == (1, True)
    executions = stack.states.list_executions(stateMachineArn=stack.resources["ContainResumeMachine"])
    assert executions["executions"] == []


def test_what_is_not_over_and_what_another_stack_has_are_refused(stack: Stack) -> None:
    text = "name: slowly\nsteps: [{id: rest, wait: 1h}, {id: two, action: note, params: {text: two}}]\n"
    run_id = stack.start(stack.deploy(text))
    stack.aws.engine.advance(10)
    called = stack.call("resume", run_id, "--from", "two")
    assert (called.status, "--from is for a run that is over" in called.err) == (1, True)
    # The event of a redrive by somebody else is still under way.
    record = RunRecord(run_id, "slowly", RunStatus.FAILED, stack.store.run(run_id).started_at)
    assert stack.store.put_run(record)
    called = stack.call("resume", run_id)
    assert (called.status, "its execution is running" in called.err) == (1, True)
    assert "no run begins with" in stack.call("resume", "ffff").err
    assert stack.desk.call("resume", run_id, "--stack", "other").status == 1
    assert stack.call("resume", run_id, "--real-time").status == 2


def test_a_stopped_run_goes_on_by_a_redrive(stack: Stack) -> None:
    text = """
        name: both
        steps:
          - {id: one, action: note, params: {text: one}}
          - id: halves
            parallel:
              left: [{id: two, action: note, params: {text: two}}]
              right: [{id: three, wait: 1h}, {id: four, action: note, params: {text: four}}]
    """
    run_id = stack.start(stack.deploy(text))
    stack.aws.engine.advance(10)
    assert stack.call("cancel", run_id, "--now", "--why", "wrong host").status == 0
    assert stack.result(run_id)["status"] == "cancelled"
    called = stack.call("resume", run_id)
    assert called.status == 0, called.err
    assert called.out.splitlines()[0] == f"run {run_id[:8]} of both goes on where it ended, by a redrive"
    begun = stack.store.run(run_id)
    assert (begun.status, begun.redrive_count, begun.control) == (RunStatus.RUNNING, 1, None)
    stack.aws.engine.run()
    ended = stack.store.run(run_id)
    assert (ended.status, ended.redrive_count, ended.complete) == (RunStatus.SUCCEEDED, 1, True)
    assert stack.desk.journal == ["one", "two", "four"]  # what was done is not done again
    assert ended.continued_by is None
    assert {step.path: step.status.value for step in all_steps(stack.store, run_id)} == dict.fromkeys(
        ("one", "halves", "halves.left.two", "halves.right.three", "halves.right.four"), "succeeded"
    )


def test_a_task_that_failed_and_that_nothing_took_is_redriven(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    text = """
        name: reads
        steps:
          - {id: one, action: note, params: {text: one}}
          - {id: two, action: custom_scan, params: {scan_path: late}}
          - {id: three, action: note, params: {text: "{{ steps.two.output.files_scanned }} file"}}
    """
    run_id = stack.run(text)
    assert stack.result(run_id)["status"] == "failed"
    stack.desk.write("late/file", "x")
    assert stack.call("resume", run_id, "--json").json == {
        "run_id": run_id,
        "workflow": "reads",
        "status": "running",
        "execution_arn": stack.store.run(run_id).execution_arn,
        "redriven": True,
    }
    stack.aws.engine.run()
    ended = stack.result(run_id)
    assert (ended["status"], ended["error"], stack.desk.journal) == ("succeeded", None, ["one", "1 file"])


def test_what_lambda_finished_after_a_stop_is_not_done_again(stack: Stack) -> None:
    text = """
        name: late
        steps:
          - {id: one, action: slow, params: {seconds: 60}}
          - {id: two, action: note, params: {text: "slept {{ steps.one.output.slept }}"}}
    """
    run_id = stack.start(stack.deploy(text))
    stack.aws.engine.advance(10)
    assert stack.call("cancel", run_id, "--now").status == 0
    begun = stack.call("resume", run_id, "--json").json
    assert (begun["redriven"], begun["continues"]["step"]) == (False, "two")
    stack.aws.engine.run()
    assert stack.desk.journal == ["slept 60"]


def test_a_redrive_that_is_refused_leaves_the_record_as_it_was(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = stack.start(stack.deploy("name: rests\nsteps: [{id: rest, wait: 1h}]\n"))
    stack.aws.engine.advance(10)
    assert stack.call("cancel", run_id, "--now", "--why", "lunch").status == 0
    before = stack.store.run(run_id)

    def refused(_: object) -> None:
        raise ExecutionNotRedrivable("no")

    monkeypatch.setattr(stack.aws, "redrive", refused)
    called = stack.call("resume", run_id)
    assert (called.status, "cannot be redriven" in called.err) == (1, True)
    assert stack.store.run(run_id) == before


def test_what_a_finally_or_a_handler_took_is_no_matter_for_a_redrive(stack: Stack) -> None:
    first = stack.run(BROKEN + "    finally: [{id: closed, action: note, params: {text: closed}}]\n", {"file": "b"})
    begun = stack.call("resume", first, "--json").json
    assert (begun["redriven"], begun["continues"]["step"]) == (False, "check")


def test_a_run_is_not_redriven_after_its_time(stack: Stack) -> None:
    text = "name: rests\nsteps: [{id: rest, wait: 1h}, {id: two, action: note, params: {text: two}}]\n"
    run_id = stack.start(stack.deploy(text))
    stack.aws.engine.advance(10)
    assert stack.call("cancel", run_id, "--now").status == 0
    stack.aws.engine.advance(15 * 86_400)
    begun = stack.call("resume", run_id, "--json").json
    assert (begun["redriven"], begun["continues"]["step"]) == (False, "rest")
    stack.aws.engine.run()
    assert stack.result(begun["run_id"])["status"] == "succeeded"


def test_a_continuation_that_is_stopped_is_undone_with_what_the_first_run_did(stack: Stack) -> None:
    text = """
        name: undone
        on_failure: rollback
        steps:
          - id: one
            action: note
            params: {text: one}
            rollback: {action: note, params: {text: "undo {{ output.text }}"}}
          - {id: two, action: unsteady, params: {fails: 1}, on_failure: fail}
          - {id: three, wait: 1h}
          - {id: four, action: note, params: {text: four}}
    """
    first = stack.run(text)
    assert stack.result(first)["status"] == "failed"
    stack.desk.workflow(text.replace("fails: 1", "fails: 0"))
    later = stack.call("resume", first, "--json").json["run_id"]
    stack.aws.engine.advance(60)
    assert stack.call("cancel", later, "--now").status == 0
    stack.aws.engine.run()
    ended = stack.result(later)
    assert (ended["status"], stack.desk.journal) == ("rolled_back", ["one", "undo one"])
    assert "what it had done is undone" in stack.call("resume", later).err


def test_a_run_that_its_workflow_undoes_does_not_go_on_meanwhile(stack: Stack) -> None:
    text = """
        name: undone
        on_failure: rollback
        steps:
          - {id: one, action: note, params: {text: one}, rollback: {action: note, params: {text: undo}}}
          - {id: two, wait: 1h}
    """
    run_id = stack.start(stack.deploy(text))
    stack.aws.engine.advance(10)
    stack.states.stop_execution(executionArn=stack.store.run(run_id).execution_arn)
    assert "is rolling back" in stack.call("resume", run_id).err
    known = stack.store.run(run_id)
    # The recorder has told the end and has not begun to undo.
    assert stack.store.replace_run(
        known,
        RunRecord(
            run_id,
            "undone",
            RunStatus.CANCELLED,
            known.started_at,
            execution_arn=known.execution_arn,
            ended_at=known.started_at,
        ),
    )
    called = stack.call("resume", run_id)
    assert (called.status, "undoes such a run" in called.err) == (1, True)


def test_values_that_are_set_at_deployment_are_the_stacks(stack: Stack) -> None:
    text = """
        name: env
        steps:
          - {id: one, action: unsteady, params: {fails: 1}, on_failure: fail}
          - {id: two, action: note, params: {text: "{{ env.SITE }}"}}
    """
    stack.parameters[environment_key("SITE")] = "https://a.example/"
    first = stack.run(text)
    stack.desk.workflow(text.replace("fails: 1", "fails: 0"))
    assert stack.call("resume", first).status == 0
    stack.aws.engine.run()
    assert stack.desk.journal == ["https://a.example/"]


def test_old_versions_are_deleted_unless_they_run(stack: Stack) -> None:
    first = stack.run(BROKEN, {"file": "a.bin"})
    machine = stack.resources["ContainResumeMachine"]
    waiting = NOTHING.replace('"Fail", "Error": "NothingToResume"', '"Wait", "Seconds": 3600, "End": true')
    for number in range(12):
        answer = stack.states.update_state_machine(stateMachineArn=machine, definition=waiting, publish=True)
        if number == 1:
            stack.states.start_execution(stateMachineArn=answer["stateMachineVersionArn"], name="x", input="{}")
    stack.desk.workflow(MENDED)
    assert stack.call("resume", first).status == 0
    versions = stack.states.list_state_machine_versions(stateMachineArn=machine)["stateMachineVersions"]
    numbers = sorted(int(each["stateMachineVersionArn"].rpartition(":")[2]) for each in versions)
    assert numbers == [2, *range(4, 14)]


def test_kept_steps_live_as_long_as_the_stacks_history(stack: Stack) -> None:
    first = stack.run(BROKEN, {"file": "a.bin"})
    stack.desk.workflow(MENDED)
    assert stack.call("resume", first).status == 0
    later = stack.later(first)
    dynamodb: Any = stack.aws.client("dynamodb")
    key = {"pk": {"S": f"RUN#{later}"}, "sk": {"S": "STEP#look"}}
    item = dynamodb.get_item(TableName=stack.resources["HistoryTable"], Key=key)["Item"]
    ended = next(step for step in all_steps(stack.store, later) if step.path == "look").ended_at
    assert ended is not None
    assert int(item["expires_at"]["N"]) == int(ended.timestamp()) + 365 * 86_400
