"""Every action out of the artefact, under AWS's own runtime client: its sample event, and each of its errors.

Without an artefact (STEPSMITH_ARTEFACT, which `make build` sets) the same cases run on the sources. An action of your
own needs nothing here: its sample event is sent, and must end well or with an error that the action documents. One with
a case in `samples` must do its work, and each of its errors have a case in one of `provocations_*`.
"""

from __future__ import annotations

import json

import pytest

from stepsmith_functions.history.records import StepStatus
from tests.functions.artefact.provocations_of_any import ANY
from tests.functions.artefact.provocations_of_files import FILES
from tests.functions.artefact.provocations_outside import OUTSIDE
from tests.functions.artefact.samples import SAMPLES
from tests.functions.artefact.scene import ACTIONS, Scene
from tests.functions.artefact.ways import WAYS

PROVOCATIONS = [*ANY.cases.items(), *FILES.cases.items(), *OUTSIDE.cases.items()]
ERRORS = {name: {error["name"] for error in action.contract.describe()["errors"]} for name, action in ACTIONS.items()}
DOCUMENTED = [(name, error) for name in SAMPLES for error in sorted(ERRORS[name])]


@pytest.mark.parametrize("action", [name for name in ACTIONS if name not in SAMPLES], scope="module")
def test_an_action_of_your_own_takes_its_sample_event(action: str, scene: Scene) -> None:
    function = scene.function(action)
    outcome = scene.invoke(function, scene.sample(action))
    if outcome.failed:
        assert isinstance(outcome.payload, dict)
        assert outcome.payload["errorType"] in ERRORS[action], (outcome.payload, function.process.log)
    else:
        ACTIONS[action].contract.result.model_validate_json(json.dumps(outcome.payload), strict=True)
    assert scene.aws.denied == []


@pytest.mark.parametrize("action", SAMPLES, scope="module")
def test_the_sample_event_of_an_action_does_its_work(action: str, scene: Scene) -> None:
    check = SAMPLES[action](scene)
    event = scene.sample(action)
    result = scene.done(action, event)
    model = ACTIONS[action].contract.result
    assert model.model_validate_json(json.dumps(result), strict=True).model_dump(mode="json") == result
    check(result)
    record = scene.record(event)
    assert (record.status, record.action, record.attempts) == (StepStatus.SUCCEEDED, action, 1)
    assert (record.params, record.output) == (event["params"], result)
    assert scene.writes(event) == 2
    assert scene.aws.denied == []


@pytest.mark.parametrize(("action", "way"), WAYS, scope="module")
def test_an_action_goes_its_other_ways(action: str, way: str, scene: Scene) -> None:
    event, check = WAYS[action, way](scene)
    check(scene.done(action, event))
    assert scene.record(event).status is StepStatus.SUCCEEDED
    assert scene.aws.denied == []


@pytest.mark.parametrize(("action", "error"), DOCUMENTED, scope="module")
def test_each_error_of_an_action_can_be_provoked(action: str, error: str, scene: Scene) -> None:
    provoke = dict(PROVOCATIONS).get((action, error))
    assert provoke is not None, f"nothing in tests/functions/artefact/provocations_*.py provokes {error} of {action}"
    given = provoke(scene, action)
    function = scene.function(action, given.variables, given.parameters)
    outcome = scene.invoke(function, given.event, given.left)
    assert outcome.failed, outcome.payload
    assert isinstance(outcome.payload, dict)
    assert outcome.payload["errorType"] == error, (outcome.payload, scene.aws.denied, function.process.log)
    assert scene.aws.denied == []
    if given.recorded:
        told = scene.record(given.event)
        assert told.error is not None
        assert (told.status, told.error.type) == (StepStatus.FAILED, error)


def test_there_is_one_case_for_what_is_documented_and_none_for_what_is_not() -> None:
    assert sorted(each for each, _ in PROVOCATIONS if each[0] in SAMPLES) == sorted(DOCUMENTED)
    assert SAMPLES.keys() <= ACTIONS.keys()
