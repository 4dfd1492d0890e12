"""Notices that files change, by looking again and again: it needs nothing of the system and works on any file system.

Half a second between two looks costs next to nothing for some hundred files, and is soon enough for a person.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final, TypeAlias

PAUSE: Final = 0.5
"""Seconds between two looks."""

Look: TypeAlias = Mapping[Path, tuple[int, int]]
"""When each file was last changed (ns), and its size in bytes."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What is different since the look before."""

    changed: tuple[Path, ...] = ()
    new: tuple[Path, ...] = ()
    gone: tuple[Path, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changed or self.new or self.gone)


def look_at(files: Iterable[Path]) -> Look:
    """How the files are now; those that are not there are left out."""
    found = {}
    for path in files:
        try:
            status = os.stat(path)
        except OSError:
            continue
        found[path] = (status.st_mtime_ns, status.st_size)
    return found


def changes(before: Look, after: Look) -> Changes:
    """What happened between two looks."""
    return Changes(
        tuple(sorted(path for path in after if path in before and after[path] != before[path])),
        tuple(sorted(path for path in after if path not in before)),
        tuple(sorted(path for path in before if path not in after)),
    )


def watch(
    files: Callable[[], Iterable[Path]],
    then: Callable[[Changes], None],
    *,
    sleep: Callable[[float], None] = time.sleep,
    looks: Iterable[object] | None = None,
) -> None:
    """Calls `then` whenever files have changed and are at rest again: an editor may replace a file in several steps.

    `looks` bounds how often it looks; without it, it looks until it is interrupted.
    """
    known = last = look_at(files())
    for _ in count() if looks is None else looks:
        sleep(PAUSE)
        now = look_at(files())
        if now == last and (found := changes(known, now)):
            known = now
            then(found)
        last = now
