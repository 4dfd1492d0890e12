"""Judges a machine by AWS's creation checks that can be seen in its states.

What the rules are is documented in the developer guide ("State machine structure", "Service quotas") and in the
Amazon States Language; the ban on leading underscores in variables was measured.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator

from stepsmith.asl.names import LONGEST_STATE, LONGEST_VARIABLE, RESERVED_VARIABLES
from stepsmith.asl.states import (
    ChoiceState,
    MapState,
    ParallelState,
    State,
    StateMachine,
    TaskState,
    Unset,
    every_state,
    inner_machines,
    ways_out,
)
from stepsmith.diagnostics import Diagnostics

LARGEST_DEFINITION = 1024 * 1024
"""Bytes of a definition (Service quotas)."""
LARGEST_PAYLOAD = 256 * 1024
"""Bytes of what a state takes, sends or puts out (Service quotas)."""
_VARIABLE = re.compile(r"[^\W\d_]\w*")


def verify_machine(machine: StateMachine, text: str, diagnostics: Diagnostics) -> None:
    """Reports what AWS would refuse. `text` is the definition as it will be sent."""
    size = len(text.encode())
    if size > LARGEST_DEFINITION:
        diagnostics.error(
            "definition-too-large",
            f"the compiled definition has {size:,} bytes, Step Functions takes {LARGEST_DEFINITION:,}",
            machine.states[0].origin.span,
            "move a part of the steps into a workflow of its own",
        )
    for state in every_state(machine.states):
        _verify_size(state, diagnostics)
    for name, count in Counter(state.name for state in every_state(machine.states)).items():
        if count > 1:
            twice = next(state for state in every_state(machine.states) if state.name == name)
            _bug(diagnostics, twice, f"the state name {name} occurs {count} times")
    _verify_states(machine.start_at, machine.states, diagnostics)


def _verify_size(state: State, diagnostics: Diagnostics) -> None:
    """What a state sends, with the expressions as they are written: constants alone can be too much."""
    sent = state.arguments if isinstance(state, TaskState) else state.output
    size = 0 if isinstance(sent, Unset) else len(json.dumps(sent, ensure_ascii=False).encode())
    if size > LARGEST_PAYLOAD:
        diagnostics.error(
            "payload-too-large",
            f"this step sends {size:,} bytes, Step Functions passes {LARGEST_PAYLOAD:,} at most",
            state.origin.span,
            "put the data into S3 and pass its s3:// URI",
        )


def _verify_states(start: str, states: tuple[State, ...], diagnostics: Diagnostics) -> None:
    """The rules of one map of states: the machine's own, a branch's or an iteration's."""
    by_name = {state.name: state for state in states}
    for state in states:
        if len(state.name) > LONGEST_STATE:
            _bug(diagnostics, state, f"the state name {state.name} is longer than {LONGEST_STATE} characters")
        for target in ways_out(state):
            if target not in by_name:
                _bug(diagnostics, state, f"{state.name} leads to {target}, which does not exist there")
        for name in _assigned(state):
            if not _VARIABLE.fullmatch(name) or len(name) > LONGEST_VARIABLE or name in RESERVED_VARIABLES:
                _bug(diagnostics, state, f"{state.name} assigns the variable {name}, a name that is not allowed")
        for inner in inner_machines(state):
            _verify_states(inner.start_at, inner.states, diagnostics)
    reached = _reached(by_name, start)
    for state in states:
        if state.name not in reached:
            _bug(diagnostics, state, f"no state leads to {state.name}")
    if not any(not ways_out(state) or getattr(state, "next", "") is None for state in states):
        _bug(diagnostics, states[0], "no state ends the machine")


def _bug(diagnostics: Diagnostics, state: State, message: str) -> None:
    diagnostics.error(
        "refused-by-aws", message, state.origin.span, "this is a bug in Stepsmith: please report the workflow"
    )


def _assigned(state: State) -> Iterator[str]:
    yield from state.assign
    if isinstance(state, ChoiceState):
        for rule in state.rules:
            yield from rule.assign
    if isinstance(state, TaskState | ParallelState | MapState):
        for catcher in state.catch:
            yield from catcher.assign


def _reached(states: dict[str, State], start: str) -> set[str]:
    waiting, reached = [start], set[str]()
    while waiting:
        name = waiting.pop()
        if name in states and name not in reached:
            reached.add(name)
            waiting += ways_out(states[name])
    return reached
