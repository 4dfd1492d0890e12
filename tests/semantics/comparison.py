"""Runs a random program by the reference and on the engine, and says where they differ."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from stepsmith.engine import validate
from stepsmith_functions.history.ending import run_ending
from stepsmith_functions.history.records import RunStatus
from tests.expressions.oracle import OracleError
from tests.semantics.bench import on_engine
from tests.semantics.programs.program import Program
from tests.semantics.reference import SECOND, Call, Interpreter, Outcome
from tests.semantics.reference.run import Run
from tests.support.machines import CATALOG


@dataclass(frozen=True)
class Difference:
    what: str
    reference: Any
    engine: Any

    def __str__(self) -> str:
        return f"{self.what}\n  reference: {self.reference}\n  engine:    {self.engine}"


DOUBTS = re.compile(r" \(it is not known whether [^()]*\)")
"""What a rollback adds to the message of the error: which steps may or may not have taken effect."""


def by_reference(program: Program) -> Outcome:
    """What the language says of the program. Raises Ambiguous where it leaves the order open."""
    try:
        return interpreter_of(program).run()
    except OracleError as error:
        return Outcome("failed", error="an expression that the checks accepted", message=str(error))


def interpreter_of(program: Program, run: type[Run] = Run) -> Interpreter:
    """The reference, with the program before it; `run` makes the run that is asked for."""
    workflow = program.compilation.workflow
    assert workflow is not None
    return Interpreter(
        workflow,
        CATALOG,
        program.given,
        children=program.workflows,
        answers=program.performance(),
        orders=program.orders,
        refusal=program.refusal,
        run=run,
    )


def compare(program: Program) -> Difference | None:
    """The first difference, None where all agree. Raises Ambiguous where the language leaves the order open."""
    assert program.compilation.asl is not None
    for each in (program, *program.children.values()):
        problems = validate(each.compilation.asl or "")
        if problems:
            return Difference("AWS would refuse the definition", None, [str(problem) for problem in problems])
    expected = by_reference(program)
    execution, calls = on_engine(program)
    ending, error = run_ending(execution.status.value, execution.error, execution.cause)
    status = ending.value
    assert execution.stopped is not None
    if expected.status != status or expected.error != (error.type if error else None):
        cause = f"{execution.error}: {execution.cause}" if execution.error else ""
        return Difference("status and error", (expected.status, expected.error, expected.message), (status, cause))
    seen = sorted((replace(call, params=_certain(call.params)) for call in calls), key=_order)
    wanted = sorted(expected.calls, key=_order)
    if seen != wanted:
        first = next(at for at in range(len(seen) + 1) if seen[at : at + 1] != wanted[at : at + 1])
        return Difference(f"call {first}", wanted[first : first + 3], seen[first : first + 3])
    if status == "succeeded" and not same(expected.output, _certain(execution.output)):
        return Difference("output", expected.output, execution.output)
    message = _certain(error.message) if error else None
    if status in ("failed", "cancelled") and (expected.message or "") not in (execution.cause or "", message):
        return Difference("message", expected.message, execution.cause)
    if status == "timed_out" and expected.message and message != expected.message:
        return Difference("message", expected.message, execution.cause)
    undone = ending in (RunStatus.ROLLED_BACK, RunStatus.ROLLBACK_FAILED)
    if error is not None and undone and (message, error.step) != (expected.message, expected.step):
        return Difference("message and step", (expected.message, expected.step), (message, error.step))
    elapsed = round((execution.stopped - execution.started).total_seconds() * SECOND)
    return None if elapsed == expected.elapsed else Difference("elapsed time", expected.elapsed, elapsed)


def _certain(value: Any) -> Any:
    """The value without what its texts tell of doubts."""
    match value:
        case str():
            return DOUBTS.sub("", value)
        case dict():
            return {key: _certain(item) for key, item in value.items()}
        case list():
            return [_certain(item) for item in value]
    return value


def same(one: Any, other: Any) -> bool:
    """Equality of JSON values, in which true is not 1."""
    match one, other:
        case dict(), dict():
            return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
        case list(), list():
            return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _order(call: Call) -> tuple[int, str, str, int]:
    return call.at, call.run, call.path, call.attempt
