"""The workflow's `timeout` as a deadline: the only module that writes expressions about the time that is left.

A machine's own TimeoutSeconds ends an execution at once (recorded: nothing catches it), so a workflow in which
something must outlive the deadline gets none. There every state of the main path that takes time looks at the time that
is left; handlers, `finally` blocks and undoing do not. It makes no states.
"""

from __future__ import annotations

import json
from typing import Final

from stepsmith.document import Json
from stepsmith.expressions import jsonata
from stepsmith.expressions.jsonata import Code
from stepsmith.lowering.context import Context, LoweringError
from stepsmith.lowering.errors import error_cause, error_fields, error_message, error_type
from stepsmith.model.steps import ForEachStep, ParallelStep, Step, TryStep, handlers_of
from stepsmith.model.workflow import Workflow

TIMEOUT: Final = "States.Timeout"
EVALUATION: Final = "States.QueryEvaluationError"
"""What Step Functions makes of a TimeoutSeconds that fails to evaluate, which is how a step refuses to begin."""
TIMEOUTS: Final = (TIMEOUT, "States.HeartbeatTimeout", EVALUATION)
"""The errors that a state may show when the deadline has passed."""
_SECOND: Final = 1000


def survives(workflow: Workflow) -> bool:
    """Whether something of the workflow must still run when its time is up."""
    if workflow.finally_steps or workflow.rolls_back:
        return True
    return any(
        (isinstance(step, TryStep) and step.finally_steps) or any(handler.steps for handler in handlers_of(step))
        for step in workflow.every_step()
    )


def late_message(context: Context) -> str:
    return f"the run took longer than its timeout of {_seconds(context)} seconds"


def late_cause(context: Context, step: Step | None) -> str:
    """The cause by which the history knows a run that ran out of time (see stepsmith_functions.history.ending)."""
    told: dict[str, Json] = {"message": late_message(context), "status": "timed_out"}
    if step is not None:
        told |= {"step": step.id, "line": step.span.start.line}
    return json.dumps(told)


def is_late(error: Code) -> Code:
    """Whether a variable holds the workflow's timeout."""
    timed_out = jsonata.call("contains", jsonata.steps(error, ["cause"]), jsonata.regex(r'"status": "timed_out"'))
    kind = jsonata.comparison("=", jsonata.steps(error, ["type"]), jsonata.constant(TIMEOUT))
    return jsonata.chain("and", [kind, timed_out])


def passed(context: Context) -> Code:
    """Whether the deadline has passed."""
    return jsonata.comparison(">=", jsonata.call("millis"), _deadline(context))


def limit(context: Context, own: int | None, *, slack: int = 0) -> int | str | None:
    """TimeoutSeconds of a Task: the smaller of its own and what is left, whole seconds rounded up so that the time is
    up when it ends. It fails to evaluate when nothing is left, and the task is not begun."""
    if context.deadline is None:
        return own
    left = jsonata.variable("left")
    whole = _rounded_up(left)
    if slack:
        whole = jsonata.binary("+", whole, jsonata.constant(slack))
    if own is not None and own < context.deadline + slack:
        whole = _least(jsonata.constant(own), whole)
    refused = jsonata.call("error", jsonata.constant(late_message(context)))
    some = jsonata.comparison(">", left, jsonata.constant(0))
    return jsonata.field(jsonata.block([("left", _left(context))], jsonata.conditional(some, whole, refused)).text)


def limits(context: Context, timeout: int | None, heartbeat: int | None) -> tuple[int | str | None, int | str | None]:
    """TimeoutSeconds and HeartbeatSeconds, which must be the smaller (documented): hence a second more for the former
    where both are what is left."""
    if context.deadline is None or heartbeat is None:
        return limit(context, timeout), heartbeat
    beat = _least(jsonata.constant(heartbeat), _rounded_up(_at_least(jsonata.constant(1), _left(context))))
    return limit(context, timeout, slack=1), jsonata.field(beat.text)


def wait_seconds(context: Context, asked: int | str | None) -> int | str | None:
    """Seconds of a Wait that ends at the deadline at the latest; `asked` is a number or a field."""
    if context.deadline is None or asked is None:
        return asked
    code = jsonata.constant(asked) if isinstance(asked, int) else jsonata.verbatim(_code(asked))
    left = _rounded_up(_at_least(jsonata.constant(0), _left(context)))
    return jsonata.field(_least(code, left).text)


def wait_until(context: Context, asked: str | None) -> str | None:
    """Timestamp of a Wait that ends at the deadline at the latest; `asked` is a time or a field."""
    if context.deadline is None or asked is None:
        return asked
    until = jsonata.variable("until")
    sooner = jsonata.comparison("<", jsonata.call("toMillis", until), _deadline(context))
    body = jsonata.conditional(sooner, until, jsonata.call("fromMillis", _deadline(context)))
    return jsonata.field(jsonata.block([("until", jsonata.verbatim(_code(asked)))], body).text)


def caught_fields(context: Context, step: Step, *, late: bool = True) -> dict[str, Json]:
    """The error that a state's handler finds, as expressions read it and with its cause: a timeout or a refusal
    to begin is the workflow's timeout when the deadline has passed. `late`: the handler takes those."""
    if context.deadline is None or not late:
        return {**error_fields(step.id), "cause": jsonata.field(error_cause().text)}
    known = jsonata.binary("in", jsonata.verbatim("$states.errorOutput.Error"), jsonata.constant(list(TIMEOUTS)))
    is_late = jsonata.chain("and", [known, passed(context)])
    # Of what runs machines of its own it is not known which step failed.
    own = None if isinstance(step, ParallelStep | ForEachStep) else step

    def unless_late(text: str, otherwise: Code) -> Json:
        return jsonata.field(jsonata.conditional(is_late, jsonata.constant(text), otherwise).text)

    return {
        "type": unless_late(TIMEOUT, error_type()),
        "message": unless_late(late_message(context), error_message()),
        "step": step.id,
        "cause": unless_late(late_cause(context, own), error_cause()),
    }


def late_fields(context: Context, step: Step, kind: str, text: str) -> dict[str, Json]:
    """The error `kind` with the message `text`, or the workflow's timeout when the deadline has passed."""
    late = passed(context)

    def unless_late(told: str, otherwise: str) -> Json:
        return jsonata.field(jsonata.conditional(late, jsonata.constant(told), jsonata.constant(otherwise)).text)

    return {
        "type": unless_late(TIMEOUT, kind),
        "message": unless_late(late_message(context), text),
        "step": step.id,
        "cause": unless_late(late_cause(context, None), text),
    }


# -- parts ----------------------------------------------------------------------------------------


def _seconds(context: Context) -> int:
    if context.deadline is None:
        raise LoweringError("nothing here has a deadline")
    return context.deadline


def _deadline(context: Context) -> Code:
    """The deadline in milliseconds. A redrive starts the time anew, as it does for a machine's own timeout
    (developer guide, "Restarting state machine executions with redrive")."""
    redriven = jsonata.verbatim("$states.context.Execution.RedriveTime")
    started = jsonata.verbatim(context.run("started_at"))
    since = jsonata.conditional(jsonata.call("exists", redriven), redriven, started)
    return jsonata.binary("+", jsonata.call("toMillis", since), jsonata.constant(_seconds(context) * _SECOND))


def _left(context: Context) -> Code:
    """The milliseconds that are left, negative past the deadline."""
    return jsonata.binary("-", _deadline(context), jsonata.call("millis"))


def _rounded_up(milliseconds: Code) -> Code:
    return jsonata.call("ceil", jsonata.binary("/", milliseconds, jsonata.constant(_SECOND)))


def _least(one: Code, other: Code) -> Code:
    return jsonata.call("min", jsonata.array([one, other]))


def _at_least(one: Code, other: Code) -> Code:
    return jsonata.call("max", jsonata.array([one, other]))


def _code(text: str) -> str:
    """The JSONata inside a field."""
    return text.removeprefix("{% ").removesuffix(" %}") if text.startswith("{%") else jsonata.quote(text)
