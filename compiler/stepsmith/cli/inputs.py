"""The input of a run as the command line gives it: a file, JSON text or standard input, and single properties."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from stepsmith.cli.failures import CommandError
from stepsmith.diagnostics import Diagnostics, did_you_mean, one_of
from stepsmith.document import Json, plain
from stepsmith.model.workflow import InputProperty, Workflow
from stepsmith.schema import path_text, violations

LARGEST_INPUT: Final = 262_144
"""Bytes of an execution's input (Step Functions quotas)."""


def read_input(source: str | None, properties: Sequence[str], workflow: Workflow) -> Json:
    """What the workflow is started with; `properties` (`name=value`) win over `source`.

    Raises CommandError for what cannot be read, and with a line for each property that the workflow refuses.
    """
    data = _read(source) if source is not None else {}
    if properties:
        if not isinstance(data, dict):
            raise CommandError("-p sets properties, but the input is no object")
        declared = {item.name: item for item in workflow.input or ()}
        data = {**data, **dict(_property(text, declared) for text in properties)}
    problems = input_problems(data, workflow)
    if problems:
        raise CommandError(
            f"{workflow.name} refuses this input:",
            details=tuple(problems),
            help=_help(workflow.input or ()),
        )
    return data


def _read(source: str) -> Json:
    if source == "-":
        return _parsed(sys.stdin.read(), "standard input")
    path = Path(source)
    if source.lstrip()[:1] in ("{", "["):
        return _parsed(source, "--input")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CommandError(
            f"{source} cannot be opened: {reason}", help="--input takes a file, JSON text, or - for standard input"
        ) from error
    if path.suffix in (".yaml", ".yml"):
        return _yaml(text, source)
    return _parsed(text, source)


def _parsed(text: str, name: str) -> Json:
    try:
        data: Json = json.loads(text, parse_constant=_no_number)
    except ValueError as error:
        raise CommandError(f"{name} is no JSON: {error}") from error
    return data


def _no_number(word: str) -> Json:
    raise ValueError(f"{word} is no number of JSON")


def _yaml(text: str, name: str) -> Json:
    from stepsmith.loading import load_document
    from stepsmith.source import SourceFile

    diagnostics = Diagnostics()
    document = load_document(SourceFile(name, text), diagnostics)
    problem = next(iter(diagnostics), None)
    if document is None or diagnostics.has_errors:
        raise CommandError(f"{problem.span}: {problem.message}" if problem else f"{name} is empty")
    return plain(document.root)


def _property(text: str, declared: Mapping[str, InputProperty]) -> tuple[str, Json]:
    """A property and its value, read as the type that the workflow declares."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise CommandError(f"-p {text}: write -p name=value")
    known = declared.get(name)
    kinds = known.schema.get("type") if known else None
    wanted = [kinds] if isinstance(kinds, str) else kinds if isinstance(kinds, list) else []
    if wanted == ["string"]:
        return name, value
    try:
        parsed: Json = json.loads(value)
    except ValueError:
        return name, value
    if isinstance(parsed, str) or "string" not in wanted:
        return name, parsed
    # Several types are allowed: a text is meant unless another of them fits.
    others = {"type": [kind for kind in wanted if kind != "string"]}
    return name, value if any(violations(parsed, others)) else parsed


def input_problems(data: Json, workflow: Workflow) -> list[str]:
    """What the workflow's declared input, or Step Functions itself, refuses about `data`, a line each."""
    size = len(json.dumps(data, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    if size > LARGEST_INPUT:
        return [f"it has {size:,} bytes, and an execution takes {LARGEST_INPUT:,}"]
    if workflow.input is None:
        return []
    if not isinstance(data, dict):
        return [f"the input must be an object, not {json.dumps(data)[:60]}"]
    problems = []
    names = [item.name for item in workflow.input]
    for name in data:
        if name not in names:
            near = did_you_mean(name, names)
            problems.append(f"{name} is not known" + (f"; {near}" if near else ""))
    for item in workflow.input:
        if item.name not in data:
            if item.required and not item.has_default:
                problems.append(f"{item.name} is missing")
            continue
        for violation in violations(data[item.name], item.schema):
            problems.append(f"{path_text((item.name, *violation.path))} {violation.message}")
    return problems


def _help(declared: Sequence[InputProperty]) -> str:
    needed = [item.name for item in declared if item.required and not item.has_default]
    optional = [item.name for item in declared if item.name not in needed]
    parts = [f"it needs {one_of(needed)}"] if needed else []
    parts += [f"it may have {one_of(optional)}"] if optional else []
    return ", ".join(parts) or "it takes no input"
