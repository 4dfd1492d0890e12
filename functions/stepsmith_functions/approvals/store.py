"""What a store of approvals does, whoever keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from stepsmith_functions.approvals.records import Approval


class ApprovalStore(Protocol):
    """Keeps approvals by their id. It fails as the history does, with `store.HistoryError`."""

    def ask(self, approval: Approval) -> bool:
        """Keep a new question in the place of any that its step asked before.

        False, and nothing is changed, if this very token has asked already.
        """
        ...

    def find(self, approval_id: str) -> Approval | None: ...

    def of_run(self, run_id: str) -> Sequence[Approval]:
        """Those of a run, by the moment at which they were asked."""
        ...

    def due(self, until: datetime | None = None, *, limit: int = 100) -> Sequence[Approval]:
        """Those that wait or owe an answer, the first due first; with `until`, only what is due by then."""
        ...

    def replace(self, known: Approval, approval: Approval) -> bool:
        """Keep `approval` in place of `known` unless that has changed meanwhile; says whether."""
        ...
