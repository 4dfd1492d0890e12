"""Lowers a step that runs another workflow."""

from __future__ import annotations

from typing import Final

from stepsmith.analysis.facts import Facet, Point
from stepsmith.asl.names import machine_id
from stepsmith.asl.states import Catcher, Origin, Role, TaskState
from stepsmith.document import Json
from stepsmith.expressions import jsonata
from stepsmith.expressions.scope import Binding
from stepsmith.lowering.codes import UNREPEATABLE, Place
from stepsmith.lowering.context import Context, or_null, without_output
from stepsmith.lowering.edges import Edge
from stepsmith.lowering.errors import child_error, retriers
from stepsmith.lowering.failing import catching, handled, lower_handlers, raise_error, raised_from
from stepsmith.lowering.input import STARTED_BY
from stepsmith.model.steps import ChildStep

START: Final = "arn:${Partition}:states:::states:startExecution"
WAIT: Final = f"{START}.sync:2"
"""Waits, and gives the child's input and output as values (recorded; plain `.sync` gives them as text)."""


def lower_child(context: Context, step: ChildStep, edge: Edge, point: Point) -> Edge:
    machine = machine_id(step.workflow)
    context.machines.add(machine)
    own = lower_handlers(context, step, step.on_failure or (), without_output(edge, step), (step,))
    caught = catching(context, step, own)
    failed = _child_failed(context, step, own) if step.waits else ()
    entry = context.entry(step.id)
    result = _result(step)
    output: Json = jsonata.field(result)
    inline: str | None = result
    if step.output is not None:
        extra = {"output": Binding(type=context.analysis.results[step.id], code=result)}
        output = context.write(step.output, point, entry, extra).json
        inline = context.inline(step.output, point, entry, extra)
    catch = (*failed, *caught.catchers)
    place = Place(loops=entry.loops, must_be_total=bool(catch))
    place = place.passing(context.passed(handled(step))).ending(step.id, inline or UNREPEATABLE, "succeeded")
    after = context.end_with(edge, step, output, place) or context.fold_or_go(edge, place)
    given = context.write(step.params, point, entry).json
    assert isinstance(given, dict)
    policy = step.retry or context.workflow.retry
    state = TaskState(
        name=step.id,
        origin=Origin(Role.STEP, step.span, step.id, step.description, folded=after.steps, ways=caught.ways),
        resource=WAIT if step.waits else START,
        arguments={
            "StateMachineArn": f"${{{machine}}}",
            "Input": {**given, STARTED_BY: "{% $states.context.Execution.Id %}"},
        },
        timeout=step.timeout,
        retry=retriers(policy, context.catalog, transient=False),
        catch=catch,
        assign={
            **context.entry_assign(step.id),
            **context.unrun(handled(step)),
            **context.record(step, {Facet.OUTPUT: output, Facet.STATUS: "succeeded"}),
            **after.assign,
        },
        output=after.output if after.next is None else output,
        next=after.next,
    )
    return Edge(context.add(state))


def _result(step: ChildStep) -> str:
    """The child's output; of one that is not waited for, the id of its run, which ends its ARN."""
    if step.waits:
        return or_null(jsonata.verbatim("$states.result.Output")).text
    parts = jsonata.call("split", jsonata.verbatim("$states.result.ExecutionArn"), jsonata.constant(":"))
    last = jsonata.index(parts, jsonata.constant(-1))
    return jsonata.obj([(jsonata.constant("run_id"), last)]).text


def _child_failed(context: Context, step: ChildStep, own: tuple[object, ...]) -> tuple[Catcher, ...]:
    """A failed child shows as States.TaskFailed; its own error stands in the cause and is raised in its place."""
    variable = context.names.error(f"{step.id}.child")
    guards = context.frame.guards
    with context.guarded((*own, *guards)):  # type: ignore[arg-type]
        name = raise_error(context, f"{step.id}.error", step, raised_from(variable))
    fields = child_error(step.id)
    shown = {key: value for key, value in fields.items() if key != "cause"}
    record = context.record(step, {Facet.STATUS: "failed", Facet.ERROR: shown})
    assign = {**context.entry_assign(step.id), **record, variable: fields}
    return (Catcher(("States.TaskFailed",), name, assign, output={}),)
