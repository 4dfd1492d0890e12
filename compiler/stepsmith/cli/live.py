"""Shows a run while it happens: a tree that is redrawn on a terminal, plain lines where output is piped."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from stepsmith.cli.console import Console, duration
from stepsmith.cli.outcome import Result, step_lines
from stepsmith_functions.history.records import RunRecord, RunStatus
from stepsmith_functions.history.result import run_result

if TYPE_CHECKING:
    from stepsmith.local.runner import Progress

_REDRAW: Final = 0.08
"""Seconds between two drawings of the tree: often enough for the eye."""
_LINES: Final = 0.5
"""Seconds between two looks for steps that have ended, where lines are only added."""


class LiveTree:
    """Draws the steps again and again in the same place of a terminal."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._next = clock() + _REDRAW
        self._drawn = 0

    def __call__(self, progress: Progress) -> None:
        now = self._clock()
        if now < self._next or not progress.step_changed:
            return
        self._next = now + _REDRAW
        lines = step_lines(_steps_of(progress), self._console)
        room = max(self._console.height - 3, 1)
        if len(lines) > room:
            lines = lines[-room:]
        clock = self._console.style(f"  {self._console.symbol('running')} {duration(progress.elapsed)}", "dim")
        self.clear()
        self._console.out.write("".join(f"{line}\x1b[K\n" for line in [*lines, clock]))
        self._console.out.flush()
        self._drawn = len(lines) + 1

    def clear(self) -> None:
        """Takes away what was drawn."""
        if self._drawn:
            self._console.out.write(f"\x1b[{self._drawn}A\x1b[J")
            self._drawn = 0

    def say(self, text: str) -> None:
        """A line among the steps, which are drawn anew below it."""
        self.clear()
        self._console.print(text)
        self._console.out.flush()

    def finish(self, steps: list[Result]) -> None:
        """Draws the steps for the last time."""
        self.clear()
        for line in step_lines(steps, self._console):
            self._console.print(line)


class PlainLines:
    """Adds a line for each step that has ended."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._next = clock() + _LINES
        self._told = 0

    def __call__(self, progress: Progress) -> None:
        now = self._clock()
        if now < self._next or not progress.step_changed:
            return
        self._next = now + _LINES
        steps = _steps_of(progress)
        open_at = next((at for at, step in enumerate(steps) if step["status"] in ("running", "waiting")), len(steps))
        self._tell(steps[:open_at])

    def _tell(self, steps: list[Result]) -> None:
        for line in step_lines(steps, self._console)[self._told :]:
            self._console.print(line)
        self._console.out.flush()
        self._told = max(self._told, len(steps))

    def say(self, text: str) -> None:
        """A line among the steps."""
        self._console.print(text)
        self._console.out.flush()

    def finish(self, steps: list[Result]) -> None:
        self._tell(steps)


def _steps_of(progress: Progress) -> list[Result]:
    steps = progress.steps()
    started = min((step.started_at for step in steps if step.started_at), default=None)
    if started is None:
        return []
    record = RunRecord(progress.run_id, progress.workflow, RunStatus.RUNNING, started)
    shown = json.loads(json.dumps(run_result(record, steps)))
    found: list[Result] = shown["steps"]
    return found
