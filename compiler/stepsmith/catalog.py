"""The catalogue of actions as data: what the compiler knows of a handler without importing it.

It is read from the `catalog.json` that `stepsmith build` writes from the `@action` definitions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from stepsmith.document import Json
from stepsmith.expressions.types import Type, from_schema

CATALOG_VERSION = 1


class CatalogError(ValueError):
    """The catalogue's text is not one that this version reads."""


@dataclass(frozen=True, slots=True)
class ActionErrorType:
    """An error that an action raises on purpose; `bases` are the names of the error classes above it."""

    name: str
    bases: tuple[str, ...] = ()
    summary: str = ""
    retryable: bool = False


@dataclass(frozen=True, slots=True)
class Permission:
    """A statement of a least-privilege policy; resources may hold `${LogicalId}` substitutions."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[tuple[str, str, str], ...] = ()
    """Operator, key and value of each."""


@dataclass(frozen=True)
class ActionSignature:
    """One action: its contract with workflows and what its Lambda function needs."""

    name: str
    summary: str
    handler: str
    """The handler as Lambda spells it, `package.module.attribute`."""
    params: Mapping[str, Json] = field(repr=False)
    """JSON Schema of the params."""
    result: Mapping[str, Json] = field(repr=False)
    """JSON Schema of the result."""
    description: str = field(default="", repr=False)
    errors: tuple[ActionErrorType, ...] = ()
    effect: str = "read"
    """`read`, `write` or `destructive`."""
    repeatable: bool = True
    timeout: int = 30
    """Seconds."""
    memory: int = 256
    """MB."""
    permissions: tuple[Permission, ...] = field(default=(), repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    layers: tuple[str, ...] = ()
    """Logical ids of the layers that its function needs besides the one that all share."""
    example: Mapping[str, Json] = field(default_factory=dict, repr=False)

    @cached_property
    def params_type(self) -> Type:
        return from_schema(dict(self.params))

    @cached_property
    def result_type(self) -> Type:
        return from_schema(dict(self.result))

    @property
    def function_id(self) -> str:
        """The logical id of the action's function in `template.yaml`."""
        return "".join(part.capitalize() for part in self.name.split("_")) + "Function"

    def error_names(self) -> frozenset[str]:
        """Every error name that a handler or retry may list for this action, base classes included."""
        return frozenset(name for error in self.errors for name in (error.name, *error.bases))


class ActionCatalog:
    """The actions of a project by name."""

    def __init__(self, actions: Iterable[ActionSignature] = ()) -> None:
        self._actions = {action.name: action for action in sorted(actions, key=lambda item: item.name)}

    def get(self, name: str) -> ActionSignature | None:
        return self._actions.get(name)

    def names(self) -> tuple[str, ...]:
        return tuple(self._actions)

    def __iter__(self) -> Iterator[ActionSignature]:
        return iter(self._actions.values())

    def __len__(self) -> int:
        return len(self._actions)

    def expand_error(self, name: str) -> tuple[str, ...]:
        """`name` and the names of all errors below it: Step Functions matches names, never base classes."""
        below = {error.name for action in self for error in action.errors if name in error.bases}
        return (name, *sorted(below - {name}))


def read_catalog(text: str) -> ActionCatalog:
    """The catalogue written in `text`. Raises CatalogError if it is not one."""
    try:
        data = json.loads(text)
        if data["version"] != CATALOG_VERSION:
            raise CatalogError(f"catalogue version {data['version']!r} is not {CATALOG_VERSION}")
        return ActionCatalog(signature(item) for item in data["actions"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CatalogError(f"no catalogue of actions: {error!r}") from error


def signature(item: Mapping[str, Json]) -> ActionSignature:
    """An action from its description as plain JSON. Raises KeyError or TypeError if it is none."""
    data: dict[str, object] = dict(item)
    errors, permissions = item.get("errors") or [], item.get("permissions") or []
    if not isinstance(errors, list) or not isinstance(permissions, list):
        raise TypeError("errors and permissions are lists")
    return ActionSignature(
        name=_text(data["name"]),
        summary=_text(data["summary"]),
        description=_text(data.get("description", "")),
        handler=_text(data["handler"]),
        params=_object(item["params"]),
        result=_object(item["result"]),
        errors=tuple(_error(_object(error)) for error in errors),
        effect=_text(data["effect"]),
        repeatable=bool(data["repeatable"]),
        timeout=_whole(data["timeout"]),
        memory=_whole(data["memory"]),
        permissions=tuple(_permission(_object(entry)) for entry in permissions),
        environment={key: _text(value) for key, value in _object(item.get("environment") or {}).items()},
        layers=_texts(item.get("layers") or []),
        example=_object(item.get("example") or {}),
    )


def _error(item: Mapping[str, Json]) -> ActionErrorType:
    return ActionErrorType(
        _text(item["name"]),
        _texts(item.get("bases") or []),
        _text(item.get("summary", "")),
        bool(item.get("retryable")),
    )


def _permission(item: Mapping[str, Json]) -> Permission:
    return Permission(_texts(item["actions"]), _texts(item["resources"]))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is no whole number")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no list")
    return tuple(_text(item) for item in value)


def _object(value: Json) -> Mapping[str, Json]:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is no object")
    return value
