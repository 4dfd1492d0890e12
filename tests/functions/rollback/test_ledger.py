"""The ledger's function: the execution's history out of Step Functions, what handlers told out of the table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from stepsmith_functions.history.executions import HistoryBehindError
from stepsmith_functions.history.records import StepRecord, StepStatus
from stepsmith_functions.history.retrying import Backoff
from stepsmith_functions.history.store import HistoryError, HistoryUnavailableError, ValueLostError
from stepsmith_functions.history.values import StoredValue
from stepsmith_functions.rollback import ledger
from stepsmith_functions.rollback.question import StepStillRunning
from stepsmith_functions.runtime.hosting import Host, hosted
from tests.functions.rollback.scenes import Scene, at, told

ASKS = "workflow.rollback"
PAGE = 4
"""Events in an answer, to have several."""


class StepFunctions:
    """GetExecutionHistory; `shown` says how many events are to be seen at each look, the last one again and again."""

    def __init__(self, events: list[Any], shown: list[int] | None = None) -> None:
        self.events = events
        self.shown = shown or [len(events)]
        self.calls: list[Mapping[str, object]] = []

    def get_execution_history(self, **arguments: Any) -> Mapping[str, object]:
        self.calls.append(arguments)
        first = int(arguments.get("nextToken", 0))
        if first == 0 and len(self.calls) > 1 and len(self.shown) > 1:
            del self.shown[0]
        events = self.events[: self.shown[0]]
        more = {"nextToken": str(first + PAGE)} if first + PAGE < len(events) else {}
        return {"events": events[first : first + PAGE], **more}


class Table:
    def __init__(self, *steps: StepRecord, broken: bool = False, fails: HistoryError | None = None) -> None:
        self.steps, self.broken, self.fails = {step.path: step for step in steps}, broken, fails

    def told(self, run_id: str) -> Mapping[str, StepRecord]:
        assert run_id == "run-1"
        if self.broken:
            raise HistoryError("no table")
        return self.steps

    def load(self, value: StoredValue) -> Any:
        if self.fails is not None:
            raise self.fails
        return {"loaded": value.key}


class World:
    """Clients, history and clock of the function."""

    def __init__(self, client: StepFunctions, table: Table | None, now: datetime) -> None:
        self.client, self.table, self.moment = client, table, now

    def get(self, service: str, region: str | None = None) -> Any:
        assert (service, region) == ("stepfunctions", None)
        return self.client

    def ledger(self, settings: Any) -> Table | None:
        return self.table

    def recorder(self, settings: Any) -> None:
        raise AssertionError("the ledger writes nothing")

    reader = recorder

    def now(self) -> datetime:
        return self.moment

    def elapsed(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError("the machine waits, not the function")


@contextmanager
def world(scene: Scene, table: Table | None, *, now: float = 1000, shown: list[int] | None = None) -> Iterator[World]:
    made = World(StepFunctions(scene.events, shown), table, at(now))
    with hosted(Host(clients=made, clock=made, history=made, environment={})):
        yield made


@pytest.fixture
def scene() -> Scene:
    """`one` completed, `two` failed while `three` was at work on its branch, and the machine asks."""
    scene = Scene()
    start = scene.parallel(1)
    scene.succeeds("one", start, {"n": 1})
    scene.scheduled("three", start)
    failed = scene.given_up(scene.fails(scene.scheduled("two", start)))
    scene.entered("Task", ASKS, failed)
    return scene


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Backoff, "pause", lambda *_: None)


def question() -> dict[str, Any]:
    steps = {name: {"output": None, "seconds": 60} for name in ("one", "two", "three")}
    return {"run": {"id": "run-1", "execution": "arn:x"}, "asked_by": ASKS, "steps": steps, "after": None}


def undone(answered: Mapping[str, Any]) -> list[str]:
    return [entry["path"] for entry in answered["undo"]]


LATE = told("three", StepStatus.SUCCEEDED, 9, 40, output=StoredValue("b", "large", 1, "d"))


def test_both_witnesses_are_heard(scene: Scene) -> None:
    with world(scene, Table(LATE)) as found:
        answered = ledger.handler(question())
    assert undone(answered) == ["three", "one"]
    assert answered["undo"][0]["output"] == {"loaded": "large"}
    assert answered["problem"] == ""
    assert {call["executionArn"] for call in found.client.calls} == {"arn:x"}
    assert all(call["includeExecutionData"] for call in found.client.calls)
    assert len(found.client.calls) > 2


def test_a_question_that_is_delivered_twice_is_answered_alike(scene: Scene) -> None:
    with world(scene, Table(LATE)):
        assert ledger.handler(question()) == ledger.handler(question())


def test_it_is_said_that_a_step_still_runs(scene: Scene) -> None:
    with (
        world(scene, Table(told("three", StepStatus.RUNNING, 9)), now=20),
        pytest.raises(StepStillRunning, match="three"),
    ):
        ledger.handler(question())


def test_a_history_that_does_not_show_the_question_yet_is_read_again(scene: Scene) -> None:
    """Without `one` in it, `one` would not be undone."""
    with world(scene, Table(LATE), shown=[4, 7, len(scene.events)]) as found:
        assert undone(ledger.handler(question())) == ["three", "one"]
        assert sum("nextToken" not in call for call in found.client.calls) == 3


def test_a_history_that_never_shows_it_is_told(scene: Scene) -> None:
    with world(scene, Table(LATE), shown=[4]), pytest.raises(HistoryBehindError):
        ledger.handler(question())


@pytest.mark.parametrize("table", [None, Table(LATE, broken=True)])
def test_without_the_table_the_history_serves(scene: Scene, table: Table | None) -> None:
    with world(scene, table):
        answered = ledger.handler(question())
    assert undone(answered) == ["one"]
    assert answered["problem"] == "it is not known whether three took effect"


def test_without_step_functions_there_is_no_answer(scene: Scene) -> None:
    with world(scene, Table(LATE)) as found:

        def refuse(**_: Any) -> Any:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetExecutionHistory")

        found.client.get_execution_history = refuse  # type: ignore[method-assign]
        with pytest.raises(HistoryError):
            ledger.handler(question())


GONE = ValueLostError("s3://b/large is not there, or no more")
AWAY = HistoryUnavailableError("S3 does not answer")


@pytest.mark.parametrize(("problem", "now"), [(GONE, 110), (AWAY, 1000)])
def test_one_value_that_cannot_be_read_keeps_one_step_from_being_undone(
    scene: Scene, problem: HistoryError, now: float
) -> None:
    with world(scene, Table(LATE, fails=problem), now=now):
        answered: Any = ledger.handler(question())
    assert undone(answered) == ["one"]
    assert answered["problem"] == "what the undo of three reads cannot be read"
    (lost,) = answered["lost"]
    assert (lost["step"], lost["path"]) == ("three", "three")
    assert str(problem) in lost["reason"]


def test_what_cannot_be_read_just_now_is_asked_for_again(scene: Scene) -> None:
    with world(scene, Table(LATE, fails=AWAY), now=110), pytest.raises(HistoryUnavailableError):
        ledger.handler(question())


def test_a_result_that_no_undo_reads_need_not_be_read(scene: Scene) -> None:
    asked = question()
    asked["steps"]["three"]["output"] = []
    with world(scene, Table(LATE, fails=GONE)):
        answered = ledger.handler(asked)
    assert undone(answered) == ["three", "one"]
    assert "lost" not in answered
