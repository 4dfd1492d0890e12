"""Strict partial orders of the numbers from 0 on. A set of numbers is a whole number with a bit for each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Order:
    """What stands before and after each member, directly or not."""

    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def everything(self) -> int:
        return (1 << len(self.before)) - 1

    def comparable(self, member: int) -> int:
        return self.before[member] | self.after[member]

    def covers(self) -> tuple[int, ...]:
        """What stands directly before each member: the transitive reduction."""
        found = []
        for before in self.before:
            implied = 0
            for other in members(before):
                implied |= self.before[other]
            found.append(before & ~implied)
        return tuple(found)

    def added_to(self, other: Order) -> Iterator[tuple[int, int]]:
        """The pairs (first, later) that this order has and `other` has not, by the later member."""
        for later, (mine, theirs) in enumerate(zip(self.before, other.before, strict=True)):
            for first in members(mine & ~theirs):
                yield first, later


def members(numbers: int) -> Iterator[int]:
    """The members of a set, the lowest first."""
    while numbers:
        low = numbers & -numbers
        yield low.bit_length() - 1
        numbers ^= low


def one(numbers: int) -> int:
    """The lowest member of a set that is not empty."""
    return (numbers & -numbers).bit_length() - 1


def set_of(numbers: Iterable[int]) -> int:
    found = 0
    for number in numbers:
        found |= 1 << number
    return found


def order_of(needs: Sequence[int]) -> Order:
    """The order in which each member follows the set that it needs. Raises ValueError if members need each other."""
    before = list(needs)
    for member in _sorted(needs):
        for other in members(needs[member]):
            before[member] |= before[other]
    after = [0] * len(needs)
    for member, numbers in enumerate(before):
        for other in members(numbers):
            after[other] |= 1 << member
    return Order(tuple(before), tuple(after))


def cycle_of(needs: Sequence[int]) -> list[int]:
    """Members of which each needs the next and the last the first, the lowest first; empty if there are none."""
    left = set_of(range(len(needs)))
    for member in _free(needs):
        left &= ~(1 << member)
    if not left:
        return []
    path = [one(left)]
    while (following := one(needs[path[-1]] & left)) not in path:
        path.append(following)
    found = path[path.index(following) :]
    start = found.index(min(found))
    return found[start:] + found[:start]


def parts(numbers: int, beside: Callable[[int], int]) -> list[int]:
    """`numbers` in the sets that hang together by `beside`, which gives what a member touches; by their lowest."""
    found = []
    while numbers:
        part = frontier = numbers & -numbers
        while frontier:
            new = beside(one(frontier)) & numbers & ~part
            part |= new
            frontier = (frontier & (frontier - 1)) | new
        found.append(part)
        numbers &= ~part
    return found


def _sorted(needs: Sequence[int]) -> list[int]:
    found = list(_free(needs))
    if len(found) < len(needs):
        raise ValueError("members need each other")
    return found


def _free(needs: Sequence[int]) -> Iterator[int]:
    """The members of which all needs come first, in such an order."""
    needed_by: list[list[int]] = [[] for _ in needs]
    for member, numbers in enumerate(needs):
        for other in members(numbers):
            needed_by[other].append(member)
    missing = [numbers.bit_count() for numbers in needs]
    waiting = [member for member, count in enumerate(missing) if not count]
    for member in waiting:
        yield member
        for other in needed_by[member]:
            missing[other] -= 1
            if not missing[other]:
                waiting.append(other)
