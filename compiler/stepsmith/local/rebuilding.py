"""The steps of a local execution, as the history keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from stepsmith.engine import Execution, api_event
from stepsmith.local.program import Program
from stepsmith_functions.history.origins import read_origins
from stepsmith_functions.history.rebuild import steps_from_history
from stepsmith_functions.history.records import StepRecord


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
