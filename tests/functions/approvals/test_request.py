"""The handler that asks: who is told what, what is kept, who is reminded, and when it fails."""

from __future__ import annotations

import io
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends
from moto.sns.models import sns_backends

from stepsmith_functions.approvals.dynamodb import DynamoApprovalStore
from stepsmith_functions.approvals.hosting import kept_in
from stepsmith_functions.approvals.memory import MemoryApprovalStore
from stepsmith_functions.approvals.records import Approval, ApprovalStatus, approval_id
from stepsmith_functions.approvals.request import handler
from stepsmith_functions.history.deployment import run_store
from stepsmith_functions.history.items import step_key
from stepsmith_functions.history.records import RunRecord, RunStatus
from stepsmith_functions.history.shared import DynamoSharedState
from stepsmith_functions.runtime import clients, log
from stepsmith_functions.runtime.control import Control, Order
from stepsmith_functions.runtime.errors import InvalidParams, RunCancelled, RunPaused
from stepsmith_functions.runtime.notifying import RecipientInvalid
from stepsmith_functions.runtime.places import Concurrency, OnLimit, Verdict, asked, change_places
from tests.functions.actions.conftest import LambdaContext
from tests.functions.approvals.conftest import NOW, Clock

SWEEP = {"detail-type": "Scheduled Event"}


def ask(parents: list[str] | None = None, **params: Any) -> Any:
    event = {
        "params": {"message": "May I?", "approvers": ["a@example.com"], "quorum": 1, "timeout": 3600, **params},
        "token": "token-1",
        "run": {
            "id": "run-1",
            "workflow": "w",
            "version": "1.0",
            **({"control": {"pausable": True, "parents": parents}} if parents is not None else {}),
        },
        "step": {"id": "ok", "path": "each[0].ok", "line": 7, "attempt": 0},
    }
    return handler(json.loads(json.dumps(event)), LambdaContext())


def mails() -> list[Any]:
    found: list[Any] = ses_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].sent_messages
    return found


def links(text: str) -> list[str]:
    return re.findall(r"https://api\.example\.com/approvals/\S+", text)


@pytest.fixture
def store(table: str) -> DynamoApprovalStore:
    return DynamoApprovalStore(clients.of_process().get("dynamodb"), table)


def kept(store: DynamoApprovalStore) -> Approval:
    found = store.find(approval_id("run-1", "each[0].ok"))
    assert found is not None
    return found


def test_each_approver_gets_links_of_their_own(store: DynamoApprovalStore) -> None:
    assert ask(approvers=["a@example.com", "b@example.com", "a@example.com"]) == {
        "asked": ["a@example.com", "b@example.com"]
    }
    first, second = mails()
    assert (first.destinations["ToAddresses"], second.destinations["ToAddresses"]) == (
        ["a@example.com"],
        ["b@example.com"],
    )
    assert first.subject == "Approval needed: w"
    assert "May I?" in first.body
    assert "run run-1, step each[0].ok" in first.body
    assert "2026-07-12 09:30 UTC" in first.body
    assert len({*links(first.body), *links(second.body)}) == 4
    approval = kept(store)
    assert (approval.deadline, approval.due) == (NOW + timedelta(hours=1), NOW + timedelta(hours=1))
    assert len(approval.links) == 4


def test_the_token_is_in_no_message_and_no_log(store: DynamoApprovalStore) -> None:
    written = io.StringIO()
    with log.written_to(written):
        ask(notify=["c@example.com"])
    said = written.getvalue() + "".join(mail.body + mail.subject for mail in mails())
    assert "token-1" not in said
    secrets = [link.rpartition("/")[2] for link in links(said)]
    assert len(secrets) == 2
    assert not any(secret in written.getvalue() for secret in secrets)


def test_others_are_told_without_links(store: DynamoApprovalStore) -> None:
    topic = clients.of_process().get("sns").create_topic(Name="audit")["TopicArn"]
    ask(notify=topic)
    (notification,) = sns_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].topics[topic].sent_notifications
    assert "Asked: a@example.com." in notification[1]
    assert "/approvals/" not in notification[1]


def test_the_step_waits_in_the_history(store: DynamoApprovalStore, table: str) -> None:
    from stepsmith_functions.history.deployment import run_store

    run_store().put_run(RunRecord("run-1", "w", RunStatus.RUNNING, NOW))
    ask()
    item = clients.of_process().get("dynamodb").get_item(TableName=table, Key=step_key("run-1", "each[0].ok"))["Item"]
    assert item["status"] == {"S": "waiting"}
    assert json.loads(item["params"]["S"])["message"] == "May I?"
    assert "token-1" not in str(item)
    assert run_store().run("run-1").status is RunStatus.WAITING_APPROVAL


def test_the_same_token_asks_once(store: DynamoApprovalStore) -> None:
    ask()
    ask()
    assert len(mails()) == 1


def test_one_who_cannot_be_told_is_noted_while_the_others_suffice(store: DynamoApprovalStore) -> None:
    ask(approvers=["nobody", "b@example.com"], notify="nowhere")
    assert kept(store).untold == ("nobody", "nowhere")
    assert [mail.destinations["ToAddresses"] for mail in mails()] == [["b@example.com"]]


def test_too_few_who_can_be_told_fail_the_step(store: DynamoApprovalStore) -> None:
    with pytest.raises(RecipientInvalid):
        ask(approvers=["nobody", "b@example.com"], quorum=2)
    assert (kept(store).status, kept(store).due) == (ApprovalStatus.EXPIRED, None)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"message": "  "}, "says nothing"),
        ({"message": 5}, "says nothing"),
        ({"message": "m" * 5001}, "5,001 characters"),
        ({"approvers": ["a@example.com"], "quorum": 2}, "2 must approve, and 1 are asked"),
        ({"approvers": [5]}, "approvers: are texts"),
        ({"approvers": [f"a{n}@example.com" for n in range(21)]}, "21 are more than the 20"),
        ({"timeout": 0}, "asks for no approval"),
    ],
)
def test_what_nobody_could_decide_is_refused(table: str, params: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidParams, match=message):
        ask(**params)
    assert mails() == []


def test_those_who_have_not_decided_are_reminded(store: DynamoApprovalStore, clock: Clock) -> None:
    ask(approvers=["a@example.com", "b@example.com"], quorum=2, remind=1200)
    first = mails()[1]
    clock.sleep(1199)
    assert handler(SWEEP, LambdaContext()) == {"due": 0}
    from stepsmith_functions.approvals.deciding import Decider, vote_of

    Decider(store, None, None).cast(
        kept(store).id, lambda known: vote_of(known, "a@example.com", True, "", clock.now(), "link")
    )
    clock.sleep(1)
    assert handler(SWEEP, LambdaContext()) == {"due": 1}
    reminder = mails()[-1]
    assert len(mails()) == 3
    assert (reminder.subject, reminder.destinations["ToAddresses"]) == (
        "Reminder: approval needed: w",
        ["b@example.com"],
    )
    assert not set(links(first.body)) & set(links(reminder.body))
    assert kept(store).due == NOW + timedelta(seconds=2400)
    # The links of before still work beside the new ones.
    from stepsmith_functions.approvals.links import link_of

    for link in (*links(first.body), *links(reminder.body)):
        assert link_of(kept(store), link.rpartition("/")[2]) is not None


def test_what_nobody_decided_in_time_is_given_up(store: DynamoApprovalStore, clock: Clock) -> None:
    ask(remind=600)
    clock.sleep(3600)
    handler(SWEEP, LambdaContext())
    assert len(mails()) == 1
    assert (kept(store).status, kept(store).due) == (ApprovalStatus.EXPIRED, None)


def test_at_a_desk_nobody_is_told(table: str) -> None:
    desk = MemoryApprovalStore()
    with kept_in(desk):
        ask()
    assert len(desk.due()) == 1
    assert mails() == []


def test_a_run_that_waits_for_people_lets_another_one_have_its_place(store: DynamoApprovalStore, table: str) -> None:
    shared, rule = DynamoSharedState(clients.of_process().get("dynamodb"), table), Concurrency("k", 1, OnLimit.FAIL, 60)
    moment = NOW.timestamp()

    def verdict(run_id: str) -> Verdict:
        shared.remember_place(run_id, "k", NOW)
        return change_places(shared, "k", lambda known: asked(known, rule, run_id, moment), NOW, timedelta()).verdict

    assert (verdict("run-1"), verdict("run-2")) == (Verdict.IN, Verdict.FAIL)
    ask()
    assert (verdict("run-2"), verdict("run-1")) == (Verdict.IN, Verdict.WAIT)


def ordered(run_id: str, order: Order) -> None:
    runs = run_store()
    runs.put_run(RunRecord(run_id, "w", RunStatus.RUNNING, NOW))
    assert runs.order(run_id, Control(order, "ann", NOW, "lunch"), [RunStatus.RUNNING], RunStatus.PAUSED)


@pytest.mark.parametrize("of", ["run-1", "run-0"])
@pytest.mark.parametrize(("order", "error"), [(Order.PAUSE, RunPaused), (Order.CANCEL, RunCancelled)])
def test_nobody_is_asked_while_the_run_does_not_go_on(
    store: DynamoApprovalStore, of: str, order: Order, error: type[Exception]
) -> None:
    ordered(of, order)
    with pytest.raises(error, match="by ann: lunch"):
        ask(parents=["run-0"])
    assert store.find(approval_id("run-1", "each[0].ok")) is None
    assert mails() == []


def test_an_approval_of_a_finally_is_asked_in_spite_of_a_cancel(store: DynamoApprovalStore) -> None:
    ordered("run-1", Order.CANCEL)
    ask()
    assert kept(store).status is ApprovalStatus.WAITING


def test_a_cancel_between_the_two_looks_is_seen(store: DynamoApprovalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever cancels at this moment found no approval yet: the handler looks again once it is kept."""
    keep = DynamoApprovalStore.ask

    def kept_late(self: DynamoApprovalStore, approval: Approval) -> bool:
        ordered("run-1", Order.CANCEL)
        return keep(self, approval)

    monkeypatch.setattr(DynamoApprovalStore, "ask", kept_late)
    with pytest.raises(RunCancelled):
        ask(parents=[])
    assert (kept(store).status, kept(store).due) == (ApprovalStatus.CANCELLED, None)
    assert mails() == []
