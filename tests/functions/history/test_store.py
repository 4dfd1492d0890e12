"""What every store of runs does: the protocol, against DynamoDB and against the local file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from stepsmith_functions.history.controls import DynamoControls
from stepsmith_functions.history.dynamodb import DynamoRunStore
from stepsmith_functions.history.records import (
    Continues,
    RunError,
    RunRecord,
    RunStatus,
    StepError,
    StepRecord,
    StepStatus,
)
from stepsmith_functions.history.store import (
    CursorInvalidError,
    RunNotFoundError,
    RunQuery,
    RunStore,
    all_steps,
)
from stepsmith_functions.runtime.control import Control, Order

START = datetime(2026, 7, 12, 8, 30, tzinfo=UTC)
MakeRun = Callable[..., RunRecord]
MakeStep = Callable[..., StepRecord]

VALUES: list[Any] = [
    None,
    {},
    [],
    "",
    0,
    -1.5,
    1e300,
    12345678901234567890123,
    True,
    {"": {"a": [None, "", "ü🜂", {"S": "x"}]}},
    {"stored_at": "s3://b/k", "size": 1, "sha256": "looks like a reference"},
    "\ud800 alone",
    "ü" * 40_000,
]


@pytest.mark.parametrize("value", VALUES, ids=[ascii(value)[:30] for value in VALUES])
def test_values_come_back_as_they_went_in(store: RunStore, a_run: MakeRun, a_step: MakeStep, value: Any) -> None:
    run = a_run(input=value, output=value, status=RunStatus.SUCCEEDED, ended_at=START + timedelta(seconds=3))
    step = a_step(params=value, output=value)

    store.put_run(run)
    store.put_steps([step])

    kept, (kept_step,) = store.run("run-1"), all_steps(store, "run-1")
    for found in (kept.input, kept.output, kept_step.params, kept_step.output):
        assert (store.load(found) if hasattr(found, "uri") else found) == value


@pytest.mark.row("S1-005", "S1-095", "S1-096", "S1-099", "S1-105", "S1-107")
def test_every_field_comes_back(store: RunStore, a_run: MakeRun, a_step: MakeStep) -> None:
    run = a_run(
        status=RunStatus.FAILED,
        version="1.2.0",
        error=RunError("ProcessNotFound", "gone", "kill", 31),
        ended_at=START + timedelta(seconds=12, microseconds=345_000),
        transitions=7,
        execution_arn="arn:aws:states:eu-central-1:123456789012:execution:m:run-1",
        parent_run_id="run-0",
        redrive_count=2,
        complete=True,
        continues=Continues("run-0", "kill", "run-00"),
        continued_by="run-2",
    )
    step = a_step(
        "scan_all[2].scan",
        status=StepStatus.FAILED,
        attempts=3,
        line=12,
        action="run_scan",
        error=StepError("FileMissing", "no such file"),
        ended_at=START + timedelta(seconds=2),
        sequence=17,
        undoes="scan_all[2].prepare",
        child_run_id="run-9",
        kept_from="run-0",
    )

    store.put_run(run)
    store.put_steps([step])

    assert store.run("run-1") == run
    assert all_steps(store, "run-1") == [step]


def test_a_run_that_nobody_kept(store: RunStore) -> None:
    with pytest.raises(RunNotFoundError, match="'run-1'"):
        store.run("run-1")
    assert store.runs().items == ()
    assert store.steps("run-1").items == ()


def test_a_run_never_goes_back(store: RunStore, a_run: MakeRun) -> None:
    ended = a_run(status=RunStatus.SUCCEEDED, output={"ok": True}, ended_at=START + timedelta(seconds=1))

    assert store.put_run(ended)
    assert not store.put_run(a_run(input={"late": True}))
    assert not store.put_run(ended)
    assert store.run("run-1") == ended


def test_a_redrive_goes_past_the_end_before_it(store: RunStore, a_run: MakeRun) -> None:
    failed = a_run(
        status=RunStatus.FAILED,
        input={"a": 1},
        version="1.0.0",
        error=RunError("E", "m"),
        ended_at=START,
        transitions=3,
        complete=True,
    )
    store.put_run(failed)

    assert store.put_run(a_run(redrive_count=1))
    assert not store.put_run(failed)
    assert store.run("run-1") == a_run(redrive_count=1, input={"a": 1}, version="1.0.0")


def test_what_was_missed_is_added_once(store: RunStore, a_run: MakeRun) -> None:
    ended = {"status": RunStatus.SUCCEEDED, "ended_at": START + timedelta(seconds=1)}

    assert store.put_run(a_run(**ended))
    assert store.put_run(a_run(**ended, transitions=5, complete=True))
    assert not store.put_run(a_run(**ended, transitions=6, complete=True))
    assert not store.put_run(a_run(**ended))
    assert store.run("run-1").transitions == 5


def test_a_run_is_replaced_only_as_it_was_known(store: RunStore, a_run: MakeRun) -> None:
    order = Control(Order.STOP, "ann", START)
    error = RunError("E", "gone")
    ended = a_run(status=RunStatus.FAILED, error=error, ended_at=START, transitions=3, complete=True, control=order)
    store.put_run(ended)
    again = a_run(status=RunStatus.RUNNING, redrive_count=1)
    assert not store.replace_run(replace(ended, redrive_count=1), again)
    assert not store.replace_run(replace(ended, continued_by="other"), again)
    assert not store.replace_run(a_run("nobody", status=RunStatus.FAILED), a_run("nobody"))
    assert store.run("run-1") == ended
    assert store.replace_run(ended, again)
    assert store.run("run-1") == again
    assert not store.hand_on("run-1", "run-2")  # it is under way
    assert store.replace_run(again, ended)
    assert store.run("run-1") == ended
    assert store.hand_on("run-1", "run-2")
    assert not store.replace_run(ended, again)


def test_input_of_the_start_is_kept_when_the_end_lacks_it(store: RunStore, a_run: MakeRun) -> None:
    store.put_run(a_run(input={"file": "x"}, version="1.0.0", parent_run_id="run-0"))
    store.put_run(a_run(status=RunStatus.SUCCEEDED, ended_at=START))

    kept = store.run("run-1")
    assert (kept.input, kept.version, kept.parent_run_id) == ({"file": "x"}, "1.0.0", "run-0")


def test_one_run_goes_on_from_a_run_that_is_over(store: RunStore, a_run: MakeRun) -> None:
    store.put_run(a_run(continues=Continues("run-0", None, "run-0")))
    assert not store.hand_on("run-1", "run-2")
    assert not store.hand_on("nobody", "run-2")

    store.put_run(a_run(status=RunStatus.FAILED, ended_at=START))
    assert store.hand_on("run-1", "run-2")
    assert store.hand_on("run-1", "run-2")
    assert not store.hand_on("run-1", "run-3")
    store.put_run(a_run(status=RunStatus.FAILED, ended_at=START, complete=True))

    kept = store.run("run-1")
    assert (kept.status, kept.continued_by) == (RunStatus.FAILED, "run-2")
    assert kept.continues == Continues("run-0", None, "run-0")


def test_a_value_may_change_between_small_and_large(store: RunStore, a_run: MakeRun, a_step: MakeStep) -> None:
    large = "x" * 100_000
    for run_id, known, new in (("shrinks", large, "small"), ("grows", "small", large)):
        store.put_run(a_run(run_id, input=known, output=known, status=RunStatus.FAILED, ended_at=START))
        store.put_run(a_run(run_id, input=new, redrive_count=1))
        before = a_step(run_id=run_id, params=known, output=known)
        after = a_step(run_id=run_id, params=new, output=new, status=StepStatus.FAILED)
        store.put_steps([before])
        assert store.replace_step(before, after)

        (step,) = all_steps(store, run_id)
        found = [store.run(run_id).input, step.params, step.output]
        assert [store.load(value) if hasattr(value, "uri") else value for value in found] == [new] * 3
        assert store.run(run_id).output is None


def test_a_run_changes_status_between_start_and_end_only(store: RunStore, a_run: MakeRun) -> None:
    store.put_run(a_run())

    assert store.move_run("run-1", {RunStatus.RUNNING}, RunStatus.PAUSED)
    assert not store.move_run("run-1", {RunStatus.RUNNING}, RunStatus.WAITING_APPROVAL)
    assert not store.put_run(a_run())  # the start event again
    assert store.run("run-1").status is RunStatus.PAUSED
    assert [run.status for run in store.runs(RunQuery(status=RunStatus.PAUSED)).items] == [RunStatus.PAUSED]
    assert store.put_run(a_run(status=RunStatus.CANCELLED, ended_at=START))
    assert not store.move_run("run-1", {RunStatus.RUNNING, RunStatus.PAUSED}, RunStatus.CANCELLING)
    assert not store.move_run("run-2", {RunStatus.RUNNING}, RunStatus.PAUSED)
    assert not store.move_run("run-1", set(), RunStatus.PAUSED)
    with pytest.raises(ValueError, match="put_run"):
        store.move_run("run-1", {RunStatus.RUNNING}, RunStatus.FAILED)


def test_an_order_stands_on_its_run_until_it_is_lifted(store: RunStore, a_run: MakeRun) -> None:
    pause = Control(Order.PAUSE, "ann", START, "lunch")
    cancel = Control(Order.CANCEL, "bob", START)
    assert not store.order("run-1", pause, {RunStatus.RUNNING}, RunStatus.PAUSED)
    store.put_run(a_run(input={"a": 1}))

    assert store.order("run-1", pause, {RunStatus.RUNNING}, RunStatus.PAUSED)
    assert (store.run("run-1").status, store.run("run-1").control) == (RunStatus.PAUSED, pause)
    assert not store.order("run-1", cancel, {RunStatus.RUNNING}, RunStatus.CANCELLING)
    assert not store.put_run(a_run())
    assert store.order("run-1", None, {RunStatus.PAUSED}, RunStatus.RUNNING)
    assert store.run("run-1") == a_run(input={"a": 1})

    assert store.order("run-1", cancel, {RunStatus.RUNNING}, RunStatus.CANCELLING)
    assert store.put_run(a_run(status=RunStatus.CANCELLED, ended_at=START))
    assert store.run("run-1").control == cancel
    assert not store.order("run-1", pause, {RunStatus.RUNNING, RunStatus.CANCELLING}, RunStatus.PAUSED)
    with pytest.raises(ValueError, match="put_run"):
        store.order("run-1", None, {RunStatus.CANCELLED}, RunStatus.RUNNING)


def test_a_handler_reads_the_orders_of_its_run_and_of_those_that_wait_for_it(
    aws: Callable[[str], Any], table: str, dynamo_store: DynamoRunStore, a_run: MakeRun
) -> None:
    controls = DynamoControls(aws("dynamodb"), table)
    assert controls.controls(["run-1", "run-2"]) == []
    pause, cancel = Control(Order.PAUSE, "ann", START, "lunch"), Control(Order.CANCEL, "bob", START)
    for run_id, control, status in (("run-1", pause, RunStatus.PAUSED), ("run-2", cancel, RunStatus.CANCELLING)):
        dynamo_store.put_run(a_run(run_id))
        dynamo_store.order(run_id, control, {RunStatus.RUNNING}, status)
    assert controls.controls(["run-1", "run-2", "run-3"]) == [pause, cancel]
    assert dynamo_store.order("run-1", None, {RunStatus.PAUSED}, RunStatus.RUNNING)
    assert controls.controls(["run-1"]) == []


@pytest.fixture(scope="module", params=["dynamo", "local"])
def many(request: pytest.FixtureRequest, new_store: Callable[[str], RunStore], a_run: MakeRun) -> RunStore:
    """Thirty runs, a minute apart, of two workflows in turn; every third failed. Tests only read it."""
    store = new_store(request.param)
    for minute in range(30):
        status = RunStatus.FAILED if minute % 3 == 0 else RunStatus.SUCCEEDED
        workflow = "even" if minute % 2 == 0 else "odd"
        store.put_run(a_run(f"run-{minute}", minute=minute, status=status, workflow=workflow, ended_at=START))
    return store


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (RunQuery(), range(30)),
        (RunQuery(workflow="odd"), range(1, 30, 2)),
        (RunQuery(status=RunStatus.FAILED), range(0, 30, 3)),
        (RunQuery(workflow="odd", status=RunStatus.FAILED), range(3, 30, 6)),
        (RunQuery(since=START + timedelta(minutes=10)), range(10, 30)),
        (RunQuery(until=START + timedelta(minutes=10)), range(10)),
        (
            RunQuery(workflow="even", since=START + timedelta(minutes=4), until=START + timedelta(minutes=8)),
            [4, 6],
        ),
        (RunQuery(since=(START + timedelta(minutes=29)).astimezone(timezone(timedelta(hours=5)))), [29]),
        (RunQuery(workflow="other"), []),
        (RunQuery(status=RunStatus.RUNNING), []),
    ],
)
@pytest.mark.parametrize("limit", [1, 4, 15, 1000])
def test_runs_by_workflow_status_and_time(many: RunStore, query: RunQuery, expected: list[int], limit: int) -> None:
    found: list[str] = []
    page = many.runs(query, limit=limit)
    while True:
        assert len(page.items) <= limit
        found += [run.run_id for run in page.items]
        if page.cursor is None:
            break
        assert len(page.items) == limit
        page = many.runs(query, limit=limit, cursor=page.cursor)

    assert found == [f"run-{minute}" for minute in reversed(expected)]


def test_runs_of_one_moment_are_all_found(store: RunStore, a_run: MakeRun) -> None:
    for number in range(7):
        store.put_run(a_run(f"run-{number}"))

    found: list[str] = []
    cursor = None
    while True:
        page = store.runs(limit=2, cursor=cursor)
        found += [run.run_id for run in page.items]
        if (cursor := page.cursor) is None:
            break
    assert sorted(found) == [f"run-{number}" for number in range(7)]


def test_a_summary_shows_what_a_list_needs(store: RunStore, a_run: MakeRun) -> None:
    run = a_run(status=RunStatus.FAILED, version="1.0.0", error=RunError("E", "m"), ended_at=START, input={"a": 1})
    store.put_run(run)

    for query in (RunQuery(), RunQuery(workflow=run.workflow), RunQuery(status=RunStatus.FAILED)):
        assert store.runs(query).items == (run.summary(),)


def test_steps_come_in_pages(store: RunStore, a_step: MakeStep) -> None:
    paths = [f"scan_all[{number}].scan" for number in range(12)]
    store.put_steps([a_step(path) for path in paths])
    store.put_steps([a_step("other", run_id="run-10")])

    first = store.steps("run-1", limit=5)
    second = store.steps("run-1", limit=5, cursor=first.cursor)
    third = store.steps("run-1", limit=5, cursor=second.cursor)

    assert [step.path for page in (first, second, third) for step in page.items] == sorted(paths)
    assert third.cursor is None


def test_more_steps_than_a_batch_holds_and_two_of_one_path(store: RunStore, a_step: MakeStep) -> None:
    store.put_steps([a_step(f"s{number}") for number in range(60)] + [a_step("s0", attempts=2)])

    steps = all_steps(store, "run-1")
    assert len(steps) == 60
    assert next(step for step in steps if step.path == "s0").attempts == 2


def test_a_very_long_path(store: RunStore, a_step: MakeStep) -> None:
    stem = ".".join(f"level-{number:060}" for number in range(20))
    paths = [f"{stem}.a", f"{stem}.ü"]
    store.put_steps([a_step(path) for path in paths])

    assert {step.path for step in all_steps(store, "run-1")} == set(paths)


def test_a_step_is_replaced_only_as_it_was_known(store: RunStore, a_step: MakeStep) -> None:
    running = a_step(status=StepStatus.RUNNING)
    ended = a_step(ended_at=START + timedelta(seconds=1), output={"a": 1})
    lost = a_step(status=StepStatus.CANCELLED, ended_at=START + timedelta(seconds=2))
    store.put_steps([running])

    assert store.replace_step(running, ended)
    assert not store.replace_step(running, lost)
    assert not store.replace_step(a_step("other"), a_step("other"))
    assert all_steps(store, "run-1") == [ended]


@pytest.mark.parametrize("cursor", ["", "x", "====", "bm9wZQ", "WyJhIiwgMV0", "ü", "a" * 5000])
def test_a_made_up_cursor_is_refused(many: RunStore, cursor: str) -> None:
    with pytest.raises(CursorInvalidError):
        many.runs(cursor=cursor)
    with pytest.raises(CursorInvalidError):
        many.steps("run-1", cursor=cursor)


def test_a_cursor_belongs_to_its_query(many: RunStore) -> None:
    cursor = many.runs(RunQuery(workflow="odd"), limit=2).cursor
    assert cursor is not None

    for query in (RunQuery(), RunQuery(workflow="even"), RunQuery(workflow="odd", since=START)):
        with pytest.raises(CursorInvalidError):
            many.runs(query, cursor=cursor)


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_page_has_a_size(store: RunStore, limit: int) -> None:
    with pytest.raises(ValueError, match="1 to 1000"):
        store.runs(limit=limit)
    with pytest.raises(ValueError, match="1 to 1000"):
        store.steps("run-1", limit=limit)


def test_a_time_without_a_zone_is_refused(store: RunStore, a_run: MakeRun) -> None:
    with pytest.raises(ValueError, match="time zone"):
        store.put_run(a_run(started_at=datetime(2026, 1, 1)))
