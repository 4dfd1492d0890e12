"""The ids of runs that steps start: the same on the engine as for the reference, and neither knows of the other."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

ROOT = "run-1"
"""The id of the run that is asked for."""


def child_run(parent: str, step: str, now: int, given: Mapping[str, Any]) -> str:
    """The id of the run that `step` of the run `parent` starts `now` (microseconds) with the input `given`."""
    text = json.dumps(_plain(given), sort_keys=True, ensure_ascii=False)
    return f"{parent}/{step}-{now}-{zlib.crc32(text.encode()):x}"


def _plain(value: Any) -> Any:
    """One spelling of each number."""
    match value:
        case Mapping():
            return {key: _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case float() if value.is_integer():
            return int(value)
    return value
