"""Folds edges into the states before them: what is pending on a way becomes fields of a state that is there anyway.

Where it cannot stand there it becomes a state of its own; the same edge always leads to the same state.
"""

from __future__ import annotations

from dataclasses import replace

from stepsmith.analysis.facts import Facet
from stepsmith.asl.states import Origin, PassState, Role, SucceedState
from stepsmith.document import Json
from stepsmith.expressions import jsonata
from stepsmith.lowering.codes import ENTRY, UNREPEATABLE, CannotFold, Place
from stepsmith.lowering.context import Context, Written
from stepsmith.lowering.edges import Edge, End, Folded, Pending, PendingAssign, PendingBlock, PendingSet
from stepsmith.model.steps import Step


def fold(context: Context, edge: Edge, place: Place) -> Folded:
    """The edge as fields of the state before it. Raises CannotFold where they cannot stand there."""
    assign: dict[str, Json] = {}
    now = place
    for pending in edge.pending:
        match pending:
            case PendingSet():
                now = _fold_set(context, pending, now, assign)
            case PendingBlock():
                now = _fold_block(context, pending, now, assign)
            case PendingAssign():
                assign[pending.variable] = pending.value
    steps = tuple(pending.step.id for pending in edge.pending if isinstance(pending, PendingSet))
    if isinstance(edge.target, str):
        return Folded(edge.target, assign, steps=steps)
    output = _output(context, edge.target, now)
    if place.must_be_total and not output.total:
        raise CannotFold
    return Folded(None, assign, output.json, steps)


def _fold_set(context: Context, pending: PendingSet, now: Place, assign: dict[str, Json]) -> Place:
    after = now
    for item in pending.step.values.fields:
        if item.key not in context.analysis.variables_read:
            continue
        written = context.write(item.value, pending.point, now)
        if now.must_be_total and not written.total:
            raise CannotFold
        assign[context.names.variable(item.key)] = written.json
        after = after.setting(item.key, context.inline(item.value, pending.point, now))
    assign |= context.record(pending.step, {Facet.OUTPUT: None, Facet.STATUS: "succeeded"})
    return after.ending(pending.step.id, "null", "succeeded")


def _fold_block(context: Context, pending: PendingBlock, now: Place, assign: dict[str, Json]) -> Place:
    output = _output_code(context, pending.last, now) if pending.last else None
    name = pending.step.id
    variable = context.names.step(name, context.frame.chain)
    if name in context.analysis.records:
        # Within one expression an output that is missing leaves its key out; a field of its own would fail.
        read = context.analysis.read[name]
        parts = {Facet.OUTPUT: output, Facet.STATUS: jsonata.quote("succeeded")}
        pairs = [(facet.value, code) for facet, code in parts.items() if facet in read and code is not None]
        made = jsonata.obj([(jsonata.constant(key), jsonata.verbatim(code)) for key, code in pairs])
        assign[variable] = jsonata.field(made.text) if pairs else {}
    elif output is not None:
        assign[variable] = jsonata.field(output)
    return now.ending(name, output, "succeeded")


def _output_code(context: Context, step: Step, place: Place) -> str | None:
    """The output of a step that has ended; None when it has none."""
    if (step.id, Facet.OUTPUT) in place.steps:
        return _known(place.steps[step.id, Facet.OUTPUT])
    return context.codes(place).step(step.id, Facet.OUTPUT) if step.id in context.analysis.read else None


def _output(context: Context, end: End, place: Place) -> Written:
    """What an end puts out."""
    if end.value is not None and end.point is not None:
        return context.write(end.value, end.point, place)
    code = _output_code(context, end.last, place) if end.last is not None else None
    loose = end.last is not None and end.last.id in context.analysis.records
    if code is not None and loose and (end.last is None or (end.last.id, Facet.OUTPUT) not in place.steps):
        code = jsonata.or_null(jsonata.verbatim(code)).text
    return Written(wrapped(context, end, jsonata.field(code) if code is not None else None, place), total=True)


def wrapped(context: Context, end: End, output: Json, place: Place) -> Json:
    """The output of a branch or iteration, with what else must come out of it."""
    if end.keep:
        return {"output": output, "steps": {step.id: _kept(context, step, place) for step in end.keep}}
    return {"output": output} if end.wrap else output


def _kept(context: Context, step: Step, place: Place) -> Json:
    """A step's variable as it comes out of a branch."""
    if step.id not in context.analysis.records:
        code = _output_code(context, step, place)
        return jsonata.field(code) if code is not None else None
    facets = [facet for facet in Facet if facet in context.analysis.read[step.id]]
    if any((step.id, facet) in place.steps for facet in facets):
        pairs = [(facet, _known(place.steps.get((step.id, facet)))) for facet in facets]
        return {facet.value: jsonata.field(code) for facet, code in pairs if code is not None}
    kept = jsonata.variable(context.names.step(step.id, context.frame.chain))
    return jsonata.field(jsonata.conditional(jsonata.call("exists", kept), kept, jsonata.obj([])).text)


def end_with(context: Context, edge: Edge, step: Step, output: Json, place: Place) -> Folded | None:
    """The end that `edge` leads to with the `output` of `step` as its own; None where there is more to it."""
    end = edge.target
    if edge.pending or not isinstance(end, End) or end.last is not step or end.value is not None:
        return None
    try:
        return Folded(None, output=wrapped(context, end, output, place))
    except CannotFold:
        return None


def fold_or_go(context: Context, edge: Edge, place: Place) -> Folded:
    """The edge folded into the state before it, or a step to the state made of it."""
    try:
        return fold(context, edge, place)
    except CannotFold:
        return Folded(state_for(context, edge))


def fold_to_state(context: Context, edge: Edge, place: Place) -> Folded:
    """As `fold_or_go`, for the ways out of a state that must name a next state (rules and catchers)."""
    if not isinstance(edge.target, End):
        return fold_or_go(context, edge, place)
    if not edge.pending:
        return Folded(state_for(context, edge))
    try:
        return fold(context, Edge(state_for(context, Edge(edge.target)), edge.pending), place)
    except CannotFold:
        return Folded(state_for(context, edge))


def state_for(context: Context, edge: Edge) -> str:
    """The state that `edge` leads to; what is pending gets a state of its own. The same edge, the same state."""
    goal = edge.target if isinstance(edge.target, str) else _end_key(edge.target)
    key = (goal, *(_key(pending) for pending in edge.pending))
    if key not in context.frame.made:
        context.frame.made[key] = _make(context, edge)
    return context.frame.made[key]


def _make(context: Context, edge: Edge) -> str:
    if not edge.pending:
        return edge.target if isinstance(edge.target, str) else _end_state(context, edge.target)
    first = edge.pending[0]
    try:
        folded = fold(context, edge, ENTRY)
    except CannotFold:
        rest = state_for(context, Edge(edge.target, edge.pending[1:]))
        folded = fold(context, Edge(rest, edge.pending[:1]), ENTRY)
    if not folded.assign and folded.next is not None:
        return folded.next
    step = first.step
    span = step.span if step is not None else context.workflow.span
    base = step.id if step is not None else "workflow"
    if isinstance(first, PendingSet):
        origin = Origin(Role.SET, span, base, first.step.description, folded=folded.steps[1:])
        name = _free(context, base)
    else:
        suffix = "output" if isinstance(first, PendingBlock) else "start"
        origin = Origin(Role.HELPER, span, step.id if step else None, folded=folded.steps)
        name = _free(context, f"{base}.{suffix}")
    output: Json = folded.output if folded.next is None else {}
    return context.add(PassState(name=name, origin=origin, assign=folded.assign, output=output, next=folded.next))


def _end_state(context: Context, end: End) -> str:
    output = _output(context, end, ENTRY).json
    return context.add(SucceedState(name=_free(context, end.name), origin=Origin(Role.END, end.span), output=output))


def _free(context: Context, name: str) -> str:
    """`name`, or it with a number when a state has it."""
    number, found = 1, name
    while found in context.frame.states:
        number += 1
        found = f"{name}.{number}"
    return found


def _known(code: str | None) -> str | None:
    if code == UNREPEATABLE:
        raise CannotFold
    return code


def without_output(edge: Edge, step: Step) -> Edge:
    """The edge as it leaves `step` when that has put out nothing."""
    if isinstance(edge.target, End) and edge.target.last is not None and edge.target.last.id == step.id:
        return Edge(replace(edge.target, last=None), edge.pending)
    return edge


def _end_key(end: End) -> str:
    return f"{end.name}|{end.last.id if end.last else ''}"


def _key(pending: Pending) -> str:
    match pending:
        case PendingSet():
            return pending.step.id
        case PendingBlock():
            return f"{pending.step.id}={pending.last.id if pending.last else ''}"
        case PendingAssign():
            return f"{pending.variable}:={pending.value}"
