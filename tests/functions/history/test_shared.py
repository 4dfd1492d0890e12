"""What runs share, in the table and on the desk: whoever asks in whatever order, one count and one circuit."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepsmith.local.shared import MemorySharedState
from stepsmith.local.shared_file import FileSharedState
from stepsmith_functions.history.items import rate_key, shared_key
from stepsmith_functions.history.retrying import Backoff
from stepsmith_functions.history.shared import DynamoSharedState
from stepsmith_functions.history.store import HistoryError
from stepsmith_functions.runtime import clients, limits
from stepsmith_functions.runtime.hosting import TableHistory
from stepsmith_functions.runtime.limits import (
    Circuit,
    CircuitBreaker,
    ContendedError,
    Kept,
    RateLimit,
    SharedState,
    circuit_of,
)
from stepsmith_functions.runtime.settings import Settings

START = datetime(2026, 7, 12, 8, 30, tzinfo=UTC)
_keys = count()


@pytest.fixture(scope="module")
def table(new_table: Callable[[], str]) -> str:
    return new_table()


@pytest.fixture(params=["table", "desk", "file"])
def shared(request: pytest.FixtureRequest, aws: Callable[[str], Any], table: str, tmp_path: Path) -> SharedState:
    if request.param == "file":
        return FileSharedState(tmp_path / "history.db", "root", lambda: START)
    return in_table(aws, table) if request.param == "table" else MemorySharedState()


def in_table(aws: Callable[[str], Any], table: str) -> DynamoSharedState:
    return DynamoSharedState(aws("dynamodb"), table, backoff=Backoff(attempts=1))


def new_key() -> str:
    return f"key-{next(_keys)}"


@given(
    limit=st.integers(1, 4),
    per=st.sampled_from([1, 7, 60]),
    pauses=st.lists(st.floats(0, 40, allow_nan=False), max_size=25),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_window_holds_more_starts_than_its_limit_and_none_is_refused_before(
    shared: SharedState, limit: int, per: int, pauses: list[float]
) -> None:
    rate, now = RateLimit(new_key(), limit, per), START
    begun: dict[int, int] = {}
    for pause in pauses:
        now += timedelta(seconds=pause)
        window = int(now.timestamp()) // per
        assert shared.take(rate, now) is (begun.get(window, 0) < limit)
        begun[window] = min(limit, begun.get(window, 0) + 1)


def test_the_table_forgets_a_window_after_it(aws: Callable[[str], Any], table: str) -> None:
    rate = RateLimit(new_key(), 3, 60)
    in_table(aws, table).take(rate, START)
    item = aws("dynamodb").get_item(TableName=table, Key=rate_key(rate.key, 60, START))["Item"]
    assert datetime.fromtimestamp(int(item["expires_at"]["N"]), UTC) == START + timedelta(days=1, seconds=60)
    assert item["taken"] == {"N": "1"}


def test_a_start_is_one_write_and_no_read(table: str) -> None:
    class Client:
        calls: list[str] = []  # noqa: RUF012

        def update_item(self, **arguments: object) -> dict[str, object]:
            self.calls.append("update_item")
            return {}

    DynamoSharedState(Client(), table).take(RateLimit("k", 1, 1), START)  # type: ignore[arg-type]
    assert Client.calls == ["update_item"]


def test_handlers_share_the_deployments_table(
    aws: Callable[[str], Any], table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HISTORY_TABLE", table)
    rate = RateLimit(new_key(), 1, 3600)
    clients.reset()
    one = TableHistory().shared(Settings.from_environment())
    assert one is not None
    assert one.take(rate, START)
    assert not in_table(aws, table).take(rate, START)
    clients.reset()


def test_without_a_table_nothing_is_shared() -> None:
    assert TableHistory().shared(Settings.from_environment({})) is None


def test_a_long_key_is_kept_too(shared: SharedState) -> None:
    rates = [RateLimit("k" * 3000 + end, 1, 3600) for end in "ab"]
    assert [shared.take(rate, START) for rate in (*rates, *rates)] == [True, True, False, False]


def test_a_value_is_replaced_only_by_who_knows_it(shared: SharedState) -> None:
    key, until = new_key(), START + timedelta(days=1)
    none = shared.read(key)
    assert none == Kept()
    assert shared.replace(key, none, {"a": 1.5}, until)
    assert not shared.replace(key, none, {"a": 2}, until)
    known = shared.read(key)
    assert known.value == {"a": 1.5}
    assert shared.replace(key, known, None, until)
    assert not shared.replace(key, known, {"a": 3}, until)
    assert shared.read(key).value is None


def test_circuits_and_counts_have_keys_of_their_own() -> None:
    keys = [shared_key("circuit", "k"), shared_key("places", "k"), rate_key("k", 1, START)]
    assert len({str(key) for key in keys}) == 3


def test_who_always_comes_too_late_is_told_so() -> None:
    class Busy(MemorySharedState):
        def replace(self, key: str, kept: Kept, value: object, until: datetime) -> bool:
            return False

    breaker = CircuitBreaker("k", 1, 1, 1)
    with pytest.raises(ContendedError):
        limits.change(Busy(), breaker, lambda known: limits.after_failure(known, breaker, "a", 0.0), START)


# -- circuits, against a model that looks at everything that ever happened -----------------------------------------


@dataclass
class Model:
    """Everything that happened, and what follows from it by the words of the manual."""

    breaker: CircuitBreaker
    failed: list[float] = field(default_factory=list)
    """Failures that count: since the circuit was last closed."""
    opened: float | None = None
    trials: list[tuple[str, float]] = field(default_factory=list)
    """Who was let through since it opened last, and when it is over at the latest."""

    def asked(self, caller: str, now: float, lease: float) -> bool:
        if self.opened is None:
            return True
        if now < self.opened + self.breaker.cooldown:
            return False
        if self.trials and self.trials[-1][0] != caller and now < self.trials[-1][1]:
            return False
        self.trials.append((caller, now + lease))
        return True

    def ended(self, caller: str, now: float, good: bool) -> None:
        if self.opened is None:
            if not good:
                self.failed.append(now)
                if sum(now - each < self.breaker.window for each in self.failed) >= self.breaker.threshold:
                    self.opened, self.trials = now, []
        elif self.trials and self.trials[-1][0] == caller:
            if good:
                self.failed, self.opened = [], None
            else:
                self.opened = now
            self.trials = []


CALLS = st.lists(
    st.tuples(
        st.integers(0, 5),  # who
        st.integers(0, 12),  # seconds since the last thing that happened
        st.sampled_from(["ask", "ok", "bad", "bad", "gone"]),
    ),
    max_size=40,
)


@given(threshold=st.integers(1, 3), window=st.integers(1, 20), cooldown=st.integers(1, 20), calls=CALLS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_runs_in_any_order_see_one_circuit(
    shared: SharedState, threshold: int, window: int, cooldown: int, calls: list[tuple[int, int, str]]
) -> None:
    """Calls of several runs begin, end well or badly, or vanish, in any order."""
    breaker = CircuitBreaker(new_key(), threshold, window, cooldown)
    model, now, lease = Model(breaker), START, 15.0
    under_way: dict[int, str] = {}
    ids = count()
    for who, pause, what in calls:
        now += timedelta(seconds=pause)
        moment = now.timestamp()
        if what == "ask" or who not in under_way:
            if who in under_way:
                continue
            caller = f"{who}/{next(ids)}"
            found = limits.change(shared, breaker, _admits(caller, moment, lease), now)
            assert (found is not None) is model.asked(caller, moment, lease)
            if found is not None:
                under_way[who] = caller
        else:
            caller = under_way.pop(who)
            if what != "gone":
                limits.change(shared, breaker, _ends(breaker, caller, moment, what), now)
                model.ended(caller, moment, what == "ok")
        kept = circuit_of(shared.read(breaker.key).value)
        assert kept.open_until == (None if model.opened is None else model.opened + cooldown)


def _admits(caller: str, moment: float, lease: float) -> Callable[[Circuit], Circuit | None]:
    return lambda known: limits.admitted(known, caller, moment, lease)


def _ends(breaker: CircuitBreaker, caller: str, moment: float, what: str) -> Callable[[Circuit], Circuit]:
    if what == "ok":
        return lambda known: limits.after_success(known, caller)
    return lambda known: limits.after_failure(known, breaker, caller, moment)


def test_of_many_who_ask_at_the_same_moment_one_is_the_trial(aws: Callable[[str], Any], table: str) -> None:
    """Each has read the circuit before any of them writes."""
    shared, breaker = in_table(aws, table), CircuitBreaker(new_key(), 1, 10, 10)
    limits.change(shared, breaker, lambda known: limits.after_failure(known, breaker, "first", 0.0), START)

    class Late(DynamoSharedState):
        def __init__(self) -> None:
            super().__init__(aws("dynamodb"), table, backoff=Backoff(attempts=1))
            self.before: Kept | None = shared.read(breaker.key)

        def read(self, key: str) -> Kept:
            before, self.before = self.before, None
            return before or super().read(key)

    late = [Late() for _ in range(5)]
    found = [limits.change(each, breaker, _admits(str(n), 20.0, 30.0), START) for n, each in enumerate(late)]
    assert [each is not None for each in found] == [True, False, False, False, False]


def test_processes_that_write_the_file_at_once_begin_no_more_than_the_rate_allows(tmp_path: Path) -> None:
    file, rate = tmp_path / "history.db", RateLimit("key", 7, 60)

    def take_five(number: int) -> int:
        mine = FileSharedState(file, f"run-{number}", lambda: START)
        return sum(mine.take(rate, START) for _ in range(5))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take_five, range(8))) == 7


def test_what_has_expired_is_forgotten_with_the_next_write(tmp_path: Path) -> None:
    file, now = tmp_path / "history.db", [START]
    shared = FileSharedState(file, "root", lambda: now[0])
    shared.take(RateLimit("key", 1, 60), START)
    shared.remember_place("run-1", "key", START + timedelta(hours=1))

    def kept() -> int:
        with closing(sqlite3.connect(file)) as connection:
            return int(connection.execute("SELECT COUNT(*) FROM shared").fetchone()[0])

    assert kept() == 2
    now[0] += timedelta(minutes=2)
    shared.forget("another")
    assert (kept(), shared.place_of("run-1")) == (1, "key")
    now[0] += timedelta(hours=1)
    shared.forget("another")
    assert (kept(), shared.place_of("run-1")) == (0, None)


def test_a_file_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "history.db").mkdir()
    with pytest.raises(HistoryError):
        FileSharedState(tmp_path / "history.db", "root", lambda: START)
