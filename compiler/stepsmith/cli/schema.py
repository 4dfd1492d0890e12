"""`stepsmith schema`: the JSON Schema of workflows with the project's actions, for editors."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Final

from stepsmith.cli.console import Console, can_show
from stepsmith.cli.failures import CommandError, Exit

EXAMPLE: Final = """
    stepsmith schema
    stepsmith schema -o .vscode/workflow.schema.json
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", metavar="OUT", help="write to this file instead")


def execute(arguments: argparse.Namespace, console: Console) -> int:
    from stepsmith.cli.workflows import here_project, load_catalog
    from stepsmith.editor.workflow_schema import schema_text
    from stepsmith.project import write_atomically

    text = schema_text(load_catalog(here_project(), console))
    if arguments.output:
        try:
            write_atomically(Path(arguments.output), text.encode())
        except OSError as error:
            raise CommandError(f"{arguments.output} cannot be written: {error.strerror or error}") from error
    elif can_show(text, console.out):
        console.out.write(text)
    else:
        console.print_json(json.loads(text))
    return Exit.DONE
