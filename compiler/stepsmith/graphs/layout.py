"""Finds out how large each step is drawn: the boxes of a picture, from the inside out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from stepsmith.graphs import style
from stepsmith.graphs.boxes import PAD, Block, Box, Card, Conditional, Guarded, LaneBox, Pill, Stack, lanes_width
from stepsmith.graphs.marks import Mark
from stepsmith.graphs.picture import Lane, Node, Picture, Role

_NARROWEST: Final = 150.0
_WIDEST: Final = 250.0
"""Of a card's text; longer lines are broken."""


@dataclass(frozen=True)
class Layout:
    """Makes boxes. With `marks` each step shows how it went in that run."""

    marks: Mapping[str, Mark] | None = None

    def start(self, picture: Picture) -> Box:
        lines = picture.triggers or ("start",)
        return Pill(tuple(lines), max(style.text_width(line, style.SMALL) for line in lines) + 32.0)

    def end(self) -> Box:
        return Pill(("end",), 62.0, ends=True)

    def last(self, nodes: tuple[Node, ...]) -> Box:
        """The workflow's `finally`."""
        look = style.LANE[Role.FINALLY.value]
        head = Card("finally", ("whatever happened",), look, self._width("finally", ("whatever happened",)))
        inner = self.stack(nodes)
        lane = LaneBox((), inner, style.Look("none", "none", look.stripe), inner.left + inner.right + 2 * PAD)
        return Block(head, (lane,), look)

    def stack(self, nodes: tuple[Node, ...]) -> Stack:
        return Stack(tuple(self.step(node) for node in nodes))

    def step(self, node: Node) -> Box:
        box: Box = self._block(node) if node.lanes else self._card(node)
        if node.handlers:
            box = Guarded(box, tuple((self._lane(lane), lane.then == "then go on") for lane in node.handlers))
        if node.condition is not None:
            words = style.shortened(style.wrapped(f"if {node.condition}", style.SMALL, _WIDEST), 3)
            width = max(style.text_width(line, style.SMALL) for line in words) + 24.0
            box = Conditional(tuple(words), box, max(width, 80.0))
        return box

    def _card(self, node: Node) -> Card:
        lines = self._lines(node, _WIDEST)
        facts = self._facts(node)
        status = self._status(node)
        look = style.look_of(node.verb, status, ran=self.marks is not None, block=False)
        width = self._width(node.id, (*lines, *facts), sign=status is not None)
        return Card(node.id, lines, look, width, self._tooltip(node), status, facts, node.ends)

    def _block(self, node: Node) -> Block:
        lanes = tuple(self._lane(lane) for lane in node.lanes)
        facts = self._facts(node)
        status = self._status(node)
        look = style.look_of(node.verb, status, ran=self.marks is not None, block=True)
        lines = self._lines(node, max(_WIDEST, lanes_width(lanes) - 30.0))
        width = self._width(node.id, (*lines, *facts), sign=status is not None)
        head = Card(node.id, lines, look, width, self._tooltip(node), status, facts)
        return Block(head, lanes, look)

    def _lane(self, lane: Lane) -> LaneBox:
        inner = self.stack(lane.nodes)
        turns = lane.role is Role.LOOP
        steps = inner.left + inner.right + 2 * PAD + (16.0 if turns else 0.0)
        title = style.shortened(style.wrapped(lane.title, style.SMALL, max(steps - 2 * PAD, 170.0)), 3)
        words = [*title, *([lane.then] if lane.then else [])]
        width = max([steps, *(style.text_width(line, style.SMALL, bold=True) + 2 * PAD for line in words)])
        return LaneBox(tuple(title), inner, style.LANE[lane.role.value], width, lane.then, turns)

    def _lines(self, node: Node, width: float) -> tuple[str, ...]:
        does = node.detail if node.verb == node.id else f"{node.verb} {node.detail}".strip()
        lines = style.shortened(style.wrapped(does, style.SMALL, width), 2)
        return (*lines, *style.shortened(style.wrapped(", ".join(node.notes), style.SMALL, width), 3))

    def _facts(self, node: Node) -> tuple[str, ...]:
        mark = self.marks.get(node.id) if self.marks is not None else None
        if mark is None:
            return ()
        told = ", ".join(mark.facts)
        return tuple(line for line in (mark.error, told) if line)

    def _status(self, node: Node) -> str | None:
        mark = self.marks.get(node.id) if self.marks is not None else None
        return mark.status if mark else None

    def _tooltip(self, node: Node) -> str:
        where = f"line {node.line}"
        return f"{node.description} ({where})" if node.description else where

    def _width(self, name: str, lines: tuple[str, ...], *, sign: bool = False) -> float:
        title = style.text_width(name, style.NAME, bold=True) + (24.0 if sign else 0.0)
        widest = max([title, *(style.text_width(line, style.SMALL, bold=True) for line in lines)])
        return max(widest + 34.0, _NARROWEST)
