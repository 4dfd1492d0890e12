"""One expression, compiled as in a workflow and evaluated on the engine: for trying things out, and for programs that
compare many.

The names in scope are those of the data: `input`, `steps`, and any other as a variable. Without a schema nothing is
known of their types, as of an input that no workflow declares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, cast

from stepsmith.asl.names import RESERVED_VARIABLES
from stepsmith.diagnostics import Diagnostic, Diagnostics, Severity
from stepsmith.document import Json, ScalarNode
from stepsmith.engine import Engine, InvalidDefinition, Status, TaskCall, TaskOutcome
from stepsmith.expressions import (
    Binding,
    Scope,
    Translation,
    parse_condition,
    parse_template,
    translate,
    translate_condition,
)
from stepsmith.expressions import jsonata as j
from stepsmith.expressions.scope import Presence
from stepsmith.expressions.types import ANY, ObjectType, Property, from_schema
from stepsmith.source import SourceFile

SOURCE: Final = "expression"
"""What the text is called in diagnostics."""
ALWAYS_THERE: Final = ("input", "steps")
_REASON: Final = "' specified for the field 'Output' "
_THROWN: Final = "threw an error during evaluation. "
_RAISED: Final = "D3137: "
"""JSONata's code for what `$error` raises: the rest is our own text."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What came of an expression: a value if `error` is None, else why there is none.

    `error` is `compile` or `run`; `slug` and `message` say what was wrong. `jsonata` is there once it compiled.
    """

    value: Json = None
    error: str | None = None
    slug: str = ""
    message: str = ""
    jsonata: str | None = None
    diagnostics: tuple[Diagnostic, ...] = ()
    source: SourceFile = field(default=SourceFile(SOURCE, ""), repr=False)

    def to_json(self) -> dict[str, Json]:
        """`{"value"}`, or `{"error", "slug", "message"}`."""
        if self.error is None:
            return {"value": self.value}
        return {"error": self.error, "slug": self.slug, "message": self.message}


def compile_expression(
    text: str, names: Mapping[str, Json], schema: Json = None, *, condition: bool = False
) -> Evaluated:
    """The JSONata of an expression or template over the names of `names`; nothing is evaluated.

    `schema` is the JSON Schema of the data, or a mapping of some of its names to theirs. A text without `{{` is one
    expression.
    """
    whole = text if condition or "{{" in text else "{{ " + text + " }}"
    source = SourceFile(SOURCE, whole)
    node = ScalarNode(whole, source.span(0, len(whole)))
    diagnostics = Diagnostics()
    template = (parse_condition if condition else parse_template)(node, source, diagnostics)
    translation: Translation | None = None
    if template is not None:
        scope = _scope(names, schema)
        translation = (translate_condition if condition else translate)(template, scope, diagnostics)
    found = tuple(diagnostics)
    if translation is not None:
        return Evaluated(jsonata=translation.code, diagnostics=found, source=source)
    problem = next(item for item in found if item.severity is Severity.ERROR)
    message = f"{problem.message}: {problem.help}" if problem.help else problem.message
    return Evaluated(error="compile", slug=problem.slug, message=message, diagnostics=found, source=source)


def evaluate_expression(
    text: str, data: Mapping[str, Json], schema: Json = None, *, condition: bool = False
) -> Evaluated:
    """The value of an expression or template over `data`."""
    compiled = compile_expression(text, data, schema, condition=condition)
    if compiled.jsonata is None:
        return compiled
    variables = {_variable(name): name for name in _names(data)}
    given: dict[str, Json] = {name: data.get(name, {}) for name in variables.values()}
    assign: dict[str, Json] = {variable: j.field(j.path("$states.input", name)) for variable, name in variables.items()}
    machine: dict[str, Json] = {
        "QueryLanguage": "JSONata",
        "StartAt": "Names",
        "States": {
            "Names": {"Type": "Pass", "Assign": assign, "Next": "Value"},
            "Value": {"Type": "Pass", "Output": j.field(compiled.jsonata), "End": True},
        },
    }
    engine = Engine(_no_task)
    try:
        execution = engine.start(machine, given)
    except InvalidDefinition as problem:
        return Evaluated(error="run", slug="refused", message=str(problem), jsonata=compiled.jsonata)
    engine.run(execution)
    if execution.status is Status.SUCCEEDED:
        return Evaluated(cast("Json", execution.output), jsonata=compiled.jsonata, diagnostics=compiled.diagnostics)
    return _failed(execution.cause or "", compiled)


def _failed(cause: str, compiled: Evaluated) -> Evaluated:
    slug, reason = "evaluation-failed", cause.rpartition(_REASON)[2].strip() or cause
    if reason.startswith("returned nothing"):
        slug, reason = "missing-value", "it has no value, since what it reads is missing"
    elif reason.startswith("returned an unsupported"):
        slug, reason = "no-json", "its value is nothing that JSON can hold"
    reason = reason.removeprefix(_THROWN).removeprefix(_RAISED)
    if reason.endswith(" is not defined"):
        slug = "missing-value"
    return Evaluated(error="run", slug=slug, message=reason, jsonata=compiled.jsonata)


def _scope(names: Mapping[str, Json], schema: Json) -> Scope:
    types = _types(schema)
    bindings = {}
    for name in _names(names):
        known = types.get(name, Property(ANY))
        presence = Presence.ALWAYS if known.required else Presence.MAYBE
        bindings[name] = Binding(known.type, f"${_variable(name)}", presence, strict=name != "input")
    return Scope(bindings)


def _types(schema: Json) -> Mapping[str, Property]:
    if not isinstance(schema, dict):
        return {}
    if "properties" in schema or "type" in schema or "$ref" in schema:
        type_ = from_schema(schema)
        return type_.properties if isinstance(type_, ObjectType) else {}
    return {name: Property(from_schema(inner)) for name, inner in schema.items()}


def _names(data: Mapping[str, Json]) -> list[str]:
    """The names that an expression can write, `input` and `steps` whether the data has them or not."""
    return [name for name in dict.fromkeys([*ALWAYS_THERE, *data]) if name.isidentifier()]


def _variable(name: str) -> str:
    """A variable that hides no function, without the `$`."""
    return name if name.isascii() and name not in RESERVED_VARIABLES and name[0] != "_" else f"data_{_ascii(name)}"


def _ascii(name: str) -> str:
    return "".join(char if char.isascii() and char.isalnum() else f"_{ord(char):x}" for char in name)


def _no_task(call: TaskCall) -> TaskOutcome:
    raise AssertionError(f"an expression calls nothing, not even {call.resource}")
