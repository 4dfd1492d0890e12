"""Checks schedule expressions: `rate()`, `cron()` and `at()` of EventBridge, and the names of time zones.

The rules are those of EventBridge's "Cron expressions reference" and "Rate expressions" and of EventBridge
Scheduler's "Schedule types". Nothing here knows what time it is: a schedule in the past is no mistake of its form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from stepsmith.diagnostics import did_you_mean

_LONGEST = 256  # botocore's models of events and scheduler: ScheduleExpression

_CALL = re.compile(r"(\w+)\((.*)\)", re.DOTALL)
_RATE = re.compile(r"(\d{1,9}) ([a-z]+)", re.ASCII)
_RATE_UNITS = ("minute", "hour", "day")
_TIME = "%Y-%m-%dT%H:%M:%S"
_ZONE_NAME = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*", re.ASCII)
_NO_ZONES = ("localtime", "Factory", "posixrules")

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MOST_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

_FORMS = "write rate(5 minutes), cron(0 12 * * ? *) or at(2026-01-31T12:00:00)"
_CRON_FORM = "write cron(MINUTES HOURS DAY-OF-MONTH MONTH DAY-OF-WEEK YEAR)"


@dataclass(frozen=True, slots=True)
class ScheduleProblem:
    """What is wrong with a schedule or a time zone, and what to write instead."""

    message: str
    help: str


def check_schedule(expression: str) -> ScheduleProblem | None:
    """The first problem of a schedule expression, or None where EventBridge takes it."""
    if len(expression) > _LONGEST:
        return ScheduleProblem(f"a schedule has at most {_LONGEST} characters", _FORMS)
    call = _CALL.fullmatch(expression.strip())
    if call is None:
        return _no_call(expression.strip())
    kind, body = call[1], call[2]
    check = {"rate": _check_rate, "cron": _check_cron, "at": _check_at}.get(kind)
    if check is None:
        return ScheduleProblem(f'"{kind}" is no kind of schedule', did_you_mean(kind, ("rate", "cron", "at"), _FORMS))
    if problem := check(" ".join(body.split())):
        return problem
    tidy = f"{kind}({' '.join(body.split())})"
    if tidy != expression:
        return ScheduleProblem("the schedule has spaces where EventBridge takes none", f"write {tidy}")
    return None


def check_timezone(name: str) -> ScheduleProblem | None:
    """The problem of a time zone's name, or None where the time zone database has it."""
    if _is_zone(name):
        return None
    from zoneinfo import available_timezones  # here, since it takes 20 ms and few workflows name a zone

    known = [zone for zone in available_timezones() if zone not in _NO_ZONES]
    if not known:
        # Without a database nothing can be said; AWS checks the name at deployment.
        return None
    shown = name if len(name) <= 60 else f"{name[:59]}…"
    near = did_you_mean(shown, known, "write a name such as UTC, Europe/Berlin or America/New_York")
    return ScheduleProblem(f'"{shown}" is no name of a time zone', near)


def _is_zone(name: str) -> bool:
    if len(name) > 50 or name in _NO_ZONES or not _ZONE_NAME.fullmatch(name):
        return False
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return not name.startswith(("posix/", "right/"))


def _no_call(text: str) -> ScheduleProblem:
    """What to write for a text that is no `kind(…)`."""
    message = f'"{text}" is no schedule'
    words = text.split()
    if words and words[0] == "every":
        words = words[1:]
    if len(words) == 1 and not words[0].isdigit():
        words = ["1", *words]
    unit = words[1].rstrip("s") if len(words) == 2 and words[0].isdigit() else ""
    if unit in _RATE_UNITS:
        return ScheduleProblem(message, f"write {_rate(int(words[0]), unit)}")
    if len(words) in (5, 6) and (fix := _six_fields(words)):
        return ScheduleProblem(message, f"write {fix}")
    if _parsed_time(text):
        return ScheduleProblem(message, f"write at({text})")
    return ScheduleProblem(message, _FORMS)


# rate(VALUE UNIT)


def _check_rate(body: str) -> ScheduleProblem | None:
    rate = _RATE.fullmatch(body)
    if rate is None:
        return ScheduleProblem(
            f'"{body}" is no rate', "write a whole number and minutes, hours or days: rate(5 minutes)"
        )
    value, unit = int(rate[1]), rate[2]
    singular = unit.removesuffix("s")
    if value == 0:
        return ScheduleProblem("a rate is at least 1", f"write {_rate(1, singular)}")
    if singular in ("week", "month", "year"):
        help_text = f"write {_rate(7 * value, 'day')}" if singular == "week" else "write a cron() expression"
        return ScheduleProblem(f'"{unit}" is no unit of a rate', help_text)
    if singular in ("second", "sec", "s"):
        return ScheduleProblem("the shortest rate is a minute", "write rate(1 minute)")
    if singular not in _RATE_UNITS:
        near = did_you_mean(unit, [*_RATE_UNITS, *(f"{name}s" for name in _RATE_UNITS)], "write minutes, hours or days")
        return ScheduleProblem(f'"{unit}" is no unit of a rate', near)
    if _rate(value, singular) != f"rate({body})":
        form = "singular" if value == 1 else "plural"
        return ScheduleProblem(f"the unit of a rate of {value} is in the {form}", f"write {_rate(value, singular)}")
    return None


def _rate(value: int, unit: str) -> str:
    return f"rate({value} {unit})" if value == 1 else f"rate({value} {unit}s)"


# at(TIME)


def _check_at(body: str) -> ScheduleProblem | None:
    if _parsed_time(body):
        return None
    zoned = re.fullmatch(r"(.*?)(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)", body)
    if zoned and _parsed_time(zoned[1]):
        return ScheduleProblem(
            "the time of at() has no zone and no fraction of a second",
            f"write at({zoned[1]}) and give the zone with `timezone:`",
        )
    for other in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d"):
        try:
            return ScheduleProblem(
                f'"{body}" is no time as at() takes it', f"write at({datetime.strptime(body, other).strftime(_TIME)})"
            )
        except ValueError:
            continue
    return ScheduleProblem(f'"{body}" is no time', "write a date and a time that exist: at(2026-01-31T12:00:00)")


def _parsed_time(text: str) -> bool:
    # strptime takes one digit where two are written.
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", text, re.ASCII):
        return False
    try:
        datetime.strptime(text, _TIME)
    except ValueError:
        return False
    return True


# cron(MINUTES HOURS DAY-OF-MONTH MONTH DAY-OF-WEEK YEAR)


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of a cron expression; `names` stand for the numbers from `least` on."""

    name: str
    least: int
    most: int
    wildcards: str
    names: tuple[str, ...] = ()

    @property
    def values(self) -> str:
        named = f" or {self.names[0]} to {self.names[-1]}" if self.names else ""
        return f"{self.least} to {self.most}{named}"


_FIELDS = (
    _Field("minutes", 0, 59, "*/"),
    _Field("hours", 0, 23, "*/"),
    _Field("day of month", 1, 31, "*?/LW"),
    _Field("month", 1, 12, "*/", _MONTHS),
    _Field("day of week", 1, 7, "*?L#", _DAYS),
    _Field("year", 1970, 2199, "*/"),
)


def _check_cron(body: str) -> ScheduleProblem | None:
    parts = body.split()
    if len(parts) != len(_FIELDS):
        fix = _six_fields(parts) if len(parts) == 5 else None
        return ScheduleProblem(
            f"a cron expression of EventBridge has six fields, and this has {len(parts)}",
            f"write {fix}" if fix else _CRON_FORM,
        )
    for field, part in zip(_FIELDS, parts, strict=True):
        if problem := _check_field(field, part):
            return problem
    day, month, weekday = parts[2:5]
    if (day == "?") == (weekday == "?"):
        both = "both are" if day == "?" else "neither is"
        fixed = parts.copy()
        if day == "?":
            fixed[4] = "*"
        else:
            fixed[2 if day == "*" and weekday != "*" else 4] = "?"
        return ScheduleProblem(
            f'one of day of month and day of week must be "?", and {both}', f"write cron({' '.join(fixed)})"
        )
    return _check_day_exists(day, month)


def _check_day_exists(day: str, month: str) -> ScheduleProblem | None:
    """Whether the least of the days exists in any of the months."""
    if not re.fullmatch(r"\d+(?:,\d+)*", day, re.ASCII) or not re.fullmatch(r"\w+(?:,\w+)*", month, re.ASCII):
        return None
    months = [_MONTHS.index(part) if part in _MONTHS else int(part) - 1 for part in month.split(",")]
    least = min(map(int, day.split(",")))
    if any(least <= _MOST_DAYS[index] for index in months):
        return None
    return ScheduleProblem(f"no such month has a day {least}", "write L for the last day of the month")


def _check_field(field: _Field, part: str) -> ScheduleProblem | None:
    for item in part.split(","):
        if problem := _check_item(field, item, alone=item == part):
            return problem
    return None


def _check_item(field: _Field, item: str, *, alone: bool) -> ScheduleProblem | None:
    if item in ("*", "?"):
        if item not in field.wildcards:
            return _bad_item(field, item, 'write "*" for every value')
        return None if alone else _bad_item(field, item, f'write "{item}" alone')
    if "/" in item:
        return _check_step(field, item)
    if field.name == "day of month" and (item in ("L", "LW") or re.fullmatch(r"L-\d{1,2}", item)):
        return None
    if field.name == "day of month" and item.endswith("W"):
        if not alone:
            return _bad_item(field, item, "give one day with W alone")
        return _check_value(field, item[:-1])
    if field.name == "day of week" and item == "L":
        return None
    if field.name == "day of week" and item.endswith("L"):
        return _check_value(field, item[:-1])
    if "#" in item and "#" in field.wildcards:
        day, _, nth = item.partition("#")
        if not alone:
            return _bad_item(field, item, "give one day with # alone")
        if nth not in ("1", "2", "3", "4", "5"):
            return _bad_item(field, item, "the number after # is 1 to 5: 2#1 is the month's first Monday")
        return _check_value(field, day)
    first, dash, last = item.partition("-")
    return _check_value(field, first) or (_check_value(field, last) if dash else None)


def _check_step(field: _Field, item: str) -> ScheduleProblem | None:
    start, _, step = item.partition("/")
    if "/" not in field.wildcards:
        return _bad_item(field, item, "list the days, as in MON,WED,FRI")
    if not start:
        return _bad_item(field, item, f"write */{step}")
    if not (step.isascii() and step.isdigit()) or not 1 <= int(step[:5]) <= field.most - field.least + 1:
        return _bad_item(field, item, f"the step after / is 1 to {field.most - field.least + 1}")
    if start == "*":
        return None
    first, dash, last = start.partition("-")
    return _check_value(field, first) or (_check_value(field, last) if dash else None)


def _check_value(field: _Field, text: str) -> ScheduleProblem | None:
    if text in field.names:
        return None
    if text.isascii() and text.isdigit() and len(text) <= 4:
        if field.least <= int(text) <= field.most:
            return None
        if field.name == "day of week":
            return _bad_item(field, text, "days of the week count from 1 (SUN) to 7 (SAT)")
        return _bad_item(field, text, f"write {field.values}")
    if text[:3].upper() in field.names and text.isalpha():
        return _bad_item(field, text, f"write {text[:3].upper()}")
    return _bad_item(field, text, f"write {field.values}")


def _bad_item(field: _Field, item: str, help_text: str) -> ScheduleProblem:
    return ScheduleProblem(f'"{item}" is not possible as {field.name}', help_text)


def _six_fields(parts: list[str]) -> str | None:
    """The cron expression of EventBridge for one of Unix, where it is plain how to write it."""
    fields = parts if len(parts) == 6 else [*parts, "*"]
    weekday = fields[4]
    if len(parts) == 5 and re.fullmatch(r"[0-7]", weekday):
        # Unix counts from 0 (Sunday), and 7 is Sunday too.
        fields[4] = _DAYS[int(weekday) % 7]
    elif len(parts) == 5 and re.search(r"\d", weekday):
        return None
    if "?" not in (fields[2], fields[4]):
        if fields[4] == "*":
            fields[4] = "?"
        elif fields[2] == "*":
            fields[2] = "?"
    written = f"cron({' '.join(fields)})"
    return written if check_schedule(written) is None else None
