"""What stands at a step's boundary: a handler asks it once, before its action does anything.

It is a short list of questions (`QUESTIONS`), asked in order. Each lets the step pass, answers in its place with what
is on record, or raises one of `errors.OF_THE_GATE`, which the machine is told. A question whose answer the table does
not give is taken as passed: an outage of the history fails no action. Whoever calls the action says afterwards how it
went (`tell`): a circuit counts failures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias, assert_never

from pydantic import JsonValue

from stepsmith_functions.runtime.control import Control, ControlReader, Order, strongest
from stepsmith_functions.runtime.errors import (
    OF_THE_GATE,
    ActionError,
    CircuitOpen,
    ConcurrencyLimit,
    EffectUnknown,
    InvalidParams,
    RateLimited,
    RunCancelled,
    RunPaused,
    RunQueued,
    StillRunning,
)
from stepsmith_functions.runtime.recording import Begun, Earlier, EarlierStatus

if TYPE_CHECKING:  # few steps share anything: only theirs import these, since each costs a cold start 3 ms
    from stepsmith_functions.runtime.limits import Circuit, CircuitBreaker, Limits, SharedState
    from stepsmith_functions.runtime.places import Asked, Concurrency, Places


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundary:
    """The step that wants to begin, as the machine's event tells of it."""

    run_id: str | None
    controlled: bool
    """Whether it heeds a pause and a cancel: the steps of a `finally` do not."""
    pausable: bool
    """Whether the machine would ask again after a pause; an express one would not."""
    parents: tuple[str, ...]
    """The runs that wait for this one, the nearest first."""
    attempt: int
    """The number of the machine's retry."""
    limits: Limits | None = None
    """What it shares with other runs."""
    concurrency: Concurrency | None = None
    """How many runs may be under way at once."""
    caller: str = ""
    """Names this call among all others."""
    lease: timedelta = timedelta()
    """How long the call may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keepers:
    """Who answers the questions. None where the deployment keeps no history."""

    control: Callable[[], ControlReader | None]
    begin: Callable[[], Begun | Earlier | None]
    """Writes that the attempt begins, unless one before it is in the way; None where nothing was written."""
    now: Callable[[], datetime]
    logger: Callable[[], Any]
    shared: Callable[[], SharedState | None] = lambda: None


@dataclass(frozen=True, slots=True)
class Passed:
    """The action may run; `begun` tells how often it was begun before, where that is on record."""

    begun: Begun | None = None
    trial: bool = False
    """Whether it is the one that is to show that an open circuit can be closed."""


@dataclass(frozen=True, slots=True)
class Done:
    """The action has run: its output, as it is on record."""

    output: JsonValue


Answer: TypeAlias = "Passed | Done"
Question: TypeAlias = Callable[[Boundary, Keepers], Answer]


def ask(step: Boundary, keepers: Keepers) -> Answer:
    """What comes of the questions: the first that answers in place of the action, else that it may run."""
    passed = Passed()
    try:
        for question in QUESTIONS:
            answer = question(step, keepers)
            if isinstance(answer, Done):
                _give_back(step, keepers, passed)
                return answer
            passed = Passed(answer.begun or passed.begun, answer.trial or passed.trial)
    except ActionError:
        _give_back(step, keepers, passed)
        raise
    return passed


def tell(step: Boundary, keepers: Keepers, passed: Passed, error: Exception | None) -> None:
    """Says how an action ended that was let through. A circuit counts every error but those that say nothing of what
    the action works with: the run's own end, and params that were wrong."""
    if error is None and not passed.trial:
        return  # nothing changes: the circuit need not be read
    if isinstance(error, (*OF_THE_GATE, InvalidParams)):
        _give_back(step, keepers, passed)
        return
    breaker, now = _breaker(step), keepers.now()
    if breaker is None:
        return
    from stepsmith_functions.runtime import limits

    if error is None:
        _changed(step, keepers, lambda known: limits.after_success(known, step.caller))
    else:
        _changed(step, keepers, lambda known: limits.after_failure(known, breaker, step.caller, now.timestamp()))


def _give_back(step: Boundary, keepers: Keepers, passed: Passed) -> None:
    if passed.trial:
        from stepsmith_functions.runtime import limits

        _changed(step, keepers, lambda known: limits.given_back(known, step.caller))


def _changed(
    step: Boundary, keepers: Keepers, change: Callable[[Circuit], Circuit | None], unknown: Circuit | None = None
) -> Circuit | None:
    """What becomes of the step's circuit; `unknown` where nobody can tell."""
    try:
        shared, breaker = keepers.shared(), _breaker(step)
        if shared is not None and breaker is not None:
            from stepsmith_functions.runtime import limits

            return limits.change(shared, breaker, change, keepers.now())
    except Exception:
        keepers.logger().exception("the circuit could not be read or written")
    return unknown


def _breaker(step: Boundary) -> CircuitBreaker | None:
    return step.limits.breaker if step.limits is not None else None


def does_the_run_go_on(step: Boundary, keepers: Keepers) -> Answer:
    """Raises RunCancelled and RunPaused."""
    control = control_of(step, keepers)
    if control is None:
        return Passed()
    if control.order is not Order.PAUSE:
        raise RunCancelled(f"the run was {control.sentence()}")
    if step.pausable:
        raise RunPaused(f"the run was {control.sentence()}")
    return Passed()


def control_of(step: Boundary, keepers: Keepers) -> Control | None:
    """The order that stands for the run of `step`, or for one that waits for it."""
    if not step.controlled or step.run_id is None:
        return None
    try:
        reader = keepers.control()
        return strongest(reader.controls((step.run_id, *step.parents))) if reader else None
    except Exception:
        keepers.logger().exception("whether the run is paused or cancelled could not be read")
        return None


def has_the_run_a_place(step: Boundary, keepers: Keepers) -> Answer:
    """Raises RunQueued, ConcurrencyLimit, and RunCancelled for a run that is skipped or gives way."""
    rule, run_id = step.concurrency, step.run_id
    if rule is None or run_id is None:
        return Passed()
    from stepsmith_functions.runtime.places import Verdict

    try:
        found = _asked_for_a_place(rule, run_id, keepers)
    except Exception:
        keepers.logger().exception("who holds a place could not be read or written")
        return Passed()
    full = f'{rule.limit} runs of "{rule.key}" are under way'
    match found.verdict:
        case Verdict.IN:
            return Passed()
        case Verdict.WAIT:
            raise RunQueued(full)
        case Verdict.FAIL:
            raise ConcurrencyLimit(full)
        case Verdict.SKIP:
            raise RunCancelled(f"skipped: {full}")
        case Verdict.GIVE_WAY:
            raise RunCancelled(f"a newer run took its place: {full}")
        case _:
            assert_never(found.verdict)


def _asked_for_a_place(rule: Concurrency, run_id: str, keepers: Keepers) -> Asked:
    from stepsmith_functions.runtime.limits import Subject
    from stepsmith_functions.runtime.places import Asked, Verdict, asked, change_places, places_of

    shared, now = keepers.shared(), keepers.now()
    if shared is None:
        return Asked(Verdict.IN, {})
    lease = timedelta(seconds=rule.lease)
    before = places_of(shared.read(rule.key, Subject.PLACES).value)

    def step(places: Places) -> Asked:
        return asked(places, rule, run_id, now.timestamp())

    mine = before.get(run_id)
    if (mine is None or mine.until <= now.timestamp()) and step(before).verdict is Verdict.IN:
        # Before it has the place: who is ended in between must be found.
        shared.remember_place(run_id, rule.key, now + lease + timedelta(days=366))
    found = change_places(shared, rule.key, step, now, lease)
    if found.ends is not None:
        shared.cancel(found.ends, Control(Order.CANCEL, "concurrency", now, f"run {run_id} takes its place"))
    return found


def is_it_worth_trying(step: Boundary, keepers: Keepers) -> Answer:
    """Raises CircuitOpen. The first who asks after the cooldown is the trial; the others are refused until it ends."""
    breaker = _breaker(step)
    if breaker is None:
        return Passed()
    from stepsmith_functions.runtime import limits

    now, lease = keepers.now().timestamp(), step.lease.total_seconds()
    circuit = _changed(
        step, keepers, lambda known: limits.admitted(known, step.caller, now, lease), unknown=limits.Circuit()
    )
    if circuit is None:
        raise CircuitOpen(
            f'the circuit "{breaker.key}" is open: {breaker.threshold} failures within {breaker.window} s; '
            f"it is tried again after {breaker.cooldown} s"
        )
    return Passed(trial=circuit.open_until is not None)


def may_one_more_begin(step: Boundary, keepers: Keepers) -> Answer:
    """Raises RateLimited."""
    rate = step.limits.rate if step.limits is not None else None
    if rate is None:
        return Passed()
    try:
        shared = keepers.shared()
        full = shared is not None and not shared.take(rate, keepers.now())
    except Exception:
        keepers.logger().exception("the starts could not be counted")
        return Passed()
    if full:
        raise RateLimited(f'"{rate.key}" has begun {rate.limit} times in these {rate.per} s')
    return Passed()


def was_it_done_before(step: Boundary, keepers: Keepers) -> Answer:
    """The output of an earlier call of the same visit that succeeded. Raises StillRunning and EffectUnknown.

    An attempt that failed has told so, and the machine's own retry of it may run. One that told nothing (it ran out
    of time, or crashed) may have taken effect: it is never repeated. Only actions that are not declared repeatable
    are asked; the recorder lets others begin.
    """
    earlier = keepers.begin()
    if not isinstance(earlier, Earlier):
        return Passed(earlier)
    match earlier.status:
        case EarlierStatus.SUCCEEDED if earlier.readable:
            return Done(earlier.output)
        case EarlierStatus.SUCCEEDED:
            raise StillRunning("an earlier call has succeeded, and its output cannot be read just now")
        case EarlierStatus.FAILED if earlier.error is not None and earlier.attempt == step.attempt:
            raise _as_recorded(earlier.error.type, earlier.error.message)
        case EarlierStatus.RUNNING if earlier.until is not None and keepers.now() < earlier.until:
            raise StillRunning(f"an earlier call of this step may be at work until {earlier.until.isoformat()}")
        case _:
            raise EffectUnknown(
                "an earlier call of this step began and never told how it ended: it may have taken effect"
            )


QUESTIONS: Final[tuple[Question, ...]] = (
    does_the_run_go_on,
    has_the_run_a_place,
    is_it_worth_trying,  # before the rate: who would fail anyway takes nobody's place
    may_one_more_begin,
    was_it_done_before,  # last: it writes that the step begins
)
"""In this order."""


def _as_recorded(name: str, message: str) -> ActionError:
    """The error that the same attempt has failed with, under its own name."""
    error: ActionError = type(name, (ActionError,), {})(message)
    return error
