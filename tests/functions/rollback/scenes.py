"""Histories with steps that can be undone, and what their handlers told."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from stepsmith_functions.history.reading import read_history
from stepsmith_functions.history.records import StepRecord, StepStatus
from stepsmith_functions.rollback.completed import Asked, Ledger, ledger_of
from tests.functions.history.script import LAMBDA, START, Script

SECONDS = 60
ASKED = {name: Asked(None, SECONDS, None) for name in ("one", "two", "three")}


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


class Scene(Script):
    """A history, a second per event, with the payloads that steps are sent."""

    def scheduled(self, name: str, after: int, *, path: str | None = None, handed: Any = None, entered: int = 0) -> int:
        """A Task whose function is called."""
        step = {"id": name, "path": path or name, "undo": handed if handed is not None else {"input": path or name}}
        parameters = {"FunctionName": "f", "Payload": {"params": {}, "step": step}}
        state = entered or self.entered("Task", name, after)
        return self.event("TaskScheduled", state, parameters=json.dumps(parameters), **LAMBDA)

    def succeeds(self, name: str, after: int, result: Any = None, *, path: str | None = None) -> int:
        done = self.answered(self.scheduled(name, after, path=path), result)
        return self.exited("Task", name, done)

    def answered(self, scheduled: int, result: Any = None) -> int:
        output = json.dumps({"StatusCode": 200, "Payload": result})
        return self.event("TaskSucceeded", scheduled, output=output, **LAMBDA)

    def fails(self, scheduled: int, error: str = "Broken") -> int:
        return self.event("TaskFailed", scheduled, error=error, cause="", **LAMBDA)

    def caught(self, name: str, failed: int) -> int:
        return self.exited("Task", name, failed)

    def parallel(self, after: int) -> int:
        """Its start, which each branch follows."""
        return self.event("ParallelStateStarted", self.entered("Parallel", "both", after))

    def again(self, failed: int) -> int:
        """The Parallel is tried again."""
        return self.event("ParallelStateStarted", failed)

    def given_up(self, failed: int) -> int:
        """The Parallel fails, and what it was at work on is cut off."""
        return self.exited("Parallel", "both", self.event("ParallelStateFailed", failed))

    def ledger(self, told: dict[str, StepRecord] | None, now: float = 1000, **asked: Asked) -> Ledger:
        return ledger_of(read_history(self.events), told, {**ASKED, **asked}, at(now))


def told(path: str, status: StepStatus, begun: float, ended: float | None = None, **fields: Any) -> StepRecord:
    given: dict[str, Any] = {"step_id": path.rpartition(".")[2], "handed": {"told": path}, **fields}
    return StepRecord(
        run_id="run-1", path=path, status=status, started_at=at(begun), attempt_started=at(begun),
        ended_at=at(ended) if ended is not None else None, **given,
    )  # fmt: skip
