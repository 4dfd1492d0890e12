"""The results of the analysis, as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from stepsmith.expressions.scope import Presence
from stepsmith.expressions.syntax import Template
from stepsmith.expressions.types import ANY, Type, union
from stepsmith.model.steps import Step
from stepsmith.model.values import Value, templates


class Facet(StrEnum):
    """What may be read of a step: `steps.ID.FACET`."""

    OUTPUT = "output"
    STATUS = "status"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether something is there, and why it might not be."""

    presence: Presence
    reason: str = ""

    def merge(self, other: Availability) -> Availability:
        """What holds when control came by either of two ways."""
        reason = self.reason or other.reason
        return Availability(self.presence, reason) if self.presence is other.presence else maybe(reason)


HERE: Final = Availability(Presence.ALWAYS)


def maybe(reason: str) -> Availability:
    return Availability(Presence.MAYBE, reason)


def never(reason: str) -> Availability:
    return Availability(Presence.NEVER, reason)


@dataclass(frozen=True, slots=True)
class StepFact:
    """What of one step can be read at a place."""

    output: Availability
    status: Availability
    error: Availability

    def of(self, facet: Facet) -> Availability:
        match facet:
            case Facet.OUTPUT:
                return self.output
            case Facet.STATUS:
                return self.status
            case Facet.ERROR:
                return self.error

    def merge(self, other: StepFact) -> StepFact:
        return StepFact(self.output.merge(other.output), self.status.merge(other.status), self.error.merge(other.error))


@dataclass(frozen=True, slots=True)
class VariableFact:
    """A variable's type and whether it is set at a place."""

    type: Type
    availability: Availability

    def merge(self, other: VariableFact) -> VariableFact:
        return VariableFact(union(self.type, other.type), self.availability.merge(other.availability))


@dataclass(frozen=True, slots=True)
class LoopName:
    """A name that a loop gives to its item or index."""

    loop: str
    """The id of the `for_each` step."""
    type: Type
    index: bool


@dataclass(frozen=True, slots=True)
class Point:
    """What is known at one place of a workflow, before what stands there runs."""

    steps: Mapping[str, StepFact] = field(default_factory=dict)
    variables: Mapping[str, VariableFact] = field(default_factory=dict)
    truths: tuple[tuple[Template, bool], ...] = ()
    """Conditions that are known to be true or false here, since this place is reached only then."""
    failed: str | None = None
    """Inside a handler: the id of the step whose error is `error`."""
    loops: Mapping[str, LoopName] = field(default_factory=dict)
    """The names of items and indexes of the loops around this place."""
    answerable: bool = False
    """The params of a step that waits for an answer stand here: the token for it can be read."""
    dead: bool = False
    """No way leads here: what stands before always ends the run."""

    def knowing(self, condition: Template, truth: bool) -> Point:
        return replace(self, truths=(*self.truths, (condition, truth)))

    def with_step(self, step_id: str, fact: StepFact) -> Point:
        return replace(self, steps={**self.steps, step_id: fact})

    def merge(self, other: Point) -> Point:
        """What is known after two ways meet."""
        if self.dead or other.dead:
            return other if self.dead else self
        steps = {name: _step_fact(self, name).merge(_step_fact(other, name)) for name in (*self.steps, *other.steps)}
        variables = {
            name: _variable_fact(self, name).merge(_variable_fact(other, name))
            for name in (*self.variables, *other.variables)
        }
        truths = tuple(truth for truth in self.truths if truth in other.truths)
        failed = self.failed if self.failed == other.failed else None
        return Point(steps, variables, truths, failed, self.loops)


def _step_fact(point: Point, name: str) -> StepFact:
    absent = never(f"step '{name}' may not have run")
    return point.steps.get(name) or StepFact(absent, absent, absent)


def _variable_fact(point: Point, name: str) -> VariableFact:
    return point.variables.get(name) or VariableFact(union(), never(f"variable '{name}' may not have been set"))


class UseKind(StrEnum):
    """What an expression stands in; it decides the names besides the common ones."""

    CONDITION = "condition"
    PARAMS = "params"
    RESHAPE = "reshape"
    """The `output` modifier: `output` is in scope."""
    SET = "set"
    RESULT = "result"
    """The output of the workflow or of `stop`."""
    ITEMS = "items"
    """What a loop runs over."""
    SECONDS = "seconds"
    TIME = "time"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Use:
    """A place where expressions stand, and what is known there."""

    kind: UseKind
    value: Value | None
    condition: Template | None
    point: Point
    step: Step | None


def use_templates(use: Use) -> Iterator[Template]:
    """Every template that stands in `use`."""
    if use.condition is not None:
        yield use.condition
    yield from templates(use.value)


@dataclass(frozen=True)
class Analysis:
    """Everything that the walk through a workflow found."""

    points: Mapping[str, Point]
    """By step id: what is known before the step, its own `if` included."""
    ends: Mapping[str, Point]
    """By id of a `repeat`: what is known where its condition is tested."""
    end: Point
    """What is known where the workflow's output is built."""
    uses: tuple[Use, ...]
    outputs: Mapping[str, Type]
    """By step id: the type of its output, after its `output` modifier."""
    results: Mapping[str, Type]
    """By step id: the type of its result, which the `output` modifier reshapes."""
    order: Mapping[str, None]
    """Every step id in the order written."""
    read: Mapping[str, frozenset[Facet]]
    """By step id: which facets are read anywhere."""
    records: frozenset[str]
    """Steps whose variable must be a record: more than a certain output is read of them."""
    variables_read: frozenset[str]
    errors_read: frozenset[str]
    """Steps in whose handlers `error` is read."""
    loop_names_read: frozenset[tuple[str, bool]]
    """Loops whose item (False) or index (True) is read."""
    unreachable: tuple[Step, ...]
    """The first step of each stretch that no way leads to."""
    outer_sets: tuple[tuple[Step, str], ...]
    """`set` steps inside a branch or iteration that set a variable of outside, with its name."""
    readers: Mapping[str, frozenset[str | None]]
    """By step id: the steps that read it; None stands for the workflow's output."""

    def output_of(self, step_id: str) -> Type:
        return self.outputs.get(step_id, ANY)
