"""Writes a machine as the text of its definition, and the source map beside it: same input, same bytes."""

from stepsmith.emission.definition import definition, definition_text
from stepsmith.emission.origins import origins

__all__ = ["definition", "definition_text", "origins"]
