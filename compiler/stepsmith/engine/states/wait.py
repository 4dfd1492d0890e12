"""Wait: whole seconds or a moment in time.

Stricter than other numeric fields (measured): a fraction, a negative number, text or null is a failed evaluation.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import partial

from stepsmith.engine.core import Core
from stepsmith.engine.execution import Visit
from stepsmith.engine.flow import context_for, evaluation_failed, finish
from stepsmith.engine.limits import TIMESTAMP_DAYS_AHEAD, WAIT_SECONDS
from stepsmith.engine.machine import Wait
from stepsmith.engine.templates import Context, FieldError, Query, Template
from stepsmith.engine.values import Json, to_text

_TIMESTAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d(?::\d\d)?)", re.ASCII
)


def begin(core: Core, visit: Visit, state: Wait) -> None:
    """Wait, then put out the Output, or the input. Assign is evaluated at the end (measured)."""
    try:
        until = _until(core, visit, state)
    except FieldError as problem:
        evaluation_failed(core, visit, problem)
        return
    if until <= core.now():
        _end(core, visit, state)
    else:
        visit.timer = core.scheduler.call_at(until, partial(_end, core, visit, state))


def _end(core: Core, visit: Visit, state: Wait) -> None:
    if visit.run.closed or not visit.run.execution.running:
        return
    visit.timer = None
    finish(core, visit, visit.input, {}, state.assign, state.output, state.next)


def _until(core: Core, visit: Visit, state: Wait) -> datetime:
    context = context_for(core, visit, {})
    if state.timestamp is not None:
        return _moment(core, state.timestamp, context)
    if state.seconds is None:
        return core.now()
    return core.now() + timedelta(seconds=_seconds(state.seconds, context))


def _seconds(template: Template, context: Context) -> int:
    value = template.render(context)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _refused(template, "number", value)
    if value != int(value) or not 0 <= value <= WAIT_SECONDS:
        raise FieldError(
            "Seconds",
            template.expression.text if isinstance(template, Query) else None,
            f"The Seconds field must be a whole number between 0 and {WAIT_SECONDS} but was: {to_text(value)}",
        )
    return int(value)


def _refused(template: Template, expected: str, value: Json) -> FieldError:
    if isinstance(template, Query):
        return template.unexpected(expected, value)
    return FieldError("Seconds", None, f"The Seconds field must be a {expected} but was: {to_text(value)}")


def _moment(core: Core, template: Template, context: Context) -> datetime:
    value = template.render(context)
    query = template.expression.text if isinstance(template, Query) else None
    if not isinstance(value, str):
        if isinstance(template, Query):
            raise template.unexpected("string", value)
        raise FieldError("Timestamp", None, f"The Timestamp field must be a string but was: {to_text(value)}")
    moment = parse_timestamp(value)
    if moment is None:
        raise FieldError(
            "Timestamp",
            query,
            f"The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: {value}",
        )
    if moment - core.now() > timedelta(days=TIMESTAMP_DAYS_AHEAD):
        raise FieldError("Timestamp", query, "Wait state delay is too long.")
    return moment


def parse_timestamp(text: str) -> datetime | None:
    """The moment that a text names, or None where Step Functions reads none: it wants ``T`` and an offset.

    Finer parts than microseconds are rounded up, so that nothing happens before its time.
    """
    parts = _TIMESTAMP.fullmatch(text)
    if parts is None:
        return None
    year, month, day, hour, minute = (int(parts[at]) for at in range(1, 6))
    fraction = (parts[7] or "").ljust(9, "0")
    microseconds = -(-int(fraction) // 1000)
    try:
        local = datetime(year, month, day, hour, minute, int(parts[6] or 0), tzinfo=UTC)
        return local - _offset(parts[8]) + timedelta(microseconds=microseconds)
    except (ValueError, OverflowError):
        return None


def _offset(text: str) -> timedelta:
    if text == "Z":
        return timedelta()
    hours, minutes, *seconds = (int(part) for part in text[1:].split(":"))
    if hours > 18 or minutes > 59 or any(second > 59 for second in seconds):
        raise ValueError(text)
    size = timedelta(hours=hours, minutes=minutes, seconds=sum(seconds))
    return -size if text[0] == "-" else size
