"""Compiles texts as the compiler would and evaluates what comes out on our own engine, as one state of a machine."""

from __future__ import annotations

from dataclasses import dataclass

from stepsmith.diagnostics import Diagnostic, Diagnostics
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
from stepsmith.expressions.jsonata import field
from stepsmith.expressions.types import ANY
from stepsmith.source import SourceFile


class EvaluationError(Exception):
    """The expression raised, has no value, or its value is no JSON."""


def _no_task(call: TaskCall) -> TaskOutcome:
    raise AssertionError(f"no task is expected: {call}")


def evaluate(code: str, variables: dict[str, Json]) -> Json:
    """The JSON value of the expression. Raises EvaluationError where the service would fail."""
    machine: dict[str, Json] = {
        "QueryLanguage": "JSONata",
        "StartAt": "Given",
        "States": {
            "Given": {
                "Type": "Pass",
                "Assign": {name: field(f"$states.input.{name}") for name in variables},
                "Next": "Value",
            },
            "Value": {"Type": "Pass", "Output": field(code), "End": True},
        },
    }
    engine = Engine(_no_task)
    try:
        execution = engine.start(machine, dict(variables))
    except InvalidDefinition as problem:
        raise EvaluationError(f"refused at creation: {problem}") from None
    engine.run(execution)
    if execution.status is not Status.SUCCEEDED:
        raise EvaluationError(str(execution.cause))
    return execution.output


ANYTHING = Scope({"input": Binding(ANY, "$input", noun="input property")})


@dataclass(frozen=True)
class Compiled:
    """A text after translation: its code (None after an error), its type and what was reported."""

    translation: Translation | None
    diagnostics: tuple[Diagnostic, ...]

    @property
    def slugs(self) -> list[str]:
        return [each.slug for each in self.diagnostics]

    @property
    def code(self) -> str:
        assert self.translation is not None, self.diagnostics
        return self.translation.code


def compiled(text: str, scope: Scope = ANYTHING, *, legacy: bool = False) -> Compiled:
    """A field's text, translated."""
    source = SourceFile("test.yaml", text)
    diagnostics = Diagnostics()
    template = parse_template(ScalarNode(text, source.span(0, len(text))), source, diagnostics, legacy=legacy)
    translation = translate(template, scope, diagnostics) if template else None
    return Compiled(translation, tuple(diagnostics))


def condition(text: str | bool, scope: Scope = ANYTHING, *, legacy: bool = False) -> Compiled:
    """A condition, translated."""
    source = SourceFile("test.yaml", str(text))
    diagnostics = Diagnostics()
    node = ScalarNode(text, source.span(0, len(str(text))))
    template = parse_condition(node, source, diagnostics, legacy=legacy)
    translation = translate_condition(template, scope, diagnostics) if template else None
    return Compiled(translation, tuple(diagnostics))


def value_of(expression: str, variables: dict[str, Json], scope: Scope = ANYTHING) -> object:
    """The value of one expression over these variables; fails the test when it does not compile."""
    return evaluate(compiled("{{ " + expression + " }}", scope).code, variables)
