"""Every row of the tables does what its example says."""

from __future__ import annotations

import pytest

from stepsmith.expressions.catalogue import FILTERS, FUNCTIONS, METHODS, TESTS
from stepsmith.expressions.table import Row
from tests.expressions.evaluation import value_of

ROWS = [
    pytest.param(row, id=f"{kind} {row.name}")
    for kind, table in (("filter", FILTERS), ("test", TESTS), ("function", FUNCTIONS), ("method", METHODS))
    for row in {id(row): row for row in table.values()}.values()
    if row.example
]


@pytest.mark.parametrize("row", ROWS)
def test_example_of_row(row: Row) -> None:
    """The example that the documentation prints gives the result beside it."""
    assert value_of(row.example, {"input": {}}) == row.result


def test_rows_without_an_example_are_those_that_change_with_time() -> None:
    """Only what differs at every run has no example."""
    names = {row.name for table in (FILTERS, TESTS, FUNCTIONS, METHODS) for row in table.values() if not row.example}
    assert names == {"now", "uuid"}
