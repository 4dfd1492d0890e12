"""`stepsmith actions`: the catalogue of actions, or all about one of them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from stepsmith.cli.console import Console, duration
from stepsmith.cli.failures import CommandError, Exit
from stepsmith.diagnostics import did_you_mean, one_of

if TYPE_CHECKING:
    from stepsmith.catalog import ActionCatalog, ActionSignature
    from stepsmith.document import Json

EXAMPLE: Final = """
    stepsmith actions
    stepsmith actions quarantine_file
"""
_EFFECTS: Final = {"read": "green", "write": "yellow", "destructive": "red"}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="explain this action")
    parser.add_argument("--json", action="store_true", help="as JSON")


def execute(arguments: argparse.Namespace, console: Console) -> int:
    from stepsmith.cli.workflows import here_project, load_catalog

    catalog = load_catalog(here_project(), console)
    if arguments.name is None:
        _list(catalog, console, as_json=arguments.json)
        return Exit.DONE
    action = catalog.get(arguments.name)
    if action is None:
        near = did_you_mean(arguments.name, catalog.names(), f"there are: {one_of(catalog.names())}")
        raise CommandError(f'no action is named "{arguments.name}"', help=near)
    if arguments.json:
        console.print_json(_as_json(action))
    else:
        for line in _explained(action, console):
            console.print(line)
    return Exit.DONE


def _list(catalog: ActionCatalog, console: Console, *, as_json: bool) -> None:
    if as_json:
        console.print_json([_as_json(action) for action in catalog])
        return
    rows = [
        (console.style(action.name, "bold"), console.style(action.effect, _EFFECTS[action.effect]), action.summary)
        for action in catalog
    ]
    for line in console.table(rows, header=("ACTION", "EFFECT", "WHAT IT DOES")):
        console.print(line)


def _as_json(action: ActionSignature) -> dict[str, Json]:
    return {
        "name": action.name,
        "summary": action.summary,
        "description": action.description,
        "effect": action.effect,
        "repeatable": action.repeatable,
        "timeout": action.timeout,
        "memory": action.memory,
        "params": dict(action.params),
        "result": dict(action.result),
        "errors": [
            {"name": error.name, "summary": error.summary, "retryable": error.retryable, "bases": list(error.bases)}
            for error in action.errors
        ],
        "permissions": [
            {"actions": list(entry.actions), "resources": list(entry.resources)} for entry in action.permissions
        ],
        "environment": dict(action.environment),
        "example": dict(action.example),
        "handler": action.handler,
    }


def _explained(action: ActionSignature, console: Console) -> Iterator[str]:
    yield f"{console.style(action.name, 'bold')}  {action.summary}"
    if action.description:
        yield ""
        yield from action.description.splitlines()
    repeat = "may be repeated" if action.repeatable else "must not be repeated blindly"
    effect = console.style(action.effect, _EFFECTS[action.effect])
    yield ""
    yield f"{effect}, {repeat}, {duration(action.timeout)} at most, {action.memory} MB"
    yield from _section("params", console.table(_fields(action.params, console)), console)
    yield from _section("result", console.table(_fields(action.result, console)), console)
    errors = [
        (error.name, "worth a retry" if error.retryable else "", error.summary)
        for error in sorted(action.errors, key=lambda item: item.name)
    ]
    yield from _section("errors", console.table(errors), console)
    permissions = [(", ".join(entry.actions), "on " + ", ".join(entry.resources)) for entry in action.permissions]
    yield from _section("permissions", [line for pair in permissions for line in (pair[0], f"  {pair[1]}")], console)
    yield from _section("environment", console.table(list(action.environment.items())), console)
    step = [f"- action: {action.name}", "  params:"]
    step += [f"    {name}: {json.dumps(value, ensure_ascii=False)}" for name, value in action.example.items()]
    yield from _section("example", step if action.example else step[:1], console)


def _section(title: str, lines: list[str], console: Console) -> Iterator[str]:
    if lines:
        yield ""
        yield console.style(title, "bold")
        yield from (f"  {line}" for line in lines)


def _fields(schema: object, console: Console) -> list[tuple[str, str, str]]:
    """A row per property: its name, its type and whether it must be there, what it is for."""
    if not isinstance(schema, dict) or not isinstance(properties := schema.get("properties"), dict):
        return []
    required = schema.get("required")
    rows = []
    for name, inner in properties.items():
        body = inner if isinstance(inner, dict) else {}
        must = isinstance(required, list) and name in required
        kind = _kind(body, schema) + ("" if must else console.style(" (optional)", "dim"))
        rows.append((name, kind, str(body.get("description", ""))))
    return rows


def _kind(schema: dict[str, Json], root: dict[str, Json]) -> str:
    from stepsmith.schema import as_schema, resolve

    found = dict(resolve(schema, root))
    options = found.get("anyOf") or found.get("oneOf")
    if isinstance(options, list):
        kinds = [_kind(dict(as_schema(option)), root) for option in options]
        return " or ".join(kind for kind in dict.fromkeys(kinds) if kind != "null")
    choices = found.get("enum")
    if isinstance(choices, list):
        return " | ".join(str(choice) for choice in choices)
    if "const" in found:
        return str(found["const"])
    kind = str(found.get("type", "any"))
    if kind == "array":
        return f"list of {_kind(dict(as_schema(found.get('items', {}))), root)}"
    return kind
