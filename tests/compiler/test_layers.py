"""The mapping of what is known behaves as plain dictionaries would, and merges as they would, name by name."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from stepsmith.analysis.layers import Layers, merged

NAMES = st.sampled_from([f"n{number}" for number in range(12)])


@dataclass(frozen=True)
class Seen:
    """Which values a name has had on the ways so far; None for none."""

    values: frozenset[int | None]

    def merge(self, other: Seen) -> Seen:
        return Seen(self.values | other.values)


ABSENT = Seen(frozenset({None}))
CHANGES = st.lists(st.dictionaries(NAMES, st.integers(0, 5).map(lambda n: Seen(frozenset({n}))), max_size=4))


def _built(start: Layers[Seen], changes: list[dict[str, Seen]]) -> tuple[Layers[Seen], dict[str, Seen]]:
    layers, plain = start, dict(start)
    for change in changes:
        layers, plain = layers.having(change), plain | change
    return layers, plain


@given(CHANGES, CHANGES)
def test_layers_hold_what_a_dictionary_would(first: list[dict[str, Seen]], then: list[dict[str, Seen]]) -> None:
    """Equal to a dictionary after any additions; what was there before them is left as it was."""
    before, plain_before = _built(Layers(), first)
    after, plain_after = _built(before, then)
    assert (dict(before), dict(after)) == (plain_before, plain_after)
    assert len(after) == len(plain_after)
    assert plain_before | after.since(before) == plain_after


@given(CHANGES, st.lists(CHANGES, min_size=1, max_size=4))
def test_ways_meet_as_dictionaries_would(first: list[dict[str, Seen]], ways: list[list[dict[str, Seen]]]) -> None:
    """The merge of relatives, done on shared layers, is the merge done name by name."""
    start, _ = _built(Layers(), first)
    built = [_built(start, way) for way in ways]
    found = merged([layers for layers, _ in built], lambda name: ABSENT)
    names = {name for _, plain in built for name in plain}
    expected = {}
    for name in names:
        facts = [plain.get(name, ABSENT) for _, plain in built]
        expected[name] = facts[0] if len(facts) == 1 else Seen(frozenset().union(*(fact.values for fact in facts)))
    assert dict(found) == expected


def test_a_long_line_of_additions_is_cheap() -> None:
    """Layers stay few, however many single entries are added."""
    layers: Layers[int] = Layers()
    for number in range(5000):
        layers = layers.having({f"n{number}": number})
    assert len(layers) == 5000
    assert len(layers._layers) < 20
