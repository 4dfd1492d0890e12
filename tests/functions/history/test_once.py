"""An action that must not be repeated: whatever is delivered again, late, at once or after a crash, one effect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepsmith.local.recording import MemoryHistory
from stepsmith_functions.history.dynamodb import DynamoRunStore
from stepsmith_functions.history.objects import S3Values
from stepsmith_functions.history.retrying import Backoff
from stepsmith_functions.history.steps import DynamoStepRecorder
from stepsmith_functions.history.store import all_steps
from stepsmith_functions.runtime import gate
from stepsmith_functions.runtime.errors import EffectUnknown, StillRunning
from stepsmith_functions.runtime.recording import Begun, Earlier, StepEnd, StepError, StepRecorder, StepStart

START = datetime(2026, 7, 12, 8, 30, tzinfo=UTC)
LEASE = timedelta(seconds=30)
_runs = count()


class Quiet:
    def exception(self, message: str) -> None:
        raise AssertionError(message)


@dataclass
class Step:
    """One step of one run, whose handler is called again and again."""

    recorder: StepRecorder
    run_id: str = field(default_factory=lambda: f"run-{next(_runs)}")
    now: datetime = START
    effects: list[str] = field(default_factory=list)
    """How each call ended that was let through."""

    def identity(self, attempt: int) -> dict[str, Any]:
        names = {"run_id": self.run_id, "workflow": "w", "version": None, "step_id": "s", "path": "s[0].s"}
        return {**names, "action": "notify", "attempt": attempt, "line": 3, "params": {"to": "ann"}}

    def call(self, attempt: int = 0, outcome: str = "ok", visit: str = "2026/0", output: Any = None) -> Any:
        """What the handler answers; `outcome`: it succeeds, fails, or is gone before it can tell."""
        self.now += timedelta(milliseconds=1)
        begun = self.now

        def begin() -> Begun | Earlier | None:
            start = StepStart(**self.identity(attempt), started_at=begun, visit=visit, once=True, until=begun + LEASE)
            return self.recorder.started(start)

        keepers = gate.Keepers(control=lambda: None, begin=begin, now=lambda: self.now, logger=Quiet)
        step = gate.Boundary(run_id=self.run_id, controlled=True, pausable=True, parents=(), attempt=attempt)
        answer = gate.ask(step, keepers)
        if isinstance(answer, gate.Done):
            return answer.output
        self.effects.append(outcome)
        if outcome != "crash":
            self.end(attempt, begun, outcome, output)
        return output

    def end(self, attempt: int, begun: datetime, outcome: str, output: Any) -> None:
        error = StepError("Boom", "it failed") if outcome == "fail" else None
        self.recorder.ended(
            StepEnd(
                **self.identity(attempt), output=None if error else output, error=error, started_at=begun,
                ended_at=self.now,
            )
        )  # fmt: skip


class Counting:
    def __init__(self, client: Any) -> None:
        self._client = client
        self.writes = 0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        self.writes += name == "update_item"
        return getattr(self._client, name)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def client(aws: Callable[[str], Any]) -> Counting:
    return Counting(aws("dynamodb"))


@pytest.fixture(scope="module")
def table_of_all(new_table: Callable[[], str]) -> str:
    return new_table()


@pytest.fixture(scope="module", params=["dynamo", "memory"])
def recorder(
    request: pytest.FixtureRequest, aws: Callable[[str], Any], client: Counting, table_of_all: str, patience: Backoff
) -> StepRecorder:
    if request.param == "memory":
        return MemoryHistory()
    return DynamoStepRecorder(client, table_of_all, S3Values(aws("s3"), "data", backoff=patience), backoff=patience)


@pytest.fixture
def step(recorder: StepRecorder) -> Step:
    return Step(recorder)


def test_a_repeat_after_success_answers_what_is_on_record(step: Step) -> None:
    assert step.call(output={"id": "m-1"}) == {"id": "m-1"}
    assert step.call(output={"id": "m-2"}) == {"id": "m-1"}  # Lambda's own repeat
    assert step.call(1, output={"id": "m-3"}) == {"id": "m-1"}  # the machine's, after it lost the answer
    assert step.effects == ["ok"]


@pytest.mark.parametrize("output", [None, {}, "x" * 200_000, {"***": [1.5, "ü"]}])
def test_any_output_comes_back(step: Step, output: Any) -> None:
    step.call(output=output)
    assert step.call(output="another") == output


def test_a_retry_after_a_declared_failure_runs_and_its_own_repeat_does_not(step: Step) -> None:
    step.call(0, "fail")
    with pytest.raises(Exception, match="it failed") as raised:
        step.call(0)
    assert type(raised.value).__name__ == "Boom"
    assert step.call(1, output=7) == 7
    assert step.call(1) == 7
    assert step.effects == ["fail", "ok"]


@pytest.mark.parametrize("attempt", [0, 1])
def test_a_repeat_while_the_first_may_be_at_work_is_told_to_come_again(step: Step, attempt: int) -> None:
    step.call(0, "crash")
    with pytest.raises(StillRunning):
        step.call(attempt)
    step.now += LEASE
    with pytest.raises(EffectUnknown):
        step.call(attempt)
    assert step.effects == ["crash"]


def test_a_call_that_ends_after_its_machine_gave_it_up_is_what_counts(step: Step) -> None:
    step.call(0, "crash")
    begun = step.now
    with pytest.raises(StillRunning):
        step.call(1)
    step.end(0, begun, "ok", "late")
    assert step.call(1) == "late"
    assert step.effects == ["crash"]


def test_another_visit_of_the_state_is_another_effect(step: Step) -> None:
    assert step.call(visit="2026-01/0", output=1) == 1
    assert step.call(visit="2026-02/0", output=2) == 2  # its block was tried again
    assert step.call(visit="2026-02/1", output=3) == 3  # redriven
    assert step.call(visit="2026-02/1") == 3
    assert step.effects == ["ok"] * 3


def test_a_call_that_comes_after_a_later_visit_does_nothing(recorder: StepRecorder) -> None:
    if isinstance(recorder, MemoryHistory):
        pytest.skip("nothing is late on the desk")
    step = Step(recorder)
    step.call(visit="2026-02/0")
    with pytest.raises(EffectUnknown):
        step.call(visit="2026-01/0")
    assert step.effects == ["ok"]


CALLS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(["ok", "fail", "crash"]),
        st.sampled_from(["a", "a", "b"]),
        st.integers(0, 40),
    ),
    max_size=12,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=CALLS)
def test_whatever_is_delivered_there_is_one_effect_a_visit(
    recorder: StepRecorder, client: Counting, calls: list[tuple[int, str, str, int]]
) -> None:
    step = Step(recorder)
    latest, let_through, outputs = "", dict[str, list[str]](), dict[str, Any]()
    for number, (attempt, outcome, visit, seconds) in enumerate(calls):
        if isinstance(recorder, MemoryHistory) and visit < latest:
            continue
        latest = max(latest, visit)
        step.now += timedelta(seconds=seconds)
        before, writes = len(step.effects), client.writes
        try:
            answer = step.call(attempt, outcome, visit, number)
        except Exception as error:
            assert type(error).__name__ in ("StillRunning", "EffectUnknown", "Boom")  # noqa: PT017
            answer = None
        assert client.writes - writes <= 2
        let_through.setdefault(visit, []).extend(step.effects[before:])
        if len(step.effects) > before and outcome == "ok":
            outputs[visit] = number
        elif len(step.effects) == before and answer is not None:
            assert answer == outputs[visit]
    for ends in let_through.values():
        assert sum(end != "fail" for end in ends) <= 1
        assert all(end == "fail" for end in ends[:-1])


def test_pauses_do_not_count_as_attempts(recorder: StepRecorder, dynamo_store: DynamoRunStore) -> None:
    step = Step(recorder)
    step.call(12)  # the machine has asked twelve times before, while the run was paused
    if isinstance(recorder, MemoryHistory):
        assert recorder.steps(step.run_id)["s[0].s"].attempts == 1
    else:
        store = DynamoRunStore(dynamo_store._client, recorder._table, dynamo_store._values)  # type: ignore[attr-defined]
        assert [kept.attempts for kept in all_steps(store, step.run_id)] == [1]
