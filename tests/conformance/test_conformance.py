"""The conformance cases on our engine, and the suite itself: what it sees, what it costs, what it leaves behind."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from stepsmith.engine import validate
from tests.conformance.__main__ import estimate, main, transitions_of
from tests.conformance.cases import Case, put, states
from tests.conformance.catalogue import CASES, NOT_ASKED
from tests.conformance.local import local_bench
from tests.conformance.runner import compared, read_expected

EXPECTED = read_expected()


@pytest.fixture(scope="module")
def outcomes() -> dict[str, dict[str, Any]]:
    with local_bench() as bench:
        return {case.name: bench.outcome(case) for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case, outcomes: dict[str, dict[str, Any]]) -> None:
    found = outcomes[case.name]
    if case.question:
        assert case.name not in EXPECTED
        return
    assert list(compared(EXPECTED[case.name], found)) == []


def test_what_is_expected_is_expected_of_a_case() -> None:
    assert EXPECTED.keys() == {case.name for case in CASES if not case.question}
    assert max(Counter(case.name for case in CASES).values()) == 1


def test_all_states_are_covered() -> None:
    kinds: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            kinds.add(str(value.get("Type")))
            for part in value.values():
                walk(part)
        elif isinstance(value, list):
            for part in value:
                walk(part)

    for case in CASES:
        walk(dict(case.states))
    assert kinds >= {"Pass", "Task", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map"}


def test_every_open_question_is_asked_or_the_reason_is_given() -> None:
    asked = {int(case.question.split(":")[0]) for case in CASES if case.question}
    assert sorted(asked | NOT_ASKED.keys() | {15}) == list(range(1, 16))
    assert not asked & NOT_ASKED.keys()


def test_cases_that_are_not_refused_are_what_aws_takes() -> None:
    for case in CASES:
        if not case.only_create:
            assert validate(case.definition) == [], case.name


def test_the_comparison_reports_each_field_that_differs() -> None:
    found = {"status": "FAILED", "output": None, "error": "E", "cause": None, "events": ["ExecutionStarted"]}
    expected = {**found, "error": "F", "events": []}
    assert [line.split(":")[0] for line in compared(expected, found)] == ["error", "events"]


def test_a_difference_is_printed_and_gives_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = {**EXPECTED, "pass-literals": {**EXPECTED["pass-literals"], "output": 1}}
    monkeypatch.setattr("tests.conformance.__main__.read_expected", lambda: wrong)
    assert main(["-k", "pass-literals"]) == 1
    printed = capsys.readouterr().out
    assert "x pass-literals\n    output: expected 1, found" in printed
    monkeypatch.undo()
    assert main(["-k", "pass-literals"]) == 0


def test_machines_are_deleted_also_after_a_failure() -> None:
    with local_bench() as bench:
        bench.outcome(Case("one", states(A=put(1))))

        def names() -> list[str]:
            return sorted(machine["name"] for machine in bench.client.list_state_machines()["stateMachines"])

        assert names() == ["conformance-called", "conformance-one"]
        bench.__exit__(RuntimeError, RuntimeError(), None)
        assert names() == []


def test_the_estimate_counts_states_and_retries() -> None:
    assert transitions_of({"events": ["TaskStateEntered", "TaskScheduled", "TaskFailed", "TaskScheduled"]}) == 2
    assert "at most 12 state transitions, $0.000" in estimate(CASES[:2], EXPECTED)
    assert "Nothing but Step Functions" in estimate(CASES, EXPECTED)


def test_an_account_is_not_touched_without_a_role(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--aws"])
    assert main(["--aws", "--estimate"]) == 0
    assert "states:StartExecution" not in capsys.readouterr().out
