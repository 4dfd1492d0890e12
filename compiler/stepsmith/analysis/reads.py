"""What expressions read of steps, variables, loops and errors: only that is kept in the machine's variables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from stepsmith.analysis.facts import Facet, Use, use_templates
from stepsmith.expressions.scope import Presence
from stepsmith.expressions.syntax import Reference, references
from stepsmith.model.steps import ForEachStep, GraphStep, RepeatStep, Step, SwitchStep, TryStep, owner_of


@dataclass
class Reads:
    """What is read, as it is found; by step id where steps are meant."""

    steps: dict[str, set[Facet]] = field(default_factory=dict)
    records: set[str] = field(default_factory=set)
    """Steps of which more than a certain output is read."""
    variables: set[str] = field(default_factory=set)
    errors: set[str] = field(default_factory=set)
    """Steps in whose handlers `error` is read."""
    loops: set[tuple[str, bool]] = field(default_factory=set)
    """Loops whose item (False) or index (True) is read."""
    readers: dict[str, set[str | None]] = field(default_factory=dict)
    """Who reads a step; None stands for the workflow's output."""


def reads_of(
    uses: Iterable[Use],
    order: Iterable[str],
    lasts: Mapping[str, Sequence[tuple[str, Presence]]],
    joined: Iterable[Step],
) -> Reads:
    """What `uses` read. `order` has the id of every step, outer ones first; `lasts`, by block, the last step of each
    way through it and whether its output is there then; `joined` are the last steps of branches and iterations."""
    reads = Reads()
    for use in uses:
        for template in use_templates(use):
            for reference in references(template):
                _note(reads, reference, use)
    for step in joined:
        _want(step, reads, lasts)
    for block in order:
        # One pass reaches the innermost block.
        if Facet.OUTPUT in reads.steps.get(block, ()):
            for last, presence in lasts.get(block, ()):
                _want_of_block(block, last, reads)
                if presence is not Presence.ALWAYS:
                    reads.records.add(last)
    return reads


def _want_of_block(block: str, last: str, reads: Reads) -> None:
    """Notes that a block's output is that of the step `last` in it."""
    reads.steps.setdefault(last, set()).add(Facet.OUTPUT)
    # In a graph the step may stand in a branch that was made, out of which it must come.
    reads.readers.setdefault(last, set()).add(block)


def _want(step: Step, reads: Reads, lasts: Mapping[str, Sequence[tuple[str, Presence]]]) -> None:
    """Notes that the output of `step` is what its branch or iteration puts out. The last state of each way does so
    itself; only after the rounds of a `repeat` must it have been kept."""
    inner: list[Step] = []
    match step:
        case SwitchStep():
            inner = [case.steps[-1] for case in step.cases if case.steps]
        case TryStep():
            inner = [step.steps[-1]] if step.steps else []
            if step.finally_steps:
                reads.steps.setdefault(step.id, set()).add(Facet.OUTPUT)
                reads.records.add(step.id)
        case ForEachStep() if not step.distributed and (step.tolerate or step.tolerate_percent is not None):
            # A Choice stands between the loop and the end of its block.
            reads.steps.setdefault(step.id, set()).add(Facet.OUTPUT)
        case RepeatStep():
            reads.steps.setdefault(step.id, set()).add(Facet.OUTPUT)
            reads.records.add(step.id)
        case GraphStep() if step.steps[-1] is step.last:
            inner = [step.last]
        case GraphStep():
            for name, presence in lasts.get(step.id, ()):
                _want_of_block(step.id, name, reads)
                if presence is not Presence.ALWAYS:
                    reads.records.add(name)
        case _:
            pass
    for last in inner:
        _want(last, reads, lasts)


def _note(reads: Reads, reference: Reference, use: Use) -> None:
    point = use.point
    first = reference.path[0] if reference.path else None
    if reference.root in point.loops:
        name = point.loops[reference.root]
        reads.loops.add((name.loop, name.index))
    if reference.root == "error" and point.failed is not None:
        reads.errors.add(point.failed)
    if reference.root == "vars" and isinstance(first, str):
        reads.variables.add(first)
    if reference.root != "steps" or not isinstance(first, str) or len(reference.path) < 2:
        return
    facet = next((item for item in Facet if item == reference.path[1]), None)
    if facet is None:
        return
    reads.steps.setdefault(first, set()).add(facet)
    # What an undo reads is handed over when the step that it undoes begins.
    reads.readers.setdefault(first, set()).add(owner_of(use.step.id) if use.step else None)
    fact = point.steps.get(first)
    certain = fact is not None and fact.of(facet).presence is Presence.ALWAYS
    if facet is not Facet.OUTPUT or not certain:
        reads.records.add(first)
