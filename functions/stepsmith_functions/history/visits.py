"""The visits of states in an execution's history, as GetExecutionHistory gives its events.

Pure and ignorant of workflows: `rebuild` makes steps of visits. The events' grammar and its traps are AWS's
(recorded): only `...StateEntered` and `...StateExited` name their state, so that everything else is found by
following `previousEventId`; a visit is known by the id of its Entered event, never by name; the parents of
`EvaluationFailed`, of a Map's or Parallel's end and of the next iteration under a concurrency of 1 are not what one
expects, so these are settled by name and by which visits are still open.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

from stepsmith_functions.history.records import StepError
from stepsmith_functions.history.values import Json, from_stamp, from_text

Event: TypeAlias = Mapping[str, object]
"""An event as boto3 gives it; `timestamp` may also be epoch seconds or ISO 8601 text."""
Ending: TypeAlias = Literal["Succeeded", "Failed", "Aborted", "TimedOut"]

_ENTERED_AT: Final = re.compile(r"entered at the event id #(\d+)")
_SCHEDULED: Final = ("TaskScheduled", "LambdaFunctionScheduled", "ActivityScheduled")
_SUCCEEDED: Final = ("TaskSucceeded", "LambdaFunctionSucceeded", "ActivitySucceeded")
_FAILED: Final = frozenset(
    {f"Task{end}" for end in ("Failed", "TimedOut", "StartFailed", "SubmitFailed")}
    | {f"LambdaFunction{end}" for end in ("Failed", "TimedOut", "StartFailed", "ScheduleFailed")}
    | {f"Activity{end}" for end in ("Failed", "TimedOut", "ScheduleFailed")}
)


@dataclass(eq=False, slots=True)
class Scope:
    """Where visits follow each other: the machine itself, one iteration of a Map, one branch of a Parallel."""

    owner: Visit | None = None
    index: int | None = None
    """Of an iteration, from 0."""
    abandoned: bool = False
    """It failed, was stopped, or gave way to a retry of its owner; what is open in it will not go on."""

    @property
    def is_over(self) -> bool:
        return self.abandoned or (
            self.owner is not None and (self.owner.exited_at is not None or self.owner.scope.is_over)
        )


@dataclass(eq=False, slots=True)
class Visit:
    """One visit of a state, from its Entered event on."""

    id: int
    state: str
    kind: str
    """`Task`, `Choice`, `Map` and so on."""
    scope: Scope
    entered_at: datetime
    exited_at: datetime | None = None
    exited_id: int | None = None
    attempts: int = 0
    attempt_open: bool = False
    answered: bool = False
    """The attempt succeeded; what may still fail is the state's Assign or Output."""
    given_up: bool = False
    """A Map or Parallel that has failed and is not tried again."""
    failed: bool = False
    """The last thing that happened to it is a failure; a retry takes that back."""
    error: StepError | None = None
    """The failure's; None also where the history does not tell, as of a Fail state whose error was caught."""
    failed_at: datetime | None = None
    failed_inside: Visit | None = None
    """Of a Map or Parallel that failed: the visit that failed it."""
    aborted_at: datetime | None = None
    inner: list[Scope] = field(default_factory=list)
    """The iterations or branches of a Map or Parallel."""
    parameters: Json = None
    result: Json = None
    """What a Task answered, before its Output."""
    resource: str = ""
    input: Json = None
    output: Json = None
    assigned: Mapping[str, str] = field(default_factory=dict)
    """The variables that it assigned, each as JSON text (recorded)."""
    next: Visit | None = None
    """The visit that it led to in its scope."""

    @property
    def ended_at(self) -> datetime | None:
        return self.exited_at or self.aborted_at or self.failed_at


@dataclass(frozen=True, slots=True)
class History:
    """An execution as its events tell it."""

    visits: tuple[Visit, ...]
    """In the order in which they were entered."""
    started_at: datetime | None
    input: Json
    ending: Ending | None
    """None while it is under way."""
    ended_at: datetime | None
    output: Json
    error: StepError | None
    cause: str
    """As it came, where `error` holds the message in it."""
    redrive_count: int

    @property
    def transitions(self) -> int:
        """The states entered plus the retries, as Step Functions bills them."""
        return len(self.visits) + sum(max(0, visit.attempts - 1) for visit in self.visits)


@dataclass(eq=False, slots=True)
class _Place:
    """What an event belongs to."""

    scope: Scope
    visit: Visit | None = None


_Test: TypeAlias = Callable[[Visit], bool]


def read_history(events: Iterable[Event]) -> History:
    """The visits in `events`, which stand in the order of their ids. Raises ValueError for what is no event."""
    reader = _Reader()
    for event in events:
        reader.read(event)
    return reader.history()


def as_error(error: object, cause: object) -> StepError:
    """The error of a failure. A Python handler's cause is JSON with the exception's message (recorded)."""
    name = error if isinstance(error, str) and error else "States.TaskFailed"
    text = cause if isinstance(cause, str) else ""
    if text.startswith("{"):
        try:
            value = from_text(text)
        except ValueError:
            value = None
        if isinstance(value, Mapping) and isinstance(message := value.get("errorMessage"), str):
            return StepError(name, message)
    return StepError(name, text)


@dataclass(eq=False, slots=True)
class _Reader:
    root: Scope = field(default_factory=Scope)
    visits: list[Visit] = field(default_factory=list)
    places: dict[int, _Place] = field(default_factory=dict)
    types: dict[int, str] = field(default_factory=dict)
    started_at: datetime | None = None
    input: Json = None
    ending: Ending | None = None
    ended_at: datetime | None = None
    output: Json = None
    error: StepError | None = None
    cause: str = ""
    redrive_count: int = 0

    def history(self) -> History:
        return History(
            tuple(self.visits),
            self.started_at,
            self.input,
            self.ending,
            self.ended_at,
            self.output,
            self.error,
            self.cause,
            self.redrive_count,
        )

    def read(self, event: Event) -> None:
        number, kind = event.get("id"), event.get("type")
        if not isinstance(number, int) or not isinstance(kind, str):
            raise ValueError("an event of an execution's history has an id and a type")
        previous = event.get("previousEventId")
        before = previous if isinstance(previous, int) else 0
        at = _moment(event.get("timestamp"))
        details = _details(event)
        parent = self.places.get(before) or _Place(self.root)
        self.types[number] = kind
        self.places[number] = self._place(number, kind, before, parent, at, details)

    def _place(
        self, number: int, kind: str, before: int, parent: _Place, at: datetime, details: Mapping[str, object]
    ) -> _Place:
        if kind.endswith("StateEntered"):
            return self._entered(number, kind.removesuffix("StateEntered"), before, parent, at, details)
        if kind.endswith("StateExited"):
            return self._exited(number, parent, at, details)
        if kind.startswith(("Map", "Parallel")):
            return self._of_block(kind, parent, at, details)
        if kind.startswith("Execution"):
            return self._of_execution(kind, parent, at, details)
        if kind == "EvaluationFailed":
            return self._evaluation_failed(parent, at, details)
        if kind.endswith("StateAborted"):
            return self._aborted(kind.removesuffix("StateAborted"), parent, at)
        visit = self._task(parent)
        if visit is None:
            return parent
        if kind in _SCHEDULED:
            _begin_attempt(visit)
            visit.parameters = _json(details.get("parameters", details.get("input")))
            visit.resource = str(details.get("resource", ""))
            visit.result = None
        elif kind in _SUCCEEDED:
            visit.attempt_open, visit.answered = False, True
            visit.result = _json(details.get("output"))
        elif kind == "TaskSubmitted":
            visit.result = _json(details.get("output"))
        elif kind in _FAILED:
            if not visit.attempt_open:  # it could not even be scheduled
                _begin_attempt(visit)
            error = details.get("error") or ("States.Timeout" if kind.endswith("TimedOut") else None)
            _fail(visit, at, as_error(error, details.get("cause")))
        return _Place(visit.scope, visit)

    # -- states ---------------------------------------------------------------------------------------

    def _entered(
        self, number: int, kind: str, before: int, parent: _Place, at: datetime, details: Mapping[str, object]
    ) -> _Place:
        name = str(details.get("name", ""))
        if self.types.get(before) == "ParallelStateStarted":
            scope = _scope_in(parent.visit)
        elif before == 0 or self.types.get(before) == "ExecutionRedriven":
            again = self._latest(lambda visit: visit.state == name and visit.exited_at is None)
            scope = again.scope if again and self.redrive_count else self.root
        else:
            scope = parent.scope
        visit = Visit(number, name, kind, scope, at, input=_json(details.get("input")))
        if kind == "Fail":
            _fail(visit, at, None)
        if parent.visit is not None and parent.visit.scope is scope:
            parent.visit.next = visit
        self.visits.append(visit)
        return _Place(scope, visit)

    def _exited(self, number: int, parent: _Place, at: datetime, details: Mapping[str, object]) -> _Place:
        name = str(details.get("name", ""))
        visit = self._outward(parent, lambda one: one.state == name and one.exited_at is None) or self._latest(
            lambda one: one.state == name and one.exited_at is None
        )
        if visit is None:
            return parent
        visit.exited_at, visit.exited_id = at, number
        visit.output = _json(details.get("output"))
        assigned = details.get("assignedVariables")
        if isinstance(assigned, Mapping):
            visit.assigned = {str(variable): str(text) for variable, text in assigned.items()}
        if visit.failed and visit.error is None and isinstance(visit.output, Mapping):
            error = visit.output.get("Error")  # a catcher without an Output of its own puts the error out
            if isinstance(error, str):
                visit.error = as_error(error, visit.output.get("Cause"))
        return _Place(visit.scope, visit)

    def _evaluation_failed(self, parent: _Place, at: datetime, details: Mapping[str, object]) -> _Place:
        """Its parent may be the event before the Entered; the text says which visit is meant, `state` at least."""
        found = _ENTERED_AT.search(str(details.get("cause", "")))
        place = self.places.get(int(found.group(1))) if found else None
        name = details.get("state")
        visit = place.visit if place else None
        if visit is None or (isinstance(name, str) and visit.state != name):
            visit = self._latest(lambda one: one.state == name and one.exited_at is None) or parent.visit
        if visit is None:
            return parent
        if not visit.attempt_open and not visit.answered:  # in the Arguments, before anything was scheduled
            _begin_attempt(visit)
        _fail(visit, at, as_error(details.get("error"), details.get("cause")))
        return _Place(visit.scope, visit)

    def _aborted(self, kind: str, parent: _Place, at: datetime) -> _Place:
        visit = parent.visit
        if visit is None or visit.kind != kind or visit.exited_at is not None:
            visit = self._latest(lambda one: one.kind == kind and one.ended_at is None)
        if visit is None:
            return parent
        visit.aborted_at = at
        return _Place(visit.scope, visit)

    # -- Map and Parallel -----------------------------------------------------------------------------

    def _of_block(self, kind: str, parent: _Place, at: datetime, details: Mapping[str, object]) -> _Place:
        family = "Map" if kind.startswith("Map") else "Parallel"
        if kind.startswith("MapRun"):
            return parent
        if kind.startswith("MapIteration"):
            return self._of_iteration(kind, parent, details)

        def is_open(visit: Visit) -> bool:
            return visit.kind == family and visit.exited_at is None and visit.aborted_at is None

        def is_going(visit: Visit) -> bool:
            return is_open(visit) and not visit.given_up

        # A redrive goes on with what was given up.
        visit = self._outward(parent, is_going) or self._outward(parent, is_open) or self._latest(is_open)
        if visit is None:
            return parent
        match kind.removeprefix(f"{family}State"):
            case "Started":
                _abandon(visit)
                _begin_attempt(visit)
            case "Succeeded":
                visit.attempt_open, visit.answered = False, True
            case "Failed":
                inside = parent.visit if parent.visit is not visit else None
                if inside is not None or not visit.failed:  # else an EvaluationFailed has told
                    _fail(visit, at, inside.error if inside else None)
                    visit.failed_inside = inside
                visit.given_up = True
                _abandon(visit)
            case "Aborted":
                visit.aborted_at = at
                _abandon(visit)
            case _:
                pass
        return _Place(visit.scope, visit)

    def _of_iteration(self, kind: str, parent: _Place, details: Mapping[str, object]) -> _Place:
        name, index = details.get("name"), details.get("index")

        def is_owner(visit: Visit) -> bool:
            return visit.kind == "Map" and visit.state == name and visit.exited_at is None

        if kind == "MapIterationStarted":
            owner = self._outward(parent, is_owner) or self._latest(is_owner)
            return _Place(_scope_in(owner, index if isinstance(index, int) else None))
        scope: Scope | None = parent.scope
        while scope and not (scope.owner and is_owner(scope.owner) and scope.index == index):
            scope = scope.owner.scope if scope.owner else None
        if scope is None:
            scope = self._latest_iteration(name, index)
        if scope is None:
            return parent
        if kind != "MapIterationSucceeded":
            scope.abandoned = True
        return _Place(scope, parent.visit if kind == "MapIterationFailed" else None)

    def _latest_iteration(self, name: object, index: object) -> Scope | None:
        for visit in reversed(self.visits):
            if visit.kind == "Map" and visit.state == name:
                for scope in reversed(visit.inner):
                    if scope.index == index:
                        return scope
        return None

    # -- the execution --------------------------------------------------------------------------------

    def _of_execution(self, kind: str, parent: _Place, at: datetime, details: Mapping[str, object]) -> _Place:
        match kind.removeprefix("Execution"):
            case "Started":
                self.started_at, self.input = at, _json(details.get("input"))
            case "Redriven":
                count = details.get("redriveCount")
                self.redrive_count = count if isinstance(count, int) else self.redrive_count + 1
                self.ending = self.ended_at = self.error = None
                self.cause = ""
                for visit in self.visits:
                    if visit.exited_at is None:
                        visit.aborted_at = None
                        visit.scope.abandoned = False
            case "Succeeded":
                self.ending, self.ended_at, self.output = "Succeeded", at, _json(details.get("output"))
            case "Failed" | "Aborted" | "TimedOut" as ending:
                self.ending = ending
                self.ended_at = at
                self.cause = str(details.get("cause") or "")
                if details.get("error") or self.cause or ending == "Failed":
                    self.error = as_error(details.get("error"), self.cause)
                if ending == "Failed":
                    self._fail_chain(parent, at)
            case _:
                pass
        return parent

    def _fail_chain(self, parent: _Place, at: datetime) -> None:
        """Gives the execution's error to the visit that failed it and to what that stands in or contains."""
        visit = parent.visit
        if visit is None or visit.exited_at is not None:
            visit = self._latest(lambda one: one.exited_at is None and one.scope is self.root)
        while visit is not None and visit.exited_at is None:
            if not visit.failed:
                _fail(visit, at, self.error)
            inner: Visit | None = visit
            while inner is not None:
                inner.error = inner.error or self.error
                inner = inner.failed_inside
            visit = visit.scope.owner

    # -- finding visits -------------------------------------------------------------------------------

    def _task(self, place: _Place) -> Visit | None:
        """The visit that an event without a name belongs to."""
        if place.visit is not None and place.visit.exited_at is None:
            return place.visit
        return self._latest(lambda visit: visit.kind == "Task" and visit.exited_at is None)

    def _outward(self, place: _Place, fits: _Test) -> Visit | None:
        """The innermost visit around an event that fits, the event's own first."""
        visit = place.visit
        if visit is not None and fits(visit):
            return visit
        owner = place.scope.owner
        while owner is not None:
            if fits(owner):
                return owner
            owner = owner.scope.owner
        return None

    def _latest(self, fits: _Test) -> Visit | None:
        return next((visit for visit in reversed(self.visits) if fits(visit)), None)


def _scope_in(owner: Visit | None, index: int | None = None) -> Scope:
    scope = Scope(owner, index)
    if owner is not None:
        owner.inner.append(scope)
    return scope


def _abandon(owner: Visit) -> None:
    for scope in owner.inner:
        scope.abandoned = True


def _begin_attempt(visit: Visit) -> None:
    visit.attempts += 1
    visit.attempt_open, visit.answered, visit.given_up = True, False, False
    visit.failed, visit.error, visit.failed_at, visit.failed_inside = False, None, None, None
    visit.aborted_at = None


def _fail(visit: Visit, at: datetime, error: StepError | None) -> None:
    visit.failed, visit.error, visit.failed_at = True, error, at
    visit.attempt_open = False


def _details(event: Event) -> Mapping[str, object]:
    for key, value in event.items():
        if key.endswith("EventDetails") and isinstance(value, Mapping):
            return value
    return {}


def _json(text: object) -> Json:
    """The value of a JSON text; the text itself where AWS gave something else."""
    if not isinstance(text, str):
        return None
    try:
        return from_text(text)
    except ValueError:
        return text


def _moment(value: object) -> datetime:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    if isinstance(value, str):
        return from_stamp(value)
    raise ValueError("an event of an execution's history has a timestamp")
