"""Virtual time is exact: random nested machines end, and do each thing, at the second that arithmetic says.

The arithmetic is the test's own: it walks the machine's plan and knows nothing of events or schedules.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from stepsmith.engine import Engine, Status, TaskCall, TaskFailed, TaskOutcome, TaskSucceeded


@dataclass
class Plan:
    """A random machine, what its tasks do, and when its states are entered."""

    random: Random
    states: int = 0

    def __post_init__(self) -> None:
        self.durations: dict[str, list[int | None]] = {}

    def graph(self, depth: int) -> dict[str, Any]:
        names = [f"S{self.states + at}" for at in range(self.random.randint(1, 3))]
        self.states += len(names)
        states = {}
        for at, name in enumerate(names):
            state = self.state(name, depth)
            state |= {"Next": names[at + 1]} if at + 1 < len(names) else {"End": True}
            states[name] = state
        return {"StartAt": names[0], "States": states}

    def state(self, name: str, depth: int) -> dict[str, Any]:
        kinds = ["Wait", "Task", "Pass"] + (["Parallel", "Map"] * 2 if depth else [])
        match self.random.choice(kinds):
            case "Wait":
                return {"Type": "Wait", "Seconds": self.random.randint(0, 100_000)}
            case "Pass":
                return {"Type": "Pass"}
            case "Task":
                return self.task(name)
            case "Parallel":
                return {
                    "Type": "Parallel",
                    "Branches": [self.graph(depth - 1) for _ in range(self.random.randint(1, 3))],
                }
            case _:
                return {
                    "Type": "Map",
                    "Items": list(range(self.random.randint(0, 6))),
                    "MaxConcurrency": self.random.randint(0, 3),
                    "ItemProcessor": self.graph(depth - 1),
                }

    def task(self, name: str) -> dict[str, Any]:
        # Each attempt fails after so long, or takes too long (None); the last one succeeds.
        attempts = [self.random.choice([None, self.random.randint(0, 50)]) for _ in range(self.random.randint(0, 3))]
        self.durations[name] = [*attempts, self.random.randint(0, 60)]
        return {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Arguments": {},
            "TimeoutSeconds": 60,
            "Retry": [
                {
                    "ErrorEquals": ["States.Timeout", "E"],
                    "IntervalSeconds": self.random.randint(1, 10),
                    "BackoffRate": self.random.choice([1, 1.5, 2]),
                    "MaxAttempts": 3,
                }
            ],
        }


def expected(plan: Plan, graph: dict[str, Any], start: float, entered: list[tuple[float, str]]) -> float:
    """The second at which a graph that starts at `start` ends; notes when each state is entered."""
    name: str | None = graph["StartAt"]
    now = start
    while name is not None:
        state = graph["States"][name]
        entered.append((now, name))
        now = state_end(plan, name, state, now, entered)
        name = state.get("Next")
    return now


def state_end(plan: Plan, name: str, state: dict[str, Any], now: float, entered: list[tuple[float, str]]) -> float:
    match state["Type"]:
        case "Wait":
            return now + float(state["Seconds"])
        case "Task":
            retry = state["Retry"][0]
            *failures, last = plan.durations[name]
            for at, seconds in enumerate(failures):
                now += 60 if seconds is None else seconds
                now += retry["IntervalSeconds"] * retry["BackoffRate"] ** at
            return now + float(last or 0)
        case "Parallel":
            return max(expected(plan, branch, now, entered) for branch in state["Branches"])
        case "Map":
            workers = [now] * (state["MaxConcurrency"] or 40)
            ends = [now]
            for _ in state["Items"]:
                end = expected(plan, state["ItemProcessor"], heapq.heappop(workers), entered)
                heapq.heappush(workers, end)
                ends.append(end)
            return max(ends)
        case _:
            return now


@pytest.mark.parametrize("seed", range(150))
def test_everything_happens_at_its_second(seed: int) -> None:
    plan = Plan(Random(seed))
    graph = plan.graph(3)

    def handler(call: TaskCall) -> TaskOutcome:
        seconds = plan.durations[call.state][call.attempt]
        if seconds is None:
            return TaskSucceeded("too late", after=61 + seed)
        if call.attempt + 1 < len(plan.durations[call.state]):
            return TaskFailed("E", after=seconds)
        return TaskSucceeded(None, after=seconds)

    engine = Engine(handler)
    execution = engine.start({"QueryLanguage": "JSONata", **graph}, None)
    engine.run()
    entered: list[tuple[float, str]] = []
    end = expected(plan, graph, 0.0, entered)
    assert execution.status is Status.SUCCEEDED, execution.cause
    assert execution.stopped is not None

    def since_start(moment: Any) -> float:
        return float((moment - execution.started).total_seconds())

    assert since_start(execution.stopped) == pytest.approx(end, abs=1e-5)
    happened = [
        (since_start(event.timestamp), str(event.state))
        for event in execution.events
        if event.type.endswith("StateEntered")
    ]
    by_state = sorted((name, second) for second, name in happened)
    by_plan = sorted((name, second) for second, name in entered)
    assert [name for name, _ in by_state] == [name for name, _ in by_plan]
    assert [second for _, second in by_state] == pytest.approx([second for _, second in by_plan], abs=1e-5)
    moments = [event.timestamp for event in execution.events]
    assert moments == sorted(moments)
    assert [event.id for event in execution.events] == list(range(1, len(moments) + 1))
    assert all(event.previous_event_id < event.id for event in execution.events)


@pytest.mark.parametrize("seed", range(60))
def test_a_run_that_is_stopped_and_redriven_comes_to_the_same_end(seed: int) -> None:
    plan = Plan(Random(seed))
    graph = plan.graph(3)

    def handler(call: TaskCall) -> TaskOutcome:
        seconds = plan.durations[call.state][call.attempt]
        if seconds is None:
            return TaskSucceeded("too late", after=100)
        if call.attempt + 1 < len(plan.durations[call.state]):
            return TaskFailed("E", after=seconds)
        return TaskSucceeded({"done": call.state}, after=seconds)

    def run(stops: int) -> Any:
        engine = Engine(handler)
        execution = engine.start({"QueryLanguage": "JSONata", **graph}, {"seed": seed})
        moments = Random(seed)
        for _ in range(stops):
            engine.advance(moments.choice([0, 1, 30, 5_000, 100_000]))
            if execution.running:
                engine.stop(execution)
                engine.redrive(execution)
        engine.run()
        return execution

    whole, pieces = run(0), run(4)
    assert pieces.status is whole.status is Status.SUCCEEDED
    assert pieces.output == whole.output
