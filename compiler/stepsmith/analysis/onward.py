"""What the steps of the main sequence from a place on read of what stands before it.

That is what a run which begins there has to be given. Whether there is a record of it is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from stepsmith.analysis.facts import Analysis, Use, UseKind, use_templates
from stepsmith.expressions.syntax import Reference, references
from stepsmith.model.steps import Step, in_sequence, is_call, owner_of, walk
from stepsmith.model.workflow import Workflow


@dataclass(frozen=True, slots=True)
class Reading:
    """One reference to a step or variable."""

    name: str
    """The step's id or the variable's name."""
    reference: Reference
    later: bool
    """It stands behind the place; else in what leads there."""


@dataclass(frozen=True, slots=True)
class Onward:
    """What is read, of steps that stand before the place and of variables."""

    steps: tuple[Reading, ...] = ()
    variables: tuple[Reading, ...] = ()
    before: dict[str, Step] = field(default_factory=dict)
    """The steps before the place, those inside blocks included, by id."""

    def of_step(self, step_id: str) -> Iterator[Reading]:
        return (each for each in self.steps if each.name == step_id)

    @property
    def steps_needed(self) -> frozenset[str]:
        """The steps that are read behind the place."""
        return frozenset(each.name for each in self.steps if each.later)

    @property
    def variables_needed(self) -> frozenset[str]:
        return frozenset(each.name for each in self.variables if each.later)


def read_onward(workflow: Workflow, analysis: Analysis, count: int) -> Onward:
    """What is read where the first `count` of the main sequence are left out. Of these counts what decides on the way
    through them, not what they are called with."""
    before = {step.id: step for step in walk(in_sequence(workflow.steps)[:count])}
    steps: list[Reading] = []
    variables: list[Reading] = []
    for use in analysis.uses:
        later = use.step is None or owner_of(use.step.id) not in before
        if not later and not _decides(use):
            continue
        for template in use_templates(use):
            for reference in references(template):
                first = reference.path[0] if reference.path else None
                if not isinstance(first, str):
                    continue
                reading = Reading(first, reference, later)
                if reference.root == "steps" and first in before:
                    steps.append(reading)
                elif reference.root == "vars":
                    variables.append(reading)
    return Onward(tuple(steps), tuple(variables), before)


def _decides(use: Use) -> bool:
    """Whether a value matters for the way through steps that are not run again, or for what they leave behind."""
    match use.kind:
        case UseKind.CONDITION | UseKind.SET | UseKind.RESULT:
            return True
        case UseKind.ITEMS | UseKind.RESHAPE:
            return use.step is not None and not is_call(use.step)
        case UseKind.PARAMS | UseKind.SECONDS | UseKind.TIME | UseKind.TEXT | UseKind.KEY:
            return False
