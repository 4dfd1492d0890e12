"""The tables of docs/language.md name what the reader of the language knows, no more and no less."""

from __future__ import annotations

import pytest

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
from stepsmith.schema import KEYWORDS, TYPES
from stepsmith.verify.machine import LARGEST_DEFINITION
from tests.project.documents import ROOT, codes, listed, table

PAGE = ROOT / "docs" / "language.md"


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
