"""The ledger of a run: its steps that have completed and can be undone, the latest first. Pure.

Two witnesses are heard. The execution's own history knows every step of it in its exact order, steps without a handler
included, and is there when the table is not. What handlers told knows two things besides: what Lambda finished after
Step Functions had given it up (a Parallel that was failing already), and the steps of a distributed loop, whose
executions are others.

A step that failed is not undone, whatever it may have done before. One of which neither witness says how it ended is
`unknown`: nobody may say that the run is as if it had not been. What handlers told is kept by path, and of the last
attempt only: where a block was tried again while Lambda was still at work for it, the later attempt's word stands in
the place of the earlier one's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from stepsmith_functions.history.records import StepRecord, StepStatus
from stepsmith_functions.history.values import Json, Recorded, from_text
from stepsmith_functions.history.visits import History, Visit

GRACE: Final = timedelta(seconds=30)
"""How long past a function's timeout its last word may take."""
SKEW: Final = timedelta(milliseconds=250)
"""How far the clocks of Lambda and Step Functions may be apart."""


Place: TypeAlias = "tuple[tuple[int | None, str, int], ...]"
"""Where a visit stands: for each block around it and for itself the index of the iteration, the state, and the number
of the visit there."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A step that can be undone, as the machine asks for it."""

    output: tuple[tuple[str, ...], ...] | None
    """The paths of its result that its undo reads; None: all of it."""
    seconds: int | None
    """How long its function may take; None for a step without one."""
    variable: str | None
    """For a step without a function: the variable in which it left path, output and what it hands over."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A step that has completed."""

    step: str
    path: str
    ended_at: datetime
    order: int
    """Settles the order of one moment: the number of the event in the execution's history."""
    output: Recorded = None
    handed: Recorded = None
    """What the step handed over for its undo when it began."""

    @property
    def key(self) -> tuple[datetime, int]:
        return self.ended_at, self.order


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is known of a run's steps that can be undone."""

    completed: tuple[Entry, ...]
    """The one that completed last comes first; each path once."""
    running: tuple[str, ...]
    """Paths of steps that Lambda may still be at work on."""
    unknown: tuple[str, ...]
    """Paths of steps that may or may not have taken effect."""


def ledger_of(
    history: History, told: Mapping[str, StepRecord] | None, asked: Mapping[str, Asked], now: datetime
) -> Ledger:
    """`told` has what handlers told, by path; None when it cannot be read."""
    reading = _Reading(told, asked, now)
    for visit in history.visits:
        reading.begun(visit)
    for visit in history.visits:
        reading.visit(visit)
    reading.others()
    undone = {*_undone(history.visits), *(step.undoes for step in (told or {}).values() if _is_undo(step))}
    entries = [entry for path, entry in reading.completed.items() if path not in undone]
    return Ledger(
        tuple(sorted(entries, key=lambda entry: entry.key, reverse=True)),
        tuple(sorted(reading.running)),
        tuple(sorted({*reading.unknown, *reading.unheard.values()})),
    )


@dataclass(eq=False, slots=True)
class _Reading:
    told: Mapping[str, StepRecord] | None
    asked: Mapping[str, Asked]
    now: datetime
    completed: dict[str, Entry] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    seen: dict[str, list[Visit]] = field(default_factory=dict)
    """The visits of each path in which its function was called."""
    places: dict[int, Place] = field(default_factory=dict)
    """By visit: where it stands."""
    visited: Counter[tuple[int, str]] = field(default_factory=Counter)
    """How often each state was visited in each scope."""
    unheard: dict[Place, str] = field(default_factory=dict)
    """The steps without a function that were given up, by where they stood: their paths nobody has told."""

    def begun(self, visit: Visit) -> None:
        self._stands(visit)
        asked = self.asked.get(visit.state)
        path = _path(visit)
        if asked is not None and asked.variable is None and path is not None:
            self.seen.setdefault(path, []).append(visit)

    def _stands(self, visit: Visit) -> None:
        """A step stands in the same place when the block around it is tried again, elsewhere in another iteration or
        round."""
        around, owner = visit.scope, visit.scope.owner
        outer = self.places.get(owner.id, ()) if owner is not None else ()
        number = self.visited[id(around), visit.state]
        self.visited[id(around), visit.state] += 1
        self.places[visit.id] = (*outer, (around.index, visit.state, number))

    def visit(self, visit: Visit) -> None:
        """Takes in a visit of a state; a later one of the same path stands in its place."""
        asked = self.asked.get(visit.state)
        if asked is None or visit.kind != "Task":
            return
        if asked.variable is not None:
            self._without_function(visit, asked.variable)
            return
        path = _path(visit)
        if path is None:
            return  # its params could not be evaluated: it was never called
        handed = _member(_member(_member(visit.parameters, "Payload"), "step"), "undo")
        if visit.exited_at is not None and visit.exited_id is not None:
            if not visit.failed:
                output = _member(visit.result, "Payload")
                self._completed(Entry(visit.state, path, visit.exited_at, visit.exited_id, output, handed))
            return
        if visit.attempt_open and asked.seconds is not None:
            self._given_up(visit, path, handed, asked.seconds)

    def _without_function(self, visit: Visit, variable: str) -> None:
        if visit.exited_at is None and visit.attempt_open:
            # Nobody tells of it: the call may have been answered after Step Functions had stopped listening.
            self.unheard[self.places[visit.id]] = visit.state
        if visit.exited_at is None or visit.exited_id is None or visit.failed:
            return
        text = visit.assigned.get(variable)
        left = from_text(text) if text is not None else None
        path = _member(left, "path")
        if isinstance(path, str):
            self.seen.setdefault(path, []).append(visit)
            self.unheard.pop(self.places[visit.id], None)
            output, handed = _member(left, "output"), _member(left, "with")
            self._completed(Entry(visit.state, path, visit.exited_at, visit.exited_id, output, handed))

    def _completed(self, entry: Entry) -> None:
        """It is undone once, as its last success left it: what an earlier attempt may have done goes with that."""
        self.completed[entry.path] = entry
        self.unknown.discard(entry.path)

    def _given_up(self, visit: Visit, path: str, handed: Json, seconds: int) -> None:
        """Step Functions has stopped waiting for it; its handler may tell how it ended."""
        if self.told is None:
            self.unknown.add(path)
            return
        step = self.told.get(path)
        if step is None or not self._is_of(step, visit, path):
            # Nothing was told, or nothing will be kept. If the function has begun at all, it is over after its timeout.
            self._until(path, visit.attempted_at or visit.entered_at, seconds)
        else:
            self._as_told(step, handed, seconds)

    def _is_of(self, step: StepRecord, visit: Visit, path: str) -> bool:
        """Whether it is the last attempt of this visit that was told of, not an earlier one nor a later visit's."""
        begun = step.attempt_started
        if begun is None:
            return True
        later = next((each for each in self.seen[path] if each.id > visit.id), None)
        return begun >= (visit.attempted_at or visit.entered_at) - SKEW and (
            later is None or begun < later.entered_at - SKEW
        )

    def _until(self, path: str, begun: datetime, seconds: int) -> None:
        over = begun + timedelta(seconds=seconds) + GRACE
        (self.running if self.now < over else self.unknown).add(path)

    def others(self) -> None:
        """Steps that only their handlers tell of: those of distributed loops."""
        for path, step in (self.told or {}).items():
            asked = self.asked.get(step.step_id)
            if asked is not None and path not in self.seen:
                self._as_told(step, step.handed, asked.seconds or 0)

    def _as_told(self, step: StepRecord, handed: Recorded, seconds: int) -> None:
        ended = step.ended_at
        if step.status in (StepStatus.FAILED, StepStatus.SUCCEEDED) and ended is not None:
            if ended > self.now:
                self.running.add(step.path)
            elif step.status is StepStatus.SUCCEEDED:
                result = step.output if step.result is None else step.result
                self._completed(Entry(step.step_id, step.path, ended, step.sequence, result, handed))
        elif step.status not in (StepStatus.PENDING, StepStatus.SKIPPED):
            # It is at work, or it was cut off before it could tell, or the end of the run was told in its place.
            self._until(step.path, step.attempt_started or step.started_at or self.now, seconds)


def _path(visit: Visit) -> str | None:
    """The path under which the visit's function was called; None if it was not."""
    path = _member(_member(_member(visit.parameters, "Payload"), "step"), "path")
    return path if isinstance(path, str) else None


def _undone(visits: Iterable[Visit]) -> Iterable[str]:
    """The paths that undos of this execution have undone."""
    for visit in visits:
        path = _member(visit.input, "undoes")
        if isinstance(path, str) and visit.exited_at is not None and not visit.failed:
            yield path


def _is_undo(step: StepRecord) -> bool:
    return step.undoes is not None and step.status is StepStatus.SUCCEEDED


def _member(value: Json, name: str) -> Json:
    return value.get(name) if isinstance(value, Mapping) else None
