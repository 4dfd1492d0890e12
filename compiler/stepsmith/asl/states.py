"""The states of a machine, as the Amazon States Language names them.

Fields hold what the definition will hold: plain JSON in which a text that starts `{%` and ends `%}` is an expression.
A state keeps the span of the step it came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from stepsmith.document import Json
from stepsmith.source import Span


class Unset:
    """Marks a field that the definition leaves out, where null would mean something."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset()
MaybeJson: TypeAlias = Json | Unset
NO_ASSIGN: Final[Mapping[str, Json]] = {}


class Role(StrEnum):
    """What a state is to the step it came from; the history is rebuilt by it."""

    STEP = "step"
    """The step's own work."""
    BLOCK = "block"
    """The step is a block; its inner steps have states of their own."""
    CONDITION = "condition"
    """Decides the step's `if`."""
    SET = "set"
    """Sets variables that found no neighbour to be folded into."""
    INPUT = "input"
    """Refuses an input that breaks the declared schema."""
    REFUSED = "refused"
    """Where a refused input ends."""
    RAISE = "raise"
    """Fails again with an error that a handler had taken."""
    END = "end"
    """Puts out the workflow's or a branch's output."""
    HELPER = "helper"
    """Anything else that the step needs."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The place in the workflow that a state came from."""

    role: Role
    span: Span = field(compare=False, repr=False)
    step: str | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Retrier:
    """A retry rule; times in whole seconds, `max_attempts` is the number of retries."""

    errors: tuple[str, ...]
    interval: int
    max_attempts: int
    backoff: float
    max_delay: int | None = None
    full_jitter: bool = False


@dataclass(frozen=True, slots=True)
class Catcher:
    """Where a failure goes; its Assign and Output replace the state's own."""

    errors: tuple[str, ...]
    next: str
    assign: Mapping[str, Json] = field(default_factory=dict)
    output: MaybeJson = UNSET


@dataclass(frozen=True, slots=True)
class Rule:
    """One alternative of a Choice."""

    condition: str | bool
    next: str
    assign: Mapping[str, Json] = field(default_factory=dict)
    output: MaybeJson = UNSET
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateBase:
    name: str
    origin: Origin
    assign: Mapping[str, Json] = field(default_factory=dict)
    output: MaybeJson = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskState(StateBase):
    resource: str
    arguments: Json
    next: str | None
    """The following state; None ends the machine or branch."""
    timeout: int | str | None = None
    heartbeat: int | str | None = None
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PassState(StateBase):
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceState(StateBase):
    rules: tuple[Rule, ...]
    default: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SucceedState(StateBase):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class FailState(StateBase):
    error: str
    cause: str


State: TypeAlias = TaskState | PassState | ChoiceState | SucceedState | FailState


@dataclass(frozen=True, slots=True)
class StateMachine:
    """A whole definition. `states` in the order in which they will be written."""

    name: str
    start_at: str
    states: tuple[State, ...]
    comment: str = ""
    timeout: int | None = None
    """Seconds."""
    functions: tuple[str, ...] = ()
    """Logical ids of the Lambda functions it invokes; each is a `${…}` substitution in the definition."""
