"""Which errors a retry or a handler names, and how the error that was caught is read."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Final

from stepsmith.asl.states import Retrier
from stepsmith.catalog import ActionCatalog
from stepsmith.document import Json
from stepsmith.expressions import jsonata
from stepsmith.expressions.jsonata import Code
from stepsmith.model.policies import Jitter, RateLimit, RetryPolicy, RetryRule

TRANSIENT: Final = (
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
)
"""Lambda's own transient errors: developer guide, "Handle transient Lambda service exceptions"."""

TRANSIENT_RETRIER: Final = Retrier(TRANSIENT, interval=2, max_attempts=6, backoff=2.0)

CANCELLED: Final = "RunCancelled"
PAUSED: Final = "RunPaused"
STILL_RUNNING: Final = "StillRunning"
EFFECT_UNKNOWN: Final = "EffectUnknown"
QUEUED: Final = "RunQueued"
CONCURRENCY_LIMIT: Final = "ConcurrencyLimit"
RATE_LIMITED: Final = "RateLimited"
CIRCUIT_OPEN: Final = "CircuitOpen"
CONTROL: Final = (CANCELLED, PAUSED)
"""What a handler answers when the run is not to go on. They are no failures of a step: nobody handles them."""

NEVER_AGAIN: Final = Retrier(
    ("States.DataLimitExceeded", CANCELLED, EFFECT_UNKNOWN), interval=1, max_attempts=0, backoff=1.0
)
"""What States.TaskFailed would match besides failures that may pass: a result that is too large, when the action has
already succeeded, and refusals that stand."""

AS_OFTEN_AS_IT_TAKES: Final = 99_999_999
"""The most retries that Step Functions takes (ASL, "Retrier")."""

WHILE_PAUSED: Final = Retrier((PAUSED,), interval=300, max_attempts=AS_OFTEN_AS_IT_TAKES, backoff=1.0)
"""A paused run asks again every five minutes."""

WHILE_QUEUED: Final = Retrier(
    (QUEUED,), interval=10, max_attempts=AS_OFTEN_AS_IT_TAKES, backoff=1.5, max_delay=300, full_jitter=True
)
"""A run without a place asks again, at first soon, then every five minutes."""

WHILE_STILL_RUNNING: Final = Retrier((STILL_RUNNING,), interval=5, max_attempts=8, backoff=2.0)
"""Of an action that must not be repeated, while an earlier call may still be at work: in all 1,275 seconds, longer than
a function may run (900, Lambda quotas)."""

EVERY_FAILURE: Final = ("States.TaskFailed", "States.Timeout", "States.HeartbeatTimeout")
"""Every error of an attempt, but not those of expressions: retrying those would run an action again that succeeded."""


def retriers(
    policy: RetryPolicy | None, catalog: ActionCatalog, *, transient: bool = True, refusals: Collection[str] = ()
) -> tuple[Retrier, ...]:
    """The Retry of a Task. Lambda's transient errors come first: of several retriers only the first match counts.

    `refusals`: errors that only a rule which names them tries again.
    """
    found = [TRANSIENT_RETRIER] if transient and (policy is None or policy.transient) else []
    rules = policy.rules if policy else ()
    named = {name for rule in rules for name in rule.on or ()}
    never = replace(NEVER_AGAIN, errors=(*NEVER_AGAIN.errors, *(name for name in refusals if name not in named)))
    for rule in rules:
        if rule.on is None or "States.TaskFailed" in rule.on:
            found.append(never)
        found.append(_retrier(rule, catalog))
    return tuple(found)


def control_retriers(
    *, pausable: bool, repeatable: bool, queues: bool = False, rate_limit: RateLimit | None = None
) -> tuple[Retrier, ...]:
    """What stands before the other retriers of a Task that calls an action."""
    return (
        *((WHILE_PAUSED,) if pausable else ()),
        *((WHILE_QUEUED,) if queues else ()),
        *((while_limited(rate_limit),) if rate_limit is not None else ()),
        *(() if repeatable else (WHILE_STILL_RUNNING,)),
    )


def while_limited(rate: RateLimit) -> Retrier:
    """Asks again about when the next start is due, then less and less often, and once a window at least. The times are
    spread: those who were refused in one window would else come back as one."""
    interval = max(1, -(-rate.per // rate.limit))
    longest = rate.per if rate.per > interval else None
    return Retrier(
        (RATE_LIMITED,),
        interval=interval,
        max_attempts=AS_OFTEN_AS_IT_TAKES,
        backoff=2.0 if longest else 1.0,
        max_delay=longest,
        full_jitter=True,
    )


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
    """The message of the exception that a Python handler raised, which Lambda gives as JSON; else the whole cause."""
    return jsonata.conditional(_is_text(_CAUSE), _lambda_message(_CAUSE), jsonata.constant(""))


def _lambda_message(cause: Code) -> Code:
    begins = jsonata.call("contains", cause, jsonata.regex(r"^\{"))
    return jsonata.conditional(begins, _member(cause, "errorMessage", cause), cause)


def _member(document: Code, name: str, otherwise: Code) -> Code:
    """The text member `name` of a JSON document that may be cut off (Step Functions cuts a cause at 32,768 characters)
    or no JSON at all. JSONata has no way to try, so only what is surely a JSON text is parsed."""
    # The backslash as \x5c: JSONata counts brackets to find the end of a pattern, and takes one after a backslash for
    # escaped.
    text = r'"((?:[^"\x5c\u0000-\u001f]|\x5c["\x5c\/bfnrt]|\x5cu[0-9a-fA-F]{4})*)"'
    pattern = jsonata.regex(rf'"{name}"\s*:\s*{text}')
    found = jsonata.variable("found")
    group = jsonata.index(jsonata.steps(jsonata.index(found, jsonata.constant(0)), ["groups"]), jsonata.constant(0))
    quote = jsonata.constant('"')
    parsed = jsonata.call("parse", jsonata.chain("&", [quote, group, quote]))
    whole = jsonata.conditional(jsonata.call("exists", found), parsed, otherwise)
    return jsonata.block([("found", jsonata.call("match", document, pattern, jsonata.constant(1)))], whole)


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
    nothing = jsonata.constant("")
    timed_out = jsonata.call("contains", _CAUSE, jsonata.regex(r'"Status"\s*:\s*"TIMED_OUT"'))
    otherwise = jsonata.conditional(timed_out, jsonata.constant("States.Timeout"), jsonata.constant("ChildStopped"))
    name = _member(_CAUSE, "Error", otherwise)
    cause = _member(_CAUSE, "Cause", nothing)
    child = jsonata.variable("cause")
    # A machine of ours that ended as rolled back or timed out says so in its cause: that is the child's end, not ours.
    ours = jsonata.call("contains", child, jsonata.regex(r'^\{"message":'))
    said = _member(child, "message", child)
    message = jsonata.block([("cause", cause)], jsonata.conditional(ours, said, _lambda_message(child)))
    plain = jsonata.block([("cause", cause)], jsonata.conditional(ours, said, child))

    def of_text(code: Code, without: Code) -> str:
        return jsonata.field(jsonata.conditional(_is_text(_CAUSE), code, without).text)

    return {
        "type": of_text(name, jsonata.constant("ChildStopped")),
        "message": of_text(message, nothing),
        "step": step_id,
        "cause": of_text(plain, nothing),
    }


def _is_text(code: Code) -> Code:
    return jsonata.comparison("=", jsonata.call("type", code), jsonata.constant("string"))
