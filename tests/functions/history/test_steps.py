"""What handlers tell: two writes an attempt, in any order, late or lost."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from stepsmith_functions import history
from stepsmith_functions.history.dynamodb import DynamoRunStore
from stepsmith_functions.history.objects import S3Values
from stepsmith_functions.history.reader import HistoryReader
from stepsmith_functions.history.records import StepRecord, StepStatus
from stepsmith_functions.history.retrying import Backoff
from stepsmith_functions.history.steps import DynamoStepRecorder
from stepsmith_functions.history.store import HistoryThrottledError, all_steps
from stepsmith_functions.history.values import StoredValue
from stepsmith_functions.runtime import clients
from stepsmith_functions.runtime.recording import StepEnd, StepError, StepProgress, StepStart

START = datetime(2026, 7, 12, 8, 30, tzinfo=UTC)
PARAMS = {"process_id": 42, "token": "***"}


class Counting:
    """Counts writes and, where told, refuses them."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.writes = 0
        self.refuses = False

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**arguments: Any) -> Any:
            self.writes += name == "update_item"
            if self.refuses:
                error = {"Code": "ProvisionedThroughputExceededException", "Message": "slow down"}
                raise ClientError({"Error": error}, name)
            return getattr(self._client, name)(**arguments)

        return call


@pytest.fixture
def client(aws: Callable[[str], Any]) -> Counting:
    return Counting(aws("dynamodb"))


@pytest.fixture
def recorder(aws: Callable[[str], Any], client: Counting, table: str, patience: Backoff) -> DynamoStepRecorder:
    values = S3Values(aws("s3"), "data", backoff=patience)
    return DynamoStepRecorder(client, table, values, keep_days=30, backoff=patience)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def started(attempt: int = 0, *, second: float = 0, **fields: Any) -> StepStart:
    return StepStart(
        **{
            "run_id": "run-1",
            "workflow": "w",
            "version": "1.0.0",
            "step_id": "kill",
            "path": "kill",
            "action": "kill_process",
            "attempt": attempt,
            "line": 31,
            "params": PARAMS,
            "started_at": at(second),
            **fields,
        }
    )


def ended(attempt: int = 0, *, second: float = 0, error: str | None = None, **fields: Any) -> StepEnd:
    return StepEnd(
        **{
            "run_id": "run-1",
            "workflow": "w",
            "version": "1.0.0",
            "step_id": "kill",
            "path": "kill",
            "action": "kill_process",
            "attempt": attempt,
            "line": 31,
            "params": PARAMS,
            "output": None if error else {"killed": True},
            "error": StepError(error, "no such process") if error else None,
            "started_at": at(second),
            "ended_at": at(second + 1),
            **fields,
        }
    )


def only(store: DynamoRunStore) -> StepRecord:
    (step,) = all_steps(store, "run-1")
    return step


@pytest.mark.row("S0-009", "S1-123")
def test_an_attempt_makes_two_writes(
    recorder: DynamoStepRecorder, client: Counting, dynamo_store: DynamoRunStore
) -> None:
    recorder.started(started())
    assert only(dynamo_store) == StepRecord(
        "run-1",
        "kill",
        "kill",
        StepStatus.RUNNING,
        line=31,
        action="kill_process",
        params=PARAMS,
        started_at=START,
        attempt_started=START,
    )
    recorder.ended(ended())
    assert only(dynamo_store) == StepRecord(
        "run-1",
        "kill",
        "kill",
        StepStatus.SUCCEEDED,
        line=31,
        action="kill_process",
        params=PARAMS,
        output={"killed": True},
        started_at=START,
        attempt_started=START,
        ended_at=at(1),
    )
    assert client.writes == 2


@pytest.mark.row("S1-048")
def test_after_each_step_its_output_is_stored_and_one_more_is_done(
    recorder: DynamoStepRecorder, dynamo_store: DynamoRunStore
) -> None:
    done = []
    for number, name in enumerate(("scan", "kill", "tell")):
        told: dict[str, Any] = {"step_id": name, "path": name, "second": 10 * number}
        recorder.started(started(**told))
        before = [step.path for step in all_steps(dynamo_store, "run-1") if step.status is StepStatus.SUCCEEDED]
        recorder.ended(ended(**told, output={"of": name}))
        outputs = {step.path: step.output for step in all_steps(dynamo_store, "run-1") if step.status.is_final}
        done.append((len(before), len(outputs), outputs[name]))
    assert done == [(0, 1, {"of": "scan"}), (1, 2, {"of": "kill"}), (2, 3, {"of": "tell"})]


def test_attempts_are_one_step(recorder: DynamoStepRecorder, dynamo_store: DynamoRunStore) -> None:
    recorder.started(started())
    recorder.ended(ended(error="ProcessNotFound"))
    failed = only(dynamo_store)
    recorder.started(started(1, second=5))
    again = only(dynamo_store)
    recorder.ended(ended(1, second=5))
    done = only(dynamo_store)

    assert (failed.status, failed.error and failed.error.type) == (StepStatus.FAILED, "ProcessNotFound")
    assert (again.status, again.error, again.ended_at, again.attempts) == (StepStatus.RUNNING, None, None, 2)
    assert (done.status, done.error, done.attempts) == (StepStatus.SUCCEEDED, None, 2)
    assert (done.started_at, done.ended_at) == (START, at(6))


def test_every_order_and_repetition_of_one_attempt_ends_the_same(
    recorder: DynamoStepRecorder, dynamo_store: DynamoRunStore
) -> None:
    expected = None
    for number, order in enumerate(itertools.product("se", repeat=3)):
        if "e" not in order:
            continue
        path = f"kill-{number}"
        for message in order:
            if message == "s":
                recorder.started(started(path=path))
            else:
                recorder.ended(ended(path=path))
        step = next(step for step in all_steps(dynamo_store, "run-1") if step.path == path)
        found = (step.status, step.attempts, step.started_at, step.ended_at, step.output, step.params)
        expected = expected or found
        assert found == expected, order
    assert expected == (StepStatus.SUCCEEDED, 1, START, at(1), {"killed": True}, PARAMS)


def test_an_attempt_that_was_given_up_does_not_overwrite_the_next(
    recorder: DynamoStepRecorder, dynamo_store: DynamoRunStore
) -> None:
    recorder.started(started())
    recorder.started(started(1, second=30))
    recorder.ended(ended(second=0, error="TooLate", ended_at=at(40)))
    assert only(dynamo_store).status is StepStatus.RUNNING

    recorder.ended(ended(1, second=30))
    recorder.ended(ended(second=0, error="TooLate", ended_at=at(50)))
    assert (only(dynamo_store).status, only(dynamo_store).attempts) == (StepStatus.SUCCEEDED, 2)


def test_a_lost_start_costs_nothing_but_itself(recorder: DynamoStepRecorder, dynamo_store: DynamoRunStore) -> None:
    recorder.ended(ended(second=0, error="ProcessNotFound"))
    recorder.ended(ended(1, second=5))

    step = only(dynamo_store)
    assert (step.status, step.attempts, step.started_at, step.ended_at) == (
        StepStatus.SUCCEEDED,
        2,
        START,
        at(6),
    )


def test_a_redriven_step_goes_on_counting(recorder: DynamoStepRecorder, dynamo_store: DynamoRunStore) -> None:
    for attempt, second in ((0, 0), (1, 5), (0, 100)):
        recorder.started(started(attempt, second=second))
        recorder.ended(ended(attempt, second=second, error="ProcessNotFound"))

    assert only(dynamo_store).attempts == 3


def test_a_settled_step_stays_but_a_cancelled_one_learns_of_its_deed(
    recorder: DynamoStepRecorder, dynamo_store: DynamoRunStore
) -> None:
    for path, status in (("timed_out", StepStatus.FAILED), ("stopped", StepStatus.CANCELLED)):
        recorder.started(started(path=path))
        known = next(step for step in all_steps(dynamo_store, "run-1") if step.path == path)
        settled = StepRecord("run-1", "kill", path, status, params=PARAMS, started_at=START, ended_at=at(30), line=31)
        assert dynamo_store.replace_step(known, settled)
        recorder.ended(ended(path=path, ended_at=at(40)))

    stopped, timed_out = all_steps(dynamo_store, "run-1")
    assert (timed_out.status, timed_out.output) == (StepStatus.FAILED, None)
    assert (stopped.status, stopped.output, stopped.attempts) == (StepStatus.SUCCEEDED, {"killed": True}, 1)


def test_what_a_step_hands_over_for_its_undo_is_kept_with_either_write(
    recorder: DynamoStepRecorder, dynamo_store: DynamoRunStore
) -> None:
    handed = {"input": {"file_path": "/x"}, "error": None}
    recorder.started(started(handed=handed))
    assert only(dynamo_store).handed == handed
    recorder.ended(ended(handed=handed))
    assert only(dynamo_store).handed == handed


def test_a_lost_start_loses_nothing_of_what_was_handed_over(
    recorder: DynamoStepRecorder, dynamo_store: DynamoRunStore
) -> None:
    recorder.ended(ended(handed={"input": 1}))
    assert only(dynamo_store).handed == {"input": 1}


def test_a_later_attempt_hands_over_its_own(recorder: DynamoStepRecorder, dynamo_store: DynamoRunStore) -> None:
    recorder.started(started(handed={"vars.n": 1}))
    recorder.started(started(1, second=5, handed={"vars.n": 2}))
    recorder.ended(ended(handed={"vars.n": 1}))
    assert only(dynamo_store).handed == {"vars.n": 2}


def test_much_that_is_handed_over_lies_in_s3(recorder: DynamoStepRecorder, dynamo_store: DynamoRunStore) -> None:
    handed = {"input": "x" * 100_000}
    recorder.ended(ended(handed=handed))
    kept = only(dynamo_store).handed
    assert isinstance(kept, StoredValue)
    assert dynamo_store.load(kept) == handed


def test_an_undo_says_what_it_undoes(recorder: DynamoStepRecorder, dynamo_store: DynamoRunStore) -> None:
    recorder.ended(ended(path="loop[1].kill.rollback", step_id="kill.rollback", undoes="loop[1].kill"))
    undo = only(dynamo_store)
    assert (undo.path, undo.step_id, undo.undoes, undo.handed) == (
        "loop[1].kill.rollback",
        "kill.rollback",
        "loop[1].kill",
        None,
    )


def test_large_params_and_outputs_lie_in_s3(recorder: DynamoStepRecorder, dynamo_store: DynamoRunStore) -> None:
    large = {"log": "x" * 3_000_000}
    recorder.started(started(params=large))
    recorder.ended(ended(params=large, output=large))

    step = only(dynamo_store)
    assert isinstance(step.output, StoredValue)
    assert step.output == step.params
    assert HistoryReader(dynamo_store).steps_of_run("run-1")[0].output == large


def test_an_outage_is_told_to_the_runtime(recorder: DynamoStepRecorder, client: Counting) -> None:
    client.refuses = True
    with pytest.raises(HistoryThrottledError):
        recorder.started(started())
    with pytest.raises(HistoryThrottledError):
        recorder.ended(ended())


def test_the_reader_gives_the_steps_in_order(recorder: DynamoStepRecorder, dynamo_store: DynamoRunStore) -> None:
    for second, path in enumerate(("b", "a", "c")):
        recorder.started(started(path=path, step_id=path, second=second))
    recorder.ended(ended(path="c", step_id="c", second=2, error="ProcessNotFound"))

    steps = HistoryReader(dynamo_store).steps_of_run("run-1")
    assert [(step.path, step.status) for step in steps] == [("b", "running"), ("a", "running"), ("c", "failed")]
    assert steps[2].error == StepError("ProcessNotFound", "no such process")


@pytest.mark.row("S4-010", "S0-075", "S2-024")
def test_the_deployment_configures_what_handlers_use(
    aws: Callable[[str], Any], table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HISTORY_TABLE", table)
    monkeypatch.setenv("DATA_BUCKET", "data")
    monkeypatch.setenv("HISTORY_DAYS", "7")
    clients.reset()
    recorder, reader = history.recorder_for_steps(), history.reader_for_steps()
    recorder.started(started())
    recorder.ended(ended(output={"log": "x" * 100_000}))

    (step,) = reader.steps_of_run("run-1")
    assert step.output == {"log": "x" * 100_000}
    item = aws("dynamodb").scan(TableName=table)["Items"][0]
    assert int(item["expires_at"]["N"]) == int((at(1) + timedelta(days=7)).timestamp())
    monkeypatch.setenv("HISTORY_DAYS", "0")
    with pytest.raises(ValueError, match="a day at least"):
        history.recorder_for_steps()
    clients.reset()


def test_progress_stands_until_the_attempt_ends(recorder: DynamoStepRecorder, dynamo_store: DynamoRunStore) -> None:
    recorder.started(started())
    recorder.progressed(started(), StepProgress(12.5, "hosts", "10.0.0.1"))
    assert only(dynamo_store).progress == StepProgress(12.5, "hosts", "10.0.0.1")
    recorder.progressed(started(second=-5), StepProgress(99))  # of an attempt that was given up
    assert only(dynamo_store).progress == StepProgress(12.5, "hosts", "10.0.0.1")
    recorder.ended(ended())
    assert only(dynamo_store).progress is None
    recorder.progressed(started(), StepProgress(100))
    assert only(dynamo_store).progress is None
