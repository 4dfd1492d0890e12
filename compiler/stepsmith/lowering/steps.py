"""Lowers steps: each verb becomes its state, each modifier a field or a neighbour of it."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from stepsmith.analysis.facts import Facet, Point
from stepsmith.asl.states import (
    ChoiceState,
    Origin,
    PassState,
    Role,
    Rule,
    SucceedState,
    TaskState,
    WaitState,
)
from stepsmith.document import Json
from stepsmith.expressions import jsonata
from stepsmith.expressions.syntax import Template
from stepsmith.lowering.approvals import lower_approval
from stepsmith.lowering.aws import lower_aws
from stepsmith.lowering.blocks import lower_graph, lower_repeat, lower_switch, lower_try
from stepsmith.lowering.children import lower_child
from stepsmith.lowering.choices import markers, ways
from stepsmith.lowering.codes import ENTRY, Place
from stepsmith.lowering.context import Context, LoweringError
from stepsmith.lowering.deadlines import limits, wait_seconds, wait_until
from stepsmith.lowering.edges import Edge, End, PendingSet
from stepsmith.lowering.errors import CIRCUIT_OPEN, CONCURRENCY_LIMIT, control_retriers, retriers
from stepsmith.lowering.failing import in_time
from stepsmith.lowering.finishing import finish, own_guards
from stepsmith.lowering.folding import fold_or_go, fold_to_state, without_output
from stepsmith.lowering.handing import handed_over
from stepsmith.lowering.loops import lower_for_each, lower_parallel
from stepsmith.lowering.payloads import pausable, payload
from stepsmith.lowering.raising import Raised, inside, must_go, raise_error
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
    RepeatStep,
    SetStep,
    Step,
    StopStep,
    SwitchStep,
    TryStep,
    WaitStep,
)

LAMBDA_INVOKE = "arn:${Partition}:states:::lambda:invoke"
RESULT = "$states.result.Payload"


def lower_block(context: Context, block: Block, edge: Edge) -> Edge:
    """The edge that enters `block`, which then goes on along `edge`."""
    for step in reversed(block):
        edge = _step(context, step, edge)
    return edge


def _step(context: Context, step: Step, edge: Edge) -> Edge:
    before = context.analysis.points[step.id]
    if step.condition is None:
        return _verb(context, step, edge, before)
    name = f"{step.id}.if"
    inner = _verb(context, step, edge, before.knowing(step.condition, True))
    entry = context.entry(name)
    skipping = Place(loops=entry.loops).passing(context.passed(inside(step))).ending(step.id, None, "skipped")
    folded = [
        fold_to_state(context, inner, entry),
        fold_to_state(context, without_output(edge, step), skipping),
    ]
    if (isinstance(inner.target, End) or inner.target == edge.target) and not isinstance(step, SetStep):
        # A block that is nothing but `set` steps has no state by which the history would know that it was entered.
        folded[0] = replace(folded[0], steps=(step.id, *folded[0].steps))
    outputs = markers(folded)
    run, skip = folded
    item = context.entry_assign(name)
    skipped = {**item, **context.unrun(inside(step)), **context.record(step, {Facet.STATUS: "skipped"})}
    condition = jsonata.field(context.condition(step.condition, before, entry))
    state = ChoiceState(
        name=name,
        origin=Origin(Role.CONDITION, step.span, step.id, ways=ways(folded, outputs)),
        rules=(Rule(condition, must_go(run), {**item, **run.assign}, output=outputs[0]),),
        default=must_go(skip),
        assign={**skipped, **skip.assign},
        output=outputs[1],
    )
    return Edge(context.add(state))


def _verb(context: Context, step: Step, edge: Edge, point: Point) -> Edge:
    match step:
        case ActionStep():
            return _action(context, step, edge, point)
        case ChildStep():
            return lower_child(context, step, edge, point)
        case AwsStep():
            return lower_aws(context, step, edge, point)
        case ApprovalStep():
            return lower_approval(context, step, edge, point)
        case SetStep():
            return Edge(edge.target, (PendingSet(step, point), *edge.pending))
        case WaitStep():
            return _wait(context, step, edge, point)
        case StopStep():
            return _stop(context, step, point)
        case FailStep():
            cause = context.write(step.cause, point, context.entry(step.id)).json
            return Edge(raise_error(context, step.id, step, Raised(step.error, cause, cause, step.id, step.error)))
        case SwitchStep():
            return lower_switch(context, step, edge, point)
        case RepeatStep():
            return lower_repeat(context, step, edge, point)
        case ParallelStep():
            return lower_parallel(context, step, edge, point)
        case ForEachStep():
            return lower_for_each(context, step, edge, point)
        case TryStep():
            return lower_try(context, step, edge, point)
        case GraphStep():
            return lower_graph(context, step, edge)
        case _:
            assert_never(step)


# -- action ---------------------------------------------------------------------------------------


def _action(context: Context, step: ActionStep, edge: Edge, point: Point) -> Edge:
    signature = context.catalog.get(step.action)
    if signature is None:
        raise LoweringError(f"{step.span}: the unknown action {step.action} passed the checks")
    context.functions.add(signature.function_id)
    own = own_guards(context, step, edge)
    done = finish(context, step, edge, point, own, (jsonata.field(RESULT), RESULT))
    timeout, heartbeat = limits(context, step.timeout, step.heartbeat)
    state = TaskState(
        name=step.id,
        origin=done.origin,
        resource=LAMBDA_INVOKE,
        arguments={
            "FunctionName": f"${{{signature.function_id}}}",
            "Payload": payload(
                context,
                step,
                point,
                context.entry(step.id),
                more={"undo": handed_over(context, step, context.entry(step.id))} if step.rollback else None,
            ),
        },
        timeout=timeout,
        heartbeat=heartbeat,
        retry=(
            *control_retriers(
                pausable=pausable(context),
                repeatable=signature.repeatable,
                queues=context.workflow.concurrency is not None and step.id not in context.sheltered,
                rate_limit=step.rate_limit,
            ),
            *retriers(
                step.retry or context.workflow.retry,
                context.catalog,
                refusals=(
                    *((CIRCUIT_OPEN,) if step.circuit_breaker else ()),
                    *((CONCURRENCY_LIMIT,) if context.workflow.concurrency is not None else ()),
                ),
            ),
        ),
        catch=done.catch,
        assign=done.assign,
        output=done.output,
        next=done.next,
    )
    return Edge(context.add(state))


# -- wait and stop --------------------------------------------------------------------------------


def _wait(context: Context, step: WaitStep, edge: Edge, point: Point) -> Edge:
    entry = context.entry(step.id)
    onward = in_time(context, step, without_output(edge, step))
    after = fold_or_go(context, onward, Place(loops=entry.loops).ending(step.id, "null", "succeeded"))

    def written(value: str | Template) -> str:
        if isinstance(value, str):
            return value
        return jsonata.field(context.translated(value, point, entry).code)

    state = WaitState(
        name=step.id,
        origin=Origin(Role.STEP, step.span, step.id, step.description, folded=after.steps),
        seconds=wait_seconds(context, written(step.seconds) if isinstance(step.seconds, Template) else step.seconds),
        timestamp=wait_until(context, written(step.until) if step.until is not None else None),
        assign={
            **context.entry_assign(step.id),
            **context.record(step, {Facet.OUTPUT: None, Facet.STATUS: "succeeded"}),
            **after.assign,
        },
        output=after.output if after.next is None else {},
        next=after.next,
    )
    return Edge(context.add(state))


def _stop(context: Context, step: StopStep, point: Point) -> Edge:
    output = context.write(step.result, point).json if step.result is not None else None
    origin = Origin(Role.STEP, step.span, step.id, step.description)
    if context.frame.finallies:
        leave = context.frame.finallies[0]
        onward = fold_to_state(context, leave.edge, ENTRY)
        assign: dict[str, Json] = {leave.outcome: {"stop": {"output": output}}, **onward.assign}
        origin = replace(origin, folded=onward.steps)
        state = PassState(name=step.id, origin=origin, assign=assign, output={}, next=onward.next)
        return Edge(context.add(state))
    return Edge(context.add(SucceedState(name=step.id, origin=origin, output=output)))
