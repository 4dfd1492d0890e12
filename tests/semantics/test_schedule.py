"""What the reference's scheduler leaves open: two things of one moment, of which the language says no order."""

from __future__ import annotations

import pytest

from tests.semantics.schedule import Ambiguous, OutOfTime, Pause, Process, Scheduler, Together, Within


def slow() -> Process:
    yield Pause(100)


def limited(microseconds: int) -> Process:
    yield Within(slow(), microseconds)


def both(one: int, other: int) -> Process:
    yield Together([limited(one), limited(other)], 2)


def test_the_first_whose_time_is_up_ends_the_other() -> None:
    with pytest.raises(OutOfTime):
        Scheduler((OutOfTime,)).run(both(4, 5))


def test_two_whose_time_is_up_at_one_moment_are_ambiguous() -> None:
    with pytest.raises(Ambiguous):
        Scheduler((OutOfTime,)).run(both(4, 4))
