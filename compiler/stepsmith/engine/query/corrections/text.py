"""How values become text, and the units that texts are compared in."""

from __future__ import annotations

import math
from decimal import ROUND_FLOOR, Context
from json.encoder import encode_basestring
from typing import Any

from jsonata.jexception import JException
from jsonata.utils import Utils

NULL = Utils.NULL_VALUE


def joined(text: str) -> str:
    """A text in which ``\\ud83d\\ude00``, read as two units, is the one character it stands for."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def utf16_order(text: str) -> str:
    """A text that sorts by code point as the given one sorts by UTF-16 unit."""
    units = text.encode("utf-16-be", "surrogatepass")
    return "".join(chr(units[at] << 8 | units[at + 1]) for at in range(0, len(units), 2))


def number_text(number: float) -> str:
    """A number as `$string` writes it on AWS (measured).

    Whole numbers below 1e21 in all their digits; others cut to 15 significant digits, in exponent notation from 1e21
    up and from 1e-7 down.
    """
    if math.isinf(number) or math.isnan(number):
        raise JException("D3001", -1, number)
    if number == int(number):
        return str(int(number)) if abs(number) < 1e21 else _exponent(repr(float(number)))
    cut = Context(prec=15, rounding=ROUND_FLOOR).create_decimal(repr(number)).normalize()
    if 1e-7 < abs(number) < 1e21:
        return format(cut, "f")
    return _exponent(f"{cut:e}")


def _exponent(text: str) -> str:
    """JavaScript's way to write an exponent: signed, without leading zeros."""
    mantissa, _, exponent = text.lower().partition("e")
    power = int(exponent)
    mantissa = mantissa.removesuffix(".0")
    return f"{mantissa}e{'-' if power < 0 else '+'}{abs(power)}"


def _json_text(value: Any, depth: int | None) -> str:
    if value is None or value is NULL:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return number_text(value)
    if isinstance(value, str):
        return encode_basestring(value)
    inner = None if depth is None else depth + 1
    if isinstance(value, dict):
        colon = ":" if depth is None else ": "
        members = [f"{encode_basestring(key)}{colon}{_json_text(member, inner)}" for key, member in value.items()]
        return _enclosed("{", members, "}", depth)
    if isinstance(value, list):
        return _enclosed("[", [_json_text(item, inner) for item in value], "]", depth)
    return '""'  # a function inside a container


def _enclosed(start: str, members: list[str], end: str, depth: int | None) -> str:
    if depth is None or not members:
        return start + ",".join(members) + end
    indent = "\n" + "  " * (depth + 1)
    return start + indent + ("," + indent).join(members) + "\n" + "  " * depth + end


def to_string(value: Any, prettify: Any) -> Any:
    """`$string`: a text as it is, anything else as JSON, a function as the empty text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Utils.JList) and value.outer_wrapper:
        value = value[0]
    if not isinstance(value, (bool, int, float, list, dict)) and value is not NULL:
        return ""
    return _json_text(value, 0 if prettify is True else None)
