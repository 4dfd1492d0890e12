"""`stepsmith eval`: compiles one expression as in a workflow and evaluates it, or many of them for a program."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stepsmith.cli.console import Console, can_show
from stepsmith.cli.failures import CommandError, Exit

if TYPE_CHECKING:
    from stepsmith.document import Json

EXAMPLE: Final = """
    stepsmith eval "input.files | length > 2" --data '{"input": {"files": ["a", "b"]}}'
    stepsmith eval "{{ input.name | upper }} is here" --data event.json
    stepsmith eval "steps.kill.status == 'failed'" --condition --jsonata
    stepsmith eval --batch rows.jsonl
"""
_MODES: Final = ("template", "condition")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("expression", nargs="?", metavar="EXPRESSION", help="an expression, or a text with {{ … }}")
    parser.add_argument(
        "--data",
        metavar="JSON|FILE",
        help="the names in scope: input, steps, any other key is a variable (- for standard input)",
    )
    parser.add_argument("--condition", action="store_true", help="read it as an `if:`; the value is true or false")
    parser.add_argument("--jsonata", action="store_true", help="print what it is compiled to, and evaluate nothing")
    parser.add_argument(
        "--batch",
        metavar="FILE",
        help='JSON Lines {"expression", "data", "schema"?, "mode"?}; prints a line of JSON for each (- for stdin)',
    )
    parser.add_argument("--json", action="store_true", help="print the value or the error as a JSON object")


def execute(arguments: argparse.Namespace, console: Console) -> int:
    if (arguments.expression is None) == (arguments.batch is None):
        raise CommandError("write one expression, or --batch FILE", help="see: stepsmith eval --help")
    if arguments.batch is not None:
        if arguments.data or arguments.condition or arguments.json:
            raise CommandError("with --batch each line has its own data and mode")
        return _batch(arguments.batch, console, jsonata=arguments.jsonata)
    data = _data(arguments.data)

    from stepsmith.local.evaluation import compile_expression, evaluate_expression
    from stepsmith.reporting import render

    work = compile_expression if arguments.jsonata else evaluate_expression
    found = work(arguments.expression, data, condition=arguments.condition)
    if arguments.json:
        _print_row(
            found.to_json() if not arguments.jsonata else {"jsonata": found.jsonata, **_error(found.to_json())}, console
        )
    else:
        console.err.write(render(list(found.diagnostics), {found.source.path: found.source}, "text"))
        if found.error == "run":
            console.note(f"stepsmith: {found.message} [{found.slug}]")
        elif found.error is None and arguments.jsonata:
            console.print(found.jsonata or "")
        elif found.error is None:
            console.print_json(found.value)
    return Exit.DONE if found.error is None else Exit.PROBLEMS


def _error(told: dict[str, Json]) -> dict[str, Json]:
    return told if "error" in told else {}


def _data(text: str | None) -> dict[str, Json]:
    if text is None:
        return {}
    named = "--data" if text.lstrip()[:1] == "{" else text
    if named == text:
        text = _read(text)
    try:
        data: Json = json.loads(text)
    except ValueError as error:
        raise CommandError(f"{named} is no JSON: {error}") from error
    if not isinstance(data, dict):
        raise CommandError(f"{named} must be an object: its keys are the names in scope")
    return data


def _read(name: str) -> str:
    if name == "-":
        return sys.stdin.read()
    try:
        return Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CommandError(f"{name} cannot be opened: {reason}") from error


def _batch(name: str, console: Console, *, jsonata: bool) -> int:
    """A line of JSON for each line of the file. What an expression comes to is no failure of the command."""
    status = Exit.DONE
    for line in _lines(name):
        try:
            row: Json = json.loads(line)
        except ValueError:
            row = line
        told = answer(row, jsonata=jsonata)
        if told.get("error") == "row":
            status = Exit.PROBLEMS
        _print_row(told, console)
    return status


def _lines(name: str) -> Iterator[str]:
    lines: Iterable[str] = sys.stdin if name == "-" else _read(name).splitlines()
    return (line for line in lines if line.strip())


def answer(row: Json, *, jsonata: bool = False) -> dict[str, Json]:
    """The answer to a row of a batch: `{"value"}`, or `{"error": "compile|run|row", "slug", "message"}`."""
    from stepsmith.local.evaluation import compile_expression, evaluate_expression

    if not isinstance(row, dict) or not isinstance(text := row.get("expression"), str):
        return _bad('a row is a JSON object with an "expression"')
    data, mode = row.get("data", {}), row.get("mode", "template")
    if not isinstance(data, dict):
        return _bad('"data" must be an object')
    if mode not in _MODES:
        return _bad('"mode" must be template or condition')
    condition, schema = mode == "condition", row.get("schema")
    if jsonata:
        found = compile_expression(text, data, schema, condition=condition)
        return found.to_json() if found.error else {"jsonata": found.jsonata}
    return evaluate_expression(text, data, schema, condition=condition).to_json()


def _bad(message: str) -> dict[str, Json]:
    return {"error": "row", "slug": "bad-row", "message": message}


def _print_row(told: dict[str, Json], console: Console) -> None:
    text = json.dumps(told, ensure_ascii=False)
    console.print(text if can_show(text, console.out) else json.dumps(told))
