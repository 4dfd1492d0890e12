"""What tests of all functions share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.web import Web, serving


@pytest.fixture
def web() -> Iterator[Web]:
    """A server on a free port of the loopback interface."""
    with serving() as web:
        yield web
