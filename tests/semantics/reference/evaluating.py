"""The expressions of a workflow, evaluated with Jinja2, and which errors a name covers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, assert_never

from stepsmith.expressions.tree import Template
from stepsmith.model.steps import Step
from stepsmith.model.values import ListValue, Literal, ObjectValue, Templated, Value
from stepsmith.model.workflow import InputProperty, Workflow
from tests.expressions.oracle import text, value_by_jinja
from tests.semantics.reference.state import Scope, World

TIMEOUT = "States.Timeout"
TASK_FAILED = "States.TaskFailed"
WORDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
    "array": "a list",
    "object": "an object",
}


class Evaluator:
    """Evaluates what stands in one workflow for one run of it."""

    def __init__(self, workflow: Workflow, world: World, given: Mapping[str, Any], run: str) -> None:
        self._workflow = workflow
        self._world = world
        self._run_id = run
        defaults = {item.name: item.default for item in workflow.input or () if item.has_default}
        self._input = {**defaults, **given}

    def _true(self, condition: Template, scope: Scope) -> bool:
        return bool(self._text(condition, scope))

    def _value(self, value: Value, scope: Scope, extra: Mapping[str, Any] | None = None) -> Any:
        match value:
            case Literal():
                return value.value
            case Templated():
                return self._text(value.template, scope, extra)
            case ObjectValue():
                return {item.key: self._value(item.value, scope, extra) for item in value.fields}
            case ListValue():
                return [self._value(item, scope, extra) for item in value.items]
            case _:
                assert_never(value)

    def _text(self, template: Template, scope: Scope, extra: Mapping[str, Any] | None = None) -> Any:
        names: dict[str, Any] = {
            "input": self._input,
            "steps": scope.steps,
            "vars": scope.variables,
            "run": {"id": self._run_id, "workflow": self._workflow.name, "attempt": 1},
            **({"error": scope.error} if scope.error is not None else {}),
            **scope.names,
            **(extra or {}),
        }
        parts = [
            part if isinstance(part, str) else value_by_jinja(part.source.strip(), names) for part in template.parts
        ]
        return parts[0] if template.whole else "".join(text(part) for part in parts)

    def _reshaped(self, step: Step, result: Any, scope: Scope) -> Any:
        if step.output is None:
            return result
        return self._value(step.output, scope, {"output": result})

    def _covers(self, names: tuple[str, ...] | None, error: str) -> bool:
        """Whether a handler or retry for `names` (None: for all) takes an error, by its name or a base class of it."""
        if names is None or error in names:
            return True
        bases = {
            base
            for action in self._world.catalog
            for declared in action.errors
            if declared.name == error
            for base in declared.bases
        }
        if TASK_FAILED in names and error != TIMEOUT:
            return True
        return "States.ALL" in names or bool(bases.intersection(names))


def problems_of(given: Mapping[str, Any], declared: Iterable[InputProperty]) -> str:
    """What is wrong with an input, as far as types go; empty if it is as declared."""
    found = []
    for item in declared:
        if item.name not in given:
            found += [f"{item.name} is missing"] if item.required else []
        elif not _is_of(given[item.name], item.schema):
            found.append(f"{item.name} must be {WORDS[item.schema['type']]}")
    return "; ".join(found)


def _is_of(value: Any, schema: Mapping[str, Any]) -> bool:
    match schema.get("type"):
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "array":
            return isinstance(value, list) and all(_is_of(item, schema.get("items", {})) for item in value)
        case "object":
            return isinstance(value, dict)
    return True


def reads(step: Step) -> set[str]:
    """The steps that a step reads anywhere, found in its text."""
    return {name for text_ in _texts(step) for name in re.findall(r"steps(?:\.|\[['\"])([a-z][a-z0-9_-]*)", text_)}


def _texts(thing: Any) -> Iterator[str]:
    """The sources of all expressions inside a part of a workflow."""
    if isinstance(thing, Template):
        yield from (part.source for part in thing.parts if not isinstance(part, str))
    elif isinstance(thing, tuple):
        for item in thing:
            yield from _texts(item)
    elif is_dataclass(thing):
        for each in fields(thing):
            yield from _texts(getattr(thing, each.name))
