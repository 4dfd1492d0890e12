"""Approvals of local runs: the handler asks, a person at the desk or another process decides, time stands still."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from stepsmith.cli.deciding import LocalApprovals
from stepsmith.local.approvals.desk import Answer
from stepsmith.local.mocks import Mocks, read_mocks
from stepsmith.local.runner import RunOptions, RunReport, run_workflow
from stepsmith.pipeline import compile_workflow
from stepsmith.project import Project
from stepsmith.source import SourceFile
from stepsmith_functions.approvals.local import LocalApprovalStore
from stepsmith_functions.approvals.records import Approval, ApprovalStatus
from stepsmith_functions.history.local import LocalRunStore
from stepsmith_functions.history.records import RunStatus, StepStatus
from stepsmith_functions.runtime.control import Control, Order

Run = Callable[..., RunReport]
ASK = """name: asks
steps:
  - id: may_i
    approval: {message: May I?, approvers: [ops@example.com, sec@example.com], quorum: 2, timeout: 1h}
output: "{{ steps.may_i.output }}"
"""


@dataclass
class Scripted:
    """Somebody at the desk who says what a test wrote."""

    says: Sequence[Answer]
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    then: Callable[[Approval], None] = lambda approval: None
    """What happens elsewhere meanwhile, once the first question is asked."""

    def ask(self, approval: Approval, approver: str | None, waits: Callable[[], bool]) -> Answer | None:
        assert waits()
        self.asked.append((approval.path, approver))
        if len(self.asked) == 1:
            self.then(approval)
        return self.says[len(self.asked) - 1] if len(self.asked) <= len(self.says) else None

    def told(self, approval: Approval) -> None:
        self.heard.append(approval.path)

    def refused(self, reason: str) -> None:
        self.heard.append(reason)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    from stepsmith.catalog import ActionCatalog
    from stepsmith.cli.workflows import program_of
    from stepsmith.diagnostics import Diagnostics
    from stepsmith.loading import load_document, read_source

    project = Project(tmp_path)
    catalog = ActionCatalog()

    def ran(text: str = ASK, person: Scripted | None = None, mocks: str = "", **options: object) -> RunReport:
        compilation = compile_workflow(SourceFile("asks.yaml", text), catalog)
        assert compilation.asl is not None, list(compilation.diagnostics)
        known = Mocks()
        if mocks:
            diagnostics = Diagnostics()
            source = read_source("mocks.yaml", mocks.encode(), diagnostics)
            document = load_document(source, diagnostics) if source else None
            assert document is not None
            assert compilation.workflow is not None
            known = read_mocks(document.root, compilation.workflow, catalog, diagnostics)
            assert not diagnostics.has_errors, [item.message for item in diagnostics]
        program = program_of(compilation, catalog, project)
        chosen = RunOptions(mocks=known, person=person, **options)  # type: ignore[arg-type]
        return run_workflow(program, {}, project, catalog, chosen)

    return ran


def test_a_person_at_the_desk_decides_for_each_approver(run: Run, tmp_path: Path) -> None:
    person = Scripted([Answer(True, "root", "fine"), Answer(True, "root")])
    report = run(person=person)
    assert report.run.status is RunStatus.SUCCEEDED
    assert person.asked == [("may_i", "ops@example.com"), ("may_i", "sec@example.com")]
    output = report.run.output
    assert isinstance(output, dict)
    assert (output["by"], output["comment"]) == ("ops@example.com, sec@example.com", "fine")
    assert (report.run.ended_at or report.run.started_at) == report.run.started_at
    (kept,) = LocalApprovalStore(tmp_path / ".stepsmith" / "history.db").of_run(report.run.run_id)
    assert [(vote.by, vote.via) for vote in kept.votes] == [
        ("ops@example.com", "terminal"),
        ("sec@example.com", "terminal"),
    ]


def test_a_rejection_at_the_desk_fails_the_step(run: Run) -> None:
    report = run(person=Scripted([Answer(False, "root", "not now")]))
    assert report.run.error is not None
    assert (report.run.error.type, report.run.error.step) == ("ApprovalRejected", "may_i")
    assert report.run.error.message == "rejected by ops@example.com: not now"


def test_the_token_is_in_no_record(run: Run, tmp_path: Path) -> None:
    report = run(person=Scripted([Answer(True, "root"), Answer(True, "root")]))
    (kept,) = LocalApprovalStore(tmp_path / ".stepsmith" / "history.db").of_run(report.run.run_id)
    assert kept.token
    assert kept.token not in str(report.result) + str(report.steps) + report.log


def test_another_process_decides(run: Run, tmp_path: Path) -> None:
    """The two meet in the local history. Here the other process is a thread with a store of its own."""
    path = tmp_path / ".stepsmith" / "history.db"
    others = LocalApprovals(path, sleep=lambda _: None)
    seen: list[tuple[RunStatus, StepStatus]] = []
    person = Scripted([])

    def decide() -> None:
        waiting = others.waiting()
        while not waiting or not person.heard:
            waiting = others.waiting()
        run_id = str(waiting[0]["run_id"])
        history = LocalRunStore(path)
        seen.append((history.run(run_id).status, history.steps(run_id).items[0].status))
        approval = str(waiting[0]["id"])
        LocalApprovals(path).decide(approval, "ops@example.com", True, "")
        LocalApprovals(path).decide(approval, "sec@example.com", True, "go")

    other = threading.Thread(target=decide)
    other.start()
    report = run(person=person)
    other.join()
    assert report.run.status is RunStatus.SUCCEEDED
    assert seen == [(RunStatus.WAITING_APPROVAL, StepStatus.WAITING)]
    assert person.heard == ["may_i"]
    assert LocalRunStore(path).run(report.run.run_id).status is RunStatus.SUCCEEDED


def test_what_else_can_happen_happens_while_people_think(run: Run) -> None:
    text = """name: asks
steps:
  - parallel:
      asked: [{id: ok, approval: {message: May I?, timeout: 2h}}]
      other: [{wait: 1h}, {id: then, approval: {message: And this?, timeout: 2h}}]
"""
    person = Scripted([Answer(True, "root"), Answer(True, "root")])
    report = run(text, person=person)
    assert report.run.status is RunStatus.SUCCEEDED
    assert person.asked == [("parallel.asked.ok", None), ("parallel.other.then", None)]


HERE = "id: ok, approval: {message: May I?, timeout: 1h}"
CANCELLED: Mapping[str, str] = {
    "alone": f"  - {{{HERE}}}\n",
    "handled": f"  - {{{HERE}, on_failure: [{{then: continue}}]}}\n",
    "caught": f"  - try: [{{{HERE}}}]\n    catch: [{{then: continue}}]\n",
    "branch": f"  - {{parallel: {{one: [{{{HERE}}}], two: [{{wait: 1s}}]}}, on_failure: continue}}\n",
    "loop": f"  - {{for_each: {{in: [1, 2], tolerate: 2, steps: [{{{HERE}}}]}}, on_failure: continue}}\n",
}


@pytest.mark.parametrize("pause", [False, True])
@pytest.mark.parametrize("where", CANCELLED)
def test_a_cancel_wakes_a_waiting_approval(run: Run, tmp_path: Path, where: str, pause: bool) -> None:
    """It passes every handler by, goes out through the `finally`, and nobody can decide any more."""
    text = f"name: asks\nsteps:\n{CANCELLED[where]}  - {{id: then, wait: 1s}}\nfinally: [{{id: last, wait: 1s}}]\n"
    path = tmp_path / ".stepsmith" / "history.db"

    def cancel(approval: Approval) -> None:
        runs, why = LocalRunStore(path), Control(Order.CANCEL, "ann", approval.asked_at, "wrong host")
        waits, paused = RunStatus.WAITING_APPROVAL, RunStatus.PAUSED
        if pause:
            assert runs.order(approval.run_id, Control(Order.PAUSE, "ann", approval.asked_at), [waits], paused)
        assert runs.order(approval.run_id, why, [paused if pause else waits], RunStatus.CANCELLING)

    report = run(text, person=Scripted([], then=cancel))
    assert (report.run.status, report.run.error and report.run.error.type) == (RunStatus.CANCELLED, "RunCancelled")
    assert report.run.error is not None
    assert report.run.error.message == "the run was cancelled by ann: wrong host"
    ids = [step.step_id for step in report.steps]
    assert (ids.count("ok"), "then" in ids, ids[-1]) == (1, False, "last")
    (asked,) = [step for step in report.steps if step.step_id == "ok"]
    assert asked.status is StepStatus.CANCELLED
    (kept,) = LocalApprovalStore(path).of_run(report.run.run_id)
    assert (kept.status, kept.due) == (ApprovalStatus.CANCELLED, None)
    assert LocalRunStore(path).run(report.run.run_id).status is RunStatus.CANCELLED


def test_an_approval_of_a_finally_outlives_a_cancel(run: Run, tmp_path: Path) -> None:
    text = f"name: asks\nsteps: [{{id: first, wait: 1s}}]\nfinally: [{{{HERE}}}]\n"
    runs = LocalRunStore(tmp_path / ".stepsmith" / "history.db")

    def cancel(approval: Approval) -> None:
        order = Control(Order.CANCEL, "ann", approval.asked_at)
        assert runs.order(approval.run_id, order, [RunStatus.WAITING_APPROVAL], RunStatus.CANCELLING)

    report = run(text, person=Scripted([Answer(True, "root")], then=cancel))
    assert [step.status for step in report.steps] == [StepStatus.SUCCEEDED, StepStatus.SUCCEEDED]


def test_an_approval_that_nobody_can_decide_ends_the_run(run: Run) -> None:
    report = run(keep=False)
    assert report.run.error is not None
    assert report.run.error.type == "NothingAnswers"
    assert "may_i: {approve:" in report.run.error.message


def test_a_run_that_ends_leaves_no_question_behind(run: Run, tmp_path: Path) -> None:
    text = """name: asks
steps:
  - parallel:
      asked: [{id: ok, approval: {message: May I?, timeout: 2h}}]
      other: [{wait: 1s}, {fail: {error: Broken}}]
"""
    report = run(text, person=Scripted([]))
    (kept,) = LocalApprovalStore(tmp_path / ".stepsmith" / "history.db").of_run(report.run.run_id)
    assert (kept.status, kept.due) == (ApprovalStatus.EXPIRED, None)


def test_mocks_decide_in_virtual_time(run: Run) -> None:
    report = run(mocks="may_i: {approve: {by: ann, comment: ok}, after: 10m}")
    (step,) = report.steps
    assert isinstance(step.output, dict)
    assert (step.output["by"], step.output["comment"]) == ("ann", "ok")
    assert report.result["elapsed_s"] == 600


@pytest.mark.parametrize(
    ("mocks", "error"),
    [("may_i: {reject: {by: bob}}", "ApprovalRejected"), ("may_i: {timeout: true}", "States.Timeout")],
)
def test_mocks_reject_and_keep_silent(run: Run, mocks: str, error: str) -> None:
    report = run(mocks=mocks)
    assert report.run.error is not None
    assert report.run.error.type == error


@pytest.mark.parametrize(("on_timeout", "status"), [("approve", "succeeded"), ("reject", "failed")])
def test_a_timeout_that_decides_shows_in_the_history(run: Run, on_timeout: str, status: str) -> None:
    text = f"name: asks\nsteps:\n  - {{id: ok, approval: {{message: May I?, timeout: 1h, on_timeout: {on_timeout}}}}}\n"
    for more in ("", "  - {id: pause, wait: 1s}\n"):
        report = run(text + more, mocks="ok: {timeout: true}")
        step = report.steps[0]
        assert (step.step_id, step.status.value, step.attempts) == ("ok", status, 1)
        if on_timeout == "approve":
            assert isinstance(step.output, dict)
            assert step.output["by"] == "timeout"
        else:
            assert step.error is not None
            assert (step.error.type, step.error.message) == ("ApprovalRejected", "nobody decided in time")
        assert step.started_at is not None
        assert step.ended_at is not None
        assert (step.ended_at - step.started_at).total_seconds() == 3600
