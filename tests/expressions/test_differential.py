"""Random expressions: what we emit gives what Jinja2 gives, under the documented rules."""

from __future__ import annotations

import pytest

from tests.expressions.differential import compare
from tests.expressions.generator import Generator

COUNT = 250


@pytest.mark.parametrize("seed", [101, 202])
def test_random_expressions_agree_with_jinja(seed: int) -> None:
    """No value differs; where only one side fails it is one of the documented rules, and rare."""
    generator = Generator(seed)
    report = compare(generator.case() for _ in range(COUNT))["engine"]
    assert not report.examples.get("unequal")
    assert not report.examples.get("crash")
    assert report.counts["equal"] > COUNT
    # Lazy defaults, a missing value in an unused literal, `select` of a boolean that is false.
    assert report.counts["lenient"] + report.counts["loud"] < 0.05 * COUNT * 2
    assert report.counts["refused"] < 0.03 * COUNT * 2


def test_the_comparison_sees_a_difference() -> None:
    """The harness itself reports unequal values."""
    from tests.expressions.differential import equal, outcome_of

    assert outcome_of([1], failed=False, result={"value": [[1]]}) == "unequal"
    assert outcome_of(None, failed=True, result={"value": 1}) == "lenient"
    assert outcome_of(1, failed=False, result={"error": "x"}) == "loud"
    assert not equal(True, 1)
    assert equal({"a": [1.0]}, {"a": [1]})
