"""What people are told of an approval: plain text, whatever the channel."""

from __future__ import annotations

from collections.abc import Callable

from stepsmith_functions.approvals.links import Invitation, url
from stepsmith_functions.approvals.records import Approval


def subject_of(approval: Approval, *, reminder: bool = False) -> str:
    return f"{'Reminder: approval' if reminder else 'Approval'} needed: {approval.workflow}"


def invitation_text(approval: Approval, base: str | None, invitation: Invitation) -> str:
    """The question with the links of one approver; without the address of an API, how to decide instead."""

    def link(secret: str) -> str:
        return url(base, approval, secret) if base else ""

    return _text(approval, lambda: _links(link(invitation.approve), link(invitation.reject), approval))


def notice_text(approval: Approval) -> str:
    """The question for those who are not asked."""
    asked = ", ".join(approval.names) or "whoever may use the command line"
    return _text(approval, lambda: f"Asked: {asked}. You are told, and need not decide.")


def _text(approval: Approval, end: Callable[[], str]) -> str:
    until = approval.deadline.strftime("%Y-%m-%d %H:%M UTC")
    quorum = f" {approval.quorum} must approve." if approval.quorum > 1 else ""
    facts = f"Workflow {approval.workflow}, run {approval.run_id}, step {approval.path}."
    return f"{approval.message}\n\n{facts}\nTo be decided until {until}.{quorum}\n\n{end()}\n"


def _links(approve: str, reject: str, approval: Approval) -> str:
    if not approve:
        return f"To decide: stepsmith approve {approval.run_id} {approval.path}, or stepsmith reject in its place."
    return f"Approve: {approve}\nReject:  {reject}\n\nThe links are yours alone: who has them decides as you."
