"""Distributed loops: what an execution of its own must be told, failures, and items and results in S3."""

from __future__ import annotations

import json

from stepsmith.engine import Status, validate
from tests.support.machines import CATALOG, Fail, compile_bytes, compiled, run

NESTED = """
name: t
input: {tag: {type: string}, hosts: {type: array, items: {type: string}}}
steps:
  - id: first
    action: fetch
    params: {url: u}
  - set: {prefix: "p-{{ input.tag }}"}
  - id: outer
    for_each:
      in: "{{ [1, 2] }}"
      as: n
      steps:
        - id: scan
          for_each:
            in: "{{ input.hosts }}"
            mode: distributed
            as: host
            concurrency: 100
            tolerate: 1
            steps:
              - id: p
                if: "{{ host != 'skip' }}"
                action: ping
                params:
                  host: "{{ vars.prefix }}-{{ host }}-{{ steps.first.output.size }}-{{ n }}-{{ run.id }}"
output: "{{ steps.outer.output }}"
"""
INPUT = {"tag": "x", "hosts": ["a", "skip", "b"]}
PING = {"ok": True, "ms": 1.5}


def test_iterations_are_told_what_they_read_of_the_outside() -> None:
    found = run(NESTED, INPUT)
    assert found.execution.output == [[PING, None, PING], [PING, None, PING]]
    assert found.calls[1:] == [
        ("outer[0].scan[0].p", {"host": "p-x-a-3-1-run-1"}),
        ("outer[0].scan[2].p", {"host": "p-x-b-3-1-run-1"}),
        ("outer[1].scan[0].p", {"host": "p-x-a-3-2-run-1"}),
        ("outer[1].scan[2].p", {"host": "p-x-b-3-2-run-1"}),
    ]


def test_failed_items_are_null_while_they_are_tolerated() -> None:
    def outcome(params: dict[str, str]) -> object:
        return Fail("Unreachable") if "-b-" in params["host"] else PING

    found = run(NESTED, INPUT, {"p": outcome})
    assert found.execution.output == [[PING, None, None], [PING, None, None]]


def test_too_many_failed_items_fail_the_step() -> None:
    found = run(NESTED, INPUT, {"p": Fail("Unreachable")})
    assert found.execution.error == "ToleranceExceeded"


def test_the_error_can_be_handled() -> None:
    text = NESTED.replace(
        "        - id: scan\n          for_each:",
        "        - id: scan\n          on_failure: [{errors: [ToleranceExceeded], then: continue}]\n"
        "          for_each:",
    )
    found = run(text, INPUT, {"p": Fail("Unreachable")})
    assert found.execution.error is None
    assert found.execution.output == [None, None]


def test_items_and_results_in_s3() -> None:
    text = """
name: t
input: {b: {type: string}}
steps:
  - id: scan
    for_each:
      in: {s3: "s3://{{ input.b }}/hosts.csv", format: csv}
      mode: distributed
      results: s3://out/prefix
      steps:
        - action: ping
          params: {host: "{{ item.name }}"}
output: "{{ steps.scan.output.key }}"
"""
    machine = compiled(text)
    assert validate(machine.asl or "") == []
    state = json.loads(machine.asl or "")["States"]["scan"]
    assert state["ItemReader"]["ReaderConfig"] == {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}
    assert state["ResultWriter"]["Arguments"] == {"Bucket": "out", "Prefix": "prefix"}
    assert state["ItemProcessor"]["ProcessorConfig"] == {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    assert machine.machine is not None
    assert machine.machine.distributed == ("scan",)


def test_what_only_a_distributed_loop_can_do() -> None:
    text = """
name: t
steps:
  - for_each:
      in: {s3: s3://b/k.json}
      results: s3://out/prefix
      concurrency: 41
      steps:
        - action: ping
"""
    found = compile_bytes("t.yaml", text.encode(), CATALOG).diagnostics
    assert [item.slug for item in found] == ["modifier-not-here", "modifier-not-here", "bad-number"]


def test_a_workflow_without_an_input_has_none_to_hand_to_its_items() -> None:
    text = """
name: plain
steps:
  - id: each
    for_each:
      in: [1, 2]
      as: number
      mode: distributed
      steps: [{id: keep, action: store, params: {key: "{{ number | string }}", value: 1}}]
"""
    made = run(text)
    assert made.execution.status is Status.SUCCEEDED
    assert sorted(params["key"] for _, params in made.calls) == ["1", "2"]
