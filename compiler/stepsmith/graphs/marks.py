"""How a run went, step by step, for a picture to be coloured with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from stepsmith.document import Json
from stepsmith.graphs.picture import Picture, every_node, nodes_in

_GRAVITY: Final = (
    "skipped",
    "succeeded",
    "rolled_back",
    "pending",
    "waiting",
    "running",
    "cancelled",
    "failed",
    "rollback_failed",
)
"""From what matters least to what matters most: of a step in a loop the gravest status is shown."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What became of a step, all its iterations together. `seconds` is their sum, None while one is under way."""

    status: str
    attempts: int = 1
    seconds: float | None = None
    times: int = 1
    """How often it was started."""
    error: str = ""

    @property
    def facts(self) -> tuple[str, ...]:
        """What there is to say besides the status: `3 times`, `4 attempts`, `2.5 s`."""
        words = []
        if self.times > 1:
            words.append(f"{self.times} times")
        if self.attempts > self.times:
            words.append(f"{self.attempts} attempts")
        if self.seconds:
            words.append(f"{self.seconds:.3f}".rstrip("0").rstrip(".") + " s")
        return tuple(words)


def marks_of(steps: Iterable[Mapping[str, Json]]) -> dict[str, Mark]:
    """A mark for each step of a run's result (`steps` of `run --json`), by the step's id."""
    found: dict[str, Mark] = {}
    for step in steps:
        mark = _mark(step)
        known = found.get(str(step["id"]))
        found[str(step["id"])] = mark if known is None else _both(known, mark)
    return found


def with_made(marks: Mapping[str, Mark], picture: Picture) -> dict[str, Mark]:
    """`marks`, and one for each node that the compiler made: the gravest of those of the steps in it."""
    found = dict(marks)
    for node in every_node(picture):
        inside = [marks[inner.id].status for inner in nodes_in(node) if inner.id in marks]
        if node.made and inside:
            found[node.id] = Mark(max(inside, key=_gravity))
    return found


def _mark(step: Mapping[str, Json]) -> Mark:
    attempts, error = step.get("attempts"), step.get("error")
    return Mark(
        str(step["status"]),
        attempts if isinstance(attempts, int) else 1,
        _seconds(step.get("started_at"), step.get("ended_at")),
        error=str(error.get("type", "")) if isinstance(error, dict) else "",
    )


def _both(one: Mark, other: Mark) -> Mark:
    gravest = max(one, other, key=lambda mark: _gravity(mark.status))
    seconds = None if one.seconds is None or other.seconds is None else one.seconds + other.seconds
    return Mark(
        gravest.status, one.attempts + other.attempts, seconds, one.times + other.times, one.error or other.error
    )


def _gravity(status: str) -> int:
    return _GRAVITY.index(status) if status in _GRAVITY else len(_GRAVITY)


def _seconds(started: Json, ended: Json) -> float | None:
    if not isinstance(started, str) or not isinstance(ended, str):
        return None
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds()
