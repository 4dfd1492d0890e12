"""The contract of an action as data: what checks, schema, docs, template resource and policy are made from.

`describe()` gives plain JSON, so that the compiler can know an action without importing it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, JsonValue
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from stepsmith_functions.runtime.errors import ALWAYS_POSSIBLE, ActionError, EffectUnknown, summary_of

Effect: TypeAlias = Literal["read", "write", "destructive"]


class Params(BaseModel):
    """Base of every params model: unknown keys are refused and no value is converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Result(BaseModel):
    """Base of every result model. Every field is always present in the result."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_serialization_defaults_required=True)


@dataclass(frozen=True, slots=True)
class Statement:
    """An IAM statement: `actions` allowed on `resources`, which may hold CloudFormation's
    `${LogicalId.Arn}`.
    """

    actions: tuple[str, ...]
    resources: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Contract:
    """Everything that is declared of one action."""

    name: str
    module: str
    summary: str
    description: str
    params: type[Params]
    result: type[Result]
    errors: tuple[type[ActionError], ...]
    effect: Effect
    repeatable: bool
    """Whether repeating the call after an unknown outcome does no harm."""
    timeout: int
    """Seconds."""
    memory: int
    """MB."""
    permissions: tuple[Statement, ...]
    environment: Mapping[str, str]
    """Environment variables; values may hold CloudFormation's `${LogicalId}`."""
    layers: tuple[str, ...]
    """Logical ids of the layers that the function needs besides the one that all share."""
    example: Mapping[str, JsonValue] = field(repr=False)
    """Params that work."""

    @property
    def handler(self) -> str:
        """As Lambda spells it."""
        return f"{self.module}.handler"

    def describe(self) -> dict[str, JsonValue]:
        """The contract as plain JSON."""
        possible = ALWAYS_POSSIBLE if self.repeatable else (*ALWAYS_POSSIBLE, EffectUnknown)
        errors = [*self.errors, *(error for error in possible if error not in self.errors)]
        return {
            "name": self.name,
            "summary": self.summary,
            "description": self.description,
            "module": self.module,
            "handler": self.handler,
            "params": _schema(self.params, "validation"),
            "result": _schema(self.result, "serialization"),
            "errors": [_error(error) for error in errors],
            "effect": self.effect,
            "repeatable": self.repeatable,
            "timeout": self.timeout,
            "memory": self.memory,
            "permissions": [
                {"actions": list(entry.actions), "resources": list(entry.resources)} for entry in self.permissions
            ],
            "environment": dict(self.environment),
            "layers": list(self.layers),
            "example": dict(self.example),
        }


class _Schema(GenerateJsonSchema):
    """JSON Schema without the titles that would repeat each field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False


def _schema(model: type[BaseModel], mode: JsonSchemaMode) -> JsonValue:
    schema: dict[str, JsonValue] = model.model_json_schema(schema_generator=_Schema, mode=mode)
    schema.pop("title", None)
    schema.pop("description", None)
    return schema


def _error(error: type[ActionError]) -> JsonValue:
    bases: list[JsonValue] = [base.__name__ for base in error.__mro__[1:] if issubclass(base, ActionError)]
    return {
        "name": error.__name__,
        "bases": bases,
        "summary": summary_of(error),
        "retryable": error.retryable,
    }
