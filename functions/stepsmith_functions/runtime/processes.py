"""Runs a child process that knows nothing of ours: a clean environment, bounded time, output, memory and files.

It starts no shell. It is no sandbox against hostile code: a child has the rights of its user, so that only trusted
scripts belong here.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

LARGEST_OUTPUT = 60_000
"""Bytes that are kept of each stream: both, and what JSON adds, must fit into a state's 256 KiB."""
_LIMITED = """
import os, resource, sys
limits = {resource.RLIMIT_CORE: 0, resource.RLIMIT_AS: 2 << 30}
limits |= {resource.RLIMIT_FSIZE: 256 << 20, resource.RLIMIT_NOFILE: 256}
for what, most in limits.items():
    hard = resource.getrlimit(what)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Limits itself, then becomes the command. A hook between fork and exec would not be safe beside other threads."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a child ended. `exit_code` is negative for the signal that ended it; None if it ran out of time."""

    exit_code: int | None
    stdout: str
    stderr: str


def run(command: Sequence[str], folder: Path, seconds: float, variables: Mapping[str, str] | None = None) -> Finished:
    """Runs `command` in `folder` for at most `seconds` of real time, then ends it and all its children.

    The command's first part is the absolute path of its program.
    """
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "TMPDIR": str(folder),
    }
    child = subprocess.Popen(  # noqa: S603 - the command is the action's, arguments are a list and there is no shell
        [sys.executable, "-I", "-S", "-c", _LIMITED, *command],
        cwd=folder,
        env={**environment, **(variables or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert child.stdout
    assert child.stderr
    with child.stdout, child.stderr:
        try:
            kept, in_time = _read((child.stdout, child.stderr), time.monotonic() + seconds)
            code = child.wait(max(1.0, seconds)) if in_time else None
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end(child)
    out, err = (stream.decode("utf-8", "replace") for stream in kept)
    return Finished(code, out, err)


def _read(streams: tuple[IO[bytes], IO[bytes]], end: float) -> tuple[list[bytes], bool]:
    """The beginning of each stream, and whether both ended in time; what comes after the beginning is thrown away."""
    kept = {stream.fileno(): bytearray() for stream in streams}
    with selectors.DefaultSelector() as selector:
        for stream in streams:
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            left = end - time.monotonic()
            if left <= 0:
                break
            for key, _ in selector.select(left):
                chunk = os.read(key.fd, 65536)
                if not chunk:
                    selector.unregister(key.fileobj)
                kept[key.fd] += chunk[: LARGEST_OUTPUT - len(kept[key.fd])]
        in_time = not selector.get_map()
    return [bytes(kept[stream.fileno()]) for stream in streams], in_time


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ends whatever is left of the child's session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
