"""The log of a handler: Powertools' structured Logger, with secrets masked on their way out.

One logger serves the process. It writes to wherever standard output points at that moment, or to the stream
that a local run sets, since its own output must not be mixed with the log.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TextIO

from aws_lambda_powertools.logging import Logger

from stepsmith_functions.runtime import secrets


class _Output:
    """A stream that looks its target up at each write: a captured or replaced stdout is honoured."""

    target: TextIO | None = None

    def write(self, text: str) -> int:
        return (self.target or sys.stdout).write(secrets.masked(text))

    def flush(self) -> None:
        (self.target or sys.stdout).flush()


_output = _Output()


@lru_cache(maxsize=1)
def logger() -> Logger:
    """The logger of the process. Its level is POWERTOOLS_LOG_LEVEL or Lambda's own setting."""
    return Logger(service="stepsmith", stream=_output)  # type: ignore[arg-type]


@contextmanager
def written_to(stream: TextIO) -> Iterator[None]:
    """Sends the log to `stream` while the block runs."""
    before, _output.target = _output.target, stream
    try:
        yield
    finally:
        _output.target = before
