"""A workflow with everything that can be drawn, as a picture."""

from __future__ import annotations

from pathlib import Path

import pytest

from stepsmith.graphs.picture import Picture, picture
from stepsmith.pipeline import compile_bytes
from tests.support.machines import CATALOG

SAMPLE = Path(__file__).with_name("every-verb.yaml")


def drawn(text: str) -> Picture:
    compilation = compile_bytes("test.yaml", text.encode(), CATALOG)
    assert compilation.workflow is not None
    assert not compilation.diagnostics.has_errors, [str(item) for item in compilation.diagnostics]
    return picture(compilation.workflow)


@pytest.fixture(scope="session")
def sample() -> Picture:
    return drawn(SAMPLE.read_text())
