"""Random machines against `sfnx.testing`, an independent interpreter by other people.

It knows no time, no history and no concurrency, and evaluates with jsonata-python as it comes; so the machines keep to
what both can do, and branches fail in one way only. What differs all the same would be listed with its reason.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from sfnx import testing

from stepsmith.engine import Engine, Json, TaskCall, TaskFailed, TaskOutcome, TaskSucceeded, validate


class Machines:
    """Random machines in JSONata mode, from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.names = 0

    def definition(self) -> dict[str, Any]:
        return {"QueryLanguage": "JSONata", **self.graph(2, ())}

    def name(self) -> str:
        self.names += 1
        return f"S{self.names}"

    def graph(self, depth: int, outer: tuple[str, ...]) -> dict[str, Any]:
        names = [self.name() for _ in range(self.random.randint(1, 5))]
        own = (f"v{names[0]}a", f"v{names[0]}b")
        states = {}
        for at, name in enumerate(names):
            states[name] = self.state(depth, outer + own, own, names[at + 1 :])
        return {"StartAt": names[0], "States": states}

    def state(self, depth: int, readable: tuple[str, ...], own: tuple[str, ...], later: list[str]) -> dict[str, Any]:
        kinds = (
            ["Pass"] * 3 + ["Task"] * 4 + ["Wait"] + ["Choice"] * 2 * bool(later) + ["Parallel", "Map"] * bool(depth)
        )
        kind = self.random.choice(kinds)
        if kind == "Choice":
            # The rule may skip ahead; the default goes on, so that every state can be reached.
            rule = {"Condition": self.condition(readable), "Next": self.random.choice(later)}
            if self.random.random() < 0.5:
                rule["Assign"] = {own[0]: self.template(readable)}
            return {"Type": kind, "Choices": [rule], "Default": later[0]}
        state: dict[str, Any] = {"Type": kind, **({"Next": later[0]} if later else {"End": True})}
        result = kind in ("Task", "Parallel", "Map")
        if self.random.random() < 0.5:
            state["Output"] = self.template(readable, result=result)
        if self.random.random() < 0.5:
            state["Assign"] = {self.random.choice(own): self.template(readable, result=result)}
        match kind:
            case "Wait":
                state["Seconds"] = self.random.choice([0, 1, "{% $states.input.n %}", "{% 2 %}"])
            case "Task":
                state |= {"Resource": "arn:aws:states:::lambda:invoke", "Arguments": self.template(readable)}
            case "Parallel":
                state["Branches"] = [self.graph(depth - 1, readable) for _ in range(self.random.randint(1, 3))]
            case "Map":
                state["Items"] = self.random.choice(
                    [[1, 2], "{% [1..3] %}", "{% $states.input.list %}", [], "{% [$states.input] %}"]
                )
                state["MaxConcurrency"] = 1
                state["ItemProcessor"] = self.graph(depth - 1, readable)
                if self.random.random() < 0.3:
                    state["ItemSelector"] = {"i": "{% $states.context.Map.Item.Index %}", "n": 1}
        if result and self.random.random() < 0.4:
            state["Retry"] = [{"ErrorEquals": [self.error()], "MaxAttempts": self.random.randint(0, 2)}]
        if result and later and self.random.random() < 0.5:
            caught: dict[str, Any] = {"ErrorEquals": [self.error()], "Next": self.random.choice(later)}
            # Not the Cause: that of a failed evaluation is AWS's here and their own words there.
            caught["Output"] = {"e": "{% $states.errorOutput.Error %}", "i": "{% $states.input %}"}
            if self.random.random() < 0.5:
                caught["Assign"] = {own[1]: "{% $states.errorOutput.Error %}"}
            state["Catch"] = [caught]
        return state

    def error(self) -> str:
        names = ["Boom", "States.ALL", "States.TaskFailed", "States.QueryEvaluationError", "Other"]
        return self.random.choice(names)

    def condition(self, readable: tuple[str, ...]) -> Any:
        variable = self.random.choice(readable)
        texts = ["$states.input.n > 1", f"$exists(${variable})", f"${variable} = 1", "$states.input.ok", "true"]
        return "{% " + self.random.choice(texts) + " %}"

    def template(self, readable: tuple[str, ...], *, result: bool = False, depth: int = 2) -> Json:
        if depth and self.random.random() < 0.3:
            return {key: self.template(readable, result=result, depth=depth - 1) for key in ("n", "list")}
        if depth and self.random.random() < 0.1:
            return [self.template(readable, result=result, depth=depth - 1) for _ in range(2)]
        variable = self.random.choice(readable)
        texts = [
            "$states.input",
            "$states.input",
            "$states.input.n",
            f"$exists(${variable}) ? ${variable} : 0",
            f"[${variable}]",
            "{'n': $states.input.n, 'ok': true}",
            "$string($states.input)",
            "$states.context.State.Name",
            "$states.input.n + 1",
            "$type($states.input)",
            "[1..3]",
            "null",
        ]
        if result:
            texts += ["$states.result"] * 6
        if self.random.random() < 0.06:
            texts = [f"${variable}", "$states.input.missing", "1 + 'a'"]
        if self.random.random() < 0.2:
            return self.random.choice([1, "text", None, True, [], {"n": 2, "list": [1]}])
        return "{% " + self.random.choice(texts) + " %}"


def fails(arguments: Json) -> bool:
    """Whether the task fails: a matter of its arguments alone, so that both see the same."""
    return sum(json.dumps(arguments, sort_keys=True).encode()) % 4 == 0


def ours(definition: dict[str, Any], value: Json) -> tuple[str | None, Json]:
    def handler(call: TaskCall) -> TaskOutcome:
        return TaskFailed("Boom", "why") if fails(call.arguments) else TaskSucceeded({"n": 1, "got": call.arguments})

    engine = Engine(handler)
    execution = engine.start(definition, value)
    engine.run()
    return execution.error, execution.output


def theirs(definition: dict[str, Any], value: Json) -> tuple[str | None, Json]:
    def tasks(call: testing.Call) -> object:
        # Their lists are the library's own, with flags: only plain JSON has the meaning of JSON.
        arguments = json.loads(json.dumps(call.arguments))
        if fails(arguments):
            raise testing.Failure("Boom", "why")
        return {"n": 1, "got": arguments}

    execution = testing.run(definition, value, tasks)
    return execution.error, None if execution.error else json.loads(json.dumps(execution.output))


INPUTS: list[Json] = [{"n": 1, "ok": True, "list": [1, 2]}, {"n": 5, "ok": "no", "list": []}, {}]


RANDOM_MACHINES = 250
FAIL_IN_ANOTHER_BRANCH = {12, 45, 147, 178, 237}
"""Seeds whose machines fail in two branches of a Parallel, each in its own way: here the one that fails first in time
ends the state, as on AWS, there the first in the definition, since branches run one after another."""


@pytest.mark.parametrize("seed", range(RANDOM_MACHINES))
def test_random_machine(seed: int) -> None:
    definition = Machines(seed).definition()
    assert validate(definition) == []
    value = INPUTS[seed % len(INPUTS)]
    mine, other = ours(definition, value), theirs(definition, value)
    if seed in FAIL_IN_ANOTHER_BRANCH:
        assert {mine[0], other[0]} == {"Boom", "States.QueryEvaluationError"}
    else:
        assert mine == other, json.dumps(definition, indent=1)


def test_the_machines_do_something() -> None:
    """Most of them end well or by a task's failure, and few by the same kind of error."""
    ends = [ours(Machines(seed).definition(), INPUTS[seed % len(INPUTS)])[0] for seed in range(RANDOM_MACHINES)]
    assert 60 < ends.count(None) < 240
    assert {"Boom", "States.QueryEvaluationError"} <= set(ends)
