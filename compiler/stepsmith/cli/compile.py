"""`stepsmith compile`: the state machine that one workflow becomes, and nothing else, on standard output."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Final

from stepsmith.cli.console import Console, can_show
from stepsmith.cli.failures import CommandError, Exit
from stepsmith.cli.workflows import compile_file, find_workflow, load_catalog, report, sources_of
from stepsmith.project import shown, write_atomically

EXAMPLE: Final = """
    stepsmith compile workflows/order.yaml
    stepsmith compile order -o order.asl.json
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workflow", metavar="FILE", help="a workflow's file or name")
    parser.add_argument("-o", "--output", metavar="OUT", help="write to this file instead")


def execute(arguments: argparse.Namespace, console: Console) -> int:
    project, path = find_workflow(arguments.workflow)
    compiled = compile_file(path, shown(path, Path.cwd()), load_catalog(project, console), project)
    report(list(compiled.diagnostics), sources_of(compiled), console, to_stderr=True)
    if compiled.asl is None:
        return Exit.PROBLEMS
    if arguments.output:
        try:
            write_atomically(Path(arguments.output), compiled.asl.encode())
        except OSError as error:
            raise CommandError(f"{arguments.output} cannot be written: {error.strerror or error}") from error
    else:
        if can_show(compiled.asl, console.out):
            console.out.write(compiled.asl)
        else:
            console.print_json(json.loads(compiled.asl))
    return Exit.DONE
