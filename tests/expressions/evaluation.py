"""Evaluates emitted expressions with jsonata-python, the way in which Step Functions binds its variables."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import lru_cache

from jsonata import Jsonata
from jsonata.jsonata import Jsonata as Engine
from jsonata.utils import Utils

from stepsmith.diagnostics import Diagnostic, Diagnostics
from stepsmith.document import Json, ScalarNode
from stepsmith.expressions import (
    Binding,
    Scope,
    Translation,
    parse_condition,
    parse_template,
    translate,
    translate_condition,
)
from stepsmith.expressions.types import ANY
from stepsmith.source import SourceFile

UNDEFINED = object()


class EvaluationError(Exception):
    """The expression raised, or its value is no JSON."""


def _plain(value: object, top: bool = True) -> object:
    if value is None:
        return UNDEFINED if top else None
    if value is Utils.NULL_VALUE:
        return None
    if isinstance(value, str | bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, dict):
        return {key: _plain(item, False) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, False) for item in value]
    raise EvaluationError(f"no JSON: {value!r}")


def _nulls(value: Json) -> object:
    """None inside of bound data as the engine's own null, at every depth."""
    if value is None:
        return Utils.NULL_VALUE
    if isinstance(value, dict):
        return {key: _nulls(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_nulls(item) for item in value]
    return value


@lru_cache(4096)
def _compiled(code: str) -> Jsonata:
    expression = Jsonata(code)
    expression.set_output_convert_nulls(False)
    expression.set_validate_input(False)
    return expression


def _parse(*args: object) -> object:
    return _nulls(json.loads(str(args[0])))


def evaluate(code: str, variables: dict[str, Json]) -> object:
    """The JSON value of the expression; UNDEFINED for none. Raises EvaluationError where the service would fail."""
    bound = {name: _nulls(value) for name, value in variables.items()}
    bound["parse"] = Engine.JLambda(_parse)
    try:
        return _plain(_compiled(code).evaluate(None, bound))
    except EvaluationError:
        raise
    except Exception as error:
        raise EvaluationError(str(error)) from error


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


def compiled(text: str, scope: Scope = ANYTHING) -> Compiled:
    """A field's text, translated."""
    source = SourceFile("test.yaml", text)
    diagnostics = Diagnostics()
    template = parse_template(ScalarNode(text, source.span(0, len(text))), source, diagnostics)
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
