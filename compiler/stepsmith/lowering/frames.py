"""Maps of states under construction, and what stands around the steps in them: handlers, `finally` blocks, numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stepsmith.asl.states import State
from stepsmith.document import Json
from stepsmith.lowering.codes import Captures
from stepsmith.lowering.edges import Edge
from stepsmith.lowering.names import Chain
from stepsmith.model.steps import Block, ForEachStep, Step


@dataclass(frozen=True, slots=True)
class Guard:
    """A handler of the block around: failures of these errors (None: of all) go along `edge`."""

    errors: tuple[str, ...] | None
    edge: Edge
    variable: str | None
    """Where the error is kept for the handler; None when it reads nothing of it."""
    owner: Step | None
    """The `try` whose handler it is; None for the workflow's `finally`."""
    block: Block
    """What it guards."""
    marks: Mapping[str, Json] = field(default_factory=dict)
    """What is kept beside the error."""
    is_default: bool = False
    """It is the workflow's own `on_failure`, which a step's own beats."""
    leaving: bool = False
    """Whether a cancelled run passes it on its way out: a `finally`, a rollback. Other handlers never see a cancel."""
    handlers: Block = ()
    """The steps of the handlers that a `finally` stands behind, too."""


@dataclass(frozen=True, slots=True)
class Finally:
    """A `finally` block around: what wants to leave the run goes through it."""

    edge: Edge
    outcome: str
    """The variable that says what follows it."""
    owner: Step | None
    """The `try` that it belongs to; None for the workflow's, which stands behind a rollback."""
    block: Block
    """What it stands behind."""
    handlers: Block = ()
    """The steps of the handlers that it stands behind, too."""


@dataclass(frozen=True, slots=True)
class Number:
    """The index of an iteration or the number of a round, as JSONata."""

    loop: str
    code: str


@dataclass(slots=True)
class Frame:
    """One map of states under construction: the machine's, a branch's or an iteration's."""

    states: dict[str, State] = field(default_factory=dict)
    made: dict[tuple[str, ...], str] = field(default_factory=dict)
    guards: tuple[Guard, ...] = ()
    """Innermost first."""
    finallies: tuple[Finally, ...] = ()
    chain: Chain = ()
    path: tuple[str | Number, ...] = ()
    """The path of the steps here: texts, and numbers known only in a run."""
    captures: Captures | None = None
    """Inside a distributed loop: what must be handed in."""
    is_outermost: bool = False
    """The machine itself: no branch, no iteration."""
    first: tuple[str, ForEachStep] | None = None
    """The first state of an iteration, which finds the item in its input."""
