"""The function behind the links: a GET decides nothing, a POST once; the command line; the schedule."""

from __future__ import annotations

import base64
import html
import io
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from stepsmith_functions.api.approvals import handler
from stepsmith_functions.approvals.dynamodb import DynamoApprovalStore
from stepsmith_functions.approvals.links import invited, new_secret, url
from stepsmith_functions.approvals.records import Approval, ApprovalStatus
from stepsmith_functions.history.deployment import run_store
from stepsmith_functions.history.items import step_key
from stepsmith_functions.history.records import RunRecord, RunStatus
from stepsmith_functions.runtime import clients, log
from stepsmith_functions.runtime.control import Control, Order
from stepsmith_functions.runtime.hosting import Host, hosted
from tests.functions.approvals.conftest import NOW, Clock

Make = Callable[..., Approval]
HOSTILE = "<script>alert(\"1\")</script> & 'x'"


class StepFunctions:
    """What the handler calls of Step Functions."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.refusal = ""

    def send_task_success(self, **arguments: Any) -> dict[str, Any]:
        return self._sent(arguments)

    def send_task_failure(self, **arguments: Any) -> dict[str, Any]:
        return self._sent(arguments)

    def _sent(self, arguments: dict[str, Any]) -> dict[str, Any]:
        if self.refusal:
            raise ClientError({"Error": {"Code": self.refusal, "Message": str(arguments)}}, "SendTask")
        self.sent.append(arguments)
        return {}


class Deployment:
    """A deployment with one approval, and its links."""

    def __init__(self, table: str, clock: Clock, approval: Approval) -> None:
        self.clock, self.table = clock, table
        self.states = StepFunctions()
        self.store = DynamoApprovalStore(clients.of_process().get("dynamodb"), table)
        invitations, links = invited(range(len(approval.approvers)), new_secret)
        from dataclasses import replace

        self.approval = replace(approval, links=links)
        self.store.ask(self.approval)
        self.links = [(self.link(each.approve), self.link(each.reject)) for each in invitations]
        self.log = io.StringIO()

    def link(self, secret: str) -> str:
        return url("https://api.example.com", self.approval, secret)

    def get(self, service: str, region: str | None = None) -> Any:
        return self.states if service == "stepfunctions" else clients.of_process().get(service, region)

    def call(self, event: dict[str, Any]) -> Any:
        from stepsmith_functions.runtime import hosting

        host = Host(clock=self.clock, clients=self, environment=hosting.host().environment)
        with hosted(host), log.written_to(self.log):
            return json.loads(json.dumps(handler(json.loads(json.dumps(event)))))

    def http(self, method: str, link: str, body: str | None = None, encoded: bool = False) -> Any:
        name, secret = link.rpartition("/approvals/")[2].split("/")
        return self.call(
            {
                "version": "2.0",
                "requestContext": {"http": {"method": method}},
                "pathParameters": {"approval": name, "secret": secret},
                "isBase64Encoded": encoded,
                **({"body": body} if body is not None else {}),
            }
        )

    @property
    def kept(self) -> Approval:
        found = self.store.find(self.approval.id)
        assert found is not None
        return found


@pytest.fixture
def deployed(table: str, clock: Clock, make: Make) -> Callable[..., Deployment]:
    return lambda **changes: Deployment(table, clock, make(**changes))


def test_a_get_shows_the_question_and_decides_nothing(deployed: Callable[..., Deployment]) -> None:
    here = deployed(message=HOSTILE)
    for link in here.links[0]:
        for method in ("GET", "HEAD"):
            answer = here.http(method, link)
            assert answer["statusCode"] == 200
    assert here.kept.votes == ()
    assert here.states.sent == []
    page = here.http("GET", here.links[0][0])["body"]
    assert html.escape(HOSTILE) in page
    assert "<script" not in page
    assert "Approve?" in page
    assert "Reject?" in here.http("GET", here.links[0][1])["body"]


def test_no_page_is_kept_framed_or_leaks_its_address(deployed: Callable[..., Deployment]) -> None:
    headers = deployed().http("GET", deployed().links[0][0])["headers"]
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_a_post_approves(deployed: Callable[..., Deployment], table: str) -> None:
    from stepsmith_functions.history.deployment import run_store

    here = deployed()
    run_store().put_run(RunRecord("run-1", "w", RunStatus.RUNNING, NOW))
    run_store().move_run("run-1", [RunStatus.RUNNING], RunStatus.WAITING_APPROVAL)
    answer = here.http("POST", here.links[1][0], "comment=looks+fine%21")
    assert (answer["statusCode"], "You have approved." in answer["body"]) == (200, True)
    (sent,) = here.states.sent
    assert sent["taskToken"] == "token-1"
    assert json.loads(sent["output"]) == {
        "approved": True,
        "by": "b@example.com",
        "comment": "looks fine!",
        "at": "2026-07-12T08:30:00.000Z",
    }
    assert here.kept.status is ApprovalStatus.APPROVED
    item = clients.of_process().get("dynamodb").get_item(TableName=table, Key=step_key("run-1", "ok"))["Item"]
    assert (item["status"], json.loads(item["output"]["S"])["by"]) == ({"S": "succeeded"}, "b@example.com")
    assert run_store().run("run-1").status is RunStatus.RUNNING


def test_a_post_rejects_with_the_reason(deployed: Callable[..., Deployment], table: str) -> None:
    here = deployed()
    body = base64.b64encode("comment=nicht+heute: zu spät\x07".encode()).decode()
    assert here.http("POST", here.links[0][1], body, encoded=True)["statusCode"] == 200
    (sent,) = here.states.sent
    assert (sent["error"], sent["cause"]) == ("ApprovalRejected", "rejected by a@example.com: nicht heute: zu spät")
    item = clients.of_process().get("dynamodb").get_item(TableName=table, Key=step_key("run-1", "ok"))["Item"]
    assert json.loads(item["error"]["S"])["type"] == "ApprovalRejected"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_link_is_used_once(deployed: Callable[..., Deployment], method: str) -> None:
    here = deployed(quorum=2)
    here.http("POST", here.links[0][0])
    for link in here.links[0]:
        answer = here.http(method, link)
        assert (answer["statusCode"], "decided already" in answer["body"]) == (409, True)
    assert len(here.kept.votes) == 1


def test_after_the_decision_the_other_links_are_dead(deployed: Callable[..., Deployment]) -> None:
    here = deployed()
    here.http("POST", here.links[0][1], "comment=no")
    for method in ("GET", "POST"):
        answer = here.http(method, here.links[1][0])
        assert (answer["statusCode"], "rejected by a@example.com" in answer["body"]) == (409, True)
    assert len(here.states.sent) == 1


def test_after_the_time_a_link_is_dead(deployed: Callable[..., Deployment], clock: Clock) -> None:
    here = deployed()
    clock.sleep(3600)
    for method in ("GET", "POST"):
        assert here.http(method, here.links[0][0])["statusCode"] == 410
    assert here.states.sent == []


@pytest.mark.parametrize("code", ["TaskTimedOut", "InvalidToken", "TaskDoesNotExist"])
def test_a_task_that_is_gone_gets_a_clear_answer(deployed: Callable[..., Deployment], code: str) -> None:
    here = deployed()
    here.states.refusal = code
    answer = here.http("POST", here.links[0][0])
    assert (answer["statusCode"], "too late" in answer["body"]) == (410, True)
    assert "token-1" not in answer["body"] + here.log.getvalue()


def test_a_run_that_cannot_be_told_is_told_by_the_next_try(deployed: Callable[..., Deployment]) -> None:
    here = deployed()
    here.states.refusal = "ThrottlingException"
    assert here.http("POST", here.links[0][0])["statusCode"] == 503
    assert "Your decision is kept" in here.http("POST", here.links[0][0])["body"]
    here.states.refusal = ""
    assert here.http("POST", here.links[0][0])["statusCode"] == 200
    assert len(here.states.sent) == 1


def test_a_run_that_cannot_be_told_is_told_by_the_schedule(deployed: Callable[..., Deployment]) -> None:
    here = deployed()
    here.states.refusal = "ThrottlingException"
    here.http("POST", here.links[0][0])
    here.states.refusal = ""
    assert here.call({"detail-type": "Scheduled Event"}) == {"settled": 1, "withdrawn": 0}
    assert here.call({"detail-type": "Scheduled Event"}) == {"settled": 0, "withdrawn": 0}
    assert len(here.states.sent) == 1


@pytest.mark.parametrize("spoil", [lambda link: link[:-1], lambda link: link + "A", lambda link: link.swapcase()])
def test_a_link_that_nobody_was_sent_leads_nowhere(
    deployed: Callable[..., Deployment], spoil: Callable[[str], str]
) -> None:
    here = deployed()
    name, secret = here.links[0][0].rpartition("/approvals/")[2].split("/")
    for link in (f"/approvals/{name}/{spoil(secret)}", f"/approvals/{spoil(name)}/{secret}", "/approvals/x/y"):
        assert here.http("POST", link)["statusCode"] == 404
    assert here.kept.votes == ()


def test_links_of_a_question_that_was_asked_anew_are_dead(deployed: Callable[..., Deployment], make: Make) -> None:
    here = deployed()
    here.store.ask(make(token="token-2"))
    assert here.http("POST", here.links[0][0])["statusCode"] == 404


def test_neither_secrets_nor_tokens_are_logged_or_shown(deployed: Callable[..., Deployment]) -> None:
    here = deployed(quorum=2)
    page = here.http("GET", here.links[0][0])["body"] + here.http("POST", here.links[0][0])["body"]
    page += json.dumps(here.call({"operation": "list"}))
    assert "1 more must approve" in page
    for secret in ("token-1", *(link.rpartition("/")[2] for pair in here.links for link in pair)):
        assert secret not in page + here.log.getvalue()
    assert not re.search(r"[0-9a-f]{64}", page)


def test_the_command_line_lists_and_decides(deployed: Callable[..., Deployment], clock: Clock) -> None:
    here = deployed()
    (listed,) = here.call({"operation": "list"})["approvals"]
    assert (listed["step"], listed["message"], listed["approvers"]) == (
        "ok",
        "May I?",
        ["a@example.com", "b@example.com"],
    )
    vote = {"operation": "decide", "approval": listed["id"], "approves": True, "comment": "go"}
    assert "was not asked" in here.call({**vote, "name": "root"})["problem"]
    assert "`name` is missing" in here.call(vote)["problem"]
    assert here.call({**vote, "name": "a@example.com"})["approval"]["status"] == "approved"
    assert here.call({"operation": "list"}) == {"approvals": []}
    assert here.kept.votes[0].via == "command"
    assert "problem" in here.call({"operation": "drop"})


def test_what_is_over_is_not_listed(deployed: Callable[..., Deployment], clock: Clock) -> None:
    here = deployed()
    clock.present = NOW + timedelta(hours=2)
    assert here.call({"operation": "list"}) == {"approvals": []}


def ordered(here: Deployment, run_id: str, order: Order = Order.CANCEL) -> None:
    """Puts an order on a run's record, as the command line does."""
    runs = run_store()
    runs.put_run(RunRecord(run_id, "w", RunStatus.RUNNING, NOW))
    control = Control(order, "ann", NOW, "wrong host")
    assert runs.order(run_id, control, [RunStatus.RUNNING], RunStatus.CANCELLING)


def test_a_cancelled_run_waits_for_nobody(deployed: Callable[..., Deployment]) -> None:
    here = deployed(controlled=True)
    assert here.call({"operation": "cancel", "run": "run-1"}) == {"withdrawn": 0}  # nobody has ordered it
    ordered(here, "run-1")
    assert here.call({"operation": "cancel", "run": "run-1"}) == {"withdrawn": 1}
    (sent,) = here.states.sent
    assert sent == {
        "taskToken": "token-1",
        "error": "RunCancelled",
        "cause": "the run was cancelled by ann: wrong host",
    }
    assert (here.kept.status, here.kept.due) == (ApprovalStatus.CANCELLED, None)
    for method in ("GET", "POST"):
        answer = here.http(method, here.links[0][0])
        assert answer["statusCode"] == 410
        assert "the run was cancelled by ann: wrong host" in answer["body"]
    assert here.call({"operation": "cancel", "run": "run-1"}) == {"withdrawn": 0}
    assert here.call({"operation": "list"}) == {"approvals": []}
    problem = here.call({"operation": "decide", "approval": here.approval.id, "name": "a@example.com"})["problem"]
    assert "cancelled by ann" in problem
    assert len(here.states.sent) == 1


def test_a_cancel_reaches_the_approvals_of_children(deployed: Callable[..., Deployment]) -> None:
    here = deployed(run_id="child-1", parents=("run-1", "run-0"), controlled=True)
    ordered(here, "run-0")
    assert here.call({"operation": "cancel", "run": "run-0"}) == {"withdrawn": 1}
    assert here.states.sent[0]["error"] == "RunCancelled"


@pytest.mark.parametrize(
    ("changes", "order"),
    [
        ({"controlled": False}, Order.CANCEL),  # of a `finally`
        ({"controlled": True}, Order.PAUSE),
        ({"controlled": True, "run_id": "run-2"}, Order.CANCEL),
    ],
)
def test_what_a_cancel_does_not_reach_still_waits(
    deployed: Callable[..., Deployment], changes: dict[str, Any], order: Order
) -> None:
    here = deployed(**changes)
    ordered(here, "run-1", order)
    assert here.call({"operation": "cancel", "run": "run-1"}) == {"withdrawn": 0}
    assert here.call({"detail-type": "Scheduled Event"}) == {"settled": 0, "withdrawn": 0}
    assert here.kept.status is ApprovalStatus.WAITING


def test_the_schedule_withdraws_what_a_cancel_has_missed_and_answers_what_it_owes(
    deployed: Callable[..., Deployment],
) -> None:
    here = deployed(controlled=True)
    ordered(here, "run-1")
    here.states.refusal = "ThrottlingException"
    assert here.call({"detail-type": "Scheduled Event"}) == {"settled": 0, "withdrawn": 0}
    assert here.kept.status is ApprovalStatus.CANCELLED
    here.states.refusal = ""
    assert here.call({"detail-type": "Scheduled Event"}) == {"settled": 1, "withdrawn": 0}
    assert [sent["error"] for sent in here.states.sent] == ["RunCancelled"]


def test_an_execution_that_was_stopped_leaves_dead_links(deployed: Callable[..., Deployment]) -> None:
    here = deployed(controlled=True)
    ordered(here, "run-1", Order.STOP)
    here.states.refusal = "TaskTimedOut"
    assert here.call({"operation": "cancel", "run": "run-1"}) == {"withdrawn": 1}
    assert (here.kept.status, here.kept.due) == (ApprovalStatus.CANCELLED, None)
    assert here.http("GET", here.links[0][0])["statusCode"] == 410


def test_what_people_decided_stands_when_the_run_is_cancelled(deployed: Callable[..., Deployment]) -> None:
    here = deployed(controlled=True)
    here.http("POST", here.links[0][0])
    ordered(here, "run-1")
    assert here.call({"operation": "cancel", "run": "run-1"}) == {"withdrawn": 0}
    assert here.kept.status is ApprovalStatus.APPROVED
