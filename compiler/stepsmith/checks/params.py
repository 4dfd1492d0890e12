"""The params of an action step must fit the action's model: none unknown, none missing, none of the wrong type."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from stepsmith.analysis.facts import Use, UseKind
from stepsmith.catalog import ActionSignature
from stepsmith.checks.context import CheckContext
from stepsmith.diagnostics import did_you_mean, one_of
from stepsmith.expressions.syntax import Template
from stepsmith.expressions.translate import Translation
from stepsmith.expressions.types import TEXT, AnyType, TextType, Type, describe, from_schema, kinds
from stepsmith.model.secrets import holds_secret
from stepsmith.model.steps import ActionStep
from stepsmith.model.values import ListValue, Literal, ObjectValue, Templated, Value, constant, templates
from stepsmith.schema import Schema, as_schema, resolve, suggestion, violations


def check_params(context: CheckContext) -> None:
    for use in context.analysis.uses:
        if use.kind is UseKind.PARAMS and isinstance(use.step, ActionStep):
            action = context.catalog.get(use.step.action)
            if action is not None and isinstance(use.value, ObjectValue):
                _check(context, use, use.step, use.value, action)


def _check(context: CheckContext, use: Use, step: ActionStep, params: ObjectValue, action: ActionSignature) -> None:
    properties = as_schema(action.params.get("properties") or {})
    required = action.params.get("required")
    for name in required if isinstance(required, list) else ():
        if isinstance(name, str) and params.get(name) is None:
            context.diagnostics.error(
                "missing-param",
                f'{action.name} needs the param "{name}"',
                step.action_span,
                f"add {name}: under params" + _meaning(as_schema(properties.get(name))),
            )

    def translated(template: Template) -> Translation | None:
        return context.translated(use, template)

    for item in params.fields:
        if item.key not in properties:
            context.diagnostics.error(
                "unknown-param",
                f'{action.name} has no param "{item.key}"',
                item.key_span,
                did_you_mean(
                    item.key, properties, f"its params: {one_of(properties)}" if properties else "it has none"
                ),
            )
            continue
        for problem in misfits(item.value, as_schema(properties[item.key]), action.params, translated):
            context.diagnostics.error(
                "wrong-param",
                f'the param "{item.key}" {problem[1]}',
                problem[0].span,
                hint(problem) or f"stepsmith actions {action.name} shows what it takes",
            )


def _meaning(schema: Schema) -> str:
    text = schema.get("description")
    return f" ({text})" if isinstance(text, str) else ""


Misfit = tuple[Value, str]
Translated: TypeAlias = Callable[[Template], Translation | None]


def hint(problem: Misfit) -> str:
    value, message = problem
    if isinstance(value, Literal):
        return suggestion(value.value, message)
    wanted = next((name for name in _FILTERS if message.startswith(f"must be {name},")), None)
    if isinstance(value, Templated) and wanted is not None:
        return f"convert it: {{{{ … | {_FILTERS[wanted]} }}}}"
    return ""


_FILTERS = {"text": "string", "an integer": "int", "a number": "float"}


def misfits(value: Value, schema: Schema, root: Schema, translated: Translated) -> Iterator[Misfit]:
    """The parts of `value` that cannot fit `schema`, with what is wrong."""
    schema = resolve(schema, root)
    if not any(True for _ in templates(value)):
        for violation in violations(constant(value), schema, root=root):
            yield _part(value, violation.path), str(violation)
        return
    match value:
        case Templated():
            secret = holds_secret(value.template)
            translation = None if secret else translated(value.template)
            if secret and not may_fit(TEXT, from_schema({**schema, "$defs": root.get("$defs", {})})):
                wanted = describe(from_schema({**schema, "$defs": root.get("$defs", {})}))
                yield value, f"must be {wanted}, a secret is text"
            if translation is not None and not may_fit(
                translation.type, from_schema({**schema, "$defs": root.get("$defs", {})})
            ):
                wanted = describe(from_schema({**schema, "$defs": root.get("$defs", {})}))
                yield value, f"must be {wanted}, the expression yields {describe(translation.type)}"
        case ObjectValue():
            properties = as_schema(schema.get("properties") or {})
            extra = schema.get("additionalProperties")
            for item in value.fields:
                if item.key in properties:
                    yield from misfits(item.value, as_schema(properties[item.key]), root, translated)
                elif isinstance(extra, dict):
                    yield from misfits(item.value, extra, root, translated)
                elif extra is False:
                    yield item.value, f'has no property "{item.key}"'
            if "type" in schema and schema["type"] not in ("object", ["object"]):
                yield value, f"must be {schema['type']}, not object"
        case ListValue():
            items = schema.get("items")
            for each in value.items if isinstance(items, dict) else ():
                yield from misfits(each, as_schema(items), root, translated)
            if "type" in schema and schema["type"] not in ("array", ["array"]):
                yield value, f"must be {schema['type']}, not array"
        case Literal():
            return


def may_fit(given: Type, wanted: Type) -> bool:
    """Whether a value of type `given` can be one of type `wanted`."""
    if isinstance(given, AnyType) or isinstance(wanted, AnyType):
        return True
    if not kinds(given) & kinds(wanted):
        return False
    if isinstance(given, TextType) and isinstance(wanted, TextType) and given.choices and wanted.choices:
        return bool(set(given.choices) & set(wanted.choices))
    return True


def _part(value: Value, path: tuple[str | int, ...]) -> Value:
    """The innermost value on `path`."""
    for step in path:
        inner: Value | None = None
        if isinstance(value, ObjectValue) and isinstance(step, str):
            inner = value.get(step)
        elif isinstance(value, ListValue) and isinstance(step, int):
            inner = value.items[step]
        if inner is None:
            break
        value = inner
    return value
