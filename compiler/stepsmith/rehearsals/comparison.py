"""Holds the result of a run against what was expected of it.

One rule everywhere: only what is written is compared. A mapping must hold what is written of it and may hold more, a
list is compared as a whole, item by item. Steps are matched in order, and others may have run between them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from stepsmith.document import Entry, Json, MappingNode, Node, ScalarNode, SequenceNode, plain
from stepsmith.rehearsals.model import MISSING, Compared, Difference, Expectation, StepExpectation
from stepsmith.schema import same
from stepsmith.source import Span

_MILLISECOND: Final = 0.001
"""The finest that a run's times have."""

Result = Mapping[str, Json]


def compare(expect: Expectation, result: Result) -> Iterator[Difference]:
    """Everything in a run's detailed result (`run_result(…, details=True)`) that is not as expected."""
    if expect.status is not None:
        word, span = expect.status
        if result["status"] != word:
            yield Difference(span, "status", word, result["status"])
    if expect.error is not None:
        yield from _error(expect.error, result["error"], "error")
    if expect.output is not None:
        yield from value_differences(expect.output.value, result["output"], "output", expect.output.key_span)
    if expect.elapsed is not None:
        seconds, span = expect.elapsed
        elapsed = result["elapsed_s"]
        if not isinstance(elapsed, int | float) or abs(elapsed - seconds) >= _MILLISECOND:
            yield Difference(span, "elapsed_s", _number(seconds), _number(elapsed))
    steps = [step for step in _list(result["steps"]) if isinstance(step, dict)]
    yield from _steps(expect.steps, steps)
    for name, span in expect.not_run:
        ran = next((step for step in steps if name in (step["id"], step["path"]) and step["status"] != "skipped"), None)
        if ran is not None:
            yield Difference(span, f"steps.{name}", MISSING, ran["status"], f"{name} ran, and is {ran['status']}")


def value_differences(expected: Node, actual: Compared, what: str, at: Span | None = None) -> Iterator[Difference]:
    """Where `actual` does not hold what is written in `expected`; `at` is the key, told where there is no value."""
    place = at if at is not None and actual is MISSING else expected.span
    match expected:
        case MappingNode() if isinstance(actual, dict):
            for entry in expected.entries:
                inner = actual.get(entry.key, MISSING)
                yield from value_differences(entry.value, inner, f"{what}.{entry.key}", entry.key_span)
        case SequenceNode() if isinstance(actual, list) and len(actual) == len(expected.items):
            for index, (item, value) in enumerate(zip(expected.items, actual, strict=True)):
                yield from value_differences(item, value, f"{what}[{index}]")
        case ScalarNode() if not isinstance(actual, list | dict) and actual is not MISSING:
            if not same(expected.value, _json(actual)):
                yield Difference(place, what, expected.value, actual)
        case _:
            yield Difference(place, what, plain(expected), actual)


def _error(expected: Entry, actual: Json, what: str) -> Iterator[Difference]:
    """An error is written as its type, or as a mapping with its type, message, step and line."""
    if isinstance(expected.value, ScalarNode) and expected.value.value is not None and isinstance(actual, dict):
        actual = actual.get("type")
    yield from value_differences(expected.value, actual, what, expected.key_span)


def _steps(expected: Sequence[StepExpectation], steps: Sequence[Mapping[str, Json]]) -> Iterator[Difference]:
    start = 0
    after: str | None = None
    for item in expected:
        found = next((at for at in range(start, len(steps)) if _is(item, steps[at])), None)
        if found is None:
            yield _absent(item, steps, after)
            continue
        yield from _step(item, steps[found])
        start, after = found + 1, item.name


def _is(expected: StepExpectation, step: Mapping[str, Json]) -> bool:
    return (expected.id is None or expected.id == step["id"]) and (
        expected.path is None or expected.path == step["path"]
    )


def _absent(expected: StepExpectation, steps: Sequence[Mapping[str, Json]], after: str | None) -> Difference:
    before = any(_is(expected, step) for step in steps)
    note = f"{expected.name} did not start"
    if before:
        note = f"{expected.name} did not start after {after}"
    order = ", ".join(str(step["path"]) for step in steps) or "no step"
    return Difference(expected.span, f"steps.{expected.name}", expected.name, MISSING, f"{note}; in order: {order}")


def _step(expected: StepExpectation, step: Mapping[str, Json]) -> Iterator[Difference]:
    name = f"steps.{expected.name}"
    for entry in expected.fields:
        actual = step.get(entry.key)
        if entry.key == "error":
            yield from _error(entry, actual, f"{name}.error")
        else:
            yield from value_differences(entry.value, actual, f"{name}.{entry.key}", entry.key_span)


def _number(value: Json) -> Json:
    """Whole seconds without a fraction, as people write them."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _json(value: Compared) -> Json:
    assert value is None or isinstance(value, bool | int | float | str | list | dict)
    return value


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
