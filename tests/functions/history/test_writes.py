"""What a run costs the table in write requests, and a run during which the table is out of reach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from stepsmith_functions.history.dynamodb import DynamoRunStore
from stepsmith_functions.history.objects import S3Values
from stepsmith_functions.history.records import RunStatus
from stepsmith_functions.history.retrying import Backoff
from stepsmith_functions.history.steps import DynamoStepRecorder
from stepsmith_functions.history.store import HistoryThrottledError, all_steps
from stepsmith_functions.runtime.recording import StepEnd, StepStart
from tests.functions.history.test_recorder import START, States, change, recording, refusal, story

PATIENCE = Backoff(attempts=3, sleep=lambda _: None, jitter=lambda: 1.0)


class Table:
    """A client that counts the items it writes by their sort key, and refuses while it is out of reach."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.written: Counter[str] = Counter()
        self.out_of_reach = False

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**arguments: Any) -> Any:
            if self.out_of_reach:
                raise refusal("ProvisionedThroughputExceededException")
            if name in ("update_item", "put_item"):
                self.written[(arguments.get("Key") or arguments["Item"])["sk"]["S"]] += 1
            elif name == "batch_write_item":
                [requests] = arguments["RequestItems"].values()
                self.written.update(each["PutRequest"]["Item"]["sk"]["S"] for each in requests)
            return getattr(self.client, name)(**arguments)

        return call


@pytest.fixture
def counted(aws: Callable[[str], Any], table: str) -> tuple[Table, DynamoRunStore, DynamoStepRecorder]:
    client, values = Table(aws("dynamodb")), S3Values(aws("s3"), "data", backoff=PATIENCE)
    store = DynamoRunStore(client, table, values, keep_days=30, backoff=PATIENCE)
    return client, store, DynamoStepRecorder(client, table, values, keep_days=30, backoff=PATIENCE)


def step(name: str, params: Mapping[str, Any], output: Any) -> tuple[StepStart, StepEnd]:
    """What the handler of the step tells, first and last."""
    common: dict[str, Any] = {
        "run_id": "run-1",
        "workflow": "order",
        "version": "1.0.0",
        "step_id": name,
        "path": name,
        "action": name,
        "attempt": 0,
        "line": 1,
        "params": dict(params),
        "started_at": START + timedelta(seconds=1),
    }
    return StepStart(**common), StepEnd(**common, output=output, error=None, ended_at=START + timedelta(seconds=2))


STEPS = (step("quarantine", {"file": "x"}, {"id": "q"}), step("tell", {"to": "a"}, {"m": 1}))


def test_a_run_makes_two_writes_and_each_of_its_steps_two_at_most(
    counted: tuple[Table, DynamoRunStore, DynamoStepRecorder],
) -> None:
    table, store, handler = counted
    recorder = recording(store, States(story()))
    recorder.record(change("RUNNING"))
    for start, end in STEPS:
        handler.started(start)
        handler.ended(end)
    recorder.record(change("SUCCEEDED"))
    # The skipped step has no handler: the recorder writes it, once.
    assert table.written == {"RUN": 2, "STEP#quarantine": 2, "STEP#tell": 2, "STEP#kill": 1}
    recorder.record(change("SUCCEEDED"))
    recorder.record(change("RUNNING"))
    assert {name: table.written[name] for name in table.written if name != "RUN"} == {
        "STEP#quarantine": 2,
        "STEP#tell": 2,
        "STEP#kill": 1,
    }


def test_what_an_outage_took_is_filled_in_when_the_run_ends(
    counted: tuple[Table, DynamoRunStore, DynamoStepRecorder],
) -> None:
    table, store, handler = counted
    recorder = recording(store, States(story()))
    recorder.record(change("RUNNING"))
    (first_start, first_end), (second_start, second_end) = STEPS
    handler.started(first_start)
    table.out_of_reach = True
    for tell in (
        lambda: handler.ended(first_end),
        lambda: handler.started(second_start),
        lambda: handler.ended(second_end),
    ):
        with pytest.raises(HistoryThrottledError):
            tell()
    table.out_of_reach = False
    recorder.record(change("SUCCEEDED"))
    run = store.run("run-1")
    assert (run.status, run.complete) == (RunStatus.SUCCEEDED, True)
    found = {each.path: (each.status.value, each.output) for each in all_steps(store, "run-1")}
    assert found == {
        "quarantine": ("succeeded", {"id": "q"}),
        "kill": ("skipped", None),
        "tell": ("succeeded", {"m": 1}),
    }
