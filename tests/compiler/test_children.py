"""Steps that run another workflow: checks across workflows, and what the machine does about the child's end."""

from __future__ import annotations

import json
from typing import Any

from stepsmith.engine import Engine, Execution, TaskCall, TaskFailed, TaskOutcome, TaskSucceeded, validate
from stepsmith.expressions.types import kinds
from stepsmith.model.signature import WorkflowSignature
from stepsmith.pipeline import Compilation, compile_bytes, read_signature
from stepsmith_functions.history.ending import run_ending
from stepsmith_functions.history.records import RunStatus
from tests.support.machines import CATALOG

CHILD = """
name: child
input: {n: {type: integer}}
steps:
  - action: ping
output: {double: "{{ input.n * 2 }}"}
"""

PARENT = """
name: parent
input: {n: {type: integer}}
steps:
  - id: c
    workflow: child
    params: {n: "{{ input.n }}"}
    on_failure:
      - errors: [TooBig]
        steps:
          - action: ping
            params: {host: "{{ error.type }} {{ error.message }} {{ error.step }}"}
        then: continue
output: {r: "{{ steps.c.output.double | default(0) }}"}
"""


def compiled(**texts: str) -> dict[str, Compilation]:
    siblings: dict[str, WorkflowSignature] = {}
    for name, text in texts.items():
        signature = read_signature(f"{name}.yaml", text.encode(), CATALOG)
        assert signature is not None
        siblings[name] = signature
    return {name: compile_bytes(f"{name}.yaml", text.encode(), CATALOG, siblings) for name, text in texts.items()}


def slugs(compilation: Compilation) -> list[str]:
    return [item.slug for item in compilation.diagnostics]


def run(asl: str, outcome: TaskOutcome) -> tuple[Any, list[Any]]:
    """The output or error of the parent when its child ends with `outcome`, and the params of its actions."""
    execution, calls = execute(asl, outcome)
    return (execution.error or execution.output), calls


def execute(asl: str, outcome: TaskOutcome) -> tuple[Execution, list[Any]]:
    calls: list[Any] = []

    def answer(call: TaskCall) -> TaskOutcome:
        arguments: Any = call.arguments
        if "startExecution" in call.resource:
            calls.append(arguments["Input"])
            return outcome
        calls.append(arguments["Payload"]["params"])
        return TaskSucceeded({"Payload": {"ok": True}})

    engine = Engine(answer)
    execution = engine.start(asl, {"n": 4}, name="parent-1")
    engine.run(execution)
    return execution, calls


def test_waits_for_the_child_and_reads_its_output() -> None:
    machine = compiled(parent=PARENT, child=CHILD)["parent"]
    assert machine.asl is not None
    assert validate(machine.asl) == []
    result, calls = run(machine.asl, TaskSucceeded({"Status": "SUCCEEDED", "Output": {"double": 8}}))
    assert result == {"r": 8}
    assert calls[0]["n"] == 4
    assert "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID" in calls[0]


def test_a_childs_error_is_the_steps_error() -> None:
    machine = compiled(parent=PARENT, child=CHILD)["parent"]
    cause = '{"Status": "FAILED", "Error": "TooBig", "Cause": "n is 4"}'
    result, calls = run(machine.asl or "", TaskFailed("States.TaskFailed", cause))
    assert result == {"r": 0}
    assert calls[1] == {"host": "TooBig n is 4 c"}


def test_an_error_that_no_handler_names_ends_the_run_with_the_childs_error() -> None:
    machine = compiled(parent=PARENT, child=CHILD)["parent"]
    cause = '{"Status": "FAILED", "Error": "Other", "Cause": "because"}'
    assert run(machine.asl or "", TaskFailed("States.TaskFailed", cause))[0] == "Other"
    timed_out = '{"Status": "TIMED_OUT"}'
    assert run(machine.asl or "", TaskFailed("States.TaskFailed", timed_out))[0] == "States.Timeout"


def test_a_child_that_ran_out_of_time_fails_the_step_with_a_timeout_and_no_more() -> None:
    told = json.dumps({"message": 'it took "too" long', "status": "timed_out", "step": "x", "line": 3})
    cause = json.dumps({"Status": "FAILED", "Error": "States.Timeout", "Cause": told})
    machine = compiled(parent=PARENT.replace("TooBig", "States.Timeout"), child=CHILD)["parent"]
    result, calls = run(machine.asl or "", TaskFailed("States.TaskFailed", cause))
    assert result == {"r": 0}
    assert calls[1] == {"host": 'States.Timeout it took "too" long c'}
    alone = compiled(parent=PARENT, child=CHILD)["parent"]
    execution, _ = execute(alone.asl or "", TaskFailed("States.TaskFailed", cause))
    assert run_ending("FAILED", execution.error, execution.cause)[0] is RunStatus.FAILED


def test_a_child_takes_the_key_by_which_runs_are_linked() -> None:
    machine = compiled(parent=PARENT, child=CHILD)["child"]
    engine = Engine(lambda call: TaskSucceeded({"Payload": {"ok": True}}))
    given = {"n": 2, "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": "arn"}
    execution = engine.start(machine.asl or "", given, name="child-1")
    engine.run(execution)
    assert execution.output == {"double": 4}


def test_a_child_that_is_not_waited_for_gives_its_run_id() -> None:
    text = PARENT.replace("    on_failure:", "    wait: false\n    on_failure:").replace(
        "steps.c.output.double | default(0)", "steps.c.output.run_id | default('')"
    )
    machine = compiled(parent=text, child=CHILD)["parent"]
    arn = "arn:aws:states:us-east-1:123456789012:execution:child:abc"
    result, _ = run(machine.asl or "", TaskSucceeded({"ExecutionArn": arn, "StartDate": "now"}))
    assert result == {"r": "abc"}


def test_a_variable_that_is_set_on_one_way_only_has_a_known_type_in_the_childs_output() -> None:
    child = """
    name: child
    input: {n: {type: integer}}
    steps:
      - {if: "{{ input.n > 1 }}", set: {seen: "{{ input.n }}"}}
      - wait: 1s
    output: "{{ vars.seen | default('unset') }}"
    """
    signature = read_signature("child.yaml", child.encode(), CATALOG)
    assert signature is not None
    assert kinds(signature.output) == {"number", "string"}
    parent = """
    name: parent
    steps:
      - {id: c, workflow: child, params: {n: 1}, output: "{{ output.o0 }}"}
    output: "{{ steps.c.output }}"
    """
    found = compile_bytes("parent.yaml", parent.encode(), CATALOG, {"child": signature})
    assert [item.slug for item in found.diagnostics] == ["unknown-property"]


def test_checks_across_workflows() -> None:
    def found(text: str, child: str = CHILD) -> list[str]:
        return slugs(compiled(parent=text, child=child)["parent"])

    assert found(PARENT) == []
    assert found(PARENT.replace("workflow: child", "workflow: chid")) == ["unknown-workflow"]
    assert found(PARENT.replace('{n: "{{ input.n }}"}', "{}")) == ["missing-param"]
    assert found(PARENT.replace('{n: "{{ input.n }}"}', "{n: 1, m: 2}")) == ["unknown-param"]
    assert found(PARENT.replace('{n: "{{ input.n }}"}', "{n: x}")) == ["wrong-param"]
    assert found(PARENT.replace('{n: "{{ input.n }}"}', '{n: "{{ run.id }}"}')) == ["wrong-param"]
    assert found(PARENT.replace("output.double", "output.treble")) == ["unknown-property"]
    assert found(PARENT, CHILD.replace("name: child", "name: child\ntype: express")) == ["not-in-express"]
    circle = CHILD.replace("  - action: ping", "  - workflow: parent\n    params: {n: 1}")
    assert found(PARENT, circle) == ["workflow-cycle"]
