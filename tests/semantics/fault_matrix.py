"""Every fault at every step of the shipped workflows, and whether each run came to what it should.

    python -m tests.semantics.fault_matrix [WORKFLOW…]
    python -m tests.semantics.fault_matrix --write      # docs/faults.md anew

A fault is each error that the step's action declares, a timeout and a crash of its handler, at every attempt and at the
first only, each with a history table that works and with one that fails. Each is set into a run that a rehearsal of
the workflow describes and in which that step succeeds. Exits 1 if a run came to what it should not.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import botocore.session  # type: ignore[import-untyped]

from stepsmith.cli.workflows import SERVICES, compile_file, program_of
from stepsmith.diagnostics import Diagnostics
from stepsmith.loading import load_document, read_source
from stepsmith.local.contracts import contract_of_call
from stepsmith.model.steps import ActionStep, AwsStep
from stepsmith.pipeline import Compilation
from stepsmith.project import Project
from stepsmith.rehearsals.model import Rehearsal
from stepsmith.rehearsals.reading import read_rehearsal
from stepsmith_functions.history.records import RunStatus
from tests.semantics.faults.bench import Bench, Fault, Kind, Observed, faults_of
from tests.semantics.faults.rules import is_in_doubt, problems, repeated
from tests.support.process import process_as_before

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "faults.md"
MARKS: Final = {
    RunStatus.SUCCEEDED: "S",
    RunStatus.FAILED: "F",
    RunStatus.TIMED_OUT: "T",
    RunStatus.ROLLED_BACK: "R",
    RunStatus.ROLLBACK_FAILED: "X",
}
LEGEND: Final = (
    "S the run succeeded, F it failed, T it was timed out, R it was rolled back, X its rollback failed; "
    "12F: twelve faults, each with that end; ! at least one came to what it should not; "
    "* an effect was repeated, where the history that would have told was away; "
    "after a /, the end where it is another without the history"
)
COLUMNS: Final = tuple((kind, lasting) for kind in Kind for lasting in (True, False))
HEADS: Final = ("errors", "errors once", "timeout", "timeout once", "crash", "crash once")


@dataclass
class Cell:
    """The runs with one kind of fault at one step."""

    ends: Counter[str] = field(default_factory=Counter)
    """With a history that works."""
    blind: Counter[str] = field(default_factory=Counter)
    wrong: int = 0
    doubled: int = 0
    """Runs in which an action that must not be repeated was, since the table that would have told was away."""

    def __str__(self) -> str:
        text = _counted(self.ends)
        if self.ends != self.blind:
            text += f"/{_counted(self.blind)}"
        return f"{text}{'!' if self.wrong else ''}{'*' if self.doubled else ''}" or "-"


@dataclass
class Matrix:
    """What came of a workflow's faults."""

    workflow: str
    steps: tuple[tuple[str, str], ...]
    """The id of each step, and what it runs."""
    cells: dict[tuple[str, Kind, bool], Cell] = field(default_factory=dict)
    faults: int = 0
    doubled: int = 0
    wrong: list[str] = field(default_factory=list)
    """In a sentence each."""

    def rows(self) -> Iterator[tuple[str, ...]]:
        for step, runs in self.steps:
            cells = (self.cells.get((step, kind, lasting)) for kind, lasting in COLUMNS)
            yield (step, runs, *("-" if cell is None else str(cell) for cell in cells))


def workflows() -> list[str]:
    """The names of the workflows that ship."""
    return sorted(path.stem for path in (ROOT / "workflows").glob("*.yaml"))


def matrix(name: str, project: Project | None = None) -> Matrix:
    """Runs every fault of a workflow. Raises LookupError for a step that no rehearsal brings to success."""
    project = project or Project(ROOT)
    catalog = project.catalog()
    path = project.workflows_folder / f"{name}.yaml"
    compiled = compile_file(path, path.name, catalog, project)
    workflow = compiled.workflow
    assert workflow is not None, list(compiled.diagnostics)
    acting = [step for step in workflow.every_step() if isinstance(step, ActionStep | AwsStep)]
    found = Matrix(
        name, tuple((step.id, step.action if isinstance(step, ActionStep) else step.call) for step in acting)
    )
    faults = faults_of(workflow, catalog, _errors_of)
    with process_as_before(), tempfile.TemporaryDirectory() as folder:
        program = program_of(compiled, catalog, project)
        with Bench(workflow, program, project, catalog, Path(folder)) as bench:
            bases = _bases(bench, rehearsals(project, compiled, catalog), [step.id for step in acting])
            plain: dict[Fault, Observed] = {}
            for fault in faults:
                base = bases[fault.step]
                seen = bench.run(base, fault)
                twin = Fault(fault.step, fault.kind, fault.error, fault.lasting, history=True)
                plain.setdefault(twin, seen)
                assert isinstance(base.input, dict)
                given: dict[str, Any] = dict(base.input)
                wrong = list(problems(workflow, catalog, given, fault, seen, plain[twin]))
                doubled = is_in_doubt(fault) and any(repeated(workflow, catalog, seen))
                _note(found, fault, seen, wrong, base, doubled=doubled)
    return found


def _errors_of(step: AwsStep) -> tuple[str, ...]:
    """What the operation declares, and what stands for all else: the contract of a mock has all of the service's."""
    boto = next(name for name, package in SERVICES.services().items() if package == step.service)
    service = botocore.session.get_session().get_service_model(boto)
    operation = step.operation[:1].upper() + step.operation[1:]
    shapes = {shape.name.removesuffix("Exception") for shape in service.operation_model(operation).error_shapes}
    known = contract_of_call(step, SERVICES).errors or ()
    names = {name: name.partition(".")[2].removesuffix("Exception") for name in known}
    return tuple(name for name in known if names[name] in {*shapes, name.partition(".")[0], "SdkClient"})


def rehearsals(project: Project, compiled: Compilation, catalog: Any) -> list[Rehearsal]:
    """The rehearsals of the workflow, in the order of their names."""
    assert compiled.workflow is not None
    found = []
    for file in sorted((project.workflows_folder / "rehearsals").glob(f"{compiled.workflow.name}.*.yaml")):
        diagnostics = Diagnostics()
        source = read_source(file.name, file.read_bytes(), diagnostics)
        assert source is not None
        document = load_document(source, diagnostics)
        assert document is not None
        rehearsal = read_rehearsal(document, file.stem, compiled.workflow, catalog, diagnostics)
        assert rehearsal is not None, list(diagnostics)
        found.append(rehearsal)
    return found


def _bases(bench: Bench, given: Sequence[Rehearsal], steps: Iterable[str]) -> dict[str, Rehearsal]:
    """For each step the rehearsal in which it succeeds and most else happens; of equals the first."""
    runs = [(rehearsal, bench.run(rehearsal, None)) for rehearsal in given]
    found = {}
    for step in steps:
        fitting = [
            (len({call.path for call in run.calls}), rehearsal)
            for rehearsal, run in runs
            if any(call.step == step and call.heard for call in run.calls)
        ]
        if not fitting:
            seen = {call.error: call.message for _, run in runs for call in run.calls if call.step == step}
            raise LookupError(f"in no rehearsal {step} succeeds; it ends with {seen}")
        most = max(count for count, _ in fitting)
        found[step] = next(rehearsal for count, rehearsal in fitting if count == most)
    return found


def _note(found: Matrix, fault: Fault, seen: Observed, wrong: list[str], base: Rehearsal, *, doubled: bool) -> None:
    cell = found.cells.setdefault((fault.step, fault.kind, fault.lasting), Cell())
    (cell.ends if fault.history else cell.blind)[MARKS.get(seen.status, "?")] += 1
    found.faults += 1
    cell.doubled += doubled
    found.doubled += doubled
    if wrong:
        cell.wrong += 1
        found.wrong.append(f"{found.workflow}, {fault} (in {base.name}): {'; '.join(wrong)}")


def _counted(ends: Counter[str]) -> str:
    return " ".join(mark if count == 1 else f"{count}{mark}" for mark, count in sorted(ends.items()))


def text_of(found: Sequence[Matrix]) -> Iterator[str]:
    """The tables for a terminal."""
    rows = [("step", "runs", *HEADS), *(row for each in found for row in each.rows())]
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]

    def line(row: Sequence[str]) -> str:
        return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()

    for each in found:
        yield each.workflow
        yield "  " + line(rows[0])
        yield from ("  " + line(row) for row in each.rows())
        yield ""
    yield LEGEND
    yield from (sentence for each in found for sentence in each.wrong)
    yield total(found)


def total(found: Sequence[Matrix]) -> str:
    faults, wrong = sum(each.faults for each in found), sum(len(each.wrong) for each in found)
    doubled = sum(each.doubled for each in found)
    told = f"; in {doubled} an effect was repeated that only the history could have prevented" if doubled else ""
    return f"{faults:,} faults, {wrong} wrong{told}"


def page_of(found: Sequence[Matrix]) -> str:
    """The generated part of docs/faults.md."""
    lines = [f"**{total(found)}.** {LEGEND[0].upper()}{LEGEND[1:]}.", ""]
    for each in found:
        lines += [f"### {each.workflow}", "", f"| step | runs | {' | '.join(HEADS)} |", "|---" * (2 + len(HEADS)) + "|"]
        lines += [f"| {' | '.join(row)} |" for row in each.rows()]
        lines.append("")
    return "\n".join(lines)


def written(text: str, found: Sequence[Matrix]) -> str:
    """The page with its generated part anew."""
    mark = re.compile(r"(<!-- begin matrix[^>]*-->\n).*?(<!-- end matrix -->)", re.DOTALL)
    text, count = mark.subn(lambda match: f"{match[1]}\n{page_of(found)}\n{match[2]}", text)
    assert count == 1, "the page has no place for the matrix"
    return text


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("workflows", nargs="*", metavar="WORKFLOW", help="default: every workflow that ships")
    parser.add_argument("--write", action="store_true", help="write the tables to docs/faults.md")
    arguments = parser.parse_args(argv)
    unknown = set(arguments.workflows) - set(workflows())
    if unknown or (arguments.write and arguments.workflows):
        parser.error(f"no workflow {', '.join(sorted(unknown))}" if unknown else "--write is for all workflows")
    found = [matrix(name) for name in arguments.workflows or workflows()]
    for line in text_of(found):
        print(line)
    if arguments.write:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
    return 1 if any(each.wrong for each in found) else 0


if __name__ == "__main__":
    sys.exit(main())
