"""What the history is told of an approval: its step waits, its step has ended, its run waits or goes on.

History that cannot be written is logged and forgotten: it never keeps a decision from the run.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, cast

from aws_lambda_powertools.logging import Logger
from pydantic import JsonValue

from stepsmith_functions.approvals.hosting import at_a_desk
from stepsmith_functions.approvals.outcome import REJECTED, approved_output, rejection
from stepsmith_functions.approvals.records import Approval, ApprovalStatus
from stepsmith_functions.approvals.store import ApprovalStore
from stepsmith_functions.history.records import RunStatus
from stepsmith_functions.history.values import shown_time
from stepsmith_functions.runtime.hosting import Host
from stepsmith_functions.runtime.recording import StepEnd, StepError, StepStart
from stepsmith_functions.runtime.settings import Settings


class ApprovalHistory(Protocol):
    """Hears what becomes of approvals; never raises."""

    def asked(self, approval: Approval) -> None: ...

    def decided(self, approval: Approval, at: datetime) -> None: ...


class ToldHistory:
    """The history of the handler that is running."""

    def __init__(self, host: Host, settings: Settings, logger: Logger, approvals: ApprovalStore) -> None:
        self._host = host
        self._settings = settings
        self._logger = logger
        self._approvals = approvals

    def asked(self, approval: Approval) -> None:
        """The step, and the run, wait for people."""
        start = StepStart(
            run_id=approval.run_id,
            workflow=approval.workflow,
            version=approval.version,
            step_id=approval.step_id,
            path=approval.path,
            action=None,
            attempt=approval.attempt,
            line=approval.line,
            params=cast("JsonValue", approval.params),
            started_at=approval.asked_at,
            waits=True,
        )
        self._try(lambda: self._started(start))
        self._try(lambda: self._move(approval, RunStatus.RUNNING, RunStatus.WAITING_APPROVAL))

    def decided(self, approval: Approval, at: datetime) -> None:
        """The step has ended as people decided; the run goes on unless something else waits for them.

        Of a step that was withdrawn the execution tells at its end: what a handler can tell is success and failure.
        """
        if approval.withdrawn is not None:
            self._try(lambda: self._go_on(approval))
            return
        approved = approval.status is ApprovalStatus.APPROVED
        moment = shown_time(approval.decided_at or at) or ""
        output = dict(approved_output(approval.by, approval.comment, moment)) if approved else None
        end = StepEnd(
            run_id=approval.run_id,
            workflow=approval.workflow,
            version=approval.version,
            step_id=approval.step_id,
            path=approval.path,
            action=None,
            attempt=approval.attempt,
            line=approval.line,
            params=cast("JsonValue", approval.params),
            output=cast("JsonValue", output),
            error=None if approved else StepError(REJECTED, rejection(approval.by, approval.comment)),
            started_at=approval.asked_at,
            ended_at=approval.decided_at or at,
        )
        self._try(lambda: self._ended(end))
        self._try(lambda: self._go_on(approval))

    def _started(self, start: StepStart) -> None:
        recorder = self._host.history.recorder(self._settings)
        if recorder is not None:
            recorder.started(start)

    def _ended(self, end: StepEnd) -> None:
        recorder = self._host.history.recorder(self._settings)
        if recorder is not None:
            recorder.ended(end)

    def _go_on(self, approval: Approval) -> None:
        others = (each for each in self._approvals.of_run(approval.run_id) if each.path != approval.path)
        if not any(each.status is ApprovalStatus.WAITING for each in others):
            self._move(approval, RunStatus.WAITING_APPROVAL, RunStatus.RUNNING)

    def _move(self, approval: Approval, before: RunStatus, after: RunStatus) -> None:
        if at_a_desk() or self._settings.history_table is None:
            return
        from stepsmith_functions.history.deployment import run_store

        environment = self._host.environment
        store = run_store(environment) if environment is not None else run_store()
        store.move_run(approval.run_id, [before], after)

    def _try(self, tell: Callable[[], None]) -> None:
        try:
            tell()
        except Exception:
            self._logger.exception("the history was not written")
