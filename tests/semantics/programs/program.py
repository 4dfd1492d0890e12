"""A random program: a workflow that compiles, those that it starts, its input, what its actions answer, and what people
order while it is under way."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from stepsmith.model.workflow import Workflow
from stepsmith.pipeline import Compilation
from tests.semantics.attempts import Answer
from tests.semantics.orders import Order, Orders
from tests.semantics.programs.choosing import Chooser, Drawn
from tests.semantics.programs.generating import Generator
from tests.semantics.programs.naming import ROOT
from tests.semantics.programs.settling import IllMade, settle, signatures

MILLISECOND = 1000
ODD = 7
"""Microseconds by which nothing that was written as whole seconds ends."""


@dataclass(frozen=True)
class Child:
    """Another workflow that a program starts."""

    text: str
    answers: dict[str, list[dict[str, Any]]]
    compilation: Compilation


@dataclass
class Program:
    """A workflow as text, its input, and what its actions answer."""

    text: str
    given: dict[str, Any]
    answers: dict[str, list[dict[str, Any]]]
    compilation: Compilation
    children: Mapping[str, Child] = field(default_factory=dict)
    """By name; each may start those before it."""
    orders: Orders = ()

    def script(self, step: str, path: str, attempt: int, run: str = "", workflow: str = "", visit: int = 0) -> Answer:
        """The answer to an attempt; each takes a time of its own, so that no two things happen at one moment."""
        kinds = (self.children[workflow].answers if workflow in self.children else self.answers)[step]
        at = attempt + visit + sum(int(part) for part in _numbers(path))
        chosen = kinds[at % len(kinds)]
        if chosen.get("late"):
            return Answer(10**15)
        within, again = f"{run}:" if workflow in self.children else "", f"#{visit}" if visit else ""
        after = (zlib.crc32(f"{within}{path}#{attempt}{again}".encode()) % 5987 + 1) * MILLISECOND + ODD
        after += chosen.get("slow", 0) * 1000 * MILLISECOND
        return Answer(after, chosen.get("result"), chosen.get("error"), chosen.get("message", ""))

    def performance(self) -> Callable[..., Answer]:
        """`script` for one run of the program, in which a step that a block's retry visits again may end otherwise."""
        visits: Counter[tuple[str, str, int]] = Counter()

        def answer(step: str, path: str, attempt: int, run: str = "", workflow: str = "") -> Answer:
            visit = visits[run, path, attempt]
            visits[run, path, attempt] += 1
            return self.script(step, path, attempt, run, workflow, visit)

        return answer

    def refusal(self, run: str, path: str, attempt: int) -> int:
        """The microseconds after which a step of a run that is not to go on says so: less than any limit of time."""
        return (zlib.crc32(f"{run}:{path}#{attempt}".encode()) % 887 + 1) * MILLISECOND + ODD

    @property
    def workflows(self) -> dict[str, Workflow]:
        """The workflows that it starts."""
        return {name: each.compilation.workflow for name, each in self.children.items() if each.compilation.workflow}

    def describe(self) -> str:
        """All of it for people."""
        parts = [f"{each.text}answers: {_used(each)}\n---\n" for each in self.children.values()]
        ordered = f"orders: {self.orders}\n" if self.orders else ""
        return "".join(parts) + f"{self.text}\ninput: {self.given}\nanswers: {_used(self)}\n{ordered}"


def _used(each: Program | Child) -> dict[str, list[dict[str, Any]]]:
    """The answers of steps that there are."""
    workflow = each.compilation.workflow
    ids = {step.id for step in workflow.every_step()} if workflow is not None else set()
    return {name: answers for name, answers in each.answers.items() if name in ids}


def _numbers(path: str) -> list[str]:
    return [part.split("]")[0] for part in path.split("[")[1:]]


def program(pick: Chooser, deepest: int = 3, *, rolls_back: bool = False, with_children: bool = False) -> Program:
    """A random workflow that compiles, with an input and answers. Raises Refused and IllMade."""
    children: dict[str, Child] = {}
    if with_children:
        for number in range(pick.choice([1, 1, 2])):
            # Now and then the second starts the first.
            below = children if pick.chance(40) else {}
            name = f"child-{number}"
            made = Generator(pick, min(deepest, 2), children=signatures(below), size=16, called_as=name)
            made.rolls_back = rolls_back and pick.chance(50)
            tree = made.workflow()
            text, compilation = settle(tree, signatures(below))
            children[name] = Child(text, made.answers, compilation)
    generator = Generator(pick, deepest, rolls_back=rolls_back, children=signatures(children))
    tree = generator.workflow()
    text, compilation = settle(tree, signatures(children))
    return Program(text, generator.given(), generator.answers, compilation, children)


def ordered(pick: Chooser, runs: list[tuple[str, tuple[str, ...]]], moments: list[int]) -> Orders:
    """Orders to runs of a program, about the moments at which something happens in it: mostly one cancel."""
    # What a `finally` or an undo waits for is left alone: nobody says what its cancel is to the step. So is what nobody
    # waits for: an order to it is one to a program of its own.
    asked = [ROOT] * 4 + [run for run, parents in runs if parents[-1:] == (ROOT,)]
    last = max(moments, default=0)

    def moment() -> int:
        if pick.chance(50):
            return pick.number(0, last // MILLISECOND + 1) * MILLISECOND + 3
        return pick.choice(moments or [0]) + pick.choice([-1, 1]) * pick.number(3, 4000)

    orders = []
    if pick.chance(30):
        since = moment()
        until = since + pick.number(1, 700) * 1000 * MILLISECOND + 3
        orders.append(Order("pause", pick.choice(asked), since, until))
    if pick.chance(80) or not orders:
        orders.append(Order("cancel", pick.choice(asked), moment()))
    return tuple(orders)


@st.composite
def programs(draw: DrawFn, deepest: int = 3) -> Program | None:
    """`program` as a strategy; None for one that is ill made."""
    try:
        return program(Drawn(draw), deepest)
    except IllMade:
        return None
