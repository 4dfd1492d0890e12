"""When schedules are due."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from stepsmith.local.timetable import next_time

START = datetime(2026, 1, 15, 10, 30, 20, tzinfo=UTC)  # a Thursday


def due(expression: str, count: int, zone: str = "UTC", after: datetime = START) -> list[str]:
    found = []
    for _ in range(count):
        moment = next_time(expression, after, since=START, zone=zone)
        if moment is None:
            break
        found.append(moment.strftime("%Y-%m-%dT%H:%M:%S"))
        after = moment
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("rate(1 minute)", ["2026-01-15T10:31:20", "2026-01-15T10:32:20"]),
        ("rate(2 days)", ["2026-01-17T10:30:20", "2026-01-19T10:30:20"]),
        ("at(2026-01-15T11:00:00)", ["2026-01-15T11:00:00"]),
        ("at(2026-01-15T10:00:00)", []),
        ("cron(0 12 * * ? *)", ["2026-01-15T12:00:00", "2026-01-16T12:00:00"]),
        ("cron(0/15 10 * * ? *)", ["2026-01-15T10:45:00", "2026-01-16T10:00:00"]),
        ("cron(0 8 1 * ? *)", ["2026-02-01T08:00:00", "2026-03-01T08:00:00"]),
        ("cron(0 18 ? * MON-FRI *)", ["2026-01-15T18:00:00", "2026-01-16T18:00:00", "2026-01-19T18:00:00"]),
        ("cron(0 0 ? * 6-2 *)", ["2026-01-16T00:00:00", "2026-01-17T00:00:00", "2026-01-18T00:00:00"]),
        ("cron(0 9 L * ? *)", ["2026-01-31T09:00:00", "2026-02-28T09:00:00"]),
        ("cron(0 9 L-2 * ? *)", ["2026-01-29T09:00:00", "2026-02-26T09:00:00"]),
        ("cron(0 9 LW * ? *)", ["2026-01-30T09:00:00", "2026-02-27T09:00:00"]),
        ("cron(0 9 15W 2,3 ? *)", ["2026-02-16T09:00:00", "2026-03-16T09:00:00"]),
        ("cron(0 9 1W * ? *)", ["2026-02-02T09:00:00", "2026-03-02T09:00:00"]),
        ("cron(0 9 ? * TUE#2 *)", ["2026-02-10T09:00:00", "2026-03-10T09:00:00"]),
        ("cron(0 9 ? * 6L *)", ["2026-01-30T09:00:00", "2026-02-27T09:00:00"]),
        ("cron(0 9 ? * L *)", ["2026-01-17T09:00:00", "2026-01-24T09:00:00"]),
        ("cron(30 23 29 FEB ? *)", ["2028-02-29T23:30:00", "2032-02-29T23:30:00"]),
        ("cron(0 0 1 1 ? 2026)", []),
        ("cron(0 0 1 1 ? 2025-2027)", ["2027-01-01T00:00:00"]),
    ],
)
def test_next_times(expression: str, expected: list[str]) -> None:
    assert due(expression, max(2, len(expected))) == expected


def test_a_zone_is_kept_over_the_change_to_summer_time() -> None:
    after = datetime(2026, 3, 28, tzinfo=UTC)
    assert due("cron(0 12 * * ? *)", 2, "Europe/Berlin", after) == ["2026-03-28T11:00:00", "2026-03-29T10:00:00"]


def test_a_time_left_out_is_skipped_and_a_doubled_one_happens_once() -> None:
    spring, autumn = datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)
    assert due("cron(30 2 * * ? *)", 1, "Europe/Berlin", spring) == ["2026-03-30T00:30:00"]
    assert due("cron(30 2 * * ? *)", 2, "Europe/Berlin", autumn) == ["2026-10-25T00:30:00", "2026-10-26T01:30:00"]


def test_a_rate_is_due_at_its_beginning() -> None:
    begins = datetime(2026, 2, 1, tzinfo=UTC)
    assert next_time("rate(1 hour)", START, since=begins) == begins


def test_other_text_is_no_schedule() -> None:
    with pytest.raises(ValueError, match="no schedule"):
        next_time("every(1 day)", START, since=START)
