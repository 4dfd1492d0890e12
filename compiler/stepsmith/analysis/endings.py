"""What is known where a step or a block has ended, by what is known at points inside of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from stepsmith.analysis.facts import Availability, Point, StepFact, maybe, never
from stepsmith.expressions.scope import Presence
from stepsmith.model.steps import (
    Block,
    ForEachStep,
    GraphStep,
    ParallelStep,
    RepeatStep,
    Step,
    SwitchStep,
    handlers_of,
    inner_blocks,
)


def cannot_fail(step: Step) -> Availability:
    return never(f"step '{step.id}' cannot have failed here")


def last(block: Block, end: Point) -> list[tuple[str, Presence]]:
    """The last step of a block and whether its output is there at the block's end."""
    if not block or end.dead:
        return []
    fact = end.steps.get(block[-1].id)
    return [(block[-1].id, fact.output.presence if fact else Presence.NEVER)]


def last_fact(block: Block, end: Point) -> Availability:
    fact = end.steps.get(block[-1].id) if block and not end.dead else None
    return fact.output if fact else maybe("the block may have put out nothing")


def with_variables_of(point: Point, end: Point) -> Point:
    """`point` with the variables as they are at `end`."""
    return replace(point, variables=end.variables)


def anywhere(before: Point, end: Point, block: Block) -> Point:
    """What is known when `block` failed somewhere between `before` and `end`: any step of it may have failed."""
    merged = before.merge(replace(end, dead=False))
    failed: dict[str, StepFact] = {}
    for step in _in_sequence(block):
        fact = merged.steps.get(step.id)
        there = fact is not None and fact.status.presence is not Presence.NEVER
        status = fact.status if fact is not None and there else maybe(_unrun(step))
        output = fact.output if fact is not None else never(_unrun(step))
        failed[step.id] = StepFact(output, status, maybe(f"step '{step.id}' may not have failed"))
    return replace(merged, steps=merged.steps.having(failed))


def _in_sequence(block: Block) -> Iterator[Step]:
    """The steps of `block` and of the blocks inside it, without those of branches, loops and graphs: they are lost when
    these fail."""
    for step in block:
        yield step
        if not isinstance(step, ParallelStep | ForEachStep | RepeatStep | GraphStep):
            for inner in inner_blocks(step):
                yield from _in_sequence(inner)
        for handler in handlers_of(step):
            yield from _in_sequence(handler.steps)


def _unrun(step: Step) -> str:
    return f"step '{step.id}' may not have run"


def may_be_skipped(step: Step) -> str:
    return f"step '{step.id}' may have been skipped"


def always_yields(step: SwitchStep, ends: list[Point]) -> bool:
    """Whether some case always runs and each ends in a step that has an output, or ends the run."""
    if not step.cases or step.cases[-1].condition is not None:
        return False
    return all(
        end.dead or any(presence is Presence.ALWAYS for _, presence in last(case.steps, end))
        for case, end in zip(step.cases, ends, strict=False)
    )
