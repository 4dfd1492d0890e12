"""Lowers an approval: one Task that hands its token to a function of ours and waits until people have decided.

On the way that people take there is no other state. An approval that approves itself at its timeout gets a Pass on
that way only, one that rejects the state in which its error is raised.
"""

from __future__ import annotations

from typing import Final

from stepsmith.analysis.facts import Facet, Point
from stepsmith.asl.states import UNSET, Catcher, Origin, PassState, Retrier, Role, TaskState
from stepsmith.document import Json
from stepsmith.expressions import jsonata
from stepsmith.expressions.scope import Binding
from stepsmith.lowering.codes import ENTRY, UNREPEATABLE
from stepsmith.lowering.context import Context
from stepsmith.lowering.deadlines import TIMEOUT, limit
from stepsmith.lowering.edges import Edge, End
from stepsmith.lowering.errors import TRANSIENT_RETRIER, control_retriers
from stepsmith.lowering.failing import around, handled, in_time
from stepsmith.lowering.finishing import finish, own_guards
from stepsmith.lowering.folding import end_with, fold_or_go
from stepsmith.lowering.frames import Guard
from stepsmith.lowering.payloads import RETRY_COUNT, control_of, pausable, step_path
from stepsmith.lowering.raising import Raised, raise_error
from stepsmith.model.steps import ApprovalStep, OnTimeout

FUNCTION: Final = "ApprovalRequestFunction"
"""Asks the approvers; the template's, not an action's."""
RESOURCE: Final = "arn:${Partition}:states:::lambda:invoke.waitForTaskToken"
RESULT: Final = "$states.result"
REJECTED: Final = "ApprovalRejected"
LATE: Final = "nobody decided in time"
"""The message of a rejection by timeout; the history knows it too (`stepsmith_functions.history.rebuild`)."""
BY_TIMEOUT: Final = "timeout"
"""Who approved when nobody has decided."""

_UNDELIVERED: Final = Retrier(("DeliveryFailed", "AwsUnavailable"), interval=2, max_attempts=3, backoff=2.0)
"""Only the request can fail so: what people have decided is never asked again."""


def lower_approval(context: Context, step: ApprovalStep, edge: Edge, point: Point) -> Edge:
    context.functions.add(FUNCTION)
    own = own_guards(context, step, edge)
    late = _late(context, step, edge, point, own)
    done = finish(context, step, edge, point, own, (jsonata.field(RESULT), RESULT), first=late)
    state = TaskState(
        name=step.id,
        origin=done.origin,
        resource=RESOURCE,
        arguments={"FunctionName": f"${{{FUNCTION}}}", "Payload": _payload(context, step, point)},
        timeout=limit(context, step.timeout),
        retry=(*control_retriers(pausable=pausable(context), repeatable=True), TRANSIENT_RETRIER, _UNDELIVERED),
        catch=done.catch,
        assign=done.assign,
        output=UNSET if done.output == jsonata.field(RESULT) else done.output,
        next=done.next,
    )
    return Edge(context.add(state))


def _payload(context: Context, step: ApprovalStep, point: Point) -> Json:
    """What the function gets. The token stands apart from the params, which the history keeps."""
    written = context.write(step.request, point, context.entry(step.id)).json
    assert isinstance(written, dict)
    params: dict[str, Json] = {**written, "quorum": step.quorum, "timeout": step.timeout}
    if step.remind is not None:
        params["remind"] = step.remind
    run: dict[str, Json] = {"id": context.run_id(), "workflow": context.workflow.name}
    if context.workflow.version is not None:
        run["version"] = jsonata.literal(context.workflow.version)
    if (control := control_of(context, step)) is not None:
        run["control"] = control
    return {
        "params": params,
        "token": "{% $states.context.Task.Token %}",
        "run": run,
        "step": {
            "id": step.id,
            "path": step_path(context, step, context.entry(step.id)),
            "line": step.span.start.line,
            "attempt": RETRY_COUNT,
        },
    }


def _late(
    context: Context, step: ApprovalStep, edge: Edge, point: Point, own: tuple[Guard, ...]
) -> tuple[Catcher, ...]:
    """The catcher of a timeout that is not the step's failure."""
    if step.on_timeout is OnTimeout.FAIL:
        return ()
    with context.guarded((*own, *around(context, step))):
        if step.on_timeout is OnTimeout.REJECT:
            raised = Raised(REJECTED, LATE, LATE, step.id, REJECTED)
            name = raise_error(context, f"{step.id}.rejected", step, raised)
        else:
            name = _approved(context, step, edge, point)
        # The time that is over may be the workflow's.
        after = in_time(context, step, Edge(name), "overdue")
    return (Catcher((TIMEOUT,), str(after.target), context.entry_assign(step.id), output={}),)


def _approved(context: Context, step: ApprovalStep, edge: Edge, point: Point) -> str:
    """The Pass that puts out what an approver would have; gives its name."""
    parts = {
        "approved": jsonata.constant(True),
        "by": jsonata.constant(BY_TIMEOUT),
        "comment": jsonata.constant(""),
        "at": jsonata.verbatim("$states.context.State.EnteredTime"),
    }
    code = jsonata.obj([(jsonata.constant(key), value) for key, value in parts.items()]).text
    output: Json = jsonata.field(code)
    inline: str | None = code
    if step.output is not None:
        extra = {"output": Binding(type=context.analysis.results[step.id], code=code)}
        output = context.write(step.output, point, ENTRY, extra).json
        inline = context.inline(step.output, point, ENTRY, extra)
    passed = context.passed(handled(step))
    place = ENTRY.passing(passed).ending(step.id, inline or UNREPEATABLE, "succeeded")
    after = end_with(context, edge, step, output, place) or fold_or_go(context, edge, place)
    wraps = after.next is None and isinstance(edge.target, End) and bool(edge.target.keep or edge.target.wrap)
    state = PassState(
        name=f"{step.id}.undecided",
        origin=Origin(Role.ANSWER, step.span, step.id, step.description, folded=after.steps, wraps=wraps),
        assign={
            **context.unrun(handled(step)),
            **context.record(step, {Facet.OUTPUT: output, Facet.STATUS: "succeeded"}),
            **after.assign,
        },
        output=after.output if after.next is None else output,
        next=after.next,
    )
    return context.add(state)
