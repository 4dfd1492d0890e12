"""Lowers a step that calls AWS directly: a Task without a Lambda function."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from stepsmith.analysis.facts import Point
from stepsmith.asl.states import UNSET, TaskState
from stepsmith.expressions import jsonata
from stepsmith.integrations import integration_of
from stepsmith.lowering.context import Context
from stepsmith.lowering.deadlines import limits
from stepsmith.lowering.edges import Edge
from stepsmith.lowering.errors import retriers
from stepsmith.lowering.finishing import finish, own_guards
from stepsmith.model.steps import AwsStep
from stepsmith.permissions import permissions_of

RESULT: Final = "$states.result"


def lower_aws(context: Context, step: AwsStep, edge: Edge, point: Point) -> Edge:
    integration = integration_of(step, context.services)
    context.permissions += permissions_of(step, integration, context.workflow)
    own = own_guards(context, step, edge)
    done = finish(context, step, edge, point, own, (jsonata.field(RESULT), RESULT))
    timeout, heartbeat = limits(context, step.timeout, step.heartbeat)
    state = TaskState(
        name=step.id,
        origin=done.origin,
        resource=integration.resource,
        arguments=context.write(step.params, replace(point, answerable=step.waits), context.entry(step.id)).json,
        timeout=timeout,
        heartbeat=heartbeat,
        # The errors that Lambda's own retrier takes are Lambda's; what else to retry, the author says.
        retry=retriers(step.retry or context.workflow.retry, context.catalog, transient=False),
        catch=done.catch,
        assign=done.assign,
        output=UNSET if done.output == jsonata.field(RESULT) else done.output,
        next=done.next,
    )
    return Edge(context.add(state))
