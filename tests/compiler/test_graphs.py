"""Lists with `needs` are nested so that no need is lost, and so that nothing waits longer than it must."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepsmith.diagnostics import Diagnostics
from stepsmith.model.steps import GraphStep, is_written, walk
from stepsmith.ordering.nesting import leaves, nested, order_in
from stepsmith.ordering.orders import Order, cycle_of, members, order_of, set_of
from tests.support.machines import CATALOG, compile_bytes

EACH_WAY = settings(max_examples=150, deadline=None, database=None, derandomize=True)


@st.composite
def orders(draw: st.DrawFn, most: int = 8) -> Order:
    """A random order whose numbers say nothing of it."""
    count = draw(st.integers(1, most))
    names = draw(st.permutations(range(count)))
    needs = [0] * count
    for at, name in enumerate(names):
        for earlier in names[:at]:
            needs[name] |= draw(st.booleans()) << earlier
    return order_of(needs)


@st.composite
def nestings(draw: st.DrawFn) -> Order:
    """An order put together from sequences and parallels."""
    needs = [0] * draw(st.integers(1, 9))
    waiting = [(tuple(draw(st.permutations(range(len(needs))))), 0)]
    while waiting:
        names, before = waiting.pop()
        if len(names) == 1:
            needs[names[0]] = before
            continue
        cut = draw(st.integers(1, len(names) - 1))
        follows = draw(st.booleans())
        waiting += [(names[:cut], before), (names[cut:], before | (set_of(names[:cut]) if follows else 0))]
    return order_of(needs)


def _pairs(order: Order) -> set[tuple[int, int]]:
    return {(first, later) for later, before in enumerate(order.before) for first in members(before)}


def _has_an_n(order: Order) -> bool:
    """Whether four members a < c, a < d, b < d have no other order among them: by definition, without our parts."""
    pairs = _pairs(order)
    return any(
        {pair for pair in itertools.permutations(four, 2) if pair in pairs}
        == {(four[0], four[2]), (four[0], four[3]), (four[1], four[3])}
        for four in itertools.permutations(range(len(order.before)), 4)
    )


def _with_more(order: Order, more: int) -> Iterator[Order]:
    """Every order that has `more` pairs besides those of `order`, by adding them one after another."""
    found = {order.before: order}
    for size in range(1, more + 1):
        larger: dict[tuple[int, ...], Order] = {}
        for each in found.values():
            for first, later in itertools.permutations(range(len(order.before)), 2):
                if each.comparable(later) >> first & 1:
                    continue
                needs = list(each.before)
                needs[later] |= 1 << first
                added = order_of(needs)
                total = len(_pairs(added)) - len(_pairs(order))
                if total <= more:
                    larger[added.before] = added
        yield from (each for each in larger.values() if len(_pairs(each)) - len(_pairs(order)) == size)
        found |= larger


def _every_order(count: int) -> Iterator[Order]:
    """Every order of so many members in which none needs one with a higher number."""
    pairs = list(itertools.combinations(range(count), 2))
    seen: set[tuple[int, ...]] = set()
    for chosen in itertools.product((False, True), repeat=len(pairs)):
        needs = [0] * count
        for (first, later), there in zip(pairs, chosen, strict=True):
            needs[later] |= there << first
        order = order_of(needs)
        if order.before not in seen:
            seen.add(order.before)
            yield order


def _turned(order: Order) -> Order:
    """The same with the numbers the other way round."""
    last = len(order.before) - 1
    return order_of([set_of(last - each for each in members(order.before[last - at])) for at in range(last + 1)])


def test_no_step_is_lost_in_any_order_of_six() -> None:
    for order in _every_order(6):
        for each in (order, _turned(order)):
            tree = nested(each)
            assert leaves(tree) == each.everything, each.before
            assert _pairs(each) <= _pairs(order_in(tree, 6)), each.before


@EACH_WAY
@given(orders())
def test_no_need_is_lost(order: Order) -> None:
    tree = nested(order)
    assert leaves(tree) == order.everything
    run = order_in(tree, len(order.before))
    assert _pairs(order) <= _pairs(run)
    assert not _has_an_n(run)


@EACH_WAY
@given(nestings())
def test_what_can_be_nested_is_nested_exactly(order: Order) -> None:
    assert not _has_an_n(order)
    assert order_in(nested(order), len(order.before)) == order


@EACH_WAY
@given(orders(most=6))
def test_no_order_with_fewer_pairs_can_be_nested(order: Order) -> None:
    added = len(_pairs(order_in(nested(order), len(order.before)))) - len(_pairs(order))
    if added == 0:
        assert not _has_an_n(order)
        return
    assert _has_an_n(order)
    assert all(_has_an_n(each) for each in _with_more(order, added - 1))


def _of(count: int, *pairs: tuple[int, int]) -> Order:
    needs = [0] * count
    for first, later in pairs:
        needs[later] |= 1 << first
    return order_of(needs)


def _crown(size: int) -> Order:
    """Each of the upper half needs all of the lower half but one."""
    return _of(2 * size, *((a, size + b) for a in range(size) for b in range(size) if a != b))


SHAPES = {
    "an N": (_of(4, (0, 2), (0, 3), (1, 3)), 1),
    "a longer zigzag": (_of(6, (0, 3), (0, 4), (1, 4), (1, 5), (2, 5)), 3),
    "an N of modules": (
        _of(8, *((a, b) for a in (0, 1) for b in (4, 5, 6, 7)), *((a, b) for a in (2, 3) for b in (6, 7))),
        4,
    ),
    "a crown": (_crown(4), 4),
    "a large crown": (_crown(6), 6),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_known_shapes(shape: str) -> None:
    order, least = SHAPES[shape]
    assert len(list(order_in(nested(order), len(order.before)).added_to(order))) == least


def test_of_nestings_with_as_few_pairs_the_shortest_is_taken() -> None:
    assert nested(_of(4, (0, 2), (0, 3), (1, 3))) == nested(_of(4, (0, 2), (0, 3), (1, 3), (1, 2)))


@pytest.mark.parametrize("seed", range(12))
def test_a_tangle_too_large_for_trying_everything_is_nested_well(seed: int) -> None:
    """By cuts alone, where every cut can still be tried to compare with."""
    dice = random.Random(seed)
    needs = [sum(1 << earlier for earlier in range(at) if dice.random() < 0.25) for at in range(11)]
    order = order_of(needs)
    least, found = (len(list(order_in(nested(order, exact), 11).added_to(order))) for exact in (12, 4))
    assert least <= found <= 2 * least + 2


@pytest.mark.parametrize("seed", range(3))
def test_a_large_graph_keeps_its_needs(seed: int) -> None:
    dice = random.Random(seed)
    order = order_of([set_of(dice.sample(range(at), min(at, dice.randint(0, 2)))) for at in range(120)])
    tree = nested(order)
    assert _pairs(order) <= _pairs(order_in(tree, 120))
    assert nested(order) == tree


def test_a_circle_is_found_from_its_lowest_member() -> None:
    assert cycle_of([0, 0b1000, 0, 0b0100 | 0b10]) == [1, 3]
    assert cycle_of([0, 1, 2]) == []


# -- whole workflows ------------------------------------------------------------------------------


def _graph(steps: Sequence[str]) -> tuple[GraphStep, Diagnostics]:
    text = "name: graph\nsteps:\n" + "".join(f"  - {{{step}}}\n" for step in steps)
    compilation = compile_bytes("graph.yaml", text.encode(), CATALOG)
    assert compilation.workflow is not None
    (graph,) = compilation.workflow.steps
    assert isinstance(graph, GraphStep)
    return graph, compilation.diagnostics


def test_reading_a_step_is_needing_it() -> None:
    graph, _ = _graph(
        [
            "id: a, action: ping, needs: []",
            "id: b, action: ping, needs: []",
            "id: loop, for_each: {in: [1], steps: [{id: c, action: store, params: {key: '{{ steps.a.status }}'}}]}",
            "id: d, action: ping, on_failure: [{steps: [{action: store, params: {key: '{{ steps.b.status }}'}}]}]",
            "id: e, action: ping, needs: [loop, a]",
        ]
    )
    assert graph.waits == {"a": (), "b": (), "loop": ("a",), "d": ("b",), "e": ("loop",)}


def test_each_step_that_waits_without_need_is_told_once() -> None:
    order = _crown(3)
    names = "abcxyz"
    graph, diagnostics = _graph(
        [
            f"id: {name}, action: ping, needs: [{', '.join(names[m] for m in members(order.before[at]))}]"
            for at, name in enumerate(names)
        ]
    )
    told = [item.message.split("'")[1::2][:2] for item in diagnostics if item.slug == "over-waits"]
    assert sorted((first, later) for later, first in told) == sorted(graph.added)
    assert len(graph.added) == 3


def test_following_every_hint_leaves_none() -> None:
    dice = random.Random(3)
    needs = [[f"s{other}" for other in range(at) if dice.random() < 0.3] for at in range(9)]
    graph, diagnostics = _graph(
        [f"id: s{at}, action: ping, needs: [{', '.join(each)}]" for at, each in enumerate(needs)]
    )
    hinted = [item.message.split("'")[1::2][:2] for item in diagnostics]
    assert hinted
    for later, first in hinted:
        needs[int(later[1:])].append(first)
    again, diagnostics = _graph(
        [f"id: s{at}, action: ping, needs: [{', '.join(each)}]" for at, each in enumerate(needs)]
    )
    assert [item.message for item in diagnostics] == []
    assert again.steps == graph.steps or len(again.added) == 0


def test_steps_keep_their_lines_and_only_they_are_the_authors() -> None:
    graph, _ = _graph(["id: a, action: ping", "id: b, action: ping, needs: [a]", "id: c, action: ping, needs: [a]"])
    written = [step for step in walk(graph.steps) if is_written(step)]
    assert [(step.id, step.span.start.line) for step in written] == [("a", 3), ("b", 4), ("c", 5)]
    assert [step.id for step in walk(graph.steps) if not is_written(step)] == ["b.graph"]
