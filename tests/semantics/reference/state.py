"""What is known while a run goes on, and how steps and runs end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from stepsmith.catalog import ActionCatalog
from stepsmith.model.steps import Step
from stepsmith.model.workflow import Workflow
from tests.semantics.attempts import Answer
from tests.semantics.orders import Orders
from tests.semantics.programs.naming import child_run
from tests.semantics.schedule import Ambiguous, Scheduler

SECOND = 1_000_000
CANCELLED = "RunCancelled"


class Raised(Exception):  # noqa: N818 - the language's word
    """A step failed."""

    def __init__(self, type_: str, message: str, step: str) -> None:
        super().__init__(type_, message, step)
        self.type, self.message, self.step = type_, message, step
        self.late = False
        """It is the workflow's timeout."""
        self.refused = False
        """The step was not begun, since no time was left: retries do not see that."""
        self.final = False
        """Whether a step of the main sequence says `on_failure: fail`: no rollback follows."""
        self.cancels = False
        """The run is cancelled: it goes out past all handlers, through each `finally`."""
        self.shown: str | None = None
        """What retries see of it, where that is less than its type."""

    def fields(self, step: str | None = None) -> dict[str, Any]:
        return {"type": self.type, "message": self.message, "step": step or self.step}


class RollsBack(Exception):  # noqa: N818 - not an error
    """A failure is on its way to the rollback of the run."""

    def __init__(self, raised: Raised) -> None:
        super().__init__(raised)
        self.raised = raised


class Stopped(Exception):  # noqa: N818 - not an error
    """A `stop` ended the run."""

    def __init__(self, output: Any) -> None:
        super().__init__(output)
        self.output = output


@dataclass(frozen=True)
class Call:
    """One attempt of an action, or the start of another workflow: when, which, with what."""

    at: int
    path: str
    """Of a run that was started there is only its id."""
    attempt: int
    params: Any
    run: str = ""
    """The id of the run that the step belongs to; empty for the one that was asked for."""
    refused: str | None = None
    """The error with which it was refused before the action began, since the run is not to go on."""


@dataclass
class Outcome:
    status: str
    output: Any = None
    error: str | None = None
    message: str | None = None
    step: str | None = None
    """The step that failed the run."""
    elapsed: int = 0
    """Microseconds."""
    calls: list[Call] = field(default_factory=list)
    cancelled: bool = False
    """It was ended by an order to the run or to one that waits for it."""
    runs: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    """The runs that were started, each with those that wait for it, the nearest first."""


@dataclass
class Scope:
    """What expressions may read at a place, and the path that steps there have."""

    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    names: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    path: str = ""
    timed: bool = False
    """The steps here must be done at the deadline."""
    sheltered: bool = False
    """The steps here run even if the run is cancelled or paused."""

    def private(self, path: str, names: Mapping[str, Any] | None = None) -> Scope:
        """The scope of a branch or an iteration, which begins with all that is known outside."""
        known = dict(self.steps), dict(self.variables), {**self.names, **(names or {})}
        return Scope(*known, self.error, path, self.timed, self.sheltered)

    def for_undo(self) -> Scope:
        """A copy that later steps do not change, in which the step is undone."""
        return Scope(dict(self.steps), dict(self.variables), self.names, self.error, self.path, sheltered=True)

    def below(self, step: Step, part: str) -> str:
        """The path of the steps inside a branch, iteration or round of `step`."""
        return f"{self.path}.{step.id}{part}" if self.path else f"{step.id}{part}"


MISSING = object()
"""In place of an output: there is none."""
KEPT = object()
"""In place of an output: the step has noted itself how it ended."""


class Script(Protocol):
    """How the attempts of actions end."""

    def __call__(self, step: str, path: str, attempt: int, run: str, workflow: str, /) -> Answer: ...


Plain = Callable[[str, str, int], Answer]
"""The same for a single run: by the step's id, its path and the number of the attempt, from 0."""
Refusal = Callable[[str, str, int], int]
"""The microseconds that a refusal takes, by the run's id, the step's path and the number of the attempt."""


@dataclass
class World:
    """What a run shares with those that it starts."""

    catalog: ActionCatalog
    script: Script
    workflows: Mapping[str, Workflow]
    orders: Orders
    refusal: Refusal
    scheduler: Scheduler
    calls: list[Call] = field(default_factory=list)
    started: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The runs that wait for each."""

    def new_run(self, parent: str, step: str, given: Mapping[str, Any]) -> str:
        """The id of the run that a step starts now."""
        name = child_run(parent, step, self.scheduler.now, given)
        if name in self.started:
            raise Ambiguous  # nothing tells the two apart
        return name
