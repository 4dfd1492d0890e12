"""The params of an action step, with the secrets in them as places that the handler fills."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from stepsmith.analysis.facts import Point
from stepsmith.document import Json
from stepsmith.expressions import jsonata
from stepsmith.expressions.syntax import Expression, Template
from stepsmith.lowering.codes import Place
from stepsmith.lowering.context import Context
from stepsmith.model.secrets import holds_secret
from stepsmith.model.values import ListValue, ObjectValue, Templated, Value


@dataclass(frozen=True, slots=True)
class Params:
    """What goes into the payload: the params, and where secrets belong in them."""

    values: Json
    secrets: list[Json] = field(default_factory=list)


def lower_params(context: Context, value: ObjectValue, point: Point, place: Place) -> Params:
    """Each secret leaves null where it belongs, and an entry `{"at": [key…], "parts": [text, {"secret": NAME}…]}`."""
    secrets: list[Json] = []
    return Params(_lower(context, value, point, place, (), secrets), secrets)


def _lower(
    context: Context, value: Value, point: Point, place: Place, at: tuple[str | int, ...], secrets: list[Json]
) -> Json:
    match value:
        case ObjectValue():
            return {
                item.key: _lower(context, item.value, point, place, (*at, item.key), secrets) for item in value.fields
            }
        case ListValue():
            return [
                _lower(context, item, point, place, (*at, index), secrets) for index, item in enumerate(value.items)
            ]
        case Templated() if holds_secret(value.template):
            secrets.append({"at": list(at), "parts": _parts(context, value.template, point, place)})
            return None
        case _:
            return context.write(value, point, place).json


def _parts(context: Context, template: Template, point: Point, place: Place) -> list[Json]:
    parts: list[Json] = []
    for part in template.parts:
        if isinstance(part, str):
            parts.append(jsonata.literal(part))
        elif isinstance(part, Expression) and part.secret is not None:
            parts.append({"secret": part.secret})
        else:
            alone = replace(template, parts=(part,), whole=False)
            parts.append(jsonata.field(context.translated(alone, point, place).code))
    return parts
