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
from stepsmith.lowering.codes import ENTRY
from stepsmith.lowering.context import Context
from stepsmith.lowering.deadlines import late_fields
from stepsmith.lowering.edges import Edge, PendingAssign
from stepsmith.lowering.errors import retriers
from stepsmith.lowering.failing import around, late_rule, leaves, onward_ways
from stepsmith.lowering.finishing import finish, own_guards
from stepsmith.lowering.folding import fold_to_state
from stepsmith.lowering.frames import Guard, Number
from stepsmith.lowering.raising import Raised, must_go, raise_error, raised_from
from stepsmith.model.steps import (
    ForEachStep,
    ParallelStep,
    S3Items,
    Step,
    is_written,
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
    own = own_guards(context, step, edge)
    first = (too_many_failed(context, step, own),) if distributed is not None else ()
    tolerant = isinstance(step, ForEachStep) and (step.tolerate or step.tolerate_percent is not None)
    if isinstance(step, ForEachStep) and tolerant and distributed is None:
        edge = _tolerance(context, step, edge, own)
    never_again, out, ways = leaves(context, step)
    first = (*out, *first)
    role = Role.BLOCK if is_written(step) else Role.HELPER
    done = finish(context, step, edge, point, own, result, role=role, first=first, kept=kept)
    done = replace(done, origin=replace(done.origin, ways=(*ways, *done.origin.ways)))
    retry = retriers(step.retry, context.catalog, transient=False)
    retry = (*never_again, *retry) if retry else ()
    state: ParallelState | MapState
    if isinstance(step, ParallelStep):
        state = ParallelState(
            name=step.id, origin=done.origin, branches=machines, arguments={}, retry=retry,
            catch=done.catch, assign=done.assign, output=done.output, next=done.next,
        )  # fmt: skip
    else:
        items = None
        if not isinstance(step.items, S3Items):
            items = context.write(step.items, point, context.entry(step.id)).json
        state = MapState(
            name=step.id, origin=done.origin, items=items, selector=selector, processor=machines[0],
            concurrency=step.concurrency, retry=retry, catch=done.catch, assign=done.assign,
            output=done.output, next=done.next, distributed=distributed,
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
    with context.guarded((*own, *around(context, step))):
        failing = raise_error(context, f"{step.id}.intolerable", step, raised)
        late = (late_rule(context, step, f"{step.id}.late"),) if context.deadline is not None else ()
    onward = fold_to_state(context, edge, ENTRY)
    context.add(
        ChoiceState(
            name=f"{step.id}.tolerance",
            origin=Origin(Role.HELPER, step.span, step.id, ways=onward_ways(onward)),
            rules=(*late, Rule(jsonata.field(too_many.text), failing)),
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
    text = f"more items of {step.id} failed than it tolerates"
    raised = constant_error("ToleranceExceeded", text, step)
    fields, variable = raised.fields(), context.names.error(f"{step.id}.intolerable")
    late = context.deadline is not None
    if late:
        fields = late_fields(context, step, "ToleranceExceeded", text)
        raised = raised_from(variable)
    with context.guarded((*own, *around(context, step))):
        name = raise_error(context, f"{step.id}.intolerable", step, raised)
    shown = {key: value for key, value in fields.items() if key != "cause"}
    record = context.record(step, {Facet.STATUS: "failed", Facet.ERROR: shown})
    assign = {**record, variable: fields} if late else record
    return Catcher(("States.ExceedToleratedFailureThreshold",), name, assign, output={})
