"""Lowers what holds steps in the same map of states: switch, repeat, try, and a list with needs."""

from __future__ import annotations

from dataclasses import replace

from stepsmith.analysis.facts import Facet, Point
from stepsmith.asl.states import (
    ChoiceState,
    Origin,
    Role,
    Rule,
    SucceedState,
    WaitState,
)
from stepsmith.document import Json
from stepsmith.expressions import jsonata
from stepsmith.lowering.choices import markers, ways
from stepsmith.lowering.codes import ENTRY
from stepsmith.lowering.context import Context
from stepsmith.lowering.deadlines import wait_seconds
from stepsmith.lowering.edges import Edge, End, Folded, PendingAssign, PendingBlock
from stepsmith.lowering.failing import late_rule, leaving, lower_handlers
from stepsmith.lowering.folding import fold_to_state, state_for, without_output
from stepsmith.lowering.frames import Finally, Guard, Number
from stepsmith.lowering.joining import begun, constant_error
from stepsmith.lowering.raising import inside, must_go, raise_error, raised_from
from stepsmith.model.policies import Then
from stepsmith.model.steps import (
    Block,
    GraphStep,
    RepeatStep,
    Step,
    StopStep,
    SwitchStep,
    TryStep,
    rolls_back,
    walk,
)


def block_ends(context: Context, step: Step, block: Block, edge: Edge) -> Edge:
    """The edge that leaves `block` of `step`: the output of the block's last step becomes the step's own."""
    last = step.last if isinstance(step, GraphStep) else block[-1] if block else None
    if isinstance(edge.target, End) and edge.target.last is not None and edge.target.last.id == step.id:
        edge = Edge(replace(edge.target, last=last), edge.pending)
    if step.id not in context.analysis.read:
        return edge
    return Edge(edge.target, (PendingBlock(step, last), *edge.pending))


def lower_switch(context: Context, step: SwitchStep, edge: Edge, point: Point) -> Edge:
    entry = context.entry(step.id)
    folded: list[Folded] = []
    conditions: list[str] = []
    unrun: list[dict[str, Json]] = []
    before = point
    for case in step.cases:
        others = [inner for other in step.cases if other is not case for inner in walk(other.steps)]
        way = context.block(case.steps, block_ends(context, step, case.steps, edge))
        folded.append(fold_to_state(context, way, entry.passing(context.passed(others))))
        unrun.append(context.unrun(others))
        if case.condition is not None:
            conditions.append(jsonata.field(context.condition(case.condition, before, entry)))
            before = before.knowing(case.condition, False)
    if len(conditions) == len(step.cases):
        past = entry.passing(context.passed(inside(step)))
        folded.append(fold_to_state(context, block_ends(context, step, (), edge), past))
        unrun.append(context.unrun(inside(step)))
    item = context.entry_assign(step.id)
    outputs = markers(folded)
    rules = tuple(
        Rule(condition, must_go(way), {**item, **empty, **way.assign}, output=output)
        for condition, way, empty, output in zip(conditions, folded, unrun, outputs, strict=False)
    )
    state = ChoiceState(
        name=step.id,
        origin=Origin(Role.BLOCK, step.span, step.id, step.description, ways=ways(folded, outputs)),
        rules=rules,
        default=must_go(folded[-1]),
        assign={**item, **unrun[-1], **folded[-1].assign},
        output=outputs[-1],
    )
    return Edge(context.add(state))


def lower_repeat(context: Context, step: RepeatStep, edge: Edge, point: Point) -> Edge:
    """A Choice that decides whether there is another round, and a Wait between rounds where a delay is asked for."""
    variable = context.names.round(step.id)
    rounds = jsonata.variable(variable)
    exhausted = raise_error(
        context,
        f"{step.id}.exhausted",
        step,
        constant_error("RepeatExhausted", f"{step.id} was not done after {step.most} rounds", step),
    )
    late = (late_rule(context, step, f"{step.id}.late"),) if step.delay and context.deadline is not None else ()
    leave = fold_to_state(context, block_ends(context, step, step.steps, edge), ENTRY)
    outer_path = context.frame.path
    # A `while` counts the round before it begins, an `until` after it has ended.
    number = f"${variable}" if step.until is not None else f"${variable} - 1"
    context.frame.path = (*begun(outer_path, step.id), "[", Number(step.id, number), "]")
    delay = f"{step.id}.delay"
    body = state_for(context, context.block(step.steps, Edge(step.id)))
    context.frame.path = outer_path
    if step.delay:
        context.add(
            WaitState(
                name=delay,
                origin=Origin(Role.HELPER, step.span, step.id),
                seconds=wait_seconds(context, step.delay),
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
            *late,
            Rule(jsonata.field(limit), exhausted),
            *at_once,
        ),
        default=delay if step.delay else body,
        assign={variable: one_more},
    )
    context.add(state)
    start: tuple[PendingAssign, ...] = (PendingAssign(step, variable, 0),)
    if step.until is not None:
        return Edge(body, start)
    # Without a round, the last step has no output, not that of an earlier time.
    start += tuple(PendingAssign(step, name, value) for name, value in context.unrun(step.steps[-1:]).items())
    return Edge(step.id, start)


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


def lower_graph(context: Context, step: GraphStep, edge: Edge) -> Edge:
    return context.block(step.steps, block_ends(context, step, step.steps, edge))


def lower_finally(
    context: Context, step: Step | None, name: str, block: Block, body: Block, edge: Edge
) -> tuple[Edge, Guard, Finally]:
    """A block that runs whatever happened to `body`, and what follows it: the edge for a success, the guard for a
    failure, and the way for a `stop`."""
    outcome = context.names.outcome(name)
    span = step.span if step is not None else block[0].span
    held = jsonata.variable(outcome)
    failed = raise_error(
        context, f"{name}.fail" if step is None else f"{name}.unhandled", step, raised_from(outcome, cancel=True)
    )
    after = fold_to_state(context, edge, ENTRY)
    rules = [Rule(jsonata.field(jsonata.call("exists", jsonata.steps(held, ["type"])).text), failed)]
    handlers = step.catch if isinstance(step, TryStep) else ()
    within = (*walk(body), *(inner for handler in handlers for inner in walk(handler.steps)))
    begins = any(map(rolls_back, within)) or any(handler.then is Then.ROLLBACK for handler in handlers)
    out: str | None = None
    if step is not None and begins:
        with context.guarded((leaving(context, step),), ()):
            out = raise_error(context, f"{name}.leave.finally", step, raised_from(outcome))
        rules.insert(0, Rule(jsonata.field(jsonata.call("exists", jsonata.steps(held, ["rollback"])).text), out))
    if any(isinstance(inner, StopStep) for inner in within):
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
    own = _late_failure(context, step, name, outcome, late, failed, out)
    with context.outliving(), context.guarded((Guard(None, Edge(own), late, step, block), *context.frame.guards)):
        entry = context.block(block, Edge(exit_name))
    succeeded = Edge(entry.target, (PendingAssign(step, outcome, {}), *entry.pending))
    handling = tuple(inner for handler in handlers for inner in handler.steps)
    guard = Guard(None, entry, outcome, step, body, leaving=True, handlers=handling)
    return succeeded, guard, Finally(entry, outcome, step, body, handling)


def _stopped(context: Context, name: str, outcome: str) -> tuple[str, dict[str, Json]]:
    """Where a `stop` goes after the block: through the next block around, else to its end."""
    code = f"${outcome}"
    if context.frame.finallies:
        leave = context.frame.finallies[0]
        return state_for(context, leave.edge), {leave.outcome: jsonata.field(code)}
    output = jsonata.field(jsonata.path(code, "stop", "output"))
    origin = Origin(Role.END, context.workflow.span)
    return context.add(SucceedState(name=f"{name}.stop", origin=origin, output=output)), {}


def _late_failure(
    context: Context, step: Step | None, name: str, outcome: str, late: str, failed: str, out: str | None
) -> str:
    """The Choice that a failure of the block itself leads to: the error that was there before is kept, and its way
    `out` to a rollback."""

    def held(member: str) -> str:
        return jsonata.field(jsonata.call("exists", jsonata.steps(jsonata.variable(outcome), [member])).text)

    origin = Origin(Role.HELPER, step.span if step is not None else context.workflow.span, step.id if step else None)
    kept: dict[str, Json] = {}
    if step is not None and Facet.ERROR in context.analysis.read.get(step.id, ()):
        first: dict[str, Json] = {
            member: jsonata.field(jsonata.path(f"${outcome}", member)) for member in ("type", "message", "step")
        }
        kept = context.record(step, {Facet.STATUS: "failed", Facet.ERROR: first})
    return context.add(
        ChoiceState(
            name=f"{name}.finally.failed",
            origin=origin,
            rules=(*([Rule(held("rollback"), out, kept)] if out else []), Rule(held("type"), failed, kept)),
            default=failed,
            assign={outcome: jsonata.field(f"${late}")},
        )
    )
