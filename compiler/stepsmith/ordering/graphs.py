"""Makes the `GraphStep` of a list of steps with `needs`, and reports what is wrong with the needs.

What is wrong is left out of the graph, so that the rest of the file can be checked: no mistake here stops a reader.
"""

from __future__ import annotations

from collections.abc import Iterator

from stepsmith.diagnostics import Diagnostics, did_you_mean, one_of
from stepsmith.model.steps import (
    Block,
    Branch,
    ForEachStep,
    GraphStep,
    ParallelStep,
    SetStep,
    Step,
    handlers_of,
    inner_blocks,
    walk,
)
from stepsmith.ordering.nesting import Sequence, Together, Tree, leaves, nested, order_in
from stepsmith.ordering.orders import cycle_of, members, one, order_of, set_of
from stepsmith.ordering.reads import steps_read
from stepsmith.ordering.waiting import over_waits


def is_graph(block: Block) -> bool:
    """Whether a list of steps is a graph: one of them says what it needs."""
    return any(step.needs is not None for step in block)


def graph_of(nodes: Block, elsewhere: frozenset[str], diagnostics: Diagnostics, *, whole: bool = True) -> GraphStep:
    """The graph of `nodes`, of which there is one at least. `elsewhere` are ids of other steps of the file; where the
    nodes are not the `whole` list, since some could not be read, a need of an unknown step is passed over."""
    homes = {inner.id: at for at, node in enumerate(nodes) for inner in walk((node,))}
    homes |= {node.id: at for at, node in enumerate(nodes)}
    needs = [set_of(_needed(node, nodes, homes, elsewhere, diagnostics, whole=whole)) for node in nodes]
    reads = [
        set_of(homes[name] for name in steps_read(node) if homes.get(name, at) != at) for at, node in enumerate(nodes)
    ]
    order = order_of(_without_cycles(nodes, needs, reads, diagnostics))
    for node in nodes:
        _refuse_variables(node, diagnostics)
    tree = nested(order)
    run = order_in(tree, len(nodes))
    over_waits(nodes, order, run, diagnostics)
    covers = order.covers()
    return GraphStep(
        id=f"{nodes[0].id}.needs",
        span=nodes[0].span,
        id_span=nodes[0].id_span,
        nodes=nodes,
        waits={node.id: tuple(nodes[other].id for other in members(covers[at])) for at, node in enumerate(nodes)},
        added=tuple((nodes[first].id, nodes[later].id) for first, later in run.added_to(order)),
        steps=_Blocks(nodes).of(tree),
    )


class _Blocks:
    """Makes blocks of trees. A `parallel` is called after the first of its steps as they are written."""

    def __init__(self, nodes: Block) -> None:
        self._nodes = nodes
        self._numbers: dict[int, int] = {}

    def of(self, tree: Tree) -> Block:
        match tree:
            case int():
                return (self._nodes[tree],)
            case Sequence():
                return tuple(step for item in tree.items for step in self.of(item))
            case Together():
                return (self._parallel(tree),)

    def _parallel(self, tree: Together) -> ParallelStep:
        lowest = one(leaves(tree))
        first = self._nodes[lowest]
        number = self._numbers[lowest] = self._numbers.get(lowest, 0) + 1
        branches = [
            Branch(str(at), self.of(item), self._nodes[one(leaves(item))].span) for at, item in enumerate(tree.items)
        ]
        return ParallelStep(
            id=f"{first.id}.graph" + (f"_{number}" if number > 1 else ""),
            span=first.span,
            id_span=first.id_span,
            branches=tuple(branches),
            keyed=False,
            made=True,
        )


# -- what is wrong --------------------------------------------------------------------------------


def _needed(
    node: Step,
    nodes: Block,
    homes: dict[str, int],
    elsewhere: frozenset[str],
    diagnostics: Diagnostics,
    *,
    whole: bool,
) -> Iterator[int]:
    """The nodes that `node` says it needs."""
    seen: set[str] = set()
    names = [each.id for each in nodes if each is not node]
    for need in node.needs or ():
        at = homes.get(need.id)
        if need.id in seen:
            diagnostics.error(
                "duplicate-need", f"'{need.id}' stands in these needs twice", need.span, "remove one of them"
            )
        elif need.id == node.id:
            diagnostics.error("needs-itself", f"'{node.id}' can't need itself", need.span, "remove it from its needs")
        elif at is not None and nodes[at].id == need.id:
            yield at
        elif at is not None and nodes[at] is not node:
            message = f"'{need.id}' stands inside '{nodes[at].id}', needs are steps of the same list"
            diagnostics.error("need-elsewhere", message, need.span, f"write {nodes[at].id}")
        elif at is not None or need.id in elsewhere:
            message = f"'{need.id}' is in another list of steps, needs are steps of the same list"
            known = f"steps of this list: {one_of(names)}" if names else "remove it"
            diagnostics.error("need-elsewhere", message, need.span, known)
        elif whole:
            known = f"steps of this list: {one_of(names)}" if names else "this list has no other step"
            message = f"there is no step '{need.id}' in this list"
            diagnostics.error("unknown-need", message, need.span, did_you_mean(need.id, names, known))
        seen.add(need.id)


def _without_cycles(nodes: Block, needs: list[int], reads: list[int], diagnostics: Diagnostics) -> list[int]:
    """What each node needs or reads, without what leads round in a circle."""
    everything = [need | read for need, read in zip(needs, reads, strict=True)]
    while cycle := cycle_of(everything):
        arrows = list(zip(cycle, [*cycle[1:], cycle[0]], strict=True))
        told = ", ".join(
            f"'{nodes[one_].id}' {'needs' if needs[one_] >> other & 1 else 'reads'} '{nodes[other].id}'"
            for one_, other in arrows
        )
        written = [(one_, other) for one_, other in arrows if needs[one_] >> other & 1]
        node, other = written[-1] if written else arrows[-1]
        spans = [need.span for need in nodes[node].needs or () if need.id == nodes[other].id]
        diagnostics.error(
            "needs-cycle",
            f"these steps wait for each other: {told}",
            spans[0] if spans else nodes[node].id_span,
            f"let '{nodes[node].id}' do without '{nodes[other].id}', or another of them without what it waits for",
        )
        everything[node] &= ~(1 << other)
    return everything


def _refuse_variables(node: Step, diagnostics: Diagnostics) -> None:
    for step in _in_scope(node):
        if isinstance(step, SetStep):
            diagnostics.error(
                "set-in-graph",
                "a step of a graph can't set variables: others run at the same time",
                step.id_span,
                f"put out the value as the output of '{node.id}', or set the variable before the graph"
                if node is not step
                else "set the variable before the graph, or put out the value as the output of a step",
            )


def _in_scope(step: Step) -> Iterator[Step]:
    """`step` and those inside it that share its variables: branches and iterations have their own."""
    yield step
    own = isinstance(step, ForEachStep) or (isinstance(step, ParallelStep) and not step.made)
    for block in () if own else inner_blocks(step):
        for inner in block:
            yield from _in_scope(inner)
    for handler in handlers_of(step):
        for inner in handler.steps:
            yield from _in_scope(inner)
