"""Random workflows do on the engine what the language says: result, error, calls, times, as the reference has them.

`python -m tests.semantics.soak` does the same for as long as one likes.
"""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings

from tests.semantics.comparison import compare
from tests.semantics.programs.choosing import Dice
from tests.semantics.programs.program import Program, program, programs
from tests.semantics.programs.settling import IllMade, Refused, settle
from tests.semantics.schedule import Ambiguous

USABLE_OF_A_HUNDRED = 85
"""The rest has a tie between branches, or a mistake that the generator makes now and then."""


def _difference(made: Program) -> str:
    found = compare(made)
    return f"{made.describe()}\n{found}" if found else ""


@pytest.mark.parametrize("hundred", [100, 200])
def test_a_hundred_programs_do_what_the_reference_does(hundred: int) -> None:
    usable = 0
    for seed in range(hundred, hundred + 100):
        try:
            assert _difference(program(Dice(seed))) == ""
        except (Ambiguous, IllMade):
            continue
        usable += 1
    assert usable >= USABLE_OF_A_HUNDRED


def test_a_hundred_programs_that_roll_back_do_what_the_reference_does() -> None:
    usable = 0
    for seed in range(100):
        try:
            assert _difference(program(Dice(seed), rolls_back=True)) == ""
        except (Ambiguous, IllMade):
            continue
        usable += 1
    assert usable >= USABLE_OF_A_HUNDRED - 15


@settings(
    max_examples=60,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
@given(programs(deepest=2))
def test_programs_of_hypothesis_do_what_the_reference_does(made: Program | None) -> None:
    assume(made is not None)
    assert made is not None
    try:
        assert _difference(made) == ""
    except Ambiguous:
        assume(False)


def test_deep_programs_do_what_the_reference_does() -> None:
    for seed in range(40):
        try:
            assert _difference(program(Dice(seed), deepest=4)) == ""
        except (Ambiguous, IllMade):
            continue


def test_the_comparison_can_see_a_difference() -> None:
    text, compilation = settle({"name": "one", "steps": [{"id": "a", "action": "ping"}]})
    made = Program(text, {}, {"a": [{"error": "Lambda.ServiceException", "message": "no"}]}, compilation)
    assert _difference(made) == ""
    asl = (compilation.asl or "").replace('"MaxAttempts": 6', '"MaxAttempts": 5')
    assert "call 6" in _difference(replace(made, compilation=replace(compilation, asl=asl)))


def test_a_program_that_the_checks_refuse_is_told_apart() -> None:
    with pytest.raises(Refused, match="says nothing to do"):
        settle({"name": "x", "steps": [{"id": "a"}]})
