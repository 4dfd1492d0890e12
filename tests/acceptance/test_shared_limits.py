"""Runs of one process that share a rate and a circuit, in virtual time."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.acceptance.conftest import Desk

CHILD = """
    name: one
    input: {fails: {type: integer, default: 0}}
    steps:
      - id: work
        action: unsteady
        params: {fails: "{{ input.fails }}"}
        LIMIT
        retry: 0
"""
PARENT = """
    name: many
    steps:
      - id: each
        for_each:
          in: "{{ range(7) }}"
          concurrency: 10
          steps: [{id: child, workflow: one}]
"""


@pytest.fixture
def limited(desk: Desk) -> Desk:
    desk.write("workflows/one.yaml", CHILD.replace("LIMIT", "rate_limit: {limit: 3, per: 1h, key: intel}"))
    return desk


@pytest.mark.row("S4-136")
def test_seven_runs_share_three_starts_an_hour(limited: Desk) -> None:
    ran = limited.run(PARENT)
    assert (ran.exit_status, ran.status) == (0, "succeeded")
    begun: dict[str, int] = {}
    for child in limited.call("runs", "--workflow", "one", "--json").json:
        step = limited.call("show", child["run_id"], "--json").json["steps"][0]
        assert (step["status"], step["attempts"]) == ("succeeded", 1)  # waiting for a turn is no attempt
        hour = datetime.fromisoformat(step["ended_at"]).strftime("%d %H")
        begun[hour] = begun.get(hour, 0) + 1
    assert sum(begun.values()) == 7
    assert len(begun) >= 3
    assert max(begun.values()) == 3


CIRCUIT = "circuit_breaker: {threshold: 2, window: 10m, cooldown: 5m, key: intel}"


@pytest.mark.row("S4-135")
def test_a_circuit_that_runs_have_opened_stops_others_until_one_is_tried(desk: Desk) -> None:
    desk.write("workflows/one.yaml", CHILD.replace("LIMIT", CIRCUIT))
    ran = desk.run(
        """
        name: many
        steps:
          - {id: first, workflow: one, params: {fails: 9}, on_failure: continue}
          - {id: second, workflow: one, params: {fails: 9}, on_failure: continue}
          - {id: refused, workflow: one, on_failure: continue}
          - wait: 4m
          - {id: early, workflow: one, on_failure: continue}
          - wait: 1m
          - {id: trial, workflow: one, on_failure: continue}
          - {id: after, workflow: one, on_failure: continue}
        """
    )
    steps = [step for step in ran.steps if "." not in step["path"] and not step["id"].startswith("wait")]
    ends = {step["id"]: (step["status"], (step["error"] or {}).get("type")) for step in steps}
    assert ends == {
        "first": ("failed", "Unsteady"),
        "second": ("failed", "Unsteady"),
        "refused": ("failed", "CircuitOpen"),
        "early": ("failed", "CircuitOpen"),
        "trial": ("succeeded", None),
        "after": ("succeeded", None),
    }


def placed(on_limit: str) -> str:
    return f"""
        name: one
        input: {{number: {{type: integer}}}}
        concurrency: {{limit: 1, on_limit: {on_limit}}}
        steps:
          - {{id: work, action: note, params: {{text: "begin {{{{ input.number }}}}"}}}}
          - wait: 5m
          - {{id: done, action: note, params: {{text: "end {{{{ input.number }}}}"}}}}
    """


MANY = """
    name: many
    steps:
      - id: each
        for_each:
          in: "{{ [1, 2, 3] }}"
          as: number
          index_as: place
          concurrency: 3
          tolerate: 3
          steps:
            - wait: "{{ place * 10 + 1 }}"
            - {id: child, workflow: one, wait: false, params: {number: "{{ number }}"}}
      - wait: 1d
"""


def children(desk: Desk, on_limit: str) -> tuple[list[str], list[str]]:
    """How three runs that begin one after the other end, and what they did."""
    before = len(desk.journal)
    desk.workflow(placed(on_limit))
    ran = desk.run(MANY)
    ids = [ran.step(f"each[{number}].child")["output"]["run_id"] for number in range(3)]
    runs = [desk.call("show", run_id, "--json").json for run_id in ids]
    return [(run["error"] or {}).get("type", run["status"]) for run in runs], desk.journal[before:]


@pytest.mark.row("S1-002")
def test_runs_wait_for_a_place(new_desk: Desk) -> None:
    ends, did = children(new_desk, "queue")
    assert ends == ["succeeded"] * 3
    assert did[:2] == ["begin 1", "end 1"]
    assert sorted(did[2::2]) == ["begin 2", "begin 3"]
    assert [begin.removeprefix("begin ") for begin in did[::2]] == [end.removeprefix("end ") for end in did[1::2]]


def test_runs_are_skipped_that_find_no_place(new_desk: Desk) -> None:
    ends, did = children(new_desk, "skip")
    assert ends == ["succeeded", "RunCancelled", "RunCancelled"]
    assert did == ["begin 1", "end 1"]


def test_runs_fail_that_find_no_place(new_desk: Desk) -> None:
    assert children(new_desk, "fail") == (["succeeded", "ConcurrencyLimit", "ConcurrencyLimit"], ["begin 1", "end 1"])


def test_the_newest_run_takes_the_place_of_the_oldest(new_desk: Desk) -> None:
    ends, did = children(new_desk, "cancel_oldest")
    assert ends[0] == "RunCancelled"
    assert ends.count("succeeded") == 1
    assert "end 1" not in did
