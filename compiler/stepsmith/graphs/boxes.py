"""What drawings are made of: boxes that know their size, and draw themselves where they are told.

Every box has an axis, the vertical line on which arrows enter and leave it: `left` and `right` are how far it reaches
to both sides of the axis. `draw` gets the axis and the top edge.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Protocol

from stepsmith.graphs import style
from stepsmith.graphs.canvas import Canvas
from stepsmith.graphs.picture import Picture

GAP: Final = 26.0
"""Between a box and the next one below; room for an arrow."""
PAD: Final = 12.0
LEADING: Final = 15.0
"""From one line of small text to the next."""


class Box(Protocol):
    """Something that takes part in the flow."""

    @property
    def left(self) -> float: ...

    @property
    def right(self) -> float: ...

    @property
    def height(self) -> float: ...

    @property
    def ends(self) -> bool:
        """Whether no arrow leaves it."""
        ...

    def draw(self, canvas: Canvas, x: float, y: float) -> None: ...


@dataclass(frozen=True)
class Card:
    """A step that holds no others: a stripe, a name, and lines below."""

    name: str
    lines: tuple[str, ...]
    look: style.Look
    width: float
    tooltip: str = ""
    status: str | None = None
    facts: tuple[str, ...] = ()
    """How it went, in the colour of its status."""
    ends: bool = False

    @property
    def left(self) -> float:
        return self.width / 2

    @property
    def right(self) -> float:
        return self.width / 2

    @property
    def height(self) -> float:
        return 32.0 + LEADING * (len(self.lines) + len(self.facts))

    def draw(self, canvas: Canvas, x: float, y: float) -> None:
        left = x - self.left
        canvas.rect(left, y, self.width, self.height, self.look)
        canvas.stripe(left, y, self.height, self.look.stripe)
        canvas.words(left + 18, y + 20, self.name, size=style.NAME, colour=self.look.name, bold=True)
        if self.status is not None:
            canvas.sign(left + self.width - 16, y + 15.5, self.status)
        at = y + 20
        for line in self.lines:
            at += LEADING
            canvas.words(left + 18, at, line)
        for line in self.facts:
            at += LEADING
            canvas.words(left + 18, at, line, colour=style.status_colour(self.status or ""), bold=True)
        if self.tooltip:
            canvas.tooltip(left, y, self.width, self.height, self.tooltip)


@dataclass(frozen=True)
class Pill:
    """Where a workflow starts and ends."""

    lines: tuple[str, ...]
    width: float
    ends: bool = False

    @property
    def left(self) -> float:
        return self.width / 2

    @property
    def right(self) -> float:
        return self.width / 2

    @property
    def height(self) -> float:
        return 12.0 + LEADING * len(self.lines)

    def draw(self, canvas: Canvas, x: float, y: float) -> None:
        look = style.Look("#eceffb", "#9aa6e0", "")
        canvas.rect(x - self.left, y, self.width, self.height, look, radius=13.0)
        for at, line in enumerate(self.lines):
            canvas.words(x, y + 17.5 + LEADING * at, line, colour="#2b3270", anchor="middle")


@dataclass(frozen=True)
class Stack:
    """Boxes below one another, joined by arrows on their common axis."""

    boxes: tuple[Box, ...]

    @property
    def left(self) -> float:
        return max((box.left for box in self.boxes), default=30.0)

    @property
    def right(self) -> float:
        return max((box.right for box in self.boxes), default=30.0)

    @property
    def height(self) -> float:
        return sum(box.height for box in self.boxes) + GAP * max(len(self.boxes) - 1, 0)

    @property
    def ends(self) -> bool:
        return bool(self.boxes) and self.boxes[-1].ends

    def draw(self, canvas: Canvas, x: float, y: float) -> None:
        for at, box in enumerate(self.boxes):
            box.draw(canvas, x, y)
            below = y + box.height
            if at < len(self.boxes) - 1 and not box.ends:
                canvas.path([(x, below), (x, below + GAP - 1)], arrow=True)
            y = below + GAP


@dataclass(frozen=True)
class Conditional:
    """A box that is only entered when a condition holds: the way around it leads past its right side."""

    words: tuple[str, ...]
    inner: Box
    width: float

    @property
    def left(self) -> float:
        return max(self.inner.left, self.width / 2)

    @property
    def right(self) -> float:
        return max(self.inner.right + 18.0, self.width / 2 + 30.0)

    @property
    def chip(self) -> float:
        return 8.0 + 14.0 * len(self.words)

    @property
    def height(self) -> float:
        return self.chip + 20.0 + self.inner.height + 10.0

    @property
    def ends(self) -> bool:
        return False

    def draw(self, canvas: Canvas, x: float, y: float) -> None:
        chip, bottom = self.chip, y + self.height
        look = style.Look("#fff8e6", "#dfb866", "")
        canvas.rect(x - self.width / 2, y, self.width, chip, look, radius=min(chip / 2, 11.0))
        for at, line in enumerate(self.words):
            canvas.words(x, y + 15 + 14 * at, line, colour=style.CONDITION, anchor="middle")
        canvas.path([(x, y + chip), (x, y + chip + 19)], arrow=True)
        self.inner.draw(canvas, x, y + chip + 20)
        side = x + self.right - 6
        start = (x + self.width / 2, y + chip / 2)
        around = [start, (side, y + chip / 2), (side, bottom - 2), (x, bottom - 2)]
        canvas.path(around, dashed=True)
        canvas.words(side - 4, y + chip / 2 - 4, "no", colour=style.CONDITION, anchor="end")
        if not self.inner.ends:
            canvas.path([(x, bottom - 10), (x, bottom)])


@dataclass(frozen=True)
class LaneBox:
    """A panel with a title above a stack of boxes."""

    title: tuple[str, ...]
    stack: Stack
    look: style.Look
    width: float
    footer: str = ""
    turns: bool = False
    """Whether it is a loop, whose end leads back to its start."""

    @property
    def head(self) -> float:
        return 10.0 + 14.0 * len(self.title) if self.title else 8.0

    @property
    def height(self) -> float:
        foot = 18.0 if self.footer else 0.0
        return self.head + 12.0 + self.stack.height + PAD + foot

    @property
    def axis(self) -> float:
        """From the left edge to the axis of the steps."""
        slack = self.width - self.stack.left - self.stack.right - 2 * PAD - (14.0 if self.turns else 0.0)
        return PAD + self.stack.left + max(slack, 0.0) / 2

    def draw(self, canvas: Canvas, left: float, y: float, height: float) -> None:
        """Draws the panel as high as its neighbours, at its left edge."""
        canvas.rect(left, y, self.width, height, self.look)
        for at, line in enumerate(self.title):
            canvas.words(left + PAD, y + 17 + 14 * at, line, colour=self.look.stripe, bold=True)
        top, x = y + self.head + 12.0, left + self.axis
        self.stack.draw(canvas, x, top)
        if self.turns and self.stack.boxes:
            side, bottom = left + self.width - 9, top + self.stack.height
            points = [(x, bottom), (x, bottom + 7), (side, bottom + 7), (side, top - 7), (x, top - 7), (x, top - 1)]
            canvas.path(points, colour=self.look.stripe, dashed=True, arrow=True)
        if self.footer:
            canvas.words(left + PAD, y + height - 9, self.footer, colour=self.look.stripe)


def lanes_width(lanes: tuple[LaneBox, ...]) -> float:
    return sum(lane.width for lane in lanes) + PAD * max(len(lanes) - 1, 0)


@dataclass(frozen=True)
class Block:
    """A step around others: a head with its name, and lanes side by side."""

    head: Card
    lanes: tuple[LaneBox, ...]
    look: style.Look = field(repr=False)

    @property
    def width(self) -> float:
        return max(lanes_width(self.lanes) + 2 * PAD, self.head.width)

    @property
    def left(self) -> float:
        return self.width / 2

    @property
    def right(self) -> float:
        return self.width / 2

    @property
    def height(self) -> float:
        return self.head.height + max((lane.height for lane in self.lanes), default=0.0) + PAD

    @property
    def ends(self) -> bool:
        return bool(self.lanes) and all(lane.stack.ends for lane in self.lanes)

    def draw(self, canvas: Canvas, x: float, y: float) -> None:
        left = x - self.left
        canvas.rect(left, y, self.width, self.height, self.look, radius=9.0)
        whole = Card(
            self.head.name,
            self.head.lines,
            style.Look("none", "none", self.look.stripe, name=self.look.name),
            self.width,
            self.head.tooltip,
            self.head.status,
            self.head.facts,
        )
        whole.draw(canvas, x, y)
        height = max((lane.height for lane in self.lanes), default=0.0)
        at = left + (self.width - lanes_width(self.lanes)) / 2
        for lane in self.lanes:
            lane.draw(canvas, at, y + self.head.height, height)
            at += lane.width + PAD


@dataclass(frozen=True)
class Guarded:
    """A step with its handlers at its right; a handler that goes on leads back below the step."""

    step: Box
    handlers: tuple[tuple[LaneBox, bool], ...]
    """Each with whether it goes on."""

    @property
    def left(self) -> float:
        return self.step.left

    @property
    def right(self) -> float:
        lanes = tuple(lane for lane, _ in self.handlers)
        return self.step.right + 34.0 + lanes_width(lanes)

    @property
    def height(self) -> float:
        highest = max(lane.height for lane, _ in self.handlers)
        back = 16.0 if any(goes_on for _, goes_on in self.handlers) else 0.0
        return max(self.step.height, highest) + back

    @property
    def ends(self) -> bool:
        return self.step.ends and not any(goes_on for _, goes_on in self.handlers)

    def draw(self, canvas: Canvas, x: float, y: float) -> None:
        self.step.draw(canvas, x, y)
        edge, bottom = x + self.step.right, y + self.height
        at = edge + 34.0
        level = y + min(16.0, self.step.height / 2)
        farthest: tuple[float, float] | None = None
        for number, (lane, goes_on) in enumerate(self.handlers):
            if number == 0:
                canvas.path([(edge, level), (at - 1, level)], colour=style.ERROR, dashed=True, arrow=True)
            else:
                canvas.path([(at - PAD, level), (at - 1, level)], colour=style.ERROR, dashed=True, arrow=True)
            lane.draw(canvas, at, y, lane.height)
            if goes_on:
                middle = at + lane.width / 2
                canvas.path(
                    [(middle, y + lane.height), (middle, bottom - 2), (x, bottom - 2)], colour=style.ERROR, dashed=True
                )
                farthest = (middle, bottom)
            at += lane.width + PAD
        if not self.step.ends or farthest is not None:
            canvas.path([(x, y + self.step.height), (x, bottom)])


@dataclass(frozen=True)
class Heading:
    """The workflow's name and what is said of it."""

    title: str
    lines: tuple[str, ...]
    width: float
    height: float

    def draw(self, canvas: Canvas, x: float, y: float) -> None:
        canvas.words(x, y + 14, self.title, size=style.TITLE, colour=style.INK, bold=True)
        for at, line in enumerate(self.lines):
            canvas.words(x, y + 34 + LEADING * at, line)


def heading(picture: Picture) -> Heading:
    """The head of the drawing."""
    title = picture.name + (f"  {picture.version}" if picture.version else "")
    lines = style.shortened(style.wrapped(picture.description, style.SMALL, 520.0), 3)
    if picture.notes:
        lines.append(", ".join(picture.notes))
    width = max(
        [style.text_width(title, style.TITLE, bold=True), *(style.text_width(line, style.SMALL) for line in lines)]
    )
    return Heading(title, tuple(lines), width, 30.0 + LEADING * len(lines) + 10.0)
