"""Our engine beside moto's own interpreter: the same machines on both, and a reason for every difference.

The machines are the conformance cases that moto can be asked, tasks that call a function, and random ones.
`DIFFERENCES` is the one table; a difference that is not in it fails, and so does one in it that is none any more.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from stepsmith.engine import Engine, TaskCall, TaskFailed, TaskOutcome, TaskSucceeded, validate
from tests.conformance.cases import CHILD, SDK
from tests.conformance.catalogue import CASES
from tests.conformance.runner import read_expected
from tests.engine.test_sfnx import INPUTS, Machines, fails
from tests.fidelity.moto_interpreter import interpreter, outcomes

RANDOM_MACHINES = 60
LAMBDA = "arn:aws:states:::lambda:invoke"

OLD_VALUES = "an Output sees what the same state assigns (AWS: variables as they were on entry; documented, measured)"
RUNTIME = (
    "an error named States.… that leaves a branch or an iteration becomes States.Runtime "
    "(AWS: the branch's own error; recorded)"
)
NO_SUCH_FUNCTION = "AWS's own functions are not plugged in, and jsonata-python's have the faults that ours corrects"
DIFFERENCES = {
    "assign-and-output-see-old-values": OLD_VALUES,
    "context": "the context object has no RedriveCount (AWS: 0; recorded)",
    "jsonata": NO_SUCH_FUNCTION,
    "jsonata-eval": "$eval works (AWS: there is none; documented)",
    "choice-no-match": "States.Runtime (AWS: States.NoChoiceMatched; documented)",
    "wait-fraction": "a fraction is cut off (AWS: refused; measured)",
    "wait-negative": "a negative wait ends at once (AWS: refused; measured)",
    "wait-without-a-zone": "States.Runtime (AWS: States.QueryEvaluationError; recorded)",
    "parallel-retried": "a Fail without a Cause shows an empty one (AWS: null; recorded of a callback)",
    "map-context-inside": "the item is in the context of the iteration's states (AWS: in ItemSelector only; measured)",
    "distributed-map-batches": "ItemBatcher is refused when the machine is created (AWS: documented)",
    "distributed-map-over-the-threshold": "failed children are null and the Map succeeds (AWS: recorded)",
    "random-49": OLD_VALUES,
    "random-54": "a text is shown without its quotes (AWS: JSON text; recorded)",
    **{f"random-{seed}": RUNTIME for seed in (8, 14, 25, 27, 34, 38, 40, 44)},
}
"""Machines that come out otherwise on moto: what moto does, and what AWS does as far as it is known."""
RACES = {12, 45, 52}
"""Random machines that fail in two branches at the same moment: which failure comes first is not settled."""


def calls(value: Any) -> Any:
    """A random machine with its tasks as calls of a function, and with nothing to wait for."""
    if isinstance(value, list):
        return [calls(part) for part in value]
    if not isinstance(value, dict):
        return value
    made = {name: calls(part) for name, part in value.items()}
    if made.get("Type") == "Wait":
        made["Seconds"] = 0
    if made.get("Type") == "Task":
        made["Arguments"] = {"FunctionName": "f", "Payload": {"given": made["Arguments"]}}
    if "ErrorEquals" in made and "Next" not in made:
        made |= {"IntervalSeconds": 1, "BackoffRate": 1}
    return made


def call(given: Any, **more: Any) -> dict[str, Any]:
    """A Task that calls a function, which fails for 'boom'."""
    arguments = {"FunctionName": "f", "Payload": {"given": given}}
    return {"Type": "Task", "Resource": LAMBDA, "Arguments": arguments, **more}


def after(state: dict[str, Any]) -> dict[str, Any]:
    """The machine of one Task, and what its catchers go to."""
    caught = {"Caught": {"Type": "Pass", "End": True}} if "Catch" in state else {}
    return {"QueryLanguage": "JSONata", "StartAt": "T", "States": {"T": {**state, "End": True}, **caught}}


def catch(*errors: str, **more: Any) -> list[dict[str, Any]]:
    return [{"ErrorEquals": list(errors), "Next": "Caught", "Output": "{% $states.errorOutput.Error %}", **more}]


MISSING = "{% $states.input.missing %}"
ONCE = [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1}]
COUNT = {"n": "{% $states.context.State.RetryCount %}"}
CALLS = {
    "call": call(1, Output="{% $states.result.Payload %}"),
    "call-fails": call("boom"),
    "call-caught-by-name": call("boom", Catch=catch("Boom", Output={"e": "{% $states.errorOutput.Error %}"})),
    "call-caught-by-all": call("boom", Catch=catch("States.ALL", Output={"a": 1}, Assign={"x": 1})),
    "call-caught-by-task-failed": call("boom", Catch=catch("States.TaskFailed", Output={"a": 1})),
    "call-not-caught": call("boom", Catch=catch("Bo", "boom")),
    "call-retried": call("boom", Retry=ONCE, Catch=catch("States.ALL", Output=COUNT)),
    "call-first-retrier-counts": call("boom", Retry=[{"ErrorEquals": ["Boom"], "MaxAttempts": 0}, *ONCE]),
    "call-retried-by-output": call(1, Output=MISSING, Retry=ONCE, Catch=catch("States.ALL", Output=COUNT)),
    "call-output-fails-is-caught": call(1, Output=MISSING, Catch=catch("States.QueryEvaluationError", Output={})),
    "call-assign-fails-is-caught": call(1, Assign={"x": MISSING}, Catch=catch("States.ALL", Output={})),
    "call-arguments-fail-is-caught": call(MISSING, Catch=catch("States.QueryEvaluationError", Output={})),
    "call-query-error-is-no-task-failed": call(1, Output=MISSING, Catch=catch("States.TaskFailed")),
    "call-assigns-its-result": call(1, Assign={"x": "{% $states.result.Payload %}"}, Output="{% $states.result %}"),
}


def machines() -> dict[str, tuple[dict[str, Any], Any]]:
    made = {
        case.name: (case.definition, case.input)
        for case in CASES
        # moto knows neither redrives nor creation checks, nor how the API of Step Functions spells its members.
        if not (case.question or case.only_create or case.redrive)
        and CHILD not in json.dumps(case.definition)
        and SDK not in json.dumps(case.definition)
    }
    made |= {name: (after(state), {}) for name, state in CALLS.items()}
    for seed in sorted(set(range(RANDOM_MACHINES)) - RACES):
        made[f"random-{seed}"] = (calls(Machines(seed).definition()), INPUTS[seed % len(INPUTS)])
    return made


def answer(payload: Any) -> dict[str, Any] | None:
    """What the function gives; None when it fails."""
    broken = payload["given"] == "boom" if isinstance(payload["given"], str) else fails(payload)
    return None if broken else {"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": {"n": 1}}


def ours(definition: dict[str, Any], value: Any) -> tuple[str, Any, str | None]:
    def handler(asked: TaskCall) -> TaskOutcome:
        arguments: Any = asked.arguments
        given = answer(arguments["Payload"])
        return TaskFailed("Boom", "why") if given is None else TaskSucceeded(given)

    engine = Engine(handler)
    execution = engine.start(definition, value)
    engine.run()
    return str(execution.status), execution.output, execution.error


def theirs(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[str, Any, str | None]]:
    with interpreter(monkeypatch) as client:
        from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils

        def invoke(parameters: Any, region: str, state_credentials: Any) -> dict[str, Any]:
            given = answer(json.loads(parameters["Payload"]))
            failure = {"errorType": "Boom", "errorMessage": "why"}
            return given or {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": failure}

        monkeypatch.setattr(lambda_eval_utils, "_invoke_lambda_function", invoke)
        return outcomes(client, machines())


def test_every_difference_has_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = machines()
    found = theirs(monkeypatch)
    different = {
        name: f"ours {mine}, moto's {found[name]}"
        for name, (definition, value) in asked.items()
        if (mine := ours(definition, value)) != found[name]
    }
    unexplained = {name: text for name, text in different.items() if name not in DIFFERENCES}
    assert unexplained == {}
    assert DIFFERENCES.keys() - different.keys() == set()


def test_the_machines_are_what_aws_takes_and_end_in_many_ways() -> None:
    asked = machines()
    assert DIFFERENCES.keys() <= asked.keys()
    for name, (definition, _) in asked.items():
        assert validate(definition) == [], name
    ends = Counter(error for definition, value in asked.values() for _, _, error in [ours(definition, value)])
    assert ends[None] > 50
    assert len(ends) >= 5


def test_ours_does_what_the_conformance_cases_expect() -> None:
    expected = read_expected()
    for name, (definition, value) in machines().items():
        if name in expected:
            wanted = expected[name]
            assert ours(definition, value)[::2] == (wanted["status"], wanted["error"]), name
