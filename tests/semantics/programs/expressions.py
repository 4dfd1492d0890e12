"""What generated steps read, and where they stand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.semantics.programs.choosing import Chooser
from tests.semantics.programs.settling import Hole

ALWAYS = {
    "first": "{{ input.flag }}",
    "text": "{{ input.name }}",
    "number": "{{ input.n }}",
    "list": "{{ input.items }}",
}


@dataclass
class Place:
    depth: int
    loops: tuple[tuple[str, str], ...] = ()
    """Names of items and indexes."""
    private: bool = False
    """Inside a branch or iteration, which may not stop the run."""
    branch: str = ""
    """Makes the names of variables of a branch or iteration its own."""
    last_resort: bool = False
    """Inside a `finally`."""
    graph: bool = False
    """Inside a step of a graph, which may set no variable."""


@dataclass
class Expressions:
    """Writes expressions over the steps and variables that there are so far, whether or not they may be read there."""

    pick: Chooser
    deepest: int = 3
    ids: list[str] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)

    def condition(self, place: Place) -> Hole:
        step, variable = self.some_step(), self.some_variable()
        options = [
            "input.flag",
            "not input.flag",
            "input.n > 1",
            "input.opt is defined",
            "input.opt is defined and input.opt > 1",
            "input.items",
            f"{step}.output is defined",
            f"{step}.output.size is defined and {step}.output.size > 1",
            f"{step}.output.size | default(0) > 1",
            f"{step}.status == 'succeeded'",
            f"{step}.status | default('') == 'failed'",
            f"{step}.status is defined",
            f"{step}.error is defined",
            f"{variable} is defined",
            f"{variable} | default(0) == 2",
            f"{variable}",
            *([f"{place.loops[-1][0]} == 'a'", f"{place.loops[-1][1]} == 1"] if place.loops else []),
            "error.type == 'Mine'",
        ]
        return Hole(f"{{{{ {self.pick.choice(options)} }}}}", ALWAYS["first"])

    def read(self, place: Place) -> str:
        step, variable = self.some_step(), self.some_variable()
        options = [
            "input.name",
            "input.n",
            "input.opt | default(9)",
            "input.opt",
            "run.id",
            f"{step}.output",
            f"{step}.output | default('none')",
            f"{step}.output.size",
            f"{step}.output.size | default(7)",
            f"{step}.output.note | default('n')",
            f"{step}.output.items | default([]) | length",
            f"{step}.output.version + 1",
            f"{step}.output.o0 | default(5)",
            f"{step}.output.run_id | default('none')",
            f"({step}.output | default({{}})) == none",
            f"{step}.status",
            f"{step}.status | default('no status')",
            f"{step}.error.type",
            f"{step}.error.type | default('no error')",
            f"{step}.error | default('no error')",
            f"{step}.error.step | default('no error')",
            f"{step}.output is defined",
            f"{variable}",
            f"{variable} | default('unset')",
            f"[{variable} | default(1), {step}.output | default(2)]",
            "error.type",
            "error.message",
            "error.step",
            "error.type ~ ' in ' ~ error.step",
            *(f"{name}" for pair in place.loops for name in pair),
        ]
        return self.pick.choice(options)

    def value(self, place: Place) -> Any:
        roll = self.pick.number(0, 9)
        if roll == 0:
            return self.pick.choice([1, None, "text", True, [], {}, "{% 1 %}", [1, [2]]])
        if roll == 1:
            return {"x": self.value(place), "y": [self.value(place)]}
        if roll == 2:
            return self.text(place)
        return Hole(f"{{{{ {self.read(place)} }}}}", ALWAYS["number"])

    def text(self, place: Place) -> Hole:
        return Hole(f"<{{{{ {self.read(place)} }}}}>", ALWAYS["text"])

    def number(self, place: Place) -> Hole:
        return Hole(f"{{{{ {self.read(place)} }}}}", ALWAYS["number"])

    def items(self, place: Place) -> Any:
        options = [
            "input.items",
            "input.items",
            f"{self.some_step()}.output.items | default([])",
            f"{self.some_step()}.output.items",
            f"{self.some_variable()}",
            "input.nested",
            *(pair[0] for pair in place.loops),
        ]
        return Hole(f"{{{{ {self.pick.choice(options)} }}}}", ALWAYS["list"])

    def some_step(self) -> str:
        if not self.ids or self.pick.chance(4):
            return "steps.a9"
        name = self.pick.choice(self.ids[-8:])
        return f"steps['{name}']" if "-" in name else f"steps.{name}"

    def some_variable(self) -> str:
        return f"vars.{self.pick.choice(self.variables[-4:])}" if self.variables else "vars.v0"
