"""A deployment in memory: fakes for time, history, secrets and the Lambda context."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stepsmith_functions.runtime.errors import SecretUnavailable
from stepsmith_functions.runtime.hosting import Host, hosted
from stepsmith_functions.runtime.recording import StepEnd, StepProgress, StepStart


@dataclass
class FakeHistory:
    starts: list[StepStart] = field(default_factory=list)
    ends: list[StepEnd] = field(default_factory=list)
    progress: list[StepProgress] = field(default_factory=list)
    broken: bool = False

    def recorder(self, settings: object) -> FakeHistory:
        return self

    def reader(self, settings: object) -> None:
        return None

    def control(self, settings: object) -> None:
        return None

    def started(self, step: StepStart) -> None:
        self.starts.append(step)
        if self.broken:
            raise OSError("no table")

    def progressed(self, step: StepStart, progress: StepProgress) -> None:
        self.progress.append(progress)

    def ended(self, step: StepEnd) -> None:
        self.ends.append(step)
        if self.broken:
            raise OSError("no table")


class TickingClock:
    """Each look at the clock is a second later."""

    def __init__(self) -> None:
        self.looks = 0

    def now(self) -> datetime:
        self.looks += 1
        return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC) + timedelta(seconds=self.looks)

    def elapsed(self) -> float:
        return float(self.looks)

    def sleep(self, seconds: float) -> None:
        self.looks += int(seconds)


class FakeSecrets:
    def __init__(self, values: dict[str, str]) -> None:
        self.values = values

    def fetch(self, secret_id: str) -> str:
        try:
            return self.values[secret_id]
        except KeyError:
            raise SecretUnavailable(f"the secret {secret_id!r} cannot be read") from None


class LambdaContext:
    aws_request_id = "request-1"

    def get_remaining_time_in_millis(self) -> int:
        return 12_000


@dataclass
class World:
    history: FakeHistory = field(default_factory=FakeHistory)
    secrets: FakeSecrets = field(default_factory=lambda: FakeSecrets({"stepsmith/TOKEN": 's3cr"et/value'}))
    context: LambdaContext = field(default_factory=LambdaContext)

    def send(self, action: Any, params: object, **more: object) -> Any:
        """What the handler of `action` answers as a step of a run."""
        event = {
            "params": params,
            "run": {"id": "run-1", "workflow": "w", "version": "1.0.0"},
            "step": {"id": "s", "path": "loop[0].s", "attempt": 1, "line": 7, "action": "a"},
            **more,
        }
        return action.handler(event, self.context)


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    host = Host(clock=TickingClock(), history=world.history, secrets=world.secrets, environment={})
    with hosted(host):
        yield world
