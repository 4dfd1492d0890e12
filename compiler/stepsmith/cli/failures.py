"""How a command ends when it cannot do what it was asked: an exit status and what to tell the person."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The exit statuses of every command."""

    DONE = 0
    PROBLEMS = 1
    """The thing asked about has problems: diagnostics, a failed run, a stale file."""
    WRONG_CALL = 2
    """Arguments that make no sense, a path that cannot be opened, an input that the schema refuses."""
    BUG = 3
    """Ours."""
    CANCELLED = 130


class CommandError(Exception):
    """Ends a command with `status`. `help` says what to do instead, `details` are further lines."""

    def __init__(
        self,
        message: str,
        *,
        help: str = "",  # noqa: A002
        status: Exit = Exit.WRONG_CALL,
        details: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.help = help
        self.status = status
        self.details = details
