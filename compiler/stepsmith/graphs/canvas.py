"""Writes the elements of an SVG drawing. Knows coordinates and colours, not workflows."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias
from xml.sax.saxutils import escape, quoteattr

from stepsmith.graphs import style

Point: TypeAlias = tuple[float, float]
Anchor: TypeAlias = Literal["start", "middle", "end"]

_ARROW: Final = 4.5


class Canvas:
    """Collects elements; what is drawn later lies above."""

    def __init__(self) -> None:
        self._elements: list[str] = []

    def text(self) -> str:
        """The elements, a line each."""
        return "".join(f"{element}\n" for element in self._elements)

    def rect(self, x: float, y: float, width: float, height: float, look: style.Look, *, radius: float = 7.0) -> None:
        dashes = ' stroke-dasharray="5 4"' if look.dashed else ""
        self._elements.append(
            f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" rx="{_n(radius)}" '
            f'fill="{look.fill}" stroke="{look.edge}"{dashes}/>'
        )

    def stripe(self, x: float, y: float, height: float, colour: str) -> None:
        """The coloured edge at the left of a box."""
        self._elements.append(
            f'<path d="M{_n(x + 7)} {_n(y)}h-1a6 6 0 0 0 -6 6v{_n(height - 12)}a6 6 0 0 0 6 6h1z" fill="{colour}"/>'
        )

    def words(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = style.SMALL,
        colour: str = style.MUTED,
        bold: bool = False,
        anchor: Anchor = "start",
    ) -> None:
        """A line of text whose baseline is `y`."""
        weight = ' font-weight="600"' if bold else ""
        where = f' text-anchor="{anchor}"' if anchor != "start" else ""
        self._elements.append(
            f'<text x="{_n(x)}" y="{_n(y)}" font-size="{_n(size)}" fill="{colour}"{weight}{where}>{escape(text)}</text>'
        )

    def tooltip(self, x: float, y: float, width: float, height: float, text: str) -> None:
        """What a viewer shows when the pointer rests on the box."""
        self._elements.append(
            f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" fill="none" '
            f'pointer-events="all" aria-label={quoteattr(text)}><title>{escape(text)}</title></rect>'
        )

    def path(self, points: list[Point], *, colour: str = style.LINE, dashed: bool = False, arrow: bool = False) -> None:
        """Straight lines with rounded corners, horizontal and vertical; at the end an arrow head, if wanted."""
        line = _rounded(points)
        dashes = ' stroke-dasharray="4 3"' if dashed else ""
        self._elements.append(f'<path d="{line}" fill="none" stroke="{colour}" stroke-width="1.3"{dashes}/>')
        if arrow:
            self._head(points[-2], points[-1], colour)

    def _head(self, before: Point, tip: Point, colour: str) -> None:
        (x, y), size = tip, _ARROW
        if abs(before[0] - x) < abs(before[1] - y):
            back = -size * 1.5 if y > before[1] else size * 1.5
            corners = f"{_n(x - size)},{_n(y + back)} {_n(x + size)},{_n(y + back)}"
        else:
            back = -size * 1.5 if x > before[0] else size * 1.5
            corners = f"{_n(x + back)},{_n(y - size)} {_n(x + back)},{_n(y + size)}"
        self._elements.append(f'<polygon points="{_n(x)},{_n(y)} {corners}" fill="{colour}"/>')

    def sign(self, x: float, y: float, status: str) -> None:
        """A tick, cross, or ring in a circle whose middle is (x, y): not a letter, since fonts may lack it."""
        colour = style.status_colour(status)
        self._elements.append(f'<circle cx="{_n(x)}" cy="{_n(y)}" r="7.5" fill="{colour}"/>')
        match status:
            case "succeeded":
                mark = f"M{_n(x - 3.4)} {_n(y + 0.2)}l2.4 2.6l4.4 -5"
            case "failed" | "rollback_failed" | "cancelled":
                mark = f"M{_n(x - 2.7)} {_n(y - 2.7)}l5.4 5.4m0 -5.4l-5.4 5.4"
            case "skipped":
                mark = f"M{_n(x - 3.2)} {_n(y)}h6.4"
            case "rolled_back":
                mark = f"M{_n(x + 3)} {_n(y + 2.5)}v-4h-6m2.6 -2.4l-2.6 2.4l2.6 2.4"
            case _:
                mark = f"M{_n(x - 1.8)} {_n(y - 3)}l4.6 3l-4.6 3z"
        self._elements.append(
            f'<path d="{mark}" fill="none" stroke="#ffffff" stroke-width="1.8" '
            f'stroke-linecap="round" stroke-linejoin="round"/>'
        )

    def rounds(self, x: float, y: float, colour: str) -> None:
        """The sign of a loop: an arrow in a circle, about 12 wide, whose middle is (x, y)."""
        self._elements.append(
            f'<path d="M{_n(x + 4.6)} {_n(y - 2.4)}a5.2 5.2 0 1 0 0.6 3.4" fill="none" stroke="{colour}" '
            f'stroke-width="1.5"/><polygon points="{_n(x + 6.4)},{_n(y - 5.6)} {_n(x + 6)},{_n(y - 0.6)} '
            f'{_n(x + 1.8)},{_n(y - 2.6)}" fill="{colour}"/>'
        )


def _rounded(points: list[Point], radius: float = 7.0) -> str:
    """The path's `d`: each corner is an arc, smaller where there is too little room."""
    parts = [f"M{_n(points[0][0])} {_n(points[0][1])}"]
    for at in range(1, len(points) - 1):
        before, corner, after = points[at - 1], points[at], points[at + 1]
        room = min(radius, _distance(before, corner) / 2, _distance(corner, after) / 2)
        start, end = _towards(corner, before, room), _towards(corner, after, room)
        parts.append(f"L{_n(start[0])} {_n(start[1])}Q{_n(corner[0])} {_n(corner[1])} {_n(end[0])} {_n(end[1])}")
    parts.append(f"L{_n(points[-1][0])} {_n(points[-1][1])}")
    return "".join(parts)


def _distance(one: Point, other: Point) -> float:
    return abs(one[0] - other[0]) + abs(one[1] - other[1])


def _towards(start: Point, end: Point, length: float) -> Point:
    whole = _distance(start, end) or 1.0
    return start[0] + (end[0] - start[0]) * length / whole, start[1] + (end[1] - start[1]) * length / whole


def _n(value: float) -> str:
    """A coordinate, with as few digits as it needs."""
    return f"{value:.1f}".removesuffix(".0")
