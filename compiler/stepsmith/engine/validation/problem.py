"""A reason to refuse a definition, and how checks report one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

SCHEMA: Final = "SCHEMA_VALIDATION_FAILED"
JSON: Final = "INVALID_JSON_DESCRIPTION"
TRANSITION: Final = "MISSING_TRANSITION_TARGET"
TERMINAL: Final = "MISSING_END_STATE"
DUPLICATE_STATE: Final = "DUPLICATE_STATE_NAME"
DUPLICATE_VARIABLE: Final = "DUPLICATE_VARIABLE_NAME"
EXPRESSION: Final = "INVALID_JSONATA_EXPRESSION"
UNSUPPORTED: Final = "UNSUPPORTED_JSONATA_EXPRESSION"


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason. `location` is a path such as ``/States/Greet/Next``; empty when there is none to name."""

    code: str
    message: str
    location: str

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" + (f" at {self.location}" if self.location else "")


Report: TypeAlias = Callable[[str, str, str], None]
