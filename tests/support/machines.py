"""Compiles workflow texts with the small catalogue of the golden cases and runs them on the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stepsmith.catalog import read_catalog
from stepsmith.engine import Engine, Execution, TaskCall, TaskFailed, TaskOutcome, TaskSucceeded
from stepsmith.pipeline import Compilation, compile_bytes
from tests.support.ledger import FUNCTION, Told

CATALOG = read_catalog((Path(__file__).parents[1] / "golden" / "catalog.json").read_text())
RESULTS: Mapping[str, Any] = {
    "fetch": {"body": "text", "size": 3, "items": ["a", "b", "c"]},
    "store": {"version": 1},
    "ping": {"ok": True, "ms": 1.5},
}


DECIDED: Mapping[str, Any] = {"approved": True, "by": "ops", "comment": "fine", "at": "2025-01-01T00:00:00.000Z"}
"""What an approval comes to where a test says nothing else."""


@dataclass
class Fail:
    """The outcome of a step that fails."""

    error: str
    message: str = "it failed"

    def outcome(self) -> TaskFailed:
        return TaskFailed(self.error, f'{{"errorMessage": "{self.message}", "errorType": "{self.error}"}}')


@dataclass
class Run:
    """A run on the engine: how it ended, and the calls of actions in order."""

    execution: Execution
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def steps(self) -> list[str]:
        """The paths of the steps in the order of their calls."""
        return [path for path, _ in self.calls]

    def params(self, path: str) -> dict[str, Any]:
        return next(params for name, params in self.calls if name == path)


def compiled(text: str, name: str = "test.yaml") -> Compilation:
    """The compilation of `text`; fails if it has an error."""
    compilation = compile_bytes(name, text.encode(), CATALOG)
    assert compilation.asl is not None, [f"{d.span}: {d.message} [{d.slug}]" for d in compilation.diagnostics]
    return compilation


def run(text: str, input: Any = None, outcomes: Mapping[str, Any] | None = None) -> Run:  # noqa: A002
    """Runs a workflow. `outcomes` gives a result, a `Fail`, or a list of them (one per attempt) by step id."""
    left = {name: list(value) if isinstance(value, list) else value for name, value in (outcomes or {}).items()}
    calls: list[tuple[str, dict[str, Any]]] = []

    told = Told()

    def answer(call: TaskCall) -> TaskOutcome:
        arguments: Any = call.arguments
        payload = arguments["Payload"]
        if arguments["FunctionName"] == FUNCTION:
            return told.ledger(call)
        outcome = _invoke(answered(payload), call)
        if "token" not in payload:
            told.step(call, outcome)
        return outcome

    def answered(payload: Any) -> TaskOutcome:
        step = payload["step"]
        calls.append((step["path"], payload["params"]))
        given = left.get(step["id"], DECIDED if "token" in payload else RESULTS[step["action"]])
        if isinstance(given, list):
            given = given.pop(0) if len(given) > 1 else given[0]
        if callable(given):
            given = given(payload["params"])
        return given.outcome() if hasattr(given, "outcome") else TaskSucceeded(given)

    compilation = compiled(text)
    engine = Engine(answer)
    execution = engine.start(compilation.asl or "", input if input is not None else {}, name="run-1")
    engine.run(execution)
    return Run(execution, calls)


def _invoke(outcome: TaskOutcome, call: TaskCall) -> TaskOutcome:
    if isinstance(outcome, TaskSucceeded) and not call.resource.endswith(".waitForTaskToken"):
        return TaskSucceeded({"StatusCode": 200, "Payload": outcome.output}, outcome.after)
    return outcome
