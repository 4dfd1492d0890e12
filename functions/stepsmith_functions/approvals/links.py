"""Links to decide with: the approval's id and a secret of 256 random bits, of which only the SHA-256 is kept.

There is one for each approver and decision. Which link a secret belongs to is found in the same time whatever it is.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from stepsmith_functions.approvals.records import MOST_LINKS, Approval, Link

NewSecret: TypeAlias = Callable[[], str]
PATH: Final = "/approvals/"


def new_secret() -> str:
    """256 random bits, in characters that a URL takes."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class Invitation:
    """The two links of one approver."""

    approver: int
    approve: str
    reject: str


def invited(approvers: Iterable[int], make: NewSecret) -> tuple[tuple[Invitation, ...], tuple[Link, ...]]:
    """Secrets for these approvers, and what may be kept of them."""
    invitations, links = list[Invitation](), list[Link]()
    for approver in approvers:
        invitation = Invitation(approver, make(), make())
        invitations.append(invitation)
        links += [Link(approver, True, digest(invitation.approve)), Link(approver, False, digest(invitation.reject))]
    return tuple(invitations), tuple(links)


def with_links(known: tuple[Link, ...], more: tuple[Link, ...]) -> tuple[Link, ...]:
    """The links with later ones; of each kind the last ones stay."""
    kept = list[Link]()
    count: dict[tuple[int, bool], int] = {}
    for link in reversed((*known, *more)):
        kind = (link.approver, link.approves)
        count[kind] = count.get(kind, 0) + 1
        if count[kind] <= MOST_LINKS:
            kept.append(link)
    return tuple(reversed(kept))


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def link_of(approval: Approval, secret: str) -> Link | None:
    """The link that the secret belongs to."""
    given, found = digest(secret), None
    for link in approval.links:
        if hmac.compare_digest(link.sha256, given):
            found = link
    return found


def url(base: str, approval: Approval, secret: str) -> str:
    """The address of a link; `base` is that of the deployment's API."""
    run = base64.urlsafe_b64encode(approval.run_id.encode()).decode().rstrip("=")
    return f"{base.rstrip('/')}{PATH}{run}.{approval.id.rpartition('.')[2]}/{secret}"


def id_in(text: str) -> str | None:
    """The approval's id in the part of an address that `url` made of it; None if it is none."""
    run, _, path = text.rpartition(".")
    try:
        return f"{base64.b64decode(run + '=' * (-len(run) % 4), b'-_', validate=True).decode()}.{path}"
    except (binascii.Error, ValueError):
        return None
