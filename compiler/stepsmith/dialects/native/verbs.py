"""How a verb is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from stepsmith.dialects.native.reading import Reader
from stepsmith.document import Entry, MappingNode
from stepsmith.model.steps import Step

Common: TypeAlias = dict[str, Any]
"""The modifiers of a step, by the names of the fields of `stepsmith.model.steps.Common`."""


class Verb:
    """A verb's reader, the keys that belong to it, the modifiers that make no sense on it."""

    def __init__(
        self,
        read: Callable[[Reader, MappingNode, Entry, Common], Step | None],
        settings: tuple[str, ...] = (),
        without: tuple[str, ...] = (),
    ) -> None:
        self.read = read
        self.settings = settings
        self.without = without
