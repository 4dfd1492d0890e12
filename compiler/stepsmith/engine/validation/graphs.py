"""Checks over a whole graph of states: names, targets, reachability, an end, variables of outer scopes.

Walks with a list of work instead of recursion over states, so that a machine of thousands is no trouble.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from stepsmith.engine.validation.problem import (
    DUPLICATE_STATE,
    DUPLICATE_VARIABLE,
    SCHEMA,
    TERMINAL,
    TRANSITION,
    Report,
)
from stepsmith.engine.validation.states import items
from stepsmith.engine.values import Json

_NAME_CHARACTERS = 80


def check_names(names: Iterator[tuple[str, str]], report: Report) -> None:
    """State names: at most 80 characters, and each once in the whole definition, branches included (measured)."""
    seen: set[str] = set()
    for name, location in names:
        if len(name) > _NAME_CHARACTERS:
            report(SCHEMA, f"State names must have at most {_NAME_CHARACTERS} characters", location)
        if name in seen:
            report(DUPLICATE_STATE, f"Duplicate state name: {name}", location)
        seen.add(name)


def check_transitions(graph: Mapping[str, Json], location: str, report: Report) -> None:
    """Targets exist, every state can be reached, and some state ends the graph (said only if all else is in order)."""
    states = graph.get("States")
    if not isinstance(states, Mapping):
        return
    if not states:
        report(SCHEMA, "The field 'States' must not be empty", f"{location}/States")
        return
    start = graph.get("StartAt")
    if isinstance(start, str) and start not in states:
        report(TRANSITION, f"Missing 'StartAt' target: {start}", f"{location}/StartAt")
    for name, state in states.items():
        for field, target in _targets(state):
            if target not in states:
                report(TRANSITION, f"Missing '{field}' target: {target}", f"{location}/States/{name}/{field}")
    reached = _reachable(states, start) if isinstance(start, str) else set()
    for name in states:
        if reached and name not in reached:
            report(TRANSITION, f'State "{name}" is not reachable.', f"{location}/States/{name}")
    closed = all(any(True for _ in _targets(state)) for state in states.values()) and reached <= states.keys()
    if closed and not any(_ends(state) for state in states.values()):
        report(TERMINAL, "No state ends the machine: a Succeed, a Fail or an 'End' is required", location or "/")


def _targets(state: Json) -> Iterator[tuple[str, str]]:
    """The states that can follow, with the field that names each."""
    if not isinstance(state, Mapping):
        return
    for field in ("Next", "Default"):
        target = state.get(field)
        if isinstance(target, str):
            yield field, target
    for field in ("Choices", "Catch"):
        for at, rule in enumerate(items(state.get(field))):
            target = rule.get("Next") if isinstance(rule, Mapping) else None
            if isinstance(target, str):
                yield f"{field}[{at}]/Next", target


def _reachable(states: Mapping[str, Json], start: str) -> set[str]:
    found: set[str] = set()
    work = [start]
    while work:
        name = work.pop()
        if name in found:
            continue
        found.add(name)
        work.extend(target for _, target in _targets(states.get(name)))
    return found


def _ends(state: Json) -> bool:
    return isinstance(state, Mapping) and (state.get("End") is True or state.get("Type") in ("Succeed", "Fail"))


def assigned(state: Json) -> set[str]:
    """The variables that a state can assign, by its own Assign, its rules' or its catchers'."""
    names: set[str] = set()
    if isinstance(state, Mapping):
        for holder in (state, *items(state.get("Choices")), *items(state.get("Catch"))):
            members = holder.get("Assign") if isinstance(holder, Mapping) else None
            if isinstance(members, Mapping):
                names.update(members)
    return names


def assigned_before(states: Mapping[str, Json]) -> dict[str, frozenset[str]]:
    """For each state, the variables that some path to it may have assigned."""
    before: dict[str, set[str]] = {name: set() for name in states}
    work = list(states)
    waiting = set(work)
    while work:
        name = work.pop()
        waiting.discard(name)
        after = before[name] | assigned(states[name])
        for _, target in _targets(states[name]):
            if target in before and not after <= before[target]:
                before[target] |= after
                if target not in waiting:
                    waiting.add(target)
                    work.append(target)
    return {name: frozenset(names) for name, names in before.items()}


def check_outer_variables(state: Json, outer: frozenset[str], location: str, report: Report) -> None:
    """A branch or iteration must not assign a name that the scope around it had assigned on the way in."""
    for name in sorted(assigned(state) & outer):
        report(DUPLICATE_VARIABLE, f"The variable '{name}' is already assigned in an outer scope", location)
