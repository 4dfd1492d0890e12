"""A decision is written once, reaches the task whatever happens between, and never decides twice."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from aws_lambda_powertools.logging import Logger

from stepsmith_functions.approvals.deciding import Decider, settle_owed, vote_of
from stepsmith_functions.approvals.memory import MemoryApprovalStore
from stepsmith_functions.approvals.records import (
    Approval,
    ApprovalStatus,
    DecidedError,
    ExpiredError,
    UnknownApprovalError,
    Vote,
)
from tests.functions.approvals.conftest import NOW, Tasks, Told

Make = Callable[..., Approval]
LATER = NOW + timedelta(minutes=1)


def by(name: str, approves: bool = True, comment: str = "") -> Callable[[Approval], Vote]:
    return lambda known: vote_of(known, name, approves, comment, LATER, "link")


@pytest.fixture
def store(make: Make) -> MemoryApprovalStore:
    store = MemoryApprovalStore()
    store.ask(make())
    return store


def test_an_approval_answers_the_task(store: MemoryApprovalStore, tasks: Tasks, told: Told, make: Make) -> None:
    after = Decider(store, tasks, told).cast(make().id, by("a@example.com", comment="go"))
    ((token, kind, output),) = tasks.sent
    assert (token, kind) == ("token-1", "succeed")
    assert json.loads(output) == {
        "approved": True,
        "by": "a@example.com",
        "comment": "go",
        "at": "2026-07-12T08:31:00.000Z",
    }
    assert (after.status, after.due) == (ApprovalStatus.APPROVED, None)
    assert told.heard == [("approved", "ok")]


def test_a_rejection_fails_the_task(store: MemoryApprovalStore, tasks: Tasks, make: Make) -> None:
    Decider(store, tasks, None).cast(make().id, by("b@example.com", approves=False, comment="not now"))
    assert tasks.sent == [("token-1", "fail", "ApprovalRejected", "rejected by b@example.com: not now")]


def test_a_vote_below_the_quorum_answers_nothing(tasks: Tasks, told: Told, make: Make) -> None:
    store = MemoryApprovalStore()
    store.ask(make(quorum=2))
    decider = Decider(store, tasks, told)
    assert decider.cast(make().id, by("a@example.com")).status is ApprovalStatus.WAITING
    assert (tasks.sent, told.heard) == ([], [])
    decider.cast(make().id, by("b@example.com"))
    assert len(tasks.sent) == 1


def test_a_decision_cannot_be_decided_again(store: MemoryApprovalStore, tasks: Tasks, make: Make) -> None:
    decider = Decider(store, tasks, None)
    decider.cast(make().id, by("a@example.com"))
    for name, approves in (("b@example.com", False), ("a@example.com", True)):
        with pytest.raises(DecidedError):
            decider.cast(make().id, by(name, approves))
    assert len(tasks.sent) == 1


def test_what_a_crash_held_up_is_sent_when_the_person_tries_again(
    store: MemoryApprovalStore, tasks: Tasks, told: Told, make: Make
) -> None:
    decider = Decider(store, tasks, told)
    tasks.broken = True
    with pytest.raises(ConnectionError):
        decider.cast(make().id, by("a@example.com"))
    kept = store.find(make().id)
    assert kept is not None
    assert (kept.status, kept.due) == (ApprovalStatus.APPROVED, LATER)
    tasks.broken = False
    with pytest.raises(DecidedError):
        decider.cast(make().id, by("b@example.com", approves=False))
    decider.cast(make().id, by("a@example.com"))
    assert [answer[1] for answer in tasks.sent] == ["succeed"]
    assert told.heard == [("approved", "ok")]


def test_what_a_crash_held_up_is_sent_by_the_sweep(store: MemoryApprovalStore, tasks: Tasks, make: Make) -> None:
    logger = Logger(service="test", stream=io.StringIO())
    decider = Decider(store, tasks, None)
    tasks.broken = True
    with pytest.raises(ConnectionError):
        decider.cast(make().id, by("a@example.com"))
    assert settle_owed(store, decider, LATER, logger) == 1
    tasks.broken = False
    assert settle_owed(store, decider, LATER, logger) == 1
    assert settle_owed(store, decider, LATER, logger) == 0
    assert len(tasks.sent) == 1


def test_an_answer_that_was_sent_before_the_crash_counts(store: MemoryApprovalStore, tasks: Tasks, make: Make) -> None:
    """The task was answered, and the process ended before it could write so."""
    known = store.find(make().id)
    assert known is not None
    store.replace(known, replace(known, status=ApprovalStatus.APPROVED, votes=(by("a@example.com")(known),), due=LATER))
    tasks.gone.add("token-1")
    after = Decider(store, tasks, None).cast(make().id, by("a@example.com"))
    assert (after.status, after.due) == (ApprovalStatus.APPROVED, None)


def test_a_decision_for_a_task_that_is_gone_is_too_late(
    store: MemoryApprovalStore, tasks: Tasks, told: Told, make: Make
) -> None:
    tasks.gone.add("token-1")
    with pytest.raises(ExpiredError, match="no longer waits"):
        Decider(store, tasks, told).cast(make().id, by("a@example.com"))
    kept = store.find(make().id)
    assert kept is not None
    assert (kept.status, kept.due) == (ApprovalStatus.EXPIRED, None)
    assert told.heard == []


def test_two_people_at_one_moment(make: Make, tasks: Tasks) -> None:
    """The second vote is cast on what the first one left."""

    class Racing(MemoryApprovalStore):
        raced = False

        def replace(self, known: Approval, approval: Approval) -> bool:
            if not self.raced:
                self.raced = True
                Decider(self, tasks, None).cast(known.id, by("b@example.com", approves=False))
            return super().replace(known, approval)

    store = Racing()
    store.ask(make())
    with pytest.raises(DecidedError, match=r"it was rejected by b@example\.com"):
        Decider(store, tasks, None).cast(make().id, by("a@example.com"))
    assert [answer[1] for answer in tasks.sent] == ["fail"]


def test_nobody_decides_what_is_not_known(tasks: Tasks) -> None:
    with pytest.raises(UnknownApprovalError):
        Decider(MemoryApprovalStore(), tasks, None).cast("run-9.0123456789abcdef", by("a@example.com"))
