"""Regular expressions: Python's patterns, written again as patterns that every JSONata engine reads the same way.

Python's own parser reads the pattern, and what engines differ on is refused: patterns that match the empty text,
look-around, back references, named groups, inline flags.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from stepsmith.expressions import jsonata as j
from stepsmith.expressions.values import Refused

_CLASSES = {
    ops.CATEGORY_DIGIT: "0-9",
    ops.CATEGORY_WORD: "A-Za-z0-9_",
    ops.CATEGORY_SPACE: r"\t-\r ",
}
_NEGATED = {
    ops.CATEGORY_NOT_DIGIT: r"\u0000-/:-\uffff",
    ops.CATEGORY_NOT_WORD: r"\u0000-/:-@\[-^`{-\uffff",
    ops.CATEGORY_NOT_SPACE: r"\u0000-\u0008\u000e-\u001f!-\uffff",
}
_ENDLESS = int(ops.MAXREPEAT)
_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern as JSONata, and how many groups it captures."""

    code: j.Code
    groups: int


@dataclass(frozen=True, slots=True)
class Replacement:
    """A replacement: `text` in JSONata's notation for groups, `plain` when it refers to none."""

    text: str
    plain: str
    references: bool


def _refused(why: str, help_text: str = "") -> Refused:
    return Refused("regex-not-supported", f"this pattern cannot be translated: {why}", help_text)


def read(
    pattern: str, *, ignorecase: bool = False, multiline: bool = False, capture: bool = True, start: bool = False
) -> Pattern:
    """The pattern for JSONata. `capture=False` makes its groups non-capturing, `start` ties it to the beginning of
    the text.

    Raises Refused for what is no pattern or has no exact counterpart.
    """
    if len(pattern) > _LONGEST:
        raise _refused("it is too long")
    flags = (re.IGNORECASE if ignorecase else 0) | (re.MULTILINE if multiline else 0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parsed = _parser.parse(pattern, flags)
    except (re.error, OverflowError, RecursionError) as error:
        raise Refused("regex-not-supported", f"this is no regular expression: {error}") from None
    given = parsed.state.flags & ~(flags | re.UNICODE)
    if given:
        raise _refused("it has inline flags", "write ignorecase=true or multiline=true")
    if parsed.state.groupdict:
        raise _refused("named groups are not supported", "write (…) and refer to it by number")
    if parsed.getwidth()[0] == 0:
        raise _refused("it matches the empty text", "write + in place of *, or name what must be there")
    try:
        text = _Writer(multiline, capture).sequence(parsed)
    except RecursionError:
        raise _refused("it is nested too deeply") from None
    if start:
        text = f"^(?:{text})"
    marks = ("i" if ignorecase else "") + ("m" if multiline and not start else "")
    return Pattern(j.regex(text, marks), parsed.state.groups - 1)


class _Writer:
    """Writes Python's parse of a pattern again."""

    def __init__(self, multiline: bool, capture: bool) -> None:
        self._multiline = multiline
        self._capture = capture

    def sequence(self, items: Sequence[tuple[Any, Any]]) -> str:
        return "".join(self.one(op, argument) for op, argument in items)

    def one(self, op: Any, argument: Any) -> str:
        if op is ops.LITERAL:
            return _char(argument)
        if op is ops.NOT_LITERAL:
            return f"[^{_char(argument, in_class=True)}]"
        if op is ops.ANY:
            return r"[^\n]"
        if op is ops.IN:
            return self._class(argument)
        if op is ops.BRANCH:
            return "(?:" + "|".join(self.sequence(branch) for branch in argument[1]) + ")"
        if op is ops.SUBPATTERN:
            number, added, removed, inner = argument
            if added or removed:
                raise _refused("it has inline flags", "write ignorecase=true or multiline=true")
            return f"({'?:' if number is None or not self._capture else ''}{self.sequence(inner)})"
        if op in (ops.MAX_REPEAT, ops.MIN_REPEAT):
            low, high, inner = argument
            lazy = "?" if op is ops.MIN_REPEAT else ""
            body = self.sequence(inner)
            single = len(inner) == 1 and inner[0][0] in (ops.LITERAL, ops.NOT_LITERAL, ops.ANY, ops.IN)
            is_group = len(inner) == 1 and inner[0][0] is ops.SUBPATTERN
            return f"{body if single or is_group else f'(?:{body})'}{_times(low, int(high))}{lazy}"
        if op is ops.AT:
            return self._at(argument)
        names = {"ASSERT": "look-around", "ASSERT_NOT": "look-around", "GROUPREF": "a reference to a group"}
        what = names.get(str(op), str(op).lower().replace("_", " "))
        raise _refused(f"{what} is not supported")

    def _at(self, where: Any) -> str:
        if where is ops.AT_BEGINNING:
            return "^"
        if where is ops.AT_END:
            return "$"
        if where in (ops.AT_BEGINNING_STRING, ops.AT_END_STRING) and not self._multiline:
            return "^" if where is ops.AT_BEGINNING_STRING else "$"
        if where is ops.AT_BOUNDARY:
            return r"\b"
        if where is ops.AT_NON_BOUNDARY:
            return r"\B"
        raise _refused(r"\A and \Z have no counterpart together with multiline", "write ^ or $")

    def _class(self, parts: Sequence[tuple[Any, Any]]) -> str:
        inside, negated = "", ""
        for op, argument in parts:
            if op is ops.NEGATE:
                negated = "^"
            elif op is ops.LITERAL:
                inside += _char(argument, in_class=True)
            elif op is ops.RANGE:
                inside += f"{_char(argument[0], in_class=True)}-{_char(argument[1], in_class=True)}"
            elif argument in _CLASSES:
                inside += _CLASSES[argument]
            elif len(parts) == 1 or (len(parts) == 2 and negated):
                opposite = {
                    ops.CATEGORY_NOT_DIGIT: ops.CATEGORY_DIGIT,
                    ops.CATEGORY_NOT_WORD: ops.CATEGORY_WORD,
                    ops.CATEGORY_NOT_SPACE: ops.CATEGORY_SPACE,
                }[argument]
                return f"[{'' if negated else '^'}{_CLASSES[opposite]}]"
            else:
                inside += _NEGATED[argument]
        return f"[{negated}{inside}]"


def _times(low: int, high: int) -> str:
    match (low, high):
        case (0, 1):
            return "?"
        case (0, top) if top == _ENDLESS:
            return "*"
        case (1, top) if top == _ENDLESS:
            return "+"
        case (least, top) if top == _ENDLESS:
            return f"{{{least},}}"
        case (least, most) if least == most:
            return f"{{{least}}}"
    return f"{{{low},{high}}}"


def _char(code: int, *, in_class: bool = False) -> str:
    char = chr(code)
    if code > 0xFFFF:
        raise _refused(f"{char} is outside the basic plane, where engines differ")
    if char == "%" or (char in "{}" and in_class):
        return f"\\u{code:04x}"  # so that %} and ${ never appear
    if char in r"\^$.|?*+()[]{}/-" and (in_class or char != "-"):
        return f"\\{char}"
    if code < 0x20 or code in (0x7F, 0x2028, 0x2029) or 0xD800 <= code <= 0xDFFF:
        return f"\\u{code:04x}"
    return char


def any_of(chars: str) -> str:
    """The class of these characters."""
    return "[" + "".join(_char(ord(char), in_class=True) for char in dict.fromkeys(chars)) + "]"


def group_number(reference: str | None, groups: int) -> int:
    r"""The number in `\1` or `\g<1>`, the way in which regex_search asks for a group."""
    found = re.fullmatch(r"\\(?:g<(\d{1,2})>|(\d{1,2}))", reference or "")
    number = int(found[1] or found[2]) if found else -1
    if not 0 <= number <= groups:
        raise Refused("filter-argument", "regex_search: what follows the pattern must name its groups", r"write '\\1'")
    return number


def replacement(text: str, groups: int) -> Replacement:
    r"""A replacement with Python's `\1` and `\g<1>`. Raises Refused where engines read one differently."""
    written, plain, references = "", "", False
    at = 0
    while at < len(text):
        found = re.compile(r"\\(?:g<(\d{1,2})>|([1-9]\d?)|(\\))").match(text, at)
        if found is None:
            if text[at] == "\\":
                raise _refused("a backslash in a replacement must be doubled or name a group")
            written += "$$" if text[at] == "$" else text[at]
            plain += text[at]
            at += 1
            continue
        at = found.end()
        if found[3]:
            written += "\\"
            plain += "\\"
            continue
        number = int(found[1] or found[2])
        if number > groups:
            raise _refused(f"it has no group {number}")
        if text[at : at + 1].isdigit() or (text[at : at + 1] == "\\" and text[at + 1 : at + 2] == "\\"):
            raise _refused("a digit or backslash directly behind a group reference is not supported")
        written += f"${number}"
        references = True
    if references and "\\" in plain:
        raise _refused("a backslash beside a group reference is read differently by engines")
    return Replacement(written, plain, references)


_PICTURE = {"Y": "[Y0001]", "m": "[M01]", "d": "[D01]", "H": "[H01]", "M": "[m01]", "S": "[s01]", "%": "%"}


def date_picture(text: str) -> str:
    """A strftime format as the picture that `$fromMillis` takes."""
    picture, at = "", 0
    while at < len(text):
        char = text[at]
        if char == "%":
            code = text[at + 1 : at + 2]
            if code not in _PICTURE:
                raise Refused("filter-argument", f"date_format: %{code} is not supported", "use %Y %m %d %H %M %S %%")
            picture += _PICTURE[code]
            at += 1
        else:
            picture += char * 2 if char in "[]" else char
        at += 1
    return picture
