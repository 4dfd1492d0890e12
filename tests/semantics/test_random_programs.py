"""Random workflows do on the engine what the language says: result, error, calls, times, as the reference has them.

`python -m tests.semantics.soak` does the same for as long as one likes.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings

from tests.semantics.comparison import by_reference, compare
from tests.semantics.programs.choosing import Dice
from tests.semantics.programs.program import Program, program, programs
from tests.semantics.programs.settling import IllMade, Refused, settle
from tests.semantics.reference import Outcome
from tests.semantics.schedule import Ambiguous
from tests.semantics.soak import Kind, made_of

USABLE = 0.85
"""The rest has a tie between branches, or a mistake that the generator makes now and then."""


def _difference(made: Program) -> str:
    found = compare(made)
    return f"{made.describe()}\n{found}" if found else ""


def _all_do_what_the_reference_does(seeds: range, kind: Kind, usable: float) -> Counter[str]:
    """Compares the programs of the seeds; how many had which traits, as the reference has them."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        try:
            made = made_of(seed, kind)
            assert _difference(made) == "", f"seed {seed}"
        except (Ambiguous, IllMade):
            continue
        seen.update({"usable", *_traits(by_reference(made))})
    assert seen["usable"] >= usable * len(seeds)
    return seen


def _traits(outcome: Outcome) -> Iterator[str]:
    yield outcome.status
    if outcome.runs:
        yield "starts another"
    if any(call.path and call.run for call in outcome.calls):
        yield "acts in another"
    if any(run.count("/") > 1 for run, _ in outcome.runs):
        yield "starts another's other"
    if any(parents == () for _, parents in outcome.runs):
        yield "does not wait or cleans up"
    yield from {f"refuses with {call.refused}" for call in outcome.calls if call.refused}
    if any(call.refused and call.run for call in outcome.calls):
        yield "refuses in another"
    if outcome.cancelled and any(not call.refused for call in outcome.calls[-1:]):
        yield "acts after a cancel"


@pytest.mark.parametrize("hundred", [100, 200])
def test_a_hundred_programs_do_what_the_reference_does(hundred: int) -> None:
    _all_do_what_the_reference_does(range(hundred, hundred + 100), Kind(), USABLE)


def test_a_hundred_programs_that_roll_back_do_what_the_reference_does() -> None:
    seen = _all_do_what_the_reference_does(range(100), Kind(rolls_back=True), USABLE - 0.15)
    assert min(seen["rolled_back"], seen["rollback_failed"]) > 5


def test_programs_that_start_others_do_what_the_reference_does() -> None:
    seen = _all_do_what_the_reference_does(range(500, 560), Kind(children=True), USABLE - 0.15)
    assert seen["acts in another"] > 20
    assert min(seen["starts another's other"], seen["does not wait or cleans up"]) > 2


def test_programs_that_are_cancelled_or_paused_do_what_the_reference_does() -> None:
    seen = _all_do_what_the_reference_does(range(600, 670), Kind(orders=True), USABLE - 0.15)
    assert min(seen["cancelled"], seen["refuses with RunCancelled"]) > 10
    assert min(seen["refuses with RunPaused"], seen["acts after a cancel"]) > 2


def test_programs_with_all_of_that_do_what_the_reference_does() -> None:
    kind = Kind(rolls_back=True, children=True, orders=True)
    seen = _all_do_what_the_reference_does(range(700, 740), kind, USABLE - 0.25)
    assert min(seen["cancelled"], seen["refuses in another"]) > 2


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
