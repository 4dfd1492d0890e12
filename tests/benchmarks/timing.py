"""Times things beside each other. What counts is a ratio of two times taken in one run on one machine.

The time is that of the processor, of this process and of those that it waits for: a machine does other things too.
"""

from __future__ import annotations

import gc
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

Contender = Callable[[], object]


def best_of(contenders: Mapping[str, Contender], rounds: int) -> dict[str, float]:
    """The least time of each in seconds. They take turns, so that a busy moment of the machine hits all of them."""
    found = dict.fromkeys(contenders, float("inf"))
    for _ in range(rounds):
        for name, contender in contenders.items():
            gc.collect()
            begun = _spent()
            contender()
            found[name] = min(found[name], _spent() - begun)
    return found


def _spent() -> float:
    """Seconds of the processor so far, of this process and of the children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def process(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> Contender:
    """Runs `command` as a process of its own; a name without a slash is looked up beside this Python."""
    program = Path(sys.executable).parent / command[0]
    full = [str(program) if program.exists() else command[0], *command[1:]]
    # As where it is installed: all but the first of the processes find the modules compiled.
    variables = {**(os.environ if environment is None else environment)}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)

    def run() -> None:
        done = subprocess.run(full, cwd=folder, env=variables, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr or done.stdout}")

    return run
