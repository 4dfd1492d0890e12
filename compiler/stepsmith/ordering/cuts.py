"""Finds a good place to cut an order that is too large for trying every cut.

Of the cuts that the order itself suggests (before or behind a member, or a level) the one is taken that orders the
smallest share of the pairs it could order, after it was improved by moving members over it one by one. That share,
not the bare number of pairs, is what keeps a cut from merely peeling off one member.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stepsmith.ordering.orders import Order, members


@dataclass(frozen=True, slots=True)
class _Cut:
    first: int
    """The set that comes before the rest."""
    pairs: int
    """How many are added."""
    share: tuple[int, int]
    """`pairs` of how many."""

    def better(self, other: _Cut) -> bool:
        return self.share[0] * other.share[1] < other.share[0] * self.share[1]


def good_cut(order: Order, numbers: int) -> int:
    """A part of `numbers` with all that its members need, neither empty nor everything: what had better come first."""
    found: _Cut | None = None
    for first in dict.fromkeys(_suggested(order, numbers)):
        if not first or first == numbers:
            continue
        rest = numbers & ~first
        cut = _cut(first, rest, sum((rest & ~order.after[member]).bit_count() for member in members(first)))
        if found is None or cut.better(found):
            found = cut
    assert found is not None
    while (improved := _improved(order, numbers, found)) is not found:
        found = improved
    return found.first


def _cut(first: int, rest: int, pairs: int) -> _Cut:
    return _Cut(first, pairs, (pairs, first.bit_count() * rest.bit_count()))


def _suggested(order: Order, numbers: int) -> Iterator[int]:
    depths: dict[int, int] = {}
    levels: dict[int, int] = {}
    for member in sorted(members(numbers), key=lambda each: order.before[each].bit_count()):
        depths[member] = 1 + max((depths[other] for other in members(order.before[member] & numbers)), default=0)
        levels[depths[member]] = levels.get(depths[member], 0) | 1 << member
    reached = 0
    for level in sorted(levels):
        reached |= levels[level]
        yield reached
    for member in members(numbers):
        yield order.before[member] & numbers | 1 << member
        yield numbers & ~order.after[member] & ~(1 << member)


def _improved(order: Order, numbers: int, cut: _Cut) -> _Cut:
    """The best cut that is one member away from `cut`, or itself where none is better."""
    best, rest = cut, numbers & ~cut.first
    for member in members(numbers):
        own = 1 << member
        inside = bool(cut.first & own)
        if (order.after[member] & cut.first) if inside else (order.before[member] & rest):
            continue
        first = cut.first ^ own
        if not first or first == numbers:
            continue
        later = (rest & ~own & ~order.after[member]).bit_count()
        earlier = (cut.first & ~own & ~order.before[member]).bit_count()
        moved = _cut(first, numbers & ~first, cut.pairs + (earlier - later if inside else later - earlier))
        if moved.better(best):
            best = moved
    return best
