"""Places of runs, in the table and on the desk: never more than the limit, whatever comes in whatever order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepsmith.local.shared import MemorySharedState
from stepsmith.local.shared_file import FileSharedState
from stepsmith_functions.history.dynamodb import DynamoRunStore
from stepsmith_functions.history.records import RunRecord, RunStatus
from stepsmith_functions.history.retrying import Backoff
from stepsmith_functions.history.shared import DynamoSharedState
from stepsmith_functions.runtime import gate
from stepsmith_functions.runtime.control import Control, Order
from stepsmith_functions.runtime.errors import ConcurrencyLimit, RunCancelled, RunQueued
from stepsmith_functions.runtime.limits import SharedState, Subject
from stepsmith_functions.runtime.places import REMEMBERED, Concurrency, OnLimit, leave, places_of

START = datetime(2026, 7, 12, 8, 30, tzinfo=UTC)
LEASE = 100
_keys = count()


@pytest.fixture(scope="module")
def table(new_table: Callable[[], str]) -> str:
    return new_table()


@pytest.fixture(params=["table", "desk", "file"])
def shared(request: pytest.FixtureRequest, aws: Callable[[str], Any], table: str, tmp_path: Path) -> SharedState:
    if request.param == "file":
        return FileSharedState(tmp_path / "history.db", "root", lambda: START)
    if request.param == "table":
        return DynamoSharedState(aws("dynamodb"), table, backoff=Backoff(attempts=1))
    return MemorySharedState()


class Quiet:
    def exception(self, message: str) -> None:
        raise AssertionError(message)


class Runs:
    """Runs of one workflow, each asking for its place as a handler does."""

    def __init__(self, shared: SharedState, on_limit: OnLimit = OnLimit.QUEUE, limit: int = 1) -> None:
        self.shared = shared
        self.prefix = f"key-{next(_keys)}"
        self.rule = Concurrency(self.prefix, limit, on_limit, LEASE)
        self.now = START

    def id(self, run: str) -> str:
        return f"{self.prefix}/{run}"

    def asks(self, run: str) -> str:
        """What `run` is told."""
        keepers = gate.Keepers(
            control=lambda: None, begin=lambda: None, now=lambda: self.now, logger=Quiet, shared=lambda: self.shared
        )
        step = gate.Boundary(
            run_id=self.id(run), controlled=True, pausable=True, parents=(), attempt=0, concurrency=self.rule
        )
        try:
            gate.ask(step, keepers)
        except (RunQueued, RunCancelled, ConcurrencyLimit) as error:
            return f"{type(error).__name__}: {error}".replace(self.prefix, "KEY")
        return "in"

    def ends(self, run: str) -> None:
        leave(self.shared, self.id(run), self.now, for_good=True)

    def waits_for_a_person(self, run: str) -> None:
        leave(self.shared, self.id(run), self.now, for_good=False)

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def holders(self) -> set[str]:
        kept = places_of(self.shared.read(self.rule.key, Subject.PLACES).value)
        moment = self.now.timestamp()
        return {run.removeprefix(self.prefix + "/") for run, place in kept.items() if place.until > moment}


FULL = '1 runs of "KEY" are under way'


@pytest.mark.parametrize(
    ("on_limit", "told"),
    [
        (OnLimit.QUEUE, f"RunQueued: {FULL}"),
        (OnLimit.SKIP, f"RunCancelled: skipped: {FULL}"),
        (OnLimit.FAIL, f"ConcurrencyLimit: {FULL}"),
    ],
)
def test_a_run_too_many_is_told_so_until_another_ends(shared: SharedState, on_limit: OnLimit, told: str) -> None:
    runs = Runs(shared, on_limit)
    assert [runs.asks("a"), runs.asks("a"), runs.asks("b")] == ["in", "in", told]
    runs.ends("a")
    assert [runs.asks("b"), runs.asks("c")] == ["in", told]


def test_a_place_that_is_not_renewed_expires(shared: SharedState) -> None:
    runs = Runs(shared)
    runs.asks("a")
    runs.later(60)
    assert runs.asks("a") == "in"  # renewed: more than half of the lease was over
    runs.later(99)
    assert runs.asks("b") != "in"
    runs.later(1)
    assert runs.asks("b") == "in"


@pytest.mark.parametrize("on_limit", [OnLimit.SKIP, OnLimit.FAIL, OnLimit.QUEUE])
def test_a_run_that_waits_for_a_person_lets_another_in_and_waits_when_it_comes_back(
    shared: SharedState, on_limit: OnLimit
) -> None:
    runs = Runs(shared, on_limit)
    runs.asks("a")
    runs.waits_for_a_person("a")
    assert runs.asks("b") == "in"
    assert runs.asks("a") == f"RunQueued: {FULL}"
    runs.ends("b")
    assert runs.asks("a") == "in"


def test_the_oldest_makes_room_once_for_one(shared: SharedState, monkeypatch: pytest.MonkeyPatch) -> None:
    runs, ended = Runs(shared, OnLimit.CANCEL_OLDEST, 2), []
    monkeypatch.setattr(type(shared), "cancel", lambda _, run_id, control: ended.append((run_id, control.sentence())))
    for run in ("a", "b"):
        runs.asks(run)
        runs.later(1)
    for _ in range(3):
        assert runs.asks("c").startswith("RunQueued")
        runs.later(1)
    assert runs.asks("d").startswith("RunQueued")
    assert ended[0] == (runs.id("a"), f"cancelled by concurrency: run {runs.id('c')} takes its place")
    assert {run for run, _ in ended} == {runs.id("a")}
    runs.ends("a")
    assert runs.asks("d") == "in"
    assert runs.asks("c").startswith("RunQueued")  # b is older, and makes room for it
    assert list(dict.fromkeys(run for run, _ in ended)) == [runs.id("a"), runs.id("b")]
    runs.ends("b")
    assert runs.asks("c") == "in"


def test_an_order_that_whoever_was_to_give_it_did_not_live_to_give_is_given_by_the_next_who_asks(
    shared: SharedState, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    runs, ended = Runs(shared, OnLimit.CANCEL_OLDEST), []
    runs.asks("a")
    runs.later(1)
    monkeypatch.setattr(type(shared), "cancel", dies)
    with pytest.raises(KeyboardInterrupt):
        runs.asks("b")
    monkeypatch.setattr(type(shared), "cancel", lambda _, run_id, __: ended.append(run_id))
    assert runs.asks("c").startswith("RunQueued")
    assert ended == [runs.id("a")]


def test_a_run_that_is_older_than_all_gives_way(shared: SharedState, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(shared), "cancel", lambda *_: None)
    runs = Runs(shared, OnLimit.CANCEL_OLDEST)
    for run in ("a", "b", "c"):
        runs.asks(run)
        runs.later(1)
    runs.ends("a")
    assert runs.asks("c") == "in"
    assert runs.asks("b") == f"RunCancelled: a newer run took its place: {FULL}"


def test_the_table_is_told_of_the_end_that_was_ordered(
    aws: Callable[[str], Any], table: str, dynamo_store: DynamoRunStore
) -> None:
    dynamo_store.put_run(RunRecord("r", "w", RunStatus.RUNNING, START))
    shared = DynamoSharedState(aws("dynamodb"), dynamo_store._table, backoff=Backoff(attempts=1))
    control = Control(Order.CANCEL, "concurrency", START, "why")
    shared.cancel("r", control)
    run = dynamo_store.run("r")
    assert (run.status, run.control) == (RunStatus.CANCELLING, control)
    shared.cancel("r", Control(Order.CANCEL, "another", START))
    assert dynamo_store.run("r").control == control
    shared.cancel("nobody", control)  # nothing comes of it


def test_runs_that_hold_no_place_are_forgotten_in_time(shared: SharedState) -> None:
    runs = Runs(MemorySharedState(), limit=1000)
    for number in range(REMEMBERED + 20):
        runs.asks(str(number))
        runs.waits_for_a_person(str(number))
        runs.later(1)
    runs.asks("last")
    kept = places_of(runs.shared.read(runs.rule.key, Subject.PLACES).value)
    assert len(kept) == REMEMBERED + 1


def test_a_run_that_holds_no_place_gives_none_up(shared: SharedState) -> None:
    runs = Runs(shared)
    runs.ends("nobody")
    assert runs.holders() == set()


MOVES = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from(["ask", "ask", "end", "person"]), st.integers(0, 60)),
    max_size=40,
)


@given(limit=st.integers(1, 3), on_limit=st.sampled_from(OnLimit), moves=MOVES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_never_more_runs_than_the_limit_and_no_place_is_refused_for_nothing(
    shared: SharedState, limit: int, on_limit: OnLimit, moves: list[tuple[str, str, int]]
) -> None:
    runs = Runs(shared, on_limit, limit)
    until: dict[str, datetime] = {}
    """By run: how long its place lasts, by the words of the manual."""
    for run, move, pause in moves:
        runs.later(pause)
        holding = {each for each, moment in until.items() if moment > runs.now}
        if move == "ask":
            told = runs.asks(run)
            assert (told == "in") is (run in holding or len(holding) < limit)
            if told == "in" and (run not in holding or until[run] - runs.now <= timedelta(seconds=LEASE / 2)):
                until[run] = runs.now + timedelta(seconds=LEASE)
        else:
            (runs.ends if move == "end" else runs.waits_for_a_person)(run)
            until.pop(run, None)
        assert runs.holders() == {each for each, moment in until.items() if moment > runs.now}
        assert len(runs.holders()) <= limit


def test_a_run_that_waited_for_the_oldest_to_end_gives_its_place_back(shared: SharedState) -> None:
    runs = Runs(shared, OnLimit.CANCEL_OLDEST)
    assert runs.asks("first") == "in"
    runs.later(1)
    assert runs.asks("second").startswith("RunQueued")
    runs.ends("first")
    assert runs.asks("second") == "in"
    runs.ends("second")
    assert runs.holders() == set()
