"""The states of a machine, as the Amazon States Language names them.

Fields hold what the definition will hold: plain JSON in which a text that starts `{%` and ends `%}` is an expression.
A state keeps the span of the step it came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias, assert_never

from stepsmith.catalog import Permission
from stepsmith.document import Json
from stepsmith.source import Span


class Unset:
    """Marks a field that the definition leaves out, where null would mean something."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset()
MaybeJson: TypeAlias = "Json | Unset"
NO_ASSIGN: Final[Mapping[str, Json]] = {}


class Role(StrEnum):
    """What a state is to the step it came from; the history is rebuilt by it."""

    STEP = "step"
    """The step's own work."""
    ANSWER = "answer"
    """Stands in for what the step's own state did not yield."""
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
class Way:
    """A way out of a state that other steps were folded into, or on which blocks fail: it is known by the state that
    comes next and, where two ways lead to the same one, by the state's output or the error that was caught."""

    next: str
    steps: tuple[str, ...]
    output: MaybeJson = UNSET
    fails: tuple[str, ...] = ()
    """The blocks around it that fail with the error that goes this way."""
    errors: tuple[str, ...] = ()
    """Those that a Catch takes; none for other ways."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The place in the workflow that a state came from."""

    role: Role
    span: Span = field(compare=False, repr=False)
    step: str | None = None
    description: str = ""
    folded: tuple[str, ...] = ()
    """Steps that have no state of their own and happen when this state ends."""
    ways: tuple[Way, ...] = ()
    """The same for each way out, where they differ."""
    hands: str | None = None
    """The variable in which it leaves what the undo of its step reads."""
    reshapes: bool = False
    """Its step can be undone, and the step's output is not what the task answered."""
    wraps: bool = False
    """Its output is not the step's own but holds it under `output`."""
    raises: str | None = None
    """The error that its step fails with here; an error that is raised again has no name yet."""
    says: str | None = None
    """The message of that, where it is constant."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitState(StateBase):
    next: str | None
    seconds: int | str | None = None
    timestamp: str | None = None


@dataclass(frozen=True, slots=True)
class SubMachine:
    """The states of a branch or of an iteration."""

    start_at: str
    states: tuple[State, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelState(StateBase):
    branches: tuple[SubMachine, ...]
    next: str | None
    arguments: MaybeJson = UNSET
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()


@dataclass(frozen=True, slots=True)
class Distributed:
    """What a distributed Map has besides: each item is an execution of its own."""

    label: str
    reader: Json = None
    writer: Json = None
    tolerated_count: int | None = None
    tolerated_percentage: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MapState(StateBase):
    items: Json
    """None where a reader finds them."""
    selector: Json
    processor: SubMachine
    concurrency: int
    next: str | None
    distributed: Distributed | None = None
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()


State: TypeAlias = TaskState | PassState | ChoiceState | WaitState | ParallelState | MapState | SucceedState | FailState


def ways_out(state: State) -> tuple[str, ...]:
    """The states that may come next, in the order written."""
    match state:
        case TaskState() | ParallelState() | MapState():
            return (*((state.next,) if state.next else ()), *(catcher.next for catcher in state.catch))
        case PassState() | WaitState():
            return (state.next,) if state.next else ()
        case ChoiceState():
            return (*(rule.next for rule in state.rules), state.default)
        case SucceedState() | FailState():
            return ()
        case _:
            assert_never(state)


def inner_machines(state: State) -> tuple[SubMachine, ...]:
    """The machines inside a state."""
    match state:
        case ParallelState():
            return state.branches
        case MapState():
            return (state.processor,)
        case _:
            return ()


def every_state(states: Iterable[State]) -> Iterator[State]:
    """All states, those of branches and iterations included."""
    for state in states:
        yield state
        for machine in inner_machines(state):
            yield from every_state(machine.states)


@dataclass(frozen=True, slots=True)
class StateMachine:
    """A whole definition. `states` in the order in which they will be written."""

    name: str
    start_at: str
    states: tuple[State, ...]
    comment: str = ""
    timeout: int | None = None
    """Seconds."""
    environment: tuple[str, ...] = ()
    """Names of the values that are set at deployment; each is a `${…}` substitution in the definition."""
    machines: tuple[str, ...] = ()
    """Logical ids of the state machines that it starts, likewise."""
    distributed: tuple[str, ...] = ()
    """Labels of its distributed Maps, whose items are executions of this same machine."""
    functions: tuple[str, ...] = ()
    """Logical ids of the Lambda functions it invokes; each is a `${…}` substitution in the definition."""
    permissions: tuple[Permission, ...] = ()
    """What its role must allow besides invoking those functions and starting those machines."""
    rollback: StateMachine | None = None
    """The machine that undoes a run of this one after its end; None where no step can be undone."""
