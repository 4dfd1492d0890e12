"""A workflow as a tree of lines, for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from stepsmith.graphs.marks import Mark
from stepsmith.graphs.picture import Lane, Node, Picture, Role

Style: TypeAlias = Callable[[str, str], str]
"""Gives a text a style of the terminal: `bold`, `dim` or a colour."""

_STATUS: Final = {
    "succeeded": ("✓", "green"),
    "skipped": ("○", "dim"),
    "failed": ("✗", "red"),
    "cancelled": ("✗", "yellow"),
    "rolled_back": ("↩", "yellow"),
    "rollback_failed": ("✗", "red"),
}
_UNDER_WAY: Final = ("▸", "cyan")
_NOT_STARTED: Final = ("·", "dim")
_ASCII: Final = str.maketrans(
    {"├": "|", "└": "`", "─": "-", "│": "|", "✓": "+", "✗": "x", "○": "o", "↩": "<", "▸": ">", "·": "."}
)


def unstyled(text: str, style: str) -> str:  # noqa: ARG001
    return text


def text_lines(
    picture: Picture, marks: Mapping[str, Mark] | None = None, *, style: Style = unstyled, ascii_only: bool = False
) -> Iterator[str]:
    """The tree. With `marks` each step shows how it went in that run."""
    for line in _Tree(marks, style).lines(picture):
        yield line.translate(_ASCII) if ascii_only else line


@dataclass
class _Tree:
    marks: Mapping[str, Mark] | None
    style: Style = field(repr=False)

    def lines(self, picture: Picture) -> Iterator[str]:
        title = self.style(picture.name, "bold") + (f" {picture.version}" if picture.version else "")
        yield f"{title}  {self.style(picture.description, 'dim')}".rstrip()
        notes = [*(f"on {trigger}" for trigger in picture.triggers), *picture.notes]
        if notes:
            yield self.style("; ".join(notes), "dim")
        last = Lane(Role.FINALLY, "finally", picture.finally_nodes)
        below: list[Node | Lane] = [*picture.nodes]
        if picture.finally_nodes:
            below.append(last)
        yield from self.children(below, "")

    def children(self, items: list[Node | Lane], indent: str) -> Iterator[str]:
        for at, item in enumerate(items):
            final = at == len(items) - 1
            branch, further = ("└─ ", "   ") if final else ("├─ ", "│  ")
            head = self.node(item) if isinstance(item, Node) else self.lane(item)
            yield self.style(indent + branch, "dim") + head
            yield from self.children(_below(item), indent + further)

    def node(self, node: Node) -> str:
        """`✓ kill  action kill_process  if input.process_id is defined  (on failure: go on)  3 attempts`."""
        parts = [self.style(node.id, "bold")]
        # A step that has its verb for a name needs not say it again.
        parts.append(node.detail if node.verb == node.id else f"{node.verb} {node.detail}".strip())
        if node.condition is not None:
            parts.append(self.style(f"if {node.condition}", "yellow"))
        if node.notes:
            parts.append(self.style(f"({', '.join(node.notes)})", "dim"))
        if self.marks is None:
            return "  ".join(part for part in parts if part)
        mark = self.marks.get(node.id)
        symbol, colour = _STATUS.get(mark.status, _UNDER_WAY) if mark else _NOT_STARTED
        if mark:
            told = [*([mark.error] if mark.error else []), *mark.facts]
            parts.append(self.style(", ".join(told), colour))
        return f"{self.style(symbol, colour)} " + "  ".join(part for part in parts if part)

    def lane(self, lane: Lane) -> str:
        colour = {Role.HANDLER: "red", Role.FINALLY: "magenta", Role.CASE: "yellow"}.get(lane.role, "cyan")
        return self.style(lane.title or "at once", colour) + (f"  ({lane.then})" if lane.then else "")


def _below(item: Node | Lane) -> list[Node | Lane]:
    if isinstance(item, Lane):
        return list(item.nodes)
    return [*item.lanes, *item.handlers]
