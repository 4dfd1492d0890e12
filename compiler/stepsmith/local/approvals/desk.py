"""Approvals of a local run: people decide here, on its terminal or by another process, while its time stands still.

The question is asked by the same handler as in a deployment, and the decision answers the task through the same API.
In virtual time everything else that can happen before the approval's timeout happens first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from stepsmith.engine import EngineError, Execution, RealClock
from stepsmith.local.sam import FunctionResource
from stepsmith_functions.approvals.deciding import Decider, Orders, end_ordered
from stepsmith_functions.approvals.hosting import kept_in
from stepsmith_functions.approvals.local import LocalApprovalStore
from stepsmith_functions.approvals.memory import MemoryApprovalStore
from stepsmith_functions.approvals.records import Approval, ApprovalError, ApprovalStatus, Vote
from stepsmith_functions.approvals.store import ApprovalStore
from stepsmith_functions.approvals.tasks import StepFunctionsAnswers
from stepsmith_functions.history.store import HistoryError
from stepsmith_functions.runtime.control import Control, Order

if TYPE_CHECKING:
    from stepsmith.local.aws import LocalAws

REQUEST_FUNCTION: Final = "ApprovalRequestFunction"
NOT_MOCKED: Final = "NothingAnswers"
_LOOK: Final = 0.2
"""Seconds between two looks for a decision of another process."""


def request_function(code: Path) -> FunctionResource:
    """The function that asks, for a project whose template does not have it yet."""
    return FunctionResource(REQUEST_FUNCTION, "stepsmith_functions.approvals.request.handler", code, 60, 256)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person says."""

    approves: bool
    by: str
    comment: str = ""


class Person(Protocol):
    """Somebody at the desk, or who is told how others decide."""

    def ask(self, approval: Approval, approver: str | None, waits: Callable[[], bool]) -> Answer | None:
        """What they say as `approver` (None: as themselves); None: they cannot be asked, somebody else decides, or the
        run no longer `waits`."""
        ...

    def told(self, approval: Approval) -> None:
        """Nobody here can be asked: says how to decide from elsewhere."""
        ...

    def refused(self, reason: str) -> None:
        """What they said does not count."""
        ...


class _Noting:
    """A store that notes what was asked through it."""

    def __init__(self, store: ApprovalStore) -> None:
        self._store = store
        self.asked: dict[str, None] = {}

    def ask(self, approval: Approval) -> bool:
        self.asked[approval.id] = None
        return self._store.ask(approval)

    def find(self, approval_id: str) -> Approval | None:
        return self._store.find(approval_id)

    def of_run(self, run_id: str) -> Sequence[Approval]:
        return self._store.of_run(run_id)

    def due(self, until: datetime | None = None, *, limit: int = 100) -> Sequence[Approval]:
        return self._store.due(until, limit=limit)

    def replace(self, known: Approval, approval: Approval) -> bool:
        return self._store.replace(known, approval)


class Desk:
    """Drives executions that may ask people. `history` is the file where other processes decide, None for nobody.
    `orders` gives what stands for runs: one that was cancelled waits for nobody."""

    def __init__(
        self,
        aws: LocalAws,
        history: Path | None,
        person: Person | None,
        waits: Callable[[bool], None] = lambda waiting: None,  # noqa: ARG005
        orders: Orders | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._aws = aws
        self._shared = history is not None
        self._store = _Noting(LocalApprovalStore(history) if history is not None else MemoryApprovalStore())
        self._person = person
        self._waits = waits
        self._orders = orders
        self._sleep = sleep
        self._told: set[str] = set()
        answers = StepFunctionsAnswers(aws.client("stepfunctions"))
        self._decider = Decider(self._store, answers, None)

    def drive(self, execution: Execution) -> None:
        """Runs until the execution has ended or nothing can answer it."""
        with ExitStack() as stack:
            stack.enter_context(kept_in(self._store))
            stack.callback(self._give_up)
            while execution.running and self._step(execution):
                pass

    def _step(self, execution: Execution) -> bool:
        """Lets the next thing happen. False when nothing can."""
        engine = self._aws.engine
        engine.advance(0)
        if not execution.running:
            return True
        waiting = self._waiting()
        if any(self._withdrawn(each) for each in waiting):
            return True
        if any(self._store.find(name) is None for name in self._store.asked):
            engine.stop(execution, NOT_MOCKED, "the history in which people decide has been removed")
            return True
        deadline = engine.next_deadline
        real = isinstance(engine.clock, RealClock)
        if waiting:
            limit = min(each.deadline for each in waiting)
            if real or deadline is None or deadline >= limit:
                self._decide(execution, waiting, real=real)
                return True
        if deadline is None:
            return False
        engine.advance(max(0.0, (deadline - engine.clock.now()).total_seconds()))
        return True

    def _waiting(self) -> list[Approval]:
        """Those that a task still waits for; others are over."""
        found: list[Approval] = []
        for name in list(self._store.asked):
            approval = self._store.find(name)
            if approval is None:
                continue
            if approval.due is None:
                del self._store.asked[name]
            elif self._is_waited_for(approval):
                found.append(approval)
            else:
                self._end(approval)
        return found

    def _is_waited_for(self, approval: Approval) -> bool:
        try:
            self._aws.engine.heartbeat_task(approval.token)
        except EngineError:
            return False
        return True

    def _withdrawn(self, approval: Approval) -> bool:
        """Whether it waits no more because its run, or one that waits for it, was told to end."""
        order = self._end_ordered(approval)
        if order is None or approval.status is not ApprovalStatus.WAITING:
            return False
        self._decider.withdraw(approval, order, self._aws.now())
        self._store.asked.pop(approval.id, None)
        self._waits(False)
        return True

    def _end_ordered(self, approval: Approval) -> Control | None:
        if self._orders is None:
            return None
        try:
            order = end_ordered(approval, self._orders)
        except HistoryError:
            return None  # as a handler, which begins where the orders cannot be read
        # An order to stop interrupts the run wherever it is: nothing of it may run any more.
        return order if order is not None and order.order is Order.CANCEL else None

    def _end(self, approval: Approval) -> None:
        self._store.replace(approval, replace(approval, status=ApprovalStatus.EXPIRED, due=None))
        self._store.asked.pop(approval.id, None)

    def _give_up(self) -> None:
        """The run is over: nobody needs to decide any more."""
        for name in list(self._store.asked):
            approval = self._store.find(name)
            if approval is not None and approval.due is not None:
                self._end(approval)

    # -- people ---------------------------------------------------------------------------------------

    def _decide(self, execution: Execution, waiting: list[Approval], *, real: bool) -> None:
        """Has one decision made, or waits a little for one."""
        decided = [each for each in waiting if each.status is not ApprovalStatus.WAITING]
        if decided:
            self._pass_on(decided[0])
            return
        self._waits(True)
        if self._person is not None and self._asked(waiting[0]):
            return
        if not self._shared:
            first = waiting[0]
            help_ = f"mock it: {first.step_id}: {{approve: {{by: …}}}}"
            cause = f"nobody here decides about step {first.path}; {help_}"
            self._aws.engine.stop(execution, NOT_MOCKED, cause)
            return
        for each in waiting:
            if self._person is not None and each.id not in self._told:
                self._person.told(each)
            self._told.add(each.id)
        if real:
            self._aws.engine.advance(_LOOK)
        else:
            self._sleep(_LOOK)

    def _asked(self, approval: Approval) -> bool:
        """Whether the person at the desk was asked: for each approver who is needed in turn."""
        assert self._person is not None
        approver = approval.missing[0] if approval.approvers else None
        name = approval.names[approver] if approver is not None else None
        answer = self._person.ask(approval, name, lambda: self._end_ordered(approval) is None)
        if answer is None:
            return self._end_ordered(approval) is not None
        # Virtual time stands still while people think; a decision in time is one that the run has waited for.
        now = max(approval.asked_at, self._aws.now())
        vote = Vote(name or answer.by, answer.approves, now, answer.comment, approver, "terminal")
        try:
            after = self._decider.cast(approval.id, lambda known: vote)  # noqa: ARG005
        except ApprovalError as error:
            self._person.refused(str(error))
            return True
        if after.status is not ApprovalStatus.WAITING:
            self._waits(False)
        return True

    def _pass_on(self, approval: Approval) -> None:
        try:
            self._decider.settle(approval, fresh=True)
        except ApprovalError as error:
            if self._person is not None:
                self._person.refused(str(error))
        self._store.asked.pop(approval.id, None)
        self._waits(False)
