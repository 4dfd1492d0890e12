"""The records of a run's steps say what the reference says of them: which ran, how each ended, with which error."""

from __future__ import annotations

from typing import Any

import pytest

from stepsmith.engine import Engine, TaskCall, TaskOutcome, TaskSucceeded, api_event
from stepsmith_functions.history.ending import run_ending
from stepsmith_functions.history.origins import read_origins
from stepsmith_functions.history.rebuild import steps_from_history
from stepsmith_functions.history.result import undone
from tests.expressions.oracle import OracleError
from tests.semantics.bench import on_engine
from tests.semantics.histories import Ended, disagreements, told
from tests.semantics.programs.choosing import Dice
from tests.semantics.programs.program import Program, program
from tests.semantics.programs.settling import IllMade, settle
from tests.semantics.schedule import Ambiguous
from tests.support.ledger import FUNCTION

USABLE_OF_A_HUNDRED = 80


def _text(made: Program, found: dict[str, tuple[str, str]]) -> str:
    return f"{made.describe()}\n{found}" if found else ""


@pytest.mark.parametrize(("first", "rolls_back", "deepest"), [(0, False, 2), (100, False, 3), (0, True, 3)])
def test_the_records_of_a_hundred_programs_are_as_the_reference_has_them(
    first: int, rolls_back: bool, deepest: int
) -> None:
    usable = 0
    for seed in range(first, first + 100):
        try:
            made = program(Dice(seed), rolls_back=rolls_back, deepest=deepest)
            assert _text(made, disagreements(made)) == ""
        except (Ambiguous, IllMade, OracleError):
            continue
        usable += 1
    assert usable >= USABLE_OF_A_HUNDRED


FAILS: list[dict[str, Any]] = [{"error": "Unreachable", "message": "no"}]
LOOP = {"in": [1, 2, 3], "tolerate": 1, "steps": [{"id": "bad", "fail": {"error": "Broken", "cause": "no"}}]}
AGAIN = {"until": "{{ false }}", "max": 2, "steps": [{"id": "rest", "wait": "1s"}]}


@pytest.mark.parametrize("handled", [False, True])
@pytest.mark.parametrize(
    ("step", "path", "error"),
    [
        ({"for_each": LOOP}, "it", "ToleranceExceeded"),
        ({"repeat": AGAIN}, "it", "RepeatExhausted"),
        ({"switch": [{"if": "{{ true }}", "steps": [{"id": "inner", "repeat": AGAIN}]}]}, "it", "RepeatExhausted"),
        ({"try": [{"id": "inner", "action": "ping"}], "finally": [{"id": "tidy", "wait": "1s"}]}, "it", "Unreachable"),
        ({"try": [{"id": "inner", "action": "ping"}], "catch": [{"errors": ["Other"]}]}, "it", "Unreachable"),
        ({"parallel": {"one": [{"id": "inner", "fail": {"error": "Broken", "cause": "no"}}]}}, "it", "Broken"),
    ],
)
def test_a_block_that_fails_says_so(step: dict[str, Any], path: str, error: str, handled: bool) -> None:
    """Whether the run fails with it or a handler takes the error."""
    whole = [{"id": "it", **step}]
    steps = [{"id": "around", "try": whole, "catch": [{"then": "continue"}]}] if handled else whole
    text, compilation = settle({"name": "one", "steps": steps})
    made = Program(text, {}, {"inner": FAILS}, compilation)
    execution, _ = on_engine(made)
    records = told(made, execution)
    assert records[path] == Ended("failed", error)
    assert str(execution.status) == ("SUCCEEDED" if handled else "FAILED")
    assert _text(made, disagreements(made)) == ""


def test_a_set_of_a_handler_is_shown_where_that_handler_ran() -> None:
    """Two handlers lead to the same state, and only one of them sets something."""
    handlers = [
        {"errors": ["Unreachable"], "steps": [{"id": "why", "set": {"why": "gone"}}], "then": "continue"},
        {"then": "continue"},
    ]
    steps = [
        {"id": "ask", "action": "ping", "on_failure": handlers},
        {"id": "rest", "wait": "1s"},
        {"id": "end", "stop": {"output": "{{ vars.why | default('fine') }}"}},
    ]
    text, compilation = settle({"name": "one", "steps": steps})
    for error, ran in (("Unreachable", True), ("Lambda.Unknown", False)):
        made = Program(text, {}, {"ask": [{"error": error, "message": "no"}]}, compilation)
        records = told(made, on_engine(made)[0])
        assert ("why" in records) == ran
        assert _text(made, disagreements(made)) == ""


@pytest.mark.parametrize("flag", [True, False])
@pytest.mark.parametrize("after", [[], [{"id": "rest", "wait": "1s"}]])
def test_a_block_that_only_sets_is_shown_as_the_condition_before_it_decided(flag: bool, after: list[Any]) -> None:
    """It has no state; whether it was skipped the Choice before it tells."""
    whole = {"id": "it", "if": "{{ input.flag }}", "try": [{"id": "one", "set": {"x": "{{ input.flag }}"}}]}
    steps = [{**whole, "catch": [{"then": "continue"}]}, {"id": "two", "set": {"x": 2}}, *after]
    given = {
        "name": "one",
        "input": {"flag": {"type": "boolean"}},
        "steps": steps,
        "output": "{{ vars.x | default(0) }}",
    }
    text, compilation = settle(given)
    made = Program(text, {"flag": flag}, {}, compilation)
    records = told(made, on_engine(made)[0])
    assert records["it"] == Ended("succeeded" if flag else "skipped")
    assert ("one" in records) == flag
    assert _text(made, disagreements(made)) == ""


@pytest.mark.parametrize("around", [False, True])
def test_what_a_finally_fails_with_is_the_error_of_the_blocks_around_it(around: bool) -> None:
    """The error before it was taken by a handler, and stays that of the `try` itself."""
    inner = {
        "id": "inner",
        "try": [{"id": "ask", "action": "ping"}],
        "catch": [{"then": "continue"}],
        "finally": [{"id": "no", "fail": {"error": "Broken", "cause": "no"}}],
    }
    it: dict[str, Any] = {"id": "it", "repeat": {"max": 1, "until": "{{ true }}", "steps": [inner]}}
    if around:
        it = {"id": "both", "parallel": {"one": [it], "two": [{"id": "rest", "wait": "1s"}]}}
    text, compilation = settle({"name": "one", "steps": [it]})
    made = Program(text, {}, {"ask": FAILS}, compilation)
    records = told(made, on_engine(made)[0])
    assert records["both.one.it" if around else "it"] == Ended("failed", "Broken")
    assert _text(made, disagreements(made)) == ""


@pytest.mark.parametrize("around", [False, True])
def test_an_error_on_its_way_stays_the_error_whatever_a_finally_fails_with(around: bool) -> None:
    no = {"id": "no", "fail": {"error": "Broken", "cause": "no"}}
    inner = {"id": "inner", "try": [{"id": "ask", "action": "ping"}], "finally": [no]}
    it: dict[str, Any] = {"id": "it", "repeat": {"max": 1, "until": "{{ true }}", "steps": [inner]}}
    if around:
        it = {"id": "both", "parallel": {"one": [it], "two": [{"id": "rest", "wait": "1s"}]}}
    text, compilation = settle({"name": "one", "steps": [it]})
    made = Program(text, {}, {"ask": FAILS}, compilation)
    assert told(made, on_engine(made)[0])["both.one.it" if around else "it"] == Ended("failed", "Unreachable")
    assert _text(made, disagreements(made)) == ""


SLOW: list[dict[str, Any]] = [{"result": {"ok": True}, "slow": 9}]
OPEN = {"parallel": {"x": [{"id": "long", "action": "ping"}], "y": [{"id": "short", "wait": "1s"}]}}
LATE = [{"id": "late", "wait": "3s"}, {"id": "no", "fail": {"error": "Broken", "cause": "no"}}]
GRAPH = [{"id": "long", "action": "ping"}, {"id": "short", "wait": "1s", "needs": []}]


@pytest.mark.parametrize(
    "block",
    [
        {"switch": [{"if": "{{ true }}", "steps": [{"id": "inner", **OPEN}]}]},
        {"switch": [{"if": "{{ true }}", "steps": GRAPH}]},
        {"try": [{"id": "inner", **OPEN}], "catch": [{"errors": ["Other"]}]},
        {"repeat": {"max": 1, "until": "{{ true }}", "steps": [{"id": "inner", **OPEN}]}},
    ],
)
def test_a_block_that_a_sibling_ends_is_cancelled_whatever_ended_last_in_it(block: dict[str, Any]) -> None:
    both = {"id": "both", "parallel": {"one": [{"id": "it", **block}], "two": LATE}}
    text, compilation = settle({"name": "one", "steps": [both]})
    made = Program(text, {}, {"long": SLOW}, compilation)
    assert told(made, on_engine(made)[0])["both.one.it"] == Ended("cancelled")
    assert _text(made, disagreements(made)) == ""


def test_a_block_of_which_only_an_inner_block_has_begun_is_on_record() -> None:
    """The history has nothing of it but the state of the inner one."""
    inner = {"id": "inner", "switch": [{"if": "{{ true }}", "steps": [{"id": "rest", "wait": "9s"}]}]}
    it = {"id": "it", "try": [inner], "catch": [{"errors": ["Other"]}]}
    _, compilation = settle({"name": "one", "steps": [it]})
    engine = Engine(lambda _: TaskSucceeded(None))
    execution = engine.start(compilation.asl or "", {}, name="run-1")
    engine.run(execution)
    events = [api_event(event) for event in execution.events]
    begun = next(at for at, event in enumerate(events, 1) if event["type"] == "ChoiceStateExited")
    assert compilation.origins is not None
    records = steps_from_history(events[:begun], read_origins(compilation.origins), "run-1")
    assert [step.path for step in records] == ["it", "inner"]


def test_the_comparison_can_see_a_difference() -> None:
    text, compilation = settle({"name": "one", "steps": [{"id": "it", "repeat": AGAIN}]})
    assert compilation.origins is not None
    states: Any = compilation.origins["states"]
    for state in states.values():
        state.pop("raises", None)
    made = Program(text, {}, {}, compilation)
    assert disagreements(made) == {"it": ("failed RepeatExhausted", "failed")}


def test_an_undo_that_could_not_be_given_what_it_reads_is_a_failed_undo() -> None:
    """The ledger says so of one step; the others are undone, and the run ends as one whose rollback has failed."""
    undo = {"action": "ping", "params": {"host": "{{ output.ms | default('h') }}"}}
    steps = [
        {"id": "a", "action": "ping", "rollback": undo},
        {"id": "b", "action": "ping", "rollback": undo},
        {"id": "c", "fail": {"error": "Broken", "cause": "no"}},
    ]
    _, compilation = settle({"name": "one", "on_failure": "rollback", "steps": steps})
    lost = {"step": "b", "path": "b", "reason": "gone"}
    known = {"step": "a", "path": "a", "output": {"ms": 1}, "with": {}}
    answered = {"undo": [known], "problem": "what the undo of b reads cannot be read", "lost": [lost]}

    def answer(call: TaskCall) -> TaskOutcome:
        arguments: Any = call.arguments
        payload = answered if arguments["FunctionName"] == FUNCTION else {"ok": True}
        return TaskSucceeded({"StatusCode": 200, "Payload": payload})

    engine = Engine(answer)
    execution = engine.start(compilation.asl or "", {}, name="run-1")
    engine.run(execution)
    status, error = run_ending(str(execution.status), execution.error, execution.cause)
    assert (status.value, error and error.type) == ("rollback_failed", "Broken")
    assert compilation.origins is not None
    events = [api_event(event) for event in execution.events]
    records = undone(steps_from_history(events, read_origins(compilation.origins), "run-1"))
    found = {step.path: (step.status.value, step.error.type if step.error else None) for step in records}
    assert found == {
        "a": ("rolled_back", None),
        "b": ("rollback_failed", None),
        "c": ("failed", "Broken"),
        "a.rollback": ("succeeded", None),
        "b.rollback": ("failed", "ValueLost"),
    }
