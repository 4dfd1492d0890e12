"""Which votes count, what they come to, and how links are told apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsmith_functions.approvals.documents import approval_from_text, approval_to_text
from stepsmith_functions.approvals.links import digest, id_in, invited, link_of, new_secret, url, with_links
from stepsmith_functions.approvals.records import (
    MOST_LINKS,
    Approval,
    ApprovalError,
    ApprovalStatus,
    DecidedError,
    ExpiredError,
    NotAskedError,
    Vote,
    VotedError,
    approver_called,
    name_of,
    voted,
)
from tests.functions.approvals.conftest import NOW

Make = Callable[..., Approval]


def vote(approver: int | None, approves: bool = True, *, minutes: int = 1, by: str = "") -> Vote:
    return Vote(by or f"p{approver}", approves, NOW + timedelta(minutes=minutes), "why", approver)


def test_one_approval_is_enough_by_default(make: Make) -> None:
    after = voted(make(), vote(1))
    assert (after.status, after.by, after.comment) == (ApprovalStatus.APPROVED, "p1", "why")
    assert after.due == NOW + timedelta(minutes=1)


def test_a_quorum_counts_distinct_approvers(make: Make) -> None:
    first = voted(make(quorum=2), vote(0))
    assert first.status is ApprovalStatus.WAITING
    with pytest.raises(VotedError):
        voted(first, vote(0, minutes=2))
    assert voted(first, vote(1, minutes=2)).by == "p0, p1"


def test_one_rejection_rejects(make: Make) -> None:
    after = voted(voted(make(quorum=2), vote(0)), vote(1, approves=False, minutes=2))
    assert (after.status, after.by) == (ApprovalStatus.REJECTED, "p1")


def test_a_decision_is_final(make: Make) -> None:
    with pytest.raises(DecidedError, match="it was approved by p0"):
        voted(voted(make(), vote(0)), vote(1, approves=False, minutes=2))


@pytest.mark.parametrize("minutes", [60, 61])
def test_a_vote_after_the_time_is_too_late(make: Make, minutes: int) -> None:
    with pytest.raises(ExpiredError):
        voted(make(), vote(0, minutes=minutes))


def test_only_those_who_were_asked_decide(make: Make) -> None:
    with pytest.raises(NotAskedError, match=r"asked were a@example\.com, b@example\.com"):
        voted(make(), vote(None, by="mallory"))
    with pytest.raises(NotAskedError):
        voted(make(), vote(2))


def test_where_nobody_was_asked_names_are_counted(make: Make) -> None:
    open_to_all = make(approvers=(), quorum=2)
    first = voted(open_to_all, vote(None, by="ann"))
    with pytest.raises(VotedError):
        voted(first, vote(None, by="ann", minutes=2))
    assert voted(first, vote(None, by="bob", minutes=2)).status is ApprovalStatus.APPROVED


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=8), st.integers(1, 4))
def test_whatever_is_voted_the_rules_hold(votes: list[tuple[int, bool]], quorum: int) -> None:
    approval = Approval(
        run_id="r", path="p", step_id="p", workflow="w", message="m", asked_at=NOW, deadline=NOW + timedelta(hours=1),
        approvers=("a", "b", "c", "d"), quorum=quorum,
    )  # fmt: skip
    for minutes, (approver, approves) in enumerate(votes, 1):
        try:
            approval = voted(approval, vote(approver, approves, minutes=minutes))
        except ApprovalError:
            continue
    who = [each.approver for each in approval.votes]
    assert len(who) == len(set(who))
    rejected = any(not each.approves for each in approval.votes)
    assert (approval.status is ApprovalStatus.REJECTED) == rejected
    assert (approval.status is ApprovalStatus.APPROVED) == (not rejected and len(who) == quorum)


def test_a_webhooks_url_is_not_shown() -> None:
    shown = name_of("slack:https://hooks.example.com/services/T0/B0/secret")
    assert shown.startswith("slack ")
    assert "secret" not in shown
    assert name_of("arn:aws:sns:eu-central-1:123456789012:on-call") == "topic on-call"
    assert name_of("a@example.com") == "a@example.com"


def test_an_approver_is_known_by_both_names(make: Make) -> None:
    approval = make(approvers=("arn:aws:sns:eu-central-1:123456789012:on-call", "a@example.com"))
    assert approver_called(approval, "topic on-call") == 0
    assert approver_called(approval, "a@example.com") == 1
    assert approver_called(approval, "root") is None


def test_what_is_kept_of_a_link_is_its_digest(make: Make) -> None:
    (first, second), links = invited([0, 1], new_secret)
    approval = make(links=links)
    text = approval_to_text(approval)
    for secret in (first.approve, first.reject, second.approve, second.reject):
        assert len(secret) >= 43
        assert secret not in text
        assert digest(secret) in text
    assert "token-1" not in text
    assert "token-1" not in repr(approval)
    found = link_of(approval, second.reject)
    assert found is not None
    assert (found.approver, found.approves) == (1, False)
    assert link_of(approval, first.approve[:-1]) is None
    assert link_of(approval, digest(first.approve)) is None


def test_reminders_keep_the_last_links(make: Make) -> None:
    numbers = count()
    links = ()
    given: list[str] = []
    for _ in range(MOST_LINKS + 2):
        (invitation,), more = invited([0], lambda: f"secret-{next(numbers)}")
        given.append(invitation.approve)
        links = with_links(links, more)
    approval = make(links=links)
    assert [link_of(approval, secret) is not None for secret in given] == [False, False] + [True] * MOST_LINKS


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80))
def test_an_address_leads_back_to_its_approval(run_id: str) -> None:
    approval = Approval(
        run_id=run_id, path="a[0].b", step_id="b", workflow="w", message="m", asked_at=NOW, deadline=NOW
    )
    address = url("https://api.example.com/", approval, "s3cret")
    name, secret = address.removeprefix("https://api.example.com/approvals/").split("/")
    assert (id_in(name), secret) == (approval.id, "s3cret")


@pytest.mark.parametrize("text", ["", ".", "a.b", "%%%.abc", "ü.x", "YQ"])
def test_other_addresses_lead_nowhere_in_particular(text: str) -> None:
    assert id_in(text) is None or isinstance(id_in(text), str)


def test_a_document_comes_back_as_it_was(make: Make) -> None:
    _, links = invited([0, 1], new_secret)
    full = voted(make(links=links, quorum=2, remind=600, version="1", line=3, params={"message": "m"}), vote(0))
    full = replace(full, untold=("x",), revision=4)
    assert approval_from_text(approval_to_text(full), "token-1") == full
    with pytest.raises(ValueError, match="mapping"):
        approval_from_text("[]", "t")
