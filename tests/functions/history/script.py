"""Histories written by hand after AWS's grammar."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from stepsmith_functions.history.events import Event

START = datetime(2026, 7, 12, 8, 30, tzinfo=UTC)
LAMBDA = {"resource": "invoke", "resourceType": "lambda"}


class Script:
    """Writes a history, a second per event. What a method returns is the event's id."""

    def __init__(self, given: str = "{}") -> None:
        self.events: list[Event] = []
        self.event("ExecutionStarted", 0, input=given)

    def event(self, kind: str, after: int, **details: Any) -> int:
        number = len(self.events) + 1
        event: dict[str, object] = {
            "id": number,
            "previousEventId": after,
            "type": kind,
            "timestamp": START + timedelta(seconds=number),
        }
        if details:
            event["someEventDetails"] = details
        self.events.append(event)
        return number

    def entered(self, kind: str, name: str, after: int) -> int:
        return self.event(f"{kind}StateEntered", after, name=name, input="{}")

    def exited(self, kind: str, name: str, after: int, output: Any = None) -> int:
        return self.event(f"{kind}StateExited", after, name=name, output=json.dumps(output))

    def passes(self, kind: str, name: str, after: int, output: Any = None) -> int:
        """A state that is entered and exited at once."""
        return self.exited(kind, name, self.entered(kind, name, after), output)

    def attempt(self, after: int, *, params: Any = None, error: str | None = None, result: Any = None) -> int:
        payload = {"FunctionName": "f", "Payload": {"params": params, "run": {"version": "1.0.0"}}}
        scheduled = self.event("TaskScheduled", after, parameters=json.dumps(payload), **LAMBDA)
        started = self.event("TaskStarted", scheduled, **LAMBDA)
        if error == "States.Timeout":
            return self.event("TaskTimedOut", started, error=error, **LAMBDA)
        if error is not None:
            cause = json.dumps({"errorMessage": f"{error} happened", "errorType": error})
            return self.event("TaskFailed", started, error=error, cause=cause, **LAMBDA)
        output = json.dumps({"StatusCode": 200, "Payload": result})
        return self.event("TaskSucceeded", started, output=output, **LAMBDA)

    def task(self, name: str, after: int, *, params: Any = None, result: Any = None, output: Any = None) -> int:
        """A Task that succeeds at once; its output is its result unless told otherwise."""
        done = self.attempt(self.entered("Task", name, after), params=params, result=result)
        return self.exited("Task", name, done, result if output is None else output)
