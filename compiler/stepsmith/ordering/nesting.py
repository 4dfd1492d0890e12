"""Nests a partial order into sequences and Parallels.

An order that is series-parallel (no four members lie like an N) is nested exactly. Any other becomes so by the fewest
added pairs of one member waiting for another: for a part that cannot be split and has up to `MOST_EXACT` members (a
module counts as one) by trying every cut, beyond it by the cuts that `cuts` finds. Among those with as few pairs the
one with the shortest chain is taken, and of these the first found, so that the same order is always nested alike.

Why this is the least: restricted to any part, a series-parallel order stays so. Hence the components of a Parallel or
a sequence can be nested each by itself; so can a module, whose members look alike from outside and may all stand
where its cheapest member does. What is left is connected, so that a series-parallel order around it must be a
sequence at the top: some set that holds all that its members need comes before all the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from stepsmith.ordering.cuts import good_cut
from stepsmith.ordering.modules import modules
from stepsmith.ordering.orders import Order, members, one, order_of, parts, set_of

MOST_EXACT: Final = 12
"""Members of a part that cannot be split, up to which every cut is tried."""


@dataclass(frozen=True, slots=True)
class Sequence:
    items: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Together:
    """Members that run at once."""

    items: tuple[Tree, ...]


Tree: TypeAlias = int | Sequence | Together


def nested(order: Order, most_exact: int = MOST_EXACT) -> Tree:
    """`order`, which has a member, as a tree; it holds all of the order's pairs and the fewest others."""
    return _Nesting(order, most_exact).tree(order.everything)


def leaves(tree: Tree) -> int:
    """The set of the members in `tree`."""
    if isinstance(tree, int):
        return 1 << tree
    return set_of(member for item in tree.items for member in members(leaves(item)))


def order_in(tree: Tree, count: int) -> Order:
    """The order in which the `count` members of `tree` run."""
    needs = [0] * count
    _note(tree, 0, needs)
    return order_of(needs)


def _note(tree: Tree, before: int, needs: list[int]) -> None:
    match tree:
        case int():
            needs[tree] = before
        case Together():
            for item in tree.items:
                _note(item, before, needs)
        case Sequence():
            for item in tree.items:
                _note(item, before, needs)
                before |= leaves(item)


def height(tree: Tree) -> int:
    """The members in the longest chain."""
    match tree:
        case int():
            return 1
        case Sequence():
            return sum(height(item) for item in tree.items)
        case Together():
            return max(height(item) for item in tree.items)


def in_sequence(items: Iterator[Tree] | list[Tree]) -> Tree:
    flat: list[Tree] = []
    for item in items:
        flat += item.items if isinstance(item, Sequence) else (item,)
    return Sequence(tuple(flat)) if len(flat) > 1 else flat[0]


def at_once(items: Iterator[Tree] | list[Tree]) -> Tree:
    """By their lowest members, so that branches stand as their steps are written."""
    flat: list[Tree] = []
    for item in items:
        flat += item.items if isinstance(item, Together) else (item,)
    flat.sort(key=lambda item: one(leaves(item)))
    return Together(tuple(flat)) if len(flat) > 1 else flat[0]


def split_at_once(order: Order, numbers: int) -> list[int]:
    """The parts of `numbers` between which nobody waits."""
    return parts(numbers, order.comparable)


def split_in_sequence(order: Order, numbers: int) -> list[int]:
    """The parts of `numbers` of which each comes wholly before the next."""
    found = parts(numbers, lambda member: ~order.comparable(member))
    return sorted(found, key=lambda part: (order.before[one(part)] & numbers & ~part).bit_count())


class _Nesting:
    def __init__(self, order: Order, most_exact: int) -> None:
        self._order = order
        self._most_exact = most_exact

    def tree(self, numbers: int) -> Tree:
        if not numbers & (numbers - 1):
            return one(numbers)
        split = split_at_once(self._order, numbers)
        if len(split) > 1:
            return at_once([self.tree(part) for part in split])
        split = split_in_sequence(self._order, numbers)
        if len(split) > 1:
            return in_sequence([self.tree(part) for part in split])
        return self._of_prime(numbers)

    def _of_prime(self, numbers: int) -> Tree:
        found = modules(self._order, numbers)
        if len(found) > self._most_exact:
            cut = good_cut(self._order, numbers)
            return in_sequence([self.tree(cut), self.tree(numbers & ~cut)])
        places = {one(module): at for at, module in enumerate(found)}
        lowest = set_of(places)
        before = [self._order.before[member] & lowest for member in places]
        quotient = order_of([set_of(places[other] for other in members(each)) for each in before])
        inner = [self.tree(module) for module in found]
        exact = _Exact(quotient, [module.bit_count() for module in found], [height(tree) for tree in inner])
        return _filled(exact.best(quotient.everything).tree, inner)


def _filled(tree: Tree, inner: list[Tree]) -> Tree:
    """`tree` with its members replaced by trees."""
    match tree:
        case int():
            return inner[tree]
        case Sequence():
            return in_sequence([_filled(item, inner) for item in tree.items])
        case Together():
            return at_once([_filled(item, inner) for item in tree.items])


@dataclass(frozen=True, slots=True)
class _Best:
    pairs: int
    height: int
    tree: Tree


class _Exact:
    """Tries every cut. A member stands for `weights` steps, of which the longest chain has `heights`."""

    def __init__(self, order: Order, weights: list[int], heights: list[int]) -> None:
        self._order = order
        self._weights = weights
        self._heights = heights
        self._known: dict[int, _Best] = {}

    def best(self, numbers: int) -> _Best:
        if numbers not in self._known:
            self._known[numbers] = self._find(numbers)
        return self._known[numbers]

    def _find(self, numbers: int) -> _Best:
        if not numbers & (numbers - 1):
            return _Best(0, self._heights[one(numbers)], one(numbers))
        split = split_at_once(self._order, numbers)
        if len(split) > 1:
            found = [self.best(part) for part in split]
            tree = at_once([each.tree for each in found])
            return _Best(sum(each.pairs for each in found), max(each.height for each in found), tree)
        split = split_in_sequence(self._order, numbers)
        if len(split) > 1:
            return self._joined([self.best(part) for part in split], 0)
        best: _Best | None = None
        for cut in _cuts(self._order, numbers):
            rest = numbers & ~cut
            cost = self._cost(cut, rest)
            if best is not None and cost > best.pairs:
                continue
            found = [self.best(cut), self.best(rest)]
            key = cost + found[0].pairs + found[1].pairs, found[0].height + found[1].height
            if best is None or key < (best.pairs, best.height):
                best = self._joined(found, cost)
        assert best is not None
        return best

    def _joined(self, found: list[_Best], cost: int) -> _Best:
        tree = in_sequence([each.tree for each in found])
        return _Best(cost + sum(each.pairs for each in found), sum(each.height for each in found), tree)

    def _cost(self, cut: int, rest: int) -> int:
        """The pairs that are added when all of `cut` comes before all of `rest`."""
        return sum(
            self._weights[member] * sum(self._weights[other] for other in members(rest & ~self._order.after[member]))
            for member in members(cut)
        )


def _cuts(order: Order, numbers: int) -> Iterator[int]:
    """Every set that holds all that its members need, but not all of `numbers`: each once, in a fixed order."""
    waiting = [(0, numbers)]
    while waiting:
        chosen, left = waiting.pop()
        ready = next((member for member in members(left) if not order.before[member] & left), None)
        if ready is None:
            if chosen and chosen != numbers:
                yield chosen
            continue
        # With it, or without it and all that needs it.
        waiting.append((chosen, left & ~(1 << ready) & ~order.after[ready]))
        waiting.append((chosen | 1 << ready, left & ~(1 << ready)))
