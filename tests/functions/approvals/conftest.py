"""Approvals in the table that moto emulates, with fakes of time, tasks and mail."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from moto import mock_aws

from stepsmith_functions.approvals.deciding import TokenGoneError
from stepsmith_functions.approvals.records import Approval
from stepsmith_functions.history.items import table_definition
from stepsmith_functions.runtime import clients, log
from stepsmith_functions.runtime.hosting import Host, hosted

NOW = datetime(2026, 7, 12, 8, 30, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.present = NOW

    def now(self) -> datetime:
        return self.present

    def elapsed(self) -> float:
        return (self.present - NOW).total_seconds()

    def sleep(self, seconds: float) -> None:
        self.present += timedelta(seconds=seconds)


@dataclass
class Tasks:
    """Tasks that wait for answers."""

    gone: set[str] = field(default_factory=set)
    sent: list[tuple[str, ...]] = field(default_factory=list)
    broken: bool = False

    def succeed(self, token: str, output: str) -> None:
        self._answer(token, "succeed", output)

    def fail(self, token: str, error: str, cause: str) -> None:
        self._answer(token, "fail", error, cause)

    def _answer(self, token: str, *answer: str) -> None:
        if self.broken:
            raise ConnectionError("no network")
        if token in self.gone:
            raise TokenGoneError
        self.gone.add(token)
        self.sent.append((token, *answer))


@dataclass
class Told:
    """What the history heard."""

    heard: list[tuple[str, str]] = field(default_factory=list)

    def asked(self, approval: Approval) -> None:
        self.heard.append(("asked", approval.path))

    def decided(self, approval: Approval, at: datetime) -> None:
        self.heard.append((approval.status.value, approval.path))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tasks() -> Tasks:
    return Tasks()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def make() -> Callable[..., Approval]:
    """An approval that asks two people and waits for an hour."""

    def made(**changes: Any) -> Approval:
        known: dict[str, Any] = {
            "run_id": "run-1",
            "path": "ok",
            "step_id": "ok",
            "workflow": "w",
            "message": "May I?",
            "asked_at": NOW,
            "deadline": NOW + timedelta(hours=1),
            "approvers": ("a@example.com", "b@example.com"),
            "token": "token-1",
            "due": NOW + timedelta(hours=1),
        }
        return Approval(**{**known, **changes})

    return made


_tables = count()


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[str]:
    """An empty deployment; the name of its table."""
    name = f"approvals-{next(_tables)}"
    environment = {
        "HISTORY_TABLE": name,
        "DATA_BUCKET": "data",
        "ALERTS_SENDER": "stepsmith@example.com",
        "APPROVALS_URL": "https://api.example.com",
    }
    for key, value in (
        ("AWS_ACCESS_KEY_ID", "testing"),
        ("AWS_SECRET_ACCESS_KEY", "testing"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        *environment.items(),
    ):
        monkeypatch.setenv(key, value)
    clients.reset()
    host = Host(clock=clock, environment=environment)
    with mock_aws(), hosted(host), log.written_to(io.StringIO()):
        clients.of_process().get("dynamodb").create_table(**table_definition(name))
        clients.of_process().get("ses").verify_email_identity(EmailAddress="stepsmith@example.com")
        yield name
    clients.reset()
