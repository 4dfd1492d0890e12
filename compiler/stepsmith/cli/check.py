"""`stepsmith check`: every problem of every workflow in one go."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from stepsmith.cli.console import Console, plural
from stepsmith.cli.failures import CommandError, Exit
from stepsmith.cli.watching import Changes, watch
from stepsmith.cli.workflows import compile_file, here_project, load_catalog, sources_of, workflow_paths
from stepsmith.project import shown
from stepsmith.reporting import Format, render

EXAMPLE: Final = """
    stepsmith check
    stepsmith check order
    stepsmith check workflows/order.yaml --format json
    stepsmith check --watch
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="*", metavar="WORKFLOW", help="names, files or folders (default: all of workflows/)"
    )
    parser.add_argument(
        "--format", choices=[form.value for form in Format], default="text", help="how to print (default: text)"
    )
    parser.add_argument(
        "--watch", action="store_true", help="check again whenever a workflow or an action changes, until Ctrl-C"
    )


def execute(arguments: argparse.Namespace, console: Console) -> int:
    if arguments.watch:
        return _watch(arguments, console)
    return _check(arguments, console)


def _check(arguments: argparse.Namespace, console: Console) -> int:
    project, paths = workflow_paths(arguments.paths)
    catalog = load_catalog(project, console)
    here = Path.cwd()
    with console.working(f"checking {plural(len(paths), 'workflow')}"):
        compiled = [compile_file(path, shown(path, here), catalog, project) for path in paths]
    diagnostics = [diagnostic for item in compiled for diagnostic in item.diagnostics]
    text = render(diagnostics, sources_of(*compiled), arguments.format, colour=console.colour)
    console.out.write(text if not text or text.endswith("\n") else text + "\n")
    if arguments.format == "text" and not diagnostics:
        mark = console.style(console.symbol("succeeded"), "green")
        console.print(f"{mark} {plural(len(paths), 'workflow')}, no problems")
    return Exit.PROBLEMS if any(item.diagnostics.has_errors for item in compiled) else Exit.DONE


# -- watching -------------------------------------------------------------------------------------


def _watch(arguments: argparse.Namespace, console: Console) -> int:
    if arguments.format != "text":
        raise CommandError("--watch prints for people only", help="leave out --format")
    # What is wrong with the call itself ends it; what goes wrong later does not.
    workflow_paths(arguments.paths)

    def again(changes: Changes) -> None:
        console.print()
        for line in change_lines(changes):
            console.print(console.style(line, "cyan"))
        _check_and_stay(arguments, console)

    try:
        _check_and_stay(arguments, console)
        console.note("watching for changes; Ctrl-C ends it")
        watch(lambda: watched_files(arguments.paths), again)
    except KeyboardInterrupt:
        # To interrupt is how one is done with watching.
        console.note("")
    return Exit.DONE


def _check_and_stay(arguments: argparse.Namespace, console: Console) -> None:
    try:
        _check(arguments, console)
    except CommandError as error:
        console.note(f"stepsmith: {error.message}")
        if error.help:
            console.note(f"  {error.help}")
    console.out.flush()


def watched_files(arguments: list[str]) -> Iterator[Path]:
    """The workflows that are meant, those that they may run, and what the contracts of actions are made of."""
    first = Path(arguments[0]) if arguments else None
    project = here_project(first)
    try:
        _, paths = workflow_paths(arguments)
    except CommandError:
        # One of them is gone for now.
        paths = [Path(argument) for argument in arguments]
    yield from dict.fromkeys((*paths, *project.workflow_files()))
    if project.has_own_functions:
        yield from project.contract_files()


def change_lines(changes: Changes) -> Iterator[str]:
    """What changed, a line each."""
    here = Path.cwd()
    for word, paths in (("changed", changes.changed), ("new", changes.new), ("gone", changes.gone)):
        for path in paths:
            yield f"{word}: {shown(path, here)}"
