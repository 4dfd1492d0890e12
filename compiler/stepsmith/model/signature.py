"""What one workflow may know of another: enough to start it and to read what it puts out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from stepsmith.expressions.types import Type
from stepsmith.model.workflow import InputProperty, WorkflowType


@dataclass(frozen=True, slots=True)
class WorkflowSignature:
    """A workflow of the project as others see it."""

    name: str
    type: WorkflowType
    input: tuple[InputProperty, ...] | None
    output: Type
    children: tuple[str, ...]
    """The workflows that it starts."""


Siblings: TypeAlias = Mapping[str, WorkflowSignature]
"""The workflows of a project by name."""
