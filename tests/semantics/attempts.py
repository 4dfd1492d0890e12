"""What a rollback of the reference interpreter knows of a run: which attempts were made, and how each ended.

Step Functions knows how an attempt ended unless it gave it up, because a sibling failed. Of those the handler tells:
when it begins and when it ends, and only of the last attempt that began under a path.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from stepsmith.model.steps import ActionStep, ChildStep
from tests.semantics.schedule import Ambiguous

GRACE = 30_000_000
"""Microseconds past its function's timeout after which nothing is heard of an attempt any more."""
NEVER_BEGAN = ("Lambda.TooManyRequestsException", "Lambda.ServiceException")
"""The errors of attempts whose handler never began."""
CRASHED = ("Lambda.Unknown", "Sandbox.Timedout")
"""The errors of attempts whose handler never told that it ended."""
PAUSED = "RunPaused"
"""The error of an attempt that did not begin, and whose handler tells nothing, since it will ask again. A step that is
given up in the moment in which it asks counts as one that may have taken effect, which the language leaves open."""


@dataclass(frozen=True)
class Answer:
    """How one attempt of an action ends: with a result, or with an error and a message, `after` microseconds."""

    after: int
    result: Any = None
    error: str | None = None
    message: str = ""


@dataclass
class Attempt:
    """One attempt of a step that can be undone. Times are microseconds."""

    step: ActionStep | ChildStep
    path: str
    scope: Any
    """What could be read when the step began."""
    began: int
    answer: Answer | None = None
    """How its function ends, heard or not; None for another workflow."""
    longest: int = 0
    """How long its function may take."""
    given_up: bool = False
    expired: bool = False
    """Its own time was up in the moment in which it was given up."""
    ended: int | None = None
    succeeded: bool = False
    output: Any = None
    """Of one that is known to have succeeded."""

    def succeeds(self, output: Any) -> None:
        self.succeeded, self.output = True, output

    @property
    def result(self) -> Any:
        return self.output if self.answer is None else self.answer.result


@dataclass
class Known:
    """What is known of the attempts at some moment."""

    completed: list[Attempt]
    """One a path, the one that completed last first."""
    running: bool
    """Whether one may still end."""
    unknown: frozenset[str]
    """The paths of those that may or may not have taken effect."""
    tied: bool
    """Whether two completed at one moment: nobody knows which was the later one."""


@dataclass
class Attempts:
    """The attempts of a run, in the order in which they began."""

    made: list[Attempt] = field(default_factory=list)

    def begin(self, attempt: Attempt) -> None:
        self.made.append(attempt)

    def known(self, now: int) -> Known:
        completed: dict[str, tuple[int, Attempt]] = {}
        unknown: set[str] = set()
        running = False
        for number, attempt in enumerate(self.made):
            if attempt.succeeded:
                completed[attempt.path] = attempt.ended or 0, attempt
                unknown.discard(attempt.path)
            elif attempt.given_up and attempt.answer is not None and attempt.answer.error == PAUSED:
                raise Ambiguous
            elif attempt.given_up and attempt.answer is None and attempt.expired:
                raise Ambiguous  # it failed then, or something else did and nobody knows of this one
            elif attempt.given_up and attempt.answer is None:
                unknown.add(attempt.path)  # it was stopped with the step, wherever it was
            elif attempt.given_up and attempt.answer is not None:
                heard_until = self._heard_until(attempt, self.made[number + 1 :])
                end = attempt.began + attempt.answer.after
                running |= now < (end if heard_until is None else heard_until)
                if heard_until is not None:
                    unknown.add(attempt.path)
                elif attempt.answer.error is None:
                    completed[attempt.path] = end, attempt
                    unknown.discard(attempt.path)
        latest_first = sorted(completed.values(), key=lambda each: each[0], reverse=True)
        tied = len({moment for moment, _ in latest_first}) < len(latest_first)
        return Known([attempt for _, attempt in latest_first], running, frozenset(unknown), tied)

    @staticmethod
    def _heard_until(attempt: Attempt, later: list[Attempt]) -> int | None:
        """None for an attempt that tells how it ends; else until when it must be reckoned with."""
        answers = [each.answer for each in later if each.path == attempt.path]
        told_over = any(answer is not None and answer.error not in (*NEVER_BEGAN, PAUSED) for answer in answers)
        silent = attempt.answer is not None and attempt.answer.error in (*NEVER_BEGAN, *CRASHED)
        return attempt.began + attempt.longest + GRACE if told_over or silent else None
