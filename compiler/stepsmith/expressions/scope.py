"""Which names an expression may read where it stands, what is known of each, and what JSONata yields it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TypeAlias

from stepsmith.expressions.types import ANY, Type

# A reference by constant names and indexes: ("steps", "kill", "output", "pid").
Path: TypeAlias = tuple[str | int, ...]


class Presence(Enum):
    """Whether a value is there when it is read."""

    ALWAYS = "always"
    MAYBE = "maybe"
    NEVER = "never"


@dataclass(frozen=True)
class Binding:
    """What a name stands for.

    A value has `code`, the JSONata that yields it (undefined where it is missing). A namespace (`steps`, `vars`) has
    `members`, or
    `open_member` where its names are not declared, and no value of its own. `noun` says in messages what its members
    are
    ("step", "variable", "input property").
    """

    type: Type = ANY
    code: str | None = None
    presence: Presence = Presence.ALWAYS
    absent: str = ""  # why it may be missing, such as "step 'kill' may have been skipped"
    strict: bool = True  # an unguarded read of what may be missing is an error, else a warning
    members: Mapping[str, Binding] | None = None
    open_member: Callable[[str], Binding] | None = None
    noun: str = "property"

    def member(self, name: str) -> Binding | None:
        """The member `name` of a namespace; None when there is no such member."""
        if self.members is not None and name in self.members:
            return self.members[name]
        return self.open_member(name) if self.open_member else None

    @property
    def is_namespace(self) -> bool:
        return self.code is None and (self.members is not None or self.open_member is not None)


@dataclass(frozen=True)
class Scope:
    """The names in reach, and the references that a condition around the expression has proven to be there."""

    names: Mapping[str, Binding] = field(default_factory=dict)
    proven: frozenset[Path] = frozenset()

    def with_names(self, names: Mapping[str, Binding]) -> Scope:
        """This scope with `names` added; a name that was there is replaced, and what was proven of it forgotten."""
        kept = frozenset(path for path in self.proven if path[0] not in names)
        return replace(self, names={**self.names, **names}, proven=kept)

    def with_name(self, name: str, binding: Binding) -> Scope:
        """`with_names` for one name."""
        return self.with_names({name: binding})

    def without(self, *names: str) -> Scope:
        """This scope without the names `names`."""
        kept = {name: binding for name, binding in self.names.items() if name not in names}
        return replace(self, names=kept, proven=frozenset(p for p in self.proven if p[0] not in names))

    def proving(self, *paths: Path) -> Scope:
        """This scope when the values at `paths` are known to be there, and so what they are part of."""
        every = {path[:length] for path in paths for length in range(1, len(path) + 1)}
        return replace(self, proven=self.proven | every) if every - self.proven else self
