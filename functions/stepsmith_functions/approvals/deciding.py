"""What a vote leads to: it is kept, and once people have decided the task is answered.

The decision is written first, under a condition that only one can meet. If the process ends before the task has been
answered, the answer is still owed: whoever comes back, and the sweep, sends it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from stepsmith_functions.approvals.outcome import CANCELLED, REJECTED, approved_output, rejection
from stepsmith_functions.approvals.records import (
    Approval,
    ApprovalStatus,
    DecidedError,
    ExpiredError,
    UnknownApprovalError,
    Vote,
    approver_called,
    cancellation,
    cancelled,
    voted,
)
from stepsmith_functions.approvals.store import ApprovalStore
from stepsmith_functions.history.values import shown_time
from stepsmith_functions.runtime.control import Control, Order, strongest

if TYPE_CHECKING:  # the command line decides too, and loads no more than it needs
    from aws_lambda_powertools.logging import Logger

    from stepsmith_functions.approvals.telling import ApprovalHistory

Orders: TypeAlias = Callable[[Sequence[str]], Sequence[Control]]
"""The orders that stand for any of these runs."""
_TRIES: Final = 8
"""How often a vote is cast again that met another one."""
_LONGEST_CAUSE: Final = 32_768
"""Characters (API reference, SendTaskFailure)."""


class TokenGoneError(Exception):
    """No task waits with this token any more: it timed out, was stopped, or has been answered."""


class TaskAnswers(Protocol):
    """Answers tasks by their tokens. Both raise TokenGoneError."""

    def succeed(self, token: str, output: str) -> None: ...

    def fail(self, token: str, error: str, cause: str) -> None: ...


class Decider:
    """Casts votes on the approvals of `store`."""

    def __init__(self, store: ApprovalStore, answers: TaskAnswers | None, history: ApprovalHistory | None) -> None:
        """Without `answers` a decision is only written: another process answers the task."""
        self._store = store
        self._answers = answers
        self._history = history

    def cast(self, approval_id: str, vote: Callable[[Approval], Vote]) -> Approval:
        """The approval after the vote that `vote` makes of it.

        Raises ApprovalError's subclasses for a vote that does not count, and whatever kept the task from being
        answered: the same vote may then be cast again.
        """
        for _ in range(_TRIES):
            known = self._store.find(approval_id)
            if known is None:
                raise UnknownApprovalError("nothing is known of this approval")
            cast = vote(known)
            if known.due is not None and self._repeats(known, cast):
                return self.settle(known, fresh=False)
            after = voted(known, cast)
            if self._store.replace(known, after):
                after = replace(after, revision=known.revision + 1)
                return after if after.status is ApprovalStatus.WAITING else self.settle(after, fresh=True)
        raise DecidedError("several people decide at this moment; try again")

    def withdraw(self, known: Approval, order: Control, now: datetime) -> Approval:
        """The approval once the run was cancelled: its task fails with RunCancelled. What people decided before stands.

        Raises whatever kept the task from being answered; the answer is then owed.
        """
        for _ in range(_TRIES):
            after = cancelled(known, order, now)
            if after is known:
                return known
            if self._store.replace(known, after):
                return self.settle(replace(after, revision=known.revision + 1), fresh=True)
            found = self._store.find(known.id)
            if found is None:
                return known
            known = found
        raise DecidedError("several people decide at this moment; try again")

    @staticmethod
    def _repeats(known: Approval, vote: Vote) -> bool:
        """Whether this is the deciding vote once more, whose answer to the task got lost."""
        last = known.votes[-1] if known.votes else None
        decided = known.status in (ApprovalStatus.APPROVED, ApprovalStatus.REJECTED)
        same = last is not None and (last.by, last.approver, last.approves) == (vote.by, vote.approver, vote.approves)
        return decided and same

    def settle(self, approval: Approval, *, fresh: bool) -> Approval:
        """Answers the task of a decided approval. `fresh`: no answer can have been sent before.

        Raises ExpiredError when a fresh decision finds no task that waits.
        """
        if self._answers is None:
            return approval
        try:
            if approval.status is ApprovalStatus.APPROVED:
                moment = shown_time(approval.decided_at) or ""
                output = approved_output(approval.by, approval.comment, moment)
                self._answers.succeed(approval.token, json.dumps(output, ensure_ascii=False))
            elif approval.withdrawn is not None:
                self._answers.fail(approval.token, CANCELLED, cancellation(approval.withdrawn)[:_LONGEST_CAUSE])
            else:
                cause = rejection(approval.by, approval.comment)[:_LONGEST_CAUSE]
                self._answers.fail(approval.token, REJECTED, cause)
        except TokenGoneError:
            if fresh and approval.withdrawn is None:
                self._end(approval, ApprovalStatus.EXPIRED)
                raise ExpiredError("it is too late: the run no longer waits for this decision") from None
        ended = self._end(approval, approval.status)
        if self._history is not None:
            self._history.decided(ended, ended.decided_at or approval.due or approval.asked_at)
        return ended

    def _end(self, approval: Approval, status: ApprovalStatus) -> Approval:
        ended = replace(approval, status=status, due=None)
        self._store.replace(approval, ended)
        return ended


def settle_owed(store: ApprovalStore, decider: Decider, now: datetime, logger: Logger) -> int:
    """Answers the tasks whose approvals are decided and whose answers got lost. How many there were."""
    owed = [approval for approval in store.due(now) if approval.status is not ApprovalStatus.WAITING]
    for approval in owed:
        try:
            decider.settle(approval, fresh=False)
        except Exception:
            logger.exception("a decision could not be passed on", extra={"approval": approval.id})
    return len(owed)


def withdraw_cancelled(
    candidates: Iterable[Approval], decider: Decider, orders: Orders, now: datetime, logger: Logger
) -> int:
    """Withdraws those that wait although their run, or one that waits for it, was told to end. How many there were.

    One that goes wrong is left for the next time and does not keep the others waiting.
    """
    waiting = [each for each in candidates if each.status is ApprovalStatus.WAITING and each.controlled]
    withdrawn = 0
    for approval in waiting:
        try:
            order = end_ordered(approval, orders)
            if order is not None:
                decider.withdraw(approval, order, now)
                withdrawn += 1
        except Exception:
            logger.exception("an approval could not be withdrawn", extra={"approval": approval.id})
    return withdrawn


def end_ordered(approval: Approval, orders: Orders) -> Control | None:
    """The order by which the run of an approval has to end; a pause lets it wait. Raises HistoryError."""
    if not approval.controlled:
        return None
    order = strongest(orders((approval.run_id, *approval.parents)))
    return order if order is not None and order.order is not Order.PAUSE else None


def vote_of(approval: Approval, name: str, approves: bool, comment: str, at: datetime, via: str) -> Vote:
    """The vote of somebody called `name`: that of the approver of that name where there are any."""
    approver = approver_called(approval, name)
    by = approval.names[approver] if approver is not None else name
    return Vote(by, approves, at, comment, approver, via)
