"""`stepsmith build`: brings what follows from workflows and actions up to date.

It decides first and acts last: every file that should change is known before one is written, and `--check` shows the
same changes without making them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Final

from stepsmith.catalog import ActionCatalog, read_catalog
from stepsmith.cli.action_page import action_page
from stepsmith.cli.console import Console
from stepsmith.cli.failures import CommandError, Exit
from stepsmith.cli.workflows import compile_file, here_project, load_catalog, report, sources_of
from stepsmith.diagnostics import Diagnostic, Severity
from stepsmith.editor.workflow_schema import FILE_NAME, schema_text
from stepsmith.pipeline import Compilation
from stepsmith.project import Project, ProjectError, write_atomically
from stepsmith.source import SourceFile
from stepsmith.template.machines import Deployable
from stepsmith.template.plan import CATALOGUE, plan_template

EXAMPLE: Final = """
    stepsmith build
    stepsmith build --check
"""


@dataclass(frozen=True, slots=True)
class Edit:
    """A file as it is and as it should be; None where it is not there."""

    path: Path
    before: str | None
    after: str | None

    @property
    def change(self) -> str:
        if self.before == self.after:
            return "unchanged"
        return "removed" if self.after is None else "written"

    def difference(self, name: str) -> str:
        """The change as a unified diff."""
        before, after = (text.splitlines() if text is not None else [] for text in (self.before, self.after))
        old = name if self.before is not None else "/dev/null"
        new = name if self.after is not None else "/dev/null"
        lines = list(unified_diff(before, after, old, new, lineterm=""))
        return "\n".join(lines or [f"--- {old}", f"+++ {new}", "@@ line ends differ @@"])


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="write nothing; print what is out of date and exit 1")
    parser.add_argument(
        "--force", action="store_true", help="overwrite changes made by hand inside generated resources"
    )


def execute(arguments: argparse.Namespace, console: Console) -> int:
    project = here_project()
    if not project.template.is_file() and not project.workflows_folder.is_dir():
        raise CommandError("there is no project here", help="a project has a template.yaml or a folder workflows/")
    with console.working("reading the actions"):
        catalogue = _catalogue_edit(project)
    catalog = read_catalog(catalogue.after) if catalogue and catalogue.after else load_catalog(project, console)
    with console.working("compiling"):
        compiled = [compile_file(path, project.relative(path), catalog, project) for path in project.workflow_files()]
    diagnostics = [diagnostic for item in compiled for diagnostic in item.diagnostics]
    sources = sources_of(*compiled)
    edits = [catalogue] if catalogue else []
    if project.workflows_folder.is_dir():
        edits.append(_schema(project, catalog))
    if project.has_own_functions and project.action_page.parent.is_dir():
        edits.append(Edit(project.action_page, _text_of(project.action_page), action_page(catalog)))
    if not _has_errors(diagnostics):
        edits += _definitions(project, compiled)
        if project.template.is_file():
            planned, problems = _template(project, compiled, catalog, arguments.force)
            diagnostics += problems
            edits.append(planned)
            sources[planned.path.name] = SourceFile(planned.path.name, planned.before or "")
        else:
            console.note("there is no template.yaml: only definitions are built")
    report(diagnostics, sources, console, to_stderr=True)
    if _has_errors(diagnostics):
        console.note("nothing was written")
        return Exit.PROBLEMS
    return _show(edits, project, console) if arguments.check else _write(edits, project, console)


def _catalogue_edit(project: Project) -> Edit | None:
    """The catalogue as it should be; None for a project without functions of its own."""
    if not project.has_own_functions:
        return None
    before = _text_of(project.catalog_file)
    digests = project.contract_digests()
    try:
        if before is not None and json.loads(before).get("sources") == digests:
            return Edit(project.catalog_file, before, before)
    except (ValueError, AttributeError):
        pass  # it is rebuilt
    try:
        return Edit(project.catalog_file, before, project.catalog_text(digests))
    except ProjectError as error:
        raise CommandError(error.message, help=error.help, status=Exit.PROBLEMS) from error


def _schema(project: Project, catalog: ActionCatalog) -> Edit:
    """What editors are told of the workflows that stand beside it."""
    path = project.workflows_folder / FILE_NAME
    return Edit(path, _text_of(path), schema_text(catalog))


def _definitions(project: Project, compiled: list[Compilation]) -> list[Edit]:
    """The compiled machines with their source maps, and the removal of those whose workflow is gone."""
    wanted: dict[Path, str] = {}
    for item in compiled:
        assert item.workflow is not None
        assert item.asl is not None
        name = item.workflow.name
        built = [(name, item.asl, item.origins)]
        if item.rollback is not None:
            built.append((item.rollback.machine.name, item.rollback.asl, item.rollback.origins))
        for machine, definition, origins in built:
            wanted[project.asl_folder / f"{machine}.asl.json"] = definition
            source_map = json.dumps(origins, indent=2, ensure_ascii=False) + "\n"
            wanted[project.asl_folder / f"{machine}.map.json"] = source_map
    edits = [Edit(path, _text_of(path), text) for path, text in wanted.items()]
    return edits + [Edit(path, _text_of(path), None) for path in _built(project) if path not in wanted]


def _built(project: Project) -> Iterator[Path]:
    for pattern in ("*.asl.json", "*.map.json"):
        yield from sorted(project.asl_folder.glob(pattern))


def _template(
    project: Project, compiled: list[Compilation], catalog: ActionCatalog, force: bool
) -> tuple[Edit, list[Diagnostic]]:
    before = _text_of(project.template)
    assert before is not None
    items = []
    for item in compiled:
        assert item.workflow is not None
        assert item.machine is not None
        assert item.source is not None
        definition = project.asl_folder / f"{item.workflow.name}.asl.json"
        items.append(Deployable.of(item.workflow, item.machine, item.source.path, project.relative(definition)))
    own = catalog if project.has_own_functions else ActionCatalog()
    plan = plan_template(before, items, own, path=project.template.name, catalogue=CATALOGUE, force=force)
    return Edit(project.template, before, plan.text), list(plan.diagnostics)


def _show(edits: list[Edit], project: Project, console: Console) -> int:
    stale = [edit for edit in edits if edit.change != "unchanged"]
    for edit in stale:
        for line in edit.difference(project.relative(edit.path)).splitlines():
            console.print(console.style(line, *_DIFF_STYLES.get(line[:1], ())))
    if stale:
        console.note(f"out of date: {', '.join(project.relative(edit.path) for edit in stale)}")
        console.note("  stepsmith build brings them up to date")
        return Exit.PROBLEMS
    mark = console.style(console.symbol("succeeded"), "green")
    console.print(f"{mark} everything is up to date")
    return Exit.DONE


_DIFF_STYLES: Final = {"+": ("green",), "-": ("red",), "@": ("cyan",)}


def _write(edits: list[Edit], project: Project, console: Console) -> int:
    rows = []
    for edit in edits:
        try:
            if edit.after is None:
                edit.path.unlink()
            elif edit.change == "written":
                edit.path.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(edit.path, edit.after.encode())
        except OSError as error:
            name = project.relative(edit.path)
            raise CommandError(f"{name} cannot be written: {error.strerror or error}") from error
        change = edit.change
        rows.append((console.style(change, "dim" if change == "unchanged" else "green"), project.relative(edit.path)))
    for line in console.table(rows):
        console.print(line)
    return Exit.DONE


def _text_of(path: Path) -> str | None:
    try:
        # Line ends stay as they are: the template's author chose them.
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read: {error}") from error


def _has_errors(diagnostics: list[Diagnostic]) -> bool:
    return any(diagnostic.severity is Severity.ERROR for diagnostic in diagnostics)
