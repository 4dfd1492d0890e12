"""What runs share at a step's boundary: how often an action may begin, and whether it is worth trying at all.

The rules as plain functions over plain values: given what is kept, the moment and who asks, what follows. There is no
storage here; `SharedState` is what the history implements. A rate is counted in fixed windows of the clock, so that a
start is one conditional write whatever the number of runs; a circuit is a small value that is compared and replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from stepsmith_functions.runtime.control import Control
from stepsmith_functions.runtime.errors import InvalidParams

if TYPE_CHECKING:
    from pydantic import JsonValue

MOST_FAILURES: Final = 100
"""The failures that a circuit remembers, and so the largest threshold."""
_TRIES: Final = 8
"""How often a change is tried again that others come before."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `limit` starts in each window of `per` seconds, which begin at multiples of it since the epoch."""

    key: str
    limit: int
    per: int

    def window(self, now: datetime) -> datetime:
        """When the window began that `now` lies in."""
        seconds = int(now.timestamp())
        return datetime.fromtimestamp(seconds - seconds % self.per, UTC)


@dataclass(frozen=True, slots=True)
class CircuitBreaker:
    """After `threshold` failures within `window` seconds nobody tries for `cooldown` seconds."""

    key: str
    threshold: int
    window: int
    cooldown: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What a step asks for."""

    rate: RateLimit | None = None
    breaker: CircuitBreaker | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A value that runs share; `revision` 0: there is none yet."""

    value: JsonValue = None
    revision: int = 0


class Subject(StrEnum):
    """What a value is about that runs share."""

    CIRCUIT = "circuit"
    PLACES = "places"


class SharedState(Protocol):
    """Keeps what runs share. It may raise: the handler logs that and goes on."""

    def take(self, rate: RateLimit, now: datetime) -> bool:
        """Counts one start in the window of `now`, unless it is full; says whether it was counted."""
        ...

    def read(self, key: str, subject: Subject = Subject.CIRCUIT) -> Kept:
        """What is kept under `key`."""
        ...

    def replace(
        self, key: str, kept: Kept, value: JsonValue, until: datetime, subject: Subject = Subject.CIRCUIT
    ) -> bool:
        """Puts `value` in place of `kept`, if that is still there; says whether. It may be forgotten after `until`."""
        ...

    def remember_place(self, run_id: str, key: str, until: datetime) -> None:
        """Keeps under which key a run holds a place."""
        ...

    def place_of(self, run_id: str) -> str | None:
        """The key under which a run holds a place, or has held one."""
        ...

    def cancel(self, run_id: str, control: Control) -> None:
        """Orders the end of a run, unless it is over or has been ordered to end."""
        ...


class ContendedError(Exception):
    """Others changed a value again and again before we could."""


# -- circuits -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Circuit:
    """What is known of a circuit. Times are seconds since the epoch."""

    failures: tuple[float, ...] = ()
    """When attempts failed, oldest first, since it was last closed."""
    open_until: float | None = None
    """None: it is closed. After this time one trial is let through."""
    trial: str | None = None
    """The call that is the trial."""
    trial_until: float = 0.0
    """When that call is over at the latest."""

    def to_json(self) -> JsonValue:
        return {
            "failures": list(self.failures),
            "open_until": self.open_until,
            "trial": self.trial,
            "trial_until": self.trial_until,
        }


def circuit_of(value: JsonValue) -> Circuit:
    """The circuit as it was kept; a closed one where nothing is."""
    if not isinstance(value, Mapping):
        return Circuit()
    failures, trial = value.get("failures"), value.get("trial")
    open_until = value.get("open_until")
    return Circuit(
        tuple(float(each) for each in failures if isinstance(each, int | float)) if isinstance(failures, list) else (),
        float(open_until) if isinstance(open_until, int | float) else None,
        trial if isinstance(trial, str) else None,
        float(until) if isinstance(until := value.get("trial_until"), int | float) else 0.0,
    )


def admitted(circuit: Circuit, caller: str, now: float, lease: float) -> Circuit | None:
    """The circuit once `caller` has been let through, as the trial (`trial` is it) or freely; None: it is refused.

    `lease`: seconds after which a trial that told nothing is given up.
    """
    if circuit.open_until is None:
        return circuit
    if now < circuit.open_until:
        return None
    if circuit.trial not in (None, caller) and now < circuit.trial_until:
        return None
    return replace(circuit, trial=caller, trial_until=now + lease)


def after_failure(circuit: Circuit, breaker: CircuitBreaker, caller: str, now: float) -> Circuit:
    """A trial's failure opens the circuit anew; another one's counts while it is closed."""
    if circuit.open_until is not None:
        return Circuit(circuit.failures, now + breaker.cooldown) if circuit.trial == caller else circuit
    failures = (*circuit.failures, now)[-MOST_FAILURES:]
    recent = sum(failed > now - breaker.window for failed in failures)
    return Circuit(failures, now + breaker.cooldown if recent >= breaker.threshold else None)


def after_success(circuit: Circuit, caller: str) -> Circuit:
    """A trial's success closes the circuit and forgets its failures; another one's changes nothing."""
    return Circuit() if circuit.open_until is not None and circuit.trial == caller else circuit


def given_back(circuit: Circuit, caller: str) -> Circuit:
    """The trial did not take place: the next one who asks is it."""
    return replace(circuit, trial=None, trial_until=0.0) if circuit.trial == caller else circuit


def change(
    shared: SharedState, breaker: CircuitBreaker, step: Callable[[Circuit], Circuit | None], now: datetime
) -> Circuit | None:
    """Changes what is kept by `step`, whoever else does so at the same time; what `step` made of it last.

    Nothing is written where `step` changes nothing. Raises ContendedError.
    """
    for _ in range(_TRIES):
        kept = shared.read(breaker.key)
        known = circuit_of(kept.value)
        changed = step(known)
        if changed is None or changed == known:
            return changed
        # A day longer than it can matter.
        until = now + timedelta(days=1, seconds=breaker.window + breaker.cooldown)
        if shared.replace(breaker.key, kept, changed.to_json(), until):
            return changed
    raise ContendedError(f"the circuit {breaker.key!r} was changed {_TRIES} times by others")


# -- as the machine tells them --------------------------------------------------------------------


def limits_of(told: JsonValue) -> Limits:
    """What the machine's event says of a step. Raises InvalidParams for a key that is nothing."""
    if not isinstance(told, Mapping):
        return Limits()
    rate, breaker = told.get("rate_limit"), told.get("circuit_breaker")
    return Limits(
        RateLimit(key_of(rate, "rate_limit"), _whole(rate, "limit"), _whole(rate, "per"))
        if isinstance(rate, Mapping)
        else None,
        CircuitBreaker(
            key_of(breaker, "circuit_breaker"),
            _whole(breaker, "threshold"),
            _whole(breaker, "window"),
            _whole(breaker, "cooldown"),
        )
        if isinstance(breaker, Mapping)
        else None,
    )


def key_of(told: Mapping[str, JsonValue], owner: str) -> str:
    """The key as text. Raises InvalidParams for one that is nothing."""
    key = told.get("key")
    if isinstance(key, str) and key:
        return key
    if isinstance(key, int | float) and not isinstance(key, bool):
        return str(int(key)) if float(key).is_integer() else str(key)
    raise InvalidParams(f"the key of {owner} must be text that is not empty")


def _whole(told: Mapping[str, JsonValue], name: str) -> int:
    value = told.get(name)
    return max(1, int(value)) if isinstance(value, int | float) else 1
