"""Long actions: they stop when their run is cancelled, wait while it is paused, and tell how far they are."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from stepsmith_functions.runtime.checkpoints import LOOK_EVERY, RESERVE, TELL_EVERY, Checkpoints
from stepsmith_functions.runtime.control import Control, Order
from stepsmith_functions.runtime.errors import RunCancelled, RunPaused
from stepsmith_functions.runtime.recording import StepProgress

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
PAUSE, CANCEL = (Control(order, "ann", NOON) for order in (Order.PAUSE, Order.CANCEL))


@dataclass
class Long:
    """An action with many items, each of which takes a tenth of a second of a function's 300."""

    order: Callable[[float], Control | None] = lambda _: None
    repeatable: bool = True
    now: float = 0.0
    looks: list[float] = field(default_factory=list)
    told: list[StepProgress] = field(default_factory=list)

    def elapsed(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def control(self) -> Control | None:
        self.looks.append(self.now)
        return self.order(self.now)

    def run(self, items: int) -> float:
        """When it is done."""
        checkpoints = Checkpoints(
            control=self.control, tell=self.told.append, clock=self, remaining_seconds=lambda: 300 - self.now,
            may_be_given_up=self.repeatable, logger=logging.getLogger,
        )  # fmt: skip
        for number in range(items):
            checkpoints.reached(StepProgress(100 * number / items, None, f"item {number}"))
            self.now += 0.1
        return self.now


def test_it_looks_and_tells_now_and_then_only() -> None:
    long = Long()
    assert long.run(1000) == pytest.approx(100)
    assert 0 < len(long.looks) <= 100 / LOOK_EVERY
    assert 0 < len(long.told) <= 100 / TELL_EVERY
    percents = [progress.percent or 0 for progress in long.told]
    assert percents == sorted(percents)


def test_a_short_action_neither_looks_nor_tells() -> None:
    long = Long()
    long.run(10)
    assert (long.looks, long.told) == ([], [])


def test_a_cancel_ends_it_within_a_look() -> None:
    long = Long(lambda now: CANCEL if now > 10 else None)
    with pytest.raises(RunCancelled, match="by ann"):
        long.run(1000)
    assert 10 < long.now <= 10 + LOOK_EVERY + 0.2


def test_a_pause_is_waited_out() -> None:
    long = Long(lambda now: PAUSE if 10 < now < 60 else None)
    assert long.run(1000) >= 100 + 48


def test_a_cancel_ends_a_pause() -> None:
    long = Long(lambda now: CANCEL if now > 50 else PAUSE if now > 10 else None)
    with pytest.raises(RunCancelled):
        long.run(1000)


def test_a_pause_that_is_longer_than_the_function_gives_up_what_may_be_repeated() -> None:
    long = Long(lambda now: PAUSE if now > 10 else None)
    with pytest.raises(RunPaused):
        long.run(1000)
    assert 300 - long.now < RESERVE


def test_what_may_not_be_repeated_goes_on_then() -> None:
    long = Long(lambda now: PAUSE if now > 10 else None, repeatable=False)
    assert long.run(400) >= 300 - RESERVE


def test_progress_without_words_is_not_told() -> None:
    assert not StepProgress().says_anything
    assert StepProgress(percent=0).says_anything
