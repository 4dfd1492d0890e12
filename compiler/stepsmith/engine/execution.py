"""The state of executions: what runs, where it stands, which variables it has.

Data with little behaviour: an `Execution` is one tree of `Run`s, each going through one graph of states; a `Visit` is
a run's stay in one state, with its attempts. `flow` and `states` move them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from stepsmith.engine.errors import Failure
from stepsmith.engine.events import Event
from stepsmith.engine.query.expression import Bound, VariableFrame, bound
from stepsmith.engine.values import Json, Payload, timestamp_text

if TYPE_CHECKING:
    from stepsmith.engine.machine import Machine, State, StateGraph
    from stepsmith.engine.scheduler import Timer


class Status(StrEnum):
    """An execution's status, spelled as in the API."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    ABORTED = "ABORTED"

    def __str__(self) -> str:
        return self.value


class Scope:
    """The variables of one graph of states. Reads go outwards, writes stay here."""

    __slots__ = ("_sizes", "frame", "parent")

    def __init__(self, parent: Scope | None, frame: VariableFrame) -> None:
        self.parent = parent
        self.frame = frame
        self._sizes: dict[str, int] = {}

    def assign(self, values: Mapping[str, Payload], sizes: Mapping[str, int]) -> None:
        """Set variables together; their sizes are bytes of JSON text."""
        for name, payload in values.items():
            self.frame.assign(name, payload.value, may_hold_null=payload.may_hold_null)
        self._sizes.update(sizes)

    def variables(self) -> dict[str, Json]:
        """This scope's own variables."""
        return dict(self.frame.plain)

    def size_with(self, sizes: Mapping[str, int]) -> int:
        """Bytes that this scope and those around it would hold after an assignment."""
        total = sum((self._sizes | dict(sizes)).values())
        return total if self.parent is None else total + self.parent.size_with({})


class Owner(Protocol):
    """Whoever started a run and is told how it ended: an execution, a Parallel, a Map."""

    def run_succeeded(self, run: Run, output: Payload) -> None:
        """The run's last state put this out."""
        ...

    def run_failed(self, run: Run, failure: Failure) -> None:
        """The run failed, and none of its states caught it."""
        ...


class Children(Protocol):
    """What a Parallel or Map has going on inside: `flow` gives it up or takes it up again."""

    def abort(self, *, record: bool) -> None:
        """Give up what still runs; `record` writes the events of it."""
        ...

    def resume(self) -> None:
        """After a redrive: go on with what did not succeed."""
        ...


class Run:
    """One thread of control through a graph: of a whole execution, a branch, an iteration."""

    __slots__ = ("closed", "execution", "graph", "index", "input", "last_event", "output", "owner", "scope", "visit")

    def __init__(
        self,
        execution: Execution,
        graph: StateGraph,
        owner: Owner,
        scope: Scope,
        input: Payload,  # noqa: A002 - the API's word
        last_event: int,
        index: int = 0,
    ) -> None:
        self.execution = execution
        self.graph = graph
        self.owner = owner
        self.scope = scope
        self.input = input
        self.last_event = last_event
        self.index = index
        self.visit: Visit | None = None
        self.output: Payload | None = None
        self.closed = False


class Visit:
    """A run's stay in one state, over all attempts."""

    __slots__ = (
        "attempt",
        "children",
        "close_task",
        "context",
        "entered_at",
        "entered_event",
        "input",
        "previous_event",
        "retries",
        "run",
        "state",
        "succeeded",
        "timer",
    )

    def __init__(
        self,
        run: Run,
        state: State,
        input: Payload,  # noqa: A002 - the API's word
        previous_event: int,
        entered_event: int,
        entered_at: datetime,
    ) -> None:
        self.run = run
        self.state = state
        self.input = input
        self.previous_event = previous_event
        self.entered_event = entered_event
        self.entered_at = entered_at
        self.attempt = 0
        self.retries: dict[int, int] = {}
        self.succeeded = False
        self.timer: Timer | None = None
        self.children: Children | None = None
        self.close_task: Callable[[], None] | None = None
        self.context: dict[str, Json] | None = None

    def context_object(self) -> dict[str, Json]:
        """The context object of this visit, without what only a Task or an ItemSelector sees."""
        if self.context is None:
            execution = self.run.execution
            self.context = {
                **execution.context(),
                "State": {"Name": self.state.name, "EnteredTime": timestamp_text(self.entered_at)},
            }
        return self.context

    def bound_context(self) -> dict[str, Bound]:
        """The context object in the library's form; the execution's part, which may be large, is made once."""
        execution = self.run.execution
        return {
            name: execution.bound_about() if name == "Execution" else bound(member)
            for name, member in self.context_object().items()
        }

    def count_retries(self) -> None:
        """Put the retries made so far in the context object, as Task, Parallel and Map states see them."""
        self.context_object()["State"] = {
            "Name": self.state.name,
            "EnteredTime": timestamp_text(self.entered_at),
            "RetryCount": self.attempt,
        }


@dataclass(eq=False, slots=True)
class Execution:
    """One execution, as far as it has come.

    `error` and `cause` are what DescribeExecution shows. When it failed, `failure` also has the state that it began
    in, and for an evaluation the field and expression. `transitions` counts the billed ones: states entered and
    retries. `output` is None until the execution has succeeded; `output_text` tells that from a null.
    """

    arn: str
    name: str
    machine: Machine
    state_machine_arn: str
    role_arn: str
    input: Json
    started: datetime
    parent: Execution | None = None
    map_run_arn: str | None = None
    status: Status = Status.RUNNING
    output: Json = None
    output_text: str | None = None
    error: str | None = None
    cause: str | None = None
    failure: Failure | None = None
    stopped: datetime | None = None
    transitions: int = 0
    redrive_count: int = 0
    redriven: datetime | None = None
    state_machine_id: str = ""
    _events: list[Event] = field(default_factory=list, repr=False)
    _children: list[Execution] = field(default_factory=list, repr=False)
    _root: Run | None = field(default=None, repr=False)
    _timer: Timer | None = field(default=None, repr=False)
    _on_end: Callable[[Execution], None] | None = field(default=None, repr=False)
    _context: dict[str, Json] | None = field(default=None, repr=False)
    _bound_about: Bound = field(default=None, repr=False)

    @property
    def events(self) -> Sequence[Event]:
        """The history so far, in order."""
        return self._events

    @property
    def children(self) -> Sequence[Execution]:
        """Executions that this one started: nested ones, and those of a distributed Map."""
        return self._children

    @property
    def variables(self) -> Mapping[str, Json]:
        """The variables of the outermost scope as they are now."""
        return {} if self._root is None else self._root.scope.variables()

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.status is Status.RUNNING

    def context(self) -> dict[str, Json]:
        """The part of the context object that is the same in every state."""
        if self._context is None:
            about: dict[str, Json] = {
                "Id": self.arn,
                "Input": self.input,
                "Name": self.name,
                "RoleArn": self.role_arn,
                "StartTime": timestamp_text(self.started),
                "RedriveCount": self.redrive_count,
            }
            if self.redriven is not None:
                about["RedriveTime"] = timestamp_text(self.redriven)
            machine = self.state_machine_id or self.state_machine_arn
            self._context = {
                "Execution": about,
                "StateMachine": {"Id": machine, "Name": self.state_machine_arn.rsplit(":", 1)[-1]},
            }
        return self._context

    def bound_about(self) -> Bound:
        """The context object's member ``Execution`` in the library's form."""
        if self._bound_about is None:
            self._bound_about = bound(self.context()["Execution"])
        return self._bound_about
