"""What a step hands over for its undo, and how the undo reads it.

A rollback runs where the branch, the iteration and the variables of the step that it undoes are long gone. So a step
with an undo hands over what the undo will read of them when it begins; the ledger of completed steps keeps that beside
the step's output and gives both back. Only the paths that are read are handed over, not whole values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from stepsmith.analysis.facts import Facet, Point
from stepsmith.analysis.scopes import Codes
from stepsmith.document import Json
from stepsmith.expressions import jsonata
from stepsmith.expressions.jsonata import Code
from stepsmith.expressions.scope import Binding
from stepsmith.expressions.syntax import Reference, references
from stepsmith.lowering.codes import Place
from stepsmith.lowering.context import Context
from stepsmith.lowering.payloads import step_path
from stepsmith.model.steps import ActionStep, Step, Undo
from stepsmith.model.values import Value, templates

OUTPUT: Final = "output"
Path: TypeAlias = tuple[str, ...]


@dataclass(slots=True)
class _Reads:
    """What an undo reads: by the name under which it is handed over, how it reads where the step begins, and which
    paths of it."""

    codes: dict[str, str] = field(default_factory=dict)
    paths: dict[str, set[Path]] = field(default_factory=dict)
    output: set[Path] = field(default_factory=set)
    """The paths of the step's own result."""


def handed_over(context: Context, step: Step, place: Place) -> Json:
    """What is handed over for the undo of `step`, as one field: what is missing is left out, nothing can fail."""
    reads = _reads(context, step, context.codes(place))
    pairs = [
        (jsonata.constant(name), _pruned(jsonata.verbatim(reads.codes[name]), sorted(paths)))
        for name, paths in sorted(reads.paths.items())
    ]
    return jsonata.field(jsonata.obj(pairs).text) if pairs else {}


def paths_of_output(context: Context, step: Step) -> list[list[str]] | None:
    """The paths of the step's result that its undo reads; None: all of it."""
    paths = _reads(context, step, context.codes(Place())).output
    return None if () in paths else [list(path) for path in sorted(paths)]


def remembered(context: Context, step: Step, output: Json, place: Place) -> dict[str, Json]:
    """The Assign entry by which a step without a handler leaves the same in the execution's own history."""
    if step.rollback is None or isinstance(step, ActionStep):
        return {}
    told: Json = {
        "path": step_path(context, step, place),
        OUTPUT: output,
        "with": handed_over(context, step, place),
    }
    return {context.names.undo(step.id): told}


class HandedCodes:
    """The codes of an undo: everything is read from its entry of the ledger, written `entry` in JSONata."""

    def __init__(self, entry: str, run_id: str, workflow_name: str, outer: Codes) -> None:
        self._entry = entry
        self._run_id = run_id
        self._workflow_name = workflow_name
        self._outer = outer

    def _of(self, name: str) -> str:
        return jsonata.path(self._entry, "with", name)

    def input(self) -> str:
        return self._of(_INPUT)

    def step(self, step_id: str, facet: Facet) -> str:
        return self._of(_step_name(step_id, facet))

    def variable(self, name: str) -> str:
        return self._of(_variable_name(name))

    def run(self, member: str) -> str:
        if member == "id":
            return self._run_id
        return jsonata.quote(self._workflow_name) if member == "workflow" else self._of(_run_name(member))

    def error(self, step_id: str) -> str:
        del step_id
        return self._of(_ERROR)

    def loop(self, loop_id: str, *, index: bool) -> str:
        return self._of(_loop_name(loop_id, index))

    def environment(self, name: str) -> str:
        return self._outer.environment(name)


def output_binding(context: Context, step: Step, point: Point, entry: str) -> Binding:
    """`output` in the undo of `step`: the ledger has what the handler answered, which `output:` may reshape."""
    whole = jsonata.path(entry, OUTPUT)
    if step.output is None or not isinstance(step, ActionStep):
        return Binding(type=context.analysis.output_of(step.id), code=whole)
    raw = {OUTPUT: Binding(type=context.analysis.results[step.id], code=whole)}
    return Binding(type=context.analysis.output_of(step.id), code=context.as_code(step.output, point, raw))


# -- what is read ---------------------------------------------------------------------------------

_INPUT: Final = "input"
_ERROR: Final = "error"


def _step_name(step_id: str, facet: Facet) -> str:
    return f"{step_id}.{facet.value}"


def _variable_name(name: str) -> str:
    return f"vars.{name}"


def _run_name(member: str) -> str:
    return f"run.{member}"


def _loop_name(loop_id: str, index: bool) -> str:
    return f"{loop_id}.{'index' if index else 'item'}"


def _reads(context: Context, step: Step, codes: Codes) -> _Reads:
    reads = _Reads()
    undo = step.rollback
    if undo is None:
        return reads
    point = context.analysis.points[step.id]
    for reference in _references(undo, step):
        _note(reads, reference, point, codes)
    if isinstance(step, ActionStep) and step.output is not None:
        # The undo reads the reshaped output, which is made anew of the result.
        reads.output = {_plain(each.path) for each in _in(step.output) if each.root == OUTPUT}
    return reads


def _references(undo: Undo, step: Step) -> Iterator[Reference]:
    yield from _in(undo.params)
    if isinstance(step, ActionStep) and step.output is not None:
        yield from _in(step.output)


def _in(value: Value) -> Iterator[Reference]:
    for template in templates(value):
        yield from references(template)


def _note(reads: _Reads, reference: Reference, point: Point, codes: Codes) -> None:
    root, path = reference.root, reference.path
    first = path[0] if path and isinstance(path[0], str) else ""

    def keep(name: str, code: str, rest: Sequence[str | int]) -> None:
        reads.codes[name] = code
        reads.paths.setdefault(name, set()).add(_plain(rest))

    if root in point.loops:
        loop = point.loops[root]
        keep(_loop_name(loop.loop, loop.index), codes.loop(loop.loop, index=loop.index), path)
        return
    match root:
        case "output":
            reads.output.add(_plain(path))
        case "input":
            keep(_INPUT, codes.input(), path)
        case "error" if point.failed is not None:
            keep(_ERROR, codes.error(point.failed), path)
        case "vars" if first:
            keep(_variable_name(first), codes.variable(first), path[1:])
        case "run" if first not in ("id", "workflow", ""):
            keep(_run_name(first), codes.run(first), ())
        case "steps" if len(path) > 1:
            facet = next((each for each in Facet if each == path[1]), None)
            if facet is not None:
                keep(_step_name(first, facet), codes.step(first, facet), path[2:])
        case _:
            pass


def _plain(path: Sequence[str | int]) -> Path:
    """The path as far as it goes by names: what lies behind a position in a list is handed over with the list."""
    found: list[str] = []
    for part in path:
        if not isinstance(part, str):
            break
        found.append(part)
    return tuple(found)


def _pruned(code: Code, paths: Sequence[Path]) -> Code:
    """The parts of a value that lie at `paths`, as an object; all of it where a path is empty."""
    if () in paths:
        return code
    inner: dict[str, list[Path]] = {}
    for name, *rest in paths:
        inner.setdefault(name, []).append(tuple(rest))
    pairs = [(jsonata.constant(name), _pruned(jsonata.steps(code, [name]), rest)) for name, rest in inner.items()]
    return jsonata.obj(pairs)
