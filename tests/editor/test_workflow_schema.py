"""The JSON Schema for editors: it knows what the reader knows, takes good workflows and refuses simple mistakes."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stepsmith.catalog import ActionCatalog, read_catalog
from stepsmith.diagnostics import Diagnostics
from stepsmith.dialects.native.limits import BREAKER_KEYS, CONCURRENCY_KEYS, RATE_KEYS
from stepsmith.dialects.native.policies import HANDLER_KEYS, RETRY_KEYS
from stepsmith.dialects.native.steps import FOR_EACH_KEYS, MODIFIERS, VERBS
from stepsmith.dialects.native.workflow import WORKFLOW_KEYS
from stepsmith.document import plain
from stepsmith.editor import words, workflow_schema
from stepsmith.loading import load_document
from stepsmith.pipeline import compile_bytes
from stepsmith.project import Project
from stepsmith.schema import KEYWORDS
from stepsmith.source import SourceFile
from tests.support.json_schema import problems
from tests.support.machines import CATALOG

ROOT = Path(__file__).parents[2]
ACCEPTED = sorted((ROOT / "tests" / "golden" / "accepted" / "native").glob("*/workflow.yaml"))
SCHEMA: Any = workflow_schema.workflow_schema(CATALOG)


def read(text: str) -> Any:
    document = load_document(SourceFile("w.yaml", text), Diagnostics())
    assert document is not None
    return plain(document.root)


def refusals(text: str, schema: Any = SCHEMA) -> list[str]:
    return list(problems(read(text), schema))


@pytest.mark.parametrize("path", ACCEPTED, ids=lambda path: path.parent.name)
def test_every_accepted_workflow_is_valid(path: Path) -> None:
    assert refusals(path.read_text()) == []


def test_there_are_accepted_workflows() -> None:
    assert len(ACCEPTED) > 20


def test_shipped_workflows_are_valid_and_name_their_schema() -> None:
    project = Project(ROOT)
    schema = json.loads((project.workflows_folder / workflow_schema.FILE_NAME).read_text())
    assert schema == workflow_schema.workflow_schema(project.catalog())
    for path in project.workflow_files():
        text = path.read_text()
        assert refusals(text, schema) == []
        assert text.splitlines()[0] == f"# yaml-language-server: $schema={workflow_schema.FILE_NAME}"


GOOD = """\
name: good
input: {url: {type: string, required: false}, n: {type: [integer, "null"], default: 1}}
triggers: [{schedule: rate(1 day)}, {api: POST /x}, {event: {source: a}, input: {url: "{{ event.x }}"}}]
steps:
  - {id: a, action: fetch, params: {url: "{{ input.url }}", count: "{{ 1 + 1 }}", tags: ["{{ run.id }}", b]}, retry: 2}
  - {switch: [{if: "{{ true }}", steps: [{wait: 1h30m}]}, {else: [{stop: }]}]}
  - {for_each: {in: [1], steps: [{set: {x: 1}}]}}
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("name: good", "name: Good"),
        ("name: good\n", ""),
        ("\nsteps:", "\nstepz:"),
        ("name: good", "name: good\ntype: fast"),
        ("type: string", "type: text"),
        ("type: string", "typ: string"),
        ("rate(1 day)", "daily"),
        ("POST /x", "post /x"),
        ("schedule: rate(1 day)", "schedule: rate(1 day), api: POST /x"),
        ("action: fetch", "action: fetsch"),
        ("action: fetch", "action: fetch, wait: 1m"),
        ("action: fetch", "actn: fetch"),
        ('url: "{{ input.url }}", count', "count"),
        ('url: "{{ input.url }}"', "uri: x"),
        ('url: "{{ input.url }}"', "url: 1"),
        ('count: "{{ 1 + 1 }}"', "count: one"),
        ('count: "{{ 1 + 1 }}"', "count: 1.5"),
        ('tags: ["{{ run.id }}", b]', "tags: b"),
        ("retry: 2", "retry: {max: 2}"),
        ("retry: 2", "retry: often"),
        ("retry: 2", "on_failure: ignore"),
        ("retry: 2", "timeout: soon"),
        ("id: a", "id: A"),
        ("id: a", "ident: a"),
        ("wait: 1h30m", "wait: {until: 5, at: 6}"),
        ("{else: [{stop: }]}", "{otherwise: [{stop: }]}"),
        ("in: [1], ", ""),
        ("in: [1]", "in: [1], tolerate: some"),
        ("set: {x: 1}", "set: {x-y: 1}"),
        ("set: {x: 1}", "set: {x: 1}, timeout: 1m"),
        ("[{set: {x: 1}}]", "[]"),
    ],
)
def test_a_simple_mistake_is_refused_here_and_by_the_compiler(before: str, after: str) -> None:
    assert GOOD.count(before) == 1
    wrong = GOOD.replace(before, after)
    assert refusals(GOOD) == []
    assert refusals(wrong) != []
    assert not compile_bytes("w.yaml", GOOD.encode(), CATALOG).diagnostics.has_errors
    assert compile_bytes("w.yaml", wrong.encode(), CATALOG).diagnostics.has_errors


def test_a_template_may_stand_wherever_a_value_does() -> None:
    schema = workflow_schema.workflow_schema(Project(ROOT).catalog())
    for action in Project(ROOT).catalog():
        names = action.params["properties"]
        assert isinstance(names, dict)
        step = {"action": action.name, "params": dict.fromkeys(names, "{{ input.x }}")}
        assert list(problems({"name": "w", "steps": [step]}, schema)) == []
        literal = {"action": action.name, "params": dict(action.example)}
        assert list(problems({"name": "w", "steps": [literal]}, schema)) == []


def test_definitions_inside_an_action_are_found() -> None:
    action = {
        "name": "nest",
        "summary": "Nests",
        "handler": "a.b",
        "effect": "read",
        "repeatable": True,
        "timeout": 3,
        "memory": 128,
        "params": {
            "type": "object",
            "properties": {"node": {"$ref": "#/$defs/Node"}},
            "$defs": {
                "Node": {
                    "type": "object",
                    "properties": {
                        "below": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
                        "n": {"type": "integer"},
                    },
                    "additionalProperties": False,
                }
            },
            "required": ["node"],
            "additionalProperties": False,
        },
        "result": {},
    }
    schema = workflow_schema.workflow_schema(read_catalog(json.dumps({"version": 1, "actions": [action]})))
    step = "name: w\nsteps: [{action: nest, params: {node: %s}}]"
    assert refusals(step % '{below: [{n: 1}, {n: "{{ 1 }}"}, "{{ x }}"]}', schema) == []
    assert refusals(step % "{below: [{n: one}]}", schema) != []
    assert refusals(step % "{below: [{below: [{m: 1}]}]}", schema) != []
    assert refusals("name: w\nsteps: [{action: nest}]", schema) != []


def test_without_actions_there_is_still_a_schema() -> None:
    schema = workflow_schema.workflow_schema(ActionCatalog())
    assert refusals("name: w\nsteps: [{action: whatever}]", schema) == []


def test_every_key_of_the_language_is_explained() -> None:
    settings = {name for verb in VERBS.values() for name in verb.settings}
    for keys, told in (
        (WORKFLOW_KEYS, words.WORKFLOW),
        (VERBS, words.VERBS),
        (settings, words.SETTINGS),
        (MODIFIERS, words.MODIFIERS),
        (RETRY_KEYS, words.RETRY),
        (HANDLER_KEYS, words.HANDLER),
        (FOR_EACH_KEYS, words.FOR_EACH),
        (RATE_KEYS, words.RATE),
        (BREAKER_KEYS, words.BREAKER),
        (CONCURRENCY_KEYS, words.CONCURRENCY),
    ):
        assert set(keys) - set(told) == set()
    assert set(words.KEYWORDS) <= {*KEYWORDS, "required", "default"}


def test_every_verb_has_its_step_and_the_keys_of_the_reader() -> None:
    definitions = SCHEMA["$defs"]
    for name, verb in VERBS.items():
        wanted = {name, *verb.settings, *(key for key in MODIFIERS if key not in verb.without)}
        assert set(definitions[f"{name}_step"]["properties"]) == wanted
    assert set(SCHEMA["properties"]) == set(WORKFLOW_KEYS)


def test_every_reference_leads_somewhere() -> None:
    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for inner in value.values():
                yield from references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    found = set(references(SCHEMA))
    assert len(found) > 20
    for reference in found:
        target = SCHEMA
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]


def test_patterns_are_regular_expressions_of_javascript_too() -> None:
    """Editors run them there: no named groups, no inline flags, no \\A or \\Z."""
    for pattern in re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', workflow_schema.schema_text(Project(ROOT).catalog())):
        text = json.loads(pattern)
        re.compile(text)
        assert not re.search(r"\(\?P|\(\?[aimsx]|\\A|\\Z|\*\+|\+\+", text), text


def test_the_text_is_the_same_every_time() -> None:
    assert workflow_schema.schema_text(CATALOG) == workflow_schema.schema_text(copy.deepcopy(CATALOG))
    assert workflow_schema.schema_text(CATALOG).endswith("}\n")
