"""Lowers the verbs that hold steps: switch, repeat, parallel, for_each and try."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from stepsmith.analysis.facts import Facet, Point
from stepsmith.asl.states import (
    ChoiceState,
    MapState,
    Origin,
    ParallelState,
    PassState,
    Role,
    Rule,
    SubMachine,
    SucceedState,
    WaitState,
)
from stepsmith.document import Json
from stepsmith.expressions import jsonata
from stepsmith.expressions.scope import Binding
from stepsmith.lowering.choices import markers, ways
from stepsmith.lowering.codes import ENTRY, Place
from stepsmith.lowering.context import Context, Finally, Frame, Guard, Number, or_null, without_output
from stepsmith.lowering.edges import Edge, End, Folded, PendingAssign, PendingBlock
from stepsmith.lowering.errors import retriers
from stepsmith.lowering.failing import (
    Raised,
    catching,
    inside,
    lower_handlers,
    must_go,
    raise_error,
    raised_from,
)
from stepsmith.lowering.names import LOOP
from stepsmith.model.steps import (
    ActionStep,
    Block,
    ChildStep,
    FailStep,
    ForEachStep,
    ParallelStep,
    RepeatStep,
    Step,
    StopStep,
    SwitchStep,
    TryStep,
    WaitStep,
    walk,
)


def _constant_error(name: str, text: str, step: Step) -> Raised:
    return Raised(name, text, text, step.id, name)


def block_ends(context: Context, step: Step, block: Block, edge: Edge) -> Edge:
    """The edge that leaves `block` of `step`: the output of the block's last step becomes the step's own."""
    last = block[-1] if block else None
    if isinstance(edge.target, End) and edge.target.last is not None and edge.target.last.id == step.id:
        edge = Edge(replace(edge.target, last=last), edge.pending)
    if step.id not in context.analysis.read:
        return edge
    return Edge(edge.target, (PendingBlock(step, last), *edge.pending))


# -- switch ---------------------------------------------------------------------------------------


def lower_switch(context: Context, step: SwitchStep, edge: Edge, point: Point) -> Edge:
    entry = context.entry(step.id)
    item = context.entry_assign(step.id)
    folded: list[Folded] = []
    conditions: list[str] = []
    unrun: list[dict[str, Json]] = []
    before = point
    for case in step.cases:
        others = [inner for other in step.cases if other is not case for inner in walk(other.steps)]
        way = context.block(case.steps, block_ends(context, step, case.steps, edge))
        folded.append(context.fold_to_state(way, entry))
        unrun.append({**item, **context.unrun(others)})
        if case.condition is not None:
            conditions.append(jsonata.field(context.condition(case.condition, before, entry)))
            before = before.knowing(case.condition, False)
    if len(conditions) == len(step.cases):
        folded.append(context.fold_to_state(block_ends(context, step, (), edge), entry))
        unrun.append({**item, **context.unrun(inside(step))})
    outputs = markers(folded)
    rules = tuple(
        Rule(condition, must_go(way), {**empty, **way.assign}, output=output)
        for condition, way, empty, output in zip(conditions, folded, unrun, outputs, strict=False)
    )
    state = ChoiceState(
        name=step.id,
        origin=Origin(Role.BLOCK, step.span, step.id, step.description, ways=ways(folded, outputs)),
        rules=rules,
        default=must_go(folded[-1]),
        assign={**unrun[-1], **folded[-1].assign},
        output=outputs[-1],
    )
    return Edge(context.add(state))


# -- repeat ---------------------------------------------------------------------------------------


def lower_repeat(context: Context, step: RepeatStep, edge: Edge, point: Point) -> Edge:
    """A Choice that decides whether there is another round, and a Wait between rounds where a delay is asked for."""
    variable = context.names.round(step.id)
    rounds = jsonata.variable(variable)
    exhausted = raise_error(
        context,
        f"{step.id}.exhausted",
        step,
        _constant_error("RepeatExhausted", f"{step.id} was not done after {step.most} rounds", step),
    )
    leave = context.fold_to_state(block_ends(context, step, step.steps, edge), ENTRY)
    outer_path = context.frame.path
    # A `while` counts the round before it begins, an `until` after it has ended.
    number = f"${variable}" if step.until is not None else f"${variable} - 1"
    context.frame.path = (*_begun(outer_path, step.id), "[", Number(step.id, number), "]")
    delay = f"{step.id}.delay"
    body = context.state_for(context.block(step.steps, Edge(step.id)))
    context.frame.path = outer_path
    if step.delay:
        context.add(
            WaitState(
                name=delay,
                origin=Origin(Role.HELPER, step.span, step.id),
                seconds=step.delay,
                output={},
                next=body,
            )
        )
    one_more = jsonata.field(jsonata.binary("+", rounds, jsonata.constant(1)).text)
    done, limit = _repeat_tests(context, step, point, variable)
    at_once: tuple[Rule, ...] = ()
    if step.delay and step.until is None:
        first = jsonata.comparison("=", rounds, jsonata.constant(0))
        at_once = (Rule(jsonata.field(first.text), body, {variable: one_more}),)
    state = ChoiceState(
        name=step.id,
        origin=Origin(
            Role.BLOCK, step.span, step.id, step.description, ways=ways([leave], [{}]) if leave.steps else ()
        ),
        rules=(
            Rule(jsonata.field(done), must_go(leave), leave.assign, output={}),
            Rule(jsonata.field(limit), exhausted),
            *at_once,
        ),
        default=delay if step.delay else body,
        assign={variable: one_more},
    )
    context.add(state)
    start = PendingAssign(step, variable, 0)
    return Edge(body if step.until is not None else step.id, (start,))


def _repeat_tests(context: Context, step: RepeatStep, point: Point, variable: str) -> tuple[str, str]:
    """When the rounds are over, and when there were too many, as JSONata."""
    rounds = jsonata.variable(variable)
    ends = context.analysis.ends.get(step.id, point)
    if step.until is not None:
        limit = jsonata.comparison(">=", rounds, jsonata.constant(step.most - 1))
        return context.condition(step.until, ends), limit.text
    if step.go_on is None:
        return "true", "false"
    going = jsonata.verbatim(context.condition(step.go_on, ends))
    limit = jsonata.comparison(">=", rounds, jsonata.constant(step.most))
    return jsonata.call("not", going).text, limit.text


def _begun(path: tuple[str | Number, ...], name: str) -> tuple[str | Number, ...]:
    return (*path, f".{name}") if path else (name,)


# -- parallel -------------------------------------------------------------------------------------


def lower_parallel(context: Context, step: ParallelStep, edge: Edge, point: Point) -> Edge:
    exported = [_exported(context, branch.steps) for branch in step.branches]
    branches: list[SubMachine] = []
    for branch, keep in zip(step.branches, exported, strict=True):
        outer = context.frame
        frame = Frame(
            chain=(*outer.chain, f"{step.id}.{branch.name}"),
            path=(*_begun(outer.path, step.id), f".{branch.name}" if step.keyed else f"[{branch.name}]"),
        )
        end = End(f"{step.id}.{branch.name}.end", branch.span, last=branch.steps[-1], keep=tuple(keep))
        branches.append(
            context.sub_machine(frame, lambda b=branch, e=end: context.state_for(context.block(b.steps, Edge(e))))  # type: ignore[misc]
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
    kept: dict[str, Json] = {}
    for index, keep in enumerate(exported):
        for inner in keep:
            code = jsonata.path(f"$states.result[{index}].steps", inner.id)
            kept[context.names.step(inner.id, context.frame.chain)] = jsonata.field(code)
    return _joined(context, step, edge, point, (result, whole.text), kept, tuple(branches), None)


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


# -- for_each -------------------------------------------------------------------------------------


def lower_for_each(context: Context, step: ForEachStep, edge: Edge, point: Point) -> Edge:
    index = context.names.loop(step.id, index=True, wanted=step.index_name or "index")
    context.names.loop(step.id, index=False, wanted=step.item_name)
    outer = context.frame
    tolerant = step.tolerate > 0 or step.tolerate_percent is not None
    first = _first_state(step.steps)
    frame = Frame(
        chain=(*outer.chain, step.id + LOOP),
        path=(*_begun(outer.path, step.id), "[", Number(step.id, f"${index}"), "]"),
        first=(first, step) if first is not None else None,
    )
    processor = context.sub_machine(frame, lambda: _iteration(context, step, tolerant))
    selector: dict[str, Json] = {"index": "{% $states.context.Map.Item.Index %}"}
    if (step.id, False) in context.analysis.loop_names_read:
        selector = {"item": "{% $states.context.Map.Item.Value %}", **selector}
    whole = "$states.result"
    if tolerant:
        each = jsonata.function(["one"], or_null(jsonata.steps(jsonata.variable("one"), ["output"])))
        whole = jsonata.mapped(jsonata.verbatim("$states.result"), each, flat=False).text
    result: Json = jsonata.field(whole)
    return _joined(context, step, edge, point, (result, whole), {}, (processor,), selector)


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
    pending = tuple(PendingAssign(step, name, value) for name, value in context.item_variables(step).items())
    start = context.state_for(Edge(context.state_for(entry)))
    state = PassState(
        name=f"{step.id}.item",
        origin=Origin(Role.HELPER, step.span, step.id),
        assign={item.variable: item.value for item in pending},
        output={},
        next=start,
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
        case ActionStep() | ChildStep() | WaitStep() | SwitchStep():
            return step.id
        case FailStep():
            return None
        case TryStep():
            return None if step.finally_steps else _first_state(step.steps)
        case _:
            return None


# -- what parallel and for_each share -------------------------------------------------------------


def _joined(
    context: Context,
    step: ParallelStep | ForEachStep,
    edge: Edge,
    point: Point,
    result: tuple[Json, str],
    kept: dict[str, Json],
    machines: tuple[SubMachine, ...],
    selector: Json,
) -> Edge:
    """The state of a block that runs machines of its own and joins their results."""
    own = lower_handlers(context, step, step.on_failure or (), without_output(edge, step), (step,))
    caught = catching(context, step, own)
    entry = context.entry(step.id)
    output, whole = result
    inline: str | None = whole
    if step.output is not None:
        extra = {"output": Binding(type=context.analysis.results[step.id], code=whole)}
        output = context.write(step.output, point, entry, extra).json
        inline = context.inline(step.output, point, entry, extra)
    place = Place(loops=entry.loops, must_be_total=bool(caught.catchers)).ending(step.id, inline, "succeeded")
    for inner in inside(step):
        if context.names.step(inner.id, context.frame.chain) in kept:
            place = replace(place, steps={**place.steps, **{(inner.id, facet): None for facet in Facet}})
    if isinstance(step, ForEachStep) and (step.tolerate or step.tolerate_percent is not None):
        edge = _tolerance(context, step, edge)
    reshaped_end = inline is None and isinstance(edge.target, End) and edge.target.last is step
    after = Folded(None, output=output) if reshaped_end and not edge.pending else context.fold_or_go(edge, place)
    handled = [inner for handler in step.on_failure or () for inner in walk(handler.steps)]
    origin = Origin(Role.BLOCK, step.span, step.id, step.description, folded=after.steps, ways=caught.ways)
    retry = retriers(step.retry, context.catalog, transient=False)
    assign = {
        **context.entry_assign(step.id),
        **context.unrun(handled),
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
        items = context.write(step.items, point, entry).json
        state = MapState(
            name=step.id, origin=origin, items=items, selector=selector, processor=machines[0],
            concurrency=step.concurrency, retry=retry, catch=caught.catchers,
            assign=assign, output=shown, next=after.next,
        )  # fmt: skip
    return Edge(context.add(state))


def _tolerance(context: Context, step: ForEachStep, edge: Edge) -> Edge:
    """The Choice after a tolerant loop: too many failed items fail the step."""
    variable = context.names.error(f"{step.id}.failures")
    count = jsonata.variable(variable)
    limit = jsonata.constant(step.tolerate)
    if step.tolerate_percent is not None:
        total = jsonata.steps(count, ["of"])
        share = jsonata.binary("*", total, jsonata.constant(step.tolerate_percent))
        limit = jsonata.binary("/", share, jsonata.constant(100))
    too_many = jsonata.comparison(">", jsonata.steps(count, ["failed"]), limit)
    failing = raise_error(
        context,
        f"{step.id}.intolerable",
        step,
        _constant_error("ToleranceExceeded", f"more items of {step.id} failed than it tolerates", step),
    )
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


# -- try ------------------------------------------------------------------------------------------


def lower_try(context: Context, step: TryStep, edge: Edge, point: Point) -> Edge:
    del point
    done = edge
    outer, leaves = context.frame.guards, context.frame.finallies
    around = outer
    if step.finally_steps:
        done, guard, leave = lower_finally(context, step, step.id, step.finally_steps, step.steps, edge)
        around, leaves = (guard, *outer), (leave, *leaves)
    with context.guarded(around, leaves):
        failed = without_output(done, step)
        handlers = lower_handlers(context, step, step.catch, failed, step.steps)
    with context.guarded((*handlers, *around), leaves):
        return context.block(step.steps, block_ends(context, step, step.steps, done))


def lower_finally(
    context: Context, step: Step | None, name: str, block: Block, body: Block, edge: Edge
) -> tuple[Edge, Guard, Finally]:
    """A block that runs whatever happened to `body`, and what follows it: the edge for a success, the guard for a
    failure, and the way for a `stop`."""
    outcome = context.names.outcome(name)
    span = step.span if step is not None else block[0].span
    held = jsonata.variable(outcome)
    failed = raise_error(context, f"{name}.fail" if step is None else f"{name}.unhandled", step, raised_from(outcome))
    after = context.fold_to_state(edge, ENTRY)
    rules = [Rule(jsonata.field(jsonata.call("exists", jsonata.steps(held, ["type"])).text), failed)]
    if any(isinstance(inner, StopStep) for inner in walk(body)):
        stopped = jsonata.call("exists", jsonata.steps(held, ["stop"]))
        rules.append(Rule(jsonata.field(stopped.text), *_stopped(context, name, outcome)))
    exit_name = context.add(
        ChoiceState(
            name=f"{name}.finally",
            origin=Origin(
                Role.HELPER, span, step.id if step else None, ways=ways([after], [{}]) if after.steps else ()
            ),
            rules=tuple(rules),
            default=must_go(after),
            assign=after.assign,
        )
    )
    # A failure inside the block itself ends the run with the first error there was.
    late = context.names.error(f"{name}.finally")
    own = _late_failure(context, step, name, outcome, late, failed)
    with context.guarded((Guard(None, Edge(own), late, step, block), *context.frame.guards)):
        entry = context.block(block, Edge(exit_name))
    succeeded = Edge(entry.target, (PendingAssign(step, outcome, {}), *entry.pending))
    return succeeded, Guard(None, entry, outcome, step, body), Finally(entry, outcome)


def _stopped(context: Context, name: str, outcome: str) -> tuple[str, dict[str, Json]]:
    """Where a `stop` goes after the block: through the next block around, else to its end."""
    code = f"${outcome}"
    if context.frame.finallies:
        leave = context.frame.finallies[0]
        return context.state_for(leave.edge), {leave.outcome: jsonata.field(code)}
    output = jsonata.field(jsonata.path(code, "stop", "output"))
    origin = Origin(Role.END, context.workflow.span)
    return context.add(SucceedState(name=f"{name}.stop", origin=origin, output=output)), {}


def _late_failure(context: Context, step: Step | None, name: str, outcome: str, late: str, failed: str) -> str:
    """The Choice that a failure of the block itself leads to: the error that was there before is kept."""
    held = jsonata.call("exists", jsonata.steps(jsonata.variable(outcome), ["type"]))
    origin = Origin(Role.HELPER, step.span if step is not None else context.workflow.span, step.id if step else None)
    return context.add(
        ChoiceState(
            name=f"{name}.finally.failed",
            origin=origin,
            rules=(Rule(jsonata.field(held.text), failed),),
            default=failed,
            assign={outcome: jsonata.field(f"${late}")},
        )
    )
