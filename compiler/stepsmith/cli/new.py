"""`stepsmith new`: a workflow or an action to start from. It never overwrites anything."""

from __future__ import annotations

import argparse
import keyword
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stepsmith.cli.console import Console
from stepsmith.cli.failures import CommandError, Exit

if TYPE_CHECKING:
    from stepsmith.project import Project

EXAMPLE: Final = """
    stepsmith new workflow isolate-host
    stepsmith new action isolate_host
"""
_WORKFLOW_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,62}")
_ACTION_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_LONGEST_ACTION: Final = 40
"""Characters; the function's name and its state's are made of it."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=("workflow", "action"), metavar="workflow|action", help="what to begin")
    parser.add_argument("name", metavar="NAME", help="isolate-host for a workflow, isolate_host for an action")


def execute(arguments: argparse.Namespace, console: Console) -> int:
    from stepsmith.cli.workflows import here_project

    project = here_project()
    if arguments.kind == "workflow":
        files, following = _workflow(arguments.name, project, console)
    else:
        files, following = _action(arguments.name, project)
    _write(files, project, console)
    console.print()
    console.print("next:")
    for command in following:
        console.print(f"  {command}")
    return Exit.DONE


def _workflow(name: str, project: Project, console: Console) -> tuple[Mapping[Path, str], list[str]]:
    from stepsmith.cli.workflows import load_catalog
    from stepsmith.project import UnreadablePathError
    from stepsmith.scaffolds.workflow import rehearsal_text, workflow_text

    _check_name(name, _WORKFLOW_NAME, "a workflow", "-")
    try:
        found = project.find_workflow(name)
    except UnreadablePathError:
        pass
    else:
        raise CommandError(f'{project.relative(found)} is called "{name}" already')
    catalog = load_catalog(project, console)
    folder = project.workflows_folder
    files = {
        folder / f"{name}.yaml": workflow_text(name, catalog),
        folder / "rehearsals" / f"{name}.happy-path.yaml": rehearsal_text(name, catalog),
    }
    following = [
        "stepsmith check",
        f"stepsmith run {name} -p subject='a strange login' -p severity=high",
        f"stepsmith test {name}",
        "stepsmith build",
    ]
    return files, following


def _action(name: str, project: Project) -> tuple[Mapping[Path, str], list[str]]:
    from stepsmith.scaffolds.action import event_text, module_text, pascal, test_text

    _check_name(name, _ACTION_NAME, "an action", "_")
    if len(name) > _LONGEST_ACTION:
        raise CommandError(f"an action's name has at most {_LONGEST_ACTION} characters")
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise CommandError(f'"{name}" means something in Python', help=f"write {name}_something")
    if not project.has_own_functions:
        raise CommandError(
            "this project has no functions of its own",
            help="actions live in functions/stepsmith_functions/actions/; call this where that folder is",
        )
    event, test = f"events/actions/{name}.json", f"tests/functions/actions/test_{name}.py"
    files = {
        project.functions_folder / "stepsmith_functions" / "actions" / f"{name}.py": module_text(name),
        project.root / event: event_text(name),
        project.root / test: test_text(name, event, test.count("/")),
    }
    following = [
        f"python -m pytest {test}",
        "stepsmith build",
        f"stepsmith actions {name}",
        f"sam local invoke {pascal(name)}Function --event {event}",
    ]
    return files, following


def _check_name(name: str, allowed: re.Pattern[str], noun: str, between: str) -> None:
    if allowed.fullmatch(name):
        return
    better = re.sub(r"[^a-z0-9]+", between, re.sub(r"(?<=[a-z0-9])(?=[A-Z])", between, name).lower()).strip(between)
    help_ = (
        f"write {better}" if allowed.fullmatch(better) else f"begin with a letter, then letters, digits or {between}"
    )
    raise CommandError(f'"{name}" is no name for {noun}', help=help_)


def _write(files: Mapping[Path, str], project: Project, console: Console) -> None:
    """Writes all of them, or nothing where one is there already."""
    from stepsmith.project import write_atomically

    for path in files:
        if path.exists():
            raise CommandError(f"{project.relative(path)} is there already", help="choose another name, or delete it")
    for path, text in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, text.encode())
        except OSError as error:
            raise CommandError(f"{project.relative(path)} cannot be written: {error.strerror or error}") from error
        console.print(f"{console.style('written', 'green')}  {project.relative(path)}")
