"""Approvals as JSON documents, for the stores that keep text; and back. The token is kept apart from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from stepsmith_functions.approvals.records import Approval, ApprovalStatus, Link, Vote
from stepsmith_functions.history.documents import control_from_json, control_to_json
from stepsmith_functions.history.values import Json, from_stamp, from_text, to_stamp, to_text


def approval_to_text(approval: Approval) -> str:
    """Everything but the token."""
    document: dict[str, Json] = {
        "run_id": approval.run_id,
        "path": approval.path,
        "step_id": approval.step_id,
        "workflow": approval.workflow,
        "message": approval.message,
        "asked_at": to_stamp(approval.asked_at),
        "deadline": to_stamp(approval.deadline),
        "version": approval.version,
        "line": approval.line,
        "attempt": approval.attempt,
        "approvers": list(approval.approvers),
        "quorum": approval.quorum,
        "remind": approval.remind,
        "links": [[link.approver, link.approves, link.sha256] for link in approval.links],
        "votes": [_vote(vote) for vote in approval.votes],
        "params": approval.params,
        "untold": list(approval.untold),
        "controlled": approval.controlled,
        "parents": list(approval.parents),
        "withdrawn": control_to_json(approval.withdrawn) if approval.withdrawn else None,
        "status": approval.status.value,
        "due": to_stamp(approval.due) if approval.due else None,
        "revision": approval.revision,
    }
    return to_text(document)


def approval_from_text(text: str, token: str) -> Approval:
    """The approval that `approval_to_text` wrote. Raises ValueError for anything else."""
    document = from_text(text)
    if not isinstance(document, Mapping):
        raise ValueError("a document of an approval is a mapping")
    due, withdrawn = document.get("due"), document.get("withdrawn")
    return Approval(
        run_id=_text(document, "run_id"),
        path=_text(document, "path"),
        step_id=_text(document, "step_id"),
        workflow=_text(document, "workflow"),
        message=_text(document, "message"),
        asked_at=_moment(document, "asked_at"),
        deadline=_moment(document, "deadline"),
        version=_text(document, "version") if document.get("version") is not None else None,
        line=_number(document, "line"),
        attempt=_number(document, "attempt") or 0,
        approvers=tuple(map(str, _list(document, "approvers"))),
        quorum=_number(document, "quorum") or 1,
        remind=_number(document, "remind"),
        token=token,
        links=tuple(_links(_list(document, "links"))),
        votes=tuple(_vote_of(each) for each in _list(document, "votes") if isinstance(each, Mapping)),
        params=document.get("params"),
        untold=tuple(map(str, _list(document, "untold"))),
        controlled=document.get("controlled") is True,
        parents=tuple(map(str, _list(document, "parents"))),
        withdrawn=control_from_json(withdrawn) if isinstance(withdrawn, Mapping) else None,
        status=ApprovalStatus(_text(document, "status")),
        due=from_stamp(due) if isinstance(due, str) else None,
        revision=_number(document, "revision") or 0,
    )


def _vote(vote: Vote) -> Json:
    return {
        "by": vote.by,
        "approves": vote.approves,
        "at": to_stamp(vote.at),
        "comment": vote.comment,
        "approver": vote.approver,
        "via": vote.via,
    }


def _vote_of(document: Mapping[str, Json]) -> Vote:
    return Vote(
        by=_text(document, "by"),
        approves=document.get("approves") is True,
        at=_moment(document, "at"),
        comment=_text(document, "comment"),
        approver=_number(document, "approver"),
        via=_text(document, "via"),
    )


def _links(items: Iterable[Json]) -> Iterable[Link]:
    for item in items:
        match item:
            case [int(approver), bool(approves), str(sha256)]:
                yield Link(approver, approves, sha256)
            case _:
                raise ValueError("a link of an approval is not as it was written")


def _text(document: Mapping[str, Json], name: str) -> str:
    text = document.get(name)
    if not isinstance(text, str):
        raise ValueError(f"a document of an approval without {name!r}")
    return text


def _moment(document: Mapping[str, Json], name: str) -> datetime:
    return from_stamp(_text(document, name))


def _number(document: Mapping[str, Json], name: str) -> int | None:
    number = document.get(name)
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def _list(document: Mapping[str, Json], name: str) -> list[Json]:
    items = document.get(name)
    return list(items) if isinstance(items, list) else []
