"""How JSONata spells what expressions read, at a given place of the machine.

Most is read from variables. But an Assign or Output sees the variables as they were when its state was entered
(developer guide, "Passing data between states with variables"), so what the same state has just produced is read from
where it comes from: the task's result, the error, the value about to be assigned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from stepsmith.analysis.facts import Analysis, Facet
from stepsmith.asl.names import environment_key
from stepsmith.expressions import jsonata
from stepsmith.lowering.names import INPUT, LOOP, RUN, Chain, Names

LONGEST_INLINE: Final = 300
"""A value longer than this is not repeated in another expression; it gets a state to be assigned in."""


PARENTS: Final = "STEPSMITH_PARENTS"
"""The key of a child's input under which it learns which runs wait for it: their pause and their cancel are its own."""

UNREPEATABLE: Final = ""
"""In place of a code: there is a value, but it has no spelling at this place."""


class CannotFold(Exception):  # noqa: N818 - a signal within lowering, not an error
    """The expression reads something that has no spelling at this place."""


@dataclass(frozen=True, slots=True)
class Place:
    """What reads differently here than from variables. A text of None: nothing is there, or nothing that could be
    read; `UNREPEATABLE` tells the latter apart, where an output is passed on."""

    steps: Mapping[tuple[str, Facet], str | None] = field(default_factory=dict)
    variables: Mapping[str, str | None] = field(default_factory=dict)
    errors: Mapping[str, str | None] = field(default_factory=dict)
    loops: Mapping[tuple[str, bool], str] = field(default_factory=dict)
    """By loop and whether it is the index."""
    input: str | None = f"${INPUT}"
    must_be_total: bool = False
    """An expression that may fail must not stand here: its failure would be taken for the step's."""

    def setting(self, name: str, code: str | None) -> Place:
        """This place after the variable `name` was given the value of `code` in the same Assign."""
        usable = code if code is not None and len(code) <= LONGEST_INLINE else None
        return replace(self, variables={**self.variables, name: usable})

    def passing(self, steps: Iterable[str], code: str | None = None) -> Place:
        """This place after the same Assign has noted that these steps have not run: what a variable holds of them is
        from an earlier round. With a `code`, it has noted something else of them."""
        known: dict[tuple[str, Facet], str | None] = {(name, facet): code for name in steps for facet in Facet}
        return replace(self, steps={**self.steps, **known})

    def ending(self, step_id: str, output: str | None, status: str) -> Place:
        """This place after the step `step_id` has ended with the given output and status."""
        steps = {
            **self.steps,
            (step_id, Facet.OUTPUT): output,
            (step_id, Facet.STATUS): jsonata.quote(status),
            (step_id, Facet.ERROR): None,
        }
        return replace(self, steps=steps)


ENTRY: Final = Place()
"""A state's arguments and conditions: everything is in variables."""


@dataclass(slots=True)
class Captures:
    """What the iterations of a distributed loop read from outside: they see no variable of it, so that each gets the
    values in its input."""

    chain: Chain
    """The branches and loops around an iteration, this loop last."""
    variables: frozenset[str]
    """The workflow's variables that are set before the loop."""
    names: set[str] = field(default_factory=set)
    """The machine's variables that are read."""
    has_input: bool = True
    """Whether the workflow declares an input; without one, no variable holds it."""

    def is_outer_loop(self, loop_id: str) -> bool:
        return loop_id + LOOP in self.chain[:-1]


class PlaceCodes:
    """The codes of one place."""

    def __init__(
        self,
        analysis: Analysis,
        names: Names,
        place: Place,
        chain: Chain,
        workflow_name: str,
        captures: Captures | None = None,
    ) -> None:
        self._captures = captures
        self._analysis = analysis
        self._names = names
        self._place = place
        self._chain = chain
        self._workflow_name = workflow_name

    def input(self) -> str:
        if self._captures is None or self._captures.has_input:
            self._capture(INPUT)
        return _usable(self._place.input)

    def step(self, step_id: str, facet: Facet) -> str:
        if (step_id, facet) in self._place.steps:
            return _usable(self._place.steps[step_id, facet])
        variable = self._names.step(step_id, self._chain)
        if self._captures is not None and not self._names.stands_in(step_id, self._captures.chain):
            self._capture(variable)
        name = f"${variable}"
        return jsonata.path(name, facet.value) if step_id in self._analysis.records else name

    def variable(self, name: str) -> str:
        if name in self._place.variables:
            return _usable(self._place.variables[name])
        variable = self._names.variable(name)
        if self._captures is not None and name in self._captures.variables:
            self._capture(variable)
        return f"${variable}"

    def error(self, step_id: str) -> str:
        if step_id in self._place.errors:
            return _usable(self._place.errors[step_id])
        variable = self._names.error(step_id)
        if self._captures is not None and not self._names.stands_in(step_id, self._captures.chain):
            self._capture(variable)
        return f"${variable}"

    def loop(self, loop_id: str, *, index: bool) -> str:
        if (loop_id, index) in self._place.loops:
            return self._place.loops[loop_id, index]
        variable = self._names.loop(loop_id, index=index, wanted="index" if index else "item")
        if self._captures is not None and self._captures.is_outer_loop(loop_id):
            self._capture(variable)
        return f"${variable}"

    def _capture(self, variable: str) -> None:
        if self._captures is not None:
            self._captures.names.add(variable)

    def environment(self, name: str) -> str:
        return substitution(name)

    def run(self, member: str) -> str:
        if self._captures is not None and member != "workflow":
            self._capture(RUN)
            return f"${RUN}.{member}"
        match member:
            case "id":
                return "$states.context.Execution.Name"
            case "started_at":
                return "$states.context.Execution.StartTime"
            case "attempt":
                return "$states.context.Execution.RedriveCount + 1"
            case "parents":
                return f"$states.context.Execution.Input.{PARENTS}"
            case "task_token":
                return "$states.context.Task.Token"
            case _:
                return jsonata.quote(self._workflow_name)


def substitution(name: str) -> str:
    """A value that is set at deployment, as a text in JSONata: the deployment puts it between the quotes."""
    return f"'${{{environment_key(name)}}}'"


def _usable(code: str | None) -> str:
    if not code:
        raise CannotFold
    return code
