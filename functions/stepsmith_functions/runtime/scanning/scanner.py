"""Looks for what the rules describe in one content after another, with YARA.

Compiled rules are kept for the life of the process: a warm function compiles only what is new.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

import yara

from stepsmith_functions.runtime.scanning import compiling
from stepsmith_functions.runtime.scanning.bundle import RulesInvalid
from stepsmith_functions.runtime.scanning.definitions import Definitions

Severity: TypeAlias = Literal["info", "low", "medium", "high", "critical"]
SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
UNKNOWN: Final[Severity] = "medium"
"""The severity of a rule that names none."""


@dataclass(frozen=True, slots=True)
class Match:
    """A rule that describes the content."""

    rule: str
    severity: Severity
    tags: tuple[str, ...]
    description: str


class Scanner:
    """Compiled rules."""

    def __init__(self, version: str, rules: yara.Rules) -> None:
        self.version = version
        self._rules = rules

    def matches(self, content: bytes, seconds: int) -> list[Match] | Literal["timed_out", "scan_failed"]:
        """The rules that describe `content`, the most severe first; or why there is no telling: `seconds` have
        passed, or YARA gave up.
        """
        try:
            found = self._rules.match(
                data=content,
                timeout=max(seconds, 1),
                # One occurrence is enough for rules that do not count; others are not hurried by it.
                fast=True,
                console_callback=_ignored,
                warnings_callback=_ignored,
            )
        except yara.TimeoutError:
            return "timed_out"
        except yara.Error:
            return "scan_failed"
        matches = [
            Match(entry.rule, _severity(entry.meta), tuple(entry.tags), str(entry.meta.get("description", "")))
            for entry in found
        ]
        return sorted(matches, key=lambda match: (-SEVERITIES.index(match.severity), match.rule))


def _ignored(*_: object) -> None:
    """Rules may say something while they run; it belongs neither in the log nor in an error."""


def _severity(meta: Mapping[str, object]) -> Severity:
    given = str(meta.get("severity", "")).lower()
    return next((known for known in SEVERITIES if known == given), UNKNOWN)


_kept: dict[str, yara.Rules] = {}


def scanner_of(definitions: Definitions, seconds: float) -> Scanner:
    """The scanner for these rules, compiled within `seconds` unless the last one was for the same. Raises
    RulesInvalid.
    """
    rules = _kept.get(definitions.sha256)
    if rules is None:
        rules = _loaded(compiling.compiled(definitions.sources, seconds).content)
        _kept.clear()
        _kept[definitions.sha256] = rules
    return Scanner(definitions.version, rules)


def _loaded(content: bytes) -> yara.Rules:
    try:
        return yara.load(file=io.BytesIO(content))
    except yara.Error as error:
        raise RulesInvalid(f"the compiled rules cannot be loaded: {error}") from None
