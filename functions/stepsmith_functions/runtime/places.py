"""Which runs of a workflow may be under way at the same time: plain functions over who holds a place.

A run takes its place with its first action and keeps it by beginning others; a place that nobody has kept expires. Who
has had one and gave it up to wait for a person is not turned away when it comes back: it waits. There is no storage
here (`limits.SharedState`) and no order among those who wait.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from stepsmith_functions.runtime.limits import ContendedError, SharedState, Subject

if TYPE_CHECKING:
    from pydantic import JsonValue

REMEMBERED: Final = 200
"""How many runs without a place are remembered."""
_TRIES: Final = 8


class OnLimit(StrEnum):
    """What becomes of a run that finds no place."""

    QUEUE = "queue"
    SKIP = "skip"
    CANCEL_OLDEST = "cancel_oldest"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Concurrency:
    """At most `limit` runs with the same key at once. A place is kept for `lease` seconds."""

    key: str
    limit: int
    on_limit: OnLimit
    lease: int


@dataclass(frozen=True, slots=True)
class Place:
    """What is known of a run. Times are seconds since the epoch."""

    since: float
    """When it asked first."""
    until: float = 0.0
    """Until when it holds a place."""
    leaving: bool = False
    """It has been asked to end, to make room."""


Places: TypeAlias = Mapping[str, Place]


class Verdict(StrEnum):
    IN = "in"
    WAIT = "wait"
    SKIP = "skip"
    FAIL = "fail"
    GIVE_WAY = "give_way"
    """It is older than all who hold a place."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run is told, what is known then, and which run has to make room."""

    verdict: Verdict
    places: Places
    ends: str | None = None


def asked(places: Places, rule: Concurrency, run_id: str, now: float) -> Asked:
    """`run_id` wants to begin a step."""
    mine = places.get(run_id)
    holders = {other: place for other, place in places.items() if place.until > now and other != run_id}
    if (mine is not None and mine.until > now) or len(holders) < rule.limit:
        since = mine.since if mine is not None else now
        if mine is not None and mine.until - now > rule.lease / 2:
            return Asked(Verdict.IN, places)
        kept = Place(since, now + rule.lease, mine is not None and mine.leaving)
        return Asked(Verdict.IN, _trimmed({**places, run_id: kept}, now))
    if rule.on_limit is OnLimit.CANCEL_OLDEST:
        return _making_room(places, holders, run_id, now)
    if mine is None and rule.on_limit is not OnLimit.QUEUE:
        return Asked(Verdict.SKIP if rule.on_limit is OnLimit.SKIP else Verdict.FAIL, places)
    return Asked(Verdict.WAIT, places)


def _making_room(places: Places, holders: Places, run_id: str, now: float) -> Asked:
    """One holder at a time is asked to end, the oldest; a run that is older than all of them gives way itself."""
    mine = places.get(run_id) or Place(now)
    oldest = min(holders, key=lambda other: (holders[other].since, other))
    if mine.since < holders[oldest].since:
        return Asked(Verdict.GIVE_WAY, places)
    known = {**places, run_id: mine}
    leaving = next((other for other, place in holders.items() if place.leaving), None)
    if leaving is not None:
        # Whoever noted that may have died before the order: it is given again, which changes nothing where it stands.
        return Asked(Verdict.WAIT, _trimmed(known, now), leaving)
    known[oldest] = replace(holders[oldest], leaving=True)
    return Asked(Verdict.WAIT, _trimmed(known, now), oldest)


def stepped_aside(places: Places, run_id: str) -> Places:
    """The run waits for a person: others may have its place."""
    mine = places.get(run_id)
    return places if mine is None else {**places, run_id: replace(mine, until=0.0)}


def gone(places: Places, run_id: str) -> Places:
    """The run is over."""
    return {other: place for other, place in places.items() if other != run_id}


def _trimmed(places: Places, now: float) -> Places:
    without = sorted((other for other in places if places[other].until <= now), key=lambda other: places[other].since)
    forgotten = set(without[:-REMEMBERED])
    return {other: place for other, place in places.items() if other not in forgotten}


def change_places(
    shared: SharedState, key: str, step: Callable[[Places], Asked], now: datetime, lease: timedelta
) -> Asked:
    """Changes who holds a place by `step`, whoever else does so at the same time. Raises ContendedError."""
    for _ in range(_TRIES):
        kept = shared.read(key, Subject.PLACES)
        known = places_of(kept.value)
        found = step(known)
        if found.places == known:
            return found
        value: JsonValue = {run: [each.since, each.until, each.leaving] for run, each in found.places.items()}
        if shared.replace(key, kept, value, now + lease + timedelta(days=366), Subject.PLACES):
            return found
    raise ContendedError(f"the places of {key!r} were changed {_TRIES} times by others")


def places_of(value: JsonValue) -> Places:
    """The places as they were kept."""
    found: dict[str, Place] = {}
    for run_id, told in value.items() if isinstance(value, dict) else ():
        match told:
            case [int() | float() as since, int() | float() as until, bool() as leaving]:
                found[run_id] = Place(float(since), float(until), leaving)
    return found


def leave(shared: SharedState, run_id: str, now: datetime, *, for_good: bool) -> None:
    """The run gives up its place, if it holds one: for good, or until it comes back."""
    key = shared.place_of(run_id)
    if key is None:
        return

    def left(places: Places) -> Asked:
        return Asked(Verdict.IN, gone(places, run_id) if for_good else stepped_aside(places, run_id))

    change_places(shared, key, left, now, timedelta())


def concurrency_of(told: JsonValue, key_of: Callable[[Mapping[str, JsonValue], str], str]) -> Concurrency | None:
    """What the machine's event says of the workflow. Raises InvalidParams for a key that is nothing."""
    if not isinstance(told, dict):
        return None
    limit, lease = told.get("limit"), told.get("lease")
    return Concurrency(
        key_of(told, "concurrency"),
        int(limit) if isinstance(limit, int | float) else 1,
        OnLimit(str(told.get("on_limit"))),
        int(lease) if isinstance(lease, int | float) else 3600,
    )
