"""What every action's test needs: an emulated AWS, fakes of time and history, a way to call a handler."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from stepsmith_functions.runtime import clients, log
from stepsmith_functions.runtime.hosting import Host, hosted
from stepsmith_functions.runtime.recording import RecordedStep, StepEnd, StepProgress, StepStart

EVENTS = Path(__file__).parents[3] / "events" / "actions"


class FakeClock:
    """Time that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC) + timedelta(seconds=self.elapsed())

    def elapsed(self) -> float:
        return sum(self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


class CountedIds:
    def __init__(self) -> None:
        self.given = 0

    def new(self) -> str:
        self.given += 1
        return f"{self.given:032x}"


@dataclass
class FakeHistory:
    """Remembers what handlers tell and answers with `steps`."""

    starts: list[StepStart] = field(default_factory=list)
    ends: list[StepEnd] = field(default_factory=list)
    progress: list[StepProgress] = field(default_factory=list)
    steps: list[RecordedStep] = field(default_factory=list)

    def recorder(self, settings: object) -> FakeHistory:
        return self

    def reader(self, settings: object) -> FakeHistory:
        return self

    def control(self, settings: object) -> None:
        return None

    def started(self, step: StepStart) -> None:
        self.starts.append(step)

    def progressed(self, step: StepStart, progress: StepProgress) -> None:
        self.progress.append(progress)

    def ended(self, step: StepEnd) -> None:
        self.ends.append(step)

    def steps_of_run(self, run_id: str) -> Sequence[RecordedStep]:
        return self.steps


class FakeSecrets:
    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def fetch(self, secret_id: str) -> str:
        return self.values[secret_id]


@dataclass
class LambdaContext:
    aws_request_id: str = "request-1"
    function_name: str = "function"
    memory_limit_in_mb: str = "256"
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:function"
    log_stream_name: str = "stream"
    left: int = 30_000

    def get_remaining_time_in_millis(self) -> int:
        return self.left


@dataclass
class World:
    """A deployment as a handler finds it."""

    environment: dict[str, str]
    clock: FakeClock
    ids: CountedIds
    history: FakeHistory
    secrets: FakeSecrets

    def call(self, action: str, params: dict[str, Any], run: str | None = None, **step: Any) -> Any:
        """What the action's handler answers to `params`, as a step of `run` or invoked alone."""
        event: dict[str, Any] = {"params": params}
        if run:
            event["run"] = {"id": run, "workflow": "w"}
            event["step"] = {"id": "s", "path": "s", "attempt": 0, "line": 1, "action": action, **step}
        return self.send(action, event)

    def send(self, action: str, event: dict[str, Any], left: int = 30_000) -> Any:
        """What the action's handler answers to `event`, all through JSON as Lambda does it; `left` is in
        milliseconds."""
        handler: Callable[..., Any] = import_module(f"stepsmith_functions.actions.{action}").handler
        return json.loads(json.dumps(handler(json.loads(json.dumps(event)), LambdaContext(left=left))))

    def sample(self, action: str) -> dict[str, Any]:
        """The sample event of the action."""
        event: dict[str, Any] = json.loads((EVENTS / f"{action}.json").read_text())
        return event


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """An empty deployment on an emulated AWS, with a data bucket."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    world = World({"DATA_BUCKET": "data-bucket"}, FakeClock(), CountedIds(), FakeHistory(), FakeSecrets())
    host = Host(
        clock=world.clock,
        ids=world.ids,
        history=world.history,
        secrets=world.secrets,
        environment=world.environment,
    )
    # Clients are kept from test to test: moto answers any that was made after its import, and making one
    # is slow.
    with mock_aws(), hosted(host), log.written_to(io.StringIO()):
        clients.of_process().get("s3").create_bucket(Bucket="data-bucket")
        yield world
