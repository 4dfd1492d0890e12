"""Lowers a step that runs another workflow."""

from __future__ import annotations

from typing import Final

from stepsmith.analysis.facts import Facet, Point
from stepsmith.asl.names import machine_id
from stepsmith.asl.states import Catcher, TaskState
from stepsmith.document import Json
from stepsmith.expressions import jsonata
from stepsmith.lowering.codes import PARENTS
from stepsmith.lowering.context import Context
from stepsmith.lowering.deadlines import limit
from stepsmith.lowering.edges import Edge
from stepsmith.lowering.errors import child_error, retriers
from stepsmith.lowering.failing import around
from stepsmith.lowering.finishing import finish, own_guards
from stepsmith.lowering.input import STARTED_BY
from stepsmith.lowering.raising import raise_error, raised_from
from stepsmith.model.steps import ChildStep

START: Final = "arn:${Partition}:states:::states:startExecution"
WAIT: Final = f"{START}.sync:2"
"""Waits, and gives the child's input and output as values (recorded; plain `.sync` gives them as text)."""


def lower_child(context: Context, step: ChildStep, edge: Edge, point: Point) -> Edge:
    machine = machine_id(step.workflow)
    context.machines.add(machine)
    own = own_guards(context, step, edge)
    failed = _child_failed(context, step, own) if step.waits else ()
    code = _result(step)
    done = finish(context, step, edge, point, own, (jsonata.field(code), code), first=failed)
    given = context.write(step.params, point, context.entry(step.id)).json
    assert isinstance(given, dict)
    state = TaskState(
        name=step.id,
        origin=done.origin,
        resource=WAIT if step.waits else START,
        arguments={
            "StateMachineArn": f"${{{machine}}}",
            "Input": {**given, STARTED_BY: "{% $states.context.Execution.Id %}", **_parents(context, step)},
        },
        timeout=limit(context, step.timeout),
        retry=retriers(step.retry or context.workflow.retry, context.catalog, transient=False),
        catch=done.catch,
        assign=done.assign,
        output=done.output,
        next=done.next,
    )
    return Edge(context.add(state))


def _parents(context: Context, step: ChildStep) -> dict[str, Json]:
    """Which runs the child belongs to: one that is not waited for, or that cleans up, is controlled by itself."""
    return {PARENTS: context.run_parents(own=True)} if step.waits and step.id not in context.sheltered else {}


def _result(step: ChildStep) -> str:
    """The child's output; of one that is not waited for, the id of its run, which ends its ARN."""
    if step.waits:
        return jsonata.or_null(jsonata.verbatim("$states.result.Output")).text
    parts = jsonata.call("split", jsonata.verbatim("$states.result.ExecutionArn"), jsonata.constant(":"))
    last = jsonata.index(parts, jsonata.constant(-1))
    return jsonata.obj([(jsonata.constant("run_id"), last)]).text


def _child_failed(context: Context, step: ChildStep, own: tuple[object, ...]) -> tuple[Catcher, ...]:
    """A failed child shows as States.TaskFailed; its own error stands in the cause and is raised in its place."""
    variable = context.names.error(f"{step.id}.child")
    cancel = step.id not in context.sheltered
    with context.guarded((*own, *around(context, step, cancel=cancel))):  # type: ignore[arg-type]
        name = raise_error(context, f"{step.id}.error", step, raised_from(variable, cancel=cancel))
    fields = child_error(step.id)
    shown = {key: value for key, value in fields.items() if key != "cause"}
    record = context.record(step, {Facet.STATUS: "failed", Facet.ERROR: shown})
    assign = {**context.entry_assign(step.id), **record, variable: fields}
    return (Catcher(("States.TaskFailed",), name, assign, output={}),)
