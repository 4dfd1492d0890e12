"""How a run goes from state to state: entering, finishing, failing, retrying, catching.

Every state type uses these steps, so that the order of evaluation and the links between history events are decided
once. Nothing here calls itself for the next state or item: each entry is put on the schedule.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from stepsmith.engine.errors import DATA_LIMIT_EXCEEDED, QUERY_EVALUATION_ERROR, TIMEOUT, Failure, matches
from stepsmith.engine.events import Detail
from stepsmith.engine.execution import Run, Visit
from stepsmith.engine.limits import ASSIGN_BYTES, VARIABLES_BYTES, check_data
from stepsmith.engine.machine import Assign, Catcher, Fail, Map, Parallel, Retrier, Succeed, Task, Wait
from stepsmith.engine.query.expression import Bound, bound
from stepsmith.engine.templates import Context, FieldError, Template
from stepsmith.engine.values import Json, Payload

if TYPE_CHECKING:
    from stepsmith.engine.core import Core


def start_run(core: Core, run: Run) -> None:
    """Put a run at its graph's first state."""
    core.soon(partial(enter, core, run, run.graph.start_at, run.input))


def enter(core: Core, run: Run, name: str, payload: Payload) -> None:
    """Enter a state and begin it."""
    if run.closed or not run.execution.running:
        return
    state = run.graph.states[name]
    previous = run.last_event
    entered = core.record(
        run.execution,
        f"{type(state).__name__}StateEntered",
        {"name": name, "input": payload.text},
        previous,
    )
    run.last_event = entered.id
    run.execution.transitions += 1
    run.visit = visit = Visit(run, state, payload, previous, entered.id, entered.timestamp)
    core.begin(visit)


def context_for(
    core: Core, visit: Visit, extra: Mapping[str, Payload], item: Mapping[str, Json] | None = None
) -> Context:
    """What the visit's expressions see now: its input and context, and `extra` members of ``$states``.

    `item` is the context object's ``Map.Item``, which only an ItemSelector sees.
    """
    context = visit.context_object()
    states: dict[str, Json] = {
        "input": visit.input.value,
        "context": context if item is None else {**context, "Map": {"Item": item}},
    }
    for name, payload in extra.items():
        states[name] = payload.value

    def bind() -> dict[str, Bound]:
        bound_context = visit.bound_context()
        if item is not None:
            bound_context["Map"] = {"Item": bound(item)}
        members = {"input": _bound(visit.input), "context": bound_context}
        for name, payload in extra.items():
            members[name] = _bound(payload)
        return members

    trace = None if core.trace is None else core.tracer(visit)
    return Context(core.evaluator, visit.run.scope.frame, states, bind, trace)


def _bound(payload: Payload) -> Bound:
    return bound(payload.value) if payload.may_hold_null else payload.value


def finish(
    core: Core,
    visit: Visit,
    default: Payload,
    extra: Mapping[str, Payload],
    assign: Assign,
    output: Template | None,
    goto: str | None,
    *,
    caught: bool = False,
) -> None:
    """End a visit: evaluate Assign and Output from the variables as they were on entry, then move on to `goto`.

    A failure here may be retried and caught, except in a catcher's own fields (measured).
    """
    run = visit.run
    assigned: dict[str, Payload] = {}
    try:
        if assign or output is not None:
            context = context_for(core, visit, extra)
            for name, template in assign:
                assigned[name] = Payload(template.render(context))
            put_out = default if output is None else _shared(output.render(context), visit.input, default)
        else:
            put_out = default
    except FieldError as problem:
        evaluation_failed(core, visit, problem, final=caught)
        return
    details: dict[str, Detail] = {"name": visit.state.name}
    oversized = check_data(put_out, visit.state.name)
    if assigned and oversized is None:
        sizes = {name: payload.size for name, payload in assigned.items()}
        oversized = _oversized(run, sizes)
        details["assignedVariables"] = {name: payload.text for name, payload in assigned.items()}
    if oversized is not None:
        fail(core, visit, oversized, final=caught)
        return
    if assigned:
        run.scope.assign(assigned, sizes)
    details["output"] = put_out.text
    exited = core.record(run.execution, f"{type(visit.state).__name__}StateExited", details, run.last_event)
    run.last_event = exited.id
    if goto is None:
        run.visit = None
        run.closed = True
        run.output = put_out
        run.owner.run_succeeded(run, put_out)
    else:
        core.soon(partial(enter, core, run, goto, put_out))


def _shared(value: Json, *known: Payload) -> Payload:
    """The payload of a value, one that has its text already when the value is one of these."""
    for payload in known:
        if payload.value is value:
            return payload
    return Payload(value)


def _oversized(run: Run, sizes: Mapping[str, int]) -> Failure | None:
    """The failure of an assignment that passes AWS's limits on variables."""
    if sum(sizes.values()) > ASSIGN_BYTES:
        return Failure(
            DATA_LIMIT_EXCEEDED,
            "The total size of the variables assigned by the state exceeds the maximum number of bytes service limit.",
        )
    if run.scope.size_with(sizes) > VARIABLES_BYTES:
        return Failure(
            DATA_LIMIT_EXCEEDED,
            "The total size of the variables of the execution exceeds the maximum number of bytes service limit.",
        )
    return None


def evaluation_failed(core: Core, visit: Visit, problem: FieldError, *, final: bool = False) -> None:
    """A field of the visited state gave no usable value."""
    run = visit.run
    name = visit.state.name
    cause = (
        f"An error occurred while executing the state '{name}' (entered at the event id #{visit.entered_event}). "
        f"{problem.message}"
    )
    details: dict[str, Detail] = {"error": QUERY_EVALUATION_ERROR, "cause": cause, "state": name}
    if problem.field is not None:
        details["location"] = problem.field
    # Recorded: the parent is the event before the Entered, except in a Wait.
    untouched = run.last_event == visit.entered_event and not isinstance(visit.state, Wait)
    parent = visit.previous_event if untouched else run.last_event
    run.last_event = core.record(run.execution, "EvaluationFailed", details, parent).id
    failure = Failure(
        QUERY_EVALUATION_ERROR,
        cause,
        state=name,
        field=problem.field,
        expression=problem.expression,
        message=problem.message,
        entered_event_id=visit.entered_event,
    )
    fail(core, visit, failure, final=final)


def fail(core: Core, visit: Visit, failure: Failure, *, final: bool = False) -> None:
    """A visit failed: retry it, go where it is caught, or fail the run. `final` rules out the first two."""
    failure = failure.at(visit.state.name, visit.entered_event)
    state = visit.state
    if isinstance(state, (Task, Parallel, Map)) and not final:
        for position, retrier in enumerate(state.retry):
            if matches(retrier.errors, failure):
                made = visit.retries.get(position, 0)
                if made < retrier.max_attempts:
                    visit.retries[position] = made + 1
                    _retry_later(core, visit, _delay(core, retrier, made))
                    return
                break  # documented and measured: only the first retrier that matches counts
        _close_branches(core, visit)
        for catcher in state.catch:
            if matches(catcher.errors, failure):
                _catch(core, visit, catcher, failure)
                return
    else:
        _close_branches(core, visit)
    visit.run.closed = True
    visit.run.owner.run_failed(visit.run, failure)


def _delay(core: Core, retrier: Retrier, made: int) -> float:
    """Seconds before the next retry when `made` have been made."""
    try:
        delay = retrier.interval * retrier.backoff_rate**made
    except OverflowError:
        delay = float("inf")
    delay = min(delay, 99_999_999 if retrier.max_delay is None else retrier.max_delay)
    return core.random.uniform(0, delay) if retrier.full_jitter else delay


def _retry_later(core: Core, visit: Visit, delay: float) -> None:
    visit.timer = core.scheduler.call_at(core.now() + timedelta(seconds=delay), partial(_retry, core, visit))


def _retry(core: Core, visit: Visit) -> None:
    if visit.run.closed or not visit.run.execution.running:
        return
    visit.timer = None
    visit.attempt += 1
    visit.succeeded = False
    visit.run.execution.transitions += 1
    core.begin(visit)


def _close_branches(core: Core, visit: Visit) -> None:
    """Write that a Parallel or Map failed, which precedes its exit by a catcher as well as the run's end."""
    if isinstance(visit.state, (Map, Parallel)) and not visit.succeeded:
        run = visit.run
        event = core.record(run.execution, f"{type(visit.state).__name__}StateFailed", {}, run.last_event)
        run.last_event = event.id


def _catch(core: Core, visit: Visit, catcher: Catcher, failure: Failure) -> None:
    visit.count_retries()  # measured: a catcher's fields see the retries made
    error_output = Payload(error_object(failure))
    finish(
        core,
        visit,
        error_output,
        {"errorOutput": error_output},
        catcher.assign,
        catcher.output,
        catcher.next,
        caught=True,
    )


def error_object(failure: Failure) -> dict[str, Json]:
    """What a catcher sees of a failure. Recorded: nulls where nothing was given, but ``""`` for a timeout's cause."""
    cause = "" if failure.cause is None and failure.error == TIMEOUT else failure.cause
    return {"Error": failure.error, "Cause": cause}


def abort(core: Core, run: Run, *, record: bool) -> None:
    """Give up a run where it stands. `record` writes the Aborted events that AWS writes for a failed sibling."""
    if run.closed:
        return
    run.closed = True
    visit = run.visit
    if visit is None:
        return
    close_visit(visit, record=record)
    if record and not isinstance(visit.state, (Succeed, Fail)):
        kind = type(visit.state).__name__
        if kind in ("Task", "Wait", "Parallel", "Map"):
            event = core.record(run.execution, f"{kind}StateAborted", {}, run.last_event)
            run.last_event = event.id


def close_visit(visit: Visit, *, record: bool) -> None:
    """Stop whatever a visit waits for."""
    if visit.timer is not None:
        visit.timer.cancel()
        visit.timer = None
    if visit.close_task is not None:
        visit.close_task()
        visit.close_task = None
    if visit.children is not None:
        visit.children.abort(record=record)


def resume(core: Core, run: Run, previous: int) -> None:
    """After a redrive, go on with a run from the state in which it ended without success.

    A Task, Parallel or Map goes on in the visit it had, with retries counted anew; other states are entered again.
    """
    run.closed = False
    visit = run.visit
    run.last_event = previous
    if visit is None:
        start_run(core, run)
        return
    visit.retries.clear()
    visit.attempt = 0
    visit.context = None
    visit.succeeded = False
    if visit.children is not None:
        visit.children.resume()
    elif isinstance(visit.state, (Task, Parallel, Map)):
        core.begin(visit)
    else:
        core.soon(partial(enter, core, run, visit.state.name, visit.input))
