"""The stores under test: DynamoDB as moto emulates it, and a SQLite file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws

from stepsmith_functions.history.dynamodb import DynamoRunStore
from stepsmith_functions.history.items import table_definition
from stepsmith_functions.history.local import LocalRunStore
from stepsmith_functions.history.objects import S3Values
from stepsmith_functions.history.records import RunRecord, RunStatus, StepRecord, StepStatus
from stepsmith_functions.history.retrying import Backoff

BUCKET = "data"
START = datetime(2026, 7, 12, 8, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def aws() -> Iterator[Callable[[str], Any]]:
    """Makes clients of the emulated AWS. They do not retry by themselves: that is what is tested."""
    with pytest.MonkeyPatch.context() as environment, mock_aws():
        for name, value in (
            ("AWS_ACCESS_KEY_ID", "testing"),
            ("AWS_SECRET_ACCESS_KEY", "testing"),
            ("AWS_DEFAULT_REGION", "eu-central-1"),
        ):
            environment.setenv(name, value)
        config = Config(retries={"total_max_attempts": 1})
        clients: dict[str, Any] = {}

        def client(service: str) -> Any:
            return clients.setdefault(service, boto3.client(service, config=config))

        client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        yield client


_tables = count()


@pytest.fixture(scope="module")
def new_table(aws: Callable[[str], Any]) -> Callable[[], str]:
    """Makes a table and returns its name."""

    def make() -> str:
        name = f"history-{next(_tables)}"
        aws("dynamodb").create_table(**table_definition(name))
        return name

    return make


@pytest.fixture
def table(new_table: Callable[[], str]) -> str:
    """A fresh table."""
    return new_table()


@pytest.fixture(scope="module")
def patience() -> Backoff:
    """Waits without waiting."""
    return Backoff(attempts=4, sleep=lambda _: None, jitter=lambda: 1.0)


@pytest.fixture(scope="module")
def new_store(
    aws: Callable[[str], Any],
    new_table: Callable[[], str],
    patience: Backoff,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], DynamoRunStore | LocalRunStore]:
    """Makes an empty store of a kind."""

    def make(kind: str) -> DynamoRunStore | LocalRunStore:
        if kind == "local":
            return LocalRunStore(tmp_path_factory.mktemp("project") / ".stepsmith" / "history.db")
        values = S3Values(aws("s3"), BUCKET, backoff=patience)
        return DynamoRunStore(aws("dynamodb"), new_table(), values, keep_days=30, backoff=patience)

    return make


@pytest.fixture
def dynamo_store(aws: Callable[[str], Any], table: str, patience: Backoff) -> DynamoRunStore:
    """A store on the table that `table` names."""
    values = S3Values(aws("s3"), BUCKET, backoff=patience)
    return DynamoRunStore(aws("dynamodb"), table, values, keep_days=30, backoff=patience)


@pytest.fixture
def local_store(tmp_path: Path) -> LocalRunStore:
    return LocalRunStore(tmp_path / ".stepsmith" / "history.db")


@pytest.fixture(params=["dynamo", "local"])
def store(request: pytest.FixtureRequest) -> DynamoRunStore | LocalRunStore:
    """Each kind of store in turn."""
    kept: DynamoRunStore | LocalRunStore = request.getfixturevalue(f"{request.param}_store")
    return kept


MakeRun = Callable[..., RunRecord]
MakeStep = Callable[..., StepRecord]


@pytest.fixture(scope="module")
def a_run() -> MakeRun:
    """Makes a run; `minute` says when it started."""

    def make(run_id: str = "run-1", *, minute: int = 0, **fields: Any) -> RunRecord:
        defaults: dict[str, Any] = {
            "workflow": "critical-threat-response",
            "status": RunStatus.RUNNING,
            "started_at": START + timedelta(minutes=minute),
        }
        return RunRecord(run_id, **{**defaults, **fields})

    return make


@pytest.fixture(scope="module")
def a_step() -> MakeStep:
    """Makes a step of `run-1`; `second` says when it started, after the run."""

    def make(path: str = "quarantine", *, second: float = 0, **fields: Any) -> StepRecord:
        defaults: dict[str, Any] = {
            "run_id": "run-1",
            "step_id": path.rpartition(".")[2],
            "status": StepStatus.SUCCEEDED,
            "started_at": START + timedelta(seconds=second),
        }
        return StepRecord(path=path, **{**defaults, **fields})

    return make
