"""The visits of states in an execution's history: what `reading` makes of events and `rebuild` makes steps of.

A visit is known by the id of its Entered event, never by its state's name, which a loop visits again and again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from stepsmith_functions.history.records import StepError
from stepsmith_functions.history.values import Json

Ending: TypeAlias = Literal["Succeeded", "Failed", "Aborted", "TimedOut"]


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
    refused: int = 0
    """Attempts whose handler did not let the action begin: the run was paused, or another call was at work."""
    attempt_open: bool = False
    attempted_at: datetime | None = None
    """When its last attempt was scheduled."""
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
    failed_block: bool = False
    """Its failure made the Map or Parallel around it begin anew."""
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

    @property
    def is_limited(self) -> bool:
        """Whether its step says how often it may begin."""
        part: object = self.parameters
        for name in ("Payload", "step", "limits", "rate_limit"):
            part = part.get(name) if isinstance(part, Mapping) else None
        return part is not None

    def begin_attempt(self) -> None:
        """One more try: what the one before left is forgotten."""
        self.attempts += 1
        self.attempt_open, self.answered, self.given_up = True, False, False
        self.failed, self.error, self.failed_at, self.failed_inside = False, None, None, None
        self.aborted_at = None

    def fail(self, at: datetime, error: StepError | None) -> None:
        """The attempt failed, or the visit did without one."""
        self.failed, self.error, self.failed_at = True, error, at
        self.attempt_open = False

    def abandon_inner(self) -> None:
        """What is open in its iterations or branches will not go on."""
        for scope in self.inner:
            scope.abandoned = True


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


def scope_in(owner: Visit | None, index: int | None = None) -> Scope:
    """A new scope in a Map or Parallel; one of nobody's where the history does not tell whose it is."""
    scope = Scope(owner, index)
    if owner is not None:
        owner.inner.append(scope)
    return scope
