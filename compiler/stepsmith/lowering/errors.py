"""Which errors a retry or a handler names, and how the error that was caught is read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from stepsmith.asl.states import Retrier
from stepsmith.catalog import ActionCatalog
from stepsmith.document import Json
from stepsmith.expressions import jsonata
from stepsmith.expressions.jsonata import Code
from stepsmith.model.policies import Jitter, RetryPolicy, RetryRule

TRANSIENT: Final = (
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
)
"""Lambda's own transient errors: developer guide, "Handle transient Lambda service exceptions"."""

TRANSIENT_RETRIER: Final = Retrier(TRANSIENT, interval=2, max_attempts=6, backoff=2.0)

NO_RETRY_OF_SUCCESS: Final = Retrier(("States.DataLimitExceeded",), interval=1, max_attempts=0, backoff=1.0)
"""States.TaskFailed would match a result that is too large, when the action has already succeeded."""

EVERY_FAILURE: Final = ("States.TaskFailed", "States.Timeout", "States.HeartbeatTimeout")
"""Every error of an attempt, but not those of expressions: retrying those would run an action again that succeeded."""


def retriers(policy: RetryPolicy | None, catalog: ActionCatalog, *, transient: bool = True) -> tuple[Retrier, ...]:
    """The Retry of a Task. Lambda's transient errors come first: of several retriers only the first match counts."""
    found = [TRANSIENT_RETRIER] if transient and (policy is None or policy.transient) else []
    for rule in policy.rules if policy else ():
        if rule.on is None:
            found.append(NO_RETRY_OF_SUCCESS)
        found.append(_retrier(rule, catalog))
    return tuple(found)


def _retrier(rule: RetryRule, catalog: ActionCatalog) -> Retrier:
    return Retrier(
        EVERY_FAILURE if rule.on is None else expand(rule.on, catalog),
        interval=rule.delay,
        max_attempts=rule.max_retries,
        backoff=rule.backoff,
        max_delay=rule.max_delay,
        full_jitter=rule.jitter is Jitter.FULL,
    )


def expand(names: Iterable[str], catalog: ActionCatalog) -> tuple[str, ...]:
    """The names that Step Functions must match: it knows no base classes, and shows a lost heartbeat under either
    name (recorded as States.Timeout, documented as States.HeartbeatTimeout)."""
    found: dict[str, None] = {}
    for name in names:
        for each in catalog.expand_error(name):
            found.setdefault(each)
        if name == "States.Timeout":
            found.setdefault("States.HeartbeatTimeout")
    return tuple(found)


# -- the error that was caught --------------------------------------------------------------------

_ERROR: Final = jsonata.verbatim("$states.errorOutput.Error")
_CAUSE: Final = jsonata.verbatim("$states.errorOutput.Cause")


def error_type() -> Code:
    """The error's name; a callback may fail without one, which Step Functions shows as null."""
    return jsonata.conditional(_is_text(_ERROR), _ERROR, jsonata.constant("Error"))


def error_cause() -> Code:
    return jsonata.conditional(_is_text(_CAUSE), _CAUSE, jsonata.constant(""))


def error_message() -> Code:
    """The message of the exception that a Python handler raised, which Lambda gives as JSON; else the whole cause.

    JSONata has no way to try: the text is parsed only when it looks whole, since Step Functions cuts a cause
    at 32,768 characters.
    """
    text = jsonata.constant
    whole = jsonata.chain(
        "and",
        [
            _is_text(_CAUSE),
            jsonata.call("contains", _CAUSE, jsonata.regex(r"^\{.*\"errorMessage\".*\}$", "")),
        ],
    )
    message = jsonata.call("string", jsonata.steps(jsonata.call("parse", _CAUSE), ["errorMessage"]))
    plain = jsonata.conditional(_is_text(_CAUSE), _CAUSE, text(""))
    return jsonata.conditional(whole, message, plain)


def error_fields(step_id: str) -> dict[str, Json]:
    """The error as expressions read it: its type, message and step."""
    return {
        "type": jsonata.field(error_type().text),
        "message": jsonata.field(error_message().text),
        "step": step_id,
    }


def child_error(step_id: str) -> dict[str, Json]:
    """The error of a failed child: its cause is the child's description as JSON text (recorded), in which a child that
    was stopped or timed out has no error of its own."""
    described = jsonata.variable("child")
    message = jsonata.steps(described, ["Cause"])
    lambda_cause = jsonata.call("contains", message, jsonata.regex(r"^\{.*\"errorMessage\".*\}$"))
    inner = jsonata.call("string", jsonata.steps(jsonata.call("parse", message), ["errorMessage"]))
    plain = jsonata.conditional(_is_text(message), message, jsonata.constant(""))
    text = jsonata.conditional(jsonata.chain("and", [_is_text(message), lambda_cause]), inner, plain)
    error = jsonata.steps(described, ["Error"])
    timed_out = jsonata.comparison("=", jsonata.steps(described, ["Status"]), jsonata.constant("TIMED_OUT"))
    otherwise = jsonata.conditional(timed_out, jsonata.constant("States.Timeout"), jsonata.constant("ChildStopped"))
    name = jsonata.conditional(_is_text(error), error, otherwise)

    def of_child(body: Code) -> str:
        return jsonata.field(jsonata.block([("child", jsonata.call("parse", _CAUSE))], body).text)

    return {"type": of_child(name), "message": of_child(text), "step": step_id, "cause": of_child(plain)}


def _is_text(code: Code) -> Code:
    return jsonata.comparison("=", jsonata.call("type", code), jsonata.constant("string"))
