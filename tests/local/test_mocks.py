"""Mocks as people write them: what they say, and the ways in which they could lie."""

from __future__ import annotations

from textwrap import dedent

import pytest

from stepsmith.catalog import ActionCatalog, ActionErrorType, ActionSignature
from stepsmith.diagnostics import Diagnostics
from stepsmith.dialects import read_workflow
from stepsmith.loading import load_document
from stepsmith.local.mocks import Mock, Mocks, read_mocks
from stepsmith.source import SourceFile

CATALOG = ActionCatalog(
    [
        ActionSignature(
            name="scan",
            summary="Scans",
            handler="x.scan.handler",
            params={"type": "object", "properties": {"path": {"type": "string"}}},
            result={
                "type": "object",
                "properties": {
                    "threats": {"type": "integer"},
                    "findings": {"type": "array", "items": {"$ref": "#/$defs/Finding"}},
                },
                "required": ["threats", "findings"],
                "$defs": {
                    "Finding": {"type": "object", "properties": {"rule": {"type": "string"}}, "required": ["rule"]}
                },
            },
            errors=(ActionErrorType("FileMissing", ("PermanentError", "ActionError")),),
        )
    ]
)
WORKFLOW = """\
name: scanning
steps:
  - id: look
    action: scan
    params: {path: /tmp}
  - id: remember
    set: {seen: 1}
"""


def read(text: str) -> tuple[Mocks, list[tuple[str, str]]]:
    """The mocks, and each problem as its place and message."""
    diagnostics = Diagnostics()
    flow = load_document(SourceFile("scanning.yaml", WORKFLOW), diagnostics)
    document = load_document(SourceFile("mocks.yaml", dedent(text)), diagnostics)
    assert flow is not None
    assert document is not None
    workflow = read_workflow(flow, diagnostics)
    assert workflow is not None
    assert not diagnostics.has_errors
    mocks = read_mocks(document.root, workflow, CATALOG, diagnostics)
    return mocks, [(f"{d.span.start}", f"{d.message} | {d.help}".rstrip(" |")) for d in diagnostics]


def test_results_errors_lists_and_durations() -> None:
    mocks, problems = read(
        """\
        look:
          - {raise: FileMissing, message: gone, after: 2s}
          - {return: {threats: 1, findings: [{rule: eicar}]}, after: 1m}
        scan: {return: {threats: 0}}
        """
    )
    assert problems == []
    answers = [mocks.next("look", "scan") for _ in range(3)]
    last = Mock(value={"threats": 1, "findings": [{"rule": "eicar"}]}, after=60)
    assert answers == [Mock(error="FileMissing", message="gone", after=2), last, last]
    assert mocks.next("other", "scan") == Mock(value={"threats": 0})
    assert mocks.next("other", None) is None


def test_a_rehearsal_holds_its_mocks_under_a_key() -> None:
    mocks, problems = read("workflow: scanning\nmocks:\n  look: {return: {}}\nexpect: {status: succeeded}\n")
    assert problems == []
    assert mocks.next("look") == Mock(value={})


def test_errors_of_the_services_are_always_allowed() -> None:
    _, problems = read("look: [{raise: States.Timeout}, {raise: Lambda.TooManyRequestsException}]\n")
    assert problems == []


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("lok: {return: {}}", "1:1", 'no step and no action is named "lok" | did you mean "look"?'),
        ("remember: {return: {}}", "1:1", 'step "remember" calls no action, so that nothing of it can be mocked'),
        ("look: {return: {treats: 1}}", "1:17", 'the result of scan: treats is not known | did you mean "threats"?'),
        (
            "look: {return: {threats: many}}",
            "1:26",
            "the result of scan: threats must be integer, not string",
        ),
        (
            "look: {return: {findings: [{rule: 1}]}}",
            "1:35",
            "the result of scan: findings[0].rule must be string, not integer",
        ),
        ("look: {raise: FileMising}", "1:15", 'scan declares no error "FileMising" | did you mean "FileMissing"?'),
        ("look: {raise: PermanentError}", "1:15", 'scan declares no error "PermanentError" | it raises FileMissing'),
        (
            "look: {}",
            "1:7",
            "a mock says what to return or what to raise | write {return: {…}} or {raise: ErrorName, message: …}",
        ),
        ("look: {return: {}, raise: FileMissing}", "1:20", "a mock either returns or raises"),
        ("look: {return: {}, message: hi}", "1:20", "only an error has a message"),
        ("look: {return: {}, afer: 2s}", "1:20", 'a mock has no "afer" | did you mean "after"?'),
        ("look: []", "1:7", "a list of mocks needs at least one entry"),
        ("[look]", "1:1", "mocks are a mapping of step ids or action names"),
    ],
)
def test_a_mock_cannot_lie(text: str, place: str, message: str) -> None:
    _, problems = read(text + "\n")
    assert problems == [(place, message)]


def test_a_wrong_duration_is_reported() -> None:
    _, problems = read("look: {return: {}, after: soon}\n")
    assert [place for place, _ in problems] == ["1:27"]
