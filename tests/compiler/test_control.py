"""How a run that is paused or cancelled leaves its steps: past every handler, through every `finally`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsmith.engine import Status
from tests.support.machines import Fail, Run, compiled, run

CANCEL = Fail("RunCancelled", "cancelled by ann: wrong host")


def tasks(states: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for state in states.values():
        if state["Type"] == "Task":
            yield state
        for inner in (*state.get("Branches", ()), *([state["ItemProcessor"]] if "ItemProcessor" in state else ())):
            yield from tasks(inner["States"])


def retriers(text: str) -> list[list[tuple[str, ...]]]:
    asl = json.loads(compiled(text).asl or "")
    return [[tuple(rule["ErrorEquals"]) for rule in task.get("Retry", ())] for task in tasks(asl["States"])]


def cancelled(made: Run) -> bool:
    return made.execution.status is Status.FAILED and made.execution.error == "RunCancelled"


def test_the_first_retrier_of_every_action_is_for_a_pause() -> None:
    text = "name: w\nsteps: [{action: ping, retry: 0}, {parallel: {x: [{action: ping, id: b, retry: 3}]}}]"
    assert [rules[0] for rules in retriers(text)] == [("RunPaused",), ("RunPaused",)]
    asl = json.loads(compiled(text).asl or "")
    first = next(tasks(asl["States"]))["Retry"][0]
    assert first == {"ErrorEquals": ["RunPaused"], "IntervalSeconds": 300, "MaxAttempts": 99999999, "BackoffRate": 1}


def test_an_express_run_is_not_paused() -> None:
    text = "name: w\ntype: express\nsteps: [{action: ping}]"
    assert all(("RunPaused",) not in rules for rules in retriers(text))
    payload = next(tasks(json.loads(compiled(text).asl or "")["States"]))["Arguments"]["Payload"]
    assert payload["run"]["control"]["pausable"] is False


def test_a_pause_takes_five_minutes_for_each_try_whatever_the_retry_says() -> None:
    text = "name: w\nsteps: [{id: a, action: ping, retry: 1, on_failure: continue}]"
    made = run(text, outcomes={"a": [Fail("RunPaused"), Fail("RunPaused"), Fail("RunPaused"), {"ok": True, "ms": 1}]})
    assert made.execution.status is Status.SUCCEEDED
    assert made.execution.stopped is not None
    assert (made.execution.stopped - made.execution.started).total_seconds() == 900


@pytest.mark.parametrize(
    "modifiers",
    [
        "on_failure: continue",
        "retry: 5",
        "retry: {max_retries: 5, on: [States.TaskFailed]}",
        "on_failure: [{steps: [{id: h, action: ping}], then: continue}]",
        "on_failure: [{errors: [States.TaskFailed], then: continue}]",
        "on_failure: [{errors: [Throttled], then: continue}, {steps: [{id: h, action: ping}], then: fail}]",
    ],
)
def test_no_handler_and_no_retry_takes_a_cancel(modifiers: str) -> None:
    made = run(
        f"name: w\nsteps:\n  - {{id: a, action: ping, {modifiers}}}\n  - {{id: z, action: ping}}", None, {"a": CANCEL}
    )
    assert cancelled(made)
    assert made.steps == ["a"]
    assert "wrong host" in (made.execution.cause or "")


NESTED = """
name: nested
steps:
  - id: outer
    try:
      - id: both
        parallel:
          left:
            - id: inner
              try:
                - id: many
                  for_each:
                    in: [1, 2]
                    tolerate: 2
                    steps:
                      - {id: work, action: ping, on_failure: continue}
              catch: [{steps: [{id: caught, action: ping}], then: continue}]
              finally: [{id: inner_end, action: ping}]
          right: [{id: side, action: ping}]
        on_failure: continue
    catch: [{steps: [{id: caught_too, action: ping}], then: continue}]
    finally: [{id: outer_end, action: ping}]
  - {id: after, action: ping}
finally: [{id: last, action: ping}]
"""


def test_every_finally_runs_on_the_way_out_innermost_first() -> None:
    made = run(NESTED, outcomes={"work": CANCEL})
    assert cancelled(made)
    assert made.steps[-3:] == ["both.left.inner_end", "outer_end", "last"]
    assert not {"caught", "caught_too", "after"} & {path.rpartition(".")[2] for path in made.steps}


@pytest.mark.parametrize("end", ["inner_end", "outer_end", "last"])
def test_a_finally_that_fails_leaves_a_cancelled_run_cancelled(end: str) -> None:
    made = run(NESTED, outcomes={"work": CANCEL, end: Fail("Boom")})
    assert cancelled(made)
    assert made.steps[-1] == "last"


def test_steps_of_a_finally_are_out_of_control() -> None:
    asl = json.loads(compiled(NESTED).asl or "")
    controlled = {
        task["Arguments"]["Payload"]["step"]["id"]
        for task in tasks(asl["States"])
        if "control" in task["Arguments"]["Payload"]["run"]
    }
    assert controlled == {"work", "caught", "side", "after"}  # nothing leads to caught_too


UNDONE = """
name: undone
on_failure: rollback
steps:
  - {id: one, action: ping, rollback: {action: ping}}
  - id: many
    try:
      - id: both
        parallel:
          left: [{id: two, action: ping, rollback: {action: ping}}, {id: work, action: ping, MODIFIERS}]
          right: [{wait: 1h}]
    catch: [{then: continue}]
    finally: [{id: inner_end, action: ping}]
  - {id: after, action: ping}
finally: [{id: last, action: ping}]
"""


@pytest.mark.parametrize("modifiers", ["on_failure: continue", "on_failure: fail", "on_failure: rollback", "retry: 0"])
def test_a_cancelled_run_is_rolled_back_between_its_blocks_and_its_own_finally(modifiers: str) -> None:
    made = run(UNDONE.replace("MODIFIERS", modifiers), outcomes={"work": CANCEL})
    assert cancelled(made)
    ids = [path.rpartition(".")[2] if not path.endswith(".rollback") else path for path in made.steps]
    assert ids == ["one", "two", "work", "inner_end", "both.left.two.rollback", "one.rollback", "last"]
    assert json.loads(made.execution.cause or "")["status"] == "rolled_back"


def test_a_run_that_is_not_rolled_back_when_it_fails_is_not_when_it_is_cancelled() -> None:
    text = UNDONE.replace("on_failure: rollback\nsteps", "steps").replace("MODIFIERS", "on_failure: rollback")
    made = run(text, outcomes={"work": CANCEL})
    assert cancelled(made)
    assert not [path for path in made.steps if path.endswith(".rollback")]


def test_a_step_that_fails_the_run_without_a_rollback_is_rolled_back_when_cancelled() -> None:
    text = UNDONE.replace("MODIFIERS", "retry: 0").replace(
        "{id: after, action: ping}", "{id: z, action: ping, on_failure: fail}"
    )
    made = run(text, outcomes={"z": CANCEL})
    assert cancelled(made)
    assert made.steps[-3:] == ["both.left.two.rollback", "one.rollback", "last"]


def test_undos_are_out_of_control() -> None:
    asl = json.loads(compiled(UNDONE.replace("MODIFIERS", "retry: 0")).asl or "")
    undos = [task for task in tasks(asl["States"]) if "step" in task["Arguments"]["Payload"]]
    undos = [task for task in undos if "undoes" in task["Arguments"]["Payload"]["step"]]
    assert len(undos) == 2
    assert all("control" not in task["Arguments"]["Payload"]["run"] for task in undos)


_BODIES = st.recursive(
    st.just("work"),
    lambda inner: st.one_of(
        st.builds(lambda body: {"parallel": {"l": [body], "r": [{"wait": "1s"}]}, "on_failure": "continue"}, inner),
        st.builds(lambda body: {"for_each": {"in": [1], "tolerate": 1, "steps": [body]}}, inner),
        st.builds(lambda body: {"for_each": {"in": [1], "steps": [body]}, "on_failure": "continue"}, inner),
        st.builds(lambda body: {"try": [body], "catch": [{"then": "continue"}]}, inner),
        st.builds(lambda body: {"try": [body], "catch": [{"then": "continue"}], "finally": ["end"]}, inner),
        st.builds(lambda body: {"repeat": {"while": "{{ true }}", "max": 2, "steps": [body]}}, inner),
        st.builds(lambda body: {"switch": [{"if": "{{ true }}", "steps": [body]}]}, inner),
    ),
    max_leaves=5,
)


def _numbered(body: Any, count: list[int], ends: list[str]) -> Any:
    """The body with an id for each step; notes the steps of `finally`, innermost first."""
    if body == "work":
        return {"id": "work", "action": "ping", "on_failure": "continue"}
    if body == "end":
        count[0] += 1
        ends.append(f"end_{count[0]}")
        return {"id": f"end_{count[0]}", "action": "ping"}
    if isinstance(body, dict):
        return {key: _numbered(value, count, ends) for key, value in body.items()}
    return [_numbered(item, count, ends) for item in body] if isinstance(body, list) else body


@given(_BODIES)
def test_whatever_stands_around_a_step_its_cancel_reaches_the_end(body: Any) -> None:
    ends: list[str] = []
    step = _numbered(body, [0], ends)
    workflow = {
        "name": "w",
        "steps": [step, {"id": "after", "action": "ping"}],
        "finally": [{"id": "last", "action": "ping"}],
    }
    made = run(json.dumps(workflow), outcomes={"work": CANCEL})
    assert cancelled(made)
    assert [path.rpartition(".")[2] for path in made.steps] == ["work", *ends, "last"]
