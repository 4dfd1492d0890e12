"""The source map of a machine: how a run, a failed check or the history find the line that a state came from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath

from stepsmith.asl.origins import ORIGINS_VERSION
from stepsmith.asl.states import ChoiceState, Role, State, StateMachine, Unset, WaitState, Way, every_state
from stepsmith.document import Json
from stepsmith.model.policies import Then
from stepsmith.model.steps import (
    UNDO,
    ActionStep,
    ApprovalStep,
    Block,
    ForEachStep,
    OnTimeout,
    ParallelStep,
    RepeatStep,
    Step,
    SwitchStep,
    TryStep,
    handlers_of,
    inner_blocks,
    is_written,
)
from stepsmith.model.workflow import Workflow


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a step stands among blocks."""

    step: Step
    path: str
    """With `[]` for each iteration or round it stands in."""
    blocks: tuple[str, ...]
    """The paths of the blocks around it that are no scopes of their own, outermost first."""
    undoes: str | None = None
    """The path of the step that it undoes."""


def origins(workflow: Workflow, machine: StateMachine) -> dict[str, Json]:
    """The map as plain data, in the order of the machine's states; its shape stands in `stepsmith.asl.origins`."""
    places = {
        place.step.id: place for block in (workflow.steps, workflow.finally_steps) for place in _places(block, "", ())
    }
    everything = {state.name: state for state in every_state(machine.states)}
    rounds = dict(_rounds(everything, places))
    states: dict[str, Json] = {state.name: _state(state, places, rounds) for state in everything.values()}
    have = {state.origin.step for state in everything.values() if state.origin.role is Role.BLOCK}
    for place in places.values():
        if isinstance(place.step, TryStep | SwitchStep | RepeatStep) and place.step.id not in have:
            states[f"{place.step.id}.try"] = _entry(place, Role.BLOCK)
    steps: dict[str, Json] = {
        name: {"line": place.step.span.start.line, "path": place.path}
        for name, place in places.items()
        if is_written(place.step)
    }
    return {
        "version": ORIGINS_VERSION,
        "workflow": workflow.name,
        "source": PurePath(workflow.span.path).name,
        **({"on_failure": "rollback"} if workflow.on_failure is Then.ROLLBACK else {}),
        "states": states,
        "steps": steps,
    }


def _places(block: Block, prefix: str, blocks: tuple[str, ...]) -> Iterator[_Place]:
    for step in block:
        if not is_written(step):
            yield _Place(step, prefix, blocks)
            for inner in inner_blocks(step):
                yield from _places(inner, prefix, blocks)
            continue
        path = f"{prefix}.{step.id}" if prefix else step.id
        yield _Place(step, path, blocks)
        if step.rollback is not None:
            yield _Place(step.rollback, path + UNDO, (), path)
        match step:
            case ParallelStep():
                for branch in step.branches:
                    name = f".{branch.name}" if step.keyed else f"[{branch.name}]"
                    yield from _places(branch.steps, path + name, blocks)
            case ForEachStep():
                yield from _places(step.steps, f"{path}[]", blocks)
            case RepeatStep():
                yield from _places(step.steps, f"{path}[]", (*blocks, path))
            case _:
                for inner in inner_blocks(step):
                    yield from _places(inner, prefix, (*blocks, path))
        around = (*blocks, path) if isinstance(step, TryStep) else blocks
        for handler in handlers_of(step):
            yield from _places(handler.steps, prefix, around)


def _rounds(states: dict[str, State], places: dict[str, _Place]) -> Iterator[tuple[str, str]]:
    """The states that begin a round of a `repeat`, with the path of the block."""
    for state in states.values():
        place = places.get(state.origin.step or "")
        if place is None or not isinstance(place.step, RepeatStep) or not isinstance(state, ChoiceState):
            continue
        if state.origin.role is not Role.BLOCK:
            continue
        first = states[state.default]
        if first.name == f"{place.step.id}.delay" and isinstance(first, WaitState) and first.next is not None:
            first = states[first.next]
        yield first.name, place.path


def _state(state: State, places: dict[str, _Place], rounds: dict[str, str]) -> Json:
    origin = state.origin
    place = places.get(origin.step) if origin.step is not None else None
    if place is None:
        entry: dict[str, Json] = {
            "role": origin.role.value,
            "line": origin.span.start.line,
            "column": origin.span.start.column,
        }
    else:
        entry = _entry(place, origin.role)
        if is_written(place.step) and origin.raises is not None:
            entry["raises"] = origin.raises
            if origin.says is not None:
                entry["says"] = origin.says
    if state.name in rounds:
        entry["round_of"] = rounds[state.name]
    if origin.wraps:
        entry["wraps"] = True
    if origin.hands is not None:
        entry["hands"] = origin.hands
    if origin.reshapes:
        entry["reshapes"] = True
    if origin.folded:
        entry["folded"] = list(origin.folded)
    if origin.ways:
        entry["ways"] = [_way(way) for way in origin.ways]
    return entry


def _entry(place: _Place, role: Role) -> dict[str, Json]:
    start = place.step.span.start
    entry: dict[str, Json] = {
        "role": role.value,
        "line": start.line,
        "column": start.column,
        **({"step": place.step.id, "path": place.path} if is_written(place.step) else {}),
    }
    if role is Role.STEP and isinstance(place.step, ActionStep):
        entry["action"] = place.step.action
    if role is Role.STEP and isinstance(place.step, ApprovalStep) and place.step.on_timeout is OnTimeout.REJECT:
        entry["rejects_late"] = True
    if place.undoes is not None:
        entry["undoes"] = place.undoes
        entry["blocks"] = []
    if place.blocks:
        entry["blocks"] = list(place.blocks)
    return entry


def _way(way: Way) -> Json:
    entry: dict[str, Json] = {"next": way.next, "steps": list(way.steps)}
    if way.fails:
        entry["fails"] = list(way.fails)
    if way.errors:
        entry["errors"] = list(way.errors)
    return entry if isinstance(way.output, Unset) else {**entry, "output": way.output}
