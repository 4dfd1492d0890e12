"""Each workflow compiles to the very machine that stands beside it, which AWS would take and two interpreters run."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from sfnx import testing

from stepsmith.engine import Engine, TaskCall, TaskFailed, TaskOutcome, TaskSucceeded, VirtualClock, validate
from stepsmith.model.steps import UNDO, ActionStep
from stepsmith.model.workflow import WorkflowType
from stepsmith.reporting import summary
from tests.golden.cases import ACCEPTED, accepted, check, compile_accepted, sample_input, states, written
from tests.support.machines import DECIDED, RESULTS


@pytest.fixture
def update(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))


HINTED = {"graph-crossing": {"over-waits"}, "graph-ladder": {"over-waits"}}
"""What is said of accepted workflows."""


@pytest.mark.parametrize("name", accepted())
def test_machine(name: str, update: bool) -> None:
    compilation = compile_accepted(name)
    assert compilation.asl is not None, [f"{item.span}: {item.message}" for item in compilation.diagnostics]
    check(ACCEPTED / name / "machine.asl.json", compilation.asl, update=update)
    check(ACCEPTED / name / "origins.json", written(compilation.origins), update=update)
    found = {item.slug for item in compilation.diagnostics}
    assert found == HINTED.get(name, set()), summary(compilation.diagnostics)


@pytest.mark.parametrize("name", accepted())
def test_compiling_again_gives_the_same_bytes(name: str) -> None:
    one, other = compile_accepted(name), compile_accepted(name)
    assert one.asl == other.asl
    assert written(one.origins) == written(other.origins)


@pytest.mark.parametrize("name", accepted())
def test_aws_would_take_it(name: str) -> None:
    compilation = compile_accepted(name)
    assert compilation.workflow is not None
    assert compilation.asl is not None
    express = compilation.workflow.type is WorkflowType.EXPRESS
    assert [str(problem) for problem in validate(compilation.asl, express=express)] == []


@pytest.mark.parametrize("name", accepted())
def test_the_source_map_knows_every_state_and_every_step(name: str) -> None:
    compilation = compile_accepted(name)
    assert compilation.asl is not None
    assert compilation.workflow is not None
    origins: Any = compilation.origins
    definition = json.loads(compilation.asl)
    assert [state for state, _ in states(definition)] == [at for at in origins["states"] if not at.endswith(".try")]
    lines = (ACCEPTED / name / "workflow.yaml").read_text(encoding="utf-8").splitlines()
    shown = set()
    for state in origins["states"].values():
        if state.get("step") is not None:
            line = lines[state["line"] - 1].lstrip()
            assert line.startswith("rollback:" if "undoes" in state else "-")
            shown.add(state["step"])
        shown.update(state.get("folded", ()), *(way["steps"] for way in state.get("ways", ())))
    unasked = set() if compilation.workflow.rolls_back else {step.id + UNDO for step in compilation.workflow.undoable}
    assert {step.id for step in compilation.workflow.every_step()} - unasked == shown


@pytest.mark.parametrize("failing", [None, 0, 1, 2])
@pytest.mark.parametrize("name", accepted())
def test_two_interpreters_run_it_alike(name: str, failing: int | None) -> None:
    """With all actions succeeding, and with the first, second or third one of the file failing."""
    compilation = compile_accepted(name)
    assert compilation.asl is not None
    assert compilation.workflow is not None
    actions = [step.id for step in compilation.workflow.every_step() if isinstance(step, ActionStep)]
    broken = actions[failing] if failing is not None and failing < len(actions) else None
    given = sample_input(compilation)
    ours, theirs = _Answers(broken), _Answers(broken)
    engine = Engine(ours.to_engine, clock=VirtualClock(datetime(2026, 1, 1, tzinfo=UTC)))
    execution = engine.start(compilation.asl, given, name="execution")
    engine.run(execution)
    definition = json.loads(compilation.asl)
    # The other one's $millis() is this machine's clock, whatever its run is said to have started at.
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    start = now if "$millis()" in compilation.asl else "2026-01-01T00:00:00.000Z"
    other = testing.run(definition, given, theirs.to_sfnx, start_time=start)
    assert execution.error == other.error
    assert _plain(execution.output) == (None if other.error else _plain(other.output))
    # Branches run one after another there and at once here: the order differs, and so does what a failure cuts off.
    if all(state["Type"] not in ("Parallel", "Map") for _, state in states(definition)):
        assert ours.calls == theirs.calls
    elif broken is None:
        assert sorted(ours.calls) == sorted(theirs.calls)


def _plain(value: Any) -> Any:
    """As JSON; midnight is written with and without milliseconds."""
    return json.loads(json.dumps(value).replace("00:00.000Z", "00:00Z"))


class _Answers:
    """Answers calls alike for both; one step always fails."""

    def __init__(self, broken: str | None) -> None:
        self.broken = broken
        self.calls: list[str] = []
        self.done: list[tuple[Any, Any]] = []

    def answer(self, arguments: Any) -> tuple[str | None, Any]:
        if "Payload" not in arguments:
            self.calls.append(f"child {arguments['StateMachineArn']}")
            return None, {"Output": None, "ExecutionArn": "arn:aws:states:::execution:child:run-2"}
        payload = arguments["Payload"]
        if "asked_by" in payload:
            return None, {"Payload": self.ledger(payload["steps"])}
        step = payload["step"]
        self.calls.append(json.dumps([step["path"], payload["params"]], sort_keys=True))
        if step["id"] == self.broken:
            return "Lambda.Unknown", "it broke"
        if "token" in payload:
            return None, DECIDED
        self.done.append((step, RESULTS[step["action"]]))
        return None, {"StatusCode": 200, "Payload": RESULTS[step["action"]]}

    def ledger(self, asked: Any) -> Any:
        """What has been answered, latest first; both interpreters are given the same."""
        undo = [
            {"step": step["id"], "path": step["path"], "output": output, "with": step.get("undo", {})}
            for step, output in reversed(self.done)
            if step["id"] in asked
        ]
        return {"undo": undo, "problem": ""}

    def to_engine(self, call: TaskCall) -> TaskOutcome:
        error, result = self.answer(call.arguments)
        return TaskFailed(error, result) if error else TaskSucceeded(result)

    def to_sfnx(self, call: testing.Call) -> object:
        error, result = self.answer(json.loads(json.dumps(call.arguments)))
        if error:
            raise testing.Failure(error, result)
        return result
