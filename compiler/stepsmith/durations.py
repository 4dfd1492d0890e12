"""Lengths of time as authors write them: `30s`, `1h30m`, ISO 8601's `PT5M`, or a number of seconds.

Step Functions counts whole seconds (`TimeoutSeconds`, `Seconds`: Amazon States Language), so nothing finer is taken.
How long a duration may be is for the caller, who knows what it is for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}

_SHORT = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
_ISO = re.compile(r"P(?:(\d+)W|(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?)", re.ASCII)
_ISO_LIKE = re.compile(r"[-+]?P(?:T?[\d.,]+[A-Z])+", re.ASCII)
_FRACTION = re.compile(r"\d[.,]\d|\d\s*(?:ms|msec|millis|milliseconds?|us|µs|ns)\b", re.ASCII)
_WORDS = re.compile(r"(\d+)\s*([a-zA-Z]+)\.?(?:\s+|,\s*|$)", re.ASCII)

_WORD_UNITS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3_600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
    **dict.fromkeys(("w", "wk", "week", "weeks"), 604_800),
}

_FORMS = "write 30s, 5m, 2h, 1d, 1h30m or a number of seconds"
_WHOLE = "Step Functions has nothing finer than a second"

# Twelve digits of seconds are 30,000 years, and short of what Python refuses to read.
_MOST_DIGITS = 12


class DurationError(ValueError):
    """A text or number that is no duration: what is wrong with it, and what to write instead."""

    def __init__(self, message: str, help: str = _FORMS) -> None:  # noqa: A002
        super().__init__(message)
        self.message = message
        self.help = help


def parse_duration(value: str | int | float) -> int:
    """The seconds that `value` stands for, zero or more; raises `DurationError` where it is no duration."""
    if isinstance(value, bool):
        raise DurationError(f"{str(value).lower()} is no duration")
    if isinstance(value, str):
        return _parse_text(value)
    if value != value or value in (float("inf"), float("-inf")):
        raise DurationError(f"{value} is no duration")
    if value < 0:
        raise DurationError(f"a duration cannot be negative, as {value} is")
    if value != int(value):
        raise DurationError(f"{value} has a fraction of a second, and {_WHOLE}", _whole_help(value))
    return int(value)


def format_duration(seconds: int) -> str:
    """The shortest text that `parse_duration` reads as `seconds` in days, hours, minutes and seconds."""
    parts = []
    for unit, length in _UNITS.items():
        count, seconds = divmod(seconds, length)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def _parse_text(written: str) -> int:
    text = written.strip()
    shown = text if len(text) <= 40 else f"{text[:39]}…"
    if not text:
        raise DurationError("the duration is empty")
    if len(max(re.findall(r"\d+", text), key=len, default="")) > _MOST_DIGITS:
        raise DurationError(f'"{shown}" is longer than any duration can be')
    if text.isascii() and text.isdigit():
        return int(text)
    if short := _SHORT.fullmatch(text):
        return _total(short.groups(), _UNITS.values())
    if (iso := _ISO.fullmatch(text)) and text != "P":
        weeks, *rest = iso.groups()
        return int(weeks) * 604_800 if weeks else _total(rest, _UNITS.values())
    raise _explained(text, shown)


def _total(counts: Iterable[str | None], lengths: Iterable[int]) -> int:
    return sum(int(count or 0) * length for count, length in zip(counts, lengths, strict=True))


def _explained(text: str, shown: str) -> DurationError:
    """Why `text` is no duration, with the nearest one that is."""
    if text.startswith("-"):
        return DurationError(f'a duration cannot be negative, as "{shown}" is')
    if _FRACTION.search(text):
        return DurationError(
            f'"{shown}" has a fraction, and {_WHOLE}', "write whole seconds, such as 1s, or 90m for 1.5h"
        )
    if _ISO_LIKE.fullmatch(text.upper()):
        return _explained_iso(text, shown)
    words = list(_WORDS.finditer(text))
    if words and "".join(word.group() for word in words) == text:
        units = [word[2].lower() for word in words]
        unknown = [unit for unit in units if unit not in _WORD_UNITS]
        if not unknown:
            total = sum(int(word[1]) * _WORD_UNITS[unit] for word, unit in zip(words, units, strict=True))
            return DurationError(f'"{shown}" is no duration', f"write {format_duration(total)}")
        return DurationError(f'"{unknown[0]}" is no unit of a duration', "the units are d, h, m and s, as in 1h30m")
    if text.lower() != text and _SHORT.fullmatch(text.lower()):
        return DurationError(f'"{shown}" is no duration: the units are small letters', f"write {text.lower()}")
    if re.fullmatch(r"(?:\d+[dhms])+", text, re.ASCII):
        return DurationError(
            f'the units of "{shown}" are out of order or written twice', "write days, hours, minutes, seconds: 1d2h3m4s"
        )
    return DurationError(f'"{shown}" is no duration')


def _explained_iso(text: str, shown: str) -> DurationError:
    date, _, _ = text.upper().partition("T")
    if "Y" in date or "M" in date:
        return DurationError(
            f'"{shown}" counts years or months, which have no fixed length', "write days: P30D, or 30d"
        )
    if text != text.upper():
        return DurationError(f'"{shown}" is no duration: ISO 8601 has capital letters', f"write {text.upper()}")
    return DurationError(
        f'"{shown}" is no ISO 8601 duration', "write days before T and hours, minutes, seconds after it: P1DT2H30M"
    )


def _whole_help(value: float) -> str:
    below = int(value)
    return f"write {below} or {below + 1}" if below else "write 1"
