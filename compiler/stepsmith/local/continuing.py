"""Plans how a run that ended without success goes on, in the workflow as it stands in its file now.

It finds the step to begin with, and proves before anything happens that what is read from there on is on record: the
steps before it are followed once more by their records (`replaying`), and what they leave is compared with what the
workflow expects. What is missing is refused, with the place where it is read. It runs nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from stepsmith.analysis.facts import Analysis, Facet
from stepsmith.analysis.onward import Onward, Reading, read_onward
from stepsmith.asl.names import environment_key
from stepsmith.asl.states import StateMachine, every_state
from stepsmith.catalog import ActionCatalog
from stepsmith.diagnostics import Diagnostics, did_you_mean
from stepsmith.document import Json
from stepsmith.expressions.types import AnyType, ListType, NumberType, ObjectType, Type, UnionType, describe, kinds
from stepsmith.local.replaying import Replayed, marks, plain, replay
from stepsmith.lowering.continuing import KEPT, variables_of
from stepsmith.model.steps import Step, first_written, in_sequence, is_call, walk, written_in
from stepsmith.model.workflow import Workflow
from stepsmith.pipeline import Compilation, continuation, recorded_part
from stepsmith.services import ServiceCatalog
from stepsmith.source import Span
from stepsmith_functions.history.records import Continues, RunRecord, StepRecord, StepStatus

MOST_BYTES: Final = 262_144
"""Of an execution's input (Step Functions quotas); what is kept is handed over in it."""
_DONE: Final = (StepStatus.SUCCEEDED, StepStatus.SKIPPED)


class CannotContinueError(Exception):
    """The run cannot go on, or not from there. `help` says what can be done instead."""

    def __init__(self, message: str, help: str = "") -> None:  # noqa: A002
        super().__init__(message)
        self.message = message
        self.help = help


@dataclass(frozen=True, slots=True)
class Continued:
    """What the run that goes on is given of the earlier one."""

    run: RunRecord
    """The earlier run."""
    link: Continues
    kept: Mapping[str, Json]
    """The values of the machine's variables, by their names."""
    records: tuple[StepRecord, ...]
    """The steps that it takes over; and those that it runs again although they took effect, under a path of their own,
    so that a rollback undoes them too."""

    @property
    def given(self) -> dict[str, Json]:
        """The input of its execution."""
        link: dict[str, Json] = {"run": self.link.run_id, "step": self.link.step, "first": self.link.first}
        return {"continues": link, KEPT: dict(self.kept)}

    @property
    def input(self) -> Json:
        """The run's input: the earlier one's."""
        return plain(self.run.input)


@dataclass(frozen=True, slots=True)
class Plan:
    """How it goes on; without `compiled` it cannot, for the reasons in `diagnostics`."""

    diagnostics: Diagnostics
    compiled: Compilation | None = None
    """The machine that begins at the step."""
    continued: Continued | None = None
    passed_over: tuple[str, ...] = ()
    """Steps before the one that it begins with that have not run, and will not."""


# -- where ----------------------------------------------------------------------------------------


def place_of(workflow: Workflow, run: RunRecord, steps: Sequence[StepRecord], wanted: str | None) -> int:
    """How many steps of the main sequence stand before the one to begin with: `wanted`, else the one in which the run
    failed. Raises CannotContinueError."""
    if wanted is not None:
        return _named(workflow, wanted)
    known = {step.path: step for step in steps if step.undoes is None}
    sequence = in_sequence(workflow.steps)
    begun = [number for number, step in enumerate(sequence) if any(each.id in known for each in written_in(step))]
    failed = run.error.step if run.error is not None else None
    if failed is not None and failed not in {step.id for step in workflow.every_step()}:
        raise CannotContinueError(
            f"the run failed in '{failed}', which {workflow.name} does not have any more",
            "say where it goes on: --from STEP",
        )
    if not begun:
        return 0
    last = sequence[begun[-1]]
    if failed in {inner.id for inner in walk((last,))}:
        return begun[-1]
    done = all(each.id in known and known[each.id].status in _DONE for each in written_in(last))
    return begun[-1] + done


def _named(workflow: Workflow, wanted: str) -> int:
    for number, step in enumerate(in_sequence(workflow.steps)):
        if any(each.id == wanted for each in written_in(step)):
            return number
        around = next((each for each in written_in(step) if any(inner.id == wanted for inner in walk((each,)))), None)
        if around is not None:
            raise CannotContinueError(
                f"'{wanted}' stands inside '{around.id}', which begins again as a whole", f"write --from {around.id}"
            )
    if any(step.id == wanted for step in walk(workflow.finally_steps)):
        raise CannotContinueError(
            f"'{wanted}' stands in the workflow's finally, which runs at the end in any case",
            "name a step of the main sequence",
        )
    near = did_you_mean(wanted, [each.id for step in in_sequence(workflow.steps) for each in written_in(step)])
    raise CannotContinueError(f"{workflow.name} has no step '{wanted}'", near)


# -- how ------------------------------------------------------------------------------------------


def plan(
    compiled: Compilation,
    catalog: ActionCatalog,
    services: ServiceCatalog | None,
    run: RunRecord,
    steps: Sequence[StepRecord],
    count: int,
    environment: Mapping[str, str],
) -> Plan:
    """How `run` goes on behind the first `count` steps of the main sequence. `steps` are its records, their values at
    hand; `environment` has what `env.NAME` is."""
    workflow, analysis = compiled.workflow, compiled.analysis
    assert workflow is not None
    assert analysis is not None
    machine, text = recorded_part(compiled, catalog, services, count)
    values = {environment_key(name): environment.get(name, "") for name in machine.environment}
    text = re.sub(r"\$\{(\w+)\}", lambda found: values.get(found[1], found[0]), text)
    replayed = replay(text, run, {step.path: step for step in steps})
    proof = _Proof(workflow, analysis, run, count, read_onward(workflow, analysis, count), replayed, machine)
    kept = proof.kept()
    link = Continues(
        run.run_id,
        first.id if (first := first_written(in_sequence(workflow.steps)[count : count + 1])) else None,
        run.continues.first if run.continues is not None else run.run_id,
    )
    continued = Continued(run, link, kept, tuple(_taken_over(proof.onward, workflow, run, steps)))
    size = len(json.dumps(continued.given, ensure_ascii=False).encode())
    if size > MOST_BYTES:
        proof.diagnostics.error(
            "too-much-on-record",
            f"what is read from there on has {size:,} bytes; an execution takes {MOST_BYTES:,}",
            workflow.name_span,
            "continue from an earlier step",
        )
    if proof.diagnostics.has_errors:
        return Plan(proof.diagnostics)
    rest = continuation(compiled, catalog, services, count, kept)
    passed = tuple(dict.fromkeys(_id(path) for path in replayed.absent))
    return Plan(rest.diagnostics, rest if rest.asl is not None else None, continued, passed)


def _taken_over(
    onward: Onward, workflow: Workflow, run: RunRecord, steps: Iterable[StepRecord]
) -> Iterator[StepRecord]:
    undoable = {step.id for step in workflow.undoable}
    for step in steps:
        origin = step.kept_from or run.run_id
        if step.step_id in onward.before and step.status.is_final and step.status is not StepStatus.CANCELLED:
            yield replace(step, kept_from=origin)
        elif step.step_id in undoable and step.status is StepStatus.SUCCEEDED and step.undoes is None:
            mark = f"~{origin[:8]}"
            path = step.path if step.path.endswith(mark) else step.path + mark
            yield replace(step, path=path, kept_from=origin)


@dataclass(eq=False, slots=True)
class _Proof:
    """Compares what is read with what the records gave."""

    workflow: Workflow
    analysis: Analysis
    run: RunRecord
    count: int
    onward: Onward
    replayed: Replayed
    machine: StateMachine
    diagnostics: Diagnostics = field(default_factory=Diagnostics)

    def kept(self) -> dict[str, Json]:
        """The values of the variables that are read from there on; what is wrong is in `diagnostics`."""
        self._absent()
        if not self.replayed.reached:
            self._broken_off()
            return {}
        self._otherwise()
        wanted = variables_of(self.workflow, self.analysis, self.onward.steps_needed, self.onward.variables_needed)
        kept = {name: self.replayed.variables[name] for name in wanted if name in self.replayed.variables}
        told = {path for path in self.replayed.absent if any(self.onward.of_step(_id(path)))}
        for name, value in kept.items():
            for path in marks(value):
                if path not in told:
                    self._missing(path, self._first_reading(*wanted[name]))
        return kept

    def _first_reading(self, kind: str, name: str) -> Span:
        readings = self.onward.steps if kind == "steps" else self.onward.variables
        return next((each.reference.span for each in readings if each.name == name and each.later), self._span)

    @property
    def _span(self) -> Span:
        """The step to begin with."""
        first = first_written(in_sequence(self.workflow.steps)[self.count : self.count + 1])
        return first.id_span if first is not None else self.workflow.name_span

    def _absent(self) -> None:
        """Steps that have no record of how they ended, where they are read."""
        for path in self.replayed.absent:
            for reading in self.onward.of_step(_id(path)):
                self._missing(path, reading.reference.span, reading)

    def _missing(self, path: str, span: Span, reading: Reading | None = None) -> None:
        name = _id(path)
        record = self.replayed.absent.get(path)
        short = self.run.run_id[:8]
        match record.status if record is not None else None:
            case None:
                why = f"'{path}' did not run in run {short}"
            case StepStatus.SKIPPED:
                why = f"'{path}' was skipped in run {short}"
            case _:
                why = f"'{path}' did not come to its end in run {short}"
        read = ".".join(("steps", *map(str, reading.reference.path))) if reading else f"the output of '{name}'"
        self.diagnostics.error("not-on-record", f"{read} is not on record: {why}", span, self._from(name))

    def _from(self, step_id: str) -> str:
        """From where it can go on so that the step runs."""
        for step in in_sequence(self.workflow.steps)[: self.count]:
            for each in written_in(step):
                if any(inner.id == step_id for inner in walk((each,))):
                    return f"continue from there or before: --from {each.id}"
        return ""

    def _broken_off(self) -> None:
        """The steps before the place do not come to their end by what is on record."""
        if self.diagnostics.has_errors:
            return
        state = next((each for each in every_state(self.machine.states) if each.name == self.replayed.state), None)
        name = state.origin.step if state is not None else None
        step = self.onward.before.get(name) if name is not None else None
        error = self.replayed.error or ""
        if step is None or error == "":
            told = f"with {error}: {self.replayed.cause}" if error else "by a stop"
            message = f"by what is on record the run ends before this step, {told}"
            self.diagnostics.error("not-reached", message, self._span, "continue from an earlier step")
            return
        if self._failed_itself(step):
            message = f"'{step.id}' failed in run {self.run.run_id[:8]} with {error}, and nothing takes that failure"
            hint = f"continue from it, {self._from(step.id).split(': ')[-1]}, or let it go on: on_failure: continue"
        else:
            absent = ", ".join(f"'{path}'" for path in self.replayed.absent)
            message = f"'{step.id}' cannot be followed by what is on record: {error}: {self.replayed.cause}"
            hint = f"not on record: {absent}; continue from an earlier step" if absent else self._from(step.id)
        self.diagnostics.error("not-reached", message, step.id_span, hint)

    def _failed_itself(self, step: Step) -> bool:
        return any(
            each.step_id == step.id and each.status is StepStatus.FAILED for each in self.replayed.answered.values()
        )

    # -- is it what the workflow expects? ---------------------------------------------------------

    def _otherwise(self) -> None:
        """Outputs on record that lack what is read of them, or have another type: the step was another then."""
        outputs: dict[str, list[StepRecord]] = {}
        for record in self.replayed.answered.values():
            outputs.setdefault(record.step_id, []).append(record)
        for reading in self.onward.steps:
            records = outputs.get(reading.name, [])
            step = self.onward.before[reading.name]
            path = reading.reference.path
            if len(records) != 1 or not is_call(step) or path[1:2] != (Facet.OUTPUT.value,):
                continue
            record = records[0]
            if record.status is not StepStatus.SUCCEEDED:
                continue
            problem = _misfit(plain(record.output), self.analysis.output_of(step.id), path[2:])
            if problem:
                read = ".".join(("steps", *map(str, path)))
                message = f"{read} {problem} on record: '{step.id}' was another step in run {self.run.run_id[:8]}"
                self.diagnostics.error("recorded-otherwise", message, reading.reference.span, self._from(step.id))


def _misfit(value: Json, type_: Type, path: Sequence[str | int]) -> str:
    """What is wrong with the part of `value` at `path`, whose whole is expected to be of `type_`; empty for nothing."""
    for part in path:
        if not isinstance(part, str) or not isinstance(type_, ObjectType):
            return ""
        if not isinstance(value, dict):
            return f"is {_kind(value)}, not an object,"
        known = type_.properties.get(part)
        if part not in value:
            return "is not" if known is not None and known.required else ""
        value, type_ = value[part], known.type if known is not None else type_.rest
    return "" if _fits(value, type_) else f"is {_kind(value)}, not {describe(type_)},"


def _fits(value: Json, type_: Type) -> bool:
    match type_:
        case AnyType():
            return True
        case UnionType():
            return any(_fits(value, member) for member in type_.members)
        case ListType():
            return isinstance(value, list) and all(_fits(item, type_.item) for item in value)
        case ObjectType():
            return isinstance(value, dict) and all(
                _fits(value[name], each.type) if name in value else not each.required
                for name, each in type_.properties.items()
            )
        case NumberType(integer=True):
            return isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
        case _:
            return _kind(value) in kinds(type_)


def _kind(value: Json) -> str:
    match value:
        case bool():
            return "boolean"
        case None:
            return "null"
        case str():
            return "string"
        case int() | float():
            return "number"
        case list():
            return "array"
        case _:
            return "object"


def _id(path: str) -> str:
    """The id of the step at a path: checks[0].scan -> scan."""
    return path.rpartition(".")[2].partition("[")[0].partition("~")[0]
