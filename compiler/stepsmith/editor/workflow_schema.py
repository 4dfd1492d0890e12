"""The JSON Schema (2020-12) of the native language with the project's actions, for editors.

It comes from the tables that the reader works with, so that both know the same keys. It is for writing: everything
that it refuses the compiler refuses too, but types, names and flow are the compiler's business alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Final

from stepsmith.catalog import ActionCatalog, ActionSignature
from stepsmith.dialects.native.approvals import APPROVAL_KEYS
from stepsmith.dialects.native.limits import (
    BREAKER_KEYS,
    CONCURRENCY_KEYS,
    MOST_FAILURES,
    MOST_RUNS,
    MOST_STARTS,
    RATE_KEYS,
)
from stepsmith.dialects.native.policies import HANDLER_KEYS, RETRY_KEYS
from stepsmith.dialects.native.reading import IDENTIFIER, VARIABLE
from stepsmith.dialects.native.steps import FOR_EACH_KEYS, MODIFIERS, VERBS
from stepsmith.dialects.native.undoing import NOTHING, UNDO_KEYS, UNDO_VERBS
from stepsmith.dialects.native.workflow import METHODS, NAME, WORKFLOW_KEYS
from stepsmith.document import Json
from stepsmith.editor import words
from stepsmith.model.policies import Jitter, OnLimit, Then
from stepsmith.model.steps import OnTimeout, S3Format
from stepsmith.model.workflow import WorkflowType
from stepsmith.schema import KEYWORDS, TYPES

FILE_NAME: Final = "workflow.schema.json"
"""Beside the workflows, where `stepsmith build` writes it."""
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Json]

_DURATION: Final = r"^(\s*\d+\s*[A-Za-z]+[,.]?)+\s*$|^P[0-9A-Z]+$|^\s*\d+\s*$"


def schema_text(catalog: ActionCatalog) -> str:
    """The schema as a file: the same for the same actions, to the byte."""
    return json.dumps(workflow_schema(catalog), indent=2, ensure_ascii=False) + "\n"


def workflow_schema(catalog: ActionCatalog) -> Schema:
    """The schema of a workflow whose steps may run the actions of `catalog`."""
    definitions: dict[str, Json] = {
        "template": {
            "type": "string",
            "pattern": r"\{\{",
            "description": "A text with {{ … }}; the value of a lone one keeps its type.",
        },
        "duration": {
            "description": "30s, 5m, 2h, 1d, 1h30m, ISO 8601 or a number of seconds.",
            "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": _DURATION}],
        },
        "condition": {
            "description": 'A condition such as "{{ input.count > 0 }}".',
            "type": ["string", "boolean"],
        },
        "errors": {
            "description": "Names of errors: an action's, or one of Step Functions such as States.Timeout.",
            "anyOf": [_texts(), {"type": "string"}],
        },
        "steps": {"type": "array", "minItems": 1, "items": _reference("step")},
        "retry": _retry(),
        "retry_rule": _object(_each(RETRY_KEYS, _RETRY, words.RETRY)),
        "concurrency": _object(_each(CONCURRENCY_KEYS, _CONCURRENCY, words.CONCURRENCY), required=("limit",)),
        "rate_limit": _object(_each(RATE_KEYS, _RATE, words.RATE), required=("limit", "per")),
        "circuit_breaker": _object(
            _each(BREAKER_KEYS, _BREAKER, words.BREAKER), required=("threshold", "window", "cooldown")
        ),
        "on_failure": {
            "anyOf": [
                {"type": "string", "enum": ["fail", "continue", "skip", "rollback"]},
                {"type": "array", "items": _reference("handler")},
            ]
        },
        "rollback": _rollback(catalog),
        "handler": _object(_each(HANDLER_KEYS, _HANDLER, words.HANDLER)),
        "property": _property(),
        "trigger": {"oneOf": [_event(), _schedule(), _api()]},
        "step": {"type": "object", "oneOf": [_reference(f"{verb}_step") for verb in VERBS]},
        **{f"{verb}_step": _step(verb, catalog) for verb in VERBS},
        **{f"{action.name}_params": _params(action) for action in catalog},
    }
    return {
        "$schema": DIALECT,
        "title": "Stepsmith workflow",
        **_object(_each(WORKFLOW_KEYS, _WORKFLOW, words.WORKFLOW), required=("name", "steps")),
        "$defs": definitions,
    }


# -- steps ----------------------------------------------------------------------------------------


def _step(verb: str, catalog: ActionCatalog) -> Schema:
    """A step with this verb, its settings, and the modifiers that go with it."""
    rules = VERBS[verb]
    modifiers = [key for key in MODIFIERS if key not in rules.without and key not in rules.settings]
    value = _action_names(catalog) if verb == "action" else _VERBS.get(verb, {})
    properties: dict[str, Json] = {
        verb: {"description": words.VERBS.get(verb, ""), **value},
        **_each(rules.settings, {**_SETTINGS, **_OWN_SETTINGS.get(verb, {})}, words.SETTINGS),
        **_each(modifiers, _MODIFIERS, words.MODIFIERS),
    }
    found = _object(properties, required=(verb,))
    if verb == "action":
        found["allOf"] = [_params_of(action) for action in catalog]
    return found


def _rollback(catalog: ActionCatalog) -> Schema:
    """The step that undoes another: one of three verbs, with the keys that go with it."""
    ways: list[Json] = []
    for verb in UNDO_VERBS:
        value = _action_names(catalog) if verb == "action" else _VERBS.get(verb, {})
        keys = [key for key in UNDO_KEYS if key not in UNDO_VERBS]
        shapes = {**_MODIFIERS, **_SETTINGS, **_OWN_SETTINGS.get(verb, {})}
        properties = {
            verb: {"description": words.VERBS.get(verb, ""), **value},
            **_each(keys, shapes, {**words.SETTINGS, **words.MODIFIERS}),
        }
        way = _object(properties, required=(verb,))
        if verb == "action":
            way["allOf"] = [_params_of(action) for action in catalog]
        ways.append(way)
    return {"oneOf": [{"const": NOTHING}, *ways]}


def _action_names(catalog: ActionCatalog) -> Schema:
    names: list[Json] = [{"const": action.name, "description": action.summary} for action in catalog]
    return {"type": "string", **({"oneOf": names} if names else {})}


def _params_of(action: ActionSignature) -> Json:
    """If this is the action, then these are its params."""
    then: Schema = {"properties": {"params": _reference(f"{action.name}_params")}}
    if action.params.get("required"):
        then["required"] = ["params"]
    return {"if": {"properties": {"action": {"const": action.name}}, "required": ["action"]}, "then": then}


def _params(action: ActionSignature) -> Schema:
    """The action's own schema, with a template allowed wherever a value stands."""
    place = f"#/$defs/{action.name}_params"
    found = _templated_object(dict(action.params), place)
    inner = action.params.get("$defs")
    if isinstance(inner, dict):
        found["$defs"] = {name: _templated(schema, place) for name, schema in inner.items()}
    description = "\n\n".join(text for text in (action.summary, action.description) if text)
    return {"description": description, **found}


def _templated(schema: Json, place: str) -> Json:
    """`schema`, or a template in its place. Descriptions stay where an editor looks for them."""
    if not isinstance(schema, dict):
        return schema
    if _takes_any_text(schema):
        return schema
    told: Schema = {key: schema[key] for key in ("title", "description", "default", "examples") if key in schema}
    plain = {key: value for key, value in schema.items() if key not in told}
    return {**told, "anyOf": [_templated_object(plain, place), _reference("template")]}


def _templated_object(schema: Schema, place: str) -> Schema:
    """`schema` with templates allowed inside of it, and with references into the action's own definitions."""
    found: Schema = {}
    for key, value in schema.items():
        if key == "$ref" and isinstance(value, str):
            found[key] = place + value.removeprefix("#")
        elif key in ("properties", "patternProperties") and isinstance(value, dict):
            found[key] = {name: _templated(inner, place) for name, inner in value.items()}
        elif key in ("items", "additionalProperties"):
            found[key] = _templated(value, place)
        elif key in ("anyOf", "oneOf", "allOf") and isinstance(value, list):
            # The template stands beside the whole choice: in each of them it would be one too many for oneOf.
            found[key] = [_templated_object(inner, place) if isinstance(inner, dict) else inner for inner in value]
        elif key not in ("$defs", "discriminator"):
            found[key] = value
    return found


def _takes_any_text(schema: Schema) -> bool:
    """Whether a template is allowed as it is: the schema is that of any text, or of anything."""
    limits = set(schema) - {"title", "description", "default", "examples", "type", "minLength"}
    return not limits and schema.get("type", "string") == "string"


# -- the parts of a workflow ----------------------------------------------------------------------


def _object(properties: Mapping[str, Json], required: Iterable[str] = ()) -> Schema:
    found: Schema = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    if names := list(required):
        found["required"] = list(names)
    return found


def _each(keys: Iterable[str], schemas: Mapping[str, Schema], told: Mapping[str, str]) -> dict[str, Json]:
    """A property for each key; one that stands in no table here may hold anything."""
    return {key: {**({"description": told[key]} if key in told else {}), **schemas.get(key, {})} for key in keys}


def _reference(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _texts() -> Schema:
    return {"type": "array", "items": {"type": "string"}}


def _pattern(expression: str) -> Schema:
    return {"type": "string", "pattern": f"^{expression}$"}


def _retry() -> Schema:
    rule = _reference("retry_rule")
    return {"anyOf": [{"type": "integer", "minimum": 0}, rule, {"type": "array", "items": rule}]}


def _property() -> Schema:
    """A property of the input: the part of JSON Schema that inputs may use."""
    names: list[Json] = list(TYPES)
    more: dict[str, Schema] = {
        "type": {
            "anyOf": [{"type": "string", "enum": names}, {"type": "array", "items": {"type": "string", "enum": names}}]
        },
        "enum": {"type": "array", "minItems": 1},
        "pattern": {"type": "string", "format": "regex"},
        "items": _reference("property"),
        "properties": {"type": "object", "additionalProperties": _reference("property")},
        "required": {"anyOf": [{"type": "boolean"}, _texts()]},
        "description": {"type": "string"},
        "title": {"type": "string"},
    }
    return _object(_each(dict.fromkeys((*KEYWORDS, "required", "default")), more, words.KEYWORDS))


def _event() -> Schema:
    return _object(_each(("event", "input", "dedupe_key"), _TRIGGERS, words.TRIGGERS), required=("event",))


def _schedule() -> Schema:
    keys = ("schedule", "timezone", "input", "dedupe_key")
    return _object(_each(keys, _TRIGGERS, words.TRIGGERS), required=("schedule",))


def _api() -> Schema:
    return _object(_each(("api",), _TRIGGERS, words.TRIGGERS), required=("api",))


_NOTHING: Final[Schema] = {"type": "null"}
_TEXT: Final[Schema] = {"type": "string"}
_WORKFLOW: Final[Mapping[str, Schema]] = {
    "name": _pattern(NAME.pattern),
    "description": _TEXT,
    "version": {"type": ["string", "number"]},
    "type": {"type": "string", "enum": [str(item) for item in WorkflowType]},
    "input": {"type": ["object", "null"], "additionalProperties": _reference("property")},
    "triggers": {"type": "array", "items": _reference("trigger")},
    "timeout": _reference("duration"),
    "retry": _reference("retry"),
    "on_failure": {"type": "string", "enum": ["fail", "rollback"]},
    "concurrency": _reference("concurrency"),
    "steps": _reference("steps"),
    "finally": _reference("steps"),
}
_MODIFIERS: Final[Mapping[str, Schema]] = {
    "needs": {"anyOf": [_texts(), {"type": "string"}]},
    "id": _pattern(IDENTIFIER.pattern),
    "name": _TEXT,
    "description": _TEXT,
    "if": _reference("condition"),
    "timeout": _reference("duration"),
    "heartbeat": _reference("duration"),
    "retry": _reference("retry"),
    "on_failure": _reference("on_failure"),
    "rollback": _reference("rollback"),
}
_RETRY: Final[Mapping[str, Schema]] = {
    "max_retries": {"type": "integer", "minimum": 0},
    "delay": _reference("duration"),
    "backoff": {"type": "number", "minimum": 1},
    "max_delay": _reference("duration"),
    "jitter": {"type": "string", "enum": [str(item) for item in Jitter]},
    "on": _reference("errors"),
}
_RATE: Final[Mapping[str, Schema]] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": MOST_STARTS},
    "per": _reference("duration"),
    "key": {"type": "string", "minLength": 1},
}
_CONCURRENCY: Final[Mapping[str, Schema]] = {
    "key": {"type": "string", "minLength": 1},
    "limit": {"type": "integer", "minimum": 1, "maximum": MOST_RUNS},
    "on_limit": {"type": "string", "enum": [word.value for word in OnLimit]},
}
_BREAKER: Final[Mapping[str, Schema]] = {
    "threshold": {"type": "integer", "minimum": 1, "maximum": MOST_FAILURES},
    "window": _reference("duration"),
    "cooldown": _reference("duration"),
    "key": {"type": "string", "minLength": 1},
}
_HANDLER: Final[Mapping[str, Schema]] = {
    "errors": _reference("errors"),
    "steps": _reference("steps"),
    "then": {"type": "string", "enum": [then.value for then in Then]},
}
_SETTINGS: Final[Mapping[str, Schema]] = {
    "params": {"type": ["object", "null"]},
    "wait": {"type": "boolean"},
    "rate_limit": _reference("rate_limit"),
    "circuit_breaker": _reference("circuit_breaker"),
    "catch": {"type": "array", "items": _reference("handler")},
    "finally": _reference("steps"),
}
_OWN_SETTINGS: Final[Mapping[str, Mapping[str, Schema]]] = {
    # What an action takes is said for each of them.
    "action": {"params": {}},
}
_TRIGGERS: Final[Mapping[str, Schema]] = {
    "event": {"type": "object"},
    "schedule": _pattern(r"(rate|cron|at)\(.+\)"),
    "timezone": _TEXT,
    "api": _pattern(rf"({'|'.join(METHODS)}) /.*"),
    "input": {"type": "object"},
    "dedupe_key": _TEXT,
}
_FOR_EACH: Final[Mapping[str, Schema]] = {
    "in": {
        "anyOf": [
            {"type": "string"},
            {"type": "array"},
            {
                "type": "object",
                "required": ["s3"],
                "properties": {
                    "s3": {"type": "string", "description": "s3://BUCKET/KEY, or a prefix with format: objects."},
                    "format": {"type": "string", "enum": [str(item) for item in S3Format]},
                },
                "additionalProperties": False,
            },
        ]
    },
    "as": _pattern(VARIABLE.pattern),
    "index_as": _pattern(VARIABLE.pattern),
    "concurrency": {"type": "integer", "minimum": 1},
    "tolerate": {"anyOf": [{"type": "integer", "minimum": 0}, _pattern(r"\d{1,3}%")]},
    "mode": {"type": "string", "enum": ["inline", "distributed"]},
    "results": {"type": "string"},
    "steps": _reference("steps"),
}
_REPEAT: Final[Mapping[str, Schema]] = {
    "until": _reference("condition"),
    "while": _reference("condition"),
    "max": {"type": "integer", "minimum": 1},
    "delay": _reference("duration"),
    "steps": _reference("steps"),
}
_RECIPIENTS: Final[Schema] = {"anyOf": [{"type": "string"}, _texts()]}
_APPROVAL: Final[Mapping[str, Schema]] = {
    "message": _TEXT,
    "approvers": _RECIPIENTS,
    "notify": _RECIPIENTS,
    "quorum": {"type": "integer", "minimum": 1},
    "timeout": _reference("duration"),
    "on_timeout": {"type": "string", "enum": [str(item) for item in OnTimeout]},
    "remind": _reference("duration"),
}
_CASES: Final[Schema] = {
    "type": "array",
    "minItems": 1,
    "items": {
        "oneOf": [
            _object({"if": _reference("condition"), "steps": _reference("steps")}, required=("if", "steps")),
            _object({"else": _reference("steps")}, required=("else",)),
        ]
    },
}
_BRANCHES: Final[Schema] = {
    "anyOf": [
        {
            "type": "object",
            "minProperties": 1,
            "propertyNames": _pattern(IDENTIFIER.pattern),
            "additionalProperties": _reference("steps"),
        },
        _reference("steps"),
    ]
}
_VERBS: Final[Mapping[str, Schema]] = {
    "aws": _pattern(r"[^\s:]+:[^\s:]+(:\d)?"),
    "workflow": _TEXT,
    "set": {"type": "object", "propertyNames": _pattern(VARIABLE.pattern)},
    "switch": _CASES,
    "wait": {
        "anyOf": [
            _reference("duration"),
            _reference("template"),
            _object({"until": {"type": "string", "description": "A time such as 2027-01-31T08:00:00Z."}}, ("until",)),
        ]
    },
    "approval": _object(_each(APPROVAL_KEYS, _APPROVAL, words.APPROVAL), ("message",)),
    "stop": {"anyOf": [_object({"output": {"description": "The run's output."}}), _NOTHING]},
    "fail": _object(
        {
            "error": {"type": "string", "maxLength": 256, "description": "The error's name (default: Failed)."},
            "cause": {"type": "string", "description": "Why, for people."},
        }
    ),
    "repeat": _object(_each(("until", "while", "max", "delay", "steps"), _REPEAT, words.REPEAT), ("steps",)),
    "parallel": _BRANCHES,
    "for_each": _object(_each(FOR_EACH_KEYS, _FOR_EACH, words.FOR_EACH), ("in", "steps")),
    "try": _reference("steps"),
}
