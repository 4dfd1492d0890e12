"""A workflow as an SVG drawing of nested boxes, laid out here: no program has to be installed, and the same workflow
is drawn the same everywhere.

Two passes: `layout` finds out how large everything is, then each box draws itself at its place. Colours and fonts stand
in `style`. The background is light, so that the picture can be read on a dark page too.
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape

from stepsmith.graphs import style
from stepsmith.graphs.boxes import Box, Stack, heading
from stepsmith.graphs.canvas import Canvas
from stepsmith.graphs.layout import Layout
from stepsmith.graphs.marks import Mark
from stepsmith.graphs.picture import Picture

_MARGIN = 24.0


def svg(picture: Picture, marks: Mapping[str, Mark] | None = None) -> str:
    """The drawing's text. With `marks` each step has the colour of how it went in that run."""
    layout = Layout(marks)
    steps: list[Box] = [layout.start(picture), *(layout.step(node) for node in picture.nodes)]
    if picture.finally_nodes:
        steps.append(layout.last(picture.finally_nodes))
    steps.append(layout.end())
    body = Stack(tuple(steps))
    head = heading(picture)
    width = max(body.left + body.right, head.width, 240.0) + 2 * _MARGIN
    height = head.height + body.height + 2 * _MARGIN
    canvas = Canvas()
    head.draw(canvas, _MARGIN, _MARGIN)
    middle = _MARGIN + body.left + max((width - 2 * _MARGIN - body.left - body.right) / 2, 0.0)
    body.draw(canvas, middle, _MARGIN + head.height)
    title = escape(f"{picture.name} {picture.version or ''}".strip())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="{style.FONT}" role="img">\n'
        f"<title>{title}</title>\n"
        f'<rect width="100%" height="100%" rx="10" fill="{style.PAGE}"/>\n{canvas.text()}</svg>\n'
    )
