"""Approvals as people and programs are shown them: never a token, a secret or its digest."""

from __future__ import annotations

from stepsmith_functions.approvals.records import Approval, cancellation
from stepsmith_functions.history.values import Json, shown_time


def approval_shown(approval: Approval) -> dict[str, Json]:
    """`{"id", "run_id", "step", "workflow", "message", "status", "approvers", "quorum", "asked_at", "deadline",
    "votes": [{"by", "approves", "comment", "at", "via"}], "untold", "withdrawn"}`; `withdrawn` says why nobody needs to
    decide any more, or null."""
    votes: list[Json] = [
        {
            "by": vote.by,
            "approves": vote.approves,
            "comment": vote.comment,
            "at": shown_time(vote.at),
            "via": vote.via,
        }
        for vote in approval.votes
    ]
    return {
        "id": approval.id,
        "run_id": approval.run_id,
        "step": approval.path,
        "workflow": approval.workflow,
        "message": approval.message,
        "status": approval.status.value,
        "approvers": list(approval.names),
        "quorum": approval.quorum,
        "asked_at": shown_time(approval.asked_at),
        "deadline": shown_time(approval.deadline),
        "votes": votes,
        "untold": list(approval.untold),
        "withdrawn": cancellation(approval.withdrawn) if approval.withdrawn else None,
    }
