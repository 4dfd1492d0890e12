"""What a mocked answer is held to: the contract of the action or of the AWS operation that it stands in for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from stepsmith.catalog import ActionSignature
from stepsmith.document import Json
from stepsmith.expressions.types import AnyType, ListType, ObjectType, Type, UnionType, describe, kinds, type_of
from stepsmith.integrations import integration_of
from stepsmith.model.steps import AwsStep
from stepsmith.schema import PathPart, Schema, Violation, as_schema, violations
from stepsmith.services import ServiceCatalog

UNKNOWN: Final = "is not known"
"""How a field is called that the contract does not name."""


@dataclass(frozen=True, slots=True)
class Contract:
    """The results and errors of something that can be mocked. A mocked result may leave fields out."""

    name: str
    fields: tuple[str, ...]
    """Of its result."""
    violations: Callable[[Json], Iterable[Violation]]
    errors: tuple[str, ...] | None
    """The errors that it declares; None: it may fail with any."""


def contract_of_action(action: ActionSignature) -> Contract:
    closed = _closed(action.result)
    fields = tuple(str(name) for name in as_schema(action.result.get("properties", {})))
    errors = tuple(error.name for error in action.errors)
    return Contract(action.name, fields, lambda value: violations(value, closed, root=closed), errors)


def contract_of_call(step: AwsStep, services: ServiceCatalog) -> Contract:
    integration = integration_of(step, services)
    result = integration.result_type
    fields = tuple(result.properties) if isinstance(result, ObjectType) else ()
    errors = tuple(sorted(integration.errors)) if integration.errors is not None else None
    return Contract(step.call, fields, lambda value: _misfits(value, result, ()), errors)


def _misfits(value: Json, type_: Type, path: tuple[PathPart, ...]) -> Iterator[Violation]:
    """The parts of `value` that no value of the type has."""
    match type_:
        case AnyType():
            return
        case UnionType():
            found = [list(_misfits(value, member, path)) for member in type_.members]
            if all(found):
                yield found[0][0]
        case ObjectType() if isinstance(value, dict):
            for name, item in value.items():
                declared = type_.properties.get(name)
                if declared is not None:
                    yield from _misfits(item, declared.type, (*path, name))
                elif type_.closed:
                    yield Violation((*path, name), UNKNOWN)
                else:
                    yield from _misfits(item, type_.rest, (*path, name))
        case ListType() if isinstance(value, list):
            for index, item in enumerate(value):
                yield from _misfits(item, type_.item, (*path, index))
        case _ if not kinds(type_of(value)) & kinds(type_):
            yield Violation(path, f"must be {describe(type_)}, not {describe(type_of(value))}")
        case _:
            return


def _closed(schema: Schema) -> dict[str, Json]:
    """The schema with no field required and none allowed that it does not name, at every depth."""
    closed: dict[str, Json] = {}
    for key, value in schema.items():
        if key == "required":
            continue
        if key in ("properties", "$defs") and isinstance(value, dict):
            closed[key] = {name: _closed(as_schema(inner)) for name, inner in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            closed[key] = _closed(value)
        elif key in ("anyOf", "oneOf", "allOf") and isinstance(value, list):
            closed[key] = [_closed(as_schema(inner)) for inner in value]
        else:
            closed[key] = value
    if "properties" in closed:
        closed.setdefault("additionalProperties", False)
    return closed
