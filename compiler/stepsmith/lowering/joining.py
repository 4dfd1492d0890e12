"""The state of a block that runs machines of its own and joins their results: what Parallel and Map share."""

from __future__ import annotations

from dataclasses import replace

from stepsmith.analysis.facts import Facet, Point
from stepsmith.asl.states import (
    Catcher,
    ChoiceState,
    Distributed,
    MapState,
    Origin,
    ParallelState,
    Role,
    Rule,
    SubMachine,
)
from stepsmith.document import Json
from stepsmith.expressions import jsonata
from stepsmith.expressions.scope import Binding
from stepsmith.lowering.choices import ways
from stepsmith.lowering.codes import ENTRY, UNREPEATABLE, Place
from stepsmith.lowering.context import Context, Guard, Number, without_output
from stepsmith.lowering.edges import Edge, PendingAssign
from stepsmith.lowering.errors import retriers
from stepsmith.lowering.failing import Raised, catching, handled, inside, lower_handlers, must_go, raise_error
from stepsmith.model.steps import (
    ForEachStep,
    ParallelStep,
    S3Items,
    Step,
)


def constant_error(name: str, text: str, step: Step) -> Raised:
    return Raised(name, text, text, step.id, name)


def begun(path: tuple[str | Number, ...], name: str) -> tuple[str | Number, ...]:
    return (*path, f".{name}") if path else (name,)


def joined(
    context: Context,
    step: ParallelStep | ForEachStep,
    edge: Edge,
    point: Point,
    result: tuple[Json, str],
    kept: dict[str, Json],
    machines: tuple[SubMachine, ...],
    selector: Json,
    distributed: Distributed | None = None,
) -> Edge:
    """The state of a block that runs machines of its own and joins their results."""
    own = lower_handlers(context, step, step.on_failure or (), without_output(edge, step), (step,))
    caught = catching(context, step, own)
    if distributed is not None:
        caught = replace(caught, catchers=(too_many_failed(context, step, own), *caught.catchers))
    entry = context.entry(step.id)
    output, whole = result
    inline: str | None = whole
    if step.output is not None:
        extra = {"output": Binding(type=context.analysis.results[step.id], code=whole)}
        output = context.write(step.output, point, entry, extra).json
        inline = context.inline(step.output, point, entry, extra)
    place = Place(loops=entry.loops, must_be_total=bool(caught.catchers))
    place = place.passing(context.passed(handled(step))).ending(step.id, inline or UNREPEATABLE, "succeeded")
    place = place.passing(
        (inner.id for inner in inside(step) if context.names.step(inner.id, context.frame.chain) in kept), UNREPEATABLE
    )
    tolerant = isinstance(step, ForEachStep) and (step.tolerate or step.tolerate_percent is not None)
    if isinstance(step, ForEachStep) and tolerant and distributed is None:
        edge = _tolerance(context, step, edge, own)
    after = context.end_with(edge, step, output, place) or context.fold_or_go(edge, place)
    origin = Origin(Role.BLOCK, step.span, step.id, step.description, folded=after.steps, ways=caught.ways)
    retry = retriers(step.retry, context.catalog, transient=False)
    assign = {
        **context.entry_assign(step.id),
        **context.unrun(handled(step)),
        **kept,
        **context.record(step, {Facet.OUTPUT: output, Facet.STATUS: "succeeded"}),
        **after.assign,
    }
    shown = after.output if after.next is None else output
    state: ParallelState | MapState
    if isinstance(step, ParallelStep):
        state = ParallelState(
            name=step.id, origin=origin, branches=machines, arguments={}, retry=retry,
            catch=caught.catchers, assign=assign, output=shown, next=after.next,
        )  # fmt: skip
    else:
        items = None if isinstance(step.items, S3Items) else context.write(step.items, point, entry).json
        state = MapState(
            name=step.id, origin=origin, items=items, selector=selector, processor=machines[0],
            concurrency=step.concurrency, retry=retry, catch=caught.catchers,
            assign=assign, output=shown, next=after.next, distributed=distributed,
        )  # fmt: skip
    return Edge(context.add(state))


def _tolerance(context: Context, step: ForEachStep, edge: Edge, own: tuple[Guard, ...]) -> Edge:
    """The Choice after a tolerant loop: too many failed items fail the step."""
    variable = context.names.error(f"{step.id}.failures")
    count = jsonata.variable(variable)
    limit = jsonata.constant(step.tolerate)
    if step.tolerate_percent is not None:
        total = jsonata.steps(count, ["of"])
        share = jsonata.binary("*", total, jsonata.constant(step.tolerate_percent))
        limit = jsonata.binary("/", share, jsonata.constant(100))
    too_many = jsonata.comparison(">", jsonata.steps(count, ["failed"]), limit)
    raised = constant_error("ToleranceExceeded", f"more items of {step.id} failed than it tolerates", step)
    with context.guarded((*own, *context.frame.guards)):
        failing = raise_error(context, f"{step.id}.intolerable", step, raised)
    onward = context.fold_to_state(edge, ENTRY)
    context.add(
        ChoiceState(
            name=f"{step.id}.tolerance",
            origin=Origin(Role.HELPER, step.span, step.id, ways=ways([onward], [{}]) if onward.steps else ()),
            rules=(Rule(jsonata.field(too_many.text), failing),),
            default=must_go(onward),
            assign=onward.assign,
        )
    )
    one = jsonata.variable("one")
    failed = jsonata.function(["one"], jsonata.call("exists", jsonata.steps(one, ["error"])))
    outcome = jsonata.verbatim("$states.result")
    counted = jsonata.call("count", jsonata.filtered(outcome, failed, flat=True))
    value: Json = {"failed": jsonata.field(counted.text), "of": jsonata.field(jsonata.call("count", outcome).text)}
    return Edge(f"{step.id}.tolerance", (PendingAssign(step, variable, value),))


def too_many_failed(context: Context, step: ParallelStep | ForEachStep, own: tuple[Guard, ...]) -> Catcher:
    """Step Functions tells only that too many children failed, under a name of its own (recorded)."""
    with context.guarded((*own, *context.frame.guards)):
        raised = constant_error("ToleranceExceeded", f"more items of {step.id} failed than it tolerates", step)
        name = raise_error(context, f"{step.id}.intolerable", step, raised)
    shown: dict[str, Json] = {"type": raised.type, "message": raised.message, "step": step.id}
    record = context.record(step, {Facet.STATUS: "failed", Facet.ERROR: shown})
    return Catcher(("States.ExceedToleratedFailureThreshold",), name, record, output={})
