"""What of a run is held against a rehearsal's expectations, and what is told where it differs."""

from __future__ import annotations

from typing import Any

import pytest

from stepsmith.diagnostics import Diagnostics
from stepsmith.document import MappingNode, Node
from stepsmith.loading import load_document
from stepsmith.rehearsals.comparison import compare, value_differences
from stepsmith.rehearsals.model import MISSING, Expectation, StepExpectation
from stepsmith.rehearsals.report import sentence
from stepsmith.source import Position, SourceFile, Span

NOWHERE = Span("r.yaml", Position(9, 1), Position(9, 2))


def node(text: str) -> Node:
    diagnostics = Diagnostics()
    document = load_document(SourceFile("r.yaml", text), diagnostics)
    assert document is not None
    assert not diagnostics.has_errors
    return document.root


def mapping(text: str) -> MappingNode:
    found = node(text)
    assert isinstance(found, MappingNode)
    return found


def step(path: str, status: str = "succeeded", **more: Any) -> dict[str, Any]:
    return {
        "id": path.rpartition(".")[2],
        "path": path,
        "status": status,
        "attempts": 1,
        "output": None,
        "error": None,
        **more,
    }


def result(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"status": "succeeded", "output": None, "error": None, "elapsed_s": 0.0, "steps": list(steps), **more}


def expecting(text: str) -> StepExpectation:
    written = mapping(text)
    names = {entry.key: entry.value.value for entry in written.entries if entry.key in ("id", "path")}  # type: ignore[union-attr]
    fields = tuple(entry for entry in written.entries if entry.key not in names)
    return StepExpectation(written.span, names.get("id"), names.get("path"), fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("expected", "actual", "places"),
    [
        ("a: 1", {"a": 1, "b": 2}, []),
        ("a: 1", {"a": 1.0}, []),
        ("a: 1", {"a": True}, ["1:4 x.a"]),
        ("a: null", {"a": None}, []),
        ("a: null", {}, ["1:1 x.a"]),
        ("a: {b: [1, {c: 2}]}", {"a": {"b": [1, {"c": 2, "d": 3}]}}, []),
        ("a: {b: [1, {c: 2}]}", {"a": {"b": [1, {"c": 3}]}}, ["1:16 x.a.b[1].c"]),
        ("a: [1]", {"a": [1, 2]}, ["1:4 x.a"]),
        ("a: [1]", {"a": 1}, ["1:4 x.a"]),
        ("a: {}", {"a": "text"}, ["1:4 x.a"]),
        ("a: text", {"a": {}}, ["1:4 x.a"]),
        ("{}", {"a": 1}, []),
        ("a: 1\nb: 2\nc: 3", {"b": 2}, ["1:1 x.a", "3:1 x.c"]),
    ],
)
def test_only_what_is_written_is_compared(expected: str, actual: Any, places: list[str]) -> None:
    found = [f"{item.span.start} {item.what}" for item in value_differences(node(expected), actual, "x")]
    assert found == places


def test_a_field_that_is_not_there_is_told_at_its_key() -> None:
    (found,) = value_differences(node("output:\n  killed: true"), {"output": {}}, "x")
    assert (str(found.span), found.what, found.expected, found.actual) == (
        "r.yaml:2:3",
        "x.output.killed",
        True,
        MISSING,
    )
    assert sentence(found) == "x.output.killed: expected true, got nothing"


def test_steps_are_matched_in_order_with_others_between() -> None:
    ran = result(step("a"), step("b"), step("loop"), step("loop[0].c"), step("loop[1].c", "failed"))
    steps = (expecting("{id: a}"), expecting("{id: c}"), expecting("{path: 'loop[1].c', status: failed}"))
    assert list(compare(Expectation(steps=steps), ran)) == []


def test_a_step_in_the_wrong_order_is_told_with_the_order() -> None:
    ran = result(step("a"), step("b"))
    (found,) = compare(Expectation(steps=(expecting("{id: b}"), expecting("{id: a}"))), ran)
    assert found.note == "a did not start after b; in order: a, b"
    (found,) = compare(Expectation(steps=(expecting("{id: c}"),)), ran)
    assert found.note == "c did not start; in order: a, b"


def test_a_step_of_several_times_is_matched_one_after_another() -> None:
    ran = result(step("loop[0].c", output=1), step("loop[1].c", output=2))
    steps = (expecting("{id: c, output: 1}"), expecting("{id: c, output: 3}"))
    (found,) = compare(Expectation(steps=steps), ran)
    assert (found.what, found.expected, found.actual) == ("steps.c.output", 3, 2)


def test_an_error_is_its_type_or_a_mapping() -> None:
    error = {"type": "Gone", "message": "it is gone", "step": "a", "line": 3}
    failed = result(step("a", "failed", error={"type": "Gone", "message": "it is gone"}), status="failed", error=error)
    for text in ("error: Gone", "error: {message: it is gone, step: a}"):
        assert list(compare(Expectation(error=mapping(text).entry("error")), failed)) == []
    assert list(compare(Expectation(steps=(expecting("{id: a, error: Gone}"),)), failed)) == []
    (found,) = compare(Expectation(error=mapping("error: Other").entry("error")), failed)
    assert (found.what, found.expected, found.actual) == ("error", "Other", "Gone")
    (found,) = compare(Expectation(error=mapping("error: null").entry("error")), failed)
    assert (found.expected, found.actual) == (None, error)
    (found,) = compare(Expectation(error=mapping("error: Gone").entry("error")), result())
    assert (found.expected, found.actual) == ("Gone", None)


def test_virtual_time_is_compared_to_the_millisecond() -> None:
    assert list(compare(Expectation(elapsed=(41.0, NOWHERE)), result(elapsed_s=41.0004))) == []
    (found,) = compare(Expectation(elapsed=(41.0, NOWHERE)), result(elapsed_s=41.002))
    assert sentence(found) == "elapsed_s: expected 41, got 41.002"
    (found,) = compare(Expectation(elapsed=(41.0, NOWHERE)), result(elapsed_s=None))
    assert found.actual is None


def test_a_skipped_step_has_not_run() -> None:
    ran = result(step("a"), step("b", "skipped"), step("loop[0].c"))
    names = tuple((name, NOWHERE) for name in ("a", "b", "c", "loop[0].c", "d"))
    found = list(compare(Expectation(not_run=names), ran))
    assert [item.note for item in found] == [
        "a ran, and is succeeded",
        "c ran, and is succeeded",
        "loop[0].c ran, and is succeeded",
    ]


def test_status_and_output_are_told_at_their_place() -> None:
    expect = Expectation(status=("failed", NOWHERE), output=mapping("output: {a: 1}").entry("output"))
    found = list(compare(expect, result(output=None)))
    assert [sentence(item) for item in found] == [
        'status: expected "failed", got "succeeded"',
        'output: expected {"a": 1}, got null',
    ]
