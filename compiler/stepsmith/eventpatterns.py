"""Checks event patterns of EventBridge: what a rule would refuse, and what could never match an event.

The rules are those of EventBridge's "Event patterns" and "Comparison operators", and of the open-source matcher
behind it, aws/event-ruler. An event itself is never matched here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from stepsmith.diagnostics import did_you_mean, one_of
from stepsmith.document import Json

Path: TypeAlias = tuple[str | int, ...]

_LONGEST = 4096  # botocore's model of events: EventPattern

# The envelope of every event, and the name of the replay where an archive sends it again.
_EVENT_FIELDS = (
    *("version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"),
    "replay-name",
)

_OR = "$or"
_NUMERIC_LIMIT = 5e9
_LOWER, _UPPER = (">", ">="), ("<", "<=")


@dataclass(frozen=True, slots=True)
class PatternProblem:
    """What is wrong with the value at `path` (keys and indexes from the root), and what to write instead."""

    path: Path
    message: str
    help: str


def check_pattern(pattern: Json) -> list[PatternProblem]:
    """All problems of an event pattern, in the order written; none where EventBridge takes it."""
    problems = list(_check_object(pattern, ()))
    if not problems and len(json.dumps(pattern, ensure_ascii=False, separators=(",", ":"))) > _LONGEST:
        message = f"the pattern has more than {_LONGEST:,} characters, which is all that EventBridge takes"
        problems.append(PatternProblem((), message, "match fewer values, or match them by a prefix"))
    return problems


def _check_object(pattern: Json, path: Path) -> Iterator[PatternProblem]:
    if not isinstance(pattern, dict):
        yield PatternProblem(path, "an event pattern is a mapping of fields", "write field: [value, …]")
        return
    if not pattern:
        yield PatternProblem(path, "the mapping is empty, and would match nothing", "name a field, or leave it out")
    for key, value in pattern.items():
        here = (*path, key)
        if key == _OR:
            yield from _check_or(value, here, path)
            continue
        if not path and key not in _EVENT_FIELDS:
            otherwise = f"write one of {one_of(_EVENT_FIELDS)}; fields of your own stand under detail"
            message = f'an event has no field "{_cut(key)}"'
            yield PatternProblem(here, message, did_you_mean(key, _EVENT_FIELDS, otherwise))
        yield from _check_field(value, here)


def _check_or(value: Json, here: Path, above: Path) -> Iterator[PatternProblem]:
    if not isinstance(value, list) or len(value) < 2:
        yield PatternProblem(here, "$or takes a list of two patterns or more", "write $or: [{…}, {…}]")
        return
    for index, item in enumerate(value):
        # The alternatives name fields of the object that holds $or.
        for problem in _check_object(item, above):
            yield PatternProblem((*here, index, *problem.path[len(above) :]), problem.message, problem.help)


def _check_field(value: Json, path: Path) -> Iterator[PatternProblem]:
    if isinstance(value, dict):
        if len(value) == 1 and next(iter(value)) in _MATCHERS:
            name = next(iter(value))
            message = f"{name} stands in a list, but this is a mapping of fields"
            yield PatternProblem(path, message, f"write [{{{name}: …}}]")
            return
        yield from _check_object(value, path)
    elif isinstance(value, list):
        if not value:
            yield PatternProblem(path, "the list is empty, and would match nothing", "give the values to match")
        for index, item in enumerate(value):
            yield from _check_item(item, (*path, index))
    else:
        shown = _cut(json.dumps(value, ensure_ascii=False))
        yield PatternProblem(path, "the values to match stand in a list", f"write [{shown}]")


def _check_item(item: Json, path: Path) -> Iterator[PatternProblem]:
    if isinstance(item, list):
        yield PatternProblem(path, "a list of values holds no other list", "write the values in one list")
    elif isinstance(item, dict):
        if len(item) != 1:
            count = "none" if not item else f"{len(item)}"
            message = f"an operator is a mapping with one key, and this has {count}"
            yield PatternProblem(path, message, "write one mapping for each operator: [{prefix: a}, {suffix: b}]")
            return
        [(name, operand)] = item.items()
        check = _MATCHERS.get(name)
        if check is None:
            help_text = did_you_mean(name, _MATCHERS, f"write one of {one_of(_MATCHERS)}")
            yield PatternProblem((*path, name), f'"{_cut(name)}" is no operator of event patterns', help_text)
        elif problem := check(operand):
            yield PatternProblem((*path, name), *problem)


# Operators: each gives the message and the help of what is wrong with its operand

_Problem: TypeAlias = tuple[str, str] | None


def _text(name: str) -> Callable[[Json], _Problem]:
    def check(operand: Json) -> _Problem:
        return None if isinstance(operand, str) else (f"{name} takes a text", f"write {name}: TEXT")

    return check


def _affix(name: str) -> Callable[[Json], _Problem]:
    def check(operand: Json) -> _Problem:
        if isinstance(operand, dict):
            folded = operand.get("equals-ignore-case")
            if len(operand) == 1 and isinstance(folded, str):
                return None
        elif isinstance(operand, str):
            return None
        return f"{name} takes a text", f"write {name}: TEXT, or {name}: {{equals-ignore-case: TEXT}}"

    return check


def _wildcard(operand: Json) -> _Problem:
    if not isinstance(operand, str):
        return "wildcard takes a text", 'write wildcard: "dir/*.png"'
    at, star = 0, False
    while at < len(operand):
        char = operand[at]
        if char == "\\":
            if operand[at + 1 : at + 2] not in ("*", "\\"):
                return "in a wildcard a backslash stands before * or \\ only", "write \\\\ for a backslash"
            at, star = at + 2, False
            continue
        if char == "*" and star:
            return "a wildcard has no two * in a row", "write one *; \\* is a star itself"
        at, star = at + 1, char == "*"
    return None


def _anything_but(operand: Json) -> _Problem:
    if isinstance(operand, dict):
        if len(operand) != 1:
            return "anything-but takes one operator", "write anything-but: {prefix: TEXT}"
        [(name, inner)] = operand.items()
        if name not in ("prefix", "suffix", "equals-ignore-case", "wildcard"):
            inside = "prefix, suffix, equals-ignore-case or wildcard"
            return f'anything-but does not take "{_cut(name)}"', f"write one of {inside} inside it"
        texts = inner if isinstance(inner, list) else [inner]
        if not texts or not all(isinstance(text, str) and text for text in texts):
            return f"{name} inside anything-but takes a text or a list of texts", f"write {{{name}: TEXT}}"
        wrong = (_wildcard(text) for text in texts) if name == "wildcard" else iter(())
        return next((problem for problem in wrong if problem), None)
    values = operand if isinstance(operand, list) else [operand]
    if not values:
        return "the list of anything-but is empty", "give the values that must not match"
    if all(isinstance(value, str) for value in values) or all(map(_is_number, values)):
        return None
    return "anything-but takes texts or numbers, not both and nothing else", 'write anything-but: ["a", "b"]'


def _numeric(operand: Json) -> _Problem:
    form = 'write numeric: [">", 0, "<=", 5]'
    if not isinstance(operand, list) or len(operand) not in (2, 4):
        return "numeric takes a comparison and a number, or two of each", form
    operators, numbers = operand[::2], operand[1::2]
    for operator in operators:
        if operator not in ("=", *_LOWER, *_UPPER):
            shown = _cut(json.dumps(operator, ensure_ascii=False))
            return f"{shown} is no comparison of numeric", "write one of = < <= > >="
    values: list[float] = []
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int | float):
            return f"numeric compares with a number, not {_cut(json.dumps(number, ensure_ascii=False))}", form
        if abs(number) > _NUMERIC_LIMIT:
            return "numeric compares numbers from -5,000,000,000 to 5,000,000,000", "write a number in that range"
        values.append(number)
    if len(operators) == 2:
        if operators[0] not in _LOWER or operators[1] not in _UPPER:
            return "a range of numeric gives its lower end first, then its upper end", form
        if values[0] >= values[1]:
            return "the lower end of the range is not below its upper end", form
    return None


def _exists(operand: Json) -> _Problem:
    return None if isinstance(operand, bool) else ("exists takes true or false", "write exists: true or exists: false")


def _cidr(operand: Json) -> _Problem:
    if isinstance(operand, str) and "/" in operand:
        import ipaddress  # here, since it takes 5 ms and few patterns hold a range of addresses

        try:
            ipaddress.ip_network(operand, strict=False)
        except ValueError:
            pass
        else:
            return None
    return "cidr takes a range of IP addresses", "write cidr: 10.0.0.0/24 or cidr: 2001:db8::/32"


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cut(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"


_MATCHERS: dict[str, Callable[[Json], _Problem]] = {
    "prefix": _affix("prefix"),
    "suffix": _affix("suffix"),
    "equals-ignore-case": _text("equals-ignore-case"),
    "wildcard": _wildcard,
    "anything-but": _anything_but,
    "numeric": _numeric,
    "exists": _exists,
    "cidr": _cidr,
}
