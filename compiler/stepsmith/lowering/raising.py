"""Where an error goes that is raised: to the handlers around, in their order, or to the end of its map of states."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from stepsmith.analysis.facts import Facet
from stepsmith.asl.states import ChoiceState, FailState, Origin, PassState, Role, Rule, Way
from stepsmith.document import Json
from stepsmith.expressions import jsonata
from stepsmith.lowering.codes import ENTRY
from stepsmith.lowering.context import Context, LoweringError
from stepsmith.lowering.edges import Folded, PendingSet
from stepsmith.lowering.errors import CANCELLED
from stepsmith.lowering.folding import fold_to_state, state_for
from stepsmith.lowering.frames import Guard
from stepsmith.model.steps import Block, GraphStep, Step, TryStep, handlers_of, inner_blocks, is_written, walk

EVERYTHING = "States.ALL"
TASK_FAILED = "States.TaskFailed"
NOT_TASK_FAILED = ("States.Timeout", "States.HeartbeatTimeout", "States.QueryEvaluationError")
"""The errors that States.TaskFailed does not match (documented; measured for expressions)."""


@dataclass(frozen=True, slots=True)
class Raised:
    """An error to be raised: its name, message and cause as ASL fields; `known` is the name if it is constant."""

    type: Json
    message: Json
    cause: Json
    step: Json
    known: str | None = None
    loses_inner: bool = True
    """Nothing is known any more of the steps inside the one that it is raised for."""
    cancel: bool = False
    """Whether it may be the cancel of the run, which only a `finally` and the like takes."""

    def fields(self) -> dict[str, Json]:
        return {"type": self.type, "message": self.message, "step": self.step, "cause": self.cause}


def raised_from(variable: str, *, cancel: bool = False) -> Raised:
    """The error that a variable holds, to be raised again."""
    parts = [jsonata.field(jsonata.path(f"${variable}", name)) for name in ("type", "message", "cause", "step")]
    return Raised(parts[0], parts[1], parts[2], parts[3], cancel=cancel)


@dataclass(frozen=True, slots=True)
class Change:
    """What a failure means for other steps than the one that failed: their variables, and their ids."""

    assign: dict[str, Json]
    steps: tuple[str, ...]
    failed: tuple[str, ...]
    """The blocks around it that have failed with it."""
    forgets: bool
    """A graph failed with it, of whose steps nothing is known then: which others ran, no one can tell."""


def change(context: Context, step: Step, guard: Guard, error: dict[str, Json], lost: Iterable[Step]) -> Change:
    """When `step` fails and `guard` takes over, what stands after it in the block has not run, nothing is known of the
    steps that are `lost` with it, and the blocks around it have failed too; but a block that has failed before, in
    whose handler it stands, keeps its own error."""
    passed, failed = list(lost), list[Step]()
    in_handler = any(inner.id == step.id for inner in walk(guard.handlers))
    block = guard.handlers if in_handler else guard.block
    graph = _graph_around(step, block)
    together = set[str]()
    if graph is not None:
        passed += inside(graph)
        together = {inner.id for inner in inside(graph)}
    reached = False
    own = {inner.id for inner in inside(step)}
    for each in walk(block):
        if each.id in own or each.id in together:
            reached = reached or each.id == step.id
            continue
        if any(inner.id == step.id for inner in _within(each)):
            failed.append(each)
        elif reached and each.id != step.id:
            passed.append(each)
        reached = reached or each.id == step.id
    if reached and not in_handler and isinstance(guard.owner, TryStep):
        failed.append(guard.owner)
    assign = context.unrun(passed)
    for around in failed:
        assign |= context.record(around, {Facet.STATUS: "failed", Facet.ERROR: error})
    holders = [each for each in walk(block) if is_written(each) and any(inner.id == step.id for inner in _within(each))]
    ended = dict.fromkeys(around.id for around in (*holders, *failed))
    return Change(assign, (*context.passed(passed), *(around.id for around in failed)), tuple(ended), graph is not None)


def _within(step: Step) -> Iterator[Step]:
    """The steps of the blocks of `step`, not those of its handlers."""
    return (inner for block in inner_blocks(step) for inner in walk(block))


def _graph_around(step: Step, block: Block) -> GraphStep | None:
    """The outermost graph of `block` that `step` stands in."""
    graphs = (each for each in walk(block) if isinstance(each, GraphStep))
    return next((graph for graph in graphs if any(inner.id == step.id for inner in inside(graph))), None)


def raise_error(context: Context, name: str, step: Step | None, raised: Raised) -> str:
    """The state called `name` from which the error goes to the handlers around, or ends the run."""
    candidates = list(_takers(context.frame.guards, raised.known))
    span = step.span if step is not None else context.workflow.span
    constant = isinstance(raised.message, str) and not raised.message.startswith("{%")
    origin = Origin(
        Role.RAISE,
        span,
        step.id if step else None,
        raises=raised.known,
        says=str(raised.message) if raised.known is not None and constant else None,
    )
    if not candidates:
        if step is not None and name == step.id:
            origin = replace(origin, role=Role.STEP, description=step.description)
        return context.add(FailState(name=name, origin=origin, error=text(raised.type), cause=text(raised.cause)))
    past = raised.cancel and raised.known is None and hides_a_cancel(guard for _, guard in candidates)
    if candidates[0][0] is None and not past:
        only = _to_guard(context, candidates[0][1], step, raised)
        origin = replace(origin, ways=_told((only,)))
        return context.add(PassState(name=name, origin=origin, assign=only.assign, output={}, next=only.next))
    rules: list[Rule] = []
    otherwise: _Taken | None = None
    onward: _Taken | None = None
    taken: list[_Taken] = []
    if past:
        leaving = next((guard for guard in context.frame.guards if guard.leaving), None)
        onward = _to_guard(context, leaving, step, raised) if leaving else _raising_on(context, name, origin, raised)
        cancelled = jsonata.comparison("=", jsonata.verbatim(_code(raised.type)), jsonata.constant(CANCELLED))
        taken.append(onward)
        rules.append(Rule(jsonata.field(cancelled.text), onward.next, onward.assign))
    for errors, guard in candidates:
        found = _to_guard(context, guard, step, raised)
        taken.append(found)
        if errors is None:
            otherwise = found
        else:
            type_ = jsonata.verbatim(_code(raised.type))
            tested = jsonata.binary("in", type_, jsonata.constant(list(errors)))
            if TASK_FAILED in errors:
                other = jsonata.call("not", jsonata.binary("in", type_, jsonata.constant(list(NOT_TASK_FAILED))))
                tested = jsonata.chain("or", [tested, other])
            rules.append(Rule(jsonata.field(tested.text), found.next, found.assign))
    if otherwise is None:
        otherwise = onward or _raising_on(context, name, origin, raised)
    state = ChoiceState(
        name=name,
        origin=replace(origin, ways=_told(taken)),
        rules=tuple(rules),
        default=otherwise.next,
        assign=otherwise.assign,
        output={},
    )
    return context.add(state)


@dataclass(frozen=True, slots=True)
class _Taken:
    """Where a raised error goes, what is assigned on the way, which steps were folded into it and which blocks fail."""

    assign: dict[str, Json]
    next: str
    steps: tuple[str, ...] = ()
    fails: tuple[str, ...] = ()


def _told(taken: Iterable[_Taken]) -> tuple[Way, ...]:
    """How the history knows these ways."""
    return tuple(Way(way.next, way.steps, fails=way.fails) for way in taken if way.steps or way.fails)


def _raising_on(context: Context, name: str, origin: Origin, raised: Raised) -> _Taken:
    """The end of this map of states with the error."""
    last = FailState(name=f"{name}.raise", origin=origin, error=text(raised.type), cause=text(raised.cause))
    return _Taken({}, context.add(last))


def _takers(guards: Iterable[Guard], known: str | None) -> Iterator[tuple[tuple[str, ...] | None, Guard]]:
    """The guards that may take the error, with the names that must be tested (None: it takes it for certain)."""
    names = {known} if known in NOT_TASK_FAILED else {known, TASK_FAILED}
    for guard in guards:
        ours = known is not None and guard.errors is not None and names.intersection(guard.errors)
        if guard.errors is None or EVERYTHING in guard.errors or ours:
            yield None, guard
            return
        if known is None:
            yield guard.errors, guard


def _to_guard(context: Context, guard: Guard, step: Step | None, raised: Raised) -> _Taken:
    assign: dict[str, Json] = {}
    fails: tuple[str, ...] = ()
    place = ENTRY
    if step is not None:
        error = {name: value for name, value in raised.fields().items() if name != "cause"}
        anew = raised.known is not None
        changed = change(context, step, guard, error, inside(step) if anew and raised.loses_inner else ())
        assign |= changed.assign
        fails = changed.failed
        place = place.passing(changed.steps)
        place = place if changed.forgets else place.ending(step.id, None, "failed")
        if anew and not changed.forgets:
            assign |= context.record(step, {Facet.STATUS: "failed", Facet.ERROR: error})
    if guard.variable is not None:
        assign[guard.variable] = {**raised.fields(), **guard.marks}
    if any(isinstance(pending, PendingSet) for pending in guard.edge.pending):
        return _Taken(assign, state_for(context, guard.edge), fails=fails)
    folded = fold_to_state(context, guard.edge, place)
    return _Taken({**assign, **folded.assign}, must_go(folded), folded.steps, fails)


def hides_a_cancel(guards: Iterable[Guard]) -> bool:
    """Whether a handler that is not for a cancel would match one before a `finally` or the rollback does."""
    for guard in guards:
        if guard.leaving:
            return False
        if guard.errors is None or {EVERYTHING, TASK_FAILED}.intersection(guard.errors):
            return True
    return False


def inside(step: Step) -> Iterator[Step]:
    """Every step inside `step`, its handlers included."""
    for block in inner_blocks(step):
        yield from walk(block)
    for handler in handlers_of(step):
        yield from walk(handler.steps)


def must_go(folded: Folded) -> str:
    if folded.next is None:
        raise LoweringError("a rule or catcher leads nowhere")
    return folded.next


def text(value: Json) -> str:
    if not isinstance(value, str):
        raise LoweringError(f"{value!r} is no text of a Fail state")
    return value


def _code(value: Json) -> str:
    """The JSONata inside a field."""
    code = text(value)
    return code.removeprefix("{% ").removesuffix(" %}") if code.startswith("{%") else jsonata.quote(code)
