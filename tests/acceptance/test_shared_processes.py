"""Runs on the wall clock, each in a process of its own, that share places, a rate and a circuit."""

from __future__ import annotations

import json
import subprocess
from datetime import datetime
from typing import Any

import pytest

from tests.acceptance.conftest import Desk
from tests.acceptance.test_control import lines, run_of, running, until


def placed(on_limit: str, wait: str = "2s") -> str:
    return f"""
        name: one
        input: {{number: {{type: integer}}}}
        concurrency: {{limit: 1, on_limit: {on_limit}}}
        steps:
          - {{id: work, action: note, params: {{text: "begin {{{{ input.number }}}}"}}}}
          - wait: {wait}
          - {{id: done, action: note, params: {{text: "end {{{{ input.number }}}}"}}}}
    """


FLAGS = ("--real-time", "--json", "--input")


def ended(process: subprocess.Popen[str]) -> Any:
    out, err = process.communicate(timeout=120)
    assert out, err
    return json.loads(out)


def two(desk: Desk, on_limit: str, wait: str = "2s") -> tuple[Any, Any]:
    """Two runs, of which the second begins while the first one holds the place."""
    desk.workflow(placed(on_limit, wait))
    with running(desk, "one", *FLAGS, '{"number": 1}') as first:
        until(lambda: lines(desk) == ["begin 1"], first)
        with running(desk, "one", *FLAGS, '{"number": 2}') as second:
            return ended(first), ended(second)


def test_a_run_waits_until_one_of_another_process_is_over(new_desk: Desk) -> None:
    first, second = two(new_desk, "queue", "10s")
    assert (first["status"], second["status"]) == ("succeeded", "succeeded")
    assert lines(new_desk) == ["begin 1", "end 1", "begin 2", "end 2"]


@pytest.mark.parametrize(("on_limit", "error"), [("skip", "RunCancelled"), ("fail", "ConcurrencyLimit")])
def test_a_run_finds_no_place_that_one_of_another_process_holds(new_desk: Desk, on_limit: str, error: str) -> None:
    new_desk.workflow(placed(on_limit, "10m"))
    with running(new_desk, "one", *FLAGS, '{"number": 1}') as first:
        run = until(lambda: run_of(new_desk, "one") if lines(new_desk) == ["begin 1"] else None, first)
        with running(new_desk, "one", *FLAGS, '{"number": 2}') as second:
            assert ended(second)["error"]["type"] == error
        assert new_desk.call("cancel", run, "--now").status == 0
        assert ended(first)["status"] == "cancelled"
    assert lines(new_desk) == ["begin 1"]


def test_a_run_takes_the_place_of_one_of_another_process(new_desk: Desk) -> None:
    first, second = two(new_desk, "cancel_oldest", "15s")
    assert (first["status"], second["status"]) == ("cancelled", "succeeded")
    assert lines(new_desk) == ["begin 1", "begin 2", "end 2"]
    assert "by concurrency" in new_desk.call("show", first["run_id"]).out


def test_the_place_of_a_killed_process_is_free(new_desk: Desk) -> None:
    new_desk.workflow(placed("fail", "10m"))
    with running(new_desk, "one", *FLAGS, '{"number": 1}') as first:
        until(lambda: run_of(new_desk, "one") and lines(new_desk) == ["begin 1"], first)
        first.kill()
        first.wait()
    new_desk.workflow(placed("fail", "1s"))
    with running(new_desk, "one", *FLAGS, '{"number": 2}') as second:
        assert ended(second)["status"] == "succeeded"


CALLING = """
    name: one
    input: {fails: {type: integer}}
    steps:
      - {id: work, action: unsteady, params: {fails: "{{ input.fails }}"}, LIMIT, retry: 0}
"""


def test_processes_share_a_rate(new_desk: Desk) -> None:
    new_desk.workflow(CALLING.replace("LIMIT", "rate_limit: {limit: 1, per: 3s, key: intel}"))
    call = (*FLAGS, '{"fails": 0}')
    with running(new_desk, "one", *call) as first, running(new_desk, "one", *call) as second:
        runs = [ended(first), ended(second)]
    assert [run["status"] for run in runs] == ["succeeded", "succeeded"]
    moments = [datetime.fromisoformat(run["steps"][0]["ended_at"]).timestamp() for run in runs]
    assert moments[0] // 3 != moments[1] // 3


def test_a_circuit_that_a_process_has_opened_stops_the_next(new_desk: Desk) -> None:
    breaker = "circuit_breaker: {threshold: 1, window: 10m, cooldown: 5m, key: intel}"
    new_desk.workflow(CALLING.replace("LIMIT", breaker))
    errors = []
    for fails in (9, 0):
        with running(new_desk, "one", *FLAGS, json.dumps({"fails": fails})) as process:
            errors.append(ended(process)["error"]["type"])
    assert errors == ["Unsteady", "CircuitOpen"]
    virtual = new_desk.call("run", "one", "--json", "--input", '{"fails": 0}')
    assert virtual.json["status"] == "succeeded"  # its clock is its own, and so is its circuit
