"""What a machine asks the ledger and what it is answered: pages, parts of outputs, steps that are not over."""

from __future__ import annotations

from typing import Any

import pytest

from stepsmith_functions.history.values import Recorded, StoredValue, to_text
from stepsmith_functions.rollback.completed import Asked, Entry, Ledger
from stepsmith_functions.rollback.question import MOST_BYTES, StepStillRunning, answer, pruned, read_question
from tests.functions.rollback.scenes import at

STATE_LIMIT = 262_144
"""Bytes that a state's data may have (Step Functions, Service quotas)."""


def asking(after: Any = None, **steps: Any) -> dict[str, Any]:
    run = {"id": "run-1", "workflow": "w", "execution": "arn:x"}
    return {"run": run, "asked_by": "workflow.rollback", "steps": steps, "after": after}


def as_is(value: Recorded) -> Any:
    return value


def entry(number: int, output: Any = None, **fields: Any) -> Entry:
    return Entry("one", f"loop[{number}].one", at(number), number, output, **fields)


def ledger(*entries: Entry, running: tuple[str, ...] = (), unknown: tuple[str, ...] = ()) -> Ledger:
    return Ledger(tuple(sorted(entries, key=lambda each: each.key, reverse=True)), running, unknown)


def test_a_question_is_read() -> None:
    question = read_question(
        asking(
            one={"output": [["id"], ["of", "name"]], "seconds": 30},
            two={"output": None, "seconds": 900.0},
            call={"variable": "call_undo"},
        )
    )
    assert (question.run_id, question.execution_arn, question.asked_by) == ("run-1", "arn:x", "workflow.rollback")
    assert question.steps == {
        "one": Asked((("id",), ("of", "name")), 30, None),
        "two": Asked(None, 900, None),
        "call": Asked(None, None, "call_undo"),
    }
    assert question.after is None


def test_the_answer_has_what_the_undo_reads() -> None:
    question = read_question(asking(one={"output": [["id"]], "seconds": 30}))
    apart = StoredValue("b", "k", 1, "d")
    done = entry(1, {"id": 7, "text": "long"}, handed=apart)
    found = answer(question, ledger(done), lambda value: {"host": "h"} if value == apart else as_is(value))
    undo = {"step": "one", "path": "loop[1].one", "output": {"id": 7}, "with": {"host": "h"}}
    assert found == {"undo": [undo], "problem": ""}


def test_while_a_step_is_not_over_nothing_is_answered() -> None:
    with pytest.raises(StepStillRunning, match=r"loop\[1\].one"):
        answer(read_question(asking()), ledger(entry(2), running=("loop[1].one",)), as_is)


def test_what_nobody_knows_is_told_and_the_rest_is_undone() -> None:
    question = read_question(asking(one={"output": None, "seconds": 30}))
    found: Any = answer(question, ledger(entry(1), unknown=("a", "b")), as_is)
    assert [each["path"] for each in found["undo"]] == ["loop[1].one"]
    assert found["problem"] == "it is not known whether a, b took effect"
    assert found["unknown"] == ["a", "b"]
    many: Any = answer(question, ledger(unknown=tuple(f"loop[{n}].one" for n in range(1000))), as_is)
    assert len(many["problem"]) == 2000
    assert len(many["unknown"]) == 100


@pytest.mark.parametrize("size", [10, 1_000, 50_000, 250_000])
def test_a_large_ledger_comes_in_pages_that_a_state_can_hold(size: int) -> None:
    """Each once, latest first; one that is larger than a page by itself comes alone."""
    entries = [entry(number, "x" * size) for number in range(500 if size <= 1_000 else 12)]
    whole, seen, after, pages = ledger(*entries), [], None, 0
    while True:
        question = read_question(asking(after, one={"output": None, "seconds": 30}))
        found: Any = answer(question, whole, as_is)
        more = [each for each in found["undo"] if "more" in each]
        seen += [each["path"] for each in found["undo"] if "path" in each]
        assert len(found["undo"]) == 1 + len(more) or len(to_text(found).encode()) < MOST_BYTES + 200 < STATE_LIMIT
        pages += 1
        if not more:
            break
        assert more == found["undo"][-1:]
        after = more[0]["more"]
    assert seen == [f"loop[{each.order}].one" for each in reversed(entries)]
    assert (pages > 1) is (size * len(entries) > MOST_BYTES)


def test_pages_of_steps_that_ended_at_one_moment() -> None:
    entries = [Entry("one", f"loop[{n}].one", at(1), n, "x" * 100_000) for n in range(4)]
    after, seen = None, []
    for _ in entries:
        found: Any = answer(read_question(asking(after, one={"output": None})), ledger(*entries), as_is)
        seen.append(found["undo"][0]["path"])
        after = found["undo"][-1].get("more")
    assert seen == [f"loop[{n}].one" for n in (3, 2, 1, 0)]
    assert after is None


@pytest.mark.parametrize(
    ("value", "paths", "expected"),
    [
        ({"a": 1, "b": 2}, None, {"a": 1, "b": 2}),
        ({"a": 1, "b": 2}, [], {}),
        ({"a": 1, "b": 2}, [["a"], ["c"]], {"a": 1}),
        ({"a": {"b": 1, "c": 2}, "d": None}, [["a", "b"], ["d"]], {"a": {"b": 1}, "d": None}),
        ({"a": {"b": 1, "c": 2}}, [["a", "b"], ["a"]], {"a": {"b": 1, "c": 2}}),
        ({"a": 1}, [[], ["a"]], {"a": 1}),
        ({"a": [1, 2]}, [["a"]], {"a": [1, 2]}),
        ([1], [["a"]], {}),
        (None, None, None),
    ],
)
def test_parts_of_an_output(value: Any, paths: Any, expected: Any) -> None:
    assert pruned(value, paths) == expected
