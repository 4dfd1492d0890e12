"""How drawings look: fonts with the width of their letters, and the colours of verbs, lanes and statuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FONT: Final = "Inter, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif"
PAGE: Final = "#fbfcfe"
INK: Final = "#0f172a"
MUTED: Final = "#526079"
LINE: Final = "#7b8aa3"
CONDITION: Final = "#92580c"
ERROR: Final = "#b91c1c"

TITLE: Final = 17.0
NAME: Final = 13.0
SMALL: Final = 11.0


@dataclass(frozen=True, slots=True)
class Look:
    """The colours of a box: its surface, its edge and the stripe that tells its kind."""

    fill: str
    edge: str
    stripe: str
    dashed: bool = False
    name: str = INK


_VERBS: Final = {
    "action": Look("#ffffff", "#b8c4dc", "#4f6bed"),
    "aws": Look("#ffffff", "#b8c4dc", "#ed8b00"),
    "workflow": Look("#ffffff", "#b8c4dc", "#7c3aed"),
    "set": Look("#ffffff", "#cfd8e6", "#94a3b8"),
    "wait": Look("#ffffff", "#cfd8e6", "#0891b2"),
    "approval": Look("#ffffff", "#cfd8e6", "#db2777"),
    "stop": Look("#eef2f7", "#64748b", "#475569"),
    "fail": Look("#fff1f1", "#dc8a8a", "#c81e1e"),
}
_BLOCK: Final = Look("#f4f7fc", "#b8c4dc", "#8fa1c2")
_STATUS: Final = {
    "succeeded": Look("#eafaf0", "#3aa76d", "#15803d"),
    "failed": Look("#fdeceb", "#d95c55", "#b91c1c"),
    "skipped": Look("#f6f8fb", "#a6b2c5", "#a6b2c5", dashed=True),
    "cancelled": Look("#fff7e6", "#d69e2e", "#b7791f"),
    "rolled_back": Look("#fff7e6", "#d69e2e", "#b7791f"),
    "rollback_failed": Look("#fdeceb", "#d95c55", "#b91c1c"),
}
_UNDER_WAY: Final = Look("#eaf2ff", "#4f86e8", "#1d4ed8")
_NOT_STARTED: Final = Look("#fdfdfe", "#d9e0ea", "#d9e0ea", dashed=True, name=MUTED)
LANE: Final = {
    "case": Look("#fffdf5", "#e3cf96", "#b98900"),
    "branch": Look("#f7fbff", "#b9d2ee", "#2f74c0"),
    "body": Look("#ffffff", "#cfd8e6", "#64748b"),
    "loop": Look("#f5fbfa", "#a9d5ce", "#0f766e"),
    "handler": Look("#fff7f6", "#e6a9a4", "#b91c1c", dashed=True),
    "finally": Look("#faf6ff", "#cdb9ea", "#6d3fb0"),
}


def look_of(verb: str, status: str | None, *, ran: bool, block: bool) -> Look:
    """The look of a step: by its verb, or by its status where a run is shown (`ran`)."""
    if ran:
        return _NOT_STARTED if status is None else _STATUS.get(status, _UNDER_WAY)
    return _BLOCK if block else _VERBS.get(verb, _BLOCK)


def status_colour(status: str) -> str:
    return _STATUS.get(status, _UNDER_WAY).stripe


# The widths of Arial's letters at size 1, by groups; the other fonts of the list are about as wide.
_NARROW: Final = frozenset("ijl.,:;'|!`")
_SLIM: Final = frozenset('frt()[]{}/\\-" ')
_WIDE: Final = frozenset("mwMW@%—…")


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """About how wide a text will be. Rather too wide than too narrow, since fonts differ."""
    total = 0.0
    for char in text:
        if char in _NARROW:
            total += 0.31
        elif char in _SLIM:
            total += 0.40
        elif char in _WIDE:
            total += 0.92
        elif char.isupper() or ord(char) > 0x2E80:
            total += 1.0 if ord(char) > 0x2E80 else 0.71
        else:
            total += 0.575
    return total * size * (1.17 if bold else 1.02)


def wrapped(text: str, size: float, width: float) -> list[str]:
    """The text in lines of at most about `width`; what has no space is cut where it must be."""
    lines: list[str] = []
    for word in text.split():
        while text_width(word, size) > width:
            fits = next(n for n in range(len(word), 0, -1) if n == 1 or text_width(word[:n], size) <= width)
            lines.append(word[:fits])
            word = word[fits:]
        if lines and text_width(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
        elif word:
            lines.append(word)
    return lines


def shortened(lines: list[str], most: int) -> list[str]:
    """The first lines, the last of them with an ellipsis if there are more."""
    return lines if len(lines) <= most else [*lines[: most - 1], lines[most - 1] + " …"]
