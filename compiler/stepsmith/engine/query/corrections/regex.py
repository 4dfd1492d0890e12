"""Regular expression literals: JavaScript's pattern language put into Python's."""

from __future__ import annotations

import re

from jsonata.regex_engine import RegexFlags


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
