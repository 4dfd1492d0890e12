"""What a handler does of a rate limit and a circuit breaker, around its action."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stepsmith.local.shared import MemorySharedState
from stepsmith_functions.runtime.action import action
from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.contract import Params, Result
from stepsmith_functions.runtime.control import Control, Order
from stepsmith_functions.runtime.errors import (
    CircuitOpen,
    InvalidParams,
    PermanentError,
    RateLimited,
    RunCancelled,
)
from stepsmith_functions.runtime.hosting import host, hosted
from stepsmith_functions.runtime.limits import Circuit, RateLimit, circuit_of
from stepsmith_functions.runtime.recording import Earlier, EarlierStatus, StepStart
from tests.functions.runtime.conftest import FakeHistory, World

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
called: list[str] = []


class BrokenError(PermanentError):
    """It does not work."""


class TryParams(Params):
    outcome: str


class TryResult(Result):
    outcome: str


@action(effect="write", repeatable=False, example={"outcome": "ok"}, errors=(BrokenError,))
def tried(params: TryParams, context: ActionContext) -> TryResult:
    """Does as it is told."""
    called.append(params.outcome)
    if params.outcome == "broken":
        raise BrokenError("as told")
    if params.outcome == "cancelled":
        raise RunCancelled("as told")
    return TryResult(outcome=params.outcome)


class Clock:
    def __init__(self) -> None:
        self.moment = NOON

    def now(self) -> datetime:
        return self.moment

    def elapsed(self) -> float:
        return self.moment.timestamp()

    def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


class History(FakeHistory):
    """A history that keeps what runs share, and answers starts with what is in their way."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = MemorySharedState()
        self.unreadable = False
        self.in_the_way: Earlier | None = None
        self.order: Control | None = None

    def shared(self, settings: object) -> MemorySharedState:
        if self.unreadable:
            raise OSError("no table")
        return self.kept

    def started(self, step: StepStart) -> Earlier | None:  # type: ignore[override]
        super().started(step)
        return self.in_the_way

    def circuit(self, key: str = "tried") -> Circuit:
        return circuit_of(self.kept.read(key).value)


class Deployment:
    def __init__(self, world: World) -> None:
        self.world = world
        self.history = History()
        self.clock = Clock()
        self.calls = 0

    def send(self, outcome: str = "ok", **limits: Any) -> Any:
        self.calls += 1
        self.world.context.aws_request_id = f"request-{self.calls}"
        step = {"id": "s", "path": "s", "attempt": 0, "visit": f"v{self.calls}", "limits": limits}
        with hosted(replace(host(), history=self.history, clock=self.clock)):
            return self.world.send(tried, {"outcome": outcome}, step=step)

    def breaker(self, outcome: str = "ok") -> Any:
        rule = {"key": "tried", "threshold": 2, "window": 10, "cooldown": 60}
        return self.send(outcome, circuit_breaker=rule)

    def fail(self, times: int = 1) -> None:
        for _ in range(times):
            with pytest.raises(BrokenError):
                self.breaker("broken")

    def later(self, seconds: float) -> None:
        self.clock.sleep(seconds)


@pytest.fixture
def here(world: World) -> Deployment:
    called.clear()
    return Deployment(world)


def rate(**more: Any) -> dict[str, Any]:
    return {"rate_limit": {"key": "mail", "limit": 2, "per": 60, **more}}


def test_a_start_too_many_waits_for_the_next_window_and_leaves_no_trace(here: Deployment) -> None:
    here.later(20)
    here.send(**rate())
    here.send(**rate())
    with pytest.raises(RateLimited, match=r'"mail" has begun 2 times in these 60 s'):
        here.send(**rate())
    assert (len(called), len(here.history.starts), len(here.history.ends)) == (2, 2, 2)
    here.later(39)
    with pytest.raises(RateLimited):
        here.send(**rate())
    here.later(1)
    here.send(**rate())


def test_starts_are_counted_by_key_and_window(here: Deployment) -> None:
    here.send(**rate(limit=1))
    here.send(**rate(limit=1, key="phone"))
    here.send(**rate(limit=1, per=30))
    with pytest.raises(RateLimited):
        here.send(**rate(limit=1))


@pytest.mark.parametrize("key", [None, "", [], {"a": 1}, True])
def test_a_key_that_is_nothing_is_refused(here: Deployment, key: Any) -> None:
    with pytest.raises(InvalidParams, match="the key of rate_limit"):
        here.send(**rate(key=key))
    assert called == []


def test_a_number_is_a_key_however_the_machine_writes_it(here: Deployment) -> None:
    here.send(**rate(limit=1, key=7))
    with pytest.raises(RateLimited):
        here.send(**rate(limit=1, key=7.0))


def test_windows_begin_at_multiples_of_their_length() -> None:
    moment = datetime(2026, 1, 2, 12, 34, 56, 789, tzinfo=UTC)
    assert RateLimit("k", 1, 60).window(moment) == datetime(2026, 1, 2, 12, 34, tzinfo=UTC)
    assert RateLimit("k", 1, 86_400).window(moment) == datetime(2026, 1, 2, tzinfo=UTC)


def test_a_circuit_opens_fails_at_once_and_is_closed_by_one_trial(here: Deployment) -> None:
    here.fail(2)
    here.later(59)
    with pytest.raises(CircuitOpen, match="open: 2 failures within 10 s"):
        here.breaker()
    assert called == ["broken"] * 2
    here.later(1)
    here.breaker()
    assert here.history.circuit() == Circuit()
    here.fail()  # counted from nothing
    here.breaker()


def test_a_trial_that_fails_opens_the_circuit_anew(here: Deployment) -> None:
    here.fail(2)
    here.later(60)
    here.fail()
    here.later(59)
    with pytest.raises(CircuitOpen):
        here.breaker()
    here.later(1)
    here.breaker()


def test_failures_that_lie_apart_do_not_open_it(here: Deployment) -> None:
    for _ in range(5):
        here.fail()
        here.later(10)
    here.breaker()


def test_what_says_nothing_of_the_action_is_not_counted(here: Deployment) -> None:
    for outcome, error in (("cancelled", RunCancelled), ("cancelled", RunCancelled), (7, InvalidParams)):
        with pytest.raises(error):
            here.breaker(outcome)  # type: ignore[arg-type]
    assert here.history.circuit() == Circuit()


@pytest.mark.parametrize("outcome", ["cancelled", 7])
def test_a_trial_that_says_nothing_leaves_its_place_to_the_next(here: Deployment, outcome: Any) -> None:
    here.fail(2)
    here.later(60)
    with pytest.raises((RunCancelled, InvalidParams)):
        here.breaker(outcome)
    here.breaker()
    assert here.history.circuit() == Circuit()


def test_a_trial_that_had_been_done_before_leaves_its_place_to_the_next(here: Deployment) -> None:
    here.fail(2)
    here.later(60)
    here.history.in_the_way = Earlier(status=EarlierStatus.SUCCEEDED, attempt=0, output={"outcome": "done"})
    assert here.breaker() == {"outcome": "done"}
    assert here.history.circuit().trial is None
    here.history.in_the_way = None
    here.fail()


def test_a_trial_that_must_wait_for_its_turn_leaves_its_place_to_the_next(here: Deployment) -> None:
    here.fail(2)
    here.later(60)
    both = {"circuit_breaker": {"key": "tried", "threshold": 2, "window": 10, "cooldown": 60}, **rate(limit=1)}
    here.send(**rate(limit=1))
    with pytest.raises(RateLimited):
        here.send(**both)
    here.breaker()


def test_a_circuit_that_is_open_counts_no_start(here: Deployment) -> None:
    here.fail(2)
    both = {"circuit_breaker": {"key": "tried", "threshold": 2, "window": 10, "cooldown": 60}, **rate(limit=1)}
    with pytest.raises(CircuitOpen):
        here.send(**both)
    here.send(**rate(limit=1))


def test_while_the_table_is_away_everything_begins(here: Deployment) -> None:
    here.fail(2)
    here.history.unreadable = True
    here.breaker()
    here.fail()
    for _ in range(3):
        here.send(**rate(limit=1))


def test_a_cancelled_run_asks_for_no_turn(here: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    class Orders:
        def controls(self, run_ids: object) -> list[Control]:
            return [Control(Order.CANCEL, "ann", NOON)]

    monkeypatch.setattr(here.history, "control", lambda *_: Orders(), raising=False)
    step = {"id": "s", "path": "s", "attempt": 0, "limits": rate(limit=1)}
    run = {"id": "r", "workflow": "w", "control": {"pausable": True, "parents": []}}
    with hosted(replace(host(), history=here.history, clock=here.clock)), pytest.raises(RunCancelled):
        here.world.send(tried, {"outcome": "ok"}, step=step, run=run)
    here.send(**rate(limit=1))
