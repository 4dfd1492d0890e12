"""Lowers the verbs that run machines of their own: parallel and for_each."""

from __future__ import annotations

from collections.abc import Iterator

from stepsmith.analysis.facts import Point
from stepsmith.asl.names import LONGEST_STATE
from stepsmith.asl.states import (
    Origin,
    PassState,
    Role,
    SubMachine,
)
from stepsmith.document import Json
from stepsmith.expressions import jsonata
from stepsmith.lowering.context import Context
from stepsmith.lowering.distributed import lower_distributed
from stepsmith.lowering.edges import Edge, End
from stepsmith.lowering.folding import fold_or_go, state_for
from stepsmith.lowering.frames import Frame, Guard, Number
from stepsmith.lowering.joining import begun, joined
from stepsmith.lowering.names import LOOP
from stepsmith.model.steps import (
    ActionStep,
    ApprovalStep,
    AwsStep,
    Block,
    ChildStep,
    FailStep,
    ForEachStep,
    GraphStep,
    ParallelStep,
    Step,
    SwitchStep,
    TryStep,
    WaitStep,
    walk,
)


def lower_parallel(context: Context, step: ParallelStep, edge: Edge, point: Point) -> Edge:
    exported = [_exported(context, branch.steps) for branch in step.branches]
    branches: list[SubMachine] = []
    for number, (branch, keep) in enumerate(zip(step.branches, exported, strict=True)):
        outer = context.frame
        place = f".{branch.name}" if step.keyed else f"[{branch.name}]"
        frame = Frame(
            chain=(*outer.chain, f"{step.id}.{branch.name}"),
            path=outer.path if step.made else (*begun(outer.path, step.id), place),
            captures=outer.captures,
        )
        end_name = f"{step.id}.{branch.name}.end"
        if len(end_name) > LONGEST_STATE:
            end_name = f"{step.id}.{number}.end"
        end = End(end_name, branch.span, last=branch.steps[-1], keep=tuple(keep))
        branches.append(
            context.sub_machine(frame, lambda b=branch, e=end: state_for(context, context.block(b.steps, Edge(e))))  # type: ignore[misc]
        )
    outputs = [
        jsonata.path(f"$states.result[{index}]", *(["output"] if keep else [])) for index, keep in enumerate(exported)
    ]
    result: Json = (
        {branch.name: jsonata.field(code) for branch, code in zip(step.branches, outputs, strict=True)}
        if step.keyed
        else [jsonata.field(code) for code in outputs]
    )
    keys = [jsonata.constant(branch.name) for branch in step.branches]
    values = [jsonata.verbatim(code) for code in outputs]
    whole = jsonata.obj(list(zip(keys, values, strict=True))) if step.keyed else jsonata.array(values)
    if step.made:
        result, whole = {}, jsonata.obj([])
    kept: dict[str, Json] = {}
    for index, keep in enumerate(exported):
        for inner in keep:
            code = jsonata.path(f"$states.result[{index}].steps", inner.id)
            kept[context.names.step(inner.id, context.frame.chain)] = jsonata.field(code)
    return joined(context, step, edge, point, (result, whole.text), kept, tuple(branches), None)


def _exported(context: Context, block: Block) -> list[Step]:
    """The steps of a branch that are read outside of it."""
    within = {inner.id for inner in walk(block)}
    readers = context.analysis.readers
    hidden = set(_in_loops(block))
    return [
        inner
        for inner in walk(block)
        if inner.id not in hidden and any(reader not in within for reader in readers.get(inner.id, ()))
    ]


def _in_loops(block: Block) -> Iterator[str]:
    for step in walk(block):
        if isinstance(step, ForEachStep):
            yield from (inner.id for inner in walk(step.steps))


def lower_for_each(context: Context, step: ForEachStep, edge: Edge, point: Point) -> Edge:
    index = context.names.loop(step.id, index=True, wanted=step.index_name or "index")
    context.names.loop(step.id, index=False, wanted=step.item_name)
    outer = context.frame
    tolerant = step.tolerate > 0 or step.tolerate_percent is not None
    first = _first_state(step.steps)
    if step.distributed:
        return lower_distributed(context, step, edge, point)
    frame = Frame(
        chain=(*outer.chain, step.id + LOOP),
        path=(*begun(outer.path, step.id), "[", Number(step.id, f"${index}"), "]"),
        captures=outer.captures,
        first=(first, step) if first is not None else None,
    )
    processor = context.sub_machine(frame, lambda: _iteration(context, step, tolerant))
    selector: dict[str, Json] = {"index": "{% $states.context.Map.Item.Index %}"}
    if (step.id, False) in context.analysis.loop_names_read:
        selector = {"item": "{% $states.context.Map.Item.Value %}", **selector}
    whole = "$states.result"
    if tolerant:
        each = jsonata.function(["one"], jsonata.or_null(jsonata.steps(jsonata.variable("one"), ["output"])))
        whole = jsonata.mapped(jsonata.verbatim("$states.result"), each, flat=False).text
    result: Json = jsonata.field(whole)
    return joined(context, step, edge, point, (result, whole), {}, (processor,), selector)


def _iteration(context: Context, step: ForEachStep, tolerant: bool) -> str:
    """The states of one item; gives the name of the first."""
    last = step.steps[-1]
    end = End(f"{step.id}.end", step.span, last=last, wrap=tolerant)
    guards: tuple[Guard, ...] = ()
    if tolerant:
        variable = context.names.error(f"{step.id}.item")
        failed = context.add(
            PassState(
                name=f"{step.id}.failed",
                origin=Origin(Role.HELPER, step.span, step.id),
                output={"error": jsonata.field(f"${variable}")},
                next=None,
            )
        )
        guards = (Guard(None, Edge(failed), variable, step, step.steps),)
    with context.guarded(guards, ()):
        entry = context.block(step.steps, Edge(end))
    first = context.frame.first
    if first is not None and entry.target == first[0] and not entry.pending:
        return first[0]
    context.frame.first = None
    onward = fold_or_go(context, entry, context.item_place(step))
    state = PassState(
        name=f"{step.id}.item",
        origin=Origin(Role.HELPER, step.span, step.id, folded=onward.steps),
        assign={**context.item_variables(step), **onward.assign},
        output=onward.output if onward.next is None else {},
        next=onward.next,
    )
    return context.add(state)


def _first_state(block: Block) -> str | None:
    """The state that an iteration begins with, if it is one that finds the item in its input."""
    step = block[0] if block else None
    if step is None:
        return None
    if step.condition is not None:
        return f"{step.id}.if"
    match step:
        case ActionStep() | ApprovalStep() | ChildStep() | AwsStep() | WaitStep() | SwitchStep():
            return step.id
        case FailStep():
            return None
        case TryStep():
            return None if step.finally_steps else _first_state(step.steps)
        case GraphStep():
            return _first_state(step.steps)
        case _:
            return None
