"""What random programs do on an interpreter by other people is what the reference does, where it can run them."""

from collections import Counter
from dataclasses import replace

import pytest

from tests.semantics.comparison import by_reference
from tests.semantics.elsewhere import NotThere, compare_elsewhere
from tests.semantics.programs.choosing import Dice
from tests.semantics.programs.program import Program, program
from tests.semantics.programs.settling import IllMade, settle
from tests.semantics.schedule import Ambiguous


@pytest.mark.parametrize(
    ("first", "count", "rolls_back", "usable"),
    [(300, 100, False, 50), (440, 60, True, 8)],
)
def test_programs_do_elsewhere_what_the_reference_does(first: int, count: int, rolls_back: bool, usable: int) -> None:
    found: Counter[str] = Counter()
    for seed in range(first, first + count):
        try:
            made = program(Dice(seed), rolls_back=rolls_back)
            difference = compare_elsewhere(made, by_reference(made))
        except (Ambiguous, IllMade, NotThere) as unusable:
            found[str(unusable)] += 1
            continue
        assert difference is None, f"{made.describe()}{difference}"
        found["equal"] += 1
    assert found["equal"] >= usable, found


@pytest.mark.parametrize(
    ("written", "otherwise", "what"),
    [
        ('"MaxAttempts": 6', '"MaxAttempts": 5', "elsewhere: calls"),
        ('"BackoffRate": 1', '"BackoffRate": 2', None),
        ('"x": 1', '"x": 2', "elsewhere: output"),
    ],
)
def test_the_comparison_elsewhere_can_see_a_difference(written: str, otherwise: str, what: str | None) -> None:
    text, compilation = settle(
        {"name": "one", "steps": [{"id": "a", "action": "ping", "on_failure": "continue"}], "output": {"x": 1}}
    )
    made = Program(text, {}, {"a": [{"error": "Lambda.ServiceException", "message": "no"}]}, compilation)
    assert written in (compilation.asl or "")
    other = replace(compilation, asl=(compilation.asl or "").replace(written, otherwise))
    difference = compare_elsewhere(replace(made, compilation=other), by_reference(made))
    assert (difference.what if difference else None) == what
