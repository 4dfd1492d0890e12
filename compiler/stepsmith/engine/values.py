"""JSON values as the engine carries them, and the texts that the history shows.

Values are shared, never copied: a state's input, its variables and its output may be one and the same object, so
nobody who receives one may change it. This module knows JSON and sizes, and nothing of Step Functions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"

_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")).encode


def to_text(value: Json) -> str:
    """Compact JSON text of a value, characters unescaped, as Step Functions writes it.

    Raises ValueError for NaN and infinities, which JSON cannot hold, and TypeError for what is no JSON value.
    """
    return _encode(value)


def utf8_size(text: str) -> int:
    """Bytes of a text in UTF-8, the unit of every Step Functions data limit."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


class Payload:
    """A JSON value together with its text, which is made once and only when somebody asks."""

    __slots__ = ("_text", "value")

    def __init__(self, value: Json, text: str | None = None) -> None:
        self.value = value
        self._text = text

    @property
    def text(self) -> str:
        """Compact JSON text of the value."""
        if self._text is None:
            self._text = to_text(self.value)
        return self._text

    @property
    def may_hold_null(self) -> bool:
        """Whether the text has the letters of a null in it: a cheap no spares a walk through the value."""
        return "null" in self.text

    @property
    def size(self) -> int:
        """Bytes of the text in UTF-8."""
        return utf8_size(self.text)


def json_type(value: Json) -> str:
    """The name that Step Functions gives a value's type in its messages."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case Mapping():
            return "object"
        case _:
            return "array"


def timestamp_text(moment: datetime) -> str:
    """A moment as the context object writes it: UTC, ``Z``, no more digits of a second than it takes."""
    moment = moment.astimezone(UTC)
    micro = moment.microsecond
    spec = "seconds" if micro == 0 else "milliseconds" if micro % 1000 == 0 else "microseconds"
    return moment.replace(tzinfo=None).isoformat(timespec=spec) + "Z"
