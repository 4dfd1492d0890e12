"""Finds the golden cases, and compares with what is kept, or keeps it when pytest is called with `--update-golden`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stepsmith.diagnostics import Diagnostics
from stepsmith.loading import read_source
from stepsmith.pipeline import Compilation, compile_bytes, compile_workflow, read_signature
from stepsmith.reporting import render
from stepsmith.source import SourceFile
from tests.support.machines import CATALOG

FOLDER = Path(__file__).parent
ACCEPTED = FOLDER / "accepted" / "native"
REJECTED = FOLDER / "rejected"
SOURCE = "workflow.yaml"


CHILDREN = (
    (ACCEPTED / "one-action" / SOURCE).read_bytes(),
    b"name: with-input\ninput: {host: {type: string}}\nsteps: [{action: ping}]\n",
)
SIBLINGS = {each.name: each for text in CHILDREN if (each := read_signature(SOURCE, text, CATALOG))}
"""Workflows that the cases may run."""


def accepted() -> list[str]:
    return sorted(path.name for path in ACCEPTED.iterdir() if path.is_dir())


def rejected() -> list[str]:
    """The cases as `slug/case`."""
    return sorted(f"{path.parent.name}/{path.stem}" for path in REJECTED.glob("*/*.yaml"))


def compile_accepted(name: str) -> Compilation:
    return compile_bytes(SOURCE, (ACCEPTED / name / SOURCE).read_bytes(), CATALOG)


def diagnosed(data: bytes) -> tuple[Diagnostics, SourceFile | None]:
    """What the compiler says of a file, in a project with two other workflows."""
    diagnostics = Diagnostics()
    source = read_source(SOURCE, data, diagnostics)
    if source is not None:
        own = read_signature(SOURCE, data, CATALOG)
        siblings = {**SIBLINGS, **({own.name: own} if own else {})}
        compile_workflow(source, CATALOG, diagnostics, siblings=siblings)
    return diagnostics, source


def shown(diagnostics: Diagnostics, source: SourceFile | None) -> str:
    return render(diagnostics, {source.path: source} if source else {})


def check(path: Path, text: str, *, update: bool) -> None:
    """Compares `text` with what is kept in `path`."""
    if update:
        path.write_text(text, encoding="utf-8")
    kept = path.read_text(encoding="utf-8") if path.exists() else ""
    assert text == kept, f"{path.relative_to(FOLDER)} is another; if that is right: pytest {FOLDER} --update-golden"


def written(origins: Mapping[str, Any] | None) -> str:
    """A source map as it is kept."""
    return json.dumps(origins, indent=2, ensure_ascii=False) + "\n"


def states(graph: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every state of a definition with its name, inner ones included."""
    for name, state in graph["States"].items():
        yield name, state
        for inner in (*state.get("Branches", ()), *filter(None, [state.get("ItemProcessor")])):
            yield from states(inner)


SAMPLES: Mapping[str, Any] = {
    "string": "text",
    "integer": 2,
    "number": 2.5,
    "boolean": True,
    "array": [],
    "object": {},
    "null": None,
}


def sample(schema: Mapping[str, Any]) -> Any:
    """A value that obeys the schema, for trying a workflow out."""
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "string")
    kind = kind[0] if isinstance(kind, list) else kind
    match kind:
        case "array":
            return [sample(schema.get("items", {}))] * 2
        case "object":
            return {name: sample(inner) for name, inner in schema.get("properties", {}).items()}
    return SAMPLES[kind]


def sample_input(compilation: Compilation) -> dict[str, Any]:
    """An input with all that must be there."""
    assert compilation.workflow is not None
    declared = compilation.workflow.input or ()
    return {item.name: sample(item.schema) for item in declared if item.required}
