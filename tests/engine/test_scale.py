"""Size and cost: thousands of states, items and executions, without threads and without deep recursion.

The bounds on time are several times what a slow machine takes; they are there to catch a change of order.
"""

import sys
import threading
from typing import Any

import pytest

from stepsmith.engine import Engine, Json, Status, TaskSucceeded, read_machine, validate


def chain(length: int, **last: Any) -> dict[str, Json]:
    states: dict[str, Json] = {f"S{at}": {"Type": "Pass", "Next": f"S{at + 1}"} for at in range(length - 1)}
    states[f"S{length - 1}"] = {"Type": "Pass", "End": True}
    return {"QueryLanguage": "JSONata", "StartAt": "S0", "States": states}


def mapped(items: int, mode: dict[str, Json]) -> dict[str, Json]:
    processor: dict[str, Json] = {
        "ProcessorConfig": mode,
        "StartAt": "I",
        "States": {"I": {"Type": "Pass", "Output": "{% $states.input * 2 %}", "End": True}},
    }
    return {
        "QueryLanguage": "JSONata",
        "StartAt": "M",
        "States": {"M": {"Type": "Map", "Items": f"{{% [1..{items}] %}}", "ItemProcessor": processor, "End": True}},
    }


@pytest.fixture
def shallow() -> Any:
    """A recursion limit that depth proportional to states or items would pass."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(400)
    yield
    sys.setrecursionlimit(limit)


def run(definition: dict[str, Json]) -> Any:
    engine = Engine(lambda call: TaskSucceeded(call.arguments))
    execution = engine.start(definition, {"a": 1})
    engine.run()
    return execution


@pytest.mark.usefixtures("shallow")
def test_a_machine_of_5000_states() -> None:
    definition = chain(5000)
    assert validate(definition) == []
    execution = run(definition)
    assert (execution.status, execution.transitions) == (Status.SUCCEEDED, 5000)


@pytest.mark.usefixtures("shallow")
def test_a_distributed_map_of_10000_items() -> None:
    execution = run(mapped(10_000, {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}))
    assert execution.output == [2 * item for item in range(1, 10_001)]
    assert len(execution.children) == 10_000


@pytest.mark.usefixtures("shallow")
def test_an_inline_map_up_to_the_history_limit() -> None:
    assert run(mapped(6_000, {"Mode": "INLINE"})).status is Status.SUCCEEDED
    assert "maximum number of history events" in run(mapped(10_000, {"Mode": "INLINE"})).cause


def test_1000_executions_at_once_without_a_thread() -> None:
    engine = Engine(lambda call: TaskSucceeded({"Payload": call.arguments}, after=2))
    machine = read_machine(
        {
            "QueryLanguage": "JSONata",
            "StartAt": "T",
            "States": {
                "T": {
                    "Type": "Task",
                    "Resource": "arn:aws:states:::lambda:invoke",
                    "Arguments": {"n": "{% $states.input %}"},
                    "Output": "{% $states.result.Payload.n %}",
                    "Next": "W",
                },
                "W": {"Type": "Wait", "Seconds": 3, "End": True},
            },
        }
    )
    executions = [engine.start(machine, at) for at in range(1000)]
    threads = threading.active_count()
    engine.run()
    assert [one.output for one in executions] == list(range(1000))
    assert threading.active_count() == threads
    assert (engine.clock.now() - executions[0].started).total_seconds() == 5


def test_a_large_input_that_is_passed_on_is_not_copied() -> None:
    large = {"data": ["x" * 1000] * 200}
    engine = Engine(lambda call: TaskSucceeded(None))
    execution = engine.start(chain(50), large)
    engine.run()
    assert execution.output is large
