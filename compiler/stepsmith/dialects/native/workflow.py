"""Reads a whole file of the native language: the workflow's own keys, its input and its triggers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from stepsmith.diagnostics import Diagnostics, did_you_mean, one_of
from stepsmith.dialects.native.limits import read_concurrency
from stepsmith.dialects.native.policies import read_retry
from stepsmith.dialects.native.reading import IDENTIFIER, VARIABLE, Reader, slug
from stepsmith.dialects.native.steps import read_block
from stepsmith.document import Document, Entry, Json, MappingNode, Node, ScalarNode, SequenceNode, plain
from stepsmith.eventpatterns import check_pattern
from stepsmith.model.policies import Then
from stepsmith.model.values import ObjectValue, Value
from stepsmith.model.workflow import (
    ApiTrigger,
    EventTrigger,
    InputProperty,
    ScheduleTrigger,
    Trigger,
    Workflow,
    WorkflowType,
)
from stepsmith.schedules import check_schedule, check_timezone
from stepsmith.schema import KEYWORDS, TYPES, violations

WORKFLOW_KEYS: Final = (
    "name",
    "description",
    "version",
    "type",
    "input",
    "triggers",
    "timeout",
    "retry",
    "on_failure",
    "concurrency",
    "steps",
    "output",
    "finally",
)
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,62}")


class NativeDialect:
    """The language of docs/language.md."""

    name = "native"

    def recognises(self, document: Document) -> bool:
        return isinstance(document.root, MappingNode) and document.root.get("steps") is not None

    def read(self, document: Document, diagnostics: Diagnostics) -> Workflow | None:
        reader = Reader(document.source, diagnostics)
        root = reader.mapping(document.root, "a workflow", "start with name: and steps:")
        if root is None:
            return None
        reader.reserved = frozenset(_written_ids(root))
        reader.known_keys(root, WORKFLOW_KEYS, "a workflow")
        for key in ("name", "steps"):
            if root.get(key) is None:
                diagnostics.error(
                    "missing-key",
                    f"a workflow needs `{key}`",
                    root.span,
                    f"write {key}: at the top of the file",
                )
        given = {entry.key: entry.value for entry in root.entries}
        # Everything is read even when the name or the steps are missing, so that every problem shows.
        workflow = Workflow(
            name=_name(reader, given.get("name")) or "unnamed",
            name_span=given["name"].span if "name" in given else root.span,
            span=root.span,
            description=(reader.text(given["description"], "description") or "") if "description" in given else "",
            version=_version(reader, given["version"]) if "version" in given else None,
            type=WorkflowType(
                (reader.choice(given["type"], "type", tuple(WorkflowType)) if "type" in given else None)
                or WorkflowType.STANDARD
            ),
            input=_input(reader, given["input"]) if "input" in given else None,
            triggers=tuple(_triggers(reader, given["triggers"])) if "triggers" in given else (),
            timeout=reader.duration(given["timeout"], "timeout") if "timeout" in given else None,
            retry=read_retry(reader, given["retry"]) if "retry" in given else None,
            on_failure=_on_failure(reader, given["on_failure"]) if "on_failure" in given else None,
            concurrency=read_concurrency(reader, given["concurrency"]) if "concurrency" in given else None,
            steps=read_block(reader, given["steps"], "steps") if "steps" in given else (),
            output=reader.value(given["output"]) if "output" in given else None,
            finally_steps=read_block(reader, given["finally"], "finally") if "finally" in given else (),
        )
        return workflow if "name" in given and "steps" in given else None


def _written_ids(node: Node) -> Iterator[str]:
    """The ids that stand anywhere under steps; defaults keep clear of them, wherever they come in the file."""
    if isinstance(node, MappingNode):
        for entry in node.entries:
            if entry.key == "id" and isinstance(entry.value, ScalarNode) and isinstance(entry.value.value, str):
                yield entry.value.value
            elif entry.key not in ("params", "input", "set", "output", "triggers"):
                yield from _written_ids(entry.value)
    elif isinstance(node, SequenceNode):
        for item in node.items:
            yield from _written_ids(item)


def _name(reader: Reader, node: Node | None) -> str | None:
    value = reader.text(node, "name") if node is not None else None
    if value is None or node is None:
        return None
    if not NAME.fullmatch(value):
        better = slug(value).replace("_", "-")
        reader.diagnostics.error(
            "bad-name",
            f'"{value}" is no name for a workflow: a lower-case letter, then up to 62 such letters, digits or "-"',
            node.span,
            f"write {better}" if NAME.fullmatch(better) else "",
        )
        return None
    return value


def _on_failure(reader: Reader, node: Node) -> Then | None:
    word = reader.choice(node, "on_failure", (Then.FAIL, Then.ROLLBACK))
    return Then(word) if word is not None else None


def _version(reader: Reader, node: Node) -> str | None:
    """A text; a bare number such as 1.0 is what most people write, so its spelling in the file is taken."""
    value = node.value if isinstance(node, ScalarNode) else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        source = reader.source
        return source.text[source.offset(node.span.start) : source.offset(node.span.end)].strip()
    return reader.text(node, "version")


# -- input ----------------------------------------------------------------------------------------


def _input(reader: Reader, node: Node) -> tuple[InputProperty, ...] | None:
    if isinstance(node, ScalarNode) and node.value is None:
        return ()
    mapping = reader.mapping(node, "input", "write input: {file_path: {type: string}}")
    if mapping is None:
        return None
    found = [_property(reader, entry) for entry in mapping.entries]
    return tuple(item for item in found if item)


def _property(reader: Reader, entry: Entry) -> InputProperty | None:
    if not VARIABLE.fullmatch(entry.key) and not IDENTIFIER.fullmatch(entry.key):
        reader.diagnostics.error(
            "bad-name",
            f'"{entry.key}" is no name for an input property',
            entry.key_span,
            "use letters, digits, _ and -",
        )
        return None
    mapping = reader.mapping(entry.value, f"input {entry.key}", "write {type: string}")
    if mapping is None:
        return None
    rest = MappingNode(tuple(item for item in mapping.entries if item.key not in ("required", "default")), mapping.span)
    _check_schema(reader, rest, f"input {entry.key}")
    required, default = mapping.entry("required"), mapping.entry("default")
    schema = plain(rest)
    fixed = plain(default.value) if default else None
    wants: Json = plain(required.value) if required else None
    if required and isinstance(wants, list) and isinstance(schema, dict):
        schema = {**schema, "required": wants}
        wants = None
    elif required and not isinstance(wants, bool):
        reader.wrong_shape(required.value, "required", "true or false")
    if default and isinstance(schema, dict):
        if reader.refuse_template(default.value, "default") if isinstance(default.value, ScalarNode) else False:
            return None
        for problem in violations(fixed, schema):
            message = f"the default of {entry.key} {problem}"
            reader.diagnostics.error(
                "bad-default", message, default.value.span, "write a default that obeys the schema beside it"
            )
    if default and wants is True:
        reader.diagnostics.error(
            "bad-default",
            f"{entry.key} is required and has a default",
            default.key_span,
            "leave one of the two out",
        )
    return InputProperty(
        name=entry.key,
        schema=schema if isinstance(schema, dict) else {},
        required=default is None and wants is not False,
        default=fixed,
        has_default=default is not None,
        span=entry.key_span,
    )


def _check_schema(reader: Reader, node: MappingNode, noun: str) -> None:
    """Reports what is no JSON Schema, or none that workflows use."""
    reader.known_keys(node, KEYWORDS, noun)
    for entry in node.entries:
        value = plain(entry.value)
        if entry.key == "type":
            for name in value if isinstance(value, list) else [value]:
                if name not in TYPES:
                    reader.diagnostics.error(
                        "bad-schema",
                        f'"{name}" is no type',
                        entry.value.span,
                        did_you_mean(str(name), TYPES, _type_help(str(name))),
                    )
        elif entry.key == "enum" and (not isinstance(value, list) or not value):
            reader.wrong_shape(entry.value, "enum", "a list of values")
        elif entry.key == "pattern":
            try:
                re.compile(str(value))
            except re.error as error:
                reader.diagnostics.error(
                    "bad-schema",
                    f"the pattern is no regular expression: {error}",
                    entry.value.span,
                    "write it as Python's re module reads it",
                )
        elif entry.key == "items" and isinstance(entry.value, MappingNode):
            _check_schema(reader, entry.value, f"{noun}.items")
        elif entry.key == "properties" and isinstance(entry.value, MappingNode):
            for inner in entry.value.entries:
                if inner_node := reader.mapping(inner.value, f"{noun}.{inner.key}", "write {type: string}"):
                    _check_schema(reader, inner_node, f"{noun}.{inner.key}")
        elif entry.key in ("items", "properties"):
            reader.mapping(entry.value, f"{noun}.{entry.key}")


def _type_help(name: str) -> str:
    usual = {
        "str": "string",
        "text": "string",
        "int": "integer",
        "float": "number",
        "bool": "boolean",
        "list": "array",
    }
    better = usual.get(name) or {"dict": "object", "map": "object", "mapping": "object"}.get(name)
    return f"write {better}" if better else f"write one of {one_of(TYPES)}"


# -- triggers -------------------------------------------------------------------------------------


def _triggers(reader: Reader, node: Node) -> Iterator[Trigger]:
    if not isinstance(node, SequenceNode):
        reader.wrong_shape(node, "triggers", "a list", "put a `-` before each trigger")
        return
    for item in node.items:
        mapping = reader.mapping(item, "a trigger", "write - event: …, - schedule: … or - api: …")
        if mapping is None:
            continue
        kinds = [key for key in ("event", "schedule", "api") if mapping.get(key) is not None]
        if len(kinds) != 1:
            reader.diagnostics.error(
                "bad-trigger",
                "a trigger has one of event, schedule and api",
                mapping.span,
                "make a trigger of each",
            )
            continue
        trigger = {"event": _event, "schedule": _schedule, "api": _api}[kinds[0]](reader, mapping)
        if trigger is not None:
            yield trigger


def _trigger_input(reader: Reader, mapping: MappingNode) -> ObjectValue | None:
    node = mapping.get("input")
    inner = reader.mapping(node, "a trigger's input") if node is not None else None
    return reader.object_value(inner) if inner else None


def _dedupe_key(reader: Reader, mapping: MappingNode) -> Value | None:
    node = mapping.get("dedupe_key")
    return reader.value(node) if node is not None else None


def _event(reader: Reader, mapping: MappingNode) -> Trigger | None:
    reader.known_keys(mapping, ("event", "input", "dedupe_key"), "an event trigger")
    node = mapping.get("event")
    pattern = reader.mapping(node, "event", "write an EventBridge pattern") if node is not None else None
    given = _trigger_input(reader, mapping)
    if pattern is None:
        return None
    value = _pattern(pattern)
    for problem in check_pattern(value):
        span = _place(pattern, problem.path)
        reader.diagnostics.error("bad-event-pattern", problem.message, span.span, problem.help)
    return EventTrigger(value, given, mapping.span, _dedupe_key(reader, mapping))


def _pattern(node: MappingNode) -> dict[str, Json]:
    """The event pattern; a bare value is taken for a list of one, since EventBridge knows only lists."""
    result: dict[str, Json] = {}
    for entry in node.entries:
        match entry.value:
            case MappingNode():
                result[entry.key] = _pattern(entry.value)
            case ScalarNode():
                result[entry.key] = [entry.value.value]
            case SequenceNode():
                result[entry.key] = plain(entry.value)
    return result


def _place(node: Node, path: tuple[str | int, ...]) -> Node:
    """The innermost node on `path` that the document has."""
    for part in path:
        inner: Node | None = None
        if isinstance(node, MappingNode) and isinstance(part, str):
            inner = node.get(part)
        elif isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.items):
            inner = node.items[part]
        if inner is None:
            break
        node = inner
    return node


def _schedule(reader: Reader, mapping: MappingNode) -> Trigger | None:
    reader.known_keys(mapping, ("schedule", "timezone", "input", "dedupe_key"), "a schedule trigger")
    given = _trigger_input(reader, mapping)
    node, zone_node = mapping.get("schedule"), mapping.get("timezone")
    expression = reader.text(node, "schedule") if node is not None else None
    zone = reader.text(zone_node, "timezone") if zone_node is not None else None
    if expression is None or node is None:
        return None
    problem = check_schedule(expression)
    if problem is not None:
        reader.diagnostics.error("bad-schedule", problem.message, node.span, problem.help)
    if zone is not None and zone_node is not None and (wrong := check_timezone(zone)) is not None:
        reader.diagnostics.error("bad-schedule", wrong.message, zone_node.span, wrong.help)
    return ScheduleTrigger(expression, zone, given, mapping.span, _dedupe_key(reader, mapping))


def _api(reader: Reader, mapping: MappingNode) -> Trigger | None:
    reader.known_keys(mapping, ("api",), "an api trigger")
    node = mapping.get("api")
    value = reader.text(node, "api") if node is not None else None
    if value is None or node is None:
        return None
    method, _, path = value.partition(" ")
    if method not in METHODS or not path.startswith("/"):
        reader.diagnostics.error(
            "bad-trigger",
            f'"{value}" is no HTTP route',
            node.span,
            "write a method and a path, such as POST /threats",
        )
        return None
    return ApiTrigger(method, path.strip(), mapping.span)
