"""What jsonata-python does otherwise than JSONata on AWS, put right in this one place.

The reference is the npm package ``jsonata`` 2.0.6, the version that AWS documents; a differential test runs both.
`CorrectedJsonata` corrects operators, `corrected_functions` the function library, `compile_regex` the regular
expressions. Where AWS itself was measured (by the author of sfnx, in 2026) to differ from the package, the measurement
wins: digits of numbers in text, remainders by zero, white space in regular expressions, Base64 and URL decoding.
"""

from __future__ import annotations

import base64
import binascii
import copy
import math
import re
import urllib.parse
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from json.encoder import encode_basestring
from typing import Any

from jsonata.functions import Functions
from jsonata.jexception import JException
from jsonata.jsonata import Jsonata
from jsonata.regex_engine import RegexFlags
from jsonata.signature import Signature
from jsonata.utils import Utils

NULL = Utils.NULL_VALUE
EVALUATION_STEPS = 5_000_000
"""Steps after which an evaluation is given up: AWS gives one second, and a count is the same on every machine."""


class CorrectedJsonata(Jsonata):  # type: ignore[misc]
    """An evaluator of parsed expressions, made once per engine."""

    def __init__(self) -> None:
        super().__init__("null")
        self.input: Any = None
        self.environment: Any = None
        self._steps = 0
        self._now: Callable[[], datetime] | None = None
        self._moment: int | None = None
        self._by_type: dict[str, Callable[[Any, Any, Any], Any]] = {
            "path": self.evaluate_path,
            "binary": self.evaluate_binary,
            "unary": self.evaluate_unary,
            "name": self.evaluate_name,
            "string": self._literal,
            "number": self._literal,
            "value": self._literal,
            "wildcard": lambda expr, value, _: self.evaluate_wildcard(expr, value),
            "descendant": lambda expr, value, _: self.evaluate_descendants(expr, value),
            "parent": lambda expr, _, environment: environment.lookup(expr.slot.label),
            "condition": self.evaluate_condition,
            "block": self.evaluate_block,
            "bind": self.evaluate_bind_expression,
            "regex": lambda expr, _, __: self.evaluate_regex(expr),
            "function": lambda expr, value, environment: self.evaluate_function(expr, value, environment, Utils.NONE),
            "variable": self.evaluate_variable,
            "lambda": self.evaluate_lambda,
            "partial": self.evaluate_partial_application,
            "apply": self.evaluate_apply_expression,
            "transform": self.evaluate_transform_expression,
        }

    def run(self, ast: Any, frame: Any, now: Callable[[], datetime]) -> Any:
        """The raw value of a parsed expression: None for undefined, the library's marker for null."""
        Jsonata.CURRENT.jsonata = self  # where the library's functions look for the evaluator
        self._steps = 0
        self._now = now
        self._moment = None
        return self.eval(ast, None, frame)

    @property
    def timestamp(self) -> int:
        """Milliseconds for `$now` and `$millis`, the same throughout one evaluation (measured)."""
        if self._moment is None:
            self._moment = 0 if self._now is None else round(self._now().timestamp() * 1000)
        return self._moment

    @timestamp.setter
    def timestamp(self, _: int) -> None:
        self._moment = None

    def eval(self, expr: Any, input: Any, environment: Any) -> Any:  # noqa: A002 - the library's name
        """One node. Leaves out the library's hooks and thread hand-over, which cost more than the work."""
        self._steps += 1
        if self._steps > EVALUATION_STEPS:
            raise JException("D1012", -1, 1000)
        outer_input, outer_environment = self.input, self.environment
        self.input, self.environment = input, environment
        try:
            kind = expr.type
            evaluate = self._by_type.get(kind)
            result: Any = None if evaluate is None else evaluate(expr, input, environment)
            if expr.predicate is not None:
                for item in expr.predicate:
                    result = self.evaluate_filter(item.expr, result, environment)
            if kind != "path" and expr.group is not None:
                result = self.evaluate_group_expression(expr.group, result, environment)
            if type(result) is Utils.JList and result.sequence and not result.tuple_stream:
                if expr.keep_array:
                    result.keep_singleton = True
                if not result:
                    return None
                if len(result) == 1 and not result.keep_singleton:
                    return result[0]
            return result
        finally:
            self.input, self.environment = outer_input, outer_environment

    def _literal(self, expr: Any, _: Any, __: Any) -> Any:
        value = expr.value
        if value is None:
            return NULL
        return _joined(value) if isinstance(value, str) and not value.isascii() else value

    def evaluate_numeric_expression(self, lhs: Any, rhs: Any, op: Any) -> Any:
        """Arithmetic in doubles. `x / 0` is an infinity, which a field shows as text; `x % 0` fails (measured)."""
        if lhs is not None and not Utils.is_numeric(lhs):
            raise JException("T2001", -1, op, lhs)
        if rhs is not None and not Utils.is_numeric(rhs):
            raise JException("T2002", -1, op, rhs)
        if lhs is None or rhs is None:
            return None
        left, right = float(lhs), float(rhs)
        match op:
            case "+":
                result = left + right
            case "-":
                result = left - right
            case "*":
                result = left * right
            case "/" if right == 0:
                result = math.nan if left == 0 else math.copysign(math.inf, left) * math.copysign(1, right)
            case "/":
                result = left / right
            case _:
                if right == 0:
                    raise JException("D1001", -1, "NaN")
                result = math.fmod(left, right)
        return int(result) if math.isfinite(result) and result == int(result) else result

    def evaluate_comparison_expression(self, lhs: Any, rhs: Any, op: Any) -> Any:
        """Order, with texts compared by UTF-16 unit as JavaScript and Java do."""
        if isinstance(lhs, str) and isinstance(rhs, str) and not (lhs.isascii() and rhs.isascii()):
            return super().evaluate_comparison_expression(_utf16_order(lhs), _utf16_order(rhs), op)
        return super().evaluate_comparison_expression(lhs, rhs, op)

    def evaluate_includes_expression(self, lhs: Any, rhs: Any) -> Any:
        """`in` compares scalars by type and value, objects and arrays by identity."""
        if lhs is None or rhs is None:
            return False
        return any(_identical(lhs, item) for item in (rhs if isinstance(rhs, list) else [rhs]))

    def evaluate_string_concat(self, lhs: Any, rhs: Any) -> str:
        """`&`, with undefined as the empty text."""
        return ("" if lhs is None else _string(lhs, None)) + ("" if rhs is None else _string(rhs, None))


class _Signature(Signature):  # type: ignore[misc]
    """A function's signature for which null is a value of its own kind, not a missing argument."""

    def get_symbol(self, value: Any) -> str:
        return "l" if value is NULL else str(super().get_symbol(value))


def _joined(text: str) -> str:
    """A text in which ``\\ud83d\\ude00``, read as two units, is the one character it stands for."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _utf16_order(text: str) -> str:
    """A text that sorts by code point as the given one sorts by UTF-16 unit."""
    units = text.encode("utf-16-be", "surrogatepass")
    return "".join(chr(units[at] << 8 | units[at + 1]) for at in range(0, len(units), 2))


def _identical(one: Any, other: Any) -> bool:
    if isinstance(one, (list, dict)) or isinstance(other, (list, dict)):
        return one is other
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if one is NULL or one is None:
        return other is NULL or other is None
    return bool(one == other)


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


def _string(value: Any, prettify: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Utils.JList) and value.outer_wrapper:
        value = value[0]
    if not isinstance(value, (bool, int, float, list, dict)) and value is not NULL:
        return ""
    return _json_text(value, 0 if prettify is True else None)


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
        parts = list(text) if text.isascii() else list(_utf16_order(text))
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
            return sorted(members) if all(map(str.isascii, members)) else sorted(members, key=_utf16_order)
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
    "string": _string,
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


def compile_regex(pattern: str, flags: RegexFlags) -> re.Pattern[str]:
    """A regular expression literal: classes are ASCII (measured for white space), ``$`` is the very end."""
    options = re.ASCII
    if flags.case_insensitive:
        options |= re.IGNORECASE
    if flags.multiline:
        options |= re.MULTILINE
    return re.compile(_python_pattern(pattern, multiline=flags.multiline), options)


def _python_pattern(pattern: str, *, multiline: bool) -> str:
    out: list[str] = []
    in_class = False
    at = 0
    while at < len(pattern):
        character = pattern[at]
        if character == "\\":
            out.append(pattern[at : at + 2])
            at += 2
            continue
        if in_class:
            in_class = character != "]"
            out.append("\\[" if character == "[" else character)
        elif character == "[":
            in_class = True
            out.append(character)
        elif character == "$" and not multiline:
            out.append(r"\Z")
        elif pattern.startswith("(?<", at) and pattern[at + 3 : at + 4] not in ("=", "!"):
            out.append("(?P<")
            at += 2
        else:
            out.append(character)
        at += 1
    return "".join(out)
