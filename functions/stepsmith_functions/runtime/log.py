"""The log of a handler: Powertools' structured Logger, with secrets masked on their way out.

One logger serves the process, made when something is logged first: most steps log nothing, and a cold start spares
Powertools' import. It writes to wherever standard output points at that moment, or to the stream that a local run sets,
since its own output must not be mixed with the log.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, TextIO

from stepsmith_functions.runtime import secrets

if TYPE_CHECKING:
    from aws_lambda_powertools.logging import Logger


class _Output:
    """A stream that looks its target up at each write: a captured or replaced stdout is honoured."""

    target: TextIO | None = None

    def write(self, text: str) -> int:
        return (self.target or sys.stdout).write(secrets.masked(text))

    def flush(self) -> None:
        (self.target or sys.stdout).flush()


_output = _Output()


@dataclass
class _Scope:
    keys: dict[str, object]
    end: ExitStack = field(default_factory=ExitStack)
    entered: bool = False


_scope: ContextVar[_Scope | None] = ContextVar("scope", default=None)


@lru_cache(maxsize=1)
def _logger() -> Logger:
    from aws_lambda_powertools.logging import Logger

    return Logger(service="stepsmith", stream=_output)  # type: ignore[arg-type]


def logger() -> Logger:
    """The logger of the process. Its level is POWERTOOLS_LOG_LEVEL or Lambda's own setting."""
    found, scope = _logger(), _scope.get()
    if scope is not None and not scope.entered:
        scope.entered = True
        scope.end.enter_context(found.append_context_keys(**scope.keys))
    return found


@contextmanager
def keyed(**keys: object) -> Iterator[None]:
    """What is logged inside the block carries `keys`."""
    scope = _Scope(keys)
    token = _scope.set(scope)
    try:
        with scope.end:
            yield
    finally:
        _scope.reset(token)


@contextmanager
def written_to(stream: TextIO) -> Iterator[None]:
    """Sends the log to `stream` while the block runs."""
    before, _output.target = _output.target, stream
    try:
        yield
    finally:
        _output.target = before
