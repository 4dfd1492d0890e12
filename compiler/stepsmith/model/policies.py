"""How a step behaves around its work: retries, failure handlers, and what it shares with other runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from stepsmith.model.values import Value
from stepsmith.source import Span

if TYPE_CHECKING:
    from stepsmith.model.steps import Step


class Jitter(StrEnum):
    FULL = "full"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class RetryRule:
    """One retry policy: how often and how fast, and for which errors (`on` None: every error but those of
    expressions). Times are whole seconds."""

    max_retries: int
    delay: int = 1
    backoff: float = 2.0
    max_delay: int | None = None
    jitter: Jitter = Jitter.FULL
    on: tuple[str, ...] | None = None
    span: Span | None = field(default=None, compare=False, repr=False)
    on_spans: tuple[Span, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The retry rules of a step, the first that matches an error counts.

    `transient` tells whether Lambda's own transient errors are retried besides; only `retry: 0` says no.
    """

    rules: tuple[RetryRule, ...]
    transient: bool = True
    span: Span | None = field(default=None, compare=False, repr=False)


class Then(StrEnum):
    """What follows a failure that a handler took."""

    CONTINUE = "continue"
    FAIL = "fail"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class Handler:
    """What to do about some errors (`errors` None: about every error): run `steps`, then go on or fail."""

    errors: tuple[str, ...] | None
    steps: tuple[Step, ...]
    then: Then
    span: Span = field(compare=False, repr=False)
    error_spans: tuple[Span, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """All runs together begin steps with the same `key` (None: the action's name) at most `limit` times in each window
    of `per` seconds."""

    limit: int
    per: int
    key: Value | None = None


class OnLimit(StrEnum):
    """What becomes of a run that finds no place."""

    QUEUE = "queue"
    SKIP = "skip"
    CANCEL_OLDEST = "cancel_oldest"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Concurrency:
    """At most `limit` runs with the same `key` (None: the workflow's name) are under way at once."""

    limit: int
    on_limit: OnLimit
    key: Value | None = None
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class CircuitBreaker:
    """After `threshold` failures of steps with the same `key` (None: the action's name) within `window` seconds they
    fail without being tried, for `cooldown` seconds."""

    threshold: int
    window: int
    cooldown: int
    key: Value | None = None
