"""Ways out of a Choice: how the history tells them apart when steps were folded into them."""

from __future__ import annotations

from stepsmith.asl.states import UNSET, Unset, Way
from stepsmith.document import Json
from stepsmith.lowering.edges import Folded
from stepsmith.lowering.raising import must_go


def markers(folded: list[Folded]) -> list[Json | Unset]:
    """Outputs that tell two ways to the same state apart, when different steps were folded into them."""
    by_next: dict[str | None, set[tuple[str, ...]]] = {}
    for way in folded:
        by_next.setdefault(way.next, set()).add(way.steps)
    return [{"case": index} if len(by_next[way.next]) > 1 else UNSET for index, way in enumerate(folded, 1)]


def ways(folded: list[Folded], outputs: list[Json | Unset]) -> tuple[Way, ...]:
    return tuple(Way(must_go(way), way.steps, out) for way, out in zip(folded, outputs, strict=True) if way.steps)
