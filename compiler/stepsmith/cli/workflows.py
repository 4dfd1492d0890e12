"""What the commands that read workflows share: which file is meant, in which project, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stepsmith.catalog import ActionCatalog
from stepsmith.cli.console import Console
from stepsmith.cli.failures import CommandError, Exit
from stepsmith.diagnostics import Diagnostic
from stepsmith.local.service_models import ServiceModels
from stepsmith.model.policies import Then
from stepsmith.model.steps import ChildStep
from stepsmith.model.workflow import Workflow
from stepsmith.pipeline import Compilation, compile_bytes
from stepsmith.project import (
    Project,
    ProjectError,
    UnreadablePathError,
    declared_name,
    project_of,
    shown,
    workflow_files_in,
)
from stepsmith.reporting import render
from stepsmith.source import SourceFile

if TYPE_CHECKING:
    from stepsmith.local.program import Program
    from stepsmith_functions.history.records import RunRecord


def here_project(path: Path | None = None) -> Project:
    """The project around `path`, else around the working folder."""
    return project_of(path, Path.cwd())


def find_workflow(argument: str) -> tuple[Project, Path]:
    """The workflow that a name or a path means, and its project. Raises CommandError if there is none."""
    path = Path(argument)
    if path.is_file():
        return here_project(path), path
    project = here_project()
    if "/" not in argument and (project.workflows_folder / argument).is_file():
        return project, project.workflows_folder / argument
    if path.suffix or "/" in argument:
        raise CommandError(f"{argument} cannot be opened: {_why_not(path)}")
    try:
        return project, project.find_workflow(argument)
    except UnreadablePathError as error:
        raise CommandError(error.message, help=error.help) from error


def workflow_of(run: RunRecord) -> tuple[Project, Path]:
    """The workflow of a run, as it is now, and its project: the file that it was run from, where that still is the
    same workflow, else the one of that name. Raises CommandError if there is none."""
    project = here_project()
    if run.file is not None and declared_name(path := project.root / run.file) == run.workflow:
        return project, path
    try:
        return find_workflow(run.workflow)
    except CommandError as error:
        if run.file is None:
            raise
        was = f"run {run.run_id[:8]} was run from {run.file}, where it is no more"
        raise CommandError(error.message, help=f"{was}; {error.help}") from error


def workflow_paths(arguments: list[str]) -> tuple[Project, list[Path]]:
    """The files that names and paths mean, folders standing for the workflows inside; all of the project for none."""
    if not arguments:
        project = here_project()
        files = list(project.workflow_files())
        if not files:
            raise CommandError(
                f"there is no workflow in {shown(project.workflows_folder, Path.cwd())}",
                help="name a file, or call this where the project is",
            )
        return project, files
    paths: dict[Path, None] = {}
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            inner = path / "workflows" if (path / "workflows").is_dir() else path
            paths |= dict.fromkeys(workflow_files_in(inner))
        elif path.exists():
            paths[path] = None
        else:
            paths[find_workflow(argument)[1]] = None
    first = next(iter(paths), None)
    return here_project(first), list(paths)


def load_catalog(project: Project, console: Console | None = None) -> ActionCatalog:
    """The project's catalogue; a terminal is told while it is rebuilt.

    Raises CommandError if an action cannot be imported.
    """
    try:
        with console.working("reading the actions") if console else nullcontext():
            return project.catalog()
    except ProjectError as error:
        raise CommandError(error.message, help=error.help, status=Exit.PROBLEMS) from error


def compile_file(path: Path, name: str, catalog: ActionCatalog, project: Project) -> Compilation:
    """Compiles the file `path` of `project`, known to people as `name`. Raises CommandError if it cannot be opened."""
    return compile_bytes(name, read_bytes(path), catalog, project.siblings(catalog), SERVICES)


def program_of(compiled: Compilation, catalog: ActionCatalog, project: Project) -> Program:
    """A compiled workflow as a run needs it, with the workflows that it starts. Raises CommandError for one of those
    that does not compile."""
    from stepsmith.local.program import Program

    workflow, machine = compiled.workflow, compiled.machine
    assert workflow is not None
    assert machine is not None
    assert compiled.asl is not None
    assert compiled.origins is not None
    names = dict.fromkeys(step.workflow for step in workflow.every_step() if isinstance(step, ChildStep))
    children: list[Program] = []
    for name in names:
        path = project.find_workflow(name)
        child = compile_file(path, project.relative(path), catalog, project)
        if child.asl is None:
            raise CommandError(
                f"{project.relative(path)}, which {workflow.name} runs, has problems",
                help=f"see them with stepsmith check {project.relative(path)}",
                status=Exit.PROBLEMS,
            )
        children.append(program_of(child, catalog, project))
    return Program(
        workflow.name,
        compiled.asl,
        compiled.origins,
        workflow.version,
        tuple(children),
        machine.environment,
        _rollback_of(compiled),
        workflow.on_failure is Then.ROLLBACK,
        project.relative(Path(compiled.source.path).absolute()) if compiled.source is not None else None,
    )


def children_of(compiled: Compilation, catalog: ActionCatalog, project: Project) -> dict[str, Workflow]:
    """The workflows that its steps run, and those that these run, by name. Raises CommandError for one that cannot be
    opened."""
    found: dict[str, Workflow] = {}
    waiting = [compiled.workflow]
    while waiting:
        workflow = waiting.pop()
        for step in workflow.every_step() if workflow is not None else ():
            if isinstance(step, ChildStep) and step.workflow not in found:
                path = project.find_workflow(step.workflow)
                child = compile_file(path, project.relative(path), catalog, project).workflow
                if child is not None:
                    found[step.workflow] = child
                    waiting.append(child)
    return found


def _rollback_of(compiled: Compilation) -> Program | None:
    from stepsmith.local.program import Program

    undoing = compiled.rollback
    if undoing is None:
        return None
    return Program(undoing.machine.name, undoing.asl, undoing.origins, environment=undoing.machine.environment)


SERVICES: Final = ServiceModels()
"""The operations of AWS; a service is read when a workflow calls it, once for all files."""


def read_bytes(path: Path) -> bytes:
    """What the file holds. Raises CommandError if it cannot be opened."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path} cannot be opened: {error.strerror or error}") from error


def report(
    diagnostics: list[Diagnostic], sources: Mapping[str, SourceFile], console: Console, *, to_stderr: bool = False
) -> None:
    """Prints diagnostics for a person."""
    stream = console.err if to_stderr else console.out
    stream.write(render(diagnostics, sources, "text", colour=console.colour and not to_stderr))


def sources_of(*compilations: Compilation) -> dict[str, SourceFile]:
    """The texts of compiled files by the path in their spans."""
    return {item.source.path: item.source for item in compilations if item.source is not None}


def _why_not(path: Path) -> str:
    return "it is a folder" if path.is_dir() else "there is no such file"
