"""What happens when a step fails: which handlers its state names, and where they lead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from stepsmith.analysis.facts import Facet
from stepsmith.asl.names import LONGEST_STATE
from stepsmith.asl.states import Catcher, ChoiceState, FailState, Origin, Retrier, Role, Rule, Way
from stepsmith.document import Json
from stepsmith.expressions import jsonata
from stepsmith.lowering.codes import ENTRY, Place
from stepsmith.lowering.context import Context
from stepsmith.lowering.deadlines import TIMEOUT, TIMEOUTS, caught_fields, late_cause, late_message, passed
from stepsmith.lowering.edges import Edge, Folded
from stepsmith.lowering.errors import CANCELLED, expand
from stepsmith.lowering.folding import fold_to_state
from stepsmith.lowering.frames import Guard
from stepsmith.lowering.names import LOOP
from stepsmith.lowering.raising import (
    EVERYTHING,
    Raised,
    change,
    hides_a_cancel,
    inside,
    must_go,
    raise_error,
    raised_from,
    text,
)
from stepsmith.model.policies import Handler, Then
from stepsmith.model.steps import (
    ActionStep,
    ApprovalStep,
    Block,
    ChildStep,
    ForEachStep,
    ParallelStep,
    Step,
    inner_blocks,
    rolls_back,
    walk,
)

ROLLBACK: Final = "workflow.rollback"
"""The state that begins the rollback of the run."""
LEAVES: Final = "Stepsmith.Rollback"
"""The error with which a branch or an iteration fails whose error is on its way to the rollback."""
LONGEST_TEXT: Final = 7_000
"""Characters of each part of such an error: together they must fit a Cause of 32,768."""


def lower_handlers(
    context: Context, step: Step, handlers: tuple[Handler, ...], done: Edge, block: Block
) -> tuple[Guard, ...]:
    """The handlers of `step` as guards, in order; `done` is where a handled failure goes on."""
    # A last handler that only fails adds nothing to what happens anyway.
    while handlers and handlers[-1].then is Then.FAIL and not handlers[-1].steps:
        handlers = handlers[:-1]
    return tuple(guard for handler in handlers for guard in _guards(context, step, handler, done, block))


def _guards(context: Context, step: Step, handler: Handler, done: Edge, block: Block) -> Iterator[Guard]:
    errors = None if handler.errors is None else expand(handler.errors, context.catalog)
    if handler.then is Then.ROLLBACK:
        leave = leaving(context, step)
        if not handler.steps:
            yield replace(leave, errors=errors)
            return
        held = context.names.error(step.id)
        name = f"{step.id}.leave"
        if name not in context.frame.states:
            with context.guarded((leave,), ()):
                raise_error(context, name, step, raised_from(held))
        with context.outliving():
            entry = context.block(handler.steps, Edge(name))
        yield Guard(errors, entry, held, step, block)
        return
    again = handler.then is not Then.CONTINUE
    if not again and context.deadline is not None:
        late = _taken_by(errors)
        if handler.steps:
            done = in_time(context, step, done)
        elif late:
            yield Guard(late, in_time(context, step, done), None, step, block)
    variable = context.names.error(step.id) if again or step.id in context.analysis.errors_read else None
    after = done
    if again and variable is not None:
        name = f"{step.id}.fail"
        if name not in context.frame.states:
            raise_error(context, name, step, raised_from(variable))
        after = Edge(name)
    with context.outliving():
        entry = context.block(handler.steps, after)
    yield Guard(errors, entry, variable, step, block)


def _taken_by(errors: tuple[str, ...] | None) -> tuple[str, ...]:
    """Those errors of a deadline that a handler of `errors` takes."""
    return TIMEOUTS if errors is None or EVERYTHING in errors else tuple(name for name in TIMEOUTS if name in errors)


def in_time(context: Context, step: Step, edge: Edge, part: str = "deadline") -> Edge:
    """`edge` behind a Choice that raises the workflow's timeout when the deadline has passed; without a deadline
    `edge` itself. The history knows the Choice by its name, `STEP.part`."""
    name = f"{step.id}.{part}"
    if context.deadline is None:
        return edge
    if name not in context.frame.states:
        rule = late_rule(context, step, f"{name}.late", loses_inner=False)
        onward = fold_to_state(context, edge, ENTRY)
        context.add(
            ChoiceState(
                name=name,
                origin=Origin(Role.HELPER, step.span, step.id, ways=onward_ways(onward)),
                rules=(rule,),
                default=must_go(onward),
                assign=onward.assign,
                output={},
            )
        )
    return Edge(name)


def late_rule(context: Context, step: Step, name: str, *, loses_inner: bool = True) -> Rule:
    """The rule of a Choice that raises the workflow's timeout, by the state `name`, when the deadline has passed."""
    text, cause = jsonata.literal(late_message(context)), jsonata.literal(late_cause(context, step))
    raised = Raised(TIMEOUT, text, cause, step.id, TIMEOUT, loses_inner)
    condition = jsonata.field(passed(context).text)
    return Rule(condition, raise_error(context, name, step, raised))


def onward_ways(onward: Folded) -> tuple[Way, ...]:
    """How the history knows the way on, when steps were folded into it."""
    return (Way(must_go(onward), onward.steps, {}),) if onward.steps else ()


def leaving(context: Context, step: Step) -> Guard:
    """The way of an error to the rollback of the run: past the handlers around, through each `finally` on the way.

    A branch or an iteration can only fail, so it does with a name of its own that no handler takes (`leaves`).
    """
    frame = context.frame
    around = next((item for item in frame.finallies if item.owner is not None), None)
    if around is not None:
        return Guard(
            None, around.edge, around.outcome, around.owner, around.block, {"rollback": True}, handlers=around.handlers
        )
    if frame.is_outermost:
        return Guard(None, Edge(ROLLBACK), context.names.rollback("error"), step, context.workflow.steps)
    variable = context.names.error(f"{step.id}.out")
    name = f"{step.id}.out"
    if name not in frame.states:
        held = jsonata.variable(variable)
        longest = jsonata.constant(LONGEST_TEXT)
        told = [
            (jsonata.constant(key), jsonata.call("substring", jsonata.steps(held, [key]), jsonata.constant(0), longest))
            for key in ("type", "message", "cause", "step")
        ]
        cause = jsonata.field(jsonata.call("string", jsonata.obj(told)).text)
        origin = Origin(Role.RAISE, step.span, step.id)
        context.add(FailState(name=name, origin=origin, error=LEAVES, cause=cause))
    return Guard(None, Edge(name), variable, step, ())


def leaves(context: Context, step: Step) -> tuple[tuple[Retrier, ...], tuple[Catcher, ...], tuple[Way, ...]]:
    """What a block with branches or iterations does with an error that is on its way to the rollback: it is not tried
    again, and goes on its way; which blocks fail on that."""
    blocks = inner_blocks(step)
    if not any(rolls_back(inner) for block in blocks for inner in walk(block)):
        return (), (), ()
    guard = leaving(context, step)
    told = jsonata.call("parse", jsonata.verbatim("$states.errorOutput.Cause"))
    error: dict[str, Json] = {
        name: jsonata.field(jsonata.steps(told, [name]).text) for name in ("type", "message", "step")
    }
    changed = change(context, step, guard, error, inside(step))
    folded = fold_to_state(context, guard.edge, Place())
    assign: dict[str, Json] = {
        **context.entry_assign(step.id),
        **changed.assign,
        **context.record(step, {Facet.STATUS: "failed", Facet.ERROR: error}),
        **folded.assign,
    }
    marks = [told, jsonata.constant(dict(guard.marks))] if guard.marks else []
    assign[guard.variable or ""] = jsonata.field(
        jsonata.call("merge", jsonata.array(marks)).text if marks else told.text
    )
    retrier = Retrier((LEAVES,), interval=1, max_attempts=0, backoff=1.0)
    way = Way(must_go(folded), folded.steps, fails=changed.failed, errors=(LEAVES,))
    return (retrier,), (Catcher((LEAVES,), way.next, assign, output={}),), (way,)


@dataclass(frozen=True, slots=True)
class Catching:
    """The Catch of a state, and the ways out by it that steps were folded into."""

    catchers: tuple[Catcher, ...]
    ways: tuple[Way, ...]


def around(context: Context, step: Step, *, cancel: bool = False) -> tuple[Guard, ...]:
    """The guards around `step`. A step of the main sequence that says `on_failure: fail` keeps the rollback out that
    the workflow asks for: what a step says of itself beats that. A `cancel` of the run is no failure of the step."""
    guards = context.frame.guards
    if step.on_failure != () or not any(step is each for each in context.workflow.main_sequence):
        return guards
    narrowed = (replace(guard, errors=(CANCELLED,)) if guard.is_default else guard for guard in guards)
    return tuple(guard for guard in narrowed if cancel or not guard.is_default)


def catching(context: Context, step: Step, own: tuple[Guard, ...]) -> Catching:
    """The step's own handlers, then those of the blocks around it; before them, the way of a cancel past them."""
    may_be = _may_be_cancelled(context, step)
    guards = (*own, *around(context, step, cancel=may_be))
    found: list[_Caught] = []
    if may_be and hides_a_cancel(guards):
        found.append(_cancelled(context, step, guards))
    for guard in guards:
        found.append(_catcher(context, step, guard))
        if guard.errors is None:
            break
    ways = tuple(Way(each.catcher.next, each.steps, fails=each.fails, errors=each.catcher.errors) for each in found)
    ways = ways if any(way.steps or way.fails for way in ways) else ()
    catchers = tuple(each.catcher for each in found)
    first, last = _timeouts(context, step, guards)
    return Catching((*first, *catchers, *last), ways)


def _timeouts(
    context: Context, step: Step, guards: tuple[Guard, ...]
) -> tuple[tuple[Catcher, ...], tuple[Catcher, ...]]:
    """What a deadline adds before and after the catchers of handlers, where these do not take all that a state may
    show then by one and the same handler."""
    if context.deadline is None:
        return (), ()
    takers = {
        next((at for at, guard in enumerate(guards) if name in _taken_by(guard.errors)), None) for name in TIMEOUTS
    }
    if takers == {None} and not context.frame.is_outermost:
        return (), ()  # The block around a branch or an iteration finds out.
    if len(takers) == 1 and takers != {None}:
        return (), ()
    fields = caught_fields(context, step)
    if takers == {None}:
        variable = context.names.error("workflow.timeout")
        name = "workflow.timed-out"
        if name not in context.frame.states:
            raised = raised_from(variable)
            origin = Origin(Role.RAISE, context.workflow.span)
            context.add(FailState(name=name, origin=origin, error=text(raised.type), cause=text(raised.cause)))
        assign = {**context.entry_assign(step.id), variable: fields}
        return (), (Catcher(TIMEOUTS, name, assign, output={}),)
    variable = context.names.error(f"{step.id}.timeout")
    with context.guarded(guards):
        name = raise_error(context, f"{step.id}.timeout", step, raised_from(variable))
    shown = {key: value for key, value in fields.items() if key != "cause"}
    record = context.record(step, {Facet.STATUS: "failed", Facet.ERROR: shown})
    return (Catcher(TIMEOUTS, name, {**context.entry_assign(step.id), **record, variable: fields}, output={}),), ()


def _may_be_cancelled(context: Context, step: Step) -> bool:
    """Whether the state of `step` itself can fail with a cancel: that of a child shows as States.TaskFailed, those of
    distributed items as too many failures."""
    if step.id in context.sheltered:
        return False
    if isinstance(step, ForEachStep) and step.distributed:
        return False
    if isinstance(step, ParallelStep | ForEachStep):
        return any(isinstance(inner, ActionStep | ApprovalStep | ChildStep) for inner in inside(step))
    return isinstance(step, ActionStep | ApprovalStep)


@dataclass(frozen=True, slots=True)
class _Caught:
    """A catcher, the steps that were folded into its way, and the blocks that fail on it."""

    catcher: Catcher
    steps: tuple[str, ...] = ()
    fails: tuple[str, ...] = ()


def _cancelled(context: Context, step: Step, guards: Iterable[Guard]) -> _Caught:
    """The Catch of a cancel: the innermost `finally` around, else the end of this map of states."""
    leaving = next((guard for guard in guards if guard.leaving), None)
    if leaving is not None:
        return _catcher(context, step, leaving, (CANCELLED,))
    chain = context.frame.chain
    name = f"{chain[-1].removesuffix(LOOP) if chain else 'workflow'}.cancelled"
    if len(name) > LONGEST_STATE:
        name = f"{step.id}.cancelled"
    if name not in context.frame.states:
        span = context.workflow.span
        cause = "{% $states.input.Cause %}"
        context.add(FailState(name=name, origin=Origin(Role.RAISE, span), error=CANCELLED, cause=cause))
    return _Caught(Catcher((CANCELLED,), name))


def _catcher(context: Context, step: Step, guard: Guard, taken: tuple[str, ...] | None = None) -> _Caught:
    raised = caught_fields(context, step, late=taken is None and bool(_taken_by(guard.errors)))
    fields = {name: value for name, value in raised.items() if name != "cause"}
    owner = guard.owner.id if guard.owner else ""
    changed = change(context, step, guard, fields, inside(step))
    place = Place(errors={owner: None}, loops=context.entry(step.id).loops).passing(changed.steps)
    place = place if changed.forgets else place.ending(step.id, None, "failed")
    folded = fold_to_state(context, guard.edge, place)
    assign: dict[str, Json] = {
        **context.entry_assign(step.id),
        **changed.assign,
        **({} if changed.forgets else context.record(step, {Facet.STATUS: "failed", Facet.ERROR: fields})),
        **folded.assign,
    }
    if guard.variable is not None:
        assign[guard.variable] = {**raised, **guard.marks}
    errors = taken or ((EVERYTHING,) if guard.errors is None else guard.errors)
    return _Caught(Catcher(errors, must_go(folded), assign, output={}), folded.steps, changed.failed)


def handled(step: Step) -> list[Step]:
    """The steps of the handlers of `step` itself, which a success passes by."""
    return [inner for handler in step.on_failure or () for inner in walk(handler.steps)]
