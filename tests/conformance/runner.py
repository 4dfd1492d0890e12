"""Runs cases on any Step Functions that boto3 reaches, and compares what came out."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import ClientError

from tests.conformance.cases import CHILD, CHILD_STATES, Case

EXPECTED: Final = Path(__file__).with_name("expected.json")
_NOT_YET: Final = ("AccessDeniedException", "StateMachineDoesNotExist")
FIELDS: Final = ("refused", "status", "output", "error", "cause", "events")
_MASKS: Final = (
    (re.compile(r"arn:aws[\w-]*:states:[\w-]+:\d{12}:[^\"'\s\\]+"), "<arn>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "<time>"),
    (re.compile(r"Request ID: [\w-]+"), "Request ID: <id>"),
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<uuid>"),
)


@dataclass
class Bench:
    """A Step Functions service. `settle` makes time pass until something may have ended."""

    client: Any
    role: str
    settle: Callable[[], None]
    prefix: str
    _machines: list[str] = field(default_factory=list)
    _child: str = ""

    def __enter__(self) -> Bench:
        try:
            self._child = self._create("called", {"StartAt": "Which", "States": CHILD_STATES})
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Deletes what was made; executions that still run are stopped by that."""
        for arn in self._machines:
            self.client.delete_state_machine(stateMachineArn=arn)
        self._machines.clear()

    def _create(self, name: str, definition: Mapping[str, Any]) -> str:
        text = json.dumps({"QueryLanguage": "JSONata", **definition}, ensure_ascii=False)
        made = self.client.create_state_machine(
            name=f"{self.prefix}-{name}"[:80],
            definition=text.replace(CHILD, self._child or CHILD),
            roleArn=self.role,
        )
        arn = str(made["stateMachineArn"])
        self._machines.append(arn)
        return arn

    def outcome(self, case: Case) -> dict[str, Any]:
        """What became of a case, with everything masked that differs from run to run."""
        try:
            arn = self._create(re.sub(r"[^\w-]", "-", case.name), case.definition)
        except ClientError as error:
            told = error.response["Error"]
            return masked({"refused": told["Code"], "cause": told["Message"]})
        if case.only_create:
            return {"refused": None}
        execution = self._started(arn, case)
        ended = self._ended(execution)
        if case.redrive:
            self.client.redrive_execution(executionArn=execution)
            ended = self._ended(execution)
        output = ended.get("output")
        events = self._events(execution)
        found = {
            "status": ended["status"],
            "output": json.loads(output) if output is not None else None,
            "error": ended.get("error"),
            "cause": ended.get("cause"),
            "events": sorted(events) if case.concurrent else events,
        }
        if case.question.startswith("12"):
            found["at once"] = events[: events.index("WaitStateExited")].count("MapIterationStarted")
        return masked(found)

    def _started(self, arn: str, case: Case) -> str:
        """Starts it; a fresh role and a fresh machine may take a moment to be seen everywhere."""
        for attempt in range(6):
            try:
                started = self.client.start_execution(stateMachineArn=arn, input=json.dumps(case.input))
                return str(started["executionArn"])
            except ClientError as error:
                if attempt == 5 or error.response["Error"]["Code"] not in _NOT_YET:
                    raise
                time.sleep(2)
        raise AssertionError

    def _ended(self, execution: str) -> dict[str, Any]:
        for _ in range(240):
            self.settle()
            shown: dict[str, Any] = self.client.describe_execution(executionArn=execution)
            if shown["status"] != "RUNNING":
                return shown
        raise TimeoutError(f"{execution} does not end")

    def _events(self, execution: str) -> list[str]:
        pages = self.client.get_paginator("get_execution_history").paginate(
            executionArn=execution, includeExecutionData=False
        )
        return [str(event["type"]) for page in pages for event in page["events"]]


def masked(outcome: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(outcome)
    for pattern, name in _MASKS:
        text = pattern.sub(name, text)
    found: dict[str, Any] = json.loads(text)
    return found


def compared(expected: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    """Each field that came out otherwise."""
    for name in FIELDS:
        if expected.get(name) != found.get(name):
            yield f"{name}: expected {json.dumps(expected.get(name))}, found {json.dumps(found.get(name))}"


def read_expected() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(EXPECTED.read_text(encoding="utf-8"))
    return found


def write_expected(outcomes: Mapping[str, Mapping[str, Any]]) -> None:
    lines = [f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in outcomes.items()]
    EXPECTED.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
