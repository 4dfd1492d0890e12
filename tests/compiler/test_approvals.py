"""An approval is one Task that waits for its token; what nobody decides in time is decided as its author said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stepsmith.engine import Engine, Execution, Status, TaskCall, TaskFailed, TaskOutcome, TaskSucceeded, TaskWaiting
from stepsmith.pipeline import compile_bytes
from tests.support.machines import CATALOG, DECIDED, Fail, compiled, run

HEAD = "name: asks\nsteps:\n"


def definition(steps: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(compiled(HEAD + steps).asl or "")
    return found


def task(approval: str) -> dict[str, Any]:
    state: dict[str, Any] = definition(f"  - id: ok\n    approval: {approval}\n")["States"]["ok"]
    return state


def waited(steps: str) -> Execution:
    """A run in which nobody ever decides."""

    def answer(call: TaskCall) -> TaskOutcome:
        waits = call.resource.endswith(".waitForTaskToken")
        return TaskWaiting() if waits else TaskSucceeded({"StatusCode": 200, "Payload": {"version": 1}})

    engine = Engine(answer)
    execution = engine.start(compiled(HEAD + steps).asl or "", {}, name="run-1")
    engine.run(execution)
    return execution


def test_the_task_hands_over_its_token_and_what_is_asked() -> None:
    state = task("{message: May I?, approvers: [a@example.com], notify: b@example.com, remind: 1h, timeout: 2d}")
    assert state["Resource"] == "arn:${Partition}:states:::lambda:invoke.waitForTaskToken"
    assert state["TimeoutSeconds"] == 2 * 86_400
    assert state["Arguments"]["FunctionName"] == "${ApprovalRequestFunction}"
    payload = state["Arguments"]["Payload"]
    assert payload["token"] == "{% $states.context.Task.Token %}"
    assert payload["params"] == {
        "message": "May I?",
        "approvers": ["a@example.com"],
        "notify": ["b@example.com"],
        "quorum": 1,
        "timeout": 2 * 86_400,
        "remind": 3600,
    }


def test_an_approval_without_a_timeout_has_one_of_a_week() -> None:
    assert task("{message: May I?}")["TimeoutSeconds"] == 7 * 86_400


def test_the_machine_may_invoke_the_function_that_asks() -> None:
    machine = compiled(HEAD + "  - approval: {message: May I?}\n").machine
    assert machine is not None
    assert machine.functions == ("ApprovalRequestFunction",)


def test_the_workflows_retry_never_asks_again_after_a_decision() -> None:
    text = "name: asks\nretry: 5\nsteps:\n  - id: ok\n    approval: {message: May I?}\n"
    state = json.loads(compiled(text).asl or "")["States"]["ok"]
    retried = {error for retrier in state["Retry"] for error in retrier["ErrorEquals"]}
    assert not {"States.ALL", "States.TaskFailed", "States.Timeout", "ApprovalRejected"} & retried
    assert "DeliveryFailed" in retried


def test_its_output_is_who_decided_when_and_why() -> None:
    made = run(HEAD + "  - {id: ok, approval: {message: May I?}}\noutput: '{{ steps.ok.output }}'\n")
    assert made.execution.output == DECIDED


def test_a_rejection_fails_the_step() -> None:
    made = run(HEAD + "  - {id: ok, approval: {message: May I?}}\n", outcomes={"ok": Fail("ApprovalRejected", "no")})
    assert (made.execution.status, made.execution.error) == (Status.FAILED, "ApprovalRejected")


def test_a_rejection_can_be_handled() -> None:
    steps = """  - id: ok
    approval: {message: May I?}
    on_failure:
      - errors: [ApprovalRejected]
        steps: [{id: say, action: store, params: {key: "{{ error.message }}"}}]
        then: continue
"""
    made = run(HEAD + steps, outcomes={"ok": lambda _: _Rejected()})
    assert made.params("say") == {"key": "rejected by ops: not now"}


class _Rejected:
    def outcome(self) -> TaskFailed:
        return TaskFailed("ApprovalRejected", "rejected by ops: not now")


def test_a_timeout_fails_the_step_by_default() -> None:
    execution = waited("  - {id: ok, approval: {message: May I?, timeout: 1h}}\n")
    assert (execution.status, execution.error) == (Status.FAILED, "States.Timeout")
    assert execution.stopped is not None
    assert (execution.stopped - execution.started).total_seconds() == 3600


def test_a_timeout_may_approve() -> None:
    steps = "  - {id: ok, approval: {message: May I?, timeout: 1h, on_timeout: approve}}\n  - {id: put, action: store, "
    execution = waited(steps + "params: {key: k}}\noutput: '{{ steps.ok.output }}'\n")
    assert execution.output == {"approved": True, "by": "timeout", "comment": "", "at": "2025-01-01T01:00:00Z"}


def test_a_timeout_of_the_last_step_may_approve() -> None:
    steps = "  - {id: ok, approval: {message: May I?, timeout: 1h, on_timeout: approve}, output: '{{ output.by }}'}\n"
    assert waited(steps + "output: '{{ steps.ok.output }}'\n").output == "timeout"


def test_a_timeout_may_reject() -> None:
    execution = waited("  - {id: ok, approval: {message: May I?, timeout: 1h, on_timeout: reject}}\n")
    assert (execution.error, execution.cause) == ("ApprovalRejected", "nobody decided in time")


def test_a_rejection_by_timeout_finds_the_steps_own_handler() -> None:
    steps = """  - id: ok
    approval: {message: May I?, timeout: 1h, on_timeout: reject}
    on_failure: [{errors: [ApprovalRejected], then: continue}]
output: "{{ steps.ok.error.type | default('none') }}"
"""
    assert waited(steps).output == "ApprovalRejected"


@pytest.mark.parametrize("modifier", ["timeout: 1h", "retry: 2", "heartbeat: 5s"])
def test_what_says_how_long_and_how_often_stands_in_the_approval(modifier: str) -> None:
    compilation = compile_bytes(
        "test.yaml", f"{HEAD}  - approval: {{message: May I?}}\n    {modifier}\n".encode(), CATALOG
    )
    assert [item.slug for item in compilation.diagnostics] == ["modifier-not-here"]


def test_a_handler_for_an_error_that_no_approval_has_is_told() -> None:
    text = f"{HEAD}  - approval: {{message: May I?}}\n    on_failure: [{{errors: [ApprovalRefused], then: continue}}]\n"
    (found,) = compile_bytes("test.yaml", text.encode(), CATALOG).diagnostics
    assert (found.slug, found.help) == ("unknown-error", 'did you mean "ApprovalRejected"?')


def test_a_secret_does_not_stand_in_a_question() -> None:
    text = f"{HEAD}  - approval: {{message: '{{{{ secrets.KEY }}}}'}}\n"
    slugs = {item.slug for item in compile_bytes("test.yaml", text.encode(), CATALOG).diagnostics}
    assert "secret-not-here" in slugs


@pytest.mark.parametrize("on_timeout", ["approve", "reject"])
def test_the_workflows_own_timeout_decides_nothing(on_timeout: str) -> None:
    asked = f"{{message: May I?, timeout: 2h, on_timeout: {on_timeout}}}"
    text = f"""name: asks
timeout: 1h
steps:
  - id: ok
    approval: {asked}
    on_failure: [{{errors: [ApprovalRejected], steps: [{{id: no, action: store, params: {{key: k}}}}], then: continue}}]
finally:
  - {{id: last, action: store, params: {{key: k}}}}
"""
    called: list[str] = []

    def answer(call: TaskCall) -> TaskOutcome:
        called.append(call.state)
        waits = call.resource.endswith(".waitForTaskToken")
        return TaskWaiting() if waits else TaskSucceeded({"StatusCode": 200, "Payload": {"version": 1}})

    engine = Engine(answer)
    execution = engine.start(compiled(text).asl or "", {}, name="run-1")
    engine.run(execution)
    assert (execution.status, execution.error) == (Status.FAILED, "States.Timeout")
    assert called == ["ok", "last"]
    assert execution.stopped is not None
    assert (execution.stopped - execution.started).total_seconds() == 3600
