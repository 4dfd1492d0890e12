"""The person at the desk of `stepsmith run`: asked on a terminal, else told how to decide from elsewhere."""

from __future__ import annotations

import select
import sys
from collections.abc import Callable
from typing import Protocol, TextIO

from stepsmith.cli.console import Console
from stepsmith.cli.deciding import login
from stepsmith.local.approvals.desk import Answer, Person
from stepsmith.local.control import POLL
from stepsmith_functions.approvals.records import Approval


class View(Protocol):
    """What is drawn of a run, which makes room for a question."""

    def clear(self) -> None: ...


def person_at(console: Console, view: object) -> Person:
    """Who decides approvals of a run that was started here."""
    if console.live and sys.stdin.isatty():
        clear = getattr(view, "clear", None)
        return Terminal(console, sys.stdin, clear if callable(clear) else lambda: None)
    return Elsewhere(console)


class Terminal:
    """Asks on the terminal."""

    def __init__(self, console: Console, answers: TextIO, clear: Callable[[], None]) -> None:
        self._console = console
        self._answers = answers
        self._clear = clear

    def ask(self, approval: Approval, approver: str | None, waits: Callable[[], bool]) -> Answer | None:
        """None once nothing more can be typed (the input has ended), or the run no longer `waits` for it."""
        console = self._console
        self._clear()
        console.print(console.style(f"{approval.path} asks: ", "bold") + approval.message)
        if approver is not None:
            given = sum(vote.approves for vote in approval.votes)
            need = f" ({given + 1} of {approval.quorum} who must approve)" if approval.quorum > 1 else ""
            console.print(console.style(f"you decide as {approver}{need}", "dim"))
        while True:
            said = self._line("approve? [y/n] ", waits)
            if said is None:
                return None
            if said.lower() in ("y", "yes", "n", "no"):
                break
        comment = self._line("comment: ", waits)
        return Answer(said.lower().startswith("y"), login(), comment or "")

    def _line(self, prompt: str, waits: Callable[[], bool]) -> str | None:
        self._console.out.write(prompt)
        self._console.out.flush()
        while not self._typed():
            if not waits():
                self._console.print()
                return None
        line = self._answers.readline()
        return line.strip() if line else None

    def _typed(self) -> bool:
        """Whether a line can be read at once, after waiting a little for one. A terminal gives whole lines."""
        try:
            return bool(select.select([self._answers], [], [], POLL)[0])
        except (OSError, ValueError):
            return True  # no file that could be waited for

    def told(self, approval: Approval) -> None:
        _tell(self._console, approval)

    def refused(self, reason: str) -> None:
        self._console.note(reason)


class Elsewhere:
    """Nobody can be asked here: another process decides."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def ask(self, approval: Approval, approver: str | None, waits: Callable[[], bool]) -> Answer | None:  # noqa: ARG002
        return None

    def told(self, approval: Approval) -> None:
        _tell(self._console, approval)

    def refused(self, reason: str) -> None:
        self._console.note(reason)


def _tell(console: Console, approval: Approval) -> None:
    names = approval.names
    as_ = f" --as {names[0]}" if names else ""
    console.note(f"waiting for approval of {approval.path}: {approval.message}")
    console.note(f"  stepsmith approve {approval.run_id[:8]} {approval.path}{as_}")
    console.note(f"  stepsmith reject {approval.run_id[:8]} {approval.path}{as_} --comment WHY")
    console.err.flush()
