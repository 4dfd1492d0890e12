"""Which step each state of a machine came from: what is needed to read steps out of an execution's history.

It comes from the source map that the compiler writes beside a machine (`workflows/asl/NAME.map.json`), as a plain
mapping `{"states": {STATE: {...}}, "steps": {STEP: LINE}, "on_failure"?: "rollback"}`. Keys of a state, all but
`role` optional:

    role      `step`: the step's own work; `answer`: a Pass that stands in for it at a timeout; `block`: the step
              is a block; `condition`: a Choice that decides the step's `if`; `set`: a Pass that only sets
              variables; `raise`: fails again with an error that a handler had taken. Any other role belongs to
              no step.
    step      the step's id
    path      its path, with `[]` for each iteration it stands in: `scan_all[].scan`; the id by default
    line      the line of the step's `-`
    action    the name of the action that it calls
    folded    ids of steps without a state of their own that happen when this state ends normally
    ways      the same for each way out of a Choice: `[{"next": STATE, "steps": [ID...], "output"?: VALUE, "fails"?:
              [ID...], "errors"?: [ERROR...]}]`; the state's output tells two ways to one state apart. On another
              state: for its ways out by a Catch, of which the `errors` it takes do so. `fails`: the blocks of `blocks`
              that fail with the error which goes this way
    round_of  the path of a `repeat` block: entering this state begins its next round
    undoes    the path of the step that this one undoes, with `[]` for each iteration; which it is in a run, the
              state's input says: `{"undoes": PATH}`
    hands     the variable in which a step without a handler leaves what its undo reads
    reshapes  true: the step can be undone, and its output is not what its handler answered
    raises    the error that its step fails with in this state: that of a `fail`, a loop's own
    says      the message of that error, where it is the same in every run
    wraps     true: the state's output holds the step's under `output`, beside what else leaves a branch
    rejects_late  true: a timeout of the state is a rejection of the approval
    blocks    the paths of the blocks around it that no Map or Parallel stands for (`switch`, `try`, `repeat`),
              outermost first; where it is left out, the blocks that its path begins with

A block that has no state at all may have an entry under a name that no state has. `line` of a folded step is in
`steps`; an entry there may be `{"line", "path"}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from stepsmith_functions.history.values import Json, from_text, to_text

STEP: Final = "step"
ANSWER: Final = "answer"
BLOCK: Final = "block"
CONDITION: Final = "condition"
SET: Final = "set"
RAISE: Final = "raise"

_CARRIED: Final = "source_map"
"""The key of a definition's comment under which it has its source map."""
_LINE_OF_COMMENT: Final = re.compile(r"\S+\.(?:ya?ml|json):(\d+)\)?$")


@dataclass(frozen=True, slots=True)
class Way:
    """A way out of a state: the steps that happen on it."""

    next: str
    steps: tuple[str, ...]
    output: Json = None
    marked: bool = False
    """Whether `output` tells this way from another to the same state."""
    fails: tuple[str, ...] = ()
    """The blocks that fail on it."""
    errors: tuple[str, ...] = ()
    """What a Catch takes; empty for other ways."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a state came from; the fields are described at the head of this module."""

    role: str
    step: str | None = None
    path: str | None = None
    line: int | None = None
    action: str | None = None
    folded: tuple[str, ...] = ()
    ways: tuple[Way, ...] = ()
    round_of: str | None = None
    undoes: str | None = None
    raises: str | None = None
    says: str | None = None
    blocks: tuple[str, ...] | None = None
    wraps: bool = False
    hands: str | None = None
    reshapes: bool = False
    rejects_late: bool = False


@dataclass(frozen=True, slots=True)
class FoldedStep:
    """A step that has no state of its own."""

    line: int | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Origins:
    """The origins of a machine's states, by state name, and its steps without states, by id."""

    states: Mapping[str, Origin] = field(default_factory=dict)
    steps: Mapping[str, FoldedStep] = field(default_factory=dict)
    undoes_itself: bool = False
    """Whether a run that was stopped or ran out of time is to be undone."""

    def of(self, state: str) -> Origin | None:
        return self.states.get(state)


def read_origins(source_map: Mapping[str, Json]) -> Origins:
    """The origins in a source map. Entries and keys that are not as described are left out."""
    states, steps = source_map.get("states"), source_map.get("steps")
    return Origins(
        {name: _origin(entry) for name, entry in _mappings(states)},
        {name: _folded_step(entry) for name, entry in (steps.items() if isinstance(steps, Mapping) else ())},
        source_map.get("on_failure") == "rollback",
    )


def _origin(entry: Mapping[str, Json]) -> Origin:
    step, blocks = _text(entry, "step"), entry.get("blocks")
    return Origin(
        role=_text(entry, "role") or "",
        step=step,
        path=_text(entry, "path") or step,
        line=_number(entry, "line"),
        action=_text(entry, "action"),
        folded=_texts(entry.get("folded")),
        ways=tuple(_ways(entry.get("ways"))),
        round_of=_text(entry, "round_of"),
        undoes=_text(entry, "undoes"),
        raises=_text(entry, "raises"),
        says=_text(entry, "says"),
        blocks=_texts(blocks) if isinstance(blocks, Sequence) else None,
        wraps=entry.get("wraps") is True,
        hands=_text(entry, "hands"),
        reshapes=entry.get("reshapes") is True,
        rejects_late=entry.get("rejects_late") is True,
    )


def _ways(value: Json) -> Iterator[Way]:
    for way in value if isinstance(value, Sequence) and not isinstance(value, str) else ():
        if isinstance(way, Mapping) and isinstance(following := way.get("next"), str):
            yield Way(
                following,
                _texts(way.get("steps")),
                way.get("output"),
                "output" in way,
                _texts(way.get("fails")),
                _texts(way.get("errors")),
            )


def _folded_step(entry: Json) -> FoldedStep:
    if isinstance(entry, Mapping):
        return FoldedStep(_number(entry, "line"), _text(entry, "path"))
    return FoldedStep(entry if isinstance(entry, int) else None)


# -- without a source map -------------------------------------------------------------------------


def origins_of_definition(definition: Mapping[str, Json]) -> Origins:
    """The origins as far as a definition that we compiled tells them by itself.

    State names are step ids, `STEP.if` and `STEP.fail` are a step's condition and its error raised again, a Task's
    payload names its step, and comments end in the file and line. Steps that were folded into others are unknown.
    A definition that was made for one run alone has its source map with it (`with_source_map`).
    """
    if (source_map := _carried(_text(definition, "Comment"))) is not None:
        return read_origins(source_map)
    return Origins(dict(_states_of(definition, "")))


def with_source_map(definition: Mapping[str, Json], source_map: Mapping[str, Json]) -> dict[str, Json]:
    """The definition with its source map in place of its comment."""
    return {**definition, "Comment": to_text({_CARRIED: source_map})}


def _carried(comment: str | None) -> Mapping[str, Json] | None:
    if comment is None or not comment.startswith(f'{{"{_CARRIED}":'):
        return None
    try:
        told = from_text(comment)
    except ValueError:
        return None
    source_map = told.get(_CARRIED) if isinstance(told, Mapping) else None
    return source_map if isinstance(source_map, Mapping) else None


def _states_of(machine: Mapping[str, Json], prefix: str) -> Iterator[tuple[str, Origin]]:
    for name, state in _mappings(machine.get("states", machine.get("States"))):
        origin = _origin_of_state(name, state, prefix)
        yield name, origin
        for key in ("ItemProcessor", "Iterator"):
            if isinstance(inner := state.get(key), Mapping):
                yield from _states_of(inner, f"{prefix}{name}[].")
        branches = state.get("Branches")
        for index, branch in enumerate(branches if isinstance(branches, Sequence) else ()):
            if isinstance(branch, Mapping):
                # A Parallel that a list with `needs` became is no step, and in no path.
                yield from _states_of(branch, prefix if ".graph" in name else f"{prefix}{name}.{index}.")


def _origin_of_state(name: str, state: Mapping[str, Json], prefix: str) -> Origin:
    found = _LINE_OF_COMMENT.search(_text(state, "Comment") or "")
    line = int(found.group(1)) if found else None
    step, _, part = name.partition(".")
    match _text(state, "Type"), part:
        case "Choice", "if":
            return Origin(CONDITION, step, prefix + step, line)
        case "Fail", "fail":
            return Origin(RAISE, step, prefix + step, line)
        case "Task", "":
            told = _step_of_payload(state)
            step_id = _text(told, "id") or step
            own_line = _number(told, "line")
            return Origin(STEP, step_id, prefix + step_id, own_line or line, _text(told, "action"))
        case "Wait" | "Fail" | "Succeed", "":
            return Origin(STEP, step, prefix + step, line)
        case "Map" | "Parallel" | "Choice", "":
            return Origin(BLOCK, step, prefix + step, line)
        case "Pass", "":
            return Origin(SET, step, prefix + step, line)
        case _:
            return Origin("")


def _step_of_payload(state: Mapping[str, Json]) -> Mapping[str, Json]:
    value: Json = state
    for key in ("Arguments", "Payload", "step"):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


# -- reading --------------------------------------------------------------------------------------


def _mappings(value: Json) -> Iterator[tuple[str, Mapping[str, Json]]]:
    if isinstance(value, Mapping):
        for name, entry in value.items():
            if isinstance(entry, Mapping):
                yield name, entry


def _text(entry: Mapping[str, Json], key: str) -> str | None:
    value = entry.get(key)
    return value if isinstance(value, str) and not value.startswith("{%") else None


def _number(entry: Mapping[str, Json], key: str) -> int | None:
    value = entry.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _texts(value: Json) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        return ()
    return tuple(item for item in value if isinstance(item, str))
