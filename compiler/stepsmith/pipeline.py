"""The order of the stages; nothing else knows it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from stepsmith.analysis.facts import Analysis
from stepsmith.analysis.flow import analyse, output_type
from stepsmith.asl.origins import Origins
from stepsmith.asl.states import StateMachine
from stepsmith.catalog import ActionCatalog
from stepsmith.checks import run_checks
from stepsmith.checks.context import CheckContext
from stepsmith.diagnostics import Diagnostics
from stepsmith.dialects import read_workflow
from stepsmith.emission import definition_text, origins
from stepsmith.garbage import uncollected
from stepsmith.loading import load_document, read_source
from stepsmith.lowering.continuing import lower_continuation, lower_recorded
from stepsmith.lowering.machine import lower_workflow
from stepsmith.model.signature import Siblings, WorkflowSignature
from stepsmith.model.steps import ChildStep
from stepsmith.model.workflow import Workflow
from stepsmith.services import ServiceCatalog
from stepsmith.source import SourceFile
from stepsmith.verify import verify_machine


@dataclass(frozen=True, slots=True)
class Rollback:
    """The machine that undoes a workflow's runs after their end."""

    machine: StateMachine
    asl: str
    origins: Origins


@dataclass(frozen=True, slots=True)
class Compilation:
    """What came of compiling one file. `asl` and `origins` are there only if no diagnostic is an error."""

    diagnostics: Diagnostics
    source: SourceFile | None = None
    workflow: Workflow | None = None
    machine: StateMachine | None = None
    asl: str | None = None
    """The definition's text."""
    origins: Origins | None = None
    """The source map."""
    rollback: Rollback | None = None
    """What undoes a run after its end; None where no step can be undone."""
    analysis: Analysis | None = None
    """What is known of the workflow's values; there with `asl`."""


def compile_bytes(
    path: str,
    data: bytes,
    catalog: ActionCatalog,
    siblings: Siblings | None = None,
    services: ServiceCatalog | None = None,
) -> Compilation:
    """Compiles the content of a file that people know as `path`."""
    diagnostics = Diagnostics()
    source = read_source(path, data, diagnostics)
    if source is None:
        return Compilation(diagnostics)
    return compile_workflow(source, catalog, diagnostics, siblings, services)


def compile_workflow(
    source: SourceFile,
    catalog: ActionCatalog,
    diagnostics: Diagnostics | None = None,
    siblings: Siblings | None = None,
    services: ServiceCatalog | None = None,
) -> Compilation:
    """Compiles a text; every problem that can be found is found in one run.

    `siblings` are the workflows of the project, for steps that run one, `services` the operations of AWS, for
    steps that call one; None leaves those steps unchecked.
    """
    with uncollected():
        return _compiled(source, catalog, diagnostics if diagnostics is not None else Diagnostics(), siblings, services)


def _compiled(
    source: SourceFile,
    catalog: ActionCatalog,
    diagnostics: Diagnostics,
    siblings: Siblings | None,
    services: ServiceCatalog | None,
) -> Compilation:
    document = load_document(source, diagnostics)
    workflow = read_workflow(document, diagnostics) if document else None
    if workflow is None:
        return Compilation(diagnostics, source)
    analysis = analyse(workflow, catalog, siblings or {}, services)
    run_checks(CheckContext(workflow, analysis, catalog, diagnostics, siblings, services))
    if diagnostics.has_errors:
        return Compilation(diagnostics, source, workflow)
    machine = lower_workflow(workflow, analysis, catalog, services)
    text = definition_text(machine)
    verify_machine(machine, text, diagnostics)
    if diagnostics.has_errors:
        return Compilation(diagnostics, source, workflow, machine)
    rollback = _rollback(workflow, machine, diagnostics)
    if diagnostics.has_errors:
        return Compilation(diagnostics, source, workflow, machine)
    return Compilation(diagnostics, source, workflow, machine, text, origins(workflow, machine), rollback, analysis)


def _rollback(workflow: Workflow, machine: StateMachine, diagnostics: Diagnostics) -> Rollback | None:
    undoing = machine.rollback
    if undoing is None:
        return None
    rollback = Rollback(undoing, definition_text(undoing), origins(workflow, undoing))
    verify_machine(undoing, rollback.asl, diagnostics)
    return rollback


def recorded_part(
    compiled: Compilation, catalog: ActionCatalog, services: ServiceCatalog | None, count: int
) -> tuple[StateMachine, str]:
    """What leads up to the step `count` of a workflow that compiled, to be followed by its records (see
    `lowering.continuing`): the machine and its definition."""
    assert compiled.workflow is not None
    assert compiled.analysis is not None
    machine = lower_recorded(compiled.workflow, compiled.analysis, catalog, services, count)
    return machine, definition_text(machine)


def continuation(
    compiled: Compilation,
    catalog: ActionCatalog,
    services: ServiceCatalog | None,
    count: int,
    given: Collection[str],
) -> Compilation:
    """The workflow of `compiled` as a machine that begins behind its first `count` steps and is given the values of the
    variables `given`."""
    workflow, analysis = compiled.workflow, compiled.analysis
    assert workflow is not None
    assert analysis is not None
    diagnostics = Diagnostics()
    with uncollected():
        machine = lower_continuation(workflow, analysis, catalog, services, count, given)
        text = definition_text(machine)
        verify_machine(machine, text, diagnostics)
        rollback = _rollback(workflow, machine, diagnostics)
        if diagnostics.has_errors:
            return Compilation(diagnostics, compiled.source, workflow, machine)
        source_map = origins(workflow, machine)
    return Compilation(diagnostics, compiled.source, workflow, machine, text, source_map, rollback, analysis)


def read_signature(
    path: str, data: bytes, catalog: ActionCatalog, services: ServiceCatalog | None = None
) -> WorkflowSignature | None:
    """What other workflows may know of the one in a file; None when too little of it can be read."""
    diagnostics = Diagnostics()
    source = read_source(path, data, diagnostics)
    document = load_document(source, diagnostics) if source else None
    workflow = read_workflow(document, diagnostics) if document else None
    if workflow is None:
        return None
    analysis = analyse(workflow, catalog, {}, services)
    children = [step.workflow for step in workflow.every_step() if isinstance(step, ChildStep)]
    return WorkflowSignature(
        workflow.name, workflow.type, workflow.input, output_type(workflow, analysis), tuple(dict.fromkeys(children))
    )
