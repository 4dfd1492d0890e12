"""Runs a random program by the reference and on the engine, and says where they differ."""

from __future__ import annotations

import contextlib
import random
from dataclasses import dataclass
from typing import Any

from stepsmith.engine import (
    Engine,
    Execution,
    TaskCall,
    TaskFailed,
    TaskOutcome,
    TaskSucceeded,
    TaskTokenError,
    TaskWaiting,
    validate,
)
from stepsmith_functions.history.ending import run_ending
from stepsmith_functions.history.records import RunStatus
from tests.compiler.strategies import Program
from tests.expressions.oracle import OracleError
from tests.semantics.attempts import Answer
from tests.semantics.reference import SECOND, Call, Interpreter, Outcome
from tests.support.ledger import FUNCTION, Told
from tests.support.machines import CATALOG


@dataclass(frozen=True)
class Difference:
    what: str
    reference: Any
    engine: Any

    def __str__(self) -> str:
        return f"{self.what}\n  reference: {self.reference}\n  engine:    {self.engine}"


UNKNOWN = " (it is not known whether "
"""Stands between the message of the error and which steps may or may not have taken effect."""


class FullJitter(random.Random):
    """Back-off without chance: jitter counts as none."""

    def uniform(self, a: float, b: float) -> float:
        return b


def compare(program: Program) -> Difference | None:
    """The first difference, None where all agree. Raises Ambiguous where the language leaves the order open."""
    assert program.compilation.asl is not None
    problems = validate(program.compilation.asl)
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
    seen, wanted = sorted(calls, key=_order), sorted(expected.calls, key=_order)
    if seen != wanted:
        first = next(at for at in range(len(seen) + 1) if seen[at : at + 1] != wanted[at : at + 1])
        return Difference(f"call {first}", wanted[first : first + 3], seen[first : first + 3])
    if status == "succeeded" and not same(expected.output, execution.output):
        return Difference("output", expected.output, execution.output)
    if status == "failed" and (expected.message or "") not in (execution.cause or "", _message(execution.cause)):
        return Difference("message", expected.message, execution.cause)
    if status == "timed_out" and expected.message and (error is None or error.message != expected.message):
        return Difference("message", expected.message, execution.cause)
    if error is not None and ending in (RunStatus.ROLLED_BACK, RunStatus.ROLLBACK_FAILED):
        told = error.message.partition(UNKNOWN)[0]
        if (told, error.step) != (expected.message, expected.step):
            return Difference("message and step", (expected.message, expected.step), (error.message, error.step))
    elapsed = round((execution.stopped - execution.started).total_seconds() * SECOND)
    return None if elapsed == expected.elapsed else Difference("elapsed time", expected.elapsed, elapsed)


def by_reference(program: Program) -> Outcome:
    """What the language says of the program. Raises Ambiguous where it leaves the order open."""
    assert program.compilation.workflow is not None
    try:
        return Interpreter(program.compilation.workflow, CATALOG, program.given, program.script).run()
    except OracleError as error:
        return Outcome("failed", error="an expression that the checks accepted", message=str(error))


def on_engine(program: Program) -> tuple[Execution, list[Call]]:
    calls: list[Call] = []
    told = Told()

    def answer(call: TaskCall) -> TaskOutcome:
        arguments: Any = call.arguments
        payload = arguments["Payload"]
        if arguments["FunctionName"] == FUNCTION:
            return told.ledger(call)
        step = payload["step"]
        now = engine.clock.now() - execution.started
        calls.append(call_of(payload, round(now.total_seconds() * SECOND)))
        given = program.script(step["id"], step["path"], step["attempt"])
        if "token" in payload:
            engine.call_later(given.after / SECOND, lambda: _decide(engine, payload["token"], given), passive=True)
            return TaskWaiting({"StatusCode": 200, "Payload": None})
        outcome: TaskOutcome
        if given.error is None:
            outcome = TaskSucceeded({"StatusCode": 200, "Payload": given.result}, given.after / SECOND)
        else:
            outcome = TaskFailed(given.error, cause_of(given.message, given.error), given.after / SECOND)
        told.step(call, outcome)
        return outcome

    engine = Engine(answer, random=FullJitter(0))
    execution = engine.start(program.compilation.asl or "", program.given, name="run-1")
    engine.run(execution)
    return execution, calls


def call_of(payload: Any, at: int) -> Call:
    """The attempt that a handler is called with; of an approval without what the reference has no words for."""
    step, params = payload["step"], dict(payload["params"])
    if "token" in payload:
        for setting in ("quorum", "timeout", "remind"):
            params.pop(setting, None)
    return Call(at, step["path"], step["attempt"], params)


def _decide(engine: Engine, token: str, given: Answer) -> None:
    """Answers for the people who were asked; too late once the step's time is over or its branch was given up."""
    with contextlib.suppress(TaskTokenError):
        if given.error is None:
            engine.complete_task(token, given.result)
        else:
            engine.fail_task(token, given.error, given.message)


def cause_of(message: str, error: str) -> str:
    quoted = message.replace('"', '\\"')
    return f'{{"errorMessage": "{quoted}", "errorType": "{error}", "stackTrace": []}}'


def _message(cause: str | None) -> str | None:
    start, end = '{"errorMessage": "', '", "errorType"'
    if cause is None or not cause.startswith(start):
        return cause
    return cause[len(start) :].split(end)[0].replace('\\"', '"')


def same(one: Any, other: Any) -> bool:
    """Equality of JSON values, in which true is not 1."""
    match one, other:
        case dict(), dict():
            return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
        case list(), list():
            return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _order(call: Call) -> tuple[int, str, int]:
    return call.at, call.path, call.attempt
