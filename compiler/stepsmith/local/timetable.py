"""When a schedule is due: `rate()`, `cron()` and `at()` of EventBridge rules and EventBridge Scheduler.

Of expressions that AWS takes (`stepsmith.schedules` checks that), it tells the next moment after a given one. Time
zones are Scheduler's, rules have UTC. A time that summer time leaves out does not happen and one that it doubles
happens once (EventBridge Scheduler user guide, "Daylight savings time").
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_UNITS: Final = {"minute": 60, "hour": 3600, "day": 86400}
_MONTHS: Final = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS: Final = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), 1)}
_LAST_YEAR: Final = 2199


def next_time(expression: str, after: datetime, *, since: datetime, zone: str = "UTC") -> datetime | None:
    """The first moment later than `after`, in UTC; None when there is none any more.

    `since` is when the schedule began, from which rates count: a rate is due at `since` itself, too. Raises ValueError
    for what is no schedule.
    """
    kind, _, body = expression.strip().rstrip(")").partition("(")
    match kind:
        case "rate":
            return _next_of_rate(body, after, since)
        case "at":
            moment = datetime.fromisoformat(body).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
            return moment if moment > after else None
        case "cron":
            return _next_of_cron(body, after, ZoneInfo(zone))
    raise ValueError(f"{expression} is no schedule")


def _next_of_rate(body: str, after: datetime, since: datetime) -> datetime:
    value, unit = body.split()
    period = timedelta(seconds=int(value) * _UNITS[unit.removesuffix("s")])
    if after < since:
        return since
    return since + ((after - since) // period + 1) * period


def _next_of_cron(body: str, after: datetime, zone: ZoneInfo) -> datetime | None:
    minutes, hours, days, months, weekdays, years = body.split()
    minute_set, hour_set = _numbers(minutes, 0, 59), _numbers(hours, 0, 23)
    month_set, year_set = _numbers(months, 1, 12, _MONTHS), _numbers(years, 1970, _LAST_YEAR)
    for day in _days_from(after.astimezone(zone).date(), month_set, year_set):
        if not (_day_matches(day, days) and _weekday_matches(day, weekdays)):
            continue
        for hour in hour_set:
            for minute in minute_set:
                local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
                moment = local.astimezone(UTC)
                exists = moment.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None)
                if exists and moment > after:
                    return moment
    return None


def _days_from(day: date, months: list[int], years: list[int]) -> Iterator[date]:
    for year in years:
        if year < day.year:
            continue
        for month in months:
            if (year, month) < (day.year, day.month):
                continue
            first = day.day if (year, month) == (day.year, day.month) else 1
            for number in range(first, calendar.monthrange(year, month)[1] + 1):
                yield date(year, month, number)


def _numbers(text: str, least: int, most: int, names: dict[str, int] | None = None) -> list[int]:
    """The numbers that a field of a cron expression stands for, in order."""
    found: set[int] = set()
    for item in text.split(","):
        span, _, step = item.partition("/")
        first, dash, last = span.partition("-")
        if span in ("*", "?"):
            low, high = least, most
        else:
            low = _number(first, names)
            high = _number(last, names) if dash else (most if step else low)
        # A range may go round the end: FRI-MON, 22-2.
        values = [*range(low, high + 1)] if low <= high else [*range(low, most + 1), *range(least, high + 1)]
        found.update(values[:: int(step or 1)])
    return sorted(found)


def _number(text: str, names: dict[str, int] | None) -> int:
    return names[text] if names and text in names else int(text)


def _day_matches(day: date, field: str) -> bool:
    last = calendar.monthrange(day.year, day.month)[1]
    for item in field.split(","):
        if item == "L":
            matches = day.day == last
        elif item == "LW":
            matches = day.day == _nearest_weekday(day, last)
        elif before := re.fullmatch(r"L-(\d+)", item):
            matches = day.day == last - int(before[1])
        elif item.endswith("W"):
            matches = day.day == _nearest_weekday(day, int(item[:-1]))
        else:
            matches = day.day in _numbers(item, 1, 31)
        if matches:
            return True
    return False


def _nearest_weekday(day: date, wanted: int) -> int:
    """The day from Monday to Friday in that month that is nearest to the day `wanted`."""
    last = calendar.monthrange(day.year, day.month)[1]
    if wanted > last:
        return 0
    weekday = date(day.year, day.month, wanted).weekday()
    if weekday == calendar.SATURDAY:
        return wanted - 1 if wanted > 1 else wanted + 2
    if weekday == calendar.SUNDAY:
        return wanted + 1 if wanted < last else wanted - 2
    return wanted


def _weekday_matches(day: date, field: str) -> bool:
    today = (day.weekday() + 1) % 7 + 1  # 1 is Sunday
    for item in field.split(","):
        if "#" in item:
            name, _, nth = item.partition("#")
            matches = today == _number(name, _DAYS) and (day.day - 1) // 7 + 1 == int(nth)
        elif item == "L":
            matches = today == _DAYS["SAT"]
        elif item.endswith("L") and item not in _DAYS:
            in_last_week = day.day + 7 > calendar.monthrange(day.year, day.month)[1]
            matches = today == _number(item[:-1], _DAYS) and in_last_week
        else:
            matches = today in _numbers(item, 1, 7, _DAYS)
        if matches:
            return True
    return False
