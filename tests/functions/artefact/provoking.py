"""What it takes to provoke an error of an action, and how such cases are registered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tests.functions.artefact.scene import Scene


@dataclass(frozen=True)
class Provocation:
    """What to send, and to whom: `variables` and `parameters` are those of another deployment than the scene's."""

    event: dict[str, Any]
    variables: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    left: float | None = None
    """What the function is told of the seconds that it has."""
    recorded: bool = True
    """Whether the history tells of the error: not where there is none, nor where the action did not begin."""


Provoke: TypeAlias = Callable[[Scene, str], Provocation]
"""Sets the scene up for the action of that name."""


@dataclass
class Provocations:
    """Cases by action and error."""

    cases: dict[tuple[str, str], Provoke] = field(default_factory=dict)

    def provokes(self, error: str, *actions: str) -> Callable[[Provoke], Provoke]:
        """Registers the function below for these actions."""

        def register(provoke: Provoke) -> Provoke:
            for action in actions:
                assert (action, error) not in self.cases
                self.cases[action, error] = provoke
            return provoke

        return register
