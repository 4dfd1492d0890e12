"""What an unquoted scalar means: the core schema of YAML 1.2 and nothing of YAML 1.1.

So `on`, `yes`, dates, `1_000` and `12:30:00` are text.
"""

from __future__ import annotations

import re
from math import inf, nan

from stepsmith.document import Scalar

_WORDS: dict[str, Scalar] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
    **{f"{sign}.{word}": -inf if sign == "-" else inf for sign in ("", "+", "-") for word in ("inf", "Inf", "INF")},
    **dict.fromkeys((".nan", ".NaN", ".NAN"), nan),
}

_FIRST_OF_NUMBER = frozenset("0123456789+-.")
_INTEGER = re.compile(r"[-+]?[0-9]+", re.ASCII)
_OCTAL = re.compile(r"0o[0-7]+", re.ASCII)
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+", re.ASCII)

# The greatest finite double has 309 digits; a longer number is none in JSON as AWS reads it.
_MOST_DIGITS = 309


def resolve(text: str) -> Scalar:
    """The value of an unquoted scalar. A number that no JSON can hold is an infinity or a NaN."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _FIRST_OF_NUMBER:
        return text
    if _INTEGER.fullmatch(text):
        return _finite(int(text)) if len(text) <= _MOST_DIGITS + 1 else inf
    if _FLOAT.fullmatch(text):
        return float(text)
    if _HEXADECIMAL.fullmatch(text):
        return _finite(int(text, 16))
    if _OCTAL.fullmatch(text):
        return _finite(int(text, 8))
    return text


def loses_leading_zero(text: str) -> bool:
    """Whether `text` reads as a number though its zeros say that it is an account id, a code or the like."""
    return _LEADING_ZERO.fullmatch(text) is not None


def _finite(number: int) -> int | float:
    try:
        float(number)
    except OverflowError:
        return inf
    return number
