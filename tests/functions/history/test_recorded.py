"""Reading histories that real AWS wrote. Skipped where the recordings are not at hand.

Format and origin of the recordings are described in the README beside them.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stepsmith_functions.history.origins import Origins, origins_of_definition
from stepsmith_functions.history.reading import read_history
from stepsmith_functions.history.rebuild import steps_of
from stepsmith_functions.history.records import StepStatus
from stepsmith_functions.history.visits import History

FOLDER = Path(os.environ.get("STEPSMITH_RECORDED", Path(__file__).parents[3].parent / "shared" / "recorded"))
START = datetime(2026, 7, 12, 8, 30, tzinfo=UTC)
Case = dict[str, Any]


def _cases() -> list[Case]:
    """Executions whose events have kept their ids."""
    found = []
    for path in sorted(FOLDER.glob("*.json")):
        for case in json.loads(path.read_text(encoding="utf-8")):
            events = case["expect"].get("events")
            if events and "definition" in case and all(event["id"] is not None for event in events):
                found.append(case)
    return found


def _as_api_events(case: Case) -> list[dict[str, object]]:
    """The recorded events in the shape of the API: texts of JSON, a member of details, a second apart."""
    events: list[dict[str, object]] = []
    for event in case["expect"]["events"]:
        details = {
            key: json.dumps(value) if key in ("input", "output", "parameters") else value
            for key, value in (event.get("details") or {}).items()
        }
        if isinstance(cause := details.get("cause"), dict):
            details["cause"] = json.dumps(cause)
        if "name" in event:
            details["name"] = event["name"]
        events.append(
            {
                "id": event["id"],
                "previousEventId": event["previousEventId"],
                "type": event["type"],
                "timestamp": START + timedelta(seconds=event["id"]),
                "someEventDetails": details,
            }
        )
    return events


CASES = _cases() if FOLDER.is_dir() else []
pytestmark = pytest.mark.skipif(not CASES, reason="the recordings of AWS are not at hand")


@pytest.fixture(scope="module")
def histories() -> list[tuple[Case, History]]:
    return [(case, read_history(_as_api_events(case))) for case in CASES]


def test_there_are_many(histories: list[tuple[Case, History]]) -> None:
    assert len(histories) > 300


def test_every_state_entered_and_exited_is_one_visit(histories: list[tuple[Case, History]]) -> None:
    for case, history in histories:
        events = case["expect"]["events"]
        entered = [event["id"] for event in events if event["type"].endswith("StateEntered")]
        exited = {event["id"]: event["name"] for event in events if event["type"].endswith("StateExited")}
        assert [visit.id for visit in history.visits] == entered, case["id"]
        assert {visit.exited_id: visit.state for visit in history.visits if visit.exited_id is not None} == exited, (
            case["id"]
        )


def test_every_attempt_is_counted_where_it_was_made(histories: list[tuple[Case, History]]) -> None:
    for case, history in histories:
        told = Counter(task["state"] for task in case.get("tasks", ()))
        if not told:
            continue
        found: Counter[str] = Counter()
        for visit in history.visits:
            if visit.kind == "Task" and visit.resource:
                found[visit.state] += visit.attempts
        assert found == told, case["id"]


def test_iterations_are_numbered(histories: list[tuple[Case, History]]) -> None:
    seen = 0
    for case, history in histories:
        events = case["expect"]["events"]
        started = Counter(
            (event["name"], event["details"]["index"]) for event in events if event["type"] == "MapIterationStarted"
        )
        found: Counter[tuple[str, int]] = Counter()
        for visit in history.visits:
            if visit.kind == "Map":
                found.update((visit.state, scope.index) for scope in visit.inner if scope.index is not None)
        assert found == started, case["id"]
        seen += len(started)
    assert seen > 50


def test_the_ending_and_its_error(histories: list[tuple[Case, History]]) -> None:
    endings = {"SUCCEEDED": "Succeeded", "FAILED": "Failed", "TIMED_OUT": "TimedOut", "ABORTED": "Aborted"}
    for case, history in histories:
        expect = case["expect"]
        assert history.ending == endings[expect["status"]], case["id"]
        if expect["status"] == "SUCCEEDED":
            assert history.output == expect["output"], case["id"]
        if expect["status"] == "FAILED" and expect.get("error"):
            assert history.error is not None
            assert history.error.type == expect["error"], case["id"]
            assert any(visit.failed and visit.error == history.error for visit in history.visits), case["id"]


def test_no_visit_is_left_open_after_success(histories: list[tuple[Case, History]]) -> None:
    for case, history in histories:
        if history.ending == "Succeeded":
            left = [visit.state for visit in history.visits if visit.exited_at is None and not visit.scope.is_over]
            assert left == [], case["id"]


def test_caught_failures_are_failures(histories: list[tuple[Case, History]]) -> None:
    caught = 0
    for case, history in histories:
        failures = ("TaskFailed", "TaskTimedOut", "LambdaFunctionFailed", "MapStateFailed", "ParallelStateFailed")
        events = {event["id"]: event for event in case["expect"]["events"]}
        for visit in history.visits:
            if visit.exited_id is not None:
                before = events[events[visit.exited_id]["previousEventId"]]
                if before["type"] in failures:
                    assert visit.failed, case["id"]
                    caught += 1
    assert caught > 15


def test_steps_of_every_history(histories: list[tuple[Case, History]]) -> None:
    """Every visit of a state that is a step's own ends up in exactly one record."""
    for case, history in histories:
        origins: Origins = origins_of_definition(case["definition"])
        steps = steps_of(history, origins, "run-1")
        paths = [step.path for step in steps]
        assert len(paths) == len(set(paths)), case["id"]
        assert all(step.status.is_final for step in steps), case["id"]
        assert all("[]" not in path for path in paths), case["id"]
        if history.ending == "Failed" and steps:
            assert any(step.status is StepStatus.FAILED for step in steps), case["id"]
