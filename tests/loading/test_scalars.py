"""The core schema of YAML 1.2, value by value (YAML 1.2.2, section 10.3.2)."""

from math import inf, isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsmith.loading.scalars import loses_leading_zero, resolve

VALUES = [
    ("true", True),
    ("True", True),
    ("TRUE", True),
    ("false", False),
    ("False", False),
    ("FALSE", False),
    ("null", None),
    ("Null", None),
    ("NULL", None),
    ("~", None),
    ("", None),
    ("0", 0),
    ("-19", -19),
    ("+12", 12),
    ("0o14", 12),
    ("0xC", 12),
    ("0xfF", 255),
    ("012", 12),
    ("3.25", 3.25),
    ("-0.5", -0.5),
    (".5", 0.5),
    ("1.", 1.0),
    ("1e3", 1000.0),
    ("+12e-2", 0.12),
    ("12E03", 12000.0),
]

TEXTS = [
    *["yes", "no", "on", "off", "Yes", "ON", "y", "n", "tRUE", "nULL", "None"],
    *["2001-12-14", "2001-12-14t21:59:43.10-05:00", "12:30:45", "190:20:30", "1:30"],
    *["1_000", "0b101", "0o18", "0xG", "0O14", "0x", "0o", "-0x1", "+0o7", "--1", "+-1", "1e", "e3", "1.2.3"],
    *["-", "+", ".", "..", "1 2", "٣", "１２", "30s", "<<", "inf", "nan", "+.nan", ".iNF"],
]


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_a_plain_scalar_has_its_value_of_the_core_schema(text, value):
    resolved = resolve(text)
    assert resolved == value
    assert type(resolved) is type(value)


@pytest.mark.parametrize("text", TEXTS)
def test_what_only_yaml_1_1_reads_otherwise_stays_text(text):
    assert resolve(text) == text


@pytest.mark.parametrize("text", [".inf", "+.Inf", ".INF", "1e999", "9" * 400, "9" * 100_000, "0x" + "f" * 300])
def test_a_number_beyond_json_is_an_infinity(text):
    assert resolve(text) == inf


def test_the_least_infinity_and_not_a_number():
    assert resolve("-.inf") == -inf
    value = resolve(".nan")
    assert isinstance(value, float)
    assert isnan(value)


def test_leading_zeros():
    assert [
        text for text in ("0", "-0", "00", "007", "+01", "0.5", "0x0", "10", "0o7") if loses_leading_zero(text)
    ] == [
        "00",
        "007",
        "+01",
    ]


@given(st.integers(-(10**300), 10**300))
def test_integers_keep_their_value(number):
    assert resolve(str(number)) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_keep_their_value(number):
    assert resolve(repr(number)) == number
