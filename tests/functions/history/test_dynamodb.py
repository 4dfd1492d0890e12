"""What only the DynamoDB store does: keys, large values, expiry, throttling and refusals."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from stepsmith_functions.history.dynamodb import DynamoRunStore
from stepsmith_functions.history.items import TTL_ATTRIBUTE, table_definition
from stepsmith_functions.history.objects import S3Values
from stepsmith_functions.history.records import RunRecord, RunStatus, StepRecord, StepStatus
from stepsmith_functions.history.retrying import Backoff
from stepsmith_functions.history.store import (
    HistoryThrottledError,
    HistoryUnavailableError,
    RunQuery,
    all_steps,
)
from stepsmith_functions.history.values import StoredValue

START = datetime(2026, 7, 12, 8, 30, tzinfo=UTC)
MakeRun = Callable[..., RunRecord]
MakeStep = Callable[..., StepRecord]


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "refused"}}, "Any")


class Unreliable:
    """Fails the first calls, then passes them on; remembers every call."""

    def __init__(self, client: Any, *failures: Exception) -> None:
        self._client = client
        self._failures = list(failures)
        self.calls: list[tuple[str, Mapping[str, Any]]] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**arguments: Any) -> Any:
            self.calls.append((name, arguments))
            if self._failures:
                raise self._failures.pop(0)
            return getattr(self._client, name)(**arguments)

        return call

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


Open = Callable[..., tuple[DynamoRunStore, Unreliable]]


@pytest.fixture
def opened(aws: Callable[[str], Any], table: str, patience: Backoff) -> Open:
    """Opens the store over a client that fails first."""

    def make(*failures: Exception, backoff: Backoff = patience) -> tuple[DynamoRunStore, Unreliable]:
        client = Unreliable(aws("dynamodb"), *failures)
        values = S3Values(aws("s3"), "data", backoff=backoff)
        return DynamoRunStore(client, table, values, keep_days=30, backoff=backoff), client

    return make


def test_every_question_is_one_query_and_never_a_scan(opened: Open, a_run: MakeRun, a_step: MakeStep) -> None:
    store, client = opened()
    for minute in range(3):
        store.put_run(a_run(f"run-{minute}", minute=minute))
    store.put_steps([a_step()])
    client.calls.clear()

    for query in (RunQuery(), RunQuery(workflow="w"), RunQuery(status=RunStatus.RUNNING), RunQuery(since=START)):
        store.runs(query, limit=2)
    store.steps("run-1")
    store.run("run-1")

    assert client.names == ["query"] * 5 + ["get_item"]


def test_the_definition_makes_the_keys_and_indexes(aws: Callable[[str], Any], table: str) -> None:
    description = aws("dynamodb").describe_table(TableName=table)["Table"]

    def keys(schema: list[dict[str, str]]) -> list[str]:
        return [key["AttributeName"] for key in schema]

    assert keys(description["KeySchema"]) == ["pk", "sk"]
    assert {index["IndexName"]: keys(index["KeySchema"]) for index in description["GlobalSecondaryIndexes"]} == {
        "by_workflow": ["workflow", "run_started"],
        "by_status": ["status", "run_started"],
        "by_time": ["kind", "run_started"],
        "by_due": ["queue", "due"],
    }
    assert description["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    aws("dynamodb").update_time_to_live(
        TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": TTL_ATTRIBUTE}
    )
    assert json.dumps(table_definition("other")) == json.dumps(table_definition("other"))


@pytest.mark.row("S0-071")
def test_a_large_value_lies_in_s3(
    opened: Open, aws: Callable[[str], Any], table: str, a_run: MakeRun, a_step: MakeStep
) -> None:
    large = {"text": "é" * 1_500_000}  # 3 MB as UTF-8
    store, _ = opened()
    store.put_run(a_run(input=large))
    store.put_steps([a_step(params=large, output=large)])

    run, (step,) = store.run("run-1"), all_steps(store, "run-1")
    assert isinstance(run.input, StoredValue)
    assert run.input == step.params == step.output  # the same text is kept once
    assert run.input.key.startswith("history/run-1/")
    assert run.input.size == 3_000_000 + len('{"text":""}')
    assert store.load(run.input) == large
    item = aws("dynamodb").get_item(TableName=table, Key={"pk": {"S": "RUN#run-1"}, "sk": {"S": "RUN"}})["Item"]
    assert len(json.dumps(item)) < 2000


def test_a_reference_is_written_as_it_is(opened: Open, a_run: MakeRun) -> None:
    store, _ = opened()
    store.put_run(a_run(input="x" * 70_000))
    reference = store.run("run-1").input
    store.put_run(a_run("run-2", input=reference))

    assert store.run("run-2").input == reference


def test_a_changed_object_is_not_passed_off_as_the_value(
    opened: Open, aws: Callable[[str], Any], a_run: MakeRun
) -> None:
    store, _ = opened()
    store.put_run(a_run(input="x" * 70_000))
    reference = store.run("run-1").input
    assert isinstance(reference, StoredValue)
    aws("s3").put_object(Bucket="data", Key=reference.key, Body=b'"y"')

    with pytest.raises(HistoryUnavailableError, match="digest differs"):
        store.load(reference)
    aws("s3").delete_object(Bucket="data", Key=reference.key)
    with pytest.raises(HistoryUnavailableError, match="not there"):
        store.load(reference)


@pytest.mark.row("S4-010")
def test_items_expire_after_their_end(
    opened: Open, aws: Callable[[str], Any], table: str, a_run: MakeRun, a_step: MakeStep
) -> None:
    def expiry(sk: str) -> datetime | None:
        item = aws("dynamodb").get_item(TableName=table, Key={"pk": {"S": "RUN#run-1"}, "sk": {"S": sk}})["Item"]
        return datetime.fromtimestamp(int(item["expires_at"]["N"]), UTC) if "expires_at" in item else None

    store, _ = opened()
    ended = START + timedelta(days=100)
    store.put_run(a_run())
    store.put_steps([a_step(ended_at=ended)])
    assert expiry("RUN") is None
    assert expiry("STEP#quarantine") == ended + timedelta(days=30)

    store.put_run(a_run(status=RunStatus.SUCCEEDED, ended_at=ended))
    assert expiry("RUN") == ended + timedelta(days=30)
    store.put_run(a_run(redrive_count=1))
    assert expiry("RUN") is None


@pytest.mark.row("S1-117")
@pytest.mark.parametrize(
    "code", ["ProvisionedThroughputExceededException", "ThrottlingException", "InternalServerError"]
)
def test_throttling_is_waited_out(opened: Open, a_run: MakeRun, code: str) -> None:
    pauses: list[float] = []
    backoff = Backoff(attempts=4, base=0.1, cap=0.3, sleep=pauses.append, jitter=lambda: 0.5)
    store, client = opened(*[refusal(code)] * 3, backoff=backoff)

    assert store.put_run(a_run())
    assert client.names == ["update_item"] * 4
    assert pauses == pytest.approx([0.05, 0.1, 0.15])
    assert store.run("run-1") == a_run()


def test_throttling_without_end_is_told(opened: Open, a_run: MakeRun) -> None:
    store, client = opened(*[refusal("ThrottlingException")] * 9)

    with pytest.raises(HistoryThrottledError, match="after 4 attempts"):
        store.put_run(a_run())
    assert len(client.calls) == 4


def test_steps_left_out_of_a_batch_are_sent_again(
    aws: Callable[[str], Any], table: str, patience: Backoff, a_step: MakeStep
) -> None:
    class Sparing:
        """Writes two items of each batch and leaves the others out, as a throttled table does."""

        def __init__(self) -> None:
            self.calls = 0

        def batch_write_item(self, **arguments: Any) -> dict[str, Any]:
            self.calls += 1
            requests = arguments["RequestItems"][table]
            aws("dynamodb").batch_write_item(RequestItems={table: requests[:2]})
            return {"UnprocessedItems": {table: requests[2:]} if requests[2:] else {}}

        def __getattr__(self, name: str) -> Any:
            return getattr(aws("dynamodb"), name)

    client = Sparing()
    store = DynamoRunStore(client, table, S3Values(aws("s3"), "data"), backoff=patience)
    store.put_steps([a_step(f"s{number}") for number in range(7)])
    assert len(all_steps(store, "run-1")) == 7
    assert client.calls == 4
    with pytest.raises(HistoryThrottledError, match="1 steps were not written"):
        store.put_steps([a_step(f"t{number}") for number in range(9)])


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (refusal("ResourceNotFoundException"), "ResourceNotFoundException: refused"),
        (refusal("AccessDeniedException"), "AccessDeniedException: refused"),
        (EndpointConnectionError(endpoint_url="https://dynamodb"), "Could not connect"),
    ],
)
def test_other_failures_are_told_at_once(opened: Open, failure: Exception, message: str) -> None:
    for ask in (
        lambda store: store.run("run-1"),
        lambda store: store.runs(),
        lambda store: store.steps("run-1"),
        lambda store: store.move_run("run-1", {RunStatus.RUNNING}, RunStatus.PAUSED),
    ):
        store, client = opened(failure)
        with pytest.raises(HistoryUnavailableError, match=message):
            ask(store)
        assert len(client.calls) == 1


def test_a_late_handler_may_correct_a_cancelled_step_only(
    opened: Open, aws: Callable[[str], Any], table: str, a_step: MakeStep
) -> None:
    store, _ = opened()
    running = a_step(status=StepStatus.RUNNING)
    for status, settled in ((StepStatus.CANCELLED, False), (StepStatus.FAILED, True)):
        store.put_steps([running])
        assert store.replace_step(running, a_step(status=status))
        key = {"pk": {"S": "RUN#run-1"}, "sk": {"S": "STEP#quarantine"}}
        assert ("settled" in aws("dynamodb").get_item(TableName=table, Key=key)["Item"]) is settled
