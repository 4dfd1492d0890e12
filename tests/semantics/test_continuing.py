"""A run that is stopped or fails in a step and goes on from it ends as if nothing had happened to it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from stepsmith.engine import Engine, TaskCall, TaskFailed, TaskOutcome, TaskSucceeded, api_event
from stepsmith.local import continuing
from stepsmith.local.continuing import place_of, plan
from stepsmith.local.replaying import Replayed, replay
from stepsmith.model.steps import in_sequence, walk
from stepsmith.pipeline import compile_bytes
from stepsmith_functions.history.ending import run_of_history
from stepsmith_functions.history.origins import read_origins
from stepsmith_functions.history.reading import read_history
from stepsmith_functions.history.rebuild import steps_of
from stepsmith_functions.history.records import RunRecord, StepRecord
from tests.expressions.oracle import OracleError
from tests.semantics.bench import FullJitter, on_engine
from tests.semantics.comparison import same
from tests.semantics.programs.choosing import Dice
from tests.semantics.programs.program import Program, program
from tests.semantics.programs.settling import IllMade, settle
from tests.semantics.reference import SECOND, Interpreter
from tests.semantics.schedule import Ambiguous
from tests.support.machines import CATALOG

SEEDS = range(300, 500)
UNMENDED = "Unmended"


def broken_in(made: Program, inside: set[str], *, stops: bool) -> tuple[RunRecord, list[StepRecord]] | None:
    """The records of a run that is stopped when it calls one of the steps `inside`, or in which every call of these
    fails; None if that does not end it."""
    touched = False

    def answer(call: TaskCall) -> TaskOutcome:
        nonlocal touched
        arguments: Any = call.arguments
        step = arguments["Payload"]["step"]
        if step["id"] in inside:
            touched = True
            if stops:
                engine.stop(execution, "Cancelled", "enough")
            return TaskFailed(UNMENDED, "", 1)
        given = made.script(step["id"], step["path"], step["attempt"])
        if "token" in arguments["Payload"] and given.error is None:
            return TaskSucceeded(given.result, given.after / SECOND)
        if given.error is None:
            return TaskSucceeded({"StatusCode": 200, "Payload": given.result}, given.after / SECOND)
        return TaskFailed(given.error, json.dumps({"errorMessage": given.message}), given.after / SECOND)

    engine = Engine(answer, random=FullJitter(0))
    execution = engine.start(made.compilation.asl or "", made.given, name="run-1")
    engine.run(execution)
    if not touched or (not stops and execution.error != UNMENDED):
        return None
    origins = read_origins(made.compilation.origins or {})
    history = read_history(api_event(event) for event in execution.events)
    steps = steps_of(history, origins, "run-1")
    return run_of_history(history, steps, run_id="run-1", workflow="random"), steps


def without_deadline(made: Program) -> Program:
    """The program without a timeout of the workflow: a run that goes on has the whole time again."""
    text = re.sub(r"^timeout: .*\n", "", made.text, flags=re.MULTILINE)
    return made if text == made.text else replace(made, compilation=compile_bytes("r.yaml", text.encode(), CATALOG))


def difference(made: Program, count: int, *, stops: bool = True) -> str | None:
    """How a run that broke off in the step `count` and went on differs from one that did not; None if it could not be
    broken off there."""
    workflow = made.compilation.workflow
    assert workflow is not None
    inside = {step.id for step in walk(in_sequence(workflow.steps)[count : count + 1])}
    found = broken_in(made, inside, stops=stops)
    if found is None:
        return None
    run, steps = found
    if place_of(workflow, run, steps, None) != count:
        return f"it would go on from {place_of(workflow, run, steps, None)}, not from {count}"
    going = plan(made.compilation, CATALOG, None, run, steps, count, {})
    if going.compiled is None or going.continued is None:
        return "refused: " + "; ".join(item.message for item in going.diagnostics)
    before = {step.id for step in walk(in_sequence(workflow.steps)[:count])}
    try:
        expected = Interpreter(workflow, CATALOG, made.given, made.performance()).run()
    except OracleError:
        return None
    execution, calls = on_engine(replace(made, compilation=going.compiled, given=going.continued.given))
    wanted = [each for each in expected.calls if each.path.split(".")[0].split("[")[0] not in before]
    wanted = [each for each in wanted if each.path.rpartition(".")[2] not in before]
    one = [(each.path, each.attempt, each.params) for each in sorted(wanted, key=lambda each: (each.at, each.path))]
    other = [(each.path, each.attempt, each.params) for each in sorted(calls, key=lambda each: (each.at, each.path))]
    if one != other:
        return f"calls\n  undisturbed: {one}\n  continued:   {other}"
    if (expected.status, expected.error) != (execution.status.lower(), execution.error):
        ending = (execution.status, execution.error, execution.cause)
        return f"end\n  undisturbed: {expected.status, expected.error}\n  continued:   {ending}"
    if expected.status == "succeeded" and not same(expected.output, execution.output):
        return f"output\n  undisturbed: {expected.output}\n  continued:   {execution.output}"
    return ""


@pytest.mark.parametrize(("stops", "at_least"), [(True, 100), (False, 40)])
def test_random_programs_end_as_if_nothing_had_happened(stops: bool, at_least: int) -> None:
    tried = 0
    for seed in SEEDS:
        try:
            made = without_deadline(program(Dice(seed)))
            assert made.compilation.workflow is not None
            if made.compilation.workflow.rolls_back:
                continue  # what was undone can't be gone on with
            for count in range(len(in_sequence(made.compilation.workflow.steps))):
                found = difference(made, count, stops=stops)
                assert not found, f"seed {seed}, step {count}: {found}\n{made.describe()}"
                tried += found is not None
        except (Ambiguous, IllMade):
            continue
    assert tried >= at_least


def test_the_comparison_can_see_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    workflow = {
        "name": "two",
        "steps": [{"id": "a", "action": "ping"}, {"id": "b", "action": "ping"}],
        "output": "{{ steps.a.output }}",
    }
    text, compilation = settle(workflow)
    answers = {"a": [{"result": {"ok": True}}], "b": [{"result": {"ok": False}}]}
    made = Program(text, {}, answers, compilation)
    assert difference(made, 1) == ""
    monkeypatch.setattr(continuing, "replay", _forgetful)
    assert "output" in (difference(made, 1) or "")


def _forgetful(definition: str, run: RunRecord, steps: Mapping[str, StepRecord]) -> Replayed:
    """What the records give, with one answer changed."""
    return replay(definition, run, {path: replace(step, output={"ok": False}) for path, step in steps.items()})
