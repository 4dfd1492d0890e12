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
