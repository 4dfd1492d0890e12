"""The last look at a machine: what AWS would refuse is reported, were it by a bug of ours."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stepsmith.asl.states import State, StateMachine, TaskState
from stepsmith.diagnostics import Diagnostics
from stepsmith.emission import definition_text
from stepsmith.pipeline import compile_bytes
from stepsmith.verify import verify_machine
from tests.support.machines import CATALOG, compiled

TEXT = """
name: two
steps:
  - {id: a, action: ping}
  - {id: b, action: store, params: {key: "{{ steps.a.output.ok }}"}}
"""


def machine() -> StateMachine:
    made = compiled(TEXT.replace('"{{ steps.a.output.ok }}"', '"{{ steps.a.output.ok | string }}"')).machine
    assert made is not None
    return made


def problems(changed: StateMachine) -> list[str]:
    diagnostics = Diagnostics()
    verify_machine(changed, definition_text(changed), diagnostics)
    assert {item.slug for item in diagnostics} <= {"refused-by-aws"}
    return [item.message for item in diagnostics]


def changed(**fields: object) -> StateMachine:
    """The machine with the first state changed."""
    made = machine()
    first = made.states[0]
    assert isinstance(first, TaskState)
    other: State = replace(first, **fields)  # type: ignore[arg-type]
    return replace(made, states=(other, *made.states[1:]), start_at=other.name)


def test_a_compiled_machine_has_no_problem() -> None:
    assert problems(machine()) == []


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (changed(next="nowhere"), "a leads to nowhere, which does not exist there"),
        (changed(next=None), "no state leads to b"),
        (changed(assign={"_x": 1}), "a assigns the variable _x, a name that is not allowed"),
        (changed(assign={"count": 1}), "a assigns the variable count, a name that is not allowed"),
        (changed(assign={"x" * 81: 1}), f"a assigns the variable {'x' * 81}, a name that is not allowed"),
        (changed(name="b"), "the state name b occurs 2 times"),
        (changed(name="c" * 81), f"the state name {'c' * 81} is longer than 80 characters"),
        (replace(machine(), states=(replace(machine().states[0], next="a"),)), "no state ends the machine"),  # type: ignore[call-arg]
    ],
)
def test_a_machine_that_aws_would_refuse(made: StateMachine, message: str) -> None:
    assert message in problems(made)


def test_a_definition_over_one_mebibyte() -> None:
    many = "\n".join(f"  - {{id: s{number}, action: store, params: {{key: {'k' * 5000}}}}}" for number in range(230))
    compilation = compile_bytes("large.yaml", f"name: large\nsteps:\n{many}\n".encode(), CATALOG)
    assert [item.slug for item in compilation.diagnostics] == ["definition-too-large"]
    assert compilation.asl is None
    half = "\n".join(many.splitlines()[:100])
    assert compile_bytes("half.yaml", f"name: half\nsteps:\n{half}\n".encode(), CATALOG).asl is not None
