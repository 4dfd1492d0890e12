"""What every state that does a step's work has in common: its failures, what is kept of its result, what follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stepsmith.analysis.facts import Facet, Point
from stepsmith.asl.states import Catcher, Origin, Role
from stepsmith.document import Json
from stepsmith.expressions.scope import Binding
from stepsmith.lowering.codes import UNREPEATABLE, Place
from stepsmith.lowering.context import Context
from stepsmith.lowering.edges import Edge, End
from stepsmith.lowering.failing import catching, handled, lower_handlers
from stepsmith.lowering.folding import end_with, fold_or_go, without_output
from stepsmith.lowering.frames import Guard
from stepsmith.lowering.handing import remembered
from stepsmith.lowering.raising import inside
from stepsmith.model.steps import Step, is_written


@dataclass(frozen=True, slots=True)
class Finish:
    """The fields of the state that follow from its step's result and from the edge that leaves it."""

    origin: Origin
    catch: tuple[Catcher, ...]
    assign: Mapping[str, Json]
    output: Json
    next: str | None


def own_guards(context: Context, step: Step, edge: Edge) -> tuple[Guard, ...]:
    """The step's own handlers; a failure that one survives goes on along `edge`."""
    return lower_handlers(context, step, step.on_failure or (), without_output(edge, step), (step,))


def finish(
    context: Context,
    step: Step,
    edge: Edge,
    point: Point,
    own: tuple[Guard, ...],
    result: tuple[Json, str],
    *,
    role: Role = Role.STEP,
    first: tuple[Catcher, ...] = (),
    kept: Mapping[str, Json] | None = None,
) -> Finish:
    """`result` is the step's result as a field and as JSONata, which its `output` modifier may reshape. `first` are
    catchers before those of handlers, `kept` what else is assigned: outputs that come out of branches."""
    caught = catching(context, step, own)
    catch = (*first, *caught.catchers)
    entry = context.entry(step.id)
    output, code = result
    inline: str | None = code
    if step.output is not None:
        extra = {"output": Binding(type=context.analysis.results[step.id], code=code)}
        output = context.write(step.output, point, entry, extra).json
        inline = context.inline(step.output, point, entry, extra)
    place = Place(loops=entry.loops, must_be_total=bool(catch))
    place = place.passing(context.passed(handled(step))).ending(step.id, inline or UNREPEATABLE, "succeeded")
    if kept:
        place = _bringing(context, step, place, kept)
    after = end_with(context, edge, step, output, place) or fold_or_go(context, edge, place)
    wraps = after.next is None and isinstance(edge.target, End) and bool(edge.target.keep or edge.target.wrap)
    left = remembered(context, step, output, entry)
    origin = Origin(
        role,
        step.span,
        step.id,
        step.description,
        folded=after.steps,
        ways=caught.ways,
        hands=next(iter(left), None),
        reshapes=step.rollback is not None and not left and step.output is not None,
        wraps=wraps,
    )
    return Finish(
        origin=origin,
        catch=catch,
        assign={
            **context.entry_assign(step.id),
            **context.unrun(handled(step)),
            **(kept or {}),
            **context.record(step, {Facet.OUTPUT: output, Facet.STATUS: "succeeded"}),
            **left,
            **after.assign,
        },
        output=after.output if after.next is None else output,
        next=after.next,
    )


def _bringing(context: Context, step: Step, place: Place, kept: Mapping[str, Json]) -> Place:
    """`place` where the outputs of steps come out of the branches of `step`."""
    # The state of a `parallel` shows its output in the history; that of a made one may end with another's.
    made = not is_written(step)
    for inner in inside(step):
        field = kept.get(context.names.step(inner.id, context.frame.chain))
        if field is None:
            continue
        certain = made and inner.id not in context.analysis.records and isinstance(field, str)
        code = str(field).removeprefix("{% ").removesuffix(" %}") if certain else UNREPEATABLE
        place = place.passing([inner.id], code)
    return place
