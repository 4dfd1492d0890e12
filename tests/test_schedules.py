"""Schedules that EventBridge takes and schedules that it refuses, with what to write instead."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsmith.schedules import check_schedule, check_timezone

ACCEPTED = [
    "rate(1 minute)",
    "rate(5 minutes)",
    "rate(1 hour)",
    "rate(12 hours)",
    "rate(1 day)",
    "rate(365 days)",
    "cron(0 10 * * ? *)",
    "cron(15 12 * * ? *)",
    "cron(0 18 ? * MON-FRI *)",
    "cron(0 8 1 * ? *)",
    "cron(0/15 * * * ? *)",
    "cron(*/15 * * * ? *)",
    "cron(0/10 * ? * MON-FRI *)",
    "cron(0/5 8-17 ? * MON-FRI *)",
    "cron(0/30 20-2 ? * MON-FRI *)",
    "cron(0 9 ? * 2#1 *)",
    "cron(0 9 ? * MON#1 *)",
    "cron(0 0 L * ? *)",
    "cron(0 0 L-3 * ? *)",
    "cron(0 0 LW * ? *)",
    "cron(0 0 3W * ? *)",
    "cron(0 0 ? * 6L *)",
    "cron(0 0 ? * FRIL *)",
    "cron(0 0 ? * L *)",
    "cron(0,30 0 1,15 JAN,APR,7-9 ? 2025-2030)",
    "cron(0 0 29 FEB ? *)",
    "cron(0 0 31 1,2 ? 2026/2)",
    "cron(5-59/10 0 ? * * *)",
    "at(2026-01-31T12:00:00)",
    "at(2028-02-29T23:59:59)",
]

REFUSED = [
    # expression, a part of the message, the help or its beginning
    ("rate(1 minutes)", "singular", "write rate(1 minute)"),
    ("rate(5 minute)", "plural", "write rate(5 minutes)"),
    ("rate(0 minutes)", "at least 1", "write rate(1 minute)"),
    ("rate(30 seconds)", "shortest rate is a minute", "write rate(1 minute)"),
    ("rate(2 weeks)", '"weeks" is no unit', "write rate(14 days)"),
    ("rate(1 month)", '"month" is no unit', "write a cron() expression"),
    ("rate(5 minuts)", '"minuts" is no unit', 'did you mean "minutes"?'),
    ("rate(1.5 hours)", "is no rate", "write a whole number"),
    ("rate(-1 hours)", "is no rate", "write a whole number"),
    ("rate(hourly)", "is no rate", "write a whole number"),
    ("rate(5m)", "is no rate", "write a whole number"),
    ("rate()", "is no rate", "write a whole number"),
    ("rate(5  minutes)", "spaces", "write rate(5 minutes)"),
    (" rate(5 minutes)", "spaces", "write rate(5 minutes)"),
    ("cron(0 12 * * *)", "six fields, and this has 5", "write cron(0 12 * * ? *)"),
    ("cron(0 12 * * 1)", "six fields, and this has 5", "write cron(0 12 ? * MON *)"),
    ("cron(0 12 1 * *)", "six fields, and this has 5", "write cron(0 12 1 * ? *)"),
    ("cron(0 12 * * 1-5)", "six fields, and this has 5", "write cron(MINUTES HOURS"),
    ("cron(0 0 12 * * ? *)", "six fields, and this has 7", "write cron(MINUTES HOURS"),
    ("cron(0 12 * * * *)", "neither is", "write cron(0 12 * * ? *)"),
    ("cron(0 12 * * MON *)", "neither is", "write cron(0 12 ? * MON *)"),
    ("cron(0 12 1 * MON *)", "neither is", "write cron(0 12 1 * ? *)"),
    ("cron(0 12 ? * ? *)", "both are", "write cron(0 12 ? * * *)"),
    ("cron(60 12 * * ? *)", '"60" is not possible as minutes', "write 0 to 59"),
    ("cron(0 24 * * ? *)", '"24" is not possible as hours', "write 0 to 23"),
    ("cron(0 0 0 * ? *)", '"0" is not possible as day of month', "write 1 to 31"),
    ("cron(0 0 32 * ? *)", '"32" is not possible as day of month', "write 1 to 31"),
    ("cron(0 0 1 13 ? *)", '"13" is not possible as month', "write 1 to 12 or JAN to DEC"),
    ("cron(0 0 1 March ? *)", '"March" is not possible as month', "write MAR"),
    ("cron(0 0 ? * 0 *)", '"0" is not possible as day of week', "days of the week count from 1 (SUN)"),
    ("cron(0 0 ? * mon *)", '"mon" is not possible as day of week', "write MON"),
    ("cron(0 0 ? * MON-Friday *)", '"Friday" is not possible', "write FRI"),
    ("cron(0 0 ? * 2#6 *)", '"2#6" is not possible', "the number after # is 1 to 5"),
    ("cron(0 0 ? * 2#1,3#1 *)", '"2#1" is not possible', "give one day with # alone"),
    ("cron(0 0 ? * 1/2 *)", '"1/2" is not possible', "list the days"),
    ("cron(0 0 1,3W * ? *)", '"3W" is not possible', "give one day with W alone"),
    ("cron(0 ? * * ? *)", '"?" is not possible as hours', 'write "*"'),
    ("cron(0 0 1,* * ? *)", '"*" is not possible as day of month', 'write "*" alone'),
    ("cron(/5 * * * ? *)", '"/5" is not possible', "write */5"),
    ("cron(*/0 * * * ? *)", '"*/0" is not possible', "the step after / is 1 to 60"),
    ("cron(*/90 * * * ? *)", '"*/90" is not possible', "the step after / is 1 to 60"),
    ("cron(0-60 * * * ? *)", '"60" is not possible', "write 0 to 59"),
    ("cron(L * * * ? *)", '"L" is not possible as minutes', "write 0 to 59"),
    ("cron(1, * * * ? *)", '"" is not possible as minutes', "write 0 to 59"),
    ("cron(0 0 1 * ? 1969)", '"1969" is not possible as year', "write 1970 to 2199"),
    ("cron(0 0 31 FEB,4 ? *)", "no such month has a day 31", "write L"),
    ("cron()", "six fields, and this has 0", "write cron(MINUTES HOURS"),
    ("at(2026-01-31T12:00:00Z)", "no zone", "write at(2026-01-31T12:00:00) and give the zone with `timezone:`"),
    ("at(2026-01-31T12:00:00.5+01:00)", "no zone", "write at(2026-01-31T12:00:00) and"),
    ("at(2026-01-31 12:00:00)", "is no time as at() takes it", "write at(2026-01-31T12:00:00)"),
    ("at(2026-01-31)", "is no time as at() takes it", "write at(2026-01-31T00:00:00)"),
    ("at(2026-02-30T12:00:00)", "is no time", "write a date and a time that exist"),
    ("at(2026-1-1T12:00:00)", "is no time", "write a date"),
    ("at(tomorrow)", "is no time", "write a date"),
    ("5 minutes", "is no schedule", "write rate(5 minutes)"),
    ("every 1 hour", "is no schedule", "write rate(1 hour)"),
    ("every day", "is no schedule", "write rate(1 day)"),
    ("*/5 * * * *", "is no schedule", "write cron(*/5 * * * ? *)"),
    ("0 12 * * ? *", "is no schedule", "write cron(0 12 * * ? *)"),
    ("2026-01-31T12:00:00", "is no schedule", "write at(2026-01-31T12:00:00)"),
    ("@daily", "is no schedule", "write rate(5 minutes), cron(0 12 * * ? *) or at("),
    ("", "is no schedule", "write rate(5 minutes), cron(0 12 * * ? *) or at("),
    ("Rate(5 minutes)", '"Rate" is no kind of schedule', 'did you mean "rate"?'),
    ("fortnightly()", "is no kind of schedule", "write rate(5 minutes)"),
    ("cron(0 12 * * ? *", "is no schedule", "write rate(5 minutes)"),
    ("rate(" + "1" * 300 + " days)", "at most 256 characters", "write"),
]


@pytest.mark.parametrize("expression", ACCEPTED)
def test_what_eventbridge_takes_is_accepted(expression):
    assert check_schedule(expression) is None


@pytest.mark.parametrize(("expression", "message", "help_text"), REFUSED)
def test_what_eventbridge_refuses_is_explained(expression, message, help_text):
    problem = check_schedule(expression)
    assert problem is not None
    assert message in problem.message
    assert problem.help.startswith(help_text)


def test_what_a_help_tells_to_write_is_accepted():
    followed = 0
    for expression, _, _ in REFUSED:
        problem = check_schedule(expression)
        assert problem is not None
        for written in re.findall(r"(?:rate|cron|at)\([^()]+\)", problem.help):
            if "MINUTES" not in written:
                assert check_schedule(written) is None
                followed += 1
    assert followed > 20


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "CET"])
def test_zones_of_the_database_are_accepted(name):
    assert check_timezone(name) is None


@pytest.mark.parametrize(
    ("name", "help_text"),
    [
        ("Europe/Berln", 'did you mean "Europe/Berlin"?'),
        ("europe/berlin", 'did you mean "Europe/Berlin"?'),
        ("Europe", 'did you mean "Europe/'),
        ("+02:00", "write a name such as"),
        ("", "write a name such as"),
        ("../../etc/passwd", "write a name such as"),
        ("localtime", ""),
        ("x" * 5_000, "write a name such as"),
        ("a\0b", ""),
    ],
)
def test_other_zones_are_refused(name, help_text):
    problem = check_timezone(name)
    assert problem is not None
    assert problem.help.startswith(help_text)
    assert len(problem.message) < 120


@given(st.text(max_size=30) | st.from_regex(r"\A(rate|cron|at)\([0-9A-Z*?/,#LW -]{0,30}\)\Z"))
def test_any_text_is_a_schedule_or_refused_with_a_help(text):
    problem = check_schedule(text)
    assert problem is None or (problem.message and problem.help)


@given(st.text(max_size=60))
def test_any_text_is_a_zone_or_refused_with_a_help(text):
    problem = check_timezone(text)
    assert problem is None or (problem.message and problem.help)
