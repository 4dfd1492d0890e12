"""Edges: where control goes after a state, and what must happen on the way.

A block is lowered from its end to its start, so that each state is made whole, knowing what follows it. A `set` step or
an output makes no state by itself: it waits on the edge until the state before takes it into its own Assign or
Output, and becomes a state only where no neighbour can.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from stepsmith.analysis.facts import Point
from stepsmith.document import Json
from stepsmith.model.steps import SetStep, Step
from stepsmith.model.values import Value
from stepsmith.source import Span


@dataclass(frozen=True, slots=True)
class PendingSet:
    """A `set` step on its way into a neighbour."""

    step: SetStep
    point: Point


@dataclass(frozen=True, slots=True)
class PendingBlock:
    """The output of a block that has ended, to be kept since it is read later: that of the `last` step that ran in it
    (None: none did)."""

    step: Step
    last: Step | None


@dataclass(frozen=True, slots=True)
class PendingAssign:
    """A variable of our own, given a value that cannot fail."""

    step: Step | None
    variable: str
    value: Json


Pending: TypeAlias = PendingSet | PendingBlock | PendingAssign


@dataclass(frozen=True, slots=True)
class End:
    """The end of the machine, of a branch or of an iteration, and what it puts out."""

    name: str
    """The state that puts the output out, where none can take it in."""
    span: Span
    value: Value | None = None
    """The output as written (the workflow's own)."""
    point: Point | None = None
    last: Step | None = None
    """The step whose output is put out; None, without a value too: null."""
    keep: tuple[Step, ...] = ()
    """Steps of a branch that are read after it: they come out beside the output."""
    wrap: bool = False
    """The output goes into `{"output": …}`, to be told from a failure."""


@dataclass(frozen=True, slots=True)
class Edge:
    """Control goes to the state `target` or to the end, after what is `pending`, in order."""

    target: str | End
    pending: tuple[Pending, ...] = ()


@dataclass(frozen=True, slots=True)
class Folded:
    """An edge as a state's own fields: its Assign, the next state (None: the end) and the Output at the end."""

    next: str | None
    assign: Mapping[str, Json] = field(default_factory=dict)
    output: Json = None
    steps: tuple[str, ...] = ()
    """The ids of the `set` steps that were folded in."""
