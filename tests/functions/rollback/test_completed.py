"""What has completed: the execution's own history, and what handlers told of steps that it gave up."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from stepsmith_functions.history.records import StepStatus
from stepsmith_functions.rollback.completed import GRACE, Asked, Ledger
from tests.functions.rollback.scenes import SECONDS, Scene, at, told

WAITED = SECONDS + GRACE.total_seconds()


def paths(ledger: Ledger) -> list[str]:
    return [entry.path for entry in ledger.completed]


def test_the_latest_comes_first_with_its_output_and_what_it_handed_over() -> None:
    scene = Scene()
    first = scene.succeeds("one", 1, {"n": 1})
    scene.succeeds("two", first, {"n": 2}, path="loop[1].two")
    ledger = scene.ledger({})
    assert [(each.step, each.path, each.output, each.handed) for each in ledger.completed] == [
        ("two", "loop[1].two", {"n": 2}, {"input": "loop[1].two"}),
        ("one", "one", {"n": 1}, {"input": "one"}),
    ]
    assert (ledger.running, ledger.unknown) == ((), ())


def test_what_cannot_be_undone_failed_or_was_never_called_is_left_out() -> None:
    scene = Scene()
    free = scene.succeeds("free", 1)
    failed = scene.caught("one", scene.fails(scene.scheduled("one", free)))
    scene.event("TaskSubmitFailed", scene.entered("Task", "two", failed), error="States.QueryEvaluationError")
    assert scene.ledger({}) == Ledger((), (), ())


def test_a_step_that_succeeds_when_tried_again_has_completed() -> None:
    scene = Scene()
    failed = scene.fails(scene.scheduled("one", 1))
    scene.exited("Task", "one", scene.answered(scene.scheduled("one", 1, entered=failed), {"n": 2}))
    assert [each.output for each in scene.ledger({}).completed] == [{"n": 2}]


def test_a_step_that_is_visited_again_is_undone_once_as_it_was_last() -> None:
    scene = Scene()
    start = scene.parallel(1)
    scene.succeeds("one", start, {"n": 1})
    failed = scene.event("ParallelStateFailed", scene.fails(scene.scheduled("two", start)))
    start = scene.again(failed)
    scene.succeeds("one", start, {"n": 2})
    assert [(each.path, each.output) for each in scene.ledger({}).completed] == [("one", {"n": 2})]
    scene.caught("two", scene.fails(scene.scheduled("two", start)))
    assert paths(scene.ledger({})) == ["one"]


# -- what Step Functions gave up ------------------------------------------------------------------


@pytest.fixture
def cut_off() -> Scene:
    """`one` completed, `two` failed, and `three`, called in second 7, was still running."""
    scene = Scene()
    start = scene.parallel(1)
    scene.succeeds("one", start)
    scene.scheduled("three", start)
    scene.given_up(scene.fails(scene.scheduled("two", start)))
    return scene


CALLED = 9
"""The second in which `three` was called."""


def test_the_scene(cut_off: Scene) -> None:
    calls = [event for event in cut_off.events if "three" in json.dumps(event, default=str)]
    assert [(event["type"], event["id"]) for event in calls] == [("TaskStateEntered", 8), ("TaskScheduled", CALLED)]


def test_what_lambda_finished_later_has_completed_when_it_did(cut_off: Scene) -> None:
    done = told("three", StepStatus.SUCCEEDED, CALLED, 40.5, output={"n": 3})
    ledger = cut_off.ledger({"three": done}, 50)
    assert [(each.path, each.output, each.handed, each.ended_at) for each in ledger.completed] == [
        ("three", {"n": 3}, {"input": "three"}, at(40.5)),
        ("one", None, {"input": "one"}, at(7)),
    ]
    early = told("three", StepStatus.SUCCEEDED, CALLED, 6.5)
    assert paths(cut_off.ledger({"three": early})) == ["one", "three"]


def test_what_failed_later_is_neither_undone_nor_unknown(cut_off: Scene) -> None:
    ledger = cut_off.ledger({"three": told("three", StepStatus.FAILED, CALLED, 40)}, 50)
    assert (paths(ledger), ledger.running, ledger.unknown) == (["one"], (), ())


@pytest.mark.parametrize("heard", [True, False])
def test_what_still_runs_is_waited_for_as_long_as_its_function_may_take(cut_off: Scene, heard: bool) -> None:
    """Whether it told that it began, or nothing yet."""
    so_far = {"three": told("three", StepStatus.RUNNING, CALLED)} if heard else {}
    waiting = cut_off.ledger(so_far, CALLED + WAITED - 0.001)
    assert (waiting.running, waiting.unknown) == (("three",), ())
    over = cut_off.ledger(so_far, CALLED + WAITED)
    assert (paths(over), over.running, over.unknown) == (["one"], (), ("three",))


def test_without_the_table_nobody_knows(cut_off: Scene) -> None:
    ledger = cut_off.ledger(None, 50)
    assert (paths(ledger), ledger.running, ledger.unknown) == (["one"], (), ("three",))


def test_what_the_end_of_the_run_settled_is_not_known(cut_off: Scene) -> None:
    """The recorder writes that a step was cut off; whether it took effect that does not say."""
    settled = told("three", StepStatus.CANCELLED, CALLED, 12)
    assert cut_off.ledger({"three": settled}, CALLED + WAITED).unknown == ("three",)


def test_the_word_of_an_earlier_attempt_is_not_taken_for_that_of_the_one_that_was_given_up() -> None:
    scene = Scene()
    start = scene.parallel(1)
    failed = scene.fails(scene.scheduled("three", start))
    scene.scheduled("three", start, entered=failed)
    called = len(scene.events)
    scene.given_up(scene.fails(scene.scheduled("two", start)))
    earlier = {"three": told("three", StepStatus.FAILED, 5, 6)}
    assert scene.ledger(earlier, called + WAITED - 1).running == ("three",)
    assert scene.ledger(earlier, called + WAITED).unknown == ("three",)
    own = {"three": told("three", StepStatus.FAILED, called - 0.01, called + 3)}
    assert scene.ledger(own, called + 4) == Ledger((), (), ())


def test_an_attempt_of_which_a_later_one_took_the_place_is_unknown_unless_that_succeeded() -> None:
    scene = Scene()
    start = scene.parallel(1)
    scene.scheduled("three", start)
    called = len(scene.events)
    failed = scene.event("ParallelStateFailed", scene.fails(scene.scheduled("two", start)))
    start = scene.again(failed)
    third = scene.scheduled("three", start)
    again = len(scene.events)
    later = {"three": told("three", StepStatus.FAILED, again, again + 1)}
    scene.caught("three", scene.fails(third))
    assert scene.ledger(later, called + WAITED - 1).running == ("three",)
    assert scene.ledger(later, called + WAITED).unknown == ("three",)
    # Where the later attempt was never begun, the word is the first one's own.
    own = {"three": told("three", StepStatus.SUCCEEDED, called, called + 2, output={"n": 1})}
    assert [each.output for each in scene.ledger(own, called + 9).completed] == [{"n": 1}]

    scene.succeeds("three", start, {"n": 2})
    ledger = scene.ledger(later, called + WAITED)
    assert ([each.output for each in ledger.completed], ledger.unknown) == ([{"n": 2}], ())


# -- steps of distributed loops -------------------------------------------------------------------


def test_steps_of_distributed_loops_are_known_by_what_they_told_alone() -> None:
    scene = Scene()
    scene.succeeds("one", 1)
    ended = {
        "all[0].two": told("all[0].two", StepStatus.SUCCEEDED, 2, 30, output={"n": 0}),
        "all[1].two": told("all[1].two", StepStatus.SUCCEEDED, 2, 20),
        "all[2].two": told("all[2].two", StepStatus.FAILED, 2, 20),
        "all[3].two": told("all[3].two", StepStatus.SKIPPED, 2),
        "all[0].free": told("all[0].free", StepStatus.SUCCEEDED, 2, 20),
    }
    ledger = scene.ledger(ended, 50)
    assert [(each.step, each.path, each.handed) for each in ledger.completed[:2]] == [
        ("two", "all[0].two", {"told": "all[0].two"}),
        ("two", "all[1].two", {"told": "all[1].two"}),
    ]
    assert (paths(ledger)[2:], ledger.running, ledger.unknown) == (["one"], (), ())
    running = {"all[4].two": told("all[4].two", StepStatus.RUNNING, 40)}
    assert scene.ledger(running, 50).running == ("all[4].two",)
    assert scene.ledger(running, 40 + WAITED).unknown == ("all[4].two",)


# -- steps without a function ---------------------------------------------------------------------


def test_a_step_without_a_function_leaves_path_and_output_in_a_variable() -> None:
    scene = Scene()
    asked = Asked(None, None, "call_undo")

    def left(path: str) -> str:
        return json.dumps({"path": path, "output": {"Id": "x"}, "with": {"input": 1}})

    done = scene.attempt(scene.entered("Task", "call", 1))
    scene.event("TaskStateExited", done, name="call", output="null", assignedVariables={"call_undo": left("call")})
    failed = scene.attempt(scene.entered("Task", "call", 1), error="Broken")
    scene.event("TaskStateExited", failed, name="call", output="null", assignedVariables={"call_undo": left("other")})
    ledger = scene.ledger(None, call=asked)
    assert [(each.path, each.output, each.handed) for each in ledger.completed] == [("call", {"Id": "x"}, {"input": 1})]


def test_a_call_that_was_cut_off_may_have_taken_effect() -> None:
    scene = Scene()
    start = scene.parallel(1)
    scene.event("TaskScheduled", scene.entered("Task", "call", start), parameters="{}")
    failed = scene.attempt(scene.entered("Task", "other", start), error="Broken")
    scene.given_up(failed)
    calls = {name: Asked(None, None, f"{name}_undo") for name in ("call", "other")}
    assert scene.ledger({}, **calls) == Ledger((), (), ("call",))


# -- what is undone already -----------------------------------------------------------------------


def test_what_this_execution_has_undone_is_left_out() -> None:
    scene = Scene()
    second = scene.succeeds("two", scene.succeeds("one", 1))
    failed = scene.event("TaskStateEntered", second, name="two.rollback", input=json.dumps({"undoes": "two"}))
    after = scene.caught("two.rollback", scene.attempt(failed, error="Broken"))
    entered = scene.event("TaskStateEntered", after, name="one.rollback", input=json.dumps({"undoes": "one"}))
    scene.exited("Task", "one.rollback", scene.attempt(entered))
    assert paths(scene.ledger({})) == ["two"]


@pytest.mark.parametrize(("status", "left"), [(StepStatus.SUCCEEDED, []), (StepStatus.FAILED, ["one"])])
def test_what_an_undo_told_of_counts_too(status: StepStatus, left: list[str]) -> None:
    scene = Scene()
    scene.succeeds("one", 1)
    undo = told("one.rollback", status, 8, 9, step_id="one.rollback", undoes="one")
    assert paths(scene.ledger({"one.rollback": undo})) == left


def test_steps_of_one_moment_are_undone_in_the_order_of_the_history() -> None:
    scene = Scene()
    scene.succeeds("two", scene.succeeds("one", 1))
    scene.events = [{**event, "timestamp": at(0)} for event in scene.events]
    assert paths(scene.ledger({}, timedelta(seconds=1).total_seconds())) == ["two", "one"]
