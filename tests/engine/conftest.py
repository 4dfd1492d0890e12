"""What the engine's tests share: running one machine with scripted tasks."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from stepsmith.engine import (
    Engine,
    Execution,
    Json,
    TaskCall,
    TaskOutcome,
    TaskSucceeded,
)

LAMBDA = "arn:aws:states:::lambda:invoke"
TOKEN = "arn:aws:states:::lambda:invoke.waitForTaskToken"


class Bench:
    """An engine with its calls recorded; by default a task succeeds with its own arguments."""

    def __init__(self) -> None:
        self.calls: list[TaskCall] = []
        self.handler: Callable[[TaskCall], TaskOutcome] = lambda call: TaskSucceeded(call.arguments)
        self.traced: list[Any] = []
        self._numbers = iter(range(10**9))
        self.engine = Engine(self._do, ids=lambda: f"id-{next(self._numbers)}", trace=self.traced.append)

    def _do(self, call: TaskCall) -> TaskOutcome:
        self.calls.append(call)
        return self.handler(call)

    def script(self, *outcomes: TaskOutcome) -> None:
        """Answer calls with these, one after another."""
        left = iter(outcomes)
        self.handler = lambda _: next(left)

    def start(self, states: Mapping[str, Any], value: Json = None, **machine: Any) -> Execution:
        """Start a machine whose first state is the first one given."""
        definition = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states, **machine}
        return self.engine.start(definition, value, name="run")

    def __call__(self, states: Mapping[str, Any], value: Json = None, **machine: Any) -> Execution:
        execution = self.start(states, value, **machine)
        self.engine.run()
        return execution


@pytest.fixture
def bench() -> Bench:
    return Bench()


def task(**fields: Any) -> dict[str, Any]:
    """A Task state that calls a Lambda function."""
    return {
        "Type": "Task",
        "Resource": LAMBDA,
        "Arguments": {},
        **({} if "Next" in fields else {"End": True}),
        **fields,
    }


def types(execution: Execution) -> Sequence[str]:
    """The types of an execution's events."""
    return [event.type for event in execution.events]


@pytest.fixture
def make_task() -> Callable[..., dict[str, Any]]:
    return task


@pytest.fixture
def event_types() -> Callable[[Execution], Sequence[str]]:
    return types
