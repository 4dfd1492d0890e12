"""Makes a generated tree a workflow that compiles.

An expression is written without regard to whether it may stand where it stands; `settle` replaces those that the checks
refuse, so that what is left is just what the checks accept, and must work whatever happens in a run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import yaml

from stepsmith.model.signature import Siblings, WorkflowSignature
from stepsmith.pipeline import Compilation, compile_bytes, read_signature
from tests.support.machines import CATALOG

REFUSALS = {
    "maybe-missing",
    "never-available",
    "unknown-step",
    "unknown-variable",
    "unknown-name",
    "unknown-property",
    "type-mismatch",
    "wrong-param",
    "condition-type",
    "outer-variable",
    "unknown-input",
    "wrong-type",
    "no-order",
    "maybe-wrong-type",
}
ILL_MADE = {"unreachable-step", "stop-not-here", "needs-cycle"}
"""Mistakes that the generator makes now and then, since it does not follow the flow."""


@dataclass(frozen=True)
class Hole:
    """An expression, to be replaced by a harmless one if it may not stand where it does."""

    text: str
    otherwise: str


class Refused(Exception):  # noqa: N818
    """The checks refuse the workflow for something other than an expression."""


class IllMade(Exception):  # noqa: N818
    """The workflow has a mistake of the kind that the generator does not avoid."""


class Written(Protocol):
    @property
    def text(self) -> str: ...


def signatures(children: Mapping[str, Written]) -> dict[str, WorkflowSignature]:
    """What a workflow may know of those that it starts."""
    found = {name: _signature(each.text) for name, each in children.items()}
    return {name: signature for name, signature in found.items() if signature is not None}


@lru_cache(maxsize=256)
def _signature(text: str) -> WorkflowSignature | None:
    return read_signature("child.yaml", text.encode(), CATALOG)


def settle(tree: dict[str, Any], siblings: Siblings | None = None) -> tuple[str, Compilation]:
    """The workflow's text with every refused expression replaced by a harmless one, and its compilation."""
    holes: list[Hole] = []
    marked = _marked(tree, holes)
    texts = [hole.text for hole in holes]
    lines = yaml.safe_dump(marked, sort_keys=False, width=100_000, allow_unicode=True).splitlines()
    where = {number: _hole_in(line) for number, line in enumerate(lines, 1)}
    for _ in range(len(holes) + 1):
        source = "".join(
            f"{line if where[number] is None else _filled(line, texts[where[number] or 0])}\n"
            for number, line in enumerate(lines, 1)
        )
        compilation = compile_bytes("random.yaml", source.encode(), CATALOG, siblings)
        errors = [item for item in compilation.diagnostics if item.severity == "error" or item.slug in REFUSALS]
        if not errors:
            return source, compilation
        if any(item.slug in ILL_MADE for item in errors):
            raise IllMade
        tried = list(texts)
        for error in errors:
            at = where.get(error.span.start.line)
            if at is None or error.slug not in REFUSALS or tried[at] == holes[at].otherwise:
                raise Refused(f"{error.span}: {error.message} [{error.slug}]\n{source}")
            texts[at] = holes[at].otherwise
    raise Refused("does not settle")


def _marked(tree: Any, holes: list[Hole]) -> Any:
    match tree:
        case Hole():
            holes.append(tree)
            return f"@@{len(holes) - 1}@@"
        case dict():
            return {key: _marked(value, holes) for key, value in tree.items()}
        case list():
            return [_marked(value, holes) for value in tree]
    return tree


def _hole_in(line: str) -> int | None:
    parts = line.split("@@")
    return int(parts[1]) if len(parts) == 3 else None


def _filled(line: str, text: str) -> str:
    before, _, after = line.split("@@")
    written = json.dumps(text, ensure_ascii=False)  # as YAML in quotes, and much faster
    return f"{before.rstrip(chr(39))}{written}{after.lstrip(chr(39))}"
