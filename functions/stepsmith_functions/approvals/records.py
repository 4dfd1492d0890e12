"""What an approval is, and what a vote makes of it: plain values and rules, independent of where they are kept.

An approval is known by its run and the path of its step. A retry or a redrive of the step asks anew, in the place of
what was asked before: the token and every link are new ones. A record is never changed: a store replaces it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from stepsmith_functions.history.values import Json
from stepsmith_functions.runtime.control import Control

MOST_LINKS: Final = 5
"""How many questions to one approver keep working links: the last ones."""


class ApprovalStatus(StrEnum):
    """How an approval stands."""

    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    """Nobody waits any more: the time is over, or the run has ended."""
    CANCELLED = "cancelled"
    """Nobody needs to decide: the run was cancelled."""


class ApprovalError(Exception):
    """A vote that does not count; the message is for the person who cast it."""


class UnknownApprovalError(ApprovalError):
    """There is no such approval."""


class DecidedError(ApprovalError):
    """It has been decided before."""


class VotedError(ApprovalError):
    """This approver has decided before."""


class ExpiredError(ApprovalError):
    """It is too late."""


class NotAskedError(ApprovalError):
    """Somebody else was asked."""


class AmbiguousError(ApprovalError):
    """Several approvals wait, and none is named."""


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's decision."""

    by: str
    approves: bool
    at: datetime
    comment: str = ""
    approver: int | None = None
    """Which of the approvers; None where nobody in particular was asked."""
    via: str = ""
    """The way it came: link, command, terminal."""


@dataclass(frozen=True, slots=True)
class Link:
    """What the store knows of a link that was sent: whose it is, and the SHA-256 of its secret."""

    approver: int
    approves: bool
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A question to people on which a run waits."""

    run_id: str
    path: str
    step_id: str
    workflow: str
    message: str
    asked_at: datetime
    deadline: datetime
    version: str | None = None
    line: int | None = None
    attempt: int = 0
    approvers: tuple[str, ...] = ()
    """The recipients who were asked, each once."""
    quorum: int = 1
    remind: int | None = None
    """Seconds between reminders."""
    token: str = field(default="", repr=False)
    """The task token. It leaves the store only to answer the task."""
    links: tuple[Link, ...] = field(default=(), repr=False)
    votes: tuple[Vote, ...] = ()
    params: Json = None
    """What the step was called with, as the history shows it."""
    untold: tuple[str, ...] = ()
    """The names of recipients who could not be told."""
    controlled: bool = False
    """Whether a cancel of its run withdraws it: not where it stands in a `finally`."""
    parents: tuple[str, ...] = ()
    """The runs that wait for its run, the nearest first."""
    withdrawn: Control | None = None
    """The order that has cancelled it."""
    status: ApprovalStatus = ApprovalStatus.WAITING
    due: datetime | None = None
    """When the store has to look at it again: for a reminder, its end, or an answer that is still owed to the task."""
    revision: int = 0

    @property
    def id(self) -> str:
        return approval_id(self.run_id, self.path)

    @property
    def names(self) -> tuple[str, ...]:
        """The approvers as people may see them."""
        return tuple(name_of(recipient) for recipient in self.approvers)

    @property
    def missing(self) -> tuple[int, ...]:
        """The approvers who have not decided."""
        return tuple(at for at in range(len(self.approvers)) if all(vote.approver != at for vote in self.votes))

    @property
    def by(self) -> str:
        """Who decided as it was decided."""
        return ", ".join(dict.fromkeys(vote.by for vote in self._deciding()))

    @property
    def comment(self) -> str:
        return "\n".join(vote.comment for vote in self._deciding() if vote.comment)

    @property
    def decided_at(self) -> datetime | None:
        return self.votes[-1].at if self.status in _DECIDED and self.votes else None

    def _deciding(self) -> Sequence[Vote]:
        return [vote for vote in self.votes if vote.approves == (self.status is ApprovalStatus.APPROVED)]


_DECIDED: Final = (ApprovalStatus.APPROVED, ApprovalStatus.REJECTED)


def approval_id(run_id: str, path: str) -> str:
    """Names an approval in its store: the run's id and 16 hexadecimal digits."""
    return f"{run_id}.{path_digest(path)}"


def path_digest(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()[:16]


def name_of(recipient: str) -> str:
    """A recipient as people may see it: the URL of a webhook is a secret of its own."""
    kind, _, rest = recipient.partition(":")
    if kind in ("slack", "teams"):
        return f"{kind} {hashlib.sha256(rest.encode()).hexdigest()[:4]}"
    return f"topic {recipient.rpartition(':')[2]}" if kind == "arn" else recipient


def voted(approval: Approval, vote: Vote) -> Approval:
    """The approval after `vote`; one rejection rejects, `quorum` distinct people approve.

    Raises DecidedError, ExpiredError, VotedError and NotAskedError.
    """
    if approval.status in _DECIDED:
        raise DecidedError(f"it was {approval.status} by {approval.by}")
    if approval.withdrawn is not None:
        raise ExpiredError(f"nobody needs to decide any more: {cancellation(approval.withdrawn)}")
    if approval.status is ApprovalStatus.EXPIRED or vote.at >= approval.deadline:
        raise ExpiredError("it is too late: the run no longer waits for this decision")
    if approval.approvers and (vote.approver is None or not 0 <= vote.approver < len(approval.approvers)):
        raise NotAskedError(f"{vote.by} was not asked; asked were {', '.join(approval.names)}")
    if any(_same(vote, other) for other in approval.votes):
        raise VotedError(f"{vote.by} has decided already")
    votes = (*approval.votes, vote)
    status: ApprovalStatus = ApprovalStatus.WAITING
    if not vote.approves:
        status = ApprovalStatus.REJECTED
    elif sum(each.approves for each in votes) >= approval.quorum:
        status = ApprovalStatus.APPROVED
    decided = status is not ApprovalStatus.WAITING
    # The answer to the task is owed from now on; whoever looks next sends it if this process does not.
    return replace(approval, votes=votes, status=status, due=vote.at if decided else approval.due)


def cancelled(approval: Approval, order: Control, now: datetime) -> Approval:
    """The approval once its run was told to end. Only one that waits is withdrawn: what people decided stands."""
    if approval.status is not ApprovalStatus.WAITING or not approval.controlled:
        return approval
    return replace(approval, status=ApprovalStatus.CANCELLED, withdrawn=order, due=now)


def cancellation(order: Control) -> str:
    """The message of the error with which the step fails then; a handler's gate says the same."""
    return f"the run was {order.sentence()}"


def _same(one: Vote, other: Vote) -> bool:
    return one.by == other.by if one.approver is None else one.approver == other.approver


def approver_called(approval: Approval, name: str) -> int | None:
    """Which of the approvers `name` is, as written or as shown; None for none of them."""
    return next((at for at, each in enumerate(approval.approvers) if name in (each, name_of(each))), None)


def next_due(approval: Approval, now: datetime) -> datetime:
    """When to look at a waiting approval after `now`."""
    if approval.remind is None:
        return approval.deadline
    return min(now + timedelta(seconds=approval.remind), approval.deadline)
