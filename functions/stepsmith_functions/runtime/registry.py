"""Finds the actions of a folder, on a desk. A handler never imports this: it would load every action."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import TypeAlias

from pydantic import JsonValue

from stepsmith_functions.runtime.action import Action
from stepsmith_functions.runtime.contract import Params, Result

AnyAction: TypeAlias = Action[Params, Result]

PACKAGE = "stepsmith_functions.actions"


class RegistryError(Exception):
    """A module among the actions is not one: the message names the module and what it lacks."""


def actions(folder: Path | None = None, package: str = PACKAGE) -> tuple[AnyAction, ...]:
    """The actions of `package` by name; `folder` is where its modules lie if not in the package's own.

    A module holds one action of its own name and binds `handler`; a name with a leading underscore is no
    action. Raises RegistryError.
    """
    root = importlib.import_module(package)
    paths = [str(folder)] if folder else list(root.__path__)
    names = sorted(info.name for info in pkgutil.iter_modules(paths) if not info.name.startswith("_"))
    return tuple(_action_of(f"{package}.{name}") for name in names)


def contracts(folder: Path | None = None, package: str = PACKAGE) -> list[dict[str, JsonValue]]:
    """What the actions of `package` declare, as plain JSON, by name. Raises RegistryError."""
    return [found.describe() for found in actions(folder, package)]


def _action_of(module_name: str) -> AnyAction:
    name = module_name.rpartition(".")[2]
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise RegistryError(f"{module_name} cannot be imported: {type(error).__name__}: {error}") from error
    found = getattr(module, name, None)
    if not isinstance(found, Action) or found.contract.name != name:
        raise RegistryError(f"{module_name} declares no action {name!r}")
    if getattr(module, "handler", None) != found.handler:
        raise RegistryError(f"{module_name} does not bind handler = {name}.handler")
    return found
