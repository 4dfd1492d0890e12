"""The results of the analysis, as data."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from stepsmith.analysis.layers import Layers, merged
from stepsmith.expressions.narrowing import narrow
from stepsmith.expressions.scope import Path, Presence, Scope
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
        set_ = [each.type for each in (self, other) if each.availability.presence is not Presence.NEVER]
        return VariableFact(union(*set_), self.availability.merge(other.availability))


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

    steps: Layers[StepFact] = field(default_factory=Layers)
    variables: Layers[VariableFact] = field(default_factory=Layers)
    proven: frozenset[Path] = frozenset()
    """References that are known to be there, since this place is reached only where a condition has shown it."""
    failed: str | None = None
    """Inside a handler: the id of the step whose error is `error`."""
    loops: Mapping[str, LoopName] = field(default_factory=dict)
    """The names of items and indexes of the loops around this place."""
    answerable: bool = False
    """The params of a step that waits for an answer stand here: the token for it can be read."""
    dead: bool = False
    """No way leads here: what stands before always ends the run."""

    def knowing(self, condition: Template, truth: bool) -> Point:
        """What is known where `condition` came out as `truth`."""
        return replace(self, proven=narrow(Scope(proven=self.proven), condition, truth).proven)

    def forgetting(self, root: str, names: Collection[str | int]) -> Point:
        """This without what was proven of `root.NAME` for some names, which mean something else now."""
        kept = frozenset(path for path in self.proven if path[0] != root or len(path) < 2 or path[1] not in names)
        return replace(self, proven=kept) if len(kept) < len(self.proven) else self

    def with_step(self, step_id: str, fact: StepFact) -> Point:
        return replace(self, steps=self.steps.having({step_id: fact}))

    def merge(self, *others: Point) -> Point:
        """What is known after this way and others meet."""
        ways = [way for way in (self, *others) if not way.dead]
        if len(ways) < 2:
            return ways[0] if ways else (self, *others)[-1]
        failed = ways[0].failed if len({way.failed for way in ways}) == 1 else None
        proven = frozenset.intersection(*(way.proven for way in ways))
        steps = merged([way.steps for way in ways], _step_that_did_not_run)
        variables = merged([way.variables for way in ways], _variable_that_is_not_set)
        return Point(steps, variables, proven, failed, self.loops)


def _step_that_did_not_run(name: str) -> StepFact:
    absent = never(f"step '{name}' may not have run")
    return StepFact(absent, absent, absent)


def _variable_that_is_not_set(name: str) -> VariableFact:
    return VariableFact(union(), never(f"variable '{name}' may not have been set"))


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
    KEY = "key"
    """What steps of several runs have in common."""


@dataclass(frozen=True, slots=True)
class Use:
    """A place where expressions stand, and what is known there."""

    kind: UseKind
    value: Value | None
    condition: Template | None
    point: Point
    step: Step | None
    output: Type | None = None
    """The type of `output`, where that can be read."""


def use_templates(use: Use) -> Iterator[Template]:
    """Every template that stands in `use`."""
    if use.condition is not None:
        yield use.condition
    yield from templates(use.value)


@dataclass(frozen=True)
class Analysis:
    """Everything that the walk through a workflow found."""

    input: Type
    """The type of the input once its defaults are in and its schema has been enforced."""
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
