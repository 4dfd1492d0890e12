"""What the records of a run's steps must say, by the reference; and what the history makes of the machine's events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stepsmith.engine import Execution, api_event
from stepsmith.model.steps import RepeatStep, SetStep, Step, SwitchStep, TryStep, is_written
from stepsmith_functions.history.origins import read_origins
from stepsmith_functions.history.rebuild import steps_from_history
from tests.semantics.attempts import Attempt
from tests.semantics.bench import on_engine
from tests.semantics.comparison import interpreter_of
from tests.semantics.programs.program import Program
from tests.semantics.reference.run import Run
from tests.semantics.reference.state import Raised, RollsBack, Scope, Stopped
from tests.semantics.schedule import Process


@dataclass(frozen=True)
class Ended:
    """How a step ended."""

    status: str
    error: str | None = None

    def __str__(self) -> str:
        return self.status + (f" {self.error}" if self.error else "")


GIVEN_UP = Ended("cancelled")
"""It had begun, and something else ended it."""


class Witness(Run):
    """Notes how each step ended, by its path; of several visits the last one counts."""

    ended: dict[str, Ended]

    def _step(self, step: Step, scope: Scope) -> Process:
        path, before = scope.below(step, ""), scope.steps.get(step.id)

        def own() -> Ended | None:
            """How its own work ended, once that is known: its handlers come afterwards."""
            known = scope.steps.get(step.id)
            return None if known is None or known is before else Ended(known["status"], _error(known))

        self._ends(step, path, GIVEN_UP)
        try:
            yield from super()._step(step, scope)
        except (Raised, RollsBack) as problem:
            raised = problem if isinstance(problem, Raised) else problem.raised
            self._ends(step, path, own() or Ended("failed", raised.type))
            raise
        except Stopped:
            self._ends(step, path, own() or Ended("succeeded"))
            raise
        except GeneratorExit:
            known = own()
            self._ends(step, path, known if known is not None and known.status == "failed" else GIVEN_UP)
            raise
        self._ends(step, path, own() or Ended("succeeded"))

    def _ends(self, step: Step, path: str, ended: Ended) -> None:
        if is_written(step):
            self.ended[path] = ended

    def _in_doubt(self, path: str) -> None:
        self.ended[f"{path}.rollback"] = Ended("failed", "EffectUnknown")

    def _undo(self, done: Attempt) -> Process:
        path = f"{done.path}.rollback"
        self.ended[path] = GIVEN_UP
        try:
            yield from super()._undo(done)
        except Raised as raised:
            self.ended[path] = Ended("failed", raised.type)
            raise
        self.ended[path] = Ended("succeeded")


def _error(known: Mapping[str, Any]) -> str | None:
    error = known.get("error")
    return error["type"] if isinstance(error, Mapping) else None


def wanted(program: Program) -> dict[str, Ended]:
    """How the steps of the program end. Raises Ambiguous where the language leaves the order open."""
    found: dict[str, Ended] = {}

    class Noting(Witness):
        ended = found

    interpreter_of(program, Noting).run()
    return found


def told(program: Program, execution: Execution) -> dict[str, Ended]:
    """How they ended by the history of the execution."""
    events = [api_event(event) for event in execution.events]
    assert program.compilation.origins is not None
    records = steps_from_history(events, read_origins(program.compilation.origins), "run-1")
    return {step.path: Ended(step.status.value, step.error.type if step.error else None) for step in records}


def disagreements(program: Program) -> dict[str, tuple[str, str]]:
    """The paths at which the history is not as the reference has it: what it should be, what it is.

    A `set` that leaves nothing behind (nobody reads what it sets, or it ends the run) may be missing, and so may a
    block that holds nothing else. Of a `try` that has failed more than once either error may be on record.
    """
    should = wanted(program)
    execution, _ = on_engine(program)
    are = told(program, execution)
    workflow = program.compilation.workflow
    assert workflow is not None
    verbs = {step.id: type(step) for step in workflow.every_step()}

    def agree(path: str) -> bool:
        one, other, verb = should.get(path), are.get(path), verbs.get(path.rpartition(".")[2])
        if other is None:
            return one == Ended("succeeded") and verb in (SetStep, TryStep, SwitchStep, RepeatStep)
        return one is not None and (one == other or (verb is TryStep and one.status == other.status))

    return {
        path: (str(should.get(path)), str(are.get(path)))
        for path in sorted(should.keys() | are.keys())
        if not agree(path)
    }
