"""The engine against what AWS was recorded to answer.

Every execution of a machine in JSONata mode is run, those in JSONPath mode that can be put into JSONata with the same
meaning, and every definition that was refused or validated.

The recordings are not part of this repository: the test reads them where the environment variable
``STEPSMITH_RECORDED`` says, else beside the work tree, and is skipped where there are none.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from stepsmith.engine import validate


def _load(file: str) -> ModuleType:
    """A helper beside this file; tests are imported by path, so it has no package to come from."""
    name = f"engine_{file}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{file}.py"))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


recorded = _load("recorded")
translated = _load("translated")

KNOWN_DIFFERENCES: dict[str, str] = {}
"""Cases that come out otherwise than recorded, by the end of their id, each with its cause. None is known."""

CASES: list[dict[str, Any]] = list(recorded.executions("JSONata"))

_NUMBER = "text that holds a number is a number in JSONPath mode, and another type in JSONata mode"
_SPACES = "the recording's answer was rebuilt without the spaces that its output still has"
KNOWN_IN_TRANSLATION = {
    "MAP_STATE_REFERENCE_IN_MAX_CONCURRENCY_PATH]": _NUMBER,
    "MAP_STATE_REFERENCE_IN_MAX_ITEMS_PATH]": _NUMBER,
    "test_task_lambda.py::TestTaskLambda::test_raise_custom_exception": _SPACES,
}
"""Differences of the translated cases, by the end of their id."""


def _translated() -> list[dict[str, Any]]:
    found = []
    for case in recorded.executions("JSONPath"):
        if case["area"] in ("choice_operators", "intrinsics_jsonpath"):
            continue
        try:
            found.append(translated.translate(case))
        except translated.Untranslatable:
            continue
    return found


TRANSLATED = _translated()
DEFINITIONS = [case for case in recorded.cases() if "create_error" in case["expect"] or "validate" in case["expect"]]


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


@pytest.mark.skipif(not TRANSLATED, reason="no recordings here")
@pytest.mark.parametrize("case", TRANSLATED, ids=lambda case: case["id"].split("::")[-1])
def test_translated_execution_comes_out_as_recorded(case: dict[str, Any]) -> None:
    replay = recorded.Replay(case)
    execution = replay.run()
    found = recorded.differences(case, execution, replay.equal)
    if any(event.type == "MapRunSucceeded" for event in execution.events) and case["recorded"] < "2024-11":
        # In recordings until June 2024 a distributed Map's exit follows from MapRunSucceeded, in those since November
        # 2024, in either language, from MapRunStarted, as here.
        assert len(found) == 1
        assert "'MapStateExited'" in found[0]
        return
    known = any(case["id"].endswith(ending) for ending in KNOWN_IN_TRANSLATION)
    assert bool(found) == known, "\n".join(found)


@pytest.mark.skipif(not DEFINITIONS, reason="no recordings here")
@pytest.mark.parametrize("case", DEFINITIONS, ids=lambda case: case["id"].split("::")[-1])
def test_definition_is_validated_as_recorded(case: dict[str, Any]) -> None:
    problems = validate(case.get("definition_text", case.get("definition")), express="type_express" in case["id"])
    if case["id"].endswith("[ESCAPE_SEQUENCES_ILLEGAL_INTRINSIC_FUNCTION]"):
        assert problems == []  # JSONPath intrinsics are not checked here
    elif "create_error" in case["expect"]:
        text = ", ".join(map(str, problems))
        assert f"Invalid State Machine Definition: '{text}'" == case["expect"]["create_error"]["message"]
    else:
        diagnostics = [
            {"severity": "ERROR", "code": one.code, "message": one.message}
            | ({"location": one.location} if one.location else {})
            for one in problems
        ]
        assert diagnostics == case["expect"]["validate"]["diagnostics"]


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
