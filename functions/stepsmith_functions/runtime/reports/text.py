"""Texts that a report did not write itself, made safe to look at."""

from __future__ import annotations

import json
import re

from pydantic import JsonValue

LONGEST = 4000
"""Characters of one value that a page shows; JSON and YAML reports hold it whole."""

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\uffff\ud800-\udfff]"
)


def visible(text: str) -> str:
    """`text` with control, direction and zero-width characters spelled out: they could make a name look like
    another."""
    return _HIDDEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def shown(value: JsonValue) -> str:
    """A value for a page: texts as they are, everything else as indented JSON; cut when it is very long."""
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    text = visible(text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} … ({len(text) - LONGEST} more characters)"


def is_empty(value: JsonValue) -> bool:
    return value is None or value == {} or value == []
