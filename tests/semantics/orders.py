"""What was ordered of the runs of a program, and when."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

FOR_EVER = 10**18


@dataclass(frozen=True)
class Order:
    """`cancel` or `pause`; it stands from a moment to another, in microseconds since the start."""

    kind: str
    run: str
    since: int
    until: int = FOR_EVER


Orders = tuple[Order, ...]


def standing(orders: Orders, runs: Collection[str], now: int) -> str | None:
    """What is ordered of any of these runs: a cancel comes before a pause."""
    kinds = {order.kind for order in orders if order.run in runs and order.since <= now < order.until}
    return min(kinds, default=None)


def next_cancel(orders: Orders, runs: Collection[str], now: int) -> int | None:
    """In how many microseconds any of these runs is told to cancel next."""
    return min((order.since - now for order in orders if order.kind == "cancel" and order.run in runs), default=None)
