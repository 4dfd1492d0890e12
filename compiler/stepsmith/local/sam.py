"""`template.yaml` as a local run reads it: resources, functions with the Globals merged, intrinsics.

It resolves what CloudFormation would resolve at deployment, with stand-ins for what only an account knows. It
neither checks nor changes a template: `sam validate` and `stepsmith build` do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final, TypeAlias

import yaml

from stepsmith.document import Json

Properties: TypeAlias = dict[str, Json]
FUNCTION: Final = "AWS::Serverless::Function"
STATE_MACHINE: Final = "AWS::Serverless::StateMachine"
DEFAULT_TIMEOUT: Final = 3
"""Seconds; what Lambda gives a function that names none (Lambda API, CreateFunction)."""
DEFAULT_MEMORY: Final = 128


class TemplateError(Exception):
    """The template cannot be read, or something in it cannot be resolved."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource as written: its intrinsics are not resolved."""

    logical_id: str
    type: str
    properties: Properties = field(repr=False)


@dataclass(frozen=True, slots=True)
class FunctionResource:
    """A Lambda function as SAM would deploy it. `environment` is not resolved yet."""

    logical_id: str
    handler: str
    code: Path
    """The folder that becomes `/var/task`."""
    timeout: int = DEFAULT_TIMEOUT
    """Seconds."""
    memory: int = DEFAULT_MEMORY
    """MB."""
    environment: Properties = field(default_factory=dict, repr=False)
    name: Json = None
    """`FunctionName` as written; mostly absent."""


@dataclass(frozen=True)
class SamTemplate:
    """A SAM template as data."""

    folder: Path
    resources: Mapping[str, Resource] = field(default_factory=dict, repr=False)
    parameters: Mapping[str, Json] = field(default_factory=dict, repr=False)
    """Each parameter's default; absent where it has none."""
    conditions: Mapping[str, Json] = field(default_factory=dict, repr=False)
    mappings: Mapping[str, Json] = field(default_factory=dict, repr=False)
    function_globals: Properties = field(default_factory=dict, repr=False)

    def of_type(self, *types: str) -> tuple[Resource, ...]:
        return tuple(resource for resource in self.resources.values() if resource.type in types)

    def functions(self) -> dict[str, FunctionResource]:
        """The functions by logical id, with what Globals say about every function."""
        return {resource.logical_id: self._function(resource) for resource in self.of_type(FUNCTION)}

    def _function(self, resource: Resource) -> FunctionResource:
        own, shared = resource.properties, self.function_globals
        merged = {**shared, **own}
        environment = {**_variables(shared), **_variables(own)}
        handler, code = merged.get("Handler"), merged.get("CodeUri", ".")
        if not isinstance(handler, str) or not isinstance(code, str):
            raise TemplateError(f"{resource.logical_id} needs a Handler and a CodeUri that are texts")
        return FunctionResource(
            logical_id=resource.logical_id,
            handler=handler,
            code=(self.folder / code).resolve(),
            timeout=_whole(merged.get("Timeout"), DEFAULT_TIMEOUT),
            memory=_whole(merged.get("MemorySize"), DEFAULT_MEMORY),
            environment=environment,
            name=own.get("FunctionName"),
        )


def read_template(path: Path) -> SamTemplate:
    """The template in the file `path`. Raises TemplateError if it is none, OSError if it cannot be read.

    The same text is read once a process: each rehearsal asks for it, and reading it takes longer than a whole run.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise TemplateError(f"{path.name} is no YAML: {error}") from error
    return _template_of(text, path)


@lru_cache(maxsize=4)
def _template_of(text: str, path: Path) -> SamTemplate:
    try:
        root = yaml.load(text, Loader=_TemplateLoader)  # noqa: S506 - a safe subclass
    except yaml.YAMLError as error:
        raise TemplateError(f"{path.name} is no YAML: {error}") from error
    if not isinstance(root, dict):
        raise TemplateError(f"{path.name} is no template: its root is no mapping")
    resources = {}
    for logical_id, body in _mapping(root.get("Resources")).items():
        if isinstance(body, dict) and isinstance(kind := body.get("Type"), str):
            resources[logical_id] = Resource(logical_id, kind, _mapping(body.get("Properties")))
    parameters = {
        name: body["Default"]
        for name, body in _mapping(root.get("Parameters")).items()
        if isinstance(body, dict) and "Default" in body
    }
    return SamTemplate(
        folder=path.parent.resolve(),
        resources=resources,
        parameters=parameters,
        conditions=_mapping(root.get("Conditions")),
        mappings=_mapping(root.get("Mappings")),
        function_globals=_mapping(_mapping(root.get("Globals")).get("Function")),
    )


class _TemplateLoader(yaml.SafeLoader):
    """Reads CloudFormation's short tags (`!Ref`, `!Sub`, …) as their long forms."""


def _short_form(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Json:
    value: Json
    if isinstance(node, yaml.ScalarNode):
        value = str(node.value)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = {str(key): item for key, item in loader.construct_mapping(node, deep=True).items()}
    if suffix == "GetAtt" and isinstance(value, str):
        value = list(value.split(".", 1))
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_TemplateLoader.add_multi_constructor("!", _short_form)
# A version such as 2012-10-17 is text to CloudFormation, never a date.
_TemplateLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True)
class Resolver:
    """Evaluates intrinsics as CloudFormation would.

    `reference` gives what `!Ref` of a resource yields and `attribute` what `!GetAtt` does; both raise
    TemplateError for what they do not know. `pseudo` holds the values of `AWS::…`.
    """

    template: SamTemplate
    pseudo: Mapping[str, str]
    reference: Callable[[str], str]
    attribute: Callable[[str, str], str]

    def resolve(self, value: Json) -> Json:
        """`value` with every intrinsic in it replaced; a removed property (`AWS::NoValue`) is left out."""
        match value:
            case dict():
                if len(value) == 1:
                    (key, argument), *_ = value.items()
                    if key == "Ref" or key.startswith("Fn::"):
                        return self._intrinsic(key, argument)
                return {
                    key: resolved
                    for key, item in value.items()
                    if (resolved := self.resolve(item)) is not None or item is None
                }
            case list():
                return [self.resolve(item) for item in value]
            case _:
                return value

    def text(self, value: Json) -> str:
        """`value` resolved and written as CloudFormation passes texts on: booleans in lower case."""
        resolved = self.resolve(value)
        if isinstance(resolved, bool):
            return "true" if resolved else "false"
        if resolved is None or isinstance(resolved, (dict, list)):
            raise TemplateError(f"{value!r} does not resolve to a text")
        return str(resolved)

    def _intrinsic(self, name: str, argument: Json) -> Json:
        match name, argument:
            case "Ref", str():
                return self._ref(argument)
            case "Fn::GetAtt", [str() as resource, str() as attribute]:
                return self.attribute(resource, attribute)
            case "Fn::Sub", str():
                return self._substitute(argument, {})
            case "Fn::Sub", [str() as text, dict() as names]:
                return self._substitute(text, names)
            case "Fn::Join", [str() as separator, parts]:
                texts = self.resolve(parts)
                if isinstance(texts, list):
                    return separator.join(self.text(part) for part in texts)
            case "Fn::Split", [str() as separator, text]:
                return list(self.text(text).split(separator))
            case "Fn::Select", [index, items]:
                chosen = self.resolve(items)
                at = int(self.text(index))
                if isinstance(chosen, list) and at < len(chosen):
                    return chosen[at]
            case "Fn::If", [str() as condition, yes, no]:
                return self.resolve(yes if self.holds(condition) else no)
            case "Fn::FindInMap", [name_, first, second, *_]:
                table = _mapping(self.template.mappings.get(self.text(name_)))
                return _mapping(table.get(self.text(first))).get(self.text(second))
            case _:
                pass
        raise TemplateError(f"{name} of {argument!r} cannot be resolved in a local run")

    def _ref(self, name: str) -> Json:
        if name == "AWS::NoValue":
            return None
        if name in self.pseudo:
            return self.pseudo[name]
        if name in self.template.parameters:
            return self.template.parameters[name]
        return self.reference(name)

    def _substitute(self, text: str, names: Mapping[str, Json]) -> str:
        def replaced(match: re.Match[str]) -> str:
            name = match.group(1).strip()
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in names:
                return self.text(names[name])
            if "." in name:
                resource, attribute = name.split(".", 1)
                return self.attribute(resource, attribute)
            return self.text({"Ref": name})

        return re.sub(r"\$\{([^}]+)\}", replaced, text)

    def holds(self, condition: str) -> bool:
        """Whether the template's condition of that name is true."""
        if condition not in self.template.conditions:
            raise TemplateError(f"the template has no condition {condition}")
        return self._true(self.template.conditions[condition])

    def _true(self, test: Json) -> bool:
        match test:
            case {"Fn::Equals": [left, right]}:
                return self.text(left) == self.text(right)
            case {"Fn::Not": [inner]}:
                return not self._true(inner)
            case {"Fn::And": list() as parts}:
                return all(self._true(part) for part in parts)
            case {"Fn::Or": list() as parts}:
                return any(self._true(part) for part in parts)
            case {"Condition": str() as name}:
                return self.holds(name)
            case _:
                raise TemplateError(f"{test!r} is no condition")


def _variables(function: Properties) -> Properties:
    return _mapping(_mapping(function.get("Environment")).get("Variables"))


def _mapping(value: Json) -> Properties:
    return value if isinstance(value, dict) else {}


def _whole(value: Json, otherwise: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else otherwise
