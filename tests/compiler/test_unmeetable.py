"""Which timeouts of a workflow its own waits and the timeouts of its steps cannot keep."""

from __future__ import annotations

import pytest

from tests.support.machines import compiled

SLUG = "unmeetable-deadline"
BRANCHES = "parallel: {x: [{wait: 1m}], y: [{wait: 2m}, {wait: 3m}]}"
TWO_WAYS = """switch: [{if: "{{ run.attempt > 1 }}", steps: [{wait: 9m}]}, {else: [{wait: 4m}]}]"""
ONE_WAY = """switch: [{if: "{{ run.attempt > 1 }}", steps: [{wait: 9m}]}]"""
UNTIL = """repeat: {until: "{{ run.attempt > 1 }}", delay: 1h, steps: [{wait: 4m}]}"""
WHILE = """repeat: {while: "{{ run.attempt > 1 }}", delay: 1h, steps: [{wait: 4m}]}"""
STOPS = """switch: [{if: "{{ run.attempt > 1 }}", steps: [{stop: {}}]}]"""
FAILS = """switch: [{if: "{{ run.attempt > 1 }}", steps: [{fail: {error: Mine, cause: c}}]}]"""


def found(steps: str, timeout: str) -> list[str]:
    """The lines of the warnings."""
    text = f"name: x\ntimeout: {timeout}\nsteps:\n" + "".join(f"  - {step}\n" for step in steps.split(" + "))
    problems = compiled(text).diagnostics
    assert all(item.slug == SLUG and item.severity == "warning" for item in problems), [i.message for i in problems]
    return [item.message for item in problems]


@pytest.mark.parametrize(
    ("steps", "least"),
    [
        ("wait: 5m", 300),
        ("{wait: 2m} + {action: ping} + {id: more, wait: 3m}", 300),
        (BRANCHES, 300),
        (TWO_WAYS, 240),
        (UNTIL, 240),
        (f"{BRANCHES} + {TWO_WAYS}", 540),
        ("try: [{wait: 4m}]\n    catch: [{errors: [Mine]}]", 240),
        (f"{{wait: 4m}} + {STOPS} + {{id: more, wait: 3m}}", 240),
        (f"{FAILS} + {{wait: 5m}}", 300),
    ],
)
def test_waits_that_every_good_way_passes(steps: str, least: int) -> None:
    assert found(steps, f"{least}s") != []
    assert found(steps, f"{least + 1}s") == []


@pytest.mark.parametrize(
    "steps",
    [
        ONE_WAY,
        WHILE,
        'if: "{{ run.attempt > 1 }}"\n    wait: 1h',
        "wait: {until: '2999-01-01T00:00:00Z'}",
        "try: [{wait: 1h}]\n    catch: [{then: continue}]",
        f"{BRANCHES}\n    on_failure: continue",
        f"{STOPS} + {{wait: 1h}}",
        "action: ping\n    timeout: 1m",
    ],
)
def test_what_a_run_may_pass_by_takes_no_time(steps: str) -> None:
    assert found(steps, "1m") == []


def test_the_timeout_of_a_step_is_at_most_the_workflows_on_the_main_path() -> None:
    (message,) = found("{id: a, action: ping, timeout: 2m}", "119s")
    assert "'a' may take 2m" in message
    assert found("{id: a, action: ping, timeout: 2m}", "2m") == []
    assert (
        len(found("parallel: {x: [{id: a, action: ping, timeout: 2m}], y: [{action: fetch, params: {url: u}}]}", "1m"))
        == 1
    )
    handled = "{id: a, action: ping, on_failure: [{steps: [{id: b, action: ping, timeout: 2m}]}]}"
    assert found(handled, "1m") == []
