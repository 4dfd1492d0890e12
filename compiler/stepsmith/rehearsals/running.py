"""Runs rehearsals one after another in this process, each in an emulated AWS and an empty folder of its own.

Nothing that a rehearsal does outlives it: no file, no object in a bucket, no entry in the local history.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from stepsmith.catalog import ActionCatalog
from stepsmith.diagnostics import Diagnostics
from stepsmith.document import Entry, Json, ScalarNode
from stepsmith.loading import load_document, read_source
from stepsmith.local.mocks import Mocks
from stepsmith.local.program import Program
from stepsmith.local.runner import RunOptions, RunReport, run_workflow
from stepsmith.model.policies import Then
from stepsmith.model.steps import ChildStep
from stepsmith.pipeline import Compilation
from stepsmith.project import Project, UnreadablePathError, shown
from stepsmith.rehearsals.comparison import Result, compare
from stepsmith.rehearsals.model import Outcome, Rehearsal, Verdict
from stepsmith.rehearsals.reading import SLUG, read_rehearsal, workflow_named
from stepsmith_functions.history.records import RunStatus
from stepsmith_functions.history.result import run_result

FOLDER: Final = "rehearsals"
"""Below `workflows/`."""
_WORKFLOW: Final = re.compile(r"""^workflow:\s*["']?([\w-]+)["']?\s*(?:#.*)?$""", re.MULTILINE)


@dataclass
class Rehearser:
    """Runs the rehearsals of one project. `compile_` compiles a workflow's file; each is compiled once."""

    project: Project
    catalog: ActionCatalog
    compile_: Callable[[Path], Compilation]
    clock: Callable[[], float] = time.perf_counter
    _compiled: dict[str, Compilation] = field(default_factory=dict, init=False, repr=False)

    def rehearse(self, path: Path) -> Verdict:
        """Reads the file `path`, runs what it describes and compares.

        Raises OSError for a file that cannot be read, sam.TemplateError for a template that cannot be, and
        KeyboardInterrupt when the run was stopped from the keyboard.
        """
        began = self.clock()
        found = self._rehearsed(path)
        return replace(found, seconds=self.clock() - began)

    def _rehearsed(self, path: Path) -> Verdict:
        file, diagnostics = shown(path, Path.cwd()), Diagnostics()
        source = read_source(file, path.read_bytes(), diagnostics)
        document = load_document(source, diagnostics) if source is not None else None
        verdict = Verdict(path.name.removesuffix(path.suffix), file, Outcome.INVALID)
        if source is not None:
            verdict = replace(verdict, sources={file: source})
        entry = workflow_named(document, diagnostics) if document is not None else None
        compiled = self._workflow(entry, diagnostics) if entry is not None else None
        if document is None or compiled is None:
            return replace(verdict, diagnostics=tuple(diagnostics))
        if compiled.workflow is None or compiled.asl is None:
            others = {compiled.source.path: compiled.source} if compiled.source else {}
            sources = {**verdict.sources, **others}
            return replace(verdict, diagnostics=tuple(compiled.diagnostics), sources=sources)
        verdict = replace(verdict, workflow=compiled.workflow.name)
        family = self._family(compiled)
        broken = next((each for each in family.values() if each.asl is None), None)
        if broken is not None:
            texts = {broken.source.path: broken.source} if broken.source else {}
            return replace(verdict, diagnostics=tuple(broken.diagnostics), sources={**verdict.sources, **texts})
        children = {name: each.workflow for name, each in family.items() if each.workflow is not None}
        rehearsal = read_rehearsal(document, verdict.name, compiled.workflow, self.catalog, diagnostics, children)
        if rehearsal is None:
            return replace(verdict, diagnostics=tuple(diagnostics))
        report = self.run(rehearsal, compiled)
        differences = tuple(compare(rehearsal.expect, detailed(report)))
        outcome = Outcome.FAILED if differences else Outcome.PASSED
        found = replace(verdict, outcome=outcome, differences=differences, report=report)
        return replace(found, compiled=compiled, rehearsal=rehearsal)

    def _workflow(self, entry: Entry, diagnostics: Diagnostics) -> Compilation | None:
        assert isinstance(entry.value, ScalarNode)
        name = str(entry.value.value)
        if name not in self._compiled:
            try:
                path = self.project.find_workflow(name)
            except UnreadablePathError as error:
                diagnostics.error(SLUG, error.message, entry.value.span, error.help)
                return None
            self._compiled[name] = self.compile_(path)
        return self._compiled[name]

    def _family(self, compiled: Compilation) -> dict[str, Compilation]:
        """The workflows that its steps run, and those that these run, by name; of one that nobody finds the checks have
        told."""
        found: dict[str, Compilation] = {}
        waiting = [compiled]
        while waiting:
            workflow = waiting.pop().workflow
            for step in workflow.every_step() if workflow is not None else ():
                if isinstance(step, ChildStep) and step.workflow not in found:
                    if step.workflow not in self._compiled:
                        self._compiled[step.workflow] = self.compile_(self.project.find_workflow(step.workflow))
                    found[step.workflow] = self._compiled[step.workflow]
                    waiting.append(found[step.workflow])
        return found

    def _program(self, compiled: Compilation, family: Mapping[str, Compilation]) -> Program:
        workflow, machine = compiled.workflow, compiled.machine
        assert workflow is not None
        assert machine is not None
        assert compiled.asl is not None
        assert compiled.origins is not None
        names = dict.fromkeys(step.workflow for step in workflow.every_step() if isinstance(step, ChildStep))
        undoing = compiled.rollback
        return Program(
            workflow.name,
            compiled.asl,
            compiled.origins,
            workflow.version,
            tuple(self._program(family[name], family) for name in names),
            machine.environment,
            Program(undoing.machine.name, undoing.asl, undoing.origins, environment=undoing.machine.environment)
            if undoing is not None
            else None,
            workflow.on_failure is Then.ROLLBACK,
        )

    def run(self, rehearsal: Rehearsal, compiled: Compilation) -> RunReport:
        """Runs what a rehearsal describes. Raises as `rehearse` does."""
        program = self._program(compiled, self._family(compiled))
        with tempfile.TemporaryDirectory(prefix="stepsmith-") as folder:
            options = RunOptions(mocks=Mocks(rehearsal.mocks), working_folder=Path(folder), keep=False)
            report = run_workflow(program, rehearsal.input, self.project, self.catalog, options)
        if report.run.status is RunStatus.CANCELLED:
            raise KeyboardInterrupt
        return report


def detailed(report: RunReport) -> Result:
    """The run's result with the params of each step."""
    result: dict[str, Json] = json.loads(
        json.dumps(run_result(report.run, report.steps, children=report.children, details=True))
    )
    return result


def rehearses(path: Path) -> str | None:
    """The workflow that the file rehearses, as far as its text tells at a glance."""
    try:
        match = _WORKFLOW.search(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None
    return match[1] if match else None
