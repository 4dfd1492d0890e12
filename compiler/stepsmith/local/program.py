"""A compiled workflow, as a run on this machine needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stepsmith.document import Json


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled workflow as a run needs it."""

    name: str
    definition: str = field(repr=False)
    """The ASL, with `${…}` where the template fills in."""
    origins: Mapping[str, Json] = field(repr=False)
    """The source map."""
    version: str | None = None
    children: tuple[Program, ...] = ()
    """The workflows that its steps run."""
    environment: tuple[str, ...] = ()
    """Names of the values that it reads as `env.NAME`."""
    rollback: Program | None = None
    """What undoes a run of it after its end."""
    undoes_itself: bool = False
    """A run that was stopped or ran out of time is undone without being asked for."""
    file: str | None = None
    """Where it is written, from the project's root."""

    def family(self) -> dict[str, Program]:
        """This program and all that it starts, by name."""
        found = {self.name: self}
        for child in self.children:
            found |= child.family()
        return found
