"""Chooses the machine's variables: one for the input, and one for each thing that is read in a later state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from stepsmith.analysis.facts import Analysis
from stepsmith.asl.names import RESERVED_VARIABLES
from stepsmith.expressions.jsonata import RESERVED_PREFIX
from stepsmith.model.steps import Block, ForEachStep, ParallelStep, handlers_of, inner_blocks
from stepsmith.model.workflow import Workflow

INPUT = "input"
RUN = "run"
"""What the iterations of a distributed loop are told of the run; their own execution is another one."""

LOOP = "[]"

Chain = tuple[str, ...]
"""The branches and loops (which end in `[]`) around a step, outermost first."""


class Names:
    """Variable names without the `$`: plain where they can be, with a number after them in case of a clash.

    A branch may not assign a name that its surroundings have assigned, so a step inside a `parallel` has one name
    within its branch and another after it, where its output has come out.
    """

    def __init__(self, workflow: Workflow, analysis: Analysis) -> None:
        self._taken: set[str] = {INPUT, RUN}
        self._chosen: dict[tuple[str, ...], str] = {}
        self._numbers: dict[str, int] = {}
        """By wanted name: the last number put after it."""
        self.homes: Mapping[str, Chain] = dict(_homes((*workflow.steps, *workflow.finally_steps), ()))
        for name in sorted(analysis.variables_read):
            self.variable(name)
        for name in analysis.order:
            if name in analysis.read:
                self._choose(("step", name, *self.homes.get(name, ())), name)

    def variable(self, name: str) -> str:
        return self._choose(("variable", name), name)

    def step(self, name: str, chain: Chain) -> str:
        """The variable of a step for a reader in the branches `chain`."""
        home = self.homes.get(name, ())
        shared = 0
        while shared < min(len(home), len(chain)) and home[shared] == chain[shared]:
            shared += 1
        return self._choose(("step", name, *home[:shared]), name)

    def is_seen_from(self, name: str, chain: Chain) -> bool:
        """Whether the step can be read in `chain`: it stands there or deeper, but in no loop of its own."""
        home = self.homes.get(name, ())
        return home[: len(chain)] == chain and not any(part.endswith(LOOP) for part in home[len(chain) :])

    def stands_in(self, name: str, chain: Chain) -> bool:
        """Whether the step stands inside all the branches and loops of `chain`."""
        return self.homes.get(name, ())[: len(chain)] == chain

    def error(self, step: str) -> str:
        """Where the handlers of `step` find the error."""
        return self._choose(("error", step), f"{step}_error")

    def outcome(self, step: str) -> str:
        """What a `finally` block must end with: nothing, an error or a stop."""
        return self._choose(("outcome", step), f"{step}_outcome")

    def undo(self, step: str) -> str:
        """What a step without a handler leaves for its undo."""
        return self._choose(("undo", step), f"{step}_undo")

    def rollback(self, part: str) -> str:
        """What the rollback of the run keeps: its list of `undo`, `at` which of it it stands, and so on."""
        return self._choose(("rollback", part), part if part == "undo" else f"undo_{part}")

    def round(self, step: str) -> str:
        """The number of rounds of a `repeat`."""
        return self._choose(("round", step), f"{step}_round")

    def loop(self, step: str, *, index: bool, wanted: str) -> str:
        """The item or the index of a loop."""
        return self._choose(("index" if index else "item", step), wanted)

    def _choose(self, key: tuple[str, ...], wanted: str) -> str:
        if key not in self._chosen:
            base = wanted.replace("-", "_").replace(".", "_")
            if base in RESERVED_VARIABLES or base.startswith(RESERVED_PREFIX):
                base = f"my_{base}"
            name, number = base, self._numbers.get(base, 1)
            while name in self._taken:
                number += 1
                name = f"{base}_{number}"
            self._numbers[base] = number
            self._taken.add(name)
            self._chosen[key] = name
        return self._chosen[key]


def _homes(block: Block, chain: Chain) -> Iterator[tuple[str, Chain]]:
    for step in block:
        yield step.id, chain
        if isinstance(step, ParallelStep):
            for branch in step.branches:
                yield from _homes(branch.steps, (*chain, f"{step.id}.{branch.name}"))
        elif isinstance(step, ForEachStep):
            yield from _homes(step.steps, (*chain, step.id + LOOP))
        else:
            for inner in inner_blocks(step):
                yield from _homes(inner, chain)
        for handler in handlers_of(step):
            yield from _homes(handler.steps, chain)
