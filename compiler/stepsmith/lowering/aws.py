"""Lowers a step that calls AWS directly: a Task without a Lambda function."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from stepsmith.analysis.facts import Facet, Point
from stepsmith.asl.states import UNSET, Origin, Role, TaskState
from stepsmith.document import Json
from stepsmith.expressions import jsonata
from stepsmith.expressions.scope import Binding
from stepsmith.integrations import integration_of
from stepsmith.lowering.codes import UNREPEATABLE, Place
from stepsmith.lowering.context import Context, without_output
from stepsmith.lowering.edges import Edge
from stepsmith.lowering.errors import retriers
from stepsmith.lowering.failing import catching, handled, lower_handlers
from stepsmith.model.steps import AwsStep
from stepsmith.permissions import permissions_of

RESULT: Final = "$states.result"


def lower_aws(context: Context, step: AwsStep, edge: Edge, point: Point) -> Edge:
    integration = integration_of(step, context.services)
    context.permissions += permissions_of(step, integration, context.workflow)
    own = lower_handlers(context, step, step.on_failure or (), without_output(edge, step), (step,))
    caught = catching(context, step, own)
    entry = context.entry(step.id)
    output: Json = jsonata.field(RESULT)
    inline: str | None = RESULT
    if step.output is not None:
        extra = {"output": Binding(type=context.analysis.results[step.id], code=RESULT)}
        output = context.write(step.output, point, entry, extra).json
        inline = context.inline(step.output, point, entry, extra)
    place = Place(loops=entry.loops, must_be_total=bool(caught.catchers))
    place = place.passing(context.passed(handled(step))).ending(step.id, inline or UNREPEATABLE, "succeeded")
    after = context.end_with(edge, step, output, place) or context.fold_or_go(edge, place)
    shown = after.output if after.next is None else output
    state = TaskState(
        name=step.id,
        origin=Origin(Role.STEP, step.span, step.id, step.description, folded=after.steps, ways=caught.ways),
        resource=integration.resource,
        arguments=context.write(step.params, replace(point, answerable=step.waits), entry).json,
        timeout=step.timeout,
        heartbeat=step.heartbeat,
        # The errors that Lambda's own retrier takes are Lambda's; what else to retry, the author says.
        retry=retriers(step.retry or context.workflow.retry, context.catalog, transient=False),
        catch=caught.catchers,
        assign={
            **context.entry_assign(step.id),
            **context.unrun(handled(step)),
            **context.record(step, {Facet.OUTPUT: output, Facet.STATUS: "succeeded"}),
            **after.assign,
        },
        output=UNSET if shown == jsonata.field(RESULT) else shown,
        next=after.next,
    )
    return Edge(context.add(state))
