"""`stepsmith check`: every problem of every workflow in one go."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from stepsmith.cli.console import Console, plural
from stepsmith.cli.failures import Exit
from stepsmith.cli.workflows import compile_file, load_catalog, sources_of, workflow_paths
from stepsmith.project import shown
from stepsmith.reporting import Format, render

EXAMPLE: Final = """
    stepsmith check
    stepsmith check workflows/order.yaml --format json
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", metavar="PATH", help="files or folders (default: all of workflows/)")
    parser.add_argument(
        "--format", choices=[form.value for form in Format], default="text", help="how to print (default: text)"
    )


def execute(arguments: argparse.Namespace, console: Console) -> int:
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
