"""Clocks and deadlines: virtual, real, interrupted."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stepsmith.engine import Engine, RealClock, Status, TaskSucceeded, VirtualClock

WAITS = {
    "QueryLanguage": "JSONata",
    "StartAt": "W",
    "States": {"W": {"Type": "Wait", "Timestamp": "{% $states.input %}", "End": True}},
}


def test_a_virtual_clock_never_goes_back() -> None:
    clock = VirtualClock(datetime(2025, 1, 1, 2, tzinfo=UTC))
    clock.wait_until(datetime(2025, 1, 1, 1, tzinfo=UTC))
    assert clock.now() == datetime(2025, 1, 1, 2, tzinfo=UTC)


def test_a_virtual_clock_needs_a_time_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        VirtualClock(datetime(2025, 1, 1))


def test_a_real_clock_waits_in_real_time() -> None:
    engine = Engine(lambda call: TaskSucceeded(None), clock=RealClock())
    until = datetime.now(UTC) + timedelta(milliseconds=60)
    execution = engine.start(WAITS, until.isoformat().replace("+00:00", "Z"))
    engine.run()
    assert execution.status is Status.SUCCEEDED
    assert until <= execution.stopped < until + timedelta(seconds=5)


def test_a_handlers_real_time_counts_against_the_timeout(make_task: Any) -> None:
    class Skewed(RealClock):
        """A real clock on which a handler can take its time without anybody waiting for it."""

        ahead = timedelta()

        def now(self) -> datetime:
            return datetime(2025, 1, 1, tzinfo=UTC) + self.ahead

    clock = Skewed()

    def handler(call: Any) -> Any:
        clock.ahead += timedelta(seconds=31)
        return TaskSucceeded("late")

    engine = Engine(handler, clock=clock)
    definition = {"QueryLanguage": "JSONata", "StartAt": "T", "States": {"T": make_task(TimeoutSeconds=30)}}
    execution = engine.start(definition, None)
    engine.run()
    assert execution.error == "States.Timeout"


def test_an_interrupted_run_can_be_stopped_cleanly(bench: Any, make_task: Any) -> None:
    def interrupted(call: Any) -> Any:
        raise KeyboardInterrupt

    bench.handler = interrupted
    execution = bench.start({"T": make_task(Next="W"), "W": {"Type": "Wait", "Seconds": 5, "End": True}})
    with pytest.raises(KeyboardInterrupt):
        bench.engine.run()
    assert execution.running
    bench.engine.stop(execution, "Interrupted")
    bench.engine.run()
    assert (execution.status, execution.events[-1].type) == (Status.ABORTED, "ExecutionAborted")


def test_a_passive_deadline_happens_in_its_time_but_makes_no_time_pass(bench: Any) -> None:
    happened: list[float] = []
    began = bench.engine.clock.now()

    def tick() -> None:
        happened.append((bench.engine.clock.now() - began).total_seconds())
        bench.engine.call_later(10, tick, passive=True)

    bench.engine.call_later(10, tick, passive=True)
    bench.engine.run()
    assert happened == []
    bench({"W": {"Type": "Wait", "Seconds": 35, "End": True}})
    assert happened == [10, 20, 30]


def test_a_thousand_cancelled_deadlines_are_forgotten(bench: Any, make_task: Any) -> None:
    for _ in range(1000):
        bench({"T": make_task(TimeoutSeconds=1000)})
    assert bench.engine.next_deadline is None


def test_what_is_passive_happens_at_its_own_time_while_time_is_let_pass() -> None:
    engine = Engine(lambda call: TaskSucceeded(None))
    seen: list[float] = []
    begun = engine.clock.now()

    def hourly() -> None:
        seen.append((engine.clock.now() - begun).total_seconds() / 3600)
        engine.call_later(3600, hourly, passive=True)

    engine.call_later(3600, hourly, passive=True)
    engine.run()
    assert seen == []
    engine.advance(3 * 3600)
    assert seen == [1, 2, 3]
