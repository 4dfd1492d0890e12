"""`approvals`, `approve`, `reject`, and `run` with approvals: what is decided where, and what is said of it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stepsmith.cli.console import Console, standard_console
from stepsmith.cli.desk import Terminal
from stepsmith.project import Project
from stepsmith_functions.approvals.local import LocalApprovalStore
from stepsmith_functions.approvals.records import Approval, ApprovalStatus
from tests.cli.conftest import Call

ASKING = """\
name: asking
steps:
  - id: may_i
    approval:
      message: "May I greet?"
      approvers: [ops@example.com]
      timeout: 1h
  - id: hello
    action: greet
    params: {who: "{{ steps.may_i.output.by }}"}
output: "{{ steps.hello.output.text }}"
"""


@pytest.fixture
def asking(project: Project) -> Project:
    (project.root / "workflows" / "asking.yaml").write_text(ASKING)
    return project


@pytest.fixture
def ask(project: Project) -> Callable[..., Approval]:
    """Keeps an approval that waits, as the process of a run would."""

    def kept(**changes: Any) -> Approval:
        now = datetime.now(UTC)
        approval = Approval(
            run_id="run-1", path="may_i", step_id="may_i", workflow="asking", message="May I?", asked_at=now,
            deadline=now + timedelta(hours=1), approvers=("ops@example.com",), token="t", due=now + timedelta(hours=1),
        )  # fmt: skip
        approval = replace(approval, **changes)
        LocalApprovalStore(project.history).ask(approval)
        return approval

    return kept


def found(project: Project, approval: Approval) -> Approval:
    kept = LocalApprovalStore(project.history).find(approval.id)
    assert kept is not None
    return kept


def test_a_run_is_decided_by_its_command_line(asking: Project, call: Call) -> None:
    called = call("run", "asking", "--approve", "may_i", "--json")
    result = json.loads(called.out)
    assert (called.status, result["status"]) == (0, "succeeded")
    assert result["steps"][0]["output"]["approved"] is True
    refused = call("run", "asking", "--reject", "may_i", "--json")
    assert (refused.status, json.loads(refused.out)["error"]["type"]) == (1, "ApprovalRejected")
    wrong = call("run", "asking", "--approve", "mayi")
    assert (wrong.status, 'did you mean "may_i"?' in wrong.err) == (2, True)
    assert "it has none" in call("run", "greeting", "-p", "who=you", "--approve", "hello").err


@pytest.mark.row("S0-092")
def test_another_process_decides_and_show_tells_who(asking: Project, call: Call) -> None:
    command = [sys.executable, "-m", "stepsmith.cli.main", "run", "asking", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        told = [running.stderr.readline() for _ in range(3)]
        assert told[0] == "waiting for approval of may_i: May I greet?\n"
        assert told[1].startswith("  stepsmith approve ")
        (listed,) = json.loads(call("approvals", "--json").out)
        assert (listed["step"], listed["status"]) == ("may_i", "waiting")
        assert "waiting approval" in call("runs").out
        assert "0 approved, 1 of 1 must" in call("approvals").out
        nobody = call("approve", "latest", "--as", "root")
        assert (nobody.status, "root was not asked; asked were ops@example.com" in nobody.err) == (1, True)
        approved = call(*told[1].split()[1:], "--comment", "be polite")
        assert (approved.status, approved.out) == (0, "may_i: approved by ops@example.com\n")
        out, err = running.communicate()
    assert json.loads(out)["output"] == "hello ops@example.com"
    assert err.count("\n") == 0
    shown = call("show", "latest").out
    assert "may_i approved by ops@example.com at " in shown
    assert ": be polite" in shown
    assert call("approvals").out == "no approval waits\n"


def test_which_approval_is_meant(ask: Callable[..., Approval], call: Call) -> None:
    ask(path="a")
    ask(path="each[0].b")
    several = call("approve", "run", "--as", "ops@example.com")
    assert (several.status, "2 approvals wait" in several.err) == (2, True)
    assert "run-1 a, run-1 each[0].b" in several.err
    assert "no approval waits in step" in call("approve", "run-1", "c").err
    assert "no approval waits in a run" in call("approve", "x").err


def test_a_run_that_is_gone_takes_nothing_up(
    ask: Callable[..., Approval], project: Project, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    approval = ask()
    called = call("reject", "run-1", "--as", "ops@example.com", "--comment", "no")
    assert (called.status, "has not taken the decision up" in called.err) == (1, True)
    assert found(project, approval).status is ApprovalStatus.REJECTED


def test_below_the_quorum_it_still_waits(ask: Callable[..., Approval], project: Project, call: Call) -> None:
    approval = ask(approvers=("ops@example.com", "sec@example.com"), quorum=2)
    called = call("approve", "run-1", "--as", "sec@example.com")
    assert called.out.splitlines() == ["may_i: approved by sec@example.com", "it still waits: 1 approved, 2 of 2 must"]
    again = call("approve", "run-1", "--as", "sec@example.com")
    assert (again.status, "has decided already" in again.err) == (1, True)
    vote = json.loads(call("approvals", "--json").out)[0]["votes"][0]
    assert (vote["by"], vote["via"]) == ("sec@example.com", "command")
    assert found(project, approval).status is ApprovalStatus.WAITING


def test_virtual_time_stands_still_while_people_think(
    ask: Callable[..., Approval], project: Project, call: Call
) -> None:
    ahead = datetime.now(UTC) + timedelta(days=3)
    approval = ask(
        asked_at=ahead, deadline=ahead + timedelta(seconds=5), quorum=2, approvers=("a@b.example", "c@d.example")
    )
    assert call("approve", "run-1", "--as", "a@b.example").status == 0
    assert found(project, approval).votes[0].at == ahead


def test_without_approvers_whoever_is_logged_in_decides(
    ask: Callable[..., Approval], project: Project, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "ann")
    approval = ask(approvers=(), quorum=2)
    call("approve", "run-1")
    assert found(project, approval).votes[0].by == "ann"


def test_no_command_prints_a_token(ask: Callable[..., Approval], call: Call) -> None:
    ask(token="sesame", run_id="run-2")
    said = call("approvals", "--json").out + call("approvals").out
    assert "run-2" in said
    assert "sesame" not in said


class FakeLambda:
    """The stack's function, as boto3 shows it."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.asked: list[dict[str, Any]] = []

    def client(self, service: str) -> Any:
        return self

    def describe_stack_resource(self, StackName: str, LogicalResourceId: str) -> Any:  # noqa: N803
        assert (StackName, LogicalResourceId) == ("prod", "ApprovalDecisionFunction")
        return {"StackResourceDetail": {"PhysicalResourceId": "prod-decides"}}

    def invoke(self, FunctionName: str, Payload: bytes) -> Any:  # noqa: N803
        assert FunctionName == "prod-decides"
        event = json.loads(Payload)
        self.asked.append(event)
        answer = self.answers[event["operation"]]
        return {"Payload": io.BytesIO(json.dumps(answer).encode()), **({"FunctionError": "x"} if not answer else {})}


def test_a_stacks_approvals_are_its_functions(project: Project, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3

    waiting = {
        "id": "run-7.abc", "run_id": "run-7", "step": "may_i", "workflow": "w", "message": "May I?",
        "status": "waiting", "approvers": [], "quorum": 1, "asked_at": "2026-07-12T08:30:00.000Z", "votes": [],
    }  # fmt: skip
    stack = FakeLambda({"list": {"approvals": [waiting]}, "decide": {"approval": {**waiting, "status": "approved"}}})
    monkeypatch.setattr(boto3, "Session", lambda: stack)
    assert "run-7" in call("approvals", "--stack", "prod").out
    called = call("approve", "run-7", "--stack", "prod", "--as", "ann", "--comment", "go")
    assert (called.status, called.out) == (0, "may_i: approved by ann\n")
    assert stack.asked[-1] == {
        "operation": "decide", "approval": "run-7.abc", "name": "ann", "approves": True, "comment": "go",
    }  # fmt: skip
    stack.answers["decide"] = {"problem": "it is too late"}
    assert "it is too late" in call("reject", "run-7", "--stack", "prod").err
    stack.answers["decide"] = {}
    assert "see its log" in call("reject", "run-7", "--stack", "prod").err


def test_the_terminal_asks_until_it_is_told(ask: Callable[..., Approval]) -> None:
    approval = ask(quorum=2, approvers=("a@b.example", "c@d.example"))
    out = io.StringIO()
    console: Console = replace(standard_console(), out=out)
    cleared: list[bool] = []

    def waits() -> bool:
        return True

    person = Terminal(console, io.StringIO("perhaps\nYES\nfine\nn\n"), lambda: cleared.append(True))
    first = person.ask(approval, "a@b.example", waits)
    assert first is not None
    assert (first.approves, first.comment) == (True, "fine")
    assert "May I?" in out.getvalue()
    assert "you decide as a@b.example (1 of 2 who must approve)" in out.getvalue()
    second = person.ask(approval, None, waits)
    assert second is not None
    assert (second.approves, second.comment) == (False, "")
    assert person.ask(approval, None, waits) is None
    assert cleared == [True] * 3


def test_the_terminal_gives_up_when_the_run_waits_no_more(ask: Callable[..., Approval]) -> None:
    """Nobody types anything; the pipe stays open, as a terminal does."""
    read, write = os.pipe()
    console: Console = replace(standard_console(), out=io.StringIO())
    left = iter((True, False))
    with os.fdopen(read) as answers, os.fdopen(write, "w"):
        assert Terminal(console, answers, lambda: None).ask(ask(), None, lambda: next(left)) is None
    assert next(left, None) is None


def test_a_trace_does_not_show_the_token(asking: Project, call: Call) -> None:
    called = call("run", "asking", "--approve", "may_i", "--trace")
    assert "hello" in called.out
    assert "Task.Token" not in called.out


def test_a_folder_without_runs(project: Project, call: Call) -> None:
    assert call("approvals").out == "no approval waits\n"
    assert "no approval waits" in call("approve", "latest").err
    assert not Path(".stepsmith").exists()


def test_rehearsals_decide_and_count_what_they_never_did(asking: Project, call: Call) -> None:
    folder = asking.root / "workflows" / "rehearsals"
    folder.mkdir()

    def rehearse(case: str, mock: str, expected: str) -> None:
        (folder / f"asking.{case}.yaml").write_text(
            f"workflow: asking\nmocks:\n  may_i: {mock}\n  hello: {{return: {{text: hi}}}}\nexpect: {expected}\n"
        )

    rehearse("yes", "{approve: {by: ann}, after: 10m}", "{status: succeeded, elapsed_s: 600}")
    called = call("test", "--coverage")
    assert called.status == 0
    assert "may_i was never rejected" in called.out
    assert "may_i never ran into its timeout" in called.out
    rehearse("no", "{reject: {by: bob, comment: later}}", "{status: failed, error: {type: ApprovalRejected}}")
    rehearse("silence", "{timeout: true}", "{status: failed, error: {type: States.Timeout}, elapsed_s: 3600}")
    called = call("test", "asking", "--coverage")
    assert called.status == 0
    assert "never" not in called.out


@pytest.mark.parametrize(
    ("mock", "problem"),
    [
        ("{approved: true}", "a mocked approval is approved, rejected or runs into its timeout"),
        ("{approve: {who: ann}}", 'a decision has no "who"'),
        ("{approve: {by: 5}}", "`by` of a decision is text"),
        ("{approve: ann}", "approve says who decides and why"),
        ("{reject: {}, later: 5s}", 'a mocked approval has no "later"'),
        ("{timeout: true, after: 5s}", "a timeout comes when the approval's time is over"),
        ("[]", "a list of mocks needs at least one entry"),
    ],
)
def test_a_mocked_decision_is_one_that_people_could_make(asking: Project, call: Call, mock: str, problem: str) -> None:
    Path("mocks.yaml").write_text(f"may_i: {mock}\n")
    called = call("run", "asking", "--mock", "mocks.yaml")
    assert (called.status, problem in called.err) == (1, True)


def test_a_picture_shows_who_is_asked(asking: Project, call: Call) -> None:
    assert "approval ops@example.com" in call("graph", "asking").out
