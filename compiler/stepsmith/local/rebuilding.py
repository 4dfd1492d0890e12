"""The steps of a local execution, as the history keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from stepsmith.engine import Execution, api_event
from stepsmith.local.program import Program
from stepsmith_functions.history.origins import read_origins
from stepsmith_functions.history.rebuild import steps_from_history
from stepsmith_functions.history.records import RunRecord, StepRecord
from stepsmith_functions.history.result import steps_in_order


def rebuilt(program: Program, execution: Execution, run_id: str | None = None) -> list[StepRecord]:
    """The steps of an execution of `program`, out of its own history."""
    events = [api_event(event) for event in execution.events]
    return steps_from_history(events, read_origins(program.origins), run_id or execution.name)


def merged(rebuilt: Sequence[StepRecord], told: Mapping[str, StepRecord]) -> list[StepRecord]:
    """The steps of the history with what only their handlers knew: the params as they were filled in, masked."""
    return [
        replace(step, params=told[step.path].params, action=step.action or told[step.path].action)
        if step.path in told
        else step
        for step in rebuilt
    ]


def with_kept(steps: Sequence[StepRecord], kept: Sequence[StepRecord]) -> list[StepRecord]:
    """The steps of a run and those that it took over from an earlier one, in the order in which they started."""
    paths = {step.path for step in steps}
    return steps_in_order([*(step for step in kept if step.path not in paths), *steps]) if kept else [*steps]


def not_before(run: RunRecord) -> datetime:
    """The present, or the end of `run` where its virtual time has gone further: it lies before what follows it."""
    now = datetime.now(UTC)
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    return now if run.ended_at is None else max(now, run.ended_at)
