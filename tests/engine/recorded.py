"""Cases recorded from AWS: finding them, answering their tasks, comparing what comes out.

The rules are those of the README beside the recordings: wildcard texts, causes given as objects, texts that may be
given as the JSON they hold, and freedom of order between concurrent branches.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stepsmith.engine import Engine, Execution, TaskCall, TaskFailed, TaskOutcome, TaskSucceeded, TaskWaiting
from stepsmith.engine.tasks import Purpose

_JSON_TEXTS = ("input", "output", "parameters")


def folder() -> Path | None:
    """The recordings' folder, or None where there are none."""
    named = os.environ.get("STEPSMITH_RECORDED")
    path = Path(named) if named else Path(__file__).resolve().parents[3] / "shared" / "recorded"
    return path if path.is_dir() else None


def cases() -> Iterator[dict[str, Any]]:
    """Everything that was recorded."""
    root = folder()
    for path in sorted(root.glob("*.json")) if root else ():
        yield from json.loads(path.read_text(encoding="utf-8"))


def executions(language: str) -> Iterator[dict[str, Any]]:
    """Every recorded execution of a machine that is in one query language throughout."""
    for case in cases():
        definition = case.get("definition")
        if "status" not in case["expect"] or not isinstance(definition, dict):
            continue
        default = definition.get("QueryLanguage", "JSONPath")
        if set(_languages(definition["States"], default)) == {language}:
            yield case


def _languages(states: Mapping[str, Any], default: str) -> Iterator[str]:
    for state in states.values():
        yield state.get("QueryLanguage", default)
        for graph in [*state.get("Branches", ()), *filter(None, [state.get("ItemProcessor")])]:
            yield from _languages(graph["States"], default)


class Replay:
    """Runs a case with its tasks answered as they were recorded."""

    def __init__(self, case: Mapping[str, Any]) -> None:
        self.case = case
        self.equal = Comparison(case.get("wildcards", ()))
        self._left = list(case.get("tasks", ()))
        self._engine = Engine(self._answer)

    def run(self) -> Execution:
        execution = self._engine.start(
            self.case["definition"],
            self.case.get("input"),
            name="name",
            state_machine_arn="arn:aws:states:us-east-1:111111111111:stateMachine:machine",
            role_arn="snf_role_arn",
        )
        self._engine.run()
        return execution

    def _answer(self, call: TaskCall) -> TaskOutcome:
        if call.purpose is Purpose.ITEM_READER:
            return self._read(call)
        mine = [task for task in self._left if task["state"] == call.state] or self._left
        same = [task for task in mine if self.equal(task.get("arguments"), call.arguments)]
        task = (same or mine)[0]
        self._left.remove(task)
        answer = task["answer"]
        if "none" in answer or "TimedOut" in str(answer.get("event")):
            return TaskWaiting(task["submitted"]) if "submitted" in task else TaskSucceeded(None, after=10**8)
        outcome = (
            TaskSucceeded(answer["output"])
            if "output" in answer
            else TaskFailed(answer.get("error"), answer.get("cause"))
        )
        if "submitted" not in task:
            return outcome
        token = call.token
        assert token is not None
        later: Callable[[], None] = (
            (lambda: self._engine.complete_task(token, answer["output"]))
            if "output" in answer
            else (lambda: self._engine.fail_task(token, answer.get("error"), answer.get("cause")))
        )
        self._engine.call_later(0, later)
        return TaskWaiting(task["submitted"])

    def _read(self, call: TaskCall) -> TaskOutcome:
        assert isinstance(call.arguments, Mapping)
        key = f"{call.arguments['Bucket']}/{call.arguments['Key']}"
        stored = self.case.get("s3", {})
        return TaskSucceeded({"Body": stored[key]}) if key in stored else TaskFailed("S3.NoSuchKey", key)


class Comparison:
    """Equality of recorded and computed values under a case's wildcards."""

    def __init__(self, wildcards: Sequence[str]) -> None:
        self._wildcards = frozenset(wildcards)
        self._inside = [re.escape(text) for text in sorted(wildcards, key=len, reverse=True)]

    def __call__(self, recorded: Any, ours: Any) -> bool:
        if isinstance(recorded, str) and recorded in self._wildcards:
            return True
        if isinstance(recorded, str) and isinstance(ours, str):
            return recorded == ours or self._pattern(recorded, ours)
        if isinstance(recorded, Mapping) and isinstance(ours, str):
            try:
                return self(recorded, json.loads(ours))
            except ValueError:
                return False
        if isinstance(recorded, Mapping) and isinstance(ours, Mapping):
            return recorded.keys() == ours.keys() and all(self(recorded[key], ours[key]) for key in recorded)
        if isinstance(recorded, list) and isinstance(ours, Sequence) and not isinstance(ours, str):
            return len(recorded) == len(ours) and all(map(self, recorded, ours))
        if isinstance(recorded, bool) or isinstance(ours, bool):
            return recorded is ours
        return bool(recorded == ours)

    def _pattern(self, recorded: str, ours: str) -> bool:
        if not self._inside or not any(text in recorded for text in self._wildcards):
            return False
        parts = re.split("(" + "|".join(self._inside) + ")", recorded)
        pattern = "".join("(?:.|\n)+" if at % 2 else re.escape(part) for at, part in enumerate(parts))
        return re.fullmatch(pattern, ours) is not None


def differences(case: Mapping[str, Any], execution: Execution, equal: Comparison) -> list[str]:
    """What came out otherwise than recorded; empty when nothing did."""
    expect = case["expect"]
    found = []
    if expect["status"] != execution.status:
        found.append(f"status {execution.status} ({execution.error}: {execution.cause})")
    if "output" in expect and not equal(expect["output"], execution.output):
        found.append(f"output {execution.output}")
    for field, ours in (("error", execution.error), ("cause", execution.cause)):
        if not equal(expect.get(field), ours):
            found.append(f"{field} {ours}")
    if "events" in expect and not found:
        found += _event_differences(expect["events"], [_shape(event) for event in execution.events], equal)
    return found


def _shape(event: Any) -> dict[str, Any]:
    """One of our events in the form of the recordings."""
    details = {key: value for key, value in event.details.items() if key not in ("name", "roleArn")}
    for key in _JSON_TEXTS:
        if key in details:
            details[key] = json.loads(details[key])
    if "assignedVariables" in details:
        details["assignedVariables"] = {name: json.loads(text) for name, text in details["assignedVariables"].items()}
    shape: dict[str, Any] = {"id": event.id, "previousEventId": event.previous_event_id, "type": event.type}
    if "name" in event.details:
        shape["name"] = event.details["name"]
    if details:
        shape["details"] = details
    return shape


def _event_differences(
    recorded: Sequence[dict[str, Any]], ours: Sequence[dict[str, Any]], equal: Comparison
) -> list[str]:
    if any(event["id"] is None for event in recorded):
        return _unordered(recorded, ours, equal)
    found = [
        f"event {theirs['id']}: recorded {theirs}, ours {mine}"
        for theirs, mine in zip(recorded, ours, strict=False)
        if not equal(theirs, mine)
    ]
    if len(recorded) != len(ours):
        found.append(f"{len(recorded)} events recorded, ours {[event['type'] for event in ours]}")
    return found


def _unordered(recorded: Sequence[dict[str, Any]], ours: Sequence[dict[str, Any]], equal: Comparison) -> list[str]:
    """Order and links are lost inside a Parallel, and so are closing events of its own."""
    left = list(ours)
    found = []
    for theirs in recorded:
        bare = {key: value for key, value in theirs.items() if key in ("type", "name", "details")}
        match = next((mine for mine in left if equal(bare, {key: mine[key] for key in bare if key in mine})), None)
        if match is None:
            found.append(f"no event like {bare} among {Counter(event['type'] for event in left)}")
        else:
            left.remove(match)
    closing = ("ParallelStateSucceeded", "ParallelStateFailed", "ParallelStateExited")
    return found + [f"too many: {event}" for event in left if event["type"] not in closing]
