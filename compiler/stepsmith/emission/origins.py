"""The source map of a machine: how a run, a failed check or the history find the line that a state came from."""

from __future__ import annotations

from pathlib import PurePath

from stepsmith.asl.origins import ORIGINS_VERSION
from stepsmith.asl.states import Origin, State, StateMachine, TaskState, Unset, Way, every_state
from stepsmith.document import Json
from stepsmith.model.steps import ActionStep
from stepsmith.model.workflow import Workflow


def origins(workflow: Workflow, machine: StateMachine) -> dict[str, Json]:
    """The map as plain data, in the order of the machine's states; its shape stands in `stepsmith.asl.origins`."""
    actions = {step.id: step.action for step in workflow.every_step() if isinstance(step, ActionStep)}
    lines: dict[str, Json] = {step.id: step.span.start.line for step in workflow.every_step()}
    return {
        "version": ORIGINS_VERSION,
        "workflow": workflow.name,
        "source": PurePath(workflow.span.path).name,
        "states": {state.name: _state(state, actions) for state in every_state(machine.states)},
        "steps": lines,
    }


def _state(state: State, actions: dict[str, str]) -> Json:
    origin: Origin = state.origin
    entry: dict[str, Json] = {
        "role": origin.role.value,
        "line": origin.span.start.line,
        "column": origin.span.start.column,
    }
    if origin.step is not None:
        entry |= {"step": origin.step, "path": origin.step}
        if isinstance(state, TaskState) and origin.step in actions:
            entry["action"] = actions[origin.step]
    if origin.folded:
        entry["folded"] = list(origin.folded)
    if origin.ways:
        entry["ways"] = [_way(way) for way in origin.ways]
    return entry


def _way(way: Way) -> Json:
    entry: dict[str, Json] = {"next": way.next, "steps": list(way.steps)}
    return entry if isinstance(way.output, Unset) else {**entry, "output": way.output}
