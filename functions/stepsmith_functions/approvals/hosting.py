"""Where the approvals of a handler lie: the table of the deployment, or a store that a local run hands in.

At a desk nobody is sent anything: who sits there, or uses the command line, decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from stepsmith_functions.approvals.store import ApprovalStore
from stepsmith_functions.runtime.hosting import Host
from stepsmith_functions.runtime.settings import Settings

_desk: ContextVar[ApprovalStore | None] = ContextVar("desk", default=None)


class NoApprovalsError(Exception):
    """The deployment keeps no history, and so no approvals."""


@contextmanager
def kept_in(store: ApprovalStore) -> Iterator[None]:
    """Handlers called inside the block keep their approvals in `store`, and tell nobody."""
    token = _desk.set(store)
    try:
        yield
    finally:
        _desk.reset(token)


def at_a_desk() -> bool:
    return _desk.get() is not None


def store_of(host: Host, settings: Settings) -> ApprovalStore:
    """The store of the handler that is running. Raises NoApprovalsError."""
    desk = _desk.get()
    if desk is not None:
        return desk
    if settings.history_table is None:
        raise NoApprovalsError("HISTORY_TABLE is empty: there is no place to keep the approval")
    from stepsmith_functions.approvals.dynamodb import DynamoApprovalStore
    from stepsmith_functions.history.deployment import keep_days

    days = keep_days(host.environment) if host.environment is not None else keep_days()
    return DynamoApprovalStore(host.clients.get("dynamodb"), settings.history_table, keep_days=days)
