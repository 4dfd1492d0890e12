"""Runs the machine of a random program on `sfnx.testing`, an interpreter by other people, where that can run it.

It knows no time and no concurrency: calls are compared without their moments, and programs are passed over whose
outcome hangs on a moment (a deadline, the ledger of a rollback) or on which of several branches fails first.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from sfnx import testing

from stepsmith.model.steps import ApprovalStep, OnTimeout
from stepsmith_functions.history.ending import run_ending
from tests.semantics.bench import call_of, cause_of
from tests.semantics.comparison import Difference, same
from tests.semantics.programs.program import Program
from tests.semantics.reference import SECOND, STARTED, Outcome
from tests.support.ledger import FUNCTION

RUN = "run-1"
NOW = int(STARTED.timestamp() * 1000)
"""Milliseconds; time stands still."""


class NotThere(Exception):  # noqa: N818 - not an error
    """The program is one that cannot be run there, for the reason given."""


def compare_elsewhere(program: Program, expected: Outcome) -> Difference | None:
    """The first difference between the reference's outcome and theirs. Raises NotThere."""
    workflow = program.compilation.workflow
    assert workflow is not None
    definition = json.loads((program.compilation.asl or "").replace("$states.context.Execution.Name", f"'{RUN}'"))
    states = {name: state for name, state, _ in _states(definition)}
    together = {name for name, _, together in _states(definition) if together}
    if workflow.timeout is not None and expected.elapsed >= workflow.timeout * SECOND:
        raise NotThere("a deadline that passes")
    own = {step.id: getattr(step, "timeout", None) for step in workflow.every_step()}
    approving = {
        step.id
        for step in workflow.every_step()
        if isinstance(step, ApprovalStep) and step.on_timeout is OnTimeout.APPROVE
    }
    calls: list[tuple[str, int, Any]] = []
    script = program.performance()

    def task(call: testing.Call) -> object:
        arguments: Any = json.loads(json.dumps(call.arguments))
        payload = arguments["Payload"]
        if arguments["FunctionName"] == FUNCTION:
            raise NotThere("a rollback that asks the ledger")
        made = call_of(payload, 0)
        calls.append((made.path, made.attempt, made.params))
        answer = script(payload["step"]["id"], made.path, made.attempt, RUN)
        longest = states[call.state].get("TimeoutSeconds")
        if isinstance(longest, str):  # the smaller of its own and what is left, which is enough
            longest = own.get(payload["step"]["id"])
        late = longest is not None and answer.after > longest * SECOND
        if call.state in together and (late or answer.error is not None):
            raise NotThere("a failure beside other branches")
        if late and payload["step"]["id"] in approving:
            raise NotThere("an approval that says when it was given")
        if late:
            raise testing.Failure("States.Timeout", "")
        if answer.error is not None:
            told = answer.message if "token" in payload else cause_of(answer.message, answer.error)
            raise testing.Failure(answer.error, told)
        return answer.result if "token" in payload else {"StatusCode": 200, "Payload": answer.result}

    try:
        execution = testing.run(
            definition, program.given, task, functions={"millis": lambda: NOW}, start_time="2025-01-01T00:00:00.000Z"
        )
    except testing.Unsupported as unsupported:
        raise NotThere(str(unsupported)) from None
    if any(states[name]["Type"] == "Fail" for name in together.intersection(execution.states)):
        raise NotThere("a failure beside other branches")
    status = "FAILED" if execution.error else "SUCCEEDED"
    ending, error = run_ending(status, execution.error, execution.cause)
    theirs = (ending.value, error.type if error else None)
    if theirs != (expected.status, expected.error):
        return Difference("elsewhere: status and error", (expected.status, expected.error), (*theirs, execution.cause))
    wanted = [(call.path, call.attempt, call.params) for call in expected.calls]
    if (difference := _difference(wanted, calls)) is not None:
        return difference
    if execution.error is None and not same(expected.output, json.loads(json.dumps(execution.output))):
        return Difference("elsewhere: output", expected.output, execution.output)
    return None


def _difference(wanted: list[tuple[str, int, Any]], calls: list[tuple[str, int, Any]]) -> Difference | None:
    ours, theirs = Counter(map(_key, wanted)), Counter(map(_key, calls))
    if ours == theirs:
        return None
    return Difference("elsewhere: calls", sorted(ours - theirs), sorted(theirs - ours))


def _key(call: tuple[str, int, Any]) -> str:
    return json.dumps(call, sort_keys=True)


def _states(machine: Mapping[str, Any], *, together: bool = False) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Every state with its name, and whether others may run at the same time."""
    for name, state in machine["States"].items():
        yield name, state, together
        branches = state.get("Branches", ())
        for branch in branches:
            yield from _states(branch, together=together or len(branches) > 1)
        if "ItemProcessor" in state:
            yield from _states(state["ItemProcessor"], together=together or state.get("MaxConcurrency") != 1)
