"""The tables of docs/language.md name what the reader of the language knows, no more and no less."""

from __future__ import annotations

import json

import pytest

from stepsmith.catalog import read_catalog
from stepsmith.dialects.native.approvals import APPROVAL_KEYS, DEFAULT_TIMEOUT, MOST_APPROVERS, SHORTEST_REMINDER
from stepsmith.dialects.native.limits import (
    BREAKER_KEYS,
    CONCURRENCY_KEYS,
    LONGEST,
    MOST_FAILURES,
    MOST_RUNS,
    MOST_STARTS,
    RATE_KEYS,
)
from stepsmith.dialects.native.policies import HANDLER_KEYS, RETRY_KEYS
from stepsmith.dialects.native.reading import ROOTS
from stepsmith.dialects.native.steps import DEFAULT_ROUNDS, FOR_EACH_KEYS, MODIFIERS, VERBS
from stepsmith.dialects.native.work import LONGEST_ERROR, LONGEST_WAIT
from stepsmith.dialects.native.workflow import METHODS, WORKFLOW_KEYS
from stepsmith.loading.limits import MAX_BYTES, MAX_DEPTH, MAX_NODES, MAX_PROBLEMS
from stepsmith.pipeline import compile_bytes
from stepsmith.schema import KEYWORDS, TYPES
from stepsmith.verify.machine import LARGEST_DEFINITION
from tests.project.documents import ROOT, codes, listed, table

PAGE = ROOT / "docs" / "language.md"
CATALOG = read_catalog((ROOT / "functions" / "catalog.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("workflow", WORKFLOW_KEYS),
        ("verbs", VERBS),
        ("modifiers", MODIFIERS),
        ("for_each", FOR_EACH_KEYS),
        ("approval", APPROVAL_KEYS),
        ("handler", HANDLER_KEYS),
        ("retry", RETRY_KEYS),
        ("rate_limit", RATE_KEYS),
        ("circuit_breaker", BREAKER_KEYS),
        ("concurrency", CONCURRENCY_KEYS),
    ],
)
def test_a_table_has_a_row_for_each_key(name: str, known: tuple[str, ...]) -> None:
    assert [codes(row[0]) for row in table(PAGE, name)] == [[key] for key in known]


def test_the_keys_beside_a_verb() -> None:
    assert {codes(row[0])[0]: codes(row[1]) for row in table(PAGE, "verbs")} == {
        name: list(verb.settings) for name, verb in VERBS.items()
    }


def test_the_verbs_without_a_modifier() -> None:
    assert {codes(row[0])[0]: codes(row[2]) for row in table(PAGE, "modifiers")} == {
        modifier: [name for name, verb in VERBS.items() if modifier in verb.without] for modifier in MODIFIERS
    }


@pytest.mark.parametrize(("name", "known"), [("keywords", KEYWORDS), ("types", TYPES), ("roots", ROOTS)])
def test_a_list_names_all(name: str, known: tuple[str, ...]) -> None:
    assert listed(PAGE, name) == list(known)


def test_the_limits() -> None:
    assert [row[1] for row in table(PAGE, "limits")] == [
        f"{MAX_BYTES // 1024 // 1024} MiB",
        f"{MAX_NODES:,}",
        f"{MAX_DEPTH}",
        f"{MAX_PROBLEMS}",
        f"{LARGEST_DEFINITION // 1024 // 1024} MiB",
    ]


def test_numbers_in_the_text() -> None:
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    for said in (
        f"After `max` rounds ({DEFAULT_ROUNDS} by default",
        f"At most {LONGEST_WAIT:,} seconds",
        f"up to {LONGEST_ERROR} characters",
        f"1 by default, {MOST_APPROVERS} at most",
        f"{DEFAULT_TIMEOUT // 86_400} days by default",
        f"at most every {SHORTEST_REMINDER // 60} minutes",
        f"may begin in one window: 1 to {MOST_STARTS:,}.",
        f"may be under way: 1 to {MOST_RUNS:,}.",
        f"failures open the circuit: 1 to {MOST_FAILURES}.",
        f"The window, a duration of at most {LONGEST // 86_400} days.",
        f"a method ({', '.join(METHODS)})",
    ):
        assert said in text


NOTED = "action: send_notification, params: {recipient: a@example.com, message: x}"
DEFAULTS = {
    "type": ("workflow", "", "type: standard\n", "`standard` (default)"),
    "workflow on_failure": ("workflow", "", "on_failure: fail\n", "`fail` (default)"),
    "max_retries": ("retry", "retry: {delay: 1s}", "retry: {delay: 1s, max_retries: 3}", "3 by default"),
    "delay": ("retry", "retry: {max_retries: 2}", "retry: {max_retries: 2, delay: 1s}", "1 s by default"),
    "backoff": ("retry", "retry: {max_retries: 2}", "retry: {max_retries: 2, backoff: 2}", "2 by default"),
    "jitter": ("retry", "retry: {max_retries: 2}", "retry: {max_retries: 2, jitter: full}", "`full` (default)"),
    "then": (
        "handler",
        f"on_failure: [{{steps: [{{{NOTED}}}]}}]",
        f"on_failure: [{{steps: [{{{NOTED}}}], then: fail}}]",
        "`fail` (default)",
    ),
    "as": ("for_each", "for_each: {in: [1]", "for_each: {in: [1], as: item", "`item` by default"),
    "concurrency": ("for_each", "for_each: {in: [1]", "for_each: {in: [1], concurrency: 1", "1 by default"),
    "mode": ("for_each", "for_each: {in: [1]", "for_each: {in: [1], mode: inline", "`inline` (default)"),
    "quorum": ("approval", "approval: {message: m", "approval: {message: m, quorum: 1", "1 by default"),
    "timeout": ("approval", "approval: {message: m", "approval: {message: m, timeout: 7d", "7 days by default"),
    "on_timeout": ("approval", "approval: {message: m", "approval: {message: m, on_timeout: fail", "`fail` (default)"),
    "rate_limit key": (
        "rate_limit",
        "rate_limit: {limit: 1, per: 1h}",
        "rate_limit: {limit: 1, per: 1h, key: send_notification}",
        "the action's name by default",
    ),
    "on_limit": (
        "concurrency",
        "concurrency: {limit: 1}\n",
        "concurrency: {limit: 1, on_limit: queue}\n",
        "`queue` (default)",
    ),
}


@pytest.mark.row("S4-075")
@pytest.mark.parametrize("name", DEFAULTS)
def test_a_default_is_what_is_said_beside_its_key(name: str) -> None:
    """To write the default of the page changes nothing in the machine."""
    page, without, written, said = DEFAULTS[name]
    [meaning] = [row[1] for row in table(PAGE, page) if codes(row[0]) == [name.split()[-1]]]
    assert said in meaning
    assert _machine(without) == _machine(written)


def _machine(part: str) -> str:
    """The machine of a small workflow with a part of its own: a step's, a loop, an approval or the workflow's."""
    step = f"{{id: noted, {NOTED}}}"
    if part.startswith("for_each"):
        step = f"{{id: each, {part}, steps: [{step}]}}}}"
    elif part.startswith("approval"):
        step = f"{{id: asked, {part}}}}}"
    elif part and not part.endswith("\n"):
        step = f"{{id: noted, {NOTED}, {part}}}"
    head = part if part.endswith("\n") else ""
    compiled = compile_bytes("w.yaml", f"name: w\nsteps: [{step}]\n{head}".encode(), CATALOG)
    assert compiled.asl is not None, list(compiled.diagnostics)
    return compiled.asl


@pytest.mark.row("S4-075")
def test_every_default_of_a_param_is_said_where_the_param_is() -> None:
    page = (ROOT / "docs" / "actions.md").read_text(encoding="utf-8")
    said = {}
    for action in CATALOG:
        section = page.partition(f"\n## {action.name}\n")[2].partition("\n## ")[0]
        for param, schema in action.params.get("properties", {}).items():
            if schema.get("default") is not None:
                line = next(line for line in section.splitlines() if line.startswith(f"| `{param}` |"))
                said[f"{action.name}.{param}"] = f"Default: `{json.dumps(schema['default'])}`." in line
    assert len(said) >= 5
    assert [name for name, found in said.items() if not found] == []
