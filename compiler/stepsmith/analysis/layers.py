"""An immutable mapping that is cheap to extend, and cheap to merge with its relatives.

What is known at a place differs from what was known one step before in an entry or two. Copying everything for each
step would cost the square of the number of steps, in time and in memory; relatives share what they have in common.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Generic, Protocol, Self, TypeVar


class Mergeable(Protocol):
    """What is known of one thing on one way, of which `merge` keeps what holds on another way too.

    Merging must not depend on how ways are grouped, and with an equal value must change nothing.
    """

    def merge(self, other: Self) -> Self: ...


V = TypeVar("V")
M = TypeVar("M", bound=Mergeable)


class Layers(Mapping[str, V], Generic[V]):
    """Names and values in layers, newest first, each at least about twice as large as the one before it.

    So a look-up asks a dozen of layers at most, and an entry is copied as seldom.
    """

    __slots__ = ("_layers",)

    def __init__(self, layers: tuple[Mapping[str, V], ...] = ()) -> None:
        self._layers = layers

    def __getitem__(self, name: str) -> V:
        for layer in self._layers:
            if name in layer:
                return layer[name]
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(name in layer for layer in self._layers)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for layer in reversed(self._layers) for name in layer))

    def __len__(self) -> int:
        return len(set().union(*self._layers))

    def having(self, new: Mapping[str, V]) -> Layers[V]:
        """This with the entries of `new`, which win."""
        if not new:
            return self
        top, rest = new, self._layers
        while rest and len(rest[0]) <= 2 * len(top):
            top, rest = {**rest[0], **top}, rest[1:]
        return Layers((top, *rest))

    def since(self, older: Layers[V]) -> dict[str, V]:
        """The entries of the layers that `older` does not share: all that can differ from it."""
        found: dict[str, V] = {}
        for layer in reversed(self._layers[: len(self._layers) - self._shared_with(older)]):
            found.update(layer)
        return found

    def common(self, *others: Layers[V]) -> Layers[V]:
        """The layers that this shares with all of `others`."""
        shared = min(self._shared_with(other) for other in others)
        return Layers(self._layers[len(self._layers) - shared :])

    def _shared_with(self, other: Layers[V]) -> int:
        count = 0
        for mine, theirs in zip(reversed(self._layers), reversed(other._layers), strict=False):
            if mine is not theirs:
                break
            count += 1
        return count


def merged(ways: Sequence[Layers[M]], absent: Callable[[str], M]) -> Layers[M]:
    """What remains of each entry where `ways` meet; `absent` gives what a way means that has no entry of a name."""
    if len(ways) == 1:
        return ways[0]
    base = ways[0].common(*ways[1:])
    said: dict[str, list[tuple[int, M]]] = {}
    for number, way in enumerate(ways):
        for name, value in way.since(base).items():
            said.setdefault(name, []).append((number, value))
    found: dict[str, M] = {}
    for name, values in said.items():
        facts = [value for _, value in values]
        if len(facts) < len(ways):
            # The ways that say nothing new agree: the old value stands for all of them, in the place of the first.
            at = next((at for at, (number, _) in enumerate(values) if number != at), len(values))
            facts.insert(at, base[name] if name in base else absent(name))
        fact = facts[0]
        for other in facts[1:]:
            if other is not fact:
                fact = fact.merge(other)
        found[name] = fact
    return base.having(found)
