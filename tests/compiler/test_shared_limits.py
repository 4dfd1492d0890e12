"""What a step with a rate limit or a circuit breaker becomes, and how the machine waits for its turn."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stepsmith.engine import Status
from tests.support.machines import Fail, Run, compiled, run

LIMITED = """
name: w
steps:
  - id: a
    action: ping
    MODIFIERS
    on_failure:
      - errors: [CircuitOpen]
        then: continue
"""
BREAKER = "circuit_breaker: {threshold: 3, window: 1m, cooldown: 5m}"
WAIT = Fail("RateLimited", '"ping" has begun 2 times in these 10 s')
DONE = {"ok": True, "ms": 1}


def state(modifiers: str) -> Any:
    return json.loads(compiled(LIMITED.replace("MODIFIERS", modifiers)).asl or "")["States"]["a"]


def seconds(made: Run) -> float:
    assert made.execution.stopped is not None
    return (made.execution.stopped - made.execution.started).total_seconds()


@pytest.mark.parametrize(
    ("limit", "per", "expected"),
    [
        (2, "10s", {"IntervalSeconds": 5, "MaxDelaySeconds": 10, "BackoffRate": 2}),
        (1, "30s", {"IntervalSeconds": 30, "BackoffRate": 1}),
        (100, "1m", {"IntervalSeconds": 1, "MaxDelaySeconds": 60, "BackoffRate": 2}),
        (7, "1s", {"IntervalSeconds": 1, "BackoffRate": 1}),
    ],
)
def test_a_turn_is_waited_for_as_long_as_it_takes(limit: int, per: str, expected: dict[str, int]) -> None:
    rules = state(f"rate_limit: {{limit: {limit}, per: {per}}}")["Retry"]
    found = next(rule for rule in rules if rule["ErrorEquals"] == ["RateLimited"])
    known = {"ErrorEquals": ["RateLimited"], "MaxAttempts": 99_999_999, "JitterStrategy": "FULL"}
    assert {"IntervalSeconds": 1, **found} == {**known, **expected}


def test_waiting_for_a_turn_uses_up_no_retry() -> None:
    text = LIMITED.replace(
        "MODIFIERS", "rate_limit: {limit: 2, per: 10s}\n    retry: {max_retries: 1, delay: 100s, jitter: none}"
    )
    made = run(text, outcomes={"a": [WAIT, WAIT, WAIT, Fail("Unreachable"), DONE]})
    assert made.execution.status is Status.SUCCEEDED
    assert 100 < seconds(made) <= 5 + 10 + 10 + 100


def test_a_run_waits_in_an_express_workflow_too() -> None:
    text = "name: w\ntype: express\nsteps: [{id: a, action: ping, rate_limit: {limit: 2, per: 10s}}]"
    made = run(text, outcomes={"a": [WAIT, DONE]})
    assert made.execution.status is Status.SUCCEEDED
    assert 0 < seconds(made) <= 5


def test_an_error_of_that_name_is_the_actions_own_without_a_rate_limit() -> None:
    made = run("name: w\nsteps: [{id: a, action: ping}]", outcomes={"a": [Fail("RateLimited")]})
    assert (made.execution.status, made.execution.error) == (Status.FAILED, "RateLimited")


def test_a_circuit_that_is_open_is_not_tried_again_and_goes_to_the_handler() -> None:
    made = run(LIMITED.replace("MODIFIERS", BREAKER + "\n    retry: 3"), outcomes={"a": [Fail("CircuitOpen"), DONE]})
    assert (made.execution.status, seconds(made)) == (Status.SUCCEEDED, 0)


def test_the_workflows_retry_does_not_try_it_either() -> None:
    text = f"name: w\nretry: 3\nsteps: [{{id: a, action: ping, {BREAKER}}}]"
    made = run(text, outcomes={"a": [Fail("CircuitOpen"), DONE]})
    assert (made.execution.error, seconds(made)) == ("CircuitOpen", 0)


def test_a_retry_that_names_it_tries_it_again() -> None:
    rule = "{max_retries: 1, delay: 300s, jitter: none, on: [CircuitOpen, States.TaskFailed]}"
    made = run(
        LIMITED.replace("MODIFIERS", f"{BREAKER}\n    retry: {rule}"), outcomes={"a": [Fail("CircuitOpen"), DONE]}
    )
    assert (made.execution.status, seconds(made)) == (Status.SUCCEEDED, 300)


def test_the_handler_is_told_what_the_step_shares() -> None:
    both = f'rate_limit: {{limit: 2, per: 10s, key: "{{{{ run.id }}}}/mail"}}\n    {BREAKER}'
    assert state(both)["Arguments"]["Payload"]["step"]["limits"] == {
        "rate_limit": {"key": "{% $states.context.Execution.Name & '/mail' %}", "limit": 2, "per": 10},
        "circuit_breaker": {"key": "ping", "threshold": 3, "window": 60, "cooldown": 300},
    }


def test_a_step_without_them_is_told_nothing() -> None:
    text = "name: w\nsteps: [{id: a, action: ping}]"
    assert "limits" not in json.loads(compiled(text).asl or "")["States"]["a"]["Arguments"]["Payload"]["step"]


def test_a_key_that_reads_another_step_of_a_graph_waits_for_it() -> None:
    text = """
    name: w
    steps:
      - {id: b, action: fetch, params: {url: u}, rate_limit: {limit: 1, per: 1m, key: "ping {{ steps.a.output.ok }}"}}
      - {id: a, action: ping}
      - {id: c, action: ping, needs: [b]}
    """
    asl = json.loads(compiled(text).asl or "")
    assert asl["StartAt"] == "a"


PLACED = """
name: w
concurrency: {limit: 1, on_limit: fail}
steps:
  - {wait: 2h}
  - {id: a, action: ping, retry: 3, timeout: 5m}
finally:
  - {id: last, action: ping}
"""


def test_a_run_waits_for_its_place_as_long_as_it_takes() -> None:
    full = Fail("RunQueued", '1 runs of "w" are under way')
    made = run(PLACED, outcomes={"a": [full] * 20 + [DONE]})
    assert made.execution.status is Status.SUCCEEDED


def test_a_run_without_a_place_fails_at_once_after_its_finally() -> None:
    made = run(PLACED.replace("  - {wait: 2h}\n", ""), outcomes={"a": [Fail("ConcurrencyLimit"), DONE]})
    assert (made.execution.error, seconds(made)) == ("ConcurrencyLimit", 0)
    assert [name for name, _ in made.calls] == ["a", "last"]


def test_a_place_is_kept_for_longer_than_any_step_is_silent_and_no_finally_needs_one() -> None:
    states = json.loads(compiled(PLACED).asl or "")["States"]
    control = states["a"]["Arguments"]["Payload"]["run"]["control"]
    assert control["concurrency"] == {"key": "w", "limit": 1, "on_limit": "fail", "lease": 3600 + 7200}
    assert "control" not in states["last"]["Arguments"]["Payload"]["run"]
    assert not any(rule["ErrorEquals"] == ["RunQueued"] for rule in states["last"].get("Retry", ()))
