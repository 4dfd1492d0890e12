"""`ApprovalStore` in the memory of one process: for runs that leave nothing behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from stepsmith_functions.approvals.records import Approval


class MemoryApprovalStore:
    """Approvals of this process."""

    def __init__(self) -> None:
        self._approvals: dict[str, Approval] = {}

    def ask(self, approval: Approval) -> bool:
        known = self._approvals.get(approval.id)
        if known is not None and known.token == approval.token:
            return False
        self._approvals[approval.id] = approval
        return True

    def find(self, approval_id: str) -> Approval | None:
        return self._approvals.get(approval_id)

    def of_run(self, run_id: str) -> Sequence[Approval]:
        found = (each for each in self._approvals.values() if each.run_id == run_id)
        return sorted(found, key=lambda each: (each.asked_at, each.path))

    def due(self, until: datetime | None = None, *, limit: int = 100) -> Sequence[Approval]:
        waiting = [each for each in self._approvals.values() if each.due is not None]
        waiting.sort(key=lambda each: each.due or each.deadline)
        return [each for each in waiting if until is None or (each.due or each.deadline) <= until][:limit]

    def replace(self, known: Approval, approval: Approval) -> bool:
        present = self._approvals.get(known.id)
        if present is None or (present.revision, present.token) != (known.revision, known.token):
            return False
        self._approvals[known.id] = replace(approval, revision=known.revision + 1)
        return True
