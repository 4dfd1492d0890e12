"""Steps that call something: an action, another workflow, people. Attempts, retries and limits of time."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from stepsmith.model.policies import RetryPolicy, RetryRule
from stepsmith.model.steps import ActionStep, ApprovalStep, ChildStep, OnTimeout, Step
from stepsmith.model.workflow import Workflow
from tests.semantics.attempts import Answer, Attempt, Attempts
from tests.semantics.orders import next_cancel, standing
from tests.semantics.reference.evaluating import TASK_FAILED, TIMEOUT, Evaluator
from tests.semantics.reference.state import CANCELLED, SECOND, Call, Outcome, Raised, Scope, World
from tests.semantics.schedule import Ambiguous, Apart, OutOfTime, Pause, Process, Within

MILLISECOND = 1000
TRANSIENT = RetryRule(
    6,
    2,
    on=(
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.TooManyRequestsException",
    ),
)
REJECTED = "ApprovalRejected"
STARTED = datetime(2025, 1, 1, tzinfo=UTC)
"""When every program starts."""
WHILE_STILL_RUNNING = RetryRule(8, 5, on=("StillRunning",))
"""An earlier call of an action that must not be repeated may still be at work (docs/running.md, "One effect")."""
PAUSED = "RunPaused"
WHILE_PAUSED = RetryRule(10**9, 300, backoff=1, on=(PAUSED,))
"""A step of a paused run asks again every five minutes, as often as it takes (there, "Pause")."""
NEVER_AGAIN = ("EffectUnknown", CANCELLED)
"""What no retry repeats (there)."""


class Caller(Evaluator):
    """Does the steps of one run that call something."""

    def __init__(
        self, workflow: Workflow, world: World, given: Mapping[str, Any], run: str, parents: tuple[str, ...]
    ) -> None:
        super().__init__(workflow, world, given, run)
        self._scheduler = world.scheduler
        self._parents = parents
        self._runs = (run, *parents)
        """Those whose orders count."""
        self._began = world.scheduler.now
        self._attempts_made = Attempts()

    @abstractmethod
    def _started(self, workflow: str, given: Mapping[str, Any], run: str, parents: tuple[str, ...]) -> Process:
        """A run of another workflow, whose Outcome it returns."""

    # -- actions ----------------------------------------------------------------------------------

    def _action(self, step: ActionStep, scope: Scope) -> Process:
        result = yield from self._calling(step, scope.below(step, ""), scope)
        return self._reshaped(step, result, scope)

    def _calling(self, step: ActionStep, path: str, scope: Scope, extra: Mapping[str, Any] | None = None) -> Process:
        """Calls the step's function until it succeeds or is not tried again; returns its result."""
        attempts = iter(range(1_000_000))
        signature = self._world.catalog.get(step.action)
        assert signature is not None

        def attempt() -> Process:
            number = next(attempts)
            self._begins_in_time(step, scope)
            refused = self._refusal(scope)
            self._note(path, number, self._value(step.params, scope, extra), refused)
            if refused is not None:
                answer = Answer(self._world.refusal(self._run_id, path, number), error=refused)
            else:
                answer = self._world.script(step.id, path, number, self._run_id, self._workflow.name)
            limit = self._limit(step, scope)
            began = Attempt(step, path, scope.for_undo(), self._scheduler.now, answer, signature.timeout * SECOND)
            if step.rollback is not None:
                self._attempts_made.begin(began)
            try:
                if limit is not None and answer.after >= limit:
                    yield Pause(limit)
                    raise self._timed_out(step, scope)
                yield Pause(answer.after)
            except GeneratorExit:
                began.given_up = True
                raise
            finally:
                began.ended = self._scheduler.now
            if refused is not None:
                raise self._refused(refused, step)
            if answer.error is not None:
                raise Raised(answer.error, answer.message, step.id)
            began.succeeds(answer.result)
            return answer.result

        policy = step.retry or self._workflow.retry
        transient = [TRANSIENT] if policy is None or policy.transient else []
        return (yield from self._attempts(attempt, policy, [WHILE_PAUSED, WHILE_STILL_RUNNING, *transient]))

    def _note(self, path: str, attempt: int, params: Any, refused: str | None = None) -> None:
        run = self._run_id if self._run_id in self._world.started else ""
        self._world.calls.append(Call(self._scheduler.now, path, attempt, params, run, refused))

    def _refusal(self, scope: Scope) -> str | None:
        """The error with which an action does not begin, since the run or one that waits for it is not to go on."""
        if scope.sheltered:
            return None
        order = standing(self._world.orders, self._runs, self._scheduler.now)
        return {"cancel": CANCELLED, "pause": PAUSED, None: None}[order]

    @staticmethod
    def _refused(error: str, step: Step) -> Raised:
        raised = Raised(error, "the run was cancelled by ann" if error == CANCELLED else "", step.id)
        raised.cancels = error == CANCELLED
        return raised

    # -- other workflows --------------------------------------------------------------------------

    def _child(self, step: ChildStep, scope: Scope) -> Process:
        result = yield from self._running(step, scope.below(step, ""), scope)
        return self._reshaped(step, result, scope)

    def _running(self, step: ChildStep, path: str, scope: Scope, extra: Mapping[str, Any] | None = None) -> Process:
        """Starts another workflow, and waits for its end where the step says so; returns its output."""
        try:
            attempt = lambda: self._one_run(step, path, scope, extra)  # noqa: E731
            return (yield from self._attempts(attempt, step.retry or self._workflow.retry, []))
        except Raised as raised:
            raised.shown = None
            raise

    def _one_run(self, step: ChildStep, path: str, scope: Scope, extra: Mapping[str, Any] | None) -> Process:
        self._begins_in_time(step, scope)
        given = self._value(step.params, scope, extra)
        run = self._world.new_run(self._run_id, step.id, given)
        # One that is not waited for is controlled by itself, and so is one that cleans up.
        parents = () if scope.sheltered or not step.waits else (self._run_id, *self._parents)
        self._world.started[run] = parents
        self._world.calls.append(Call(self._scheduler.now, "", 0, given, run))
        body = self._started(step.workflow, given, run, parents)
        began = Attempt(step, path, scope.for_undo(), self._scheduler.now)
        if step.rollback is not None:
            self._attempts_made.begin(began)
        if not step.waits:
            yield Apart(body)
            began.ended = self._scheduler.now
            began.succeeds({"run_id": run})
            return {"run_id": run}
        limit = self._limit(step, scope)
        try:
            outcome: Outcome = (yield Within(body, limit)) if limit is not None else (yield from body)
        except OutOfTime:
            raise self._timed_out(step, scope) from None
        except GeneratorExit:
            began.given_up = True
            began.expired = limit is not None and self._scheduler.now == began.began + limit
            raise
        finally:
            began.ended = self._scheduler.now
        if outcome.status == "succeeded":
            began.succeeds(outcome.output)
            return outcome.output
        raised = Raised(outcome.error or "", outcome.message or "", step.id)
        raised.shown = TASK_FAILED
        raised.cancels = outcome.cancelled and not scope.sheltered
        raise raised

    # -- people -----------------------------------------------------------------------------------

    def _approval(self, step: ApprovalStep, scope: Scope) -> Process:
        """People decide; they are asked once, but not while the run is paused."""
        attempts = iter(range(1_000_000))
        output = yield from self._attempts(lambda: self._asking(step, next(attempts), scope), None, [WHILE_PAUSED])
        return self._reshaped(step, output, scope)

    def _asking(self, step: ApprovalStep, number: int, scope: Scope) -> Process:
        """When nobody has decided in time, the step's `on_timeout` does; a cancel withdraws the question."""
        path = scope.below(step, "")
        self._begins_in_time(step, scope)
        refused = self._refusal(scope)
        self._note(path, number, {item.key: self._value(item.value, scope) for item in step.request.fields}, refused)
        if refused is not None:
            yield Pause(self._world.refusal(self._run_id, path, number))
            raise self._refused(refused, step)
        answer = self._world.script(step.id, path, number, self._run_id, self._workflow.name)
        limit = self._cut((step.timeout or 0) * SECOND, scope)
        withdrawn = None if scope.sheltered else next_cancel(self._world.orders, self._runs, self._scheduler.now)
        if withdrawn is not None and withdrawn <= min(answer.after, limit):
            if withdrawn in (answer.after, limit):
                raise Ambiguous
            yield Pause(withdrawn)
            raise self._refused(CANCELLED, step)
        if answer.after < limit:
            yield Pause(answer.after)
            if answer.error is not None:
                raise Raised(answer.error, answer.message, step.id)
            return answer.result
        yield Pause(limit)
        if self._is_late(scope):
            raise self._late(step)
        if step.on_timeout is OnTimeout.FAIL:
            raise Raised(TIMEOUT, "", step.id)
        if step.on_timeout is OnTimeout.REJECT:
            raise Raised(REJECTED, "nobody decided in time", step.id)
        moment = STARTED + timedelta(microseconds=self._scheduler.now)
        at = moment.strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0").rstrip(".") + "Z"
        return {"approved": True, "by": "timeout", "comment": "", "at": at}

    # -- attempts ---------------------------------------------------------------------------------

    def _attempts(self, attempt: Callable[[], Process], policy: RetryPolicy | None, first: list[RetryRule]) -> Process:
        """Makes attempts as the retry rules say: the first rule that matches an error is the one that counts."""
        rules = [*first, *(policy.rules if policy else ())]
        used = [0] * len(rules)
        while True:
            try:
                return (yield from attempt())
            except Raised as raised:
                error = raised.shown or raised.type
                if raised.refused or error in NEVER_AGAIN:
                    raise
                found = next((at for at, rule in enumerate(rules) if self._covers(rule.on, error)), None)
                if found is None or used[found] >= rules[found].max_retries:
                    raise
                rule = rules[found]
                delay = rule.delay * rule.backoff ** min(used[found], 64)
                delay = min(delay, rule.max_delay) if rule.max_delay is not None else delay
                used[found] += 1
                yield Pause(round(delay * SECOND))

    # -- the deadline -----------------------------------------------------------------------------

    def _left(self) -> int:
        """The milliseconds to the deadline, by clocks that know nothing finer."""
        assert self._workflow.timeout is not None
        return self._began // MILLISECOND + self._workflow.timeout * 1000 - self._scheduler.now // MILLISECOND

    def _left_seconds(self) -> int:
        """In whole seconds, rounded up; as microseconds."""
        return max(0, -(-self._left() // 1000)) * SECOND

    def _is_late(self, scope: Scope) -> bool:
        return scope.timed and self._left() <= 0

    def _late_message(self) -> str:
        return f"the run took longer than its timeout of {self._workflow.timeout} seconds"

    def _late(self, step: Step) -> Raised:
        raised = Raised(TIMEOUT, self._late_message(), step.id)
        raised.late = True
        return raised

    def _timed_out(self, step: Step, scope: Scope) -> Raised:
        return self._late(step) if self._is_late(scope) else Raised(TIMEOUT, "", step.id)

    def _in_time(self, step: Step, scope: Scope) -> None:
        if self._is_late(scope):
            raise self._late(step)

    def _begins_in_time(self, step: Step, scope: Scope) -> None:
        if self._is_late(scope):
            late = self._late(step)
            late.refused = True
            raise late

    def _limit(self, step: Step, scope: Scope) -> int | None:
        """How long an attempt may take; None for as long as it likes."""
        limit = step.timeout * SECOND if step.timeout is not None else None
        if scope.timed:
            limit = self._left_seconds() if limit is None else min(limit, self._left_seconds())
        return limit

    def _cut(self, pause: int, scope: Scope) -> int:
        """A pause of the main path lasts to the deadline at most, in whole seconds rounded up."""
        return min(pause, self._left_seconds()) if scope.timed else pause
