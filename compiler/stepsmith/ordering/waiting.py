"""Says which steps of a graph wait for others without needing them, and why they must."""

from __future__ import annotations

from collections.abc import Iterator

from stepsmith.diagnostics import Diagnostics
from stepsmith.model.steps import Block
from stepsmith.ordering.orders import Order, members


def over_waits(nodes: Block, order: Order, run: Order, diagnostics: Diagnostics) -> None:
    """Reports the waiting that is in `run` and not in `order`, at the steps that wait: without what follows from it."""
    direct, needed = run.covers(), order.covers()
    anywhere: tuple[int, int, int, int] | None = None
    for later, node in enumerate(nodes):
        for first in members(direct[later] & ~order.before[later]):
            crossing = _crossing(order, first, later)
            if crossing is None:
                anywhere = crossing = anywhere or next(_crossings(order), None)
            if crossing is None:
                continue
            shared, own, alone, both = (f"'{nodes[member].id}'" for member in crossing)
            needs = [nodes[other].id for other in members(needed[later])]
            diagnostics.hint(
                "over-waits",
                f"'{node.id}' waits for '{nodes[first].id}' too, which it does not need: {both} needs {shared} and "
                f"{own}, {alone} only {shared}, and Step Functions has no state for needs that cross",
                node.id_span,
                f"to leave it so, write needs: [{', '.join([*needs, nodes[first].id])}]",
            )


def _crossing(order: Order, first: int, later: int) -> tuple[int, int, int, int] | None:
    """An N that holds these two members, which do not wait for each other."""
    return next(_crossings_of(order, first, later), None)


def _crossings(order: Order) -> Iterator[tuple[int, int, int, int]]:
    """Members (a, b, c, d) of which c needs a, d needs a and b, and nothing else needs anything."""
    for a in range(len(order.before)):
        for b in members(_apart(order, a)):
            yield from _of_sources(order, a, b)


def _crossings_of(order: Order, one: int, other: int) -> Iterator[tuple[int, int, int, int]]:
    """The same with two given members."""
    for x, y in ((one, other), (other, one)):
        yield from _of_sources(order, x, y)
        for a in members(order.before[y] & _apart(order, x)):
            for d in members(order.after[a] & order.after[x] & _apart(order, y)):
                yield a, x, y, d
        for a in members(order.before[x] & order.before[y]):
            for b in members(order.before[y] & _apart(order, x) & _apart(order, a)):
                yield a, b, x, y


def _of_sources(order: Order, a: int, b: int) -> Iterator[tuple[int, int, int, int]]:
    for d in members(order.after[a] & order.after[b]):
        for c in members(order.after[a] & _apart(order, b) & _apart(order, d)):
            yield a, b, c, d


def _apart(order: Order, member: int) -> int:
    """What `member` does not wait for, and what does not wait for it."""
    return order.everything & ~order.comparable(member) & ~(1 << member)
