"""The workflow itself: its input, triggers, steps and output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from stepsmith.document import Json
from stepsmith.model.policies import Concurrency, RetryPolicy, Then
from stepsmith.model.steps import Block, RepeatStep, Step, SwitchStep, inner_blocks, is_written, rolls_back, walk
from stepsmith.model.values import ObjectValue, Value
from stepsmith.source import Span


class WorkflowType(StrEnum):
    STANDARD = "standard"
    EXPRESS = "express"


@dataclass(frozen=True, slots=True)
class InputProperty:
    """A declared property of the input. `schema` is its JSON Schema without our own keys `required`, `default`."""

    name: str
    schema: Mapping[str, Json]
    required: bool
    default: Json
    """What stands in when the property is absent; meaningful only if `has_default`."""
    has_default: bool
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class EventTrigger:
    """An EventBridge rule starts the workflow; `input` may read paths of `event`."""

    pattern: Mapping[str, Json]
    input: ObjectValue | None
    span: Span = field(compare=False, repr=False)
    dedupe_key: Value | None = None
    """Events with the same value here start one run."""


@dataclass(frozen=True, slots=True)
class ScheduleTrigger:
    """A schedule starts the workflow: `rate()`, `cron()` or `at()`."""

    expression: str
    timezone: str | None
    input: ObjectValue | None
    span: Span = field(compare=False, repr=False)
    dedupe_key: Value | None = None
    """The same; `event.time`, the scheduled time, can be read in it."""


@dataclass(frozen=True, slots=True)
class ApiTrigger:
    """An HTTP request starts the workflow; its body is the input."""

    method: str
    path: str
    span: Span = field(compare=False, repr=False)


Trigger: TypeAlias = EventTrigger | ScheduleTrigger | ApiTrigger


@dataclass(frozen=True, slots=True)
class Workflow:
    """Everything a workflow file says, independent of the dialect it was written in."""

    name: str
    steps: Block
    span: Span = field(compare=False, repr=False)
    name_span: Span = field(compare=False, repr=False)
    description: str = ""
    version: str | None = None
    type: WorkflowType = WorkflowType.STANDARD
    input: tuple[InputProperty, ...] | None = None
    """None: the file declares no input, whatever is sent is accepted and none of it can be read."""
    triggers: tuple[Trigger, ...] = ()
    timeout: int | None = None
    """Seconds."""
    retry: RetryPolicy | None = None
    """For every step that has none of its own."""
    on_failure: Then | None = None
    concurrency: Concurrency | None = None
    """How many runs may be under way at once."""
    output: Value | None = None
    finally_steps: Block = ()

    def every_step(self) -> Iterator[Step]:
        """The steps that an author wrote, those of handlers and the undos included."""
        for step in (*walk(self.steps), *walk(self.finally_steps)):
            if is_written(step):
                yield step
            if step.rollback is not None:
                yield step.rollback

    @property
    def main_sequence(self) -> tuple[Step, ...]:
        """The steps that stand in nothing else, or in a `switch` or `repeat` of these, which fail as their steps do."""

        def of(block: Block) -> Iterator[Step]:
            for step in block:
                yield step
                if isinstance(step, SwitchStep | RepeatStep):
                    for inner in inner_blocks(step):
                        yield from of(inner)

        return tuple(of(self.steps))

    @property
    def undoable(self) -> tuple[Step, ...]:
        """The steps that a rollback undoes, in the order written."""
        return tuple(step for step in walk(self.steps) if step.rollback is not None)

    @property
    def rolls_back(self) -> bool:
        """Whether some failure begins a rollback."""
        return self.on_failure is Then.ROLLBACK or any(rolls_back(step) for step in walk(self.steps))
