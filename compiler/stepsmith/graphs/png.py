"""An SVG drawing as a PNG image, by resvg: an optional dependency that needs nothing of the system but fonts."""

from __future__ import annotations

import importlib
from typing import Final

INSTALL: Final = "pip install 'stepsmith[graph]'"
SCALE: Final = 2.0
"""Pixels per unit of the drawing: sharp on most screens."""
_WORD: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20" font-family="{font}">'
    '<text x="2" y="15" font-size="14">{text}</text></svg>'
)


class PngError(Exception):
    """No image can be made; `help` says what to do."""

    def __init__(self, message: str, help: str) -> None:  # noqa: A002
        super().__init__(message)
        self.message = message
        self.help = help


def png(svg: str, font: str) -> bytes:
    """The image of the drawing, whose letters are of `font`. Raises PngError if resvg or every font is missing."""
    try:
        resvg = importlib.import_module("resvg_py")
    except ImportError as error:
        raise PngError("PNG needs the package resvg-py", f"install it: {INSTALL}; or use --format svg") from error

    def image(text: str, scale: float) -> bytes:
        return bytes(resvg.svg_to_bytes(svg_string=text, zoom=scale))

    if image(_WORD.format(font=font, text="step"), 1) == image(_WORD.format(font=font, text=""), 1):
        raise PngError(
            "this system has no font to draw letters with",
            "install one, such as Debian's fonts-dejavu-core; or use --format svg",
        )
    return image(svg, SCALE)
