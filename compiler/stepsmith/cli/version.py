"""`stepsmith version`."""

from __future__ import annotations

import argparse
from typing import Final

from stepsmith import __version__
from stepsmith.cli.console import Console
from stepsmith.cli.failures import Exit

EXAMPLE: Final = "stepsmith version --json"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="as JSON, with Python's version")


def execute(arguments: argparse.Namespace, console: Console) -> int:
    if arguments.json:
        import json
        import platform

        console.print(json.dumps({"version": __version__, "python": platform.python_version()}))
    else:
        console.print(f"stepsmith {__version__}")
    return Exit.DONE
