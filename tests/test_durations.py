"""Durations: every form, every refusal with its help, and the way back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsmith.durations import DurationError, format_duration, parse_duration

SECONDS = [
    ("30s", 30),
    ("5m", 300),
    ("2h", 7_200),
    ("1d", 86_400),
    ("1h30m", 5_400),
    ("1d2h3m4s", 93_784),
    ("90s", 90),
    ("0s", 0),
    (" 30s ", 30),
    ("45", 45),
    ("PT5M", 300),
    ("P1DT2H", 93_600),
    ("PT90S", 90),
    ("PT1H30M15S", 5_415),
    ("P2D", 172_800),
    ("P1W", 604_800),
    (0, 0),
    (30, 30),
    (30.0, 30),
    (99_999_999, 99_999_999),
]

REFUSED = [
    # value, a part of the message, a part of the help
    ("250ms", "nothing finer than a second", "whole seconds"),
    ("0.5", "nothing finer than a second", "whole seconds"),
    ("1.5h", "nothing finer than a second", "90m"),
    ("PT0.5S", "nothing finer than a second", "whole seconds"),
    ("10 us", "nothing finer than a second", "whole seconds"),
    (0.5, "nothing finer than a second", "write 1"),
    (2.5, "nothing finer than a second", "write 2 or 3"),
    ("-5m", "negative", ""),
    (-1, "negative", ""),
    (True, "true is no duration", "30s"),
    (float("nan"), "no duration", ""),
    (float("inf"), "no duration", ""),
    ("", "empty", "30s"),
    ("soon", '"soon" is no duration', "write 30s, 5m, 2h, 1d, 1h30m or a number of seconds"),
    ("{{ input.delay }}", "is no duration", ""),
    ("30 seconds", "no duration", "write 30s"),
    ("5 min", "no duration", "write 5m"),
    ("1h 30m", "no duration", "write 1h30m"),
    ("2 hours, 5 minutes", "no duration", "write 2h5m"),
    ("1w", "no duration", "write 7d"),
    ("5y", '"y" is no unit', "d, h, m and s"),
    ("30S", "no duration", "write 30s"),
    ("1H30M", "small letters", "write 1h30m"),
    ("30m1h", "out of order", "1d2h3m4s"),
    ("1m1m", "written twice", "1d2h3m4s"),
    ("P1Y", "no fixed length", "P30D"),
    ("P2M", "no fixed length", "P30D"),
    ("P", "is no duration", ""),
    ("PT", "is no duration", ""),
    ("P1DT", "no duration", ""),
    ("pt5m", "capital letters", "write PT5M"),
    ("PT5M2H", "no ISO 8601 duration", "P1DT2H30M"),
    ("P5H", "no ISO 8601 duration", "P1DT2H30M"),
    ("9" * 5_000, "longer than any duration", ""),
    ("٣s", "is no duration", ""),
    ("h", "is no duration", ""),
]


@pytest.mark.parametrize(("value", "seconds"), SECONDS)
def test_a_duration_has_its_seconds(value, seconds):
    parsed = parse_duration(value)
    assert parsed == seconds
    assert type(parsed) is int


@pytest.mark.row("S2-097")
@pytest.mark.parametrize(("value", "message", "help_text"), REFUSED)
def test_what_is_no_duration_says_what_to_write(value, message, help_text):
    with pytest.raises(DurationError) as error:
        parse_duration(value)
    assert message in error.value.message
    assert str(error.value) == error.value.message
    assert help_text in error.value.help


@pytest.mark.parametrize("value", [case[0] for case in REFUSED if case[2].startswith("write ") and "," not in case[2]])
def test_what_a_help_tells_to_write_is_a_duration(value):
    with pytest.raises(DurationError) as error:
        parse_duration(value)
    for written in error.value.help.removeprefix("write ").split(" or "):
        parse_duration(written)


def test_a_long_text_is_cut_in_the_message():
    with pytest.raises(DurationError) as error:
        parse_duration("x" * 1_000_000)
    assert len(error.value.message) < 100


@given(st.integers(0, 10**9))
def test_a_formatted_duration_is_read_back(seconds):
    assert parse_duration(format_duration(seconds)) == seconds


def test_formatting_leaves_out_what_is_zero():
    assert [format_duration(seconds) for seconds in (0, 59, 60, 5_400, 86_400, 93_784)] == [
        "0s",
        "59s",
        "1m",
        "1h30m",
        "1d",
        "1d2h3m4s",
    ]


@given(st.text(max_size=12) | st.from_regex(r"\A[PT0-9dhmsDHMSWY., -]{0,10}\Z"))
def test_any_text_is_a_duration_or_refused_with_a_help(text):
    try:
        seconds = parse_duration(text)
    except DurationError as refusal:
        seconds, message, help_text = 0, refusal.message, refusal.help
    else:
        message = help_text = "none needed"
    assert seconds >= 0
    assert message
    assert help_text
