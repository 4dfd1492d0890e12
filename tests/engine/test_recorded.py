"""The engine against what AWS was recorded to answer, for every execution of a machine in JSONata mode.

The recordings are not part of this repository: the test reads them where the environment variable
``STEPSMITH_RECORDED`` says, else beside the work tree, and is skipped where there are none.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def _load() -> ModuleType:
    """The helper beside this file; tests are imported by path, so it has no package to come from."""
    name = "engine_recorded"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("recorded.py"))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


recorded = _load()

KNOWN_DIFFERENCES: dict[str, str] = {}
"""Cases that come out otherwise than recorded, by the end of their id, each with its cause. None is known."""

CASES: list[dict[str, Any]] = list(recorded.executions())


@pytest.mark.skipif(not CASES, reason="no recordings here")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"].split("::")[-1])
def test_execution_comes_out_as_recorded(case: dict[str, Any]) -> None:
    replay = recorded.Replay(case)
    found = recorded.differences(case, replay.run(), replay.equal)
    known = any(case["id"].endswith(ending) for ending in KNOWN_DIFFERENCES)
    assert bool(found) == known, "\n".join(found)


@pytest.mark.skipif(not CASES, reason="no recordings here")
def test_at_least_95_percent_of_the_recordings_come_out_equal() -> None:
    assert len(KNOWN_DIFFERENCES) <= 0.05 * len(CASES)


def test_the_comparison_sees_a_changed_value_event_and_link() -> None:
    case = {
        "id": "made up",
        "definition": {
            "QueryLanguage": "JSONata",
            "StartAt": "A",
            "States": {"A": {"Type": "Pass", "Output": "{% $states.input.a %}", "End": True}},
        },
        "input": {"a": 1},
        "expect": {
            "status": "SUCCEEDED",
            "output": 1,
            "events": [
                {"id": 1, "previousEventId": 0, "type": "ExecutionStarted", "details": {"input": {"a": 1}}},
                {
                    "id": 2,
                    "previousEventId": 0,
                    "type": "PassStateEntered",
                    "name": "A",
                    "details": {"input": {"a": 1}},
                },
                {"id": 3, "previousEventId": 2, "type": "PassStateExited", "name": "A", "details": {"output": 1}},
                {"id": 4, "previousEventId": 3, "type": "ExecutionSucceeded", "details": {"output": 1}},
            ],
        },
    }
    replay = recorded.Replay(case)
    execution = replay.run()
    assert recorded.differences(case, execution, replay.equal) == []
    expect: dict[str, Any] = case["expect"]  # type: ignore[assignment]
    assert recorded.differences({"expect": {**expect, "output": True}}, execution, replay.equal)
    moved = [{**event, "previousEventId": 1} if event["id"] == 2 else event for event in expect["events"]]
    assert recorded.differences({"expect": {**expect, "events": moved}}, execution, replay.equal)
    assert recorded.differences({"expect": {**expect, "events": expect["events"][:3]}}, execution, replay.equal)
