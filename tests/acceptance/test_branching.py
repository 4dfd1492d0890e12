"""Conditions on steps, branches, loops, steps side by side, and workflows that run workflows."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from tests.acceptance.conftest import Desk, Ran


def ids(ran: Ran) -> list[str]:
    return [step["id"] for step in ran.steps]


@pytest.mark.row("S0-023", "S0-090")
@pytest.mark.parametrize(
    "verb",
    [
        "action: note\n            params: {text: x}",
        "aws: sqs:createQueue\n            params: {QueueName: made}",
        "workflow: little",
        "set: {a: 2}",
        "wait: 1h",
        'switch: [{if: "{{ input.n > 0 }}", steps: [{action: note, params: {text: x}}]}]',
        "parallel: {a: [{action: note, params: {text: x}}], b: [{wait: 1h}]}",
        "for_each: {in: [1, 2], steps: [{action: note, params: {text: x}}]}",
        'repeat: {until: "{{ input.n == 1 }}", steps: [{action: note, params: {text: x}}]}',
        "try: [{action: note, params: {text: x}}]\n            catch: [{then: continue}]",
        "stop: {output: stopped}",
        "fail: {error: Stopped, cause: by a step}",
    ],
    ids=lambda verb: verb.partition(":")[0],
)
def test_any_step_can_be_left_out_by_one_condition_or_several(desk: Desk, verb: str) -> None:
    desk.workflow("name: little\nsteps: [{action: note, params: {text: little}}]\n")
    text = f"""
        name: left-out
        input: {{n: {{type: integer}}, on: {{type: boolean, default: true}}}}
        steps:
          - set: {{a: 1}}
          - id: maybe
            if: "{{{{ input.n == 1 and input.on and vars.a == 1 }}}}"
            {verb}
          - {{id: after, wait: 1}}
        output: here
    """
    for given in ({"n": 2}, {"n": 1, "on": False}):
        ran = desk.run(text, given)
        assert (ran.status, ran.result["output"], ran.result["elapsed_s"]) == ("succeeded", "here", 1)
        assert [(step["id"], step["status"]) for step in ran.steps if step["id"] != "set"] == [
            ("maybe", "skipped"),
            ("after", "succeeded"),
        ]
    taken = desk.run(text, {"n": 1})
    if "stop" in verb or "fail" in verb:
        assert taken.result["output"] != "here"
        assert "after" not in ids(taken)
    else:
        assert (taken.step("maybe")["status"], taken.result["output"]) == ("succeeded", "here")


ARMS = """
    name: arms
    input: {kind: {type: string}, size: {type: integer, default: 0}}
    steps:
      - id: choose
        switch:
          - if: "{{ input.kind == 'virus' }}"
            steps: [{id: virus, action: note, params: {text: virus}}]
          - if: "{{ input.kind == 'worm' }}"
            steps:
              - id: how-big
                switch:
                  - if: "{{ input.size > 10 }}"
                    steps:
                      - id: deepest
                        switch:
                          - if: "{{ input.size > 100 }}"
                            steps: [{id: huge, action: note, params: {text: huge}}]
                          - else: [{id: big, action: note, params: {text: big}}]
                  - else: [{id: small, action: note, params: {text: small}}]
          - if: "{{ input.kind == 'spam' }}"
            steps: [{id: spam, action: note, params: {text: spam}}]
          - if: "{{ input.kind == 'bot' }}"
            steps: [{id: bot, action: note, params: {text: bot}}]
          - else: [{id: unknown, action: note, params: {text: unknown}}]
      - {id: after, action: note, params: {text: "after {{ steps.choose.output.text }}"}}
"""


@pytest.mark.row("S0-088")
@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({"kind": "virus"}, ["virus"]),
        ({"kind": "worm", "size": 3}, ["how-big", "small"]),
        ({"kind": "worm", "size": 30}, ["how-big", "deepest", "big"]),
        ({"kind": "worm", "size": 300}, ["how-big", "deepest", "huge"]),
        ({"kind": "spam"}, ["spam"]),
        ({"kind": "bot"}, ["bot"]),
        ({"kind": "cat"}, ["unknown"]),
    ],
)
def test_branches_have_as_many_arms_as_needed_and_nest(desk: Desk, given: dict[str, Any], taken: list[str]) -> None:
    ran = desk.run(ARMS, given)
    assert ids(ran) == ["choose", *taken, "after"]
    assert ran.step("after")["output"]["text"] == f"after {taken[-1]}"


@pytest.mark.row("S0-089", "S4-125")
def test_steps_are_repeated_over_items_or_until_something_holds(desk: Desk) -> None:
    ran = desk.run(
        """
        name: repeated
        input: {files: {type: array, items: {type: string}}}
        steps:
          - id: each
            for_each:
              in: "{{ input.files }}"
              as: file
              index_as: at
              steps:
                - id: kind
                  switch:
                    - if: "{{ 'bad' in file }}"
                      steps: [{id: bad, action: note, params: {text: "{{ at }} {{ file }} is bad"}}]
                    - else: [{id: good, action: note, params: {text: "{{ at }} {{ file }} is good"}}]
          - set: {rounds: 0}
          - id: poll
            repeat:
              until: "{{ vars.rounds == 3 }}"
              delay: 10s
              steps:
                - set: {rounds: "{{ vars.rounds + 1 }}"}
                - {id: round, action: note, params: {text: "round {{ vars.rounds }}"}}
        output: {texts: "{{ steps.each.output | map(attribute='text') }}", rounds: "{{ vars.rounds }}"}
        """,
        {"files": ["bad.bin", "fine.txt", "badger"]},
    )
    assert ran.result["output"] == {
        "texts": ["0 bad.bin is bad", "1 fine.txt is good", "2 badger is bad"],
        "rounds": 3,
    }
    assert [step["output"]["text"] for step in ran.steps if step["id"] == "round"] == ["round 1", "round 2", "round 3"]
    assert [step["path"] for step in ran.steps if step["id"] in ("good", "bad")] == [
        "each[0].bad",
        "each[1].good",
        "each[2].bad",
    ]
    assert ran.result["elapsed_s"] == 20


@pytest.mark.row("S0-093")
def test_steps_that_do_not_need_each_other_run_at_the_same_time(desk: Desk) -> None:
    ran = desk.run(
        """
        name: side-by-side
        steps:
          - id: checks
            parallel:
              disk: [{id: disk, action: slow, params: {seconds: 60}}]
              net:
                - {id: net, action: slow, params: {seconds: 20}}
                - {id: more, action: slow, params: {seconds: 30}}
              log: [{id: log, action: slow, params: {seconds: 10}}]
          - id: hosts
            for_each:
              in: [40, 10, 25]
              as: seconds
              concurrency: 3
              steps: [{action: slow, params: {seconds: "{{ seconds }}"}}]
        output:
          net: "{{ steps.checks.output.net.slept }}"
          hosts: "{{ steps.hosts.output | map(attribute='slept') }}"
        """
    )
    assert ran.result["elapsed_s"] == 60 + 40
    starts = {step["started_at"] for step in ran.steps if step["id"] in ("disk", "net", "log")}
    assert len(starts) == 1
    more, net = ran.step("checks.net.more"), ran.step("checks.net.net")
    assert (datetime.fromisoformat(more["started_at"]) - datetime.fromisoformat(net["started_at"])).seconds == 20
    assert ran.result["output"] == {"net": 30, "hosts": [40, 10, 25]}


@pytest.mark.row("S3-084", "S3-085")
def test_workflows_are_put_together_from_workflows_and_shared_actions(desk: Desk) -> None:
    inner = """
        name: scan-and-note
        input: {folder: {type: string}}
        steps:
          - {id: scan, action: custom_scan, params: {scan_path: "{{ input.folder }}"}}
          - {id: say, action: note, params: {text: "{{ steps.scan.output.files_scanned }} in {{ input.folder }}"}}
        output: {files: "{{ steps.scan.output.files_scanned }}"}
    """
    desk.write("one/a", "x")
    desk.write("two/a", "x")
    desk.write("two/b", "x")
    desk.workflow(inner)
    ran = desk.run(
        """
        name: whole
        steps:
          - {id: one, workflow: scan-and-note, params: {folder: one}}
          - {id: two, workflow: scan-and-note, params: {folder: two}}
          - {id: sum, action: note, params: {text: "{{ steps.one.output.files + steps.two.output.files }} files"}}
        """
    )
    assert sorted(ran.paths) == ["one", "one.say", "one.scan", "sum", "two", "two.say", "two.scan"]
    assert ran.step("sum")["output"]["text"] == "3 files"
    alone = desk.call("run", "scan-and-note", "-p", "folder=two", "--json").json
    assert alone["output"] == {"files": 2}
    assert desk.journal[-4:] == ["1 in one", "2 in two", "3 files", "2 in two"]


@pytest.mark.row("S1-047")
def test_the_kind_of_a_step_decides_how_it_is_carried_out(desk: Desk) -> None:
    states = desk.definition(
        """
        name: kinds
        input: {n: {type: integer}}
        steps:
          - {id: act, action: note, params: {text: x}}
          - {id: call, aws: "sqs:createQueue", params: {QueueName: q}}
          - {id: rest, wait: 5}
          - {id: both, parallel: {a: [{id: a, wait: 1}], b: [{id: b, wait: 2}]}}
          - {id: each, for_each: {in: [1], steps: [{id: inner, wait: 1}]}}
          - {id: choose, switch: [{if: "{{ input.n > 1 }}", steps: [{id: end, stop: {output: 1}}]}]}
          - {id: break, fail: {error: Broken, cause: so}}
        """
    )["States"]
    assert {name: states[name]["Type"] for name in ("act", "call", "rest", "both", "each", "choose", "break")} == {
        "act": "Task",
        "call": "Task",
        "rest": "Wait",
        "both": "Parallel",
        "each": "Map",
        "choose": "Choice",
        "break": "Fail",
    }
    assert states["act"]["Resource"].endswith(":lambda:invoke")
    assert "sqs:createQueue" in states["call"]["Resource"]
    assert "Payload" not in json.dumps(states["call"])
