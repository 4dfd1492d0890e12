"""`stepsmith graph`: the picture of a workflow, or of a run of it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stepsmith.cli.console import Console, can_show
from stepsmith.cli.failures import CommandError, Exit

if TYPE_CHECKING:
    from stepsmith.graphs.marks import Mark
    from stepsmith.graphs.picture import Picture

EXAMPLE: Final = """
    stepsmith graph critical-threat-response
    stepsmith graph critical-threat-response --run latest
    stepsmith graph workflows/order.yaml -o order.svg
    stepsmith graph order --format mermaid >> docs/order.md
"""
FORMATS: Final = ("text", "mermaid", "svg", "png")
_BY_SUFFIX: Final = {".svg": "svg", ".png": "png", ".mmd": "mermaid", ".mermaid": "mermaid"}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workflow", metavar="WORKFLOW", help="its name or its file")
    parser.add_argument("--format", choices=FORMATS, help="what to draw (default: by the name of OUT, else text)")
    parser.add_argument("--run", metavar="RUN", help="colour each step by how it went in this run (an id, or latest)")
    parser.add_argument("-o", "--output", metavar="OUT", help="write to this file instead")


def execute(arguments: argparse.Namespace, console: Console) -> int:
    from stepsmith.cli.workflows import compile_file, find_workflow, load_catalog, report, sources_of
    from stepsmith.graphs.picture import picture
    from stepsmith.project import shown

    project, path = find_workflow(arguments.workflow)
    compiled = compile_file(path, shown(path, Path.cwd()), load_catalog(project, console), project)
    # What can be read can be drawn, mistakes or not.
    report(list(compiled.diagnostics), sources_of(compiled), console, to_stderr=True)
    if compiled.workflow is None:
        return Exit.PROBLEMS
    drawn = picture(compiled.workflow)
    marks = _marks(arguments.run, compiled.workflow.name, drawn) if arguments.run else None
    form = arguments.format or _BY_SUFFIX.get(Path(arguments.output or "").suffix.lower(), "text")
    _draw(drawn, marks, form, arguments.output, console)
    return Exit.PROBLEMS if compiled.diagnostics.has_errors else Exit.DONE


def _marks(word: str, workflow: str, picture: Picture) -> Mapping[str, Mark]:
    """How the steps went in a run of the local history."""
    from stepsmith.cli.history import find_run, open_history, unavailable
    from stepsmith.graphs.marks import marks_of, with_made
    from stepsmith_functions.history.result import result_of
    from stepsmith_functions.history.store import HistoryError

    store = open_history()
    run_id = find_run(store, word, workflow)
    try:
        result = json.loads(json.dumps(result_of(store, run_id, load_values=False)))
    except HistoryError as error:
        raise unavailable(error) from error
    if result["workflow"] != workflow:
        raise CommandError(f"run {run_id[:8]} is one of {result['workflow']}, not of {workflow}")
    return with_made(marks_of(result["steps"]), picture)


def _draw(picture: Picture, marks: Mapping[str, Mark] | None, form: str, output: str | None, console: Console) -> None:
    match form:
        case "text":
            _put(_text(picture, marks, console, plain=output is not None), output, console)
        case "mermaid":
            from stepsmith.graphs.mermaid import mermaid

            _put(mermaid(picture, marks), output, console)
        case "svg":
            from stepsmith.graphs.svg import svg

            _put(svg(picture, marks), output, console)
        case _:
            _put_image(picture, marks, output, console)


def _text(picture: Picture, marks: Mapping[str, Mark] | None, console: Console, *, plain: bool) -> str:
    from stepsmith.graphs.text import text_lines, unstyled

    style = unstyled if plain else lambda text, name: console.style(text, name)
    ascii_only = not plain and not can_show("├─│✓", console.out)
    return "".join(f"{line}\n" for line in text_lines(picture, marks, style=style, ascii_only=ascii_only))


def _put_image(picture: Picture, marks: Mapping[str, Mark] | None, output: str | None, console: Console) -> None:
    from stepsmith.graphs.png import PngError, png
    from stepsmith.graphs.style import FONT
    from stepsmith.graphs.svg import svg

    if output is None and (console.live or not hasattr(console.out, "buffer")):
        raise CommandError("a terminal cannot show PNG", help="name a file: -o workflow.png")
    try:
        image = png(svg(picture, marks), FONT)
    except PngError as error:
        raise CommandError(error.message, help=error.help) from error
    if output is None:
        console.out.flush()
        console.out.buffer.write(image)
    else:
        _write(output, image)


def _put(text: str, output: str | None, console: Console) -> None:
    if output is None:
        console.out.write(text)
    else:
        _write(output, text.encode())


def _write(output: str, data: bytes) -> None:
    from stepsmith.project import write_atomically

    try:
        write_atomically(Path(output), data)
    except OSError as error:
        raise CommandError(f"{output} cannot be written: {error.strerror or error}") from error
