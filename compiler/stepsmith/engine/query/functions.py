"""The functions that Step Functions adds to JSONata: $partition, $range, $hash, $random, $uuid and $parse.

Their corners are as measured on AWS by the author of sfnx or recorded, where the reference says so; which number
`$random` gives for a seed is AWS's own affair.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from random import Random
from typing import Any

from jsonata.jsonata import Jsonata
from jsonata.utils import Utils

RANGE_ITEMS = 1_000_000
_HASHES = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}


class FunctionError(Exception):
    """A call of one of AWS's functions that it refuses."""


def _number(value: Any, function: str, position: int) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise FunctionError(f"Argument {position} of function {function} must be a number")
    return value


def _arity(function: str, arguments: tuple[Any, ...], least: int, most: int) -> None:
    if not least <= len(arguments) <= most:
        raise FunctionError(f"function {function} takes {least} to {most} arguments, got {len(arguments)}")


def _partition(*arguments: Any) -> Any:
    _arity("partition", arguments, 2, 2)
    items, size = arguments
    if items is None or size is None:
        return None
    if not isinstance(items, list):
        raise FunctionError("Argument 1 of function partition must be an array")
    step = math.floor(_number(size, "partition", 2))
    if step < 0:
        raise FunctionError("Argument 2 of function partition must not be negative")
    if step == 0 or not items:
        return None
    members = list(items)
    return [members[at : at + step] for at in range(0, len(members), step)]


def _range(*arguments: Any) -> Any:
    _arity("range", arguments, 3, 3)
    if any(argument is None for argument in arguments):
        return None
    first, last, step = (_number(argument, "range", at + 1) for at, argument in enumerate(arguments))
    if step == 0:
        raise FunctionError("Argument 3 of function range must not be 0")
    count = math.floor((last - first) / step) + 1
    if count > RANGE_ITEMS:
        raise FunctionError(f"function range would make {count} items, more than {RANGE_ITEMS}")
    if count <= 0:
        return None
    numbers = [Utils.convert_number(first + at * step) for at in range(count)]
    return numbers[0] if count == 1 else numbers


def _hash(*arguments: Any) -> Any:
    _arity("hash", arguments, 2, 2)
    text, algorithm = arguments
    if text is None:
        return None
    if not isinstance(text, str):
        raise FunctionError("Argument 1 of function hash must be a string")
    if not isinstance(algorithm, str) or algorithm not in _HASHES:
        raise FunctionError("Argument 2 of function hash must be one of " + ", ".join(_HASHES))
    return hashlib.new(_HASHES[algorithm], text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


class _SingleQuotes:
    """Rewrites JSON text with single-quoted strings, which AWS's `$parse` accepts, as plain JSON."""

    def __init__(self, text: str) -> None:
        self.text = text

    def plain(self) -> str:
        out: list[str] = []
        quote = ""
        at = 0
        while at < len(self.text):
            character = self.text[at]
            if quote:
                if character == "\\" and at + 1 < len(self.text):
                    pair = self.text[at : at + 2]
                    out.append("'" if pair == "\\'" else pair)
                    at += 2
                    continue
                if character == quote:
                    quote = ""
                    out.append('"')
                else:
                    out.append('\\"' if character == '"' else character)
            elif character in "'\"":
                quote = character
                out.append('"')
            else:
                out.append(character)
            at += 1
        return "".join(out)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise FunctionError("function parse was given an object with a duplicate key")
    return members


def _no_constant(name: str) -> Any:
    raise FunctionError(f"function parse was given {name}, which is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise FunctionError(f"function parse was given {digits}, which is out of range")
    return value


def _parse(*arguments: Any) -> Any:
    _arity("parse", arguments, 1, 1)
    (text,) = arguments
    if text is None:
        return None
    if not isinstance(text, str):
        raise FunctionError("Argument 1 of function parse must be a string")
    try:
        value = json.loads(
            _SingleQuotes(text).plain() if "'" in text else text,
            object_pairs_hook=_no_duplicates,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except (ValueError, RecursionError) as problem:
        raise FunctionError(f"function parse was given text that is not JSON: {problem}") from None
    return Utils.NULL_VALUE if value is None else value


def _refused(*_: Any) -> Any:
    raise FunctionError("function eval is not supported")


def aws_functions(ids: Callable[[], str], random: Random) -> dict[str, Any]:
    """AWS's functions by name, with the ids and random numbers of one engine."""

    def uuid(*arguments: Any) -> str:
        _arity("uuid", arguments, 0, 0)
        return ids()

    def random_number(*arguments: Any) -> Any:
        _arity("random", arguments, 0, 1)
        if not arguments:
            return random.random()
        (seed,) = arguments
        if seed is None:
            return None
        value = _number(seed, "random", 1)
        if value != math.floor(value):
            raise FunctionError("Argument 1 of function random must be an integer")
        return Random(int(value)).random()  # noqa: S311 - a workflow's numbers, not secrets

    return {
        name: Jsonata.JLambda(function)
        for name, function in {
            "partition": _partition,
            "range": _range,
            "hash": _hash,
            "random": random_number,
            "uuid": uuid,
            "parse": _parse,
            "eval": _refused,
        }.items()
    }
