"""The page docs/figures.md, from what was measured."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from importlib.metadata import version

from tests.benchmarks.figures import Figure, Subject

INTRODUCTION = """\
# Figures

Ratios of two times, taken in one run on one machine, in turns; each is the least of several times of the processor.
The times themselves say something about that machine only, and no test asserts one. `python -m tests.benchmarks`
measures anew and writes this page; an aim is the ratio that we want at most.
"""


def page(subjects: Iterable[Subject], day: str) -> str:
    """The page's text."""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    packages = ", ".join(f"{name} {version(name)}" for name in ("sfnx", "moto", "boto3"))
    parts = [INTRODUCTION, f"Measured on {day}: {machine}; {packages}.\n"]
    for subject in subjects:
        parts += [f"## {subject.heading}\n", f"{subject.text}\n", _table(subject.figures)]
    return "\n".join(parts)


def _table(figures: Iterable[Figure]) -> str:
    lines = ["| what | ms | beside | ms | ratio | aim |", "| --- | ---: | --- | ---: | ---: | ---: |"]
    for each in figures:
        theirs = _milliseconds(each.theirs) if each.theirs is not None else ""
        ratio = f"{each.ratio:.2f}" if each.ratio is not None else ""
        aim = f"{each.aim}" if each.aim is not None else ""
        lines.append(f"| {each.what} | {_milliseconds(each.ours)} | {each.beside} | {theirs} | {ratio} | {aim} |")
    return "\n".join([*lines, ""])


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.0f}" if seconds >= 0.1 else f"{seconds * 1000:,.1f}"
