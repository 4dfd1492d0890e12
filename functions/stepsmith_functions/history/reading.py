"""Reads the visits of states out of the events of an execution's history.

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
from datetime import datetime
from typing import Final, TypeAlias

from stepsmith_functions.history.events import (
    FAILED,
    NOT_BEGUN,
    RATE_LIMITED,
    SCHEDULED,
    SUCCEEDED,
    Event,
    as_error,
    details_of,
    moment_of,
    value_of,
)
from stepsmith_functions.history.records import StepError
from stepsmith_functions.history.values import Json
from stepsmith_functions.history.visits import Ending, History, Scope, Visit, scope_in

_ENTERED_AT: Final = re.compile(r"entered at the event id #(\d+)")


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
        at = moment_of(event.get("timestamp"))
        details = details_of(event)
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
        if kind in SCHEDULED:
            visit.begin_attempt()
            visit.attempted_at = at
            visit.parameters = value_of(details.get("parameters", details.get("input")))
            visit.resource = str(details.get("resource", ""))
            visit.result = None
        elif kind in SUCCEEDED:
            visit.attempt_open, visit.answered = False, True
            visit.result = value_of(details.get("output"))
        elif kind == "TaskSubmitted":
            visit.result = value_of(details.get("output"))
        elif kind in FAILED:
            if not visit.attempt_open:  # it could not even be scheduled
                visit.begin_attempt()
            error = details.get("error") or ("States.Timeout" if kind.endswith("TimedOut") else None)
            visit.refused += error in NOT_BEGUN or (error == RATE_LIMITED and visit.is_limited)
            visit.fail(at, as_error(error, details.get("cause")))
        return _Place(visit.scope, visit)

    # -- states ---------------------------------------------------------------------------------------

    def _entered(
        self, number: int, kind: str, before: int, parent: _Place, at: datetime, details: Mapping[str, object]
    ) -> _Place:
        name = str(details.get("name", ""))
        if self.types.get(before) == "ParallelStateStarted":
            scope = scope_in(parent.visit)
        elif before == 0 or self.types.get(before) == "ExecutionRedriven":
            again = self._latest(lambda visit: visit.state == name and visit.exited_at is None)
            scope = again.scope if again and self.redrive_count else self.root
        else:
            scope = parent.scope
        visit = Visit(number, name, kind, scope, at, input=value_of(details.get("input")))
        if kind == "Fail":
            visit.fail(at, None)
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
        visit.output = value_of(details.get("output"))
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
            visit.begin_attempt()
        visit.fail(at, as_error(details.get("error"), details.get("cause")))
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
                if parent.visit is not None and parent.visit is not visit:
                    parent.visit.failed_block = parent.visit.failed
                visit.abandon_inner()
                visit.begin_attempt()
            case "Succeeded":
                visit.attempt_open, visit.answered = False, True
            case "Failed":
                inside = parent.visit if parent.visit is not visit else None
                if inside is not None or not visit.failed:  # else an EvaluationFailed has told
                    visit.fail(at, inside.error if inside else None)
                    visit.failed_inside = inside
                visit.given_up = True
                visit.abandon_inner()
            case "Aborted":
                visit.aborted_at = at
                visit.abandon_inner()
            case _:
                pass
        return _Place(visit.scope, visit)

    def _of_iteration(self, kind: str, parent: _Place, details: Mapping[str, object]) -> _Place:
        name, index = details.get("name"), details.get("index")

        def is_owner(visit: Visit) -> bool:
            return visit.kind == "Map" and visit.state == name and visit.exited_at is None

        if kind == "MapIterationStarted":
            owner = self._outward(parent, is_owner) or self._latest(is_owner)
            return _Place(scope_in(owner, index if isinstance(index, int) else None))
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
                self.started_at, self.input = at, value_of(details.get("input"))
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
                self.ending, self.ended_at, self.output = "Succeeded", at, value_of(details.get("output"))
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
                visit.fail(at, self.error)
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
