"""Status events in any order, twice, or not at all; and what is read where they and the handlers fall short."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepsmith_functions.history import recorder as recorder_lambda
from stepsmith_functions.history.dynamodb import DynamoRunStore
from stepsmith_functions.history.ending import run_ending, run_of_history
from stepsmith_functions.history.executions import Change, Executions, change_of_event
from stepsmith_functions.history.local import LocalRunStore
from stepsmith_functions.history.objects import S3Values
from stepsmith_functions.history.origins import Origins, read_origins
from stepsmith_functions.history.reading import read_history
from stepsmith_functions.history.rebuild import steps_of
from stepsmith_functions.history.recorder import DeployedOrigins
from stepsmith_functions.history.records import (
    Continues,
    RunError,
    RunRecord,
    RunStatus,
    StepError,
    StepRecord,
    StepStatus,
)
from stepsmith_functions.history.retrying import Backoff
from stepsmith_functions.history.runs import IncompleteError, Recorded, Recorder, settled
from stepsmith_functions.history.shared import DynamoSharedState
from stepsmith_functions.history.store import HistoryError, RunStore, all_steps
from stepsmith_functions.history.values import StoredValue
from stepsmith_functions.history.visits import History
from stepsmith_functions.runtime import clients
from stepsmith_functions.runtime.control import Control, Order
from stepsmith_functions.runtime.limits import Subject
from stepsmith_functions.runtime.places import Concurrency, OnLimit, Places, asked, change_places, places_of
from tests.functions.history.script import START, Script

MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:stack_order"
ARN = "arn:aws:states:eu-central-1:123456789012:execution:stack_order:run-1"
INPUT = {"file": "x"}
ORIGINS = read_origins(
    {
        "states": {
            "quarantine": {"role": "step", "step": "quarantine", "line": 26, "action": "quarantine_file"},
            "kill.if": {"role": "condition", "step": "kill", "line": 31},
            "kill": {"role": "step", "step": "kill", "line": 31, "action": "kill_process"},
            "tell": {"role": "step", "step": "tell", "line": 40, "action": "send_notification"},
        }
    }
)


def millis(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def event(status: str, *, redrive: int = 0, dropped: bool = False, **detail: Any) -> dict[str, Any]:
    """A status event as EventBridge delivers it."""
    final = status != "RUNNING"
    output = '{"ok":true}' if status == "SUCCEEDED" and not dropped else None
    return {
        "source": "aws.states",
        "detail-type": "Step Functions Execution Status Change",
        "resources": [ARN],
        "detail": {
            "executionArn": ARN,
            "stateMachineArn": MACHINE,
            "name": "run-1",
            "status": status,
            "startDate": millis(START),
            "stopDate": millis(START + timedelta(seconds=60 * (redrive + 1))) if final else None,
            "input": None if dropped else json.dumps(INPUT),
            "inputDetails": {"included": not dropped},
            "output": output,
            "outputDetails": {"included": not dropped} if final else None,
            "redriveCount": redrive,
            **({"error": "ProcessNotFound", "cause": "gone"} if status == "FAILED" else {}),
            **detail,
        },
    }


def change(status: str, **more: Any) -> Change:
    found = change_of_event(event(status, **more))
    assert found is not None
    return found


def story(redrives: int = 0, ending: str = "SUCCEEDED") -> Script:
    """Quarantines, skips the kill, tells; telling fails once per redrive and ends as told."""
    script = Script(json.dumps(INPUT))
    at = script.task("quarantine", 0, params={"file": "x"}, result={"id": "q"})
    at = script.passes("Choice", "kill.if", at)
    at = script.entered("Task", "tell", at)
    for number in range(redrives):
        at = script.attempt(at, params={"to": "a"}, error="ProcessNotFound")
        at = script.event("ExecutionFailed", at, error="ProcessNotFound", cause="gone")
        at = script.event("ExecutionRedriven", at, redriveCount=number + 1)
    if ending == "SUCCEEDED":
        at = script.exited("Task", "tell", script.attempt(at, params={"to": "a"}, result={"m": 1}), {"ok": True})
        script.event("ExecutionSucceeded", at, output='{"ok":true}')
    elif ending == "FAILED":
        at = script.attempt(at, params={"to": "a"}, error="ProcessNotFound")
        script.event("ExecutionFailed", at, error="ProcessNotFound", cause="gone")
    else:
        script.event(f"Execution{'Aborted' if ending == 'ABORTED' else 'TimedOut'}", 0)
    return script


class States:
    """Step Functions, as far as the recorder asks it."""

    def __init__(self, script: Script, description: Mapping[str, Any] | None = None, page: int = 5) -> None:
        self.script = script
        self.description = dict(description or {})
        self.page = page
        self.calls: list[str] = []
        self.failures: list[Exception] = []
        self.behind = 0

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.failures:
            raise self.failures.pop(0)

    def describe_execution(self, **arguments: object) -> Mapping[str, object]:
        assert arguments == {"executionArn": ARN}
        self._called("describe_execution")
        return {
            "executionArn": ARN,
            "stateMachineArn": MACHINE,
            "name": "run-1",
            "startDate": START,
            "input": json.dumps(INPUT),
            **self.description,
        }

    def describe_state_machine_for_execution(self, **arguments: object) -> Mapping[str, object]:
        self._called("describe_state_machine_for_execution")
        states = {name: {"Type": "Task", "Comment": "order.yaml:7"} for name in ("quarantine", "tell")}
        return {"definition": json.dumps({"States": {**states, "kill.if": {"Type": "Choice"}}})}

    def get_execution_history(self, **arguments: object) -> Mapping[str, object]:
        self._called("get_execution_history")
        token = arguments.get("nextToken")
        at = int(str(token)) if token else 0
        events = self.script.events[:-1] if self.behind else self.script.events
        self.behind = max(0, self.behind - 1)
        following = at + self.page
        answer: dict[str, object] = {"events": events[at:following]}
        if following < len(events):
            answer["nextToken"] = str(following)
        return answer


class FixedOrigins:
    def find(self, change: Change, history: History) -> Origins:
        return ORIGINS


PATIENCE = Backoff(attempts=3, sleep=lambda _: None, jitter=lambda: 1.0)


def recording(store: RunStore, states: States) -> Recorder:
    return Recorder(store, Executions(states, backoff=PATIENCE), FixedOrigins())


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "Any")


@pytest.mark.row("S0-007", "S0-009", "S0-070")
def test_a_run_from_start_to_end(store: RunStore) -> None:
    states = States(story(), page=1000)
    recorder = recording(store, states)

    assert recorder.record(change("RUNNING")) is Recorded.STARTED
    assert store.run("run-1") == RunRecord("run-1", "order", RunStatus.RUNNING, START, input=INPUT, execution_arn=ARN)
    assert recorder.record(change("SUCCEEDED")) is Recorded.ENDED
    assert store.run("run-1") == RunRecord(
        "run-1",
        "order",
        RunStatus.SUCCEEDED,
        START,
        version="1.0.0",
        input=INPUT,
        output={"ok": True},
        ended_at=START + timedelta(seconds=60),
        transitions=3,
        execution_arn=ARN,
        complete=True,
    )
    statuses = {step.path: step.status.value for step in all_steps(store, "run-1")}
    assert statuses == {"quarantine": "succeeded", "kill": "skipped", "tell": "succeeded"}
    assert states.calls == ["get_execution_history"]
    assert recorder.record(change("SUCCEEDED")) is Recorded.KNOWN
    assert recorder.record(change("RUNNING")) is Recorded.KNOWN
    assert states.calls == ["get_execution_history"]


ENDINGS = st.sampled_from(["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"])


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[int, str, list[dict[str, Any]]]:
    """Redrives, the ending, and the events as delivered: in any order, some twice, any but the last end lost."""
    redrives, ending = draw(st.integers(0, 2)), draw(ENDINGS)
    sent = [event("FAILED", redrive=number, dropped=draw(st.booleans())) for number in range(redrives)]
    sent += [event("RUNNING", redrive=number, dropped=draw(st.booleans())) for number in range(redrives + 1)]
    lost = draw(st.sets(st.integers(0, len(sent))))
    arriving = [one for number, one in enumerate(sent) if number not in lost]
    arriving.append(event(ending, redrive=redrives, dropped=draw(st.booleans())))
    arriving += draw(st.lists(st.sampled_from(arriving), max_size=4))
    return redrives, ending, draw(st.permutations(arriving))


@pytest.mark.parametrize(("kind", "examples"), [("dynamo", 20), ("local", 60)])
def test_any_order_repetition_and_loss_ends_in_the_same_record(
    kind: str, examples: int, new_store: Callable[[str], RunStore]
) -> None:
    def told(events: Sequence[dict[str, Any]], redrives: int, ending: str) -> tuple[RunRecord, list[StepRecord]]:
        store = new_store(kind)
        described = {"status": ending, "redriveCount": redrives, "output": '{"ok":true}'}
        recorder = recording(store, States(story(redrives, ending), described, page=1000))
        for one in events:
            found = change_of_event(one)
            assert found is not None
            recorder.record(found)
        return store.run("run-1"), all_steps(store, "run-1")

    @cache
    def in_order(redrives: int, ending: str) -> tuple[RunRecord, list[StepRecord]]:
        events = [
            event(status, redrive=number)
            for number in range(redrives + 1)
            for status in ("RUNNING", "FAILED" if number < redrives else ending)
        ]
        return told(events, redrives, ending)

    @settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(deliveries())
    def check(delivery: tuple[int, str, list[dict[str, Any]]]) -> None:
        redrives, ending, arriving = delivery
        run, steps = told(arriving, redrives, ending)
        assert (run, steps) == in_order(redrives, ending)
        assert run.status is run_ending(ending)[0]
        assert (run.complete, run.redrive_count, run.input) == (True, redrives, INPUT)

    check()


CONTINUATION = ARN.replace("stack_order:run-1", "stack_order.resume:run-2")


class Again(States):
    """The same for an execution of the machine that goes on with runs of `order`."""

    started: list[Mapping[str, object]]

    def describe_execution(self, **arguments: object) -> Mapping[str, object]:
        assert arguments == {"executionArn": CONTINUATION}
        return {**super().describe_execution(executionArn=ARN), "executionArn": CONTINUATION, "name": "run-2"}

    def start_execution(self, **arguments: object) -> Mapping[str, object]:
        self.started = [arguments]
        return {}


def continuation(status: str, given: object) -> Change:
    told = event(status, input=json.dumps(given))
    machine = MACHINE + ".resume"
    told["detail"] |= {"executionArn": CONTINUATION, "stateMachineArn": machine, "name": "run-2"}
    found = change_of_event(told)
    assert found is not None
    return found


def test_a_run_that_goes_on_is_one_of_its_workflow_with_its_lineage_and_input(store: RunStore) -> None:
    link = {"run": "run-1", "step": "tell", "first": "run-0"}
    recorder = recording(store, Again(story(), page=1000))
    store.put_run(RunRecord("run-1", "order", RunStatus.FAILED, START, input=INPUT, ended_at=START))
    kept = StepRecord("run-2", "kill", "kill", StepStatus.SUCCEEDED, kept_from="run-1")
    store.put_steps([kept])
    given = {"continues": link, "kept": {"quarantine": {"id": "q"}}}
    assert recorder.record(continuation("RUNNING", given)) is Recorded.STARTED
    started = store.run("run-2")
    assert (started.workflow, started.input, started.execution_arn) == ("order", INPUT, CONTINUATION)
    assert started.continues == Continues("run-1", "tell", "run-0")
    recorder.record(continuation("SUCCEEDED", given))
    ended = store.run("run-2")
    assert (ended.status, ended.input, ended.continues) == (RunStatus.SUCCEEDED, INPUT, started.continues)
    assert {step.path: step.kept_from for step in all_steps(store, "run-2")} == {
        "kill": "run-1",
        "quarantine": None,
        "tell": None,
    }
    (listed, _) = store.runs().items
    assert (listed.run_id, listed.continues) == ("run-2", "run-1")


@pytest.mark.parametrize(
    "given", [{}, [], {"continues": 1}, {"continues": {"step": "tell"}}, {"continues": {"run": 3}}]
)
def test_what_somebody_else_started_there_has_no_lineage(store: RunStore, given: object) -> None:
    recording(store, Again(story(), page=1000)).record(continuation("SUCCEEDED", given))
    run = store.run("run-2")
    assert (run.workflow, run.continues, run.input) == ("order", None, None)


def test_a_run_that_goes_on_is_undone_by_its_workflows_own_rollback(store: RunStore) -> None:
    states = Again(story(ending="TIMED_OUT"), page=1000)

    class Undoing(FixedOrigins):
        def find(self, change: Change, history: History) -> Origins:
            return replace(ORIGINS, undoes_itself=True)

    Recorder(store, Executions(states, backoff=PATIENCE), Undoing()).record(continuation("TIMED_OUT", {}))
    (started,) = states.started
    assert str(started["stateMachineArn"]) == f"{MACHINE}.rollback"
    assert json.loads(str(started["input"])) == {"run": {"id": "run-2", "execution": CONTINUATION}}


def test_a_redrive_lifts_the_order_under_which_a_run_ended(store: RunStore) -> None:
    recorder = recording(store, States(story(1, "FAILED"), page=1000))
    order = Control(Order.STOP, "ann", START)
    store.put_run(replace(a_run_of("run-1", RunStatus.CANCELLED), control=order))
    recorder.record(change("RUNNING", redrive=1))
    run = store.run("run-1")
    assert (run.status, run.control, run.redrive_count) == (RunStatus.RUNNING, None, 1)
    recorder.record(change("FAILED", redrive=1))
    assert store.run("run-1").status is RunStatus.FAILED


def test_a_redrive_that_was_announced_and_did_not_come_is_settled(store: RunStore) -> None:
    before = a_run_of("run-1", RunStatus.FAILED)
    store.put_run(before)
    again = replace(before, status=RunStatus.RUNNING, redrive_count=1, ended_at=None, complete=False)
    assert store.replace_run(before, again)
    assert not store.replace_run(before, again)
    recorder = recording(store, States(story(0, "FAILED"), {"status": "FAILED", "error": "E"}, page=1000))
    assert recorder.sweep(START + timedelta(hours=2)) == 1
    run = store.run("run-1")
    assert (run.status, run.redrive_count, run.complete) == (RunStatus.FAILED, 0, True)
    recorder.record(change("RUNNING", redrive=1))  # it came after all
    assert store.run("run-1").status is RunStatus.RUNNING


def test_a_redrive_whose_events_do_not_count_it_is_settled(store: RunStore) -> None:
    before = a_run_of("run-1", RunStatus.FAILED)
    store.put_run(before)
    again = replace(before, status=RunStatus.RUNNING, redrive_count=1, ended_at=None, complete=False)
    assert store.replace_run(before, again)
    described = {"status": "SUCCEEDED", "redriveCount": 1, "output": '{"ok":true}'}
    recorder = recording(store, States(story(1), described, page=1000))
    for status in ("RUNNING", "SUCCEEDED"):  # `redriveCount` is newer than the event, and may be missing
        assert recorder.record(change(status, redriveCount=None)) is Recorded.KNOWN
    assert store.run("run-1") == again
    assert recorder.sweep(START + timedelta(hours=2)) == 1
    run = store.run("run-1")
    assert (run.status, run.redrive_count, run.complete) == (RunStatus.SUCCEEDED, 1, True)


def a_run_of(run_id: str, status: RunStatus) -> RunRecord:
    return RunRecord(run_id, "order", status, START, input=INPUT, ended_at=START, execution_arn=ARN, complete=True)


def test_what_an_event_left_out_is_read_from_the_history(store: RunStore) -> None:
    recording(store, States(story())).record(change("SUCCEEDED", dropped=True))

    run = store.run("run-1")
    assert (run.input, run.output, run.complete) == (INPUT, {"ok": True}, True)


def test_what_an_event_left_out_is_described_when_there_is_no_history(store: RunStore) -> None:
    states = States(story(), {"status": "SUCCEEDED", "output": '{"ok":true}'})
    recorder = recording(store, states)
    recorder.record(change("RUNNING", dropped=True))
    assert store.run("run-1").input == INPUT
    assert states.calls == ["describe_execution"]

    states.failures = [refusal("AccessDeniedException")]
    with pytest.raises(IncompleteError, match="AccessDeniedException"):
        recorder.record(change("SUCCEEDED", dropped=True))
    run = store.run("run-1")
    assert (run.status, run.output, run.complete) == (RunStatus.SUCCEEDED, {"ok": True}, False)
    assert all_steps(store, "run-1") == []

    assert recorder.record(change("SUCCEEDED", dropped=True)) is Recorded.ENDED
    assert store.run("run-1").complete
    assert len(all_steps(store, "run-1")) == 3


def test_the_start_is_kept_even_if_nothing_else_answers(store: RunStore) -> None:
    states = States(story())
    states.failures = [refusal("AccessDeniedException")] * 9
    recorder = recording(store, states)
    assert recorder.record(change("RUNNING", dropped=True)) is Recorded.STARTED
    with pytest.raises(IncompleteError):
        recorder.record(change("FAILED"))
    assert store.run("run-1").status is RunStatus.FAILED


def test_throttling_and_a_history_that_lags_behind_are_waited_out(store: RunStore) -> None:
    states = States(story(), page=1000)
    states.failures, states.behind = [refusal("ThrottlingException")] * 2, 2
    assert recording(store, states).record(change("SUCCEEDED")) is Recorded.ENDED
    assert states.calls == ["get_execution_history"] * 5
    assert store.run("run-1").complete

    states.behind = 9
    with pytest.raises(IncompleteError, match="does not show its end"):
        recording(store, states).record(change("SUCCEEDED", redrive=1))


Interruption = Callable[[], object]


class Watched(DynamoRunStore):
    """Tells which steps are written, and lets something happen before the first replacement."""

    def watch(self, before_replacing: Interruption = lambda: None) -> list[str]:
        self.written: list[str] = []
        self.before_replacing = before_replacing
        return self.written

    def put_steps(self, steps: Iterable[StepRecord]) -> None:
        kept = list(steps)
        self.written += [step.path for step in kept]
        super().put_steps(kept)

    def replace_step(self, known: StepRecord, step: StepRecord) -> bool:
        self.written.append(f"={step.path}")
        interruption, self.before_replacing = self.before_replacing, lambda: None
        interruption()
        return super().replace_step(known, step)


@pytest.fixture
def watched(aws: Callable[[str], Any], table: str, patience: Backoff) -> Watched:
    """Another store on the table of `dynamo_store`."""
    return Watched(aws("dynamodb"), table, S3Values(aws("s3"), "data"), keep_days=30, backoff=patience)


def test_what_handlers_told_is_completed_not_repeated(
    watched: Watched, dynamo_store: DynamoRunStore, a_step: Callable[..., StepRecord]
) -> None:
    ended = START + timedelta(seconds=4)
    told = {"ended_at": ended, "line": 26, "action": "quarantine_file", "params": {"file": "***"}}
    quarantined = a_step("quarantine", output={"id": "q"}, **told)
    dynamo_store.put_steps([quarantined, a_step("tell", status=StepStatus.RUNNING, params={"to": "a"}, second=9)])
    written = watched.watch()
    recording(watched, States(story())).record(change("SUCCEEDED"))

    assert written == ["kill", "=tell"]
    kill, quarantine, tell = all_steps(dynamo_store, "run-1")
    assert quarantine == quarantined
    assert kill.status is StepStatus.SKIPPED
    assert (tell.status, tell.output) == (StepStatus.SUCCEEDED, {"m": 1})
    assert (tell.started_at, tell.ended_at) == (START + timedelta(seconds=9), START + timedelta(seconds=13))


def test_a_handler_that_writes_meanwhile_is_settled_too(
    watched: Watched, dynamo_store: DynamoRunStore, a_step: Callable[..., StepRecord]
) -> None:
    late = a_step("tell", output={"m": 1}, ended_at=START + timedelta(seconds=20))
    dynamo_store.put_steps([a_step("tell", status=StepStatus.RUNNING)])
    watched.watch(lambda: dynamo_store.put_steps([late]))
    recording(watched, States(story())).record(change("SUCCEEDED"))

    tell = next(step for step in all_steps(dynamo_store, "run-1") if step.path == "tell")
    assert (tell.status, tell.ended_at) == (StepStatus.SUCCEEDED, late.ended_at)


def test_how_a_step_is_settled(a_step: Callable[..., StepRecord]) -> None:
    told = a_step("kill", output={"killed": True}, ended_at=START, params={"p": "***"}, line=31)
    late = StepError("States.Timeout", "")

    stopped = a_step("kill", status=StepStatus.CANCELLED, ended_at=START)
    assert settled(told, stopped) == told
    timed_out = a_step("kill", status=StepStatus.FAILED, error=late, ended_at=START + timedelta(seconds=1))
    assert settled(told, timed_out) == replace(
        told, status=StepStatus.FAILED, error=late, output=None, ended_at=timed_out.ended_at
    )
    reshaped = a_step("kill", output="yes", attempts=2)
    assert settled(told, reshaped) == replace(told, output="yes", attempts=2)
    large = StoredValue("data", "k", 100_000, "ab")
    assert settled(replace(told, output=large), reshaped).output == large
    cut = a_step("kill", status=StepStatus.FAILED, error=StepError("Gone", "the whole cause"))
    own = replace(told, status=StepStatus.FAILED, error=StepError("Gone", "masked"), output=None)
    assert settled(own, cut) == own


def test_the_error_names_its_step(store: RunStore) -> None:
    recording(store, States(story(ending="FAILED"))).record(change("FAILED"))

    assert store.run("run-1").error == RunError("ProcessNotFound", "gone", "tell", 40)


def test_a_run_whose_end_was_lost_is_settled_later(store: RunStore) -> None:
    states = States(story(), {"status": "RUNNING"})
    recorder = recording(store, states)
    recorder.record(change("RUNNING"))

    assert recorder.sweep(START + timedelta(minutes=59)) == 0
    assert states.calls == []
    assert recorder.sweep(START + timedelta(hours=2)) == 0
    states.description = {"status": "SUCCEEDED", "stopDate": START + timedelta(seconds=60), "output": '{"ok":true}'}
    states.failures = [refusal("AccessDeniedException")]
    assert recorder.sweep(START + timedelta(hours=2)) == 0
    assert recorder.sweep(START + timedelta(hours=2)) == 1
    run = store.run("run-1")
    assert (run.status, run.output, run.complete) == (RunStatus.SUCCEEDED, {"ok": True}, True)


@pytest.mark.parametrize(("order", "status"), [(Order.CANCEL, RunStatus.CANCELLED), (Order.PAUSE, RunStatus.FAILED)])
def test_a_run_that_was_asked_to_end_and_failed_is_cancelled(store: RunStore, order: Order, status: RunStatus) -> None:
    recorder = recording(store, States(story(ending="FAILED")))
    recorder.record(change("RUNNING"))
    store.order("run-1", Control(order, "ann", START), {RunStatus.RUNNING}, RunStatus.CANCELLING)
    recorder.record(change("FAILED"))
    run = store.run("run-1")
    assert (run.status, run.error and run.error.type) == (status, "ProcessNotFound")


def test_a_child_knows_its_parent(store: RunStore) -> None:
    given = {"AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": ARN.replace("run-1", "run-0"), "file": "x"}
    recording(store, States(story())).record(change("RUNNING", input=json.dumps(given)))
    assert store.run("run-1").parent_run_id == "run-0"


@pytest.mark.parametrize(
    ("status", "error", "cause", "expected"),
    [
        ("SUCCEEDED", None, None, (RunStatus.SUCCEEDED, None)),
        ("ABORTED", None, None, (RunStatus.CANCELLED, None)),
        ("ABORTED", "Stop", "by hand", (RunStatus.CANCELLED, RunError("Stop", "by hand"))),
        (
            "TIMED_OUT",
            None,
            None,
            (
                RunStatus.TIMED_OUT,
                RunError("States.Timeout", "The run took longer than its timeout allows."),
            ),
        ),
        (
            "FAILED",
            "Gone",
            '{"errorMessage": "it is gone", "errorType": "Gone"}',
            (RunStatus.FAILED, RunError("Gone", "it is gone")),
        ),
        (
            "FAILED",
            "Gone",
            '{"message": "it is gone", "status": "rolled_back", "step": "kill", "line": 31}',
            (RunStatus.ROLLED_BACK, RunError("Gone", "it is gone", "kill", 31)),
        ),
        (
            "FAILED",
            "RunCancelled",
            '{"errorMessage": "the run was cancelled by ann", "errorType": "RunCancelled"}',
            (RunStatus.CANCELLED, RunError("RunCancelled", "the run was cancelled by ann")),
        ),
        (
            "FAILED",
            "RunCancelled",
            '{"message": "by ann", "status": "rollback_failed"}',
            (RunStatus.ROLLBACK_FAILED, RunError("RunCancelled", "by ann")),
        ),
        ("FAILED", "Gone", '{"message": "m", "status": "succeeded"}', (RunStatus.FAILED, RunError("Gone", "m"))),
        ("FAILED", "Gone", "{not json", (RunStatus.FAILED, RunError("Gone", "{not json"))),
        ("FAILED", None, None, (RunStatus.FAILED, RunError("States.TaskFailed", ""))),
    ],
)
def test_what_an_end_says(
    status: str, error: str | None, cause: str | None, expected: tuple[RunStatus, RunError | None]
) -> None:
    assert run_ending(status, error, cause) == expected


@pytest.mark.parametrize("ending", ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"])
def test_a_history_alone_makes_the_same_run(local_store: LocalRunStore, ending: str) -> None:
    script = story(1, ending)
    history = read_history(script.events)
    steps = steps_of(history, ORIGINS, "run-1")
    run = run_of_history(history, steps, run_id="run-1", workflow="order", execution_arn=ARN)

    ends = {"stopDate": millis(history.ended_at or START), "startDate": millis(history.started_at or START)}
    recording(local_store, States(script)).record(change(ending, redrive=1, **ends))
    assert local_store.run("run-1") == run
    assert all_steps(local_store, "run-1") == sorted(steps, key=lambda step: step.path)


def test_a_history_under_way_or_without_its_beginning() -> None:
    events = story().events
    under_way = read_history(events[:-1])
    run = run_of_history(under_way, [], run_id="run-1", workflow="order")
    assert (run.status, run.ended_at, run.complete) == (RunStatus.RUNNING, None, False)
    with pytest.raises(ValueError, match="not whole"):
        run_of_history(read_history(events[1:]), [], run_id="run-1", workflow="order")


def test_events_that_are_about_no_run() -> None:
    assert change_of_event({"detail-type": "Scheduled Event", "detail": {}}) is None
    assert change_of_event(event("PENDING_REDRIVE")) is None
    child = event("RUNNING", stateMachineArn=f"{MACHINE}/scan-all")
    assert change_of_event(child) is None
    with pytest.raises(ValueError, match="startDate"):
        change_of_event(event("RUNNING", startDate=None))
    with pytest.raises(ValueError, match="without name"):
        change_of_event(event("RUNNING", name=None))
    with pytest.raises(ValueError, match="no run has"):
        run_ending("NEW_STATUS")
    assert change("RUNNING", stateMachineArn=MACHINE.replace("stack_order", "order")).workflow == "order"


def test_origins_of_a_deployment(tmp_path: Path) -> None:
    states = States(story())
    executions = Executions(states, backoff=PATIENCE)
    history = read_history(states.script.events)
    told = change("SUCCEEDED")
    path = tmp_path / "order.map.json"
    found = DeployedOrigins(executions, tmp_path)

    assert found.find(told, history).states["tell"].line == 7
    entries = {name: {"role": "step", "step": "s", "line": 9} for name in ("quarantine", "kill.if", "tell")}
    path.write_text(json.dumps({"states": entries}))
    assert found.find(told, history).states["tell"].line == 9
    path.write_text(json.dumps({"states": {"tell": entries["tell"]}}))  # of another version
    assert found.find(told, history).states["tell"].line == 7
    path.write_text("{")
    assert found.find(told, history).states["tell"].line == 7
    assert found.find(replace(told, machine="stack_../order"), history).states["tell"].line == 7
    assert DeployedOrigins(executions, None).find(told, history).states["tell"].line == 7
    states.failures = [refusal("AccessDeniedException")]
    with pytest.raises(HistoryError):
        DeployedOrigins(executions, None).find(told, history)


def test_the_handler(
    aws: Callable[[str], Any], table: str, dynamo_store: DynamoRunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HISTORY_TABLE", table)
    monkeypatch.setenv("DATA_BUCKET", "data")
    clients.reset()
    monkeypatch.setattr(recorder_lambda, "Executions", lambda _: Executions(States(story()), backoff=PATIENCE))

    shared, rule = DynamoSharedState(aws("dynamodb"), table), Concurrency("one", 1, OnLimit.QUEUE, 3600)

    def places() -> Places:
        return places_of(shared.read("one", Subject.PLACES).value)

    shared.remember_place("run-1", "one", START)
    change_places(shared, "one", lambda known: asked(known, rule, "run-1", 0.0), START, timedelta())

    recorder_lambda.handler(event("RUNNING"), object())
    assert dynamo_store.run("run-1").status is RunStatus.RUNNING
    assert set(places()) == {"run-1"}
    recorder_lambda.handler(event("SUCCEEDED"), object())
    assert dynamo_store.run("run-1").complete
    assert places() == {}
    recorder_lambda.handler({"detail-type": "Scheduled Event", "detail": {}}, object())
    recorder_lambda.handler({"detail-type": "Other"}, object())
    assert [run.run_id for run in dynamo_store.runs().items] == ["run-1"]
    clients.reset()
