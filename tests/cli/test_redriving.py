"""When a redrive goes on with a run: histories of our engine, of workflows as they are compiled."""

from __future__ import annotations

import json
from textwrap import dedent

import pytest

from stepsmith.catalog import ActionCatalog, ActionSignature
from stepsmith.cli.redriving import redrive_serves
from stepsmith.engine import Engine, TaskCall, TaskFailed, TaskOutcome, TaskSucceeded, api_event
from stepsmith.pipeline import Compilation, compile_bytes
from stepsmith_functions.history.reading import read_history
from stepsmith_functions.history.visits import History

CATALOG = ActionCatalog(
    ActionSignature(name=name, summary="Works.", handler=f"{name}.handler", params={}, result={}, effect="read")
    for name in ("work", "breaks", "hangs")
)
BROKEN = "{id: b, action: breaks}"


def answer(call: TaskCall) -> TaskOutcome:
    step = json.loads(json.dumps(call.arguments))["Payload"]["step"]
    if step["action"] == "breaks":
        return TaskFailed("Broken", "it broke", 1)
    return TaskSucceeded({"Payload": {}}, 1000 if step["action"] == "hangs" else 1)


@pytest.mark.parametrize(
    ("text", "stopped", "serves"),
    [
        (f"steps: [{{id: a, action: work}}, {BROKEN}]", False, True),
        ("steps: [{id: a, action: work}, {id: w, wait: 1h}]", True, True),
        ("steps: [{id: a, action: hangs}]", True, True),
        ("steps: [{id: p, parallel: {l: [{id: a, action: hangs}], r: [{id: w, wait: 1h}]}}]", True, True),
        ("timeout: 60s\nsteps: [{id: w, wait: 1h}]", False, True),
        # A Fail state is what a redrive would enter again.
        (f"steps: [{BROKEN}]\nfinally: [{{id: f, action: work}}]", False, False),
        ("steps: [{id: b, fail: {error: E}}]", False, False),
        (f"steps: [{{id: t, try: [{BROKEN}], catch: [{{steps: [{{id: h, action: work}}]}}]}}]", False, False),
        (
            "steps: [{id: p, parallel: {l: [{id: b, fail: {error: E}}], r: [{id: w, wait: 1h}]}}]",
            False,
            False,
        ),
        # It was at the workflow's finally, behind the steps.
        (f"steps: [{BROKEN}]\nfinally: [{{id: f, action: hangs}}]", True, False),
        # What was taken is over.
        ("steps: [{id: b, action: breaks, on_failure: continue}, {id: a, action: hangs}]", True, True),
        ("steps: [{id: a, action: work}]", False, False),
    ],
)
def test_a_redrive_serves_where_something_is_left_to_do(text: str, stopped: bool, serves: bool) -> None:
    compiled, history = ended(text, stopped=stopped)
    assert compiled.workflow is not None
    assert redrive_serves(history, compiled.workflow, compiled.origins or {}) is serves


def test_what_told_of_its_success_is_not_done_again() -> None:
    compiled, history = ended("steps: [{id: p, parallel: {l: [{id: a, action: hangs}], r: [{id: w, wait: 1h}]}}]")
    assert compiled.workflow is not None
    assert redrive_serves(history, compiled.workflow, compiled.origins or {}, {"p.r.a", "other"})
    assert not redrive_serves(history, compiled.workflow, compiled.origins or {}, {"p.l.a"})


def ended(text: str, *, stopped: bool = True) -> tuple[Compilation, History]:
    """The workflow, and the history of a run of it that is over: by itself, or stopped after five minutes."""
    compiled = compile_bytes("w.yaml", dedent(f"name: w\n{text}\n").encode(), CATALOG)
    assert compiled.asl is not None, [each.message for each in compiled.diagnostics]
    engine = Engine(answer)
    execution = engine.start(compiled.asl, {}, name="e")
    if stopped:
        engine.advance(300)
        engine.stop(execution)
    else:
        engine.run(until=execution)
    return compiled, read_history(api_event(event) for event in execution.events)
