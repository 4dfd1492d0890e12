"""The function library: jsonata-python's, with what is wrong in it replaced.

Each replacement takes the arguments that the function's signature lets through: None is undefined, null has the
library's marker.
"""

from __future__ import annotations

import base64
import binascii
import copy
import math
import re
import urllib.parse
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from jsonata.functions import Functions
from jsonata.jexception import JException
from jsonata.jsonata import Jsonata
from jsonata.signature import Signature
from jsonata.utils import Utils

from stepsmith.engine.query.corrections.text import to_string, utf16_order

NULL = Utils.NULL_VALUE


class _Signature(Signature):  # type: ignore[misc]
    """A function's signature for which null is a value of its own kind, not a missing argument."""

    def get_symbol(self, value: Any) -> str:
        return "l" if value is NULL else str(super().get_symbol(value))


def _lowercase(text: Any) -> Any:
    return None if text is None else text.lower()


def _matches(pattern: Any, text: str) -> Iterator[Any]:
    for match in pattern.finditer(text):
        if not match[0]:
            raise JException("D1004", -1)
        yield match


def _limit(limit: float | None, code: str) -> int | None:
    if limit is None:
        return None
    if limit < 0:
        raise JException(code, -1, limit)
    return math.ceil(limit)


def _contains(text: Any, token: Any) -> Any:
    if text is None or token is None:
        return None
    if isinstance(token, str):
        return token in text
    if Functions.is_regex(token):
        return next(_matches(token, text), None) is not None
    return Functions.func_apply(token, [text]) is not None


def _match(text: Any, pattern: Any, limit: Any) -> Any:
    if text is None:
        return None
    most = _limit(limit, "D3040")
    found = Utils.create_sequence()
    if not Functions.is_regex(pattern):
        return Functions.match_(text, pattern, limit)
    for match in _matches(pattern, text):
        if most is not None and len(found) >= most:
            break
        found.append({"match": match[0], "index": match.start(), "groups": list(match.groups())})
    return found


def _substituted(match: Any, template: str) -> str:
    """A replacement with its ``$1``, ``$0`` and ``$$``: as many digits are read as there could be groups."""
    groups = match.groups()
    digits = len(str(len(groups)))
    out: list[str] = []
    at = 0
    while (dollar := template.find("$", at)) >= 0:
        out.append(template[at:dollar])
        at = dollar + 1
        follows = template[at : at + 1]
        if follows == "$":
            out.append("$")
            at += 1
        elif follows == "0":
            out.append(match[0])
            at += 1
        else:
            written = re.match(r"[0-9]+", template[at : at + digits])
            while written and len(written[0]) > 1 and int(written[0]) > len(groups):
                written = re.match(r"[0-9]+", written[0][:-1])
            if written is None:
                out.append("$")
            else:
                number = int(written[0])
                out.append((groups[number - 1] or "") if 0 < number <= len(groups) else "")
                at += len(written[0])
    out.append(template[at:])
    return "".join(out)


def _replace(text: Any, pattern: Any, replacement: Any, limit: Any) -> Any:
    if text is None:
        return None
    if pattern == "":
        raise JException("D3010", -1, pattern)
    most = _limit(limit, "D3011")
    if isinstance(pattern, str) and isinstance(replacement, str):
        return text.replace(pattern, replacement, -1 if most is None else most)
    regex = re.compile(re.escape(pattern)) if isinstance(pattern, str) else pattern
    out: list[str] = []
    at = 0
    for count, match in enumerate(_matches(regex, text)):
        if most is not None and count >= most:
            break
        out.append(text[at : match.start()])
        if isinstance(replacement, str):
            out.append(_substituted(match, replacement))
        else:
            about = {
                "match": match[0],
                "start": match.start(),
                "end": match.end(),
                "groups": list(match.groups()),
            }
            made = Functions.func_apply(replacement, [about])
            if not isinstance(made, str):
                raise JException("D3012", -1, made)
            out.append(made)
        at = match.end()
    out.append(text[at:])
    return "".join(out)


def _split(text: Any, separator: Any, limit: Any) -> Any:
    if text is None:
        return None
    most = _limit(limit, "D3020")
    if separator == "":
        parts = list(text) if text.isascii() else list(utf16_order(text))
    elif isinstance(separator, str):
        parts = text.split(separator)
        most = None if limit is None else math.floor(limit)
    else:
        parts = []
        at = 0
        for match in _matches(separator, text):
            parts.append(text[at : match.start()])
            at = match.end()
        parts.append(text[at:])
    return parts if most is None else parts[:most]


_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_RADIX = re.compile(r"0[xX][0-9A-Fa-f]+|0[oO][0-7]+|0[bB][01]+")


def _number(value: Any) -> Any:
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return value
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        if _RADIX.fullmatch(value):
            return int(value, 0)
        if _NUMBER.fullmatch(value) and math.isfinite(number := float(value)):
            return number
    raise JException("D3030", -1, value)


def _round(number: Any, places: Any) -> Any:
    """Half to even on the decimal digits that the number is written with."""
    if number is None:
        return None
    exact = Decimal(repr(number))
    step = Decimal(1).scaleb(-int(places or 0))
    return float(exact.quantize(step, ROUND_HALF_EVEN, Context(prec=2000, Emax=9999, Emin=-9999)))


def _format_number(number: Any, picture: Any, options: Any) -> Any:
    """Rounds half to even on the decimal digits (measured), which the library does on the binary value."""
    if number is None:
        return None
    fraction = re.search(r"\.([#0-9,]*)", picture) if isinstance(picture, str) else None
    if options is None and isinstance(picture, str) and "e" not in picture:
        places = len(fraction[1].replace(",", "")) if fraction else 0
        places += 2 if "%" in picture else 3 if "\u2030" in picture else 0
        number = _round(number, places)
        number = int(number) if number == int(number) else number
    return Functions.format_number(number, picture, options)


def _sort(items: Any, comparator: Any) -> Any:
    """A stable merge sort that asks only whether two neighbours must change places, as the reference does."""
    if items is None or len(items) <= 1:
        return items
    members = list(items)
    if comparator is None:
        if all(isinstance(item, str) for item in members):
            return sorted(members) if all(map(str.isascii, members)) else sorted(members, key=utf16_order)
        if not all(isinstance(item, (int, float)) and not isinstance(item, bool) for item in members):
            raise JException("D3070", -1)
        return sorted(members)
    if callable(comparator):  # the order-by operator's own comparator gives -1, 0 or 1
        return _merge_sorted(members, lambda one, other: comparator(one, other) > 0)
    return _merge_sorted(members, lambda one, other: Jsonata.boolize(Functions.func_apply(comparator, [one, other])))


def _merge_sorted(members: list[Any], swap: Callable[[Any, Any], bool]) -> list[Any]:
    if len(members) <= 1:
        return members
    middle = len(members) // 2
    left, right = _merge_sorted(members[:middle], swap), _merge_sorted(members[middle:], swap)
    merged: list[Any] = []
    one = other = 0
    while one < len(left) and other < len(right):
        if swap(left[one], right[other]):
            merged.append(right[other])
            other += 1
        else:
            merged.append(left[one])
            one += 1
    return merged + left[one:] + right[other:]


def _distinct(items: Any) -> Any:
    if not isinstance(items, list) or len(items) <= 1:
        return items
    kept = Utils.create_sequence() if Utils.is_sequence(items) else []
    for item in items:
        if not any(Utils.is_deep_equal(item, other) for other in kept):
            kept.append(item)
    return kept


def _base64_decode(text: Any) -> Any:
    """Reads text without its padding, and refuses characters outside the alphabet (measured)."""
    if text is None:
        return None
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode()
    except (binascii.Error, UnicodeError) as problem:
        raise JException("D3137", -1, str(problem)) from None


def _decode_url(text: Any, name: str, decode: Callable[[str], str]) -> Any:
    if text is None:
        return None
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise JException("D3140", -1, text, name)
    return decode(text)


def _decode_url_component(text: Any) -> Any:
    """``+`` is a space (measured)."""
    return _decode_url(text, "decodeUrlComponent", urllib.parse.unquote_plus)


def _decode_whole_url(text: Any) -> Any:
    return _decode_url(text, "decodeUrl", urllib.parse.unquote)


_ISO_8601 = re.compile(
    r"\d{4}(-[01]\d)*(-[0-3]\d)*(T[0-2]\d:[0-5]\d:[0-5]\d)*(\.\d+)?([+-][0-2]\d:?[0-5]\d|Z)?", re.ASCII
)


def _to_millis(text: Any, picture: Any) -> Any:
    if text is None:
        return None
    if picture is None and not _ISO_8601.fullmatch(text):
        raise JException("D3110", -1, text)
    return Functions.datetime_to_millis(text, picture)


_METHODS: dict[str, Callable[..., Any]] = {
    "string": to_string,
    "lowercase": _lowercase,
    "contains": _contains,
    "match": _match,
    "replace": _replace,
    "split": _split,
    "number": _number,
    "round": _round,
    "formatNumber": _format_number,
    "sort": _sort,
    "distinct": _distinct,
    "base64decode": _base64_decode,
    "decodeUrlComponent": _decode_url_component,
    "decodeUrl": _decode_whole_url,
    "toMillis": _to_millis,
}


def corrected_functions() -> dict[str, Any]:
    """The whole function library by name, with what is wrong in it replaced."""
    corrected: dict[str, Any] = {}
    for name, function in Jsonata.static_frame.bindings.items():
        if not isinstance(function, Jsonata.JNativeFunction):
            continue
        native = copy.copy(function)
        native.signature = copy.copy(function.signature)
        native.signature.__class__ = _Signature
        native.method = _METHODS.get(name, function.method)
        corrected[name] = native
    return corrected
