"""A rehearsal as data: what a workflow is given, what stands in for its steps, and what is expected of the run.

Expected values stay nodes of the document, so that whatever differs is told at the place where it was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from stepsmith.diagnostics import Diagnostic
from stepsmith.document import Entry, Json
from stepsmith.local.mocks import Mock
from stepsmith.local.runner import RunReport
from stepsmith.pipeline import Compilation
from stepsmith.source import SourceFile, Span


@dataclass(frozen=True, slots=True)
class StepExpectation:
    """One entry of `expect.steps`: which step is meant, and what is said of it."""

    span: Span
    id: str | None
    path: str | None
    fields: tuple[Entry, ...]

    @property
    def name(self) -> str:
        return self.path or self.id or ""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a rehearsal says of the run; what it does not mention may be anything."""

    status: tuple[str, Span] | None = None
    output: Entry | None = None
    error: Entry | None = None
    elapsed: tuple[float, Span] | None = None
    """Seconds of virtual time."""
    steps: tuple[StepExpectation, ...] = ()
    not_run: tuple[tuple[str, Span], ...] = ()


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A rehearsal whose file has no mistakes."""

    name: str
    workflow: str
    input: Json
    expect: Expectation
    mocks: Mapping[str, tuple[Mock, ...]] = field(default_factory=dict)


class Missing:
    """Stands for a value that is not there."""

    def __repr__(self) -> str:
        return "nothing"


MISSING: Final = Missing()
Compared: TypeAlias = "Json | Missing"


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that came out otherwise. `what` is the value's path in the run's result, such as `output.killed`."""

    span: Span
    what: str
    expected: Compared
    actual: Compared
    note: str = ""
    """What to say in place of the two values, where they say too little."""


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    INVALID = "invalid"
    """The rehearsal or its workflow has mistakes, so that nothing ran."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a rehearsal. `seconds` is the real time that it took."""

    name: str
    file: str
    """The path by which people know it."""
    outcome: Outcome
    seconds: float = 0.0
    workflow: str | None = None
    differences: tuple[Difference, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    sources: Mapping[str, SourceFile] = field(default_factory=dict, repr=False)
    """The texts that diagnostics point into, by path."""
    report: RunReport | None = field(default=None, repr=False)
    compiled: Compilation | None = field(default=None, repr=False)
    rehearsal: Rehearsal | None = field(default=None, repr=False)
