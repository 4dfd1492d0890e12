"""Asks people: keeps the approval, sends each approver links of their own, reminds those who have not decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from aws_lambda_powertools.logging import Logger

from stepsmith_functions.approvals.links import NewSecret, invited, with_links
from stepsmith_functions.approvals.messages import invitation_text, notice_text, subject_of
from stepsmith_functions.approvals.records import (
    Approval,
    ApprovalStatus,
    cancellation,
    cancelled,
    name_of,
    next_due,
)
from stepsmith_functions.approvals.store import ApprovalStore
from stepsmith_functions.approvals.telling import ApprovalHistory
from stepsmith_functions.runtime.control import Control
from stepsmith_functions.runtime.errors import ActionError, RunCancelled
from stepsmith_functions.runtime.notifying import DeliveryFailed


@dataclass(frozen=True)
class Asker:
    """`send` delivers (recipient, subject, text); None at a desk, where nobody is told."""

    store: ApprovalStore
    history: ApprovalHistory
    send: Callable[[Approval, str, str, str], None] | None
    base: str | None
    """The address of the API that links lead to."""
    logger: Logger
    new_secret: NewSecret

    def ask(
        self, approval: Approval, notify: Sequence[str], ended: Callable[[], Control | None] = lambda: None
    ) -> Approval:
        """Keeps the question and sends it. A second call with the same token does nothing.

        Raises RunCancelled when the run has been told to end, as `ended` says, and the first failure of a delivery when
        fewer approvers could be told than must approve.
        """
        invitations, links = invited(range(len(approval.approvers)), self.new_secret)
        approval = replace(approval, links=links, due=next_due(approval, approval.asked_at))
        if not self.store.ask(approval):
            return approval
        # Once it is kept: who cancels writes the order first and then looks for approvals, so that one sees the other.
        if (order := ended()) is not None:
            withdrawn = replace(cancelled(approval, order, approval.asked_at), due=None)
            self.store.replace(approval, withdrawn)
            raise RunCancelled(cancellation(order))
        self.history.asked(approval)
        if self.send is None:
            return approval
        failures = self._deliver(
            approval,
            (
                (approval.approvers[each.approver], subject_of(approval), invitation_text(approval, self.base, each))
                for each in invitations
            ),
        )
        unreachable = len(approval.approvers) - len(failures) < approval.quorum
        if failures and unreachable:
            self.store.replace(approval, replace(approval, status=ApprovalStatus.EXPIRED, due=None))
            raise next(iter(failures.values()))
        # Those who need not decide are told last: nothing is missing where they cannot be.
        failures |= self._deliver(approval, ((each, subject_of(approval), notice_text(approval)) for each in notify))
        if failures:
            self.store.replace(approval, replace(approval, untold=tuple(map(name_of, failures))))
        return approval

    def remind(self, approval: Approval, now: datetime) -> None:
        """Tells those who have not decided again, with new links; those of before still work."""
        invitations, links = invited(approval.missing, self.new_secret)
        after = replace(approval, links=with_links(approval.links, links), due=next_due(approval, now))
        # First the store: of two sweeps at once only one reminds, and no link is sent that is not known.
        if not self.store.replace(approval, after) or self.send is None:
            return
        subject = subject_of(approval, reminder=True)
        self._deliver(
            after,
            (
                (after.approvers[each.approver], subject, invitation_text(after, self.base, each))
                for each in invitations
            ),
        )

    def _deliver(self, approval: Approval, messages: Iterable[tuple[str, str, str]]) -> dict[str, Exception]:
        """What went wrong, by recipient."""
        assert self.send is not None
        failures: dict[str, Exception] = {}
        for recipient, subject, text in messages:
            try:
                self.send(approval, recipient, subject, text)
            except Exception as error:
                failure = error if isinstance(error, ActionError) else DeliveryFailed(f"{type(error).__name__}")
                self.logger.warning(
                    "somebody could not be told of an approval",
                    extra={"recipient": name_of(recipient), "error": type(failure).__name__, "reason": str(failure)},
                )
                failures[recipient] = failure
        return failures


def sweep(asker: Asker, now: datetime) -> int:
    """Reminds where it is time, and gives up what nobody decided in time. How many there were.

    One that goes wrong is left for the next time and does not keep the others waiting.
    """
    waiting = [approval for approval in asker.store.due(now) if approval.status is ApprovalStatus.WAITING]
    for approval in waiting:
        try:
            if now >= approval.deadline:
                asker.store.replace(approval, replace(approval, status=ApprovalStatus.EXPIRED, due=None))
            else:
                asker.remind(approval, now)
        except Exception:
            asker.logger.exception("an approval could not be seen to", extra={"approval": approval.id})
    return len(waiting)
