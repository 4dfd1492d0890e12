"""The states of eleven workflows against what a careful person would write by hand, each with its reason."""

from __future__ import annotations

import json

import pytest

from tests.golden.cases import states
from tests.support.machines import compiled

ASK = "{id: ask, action: ping}"
GET = "{id: get, action: fetch, params: {url: u}}"
PUT = "{id: put, action: store, params: {key: k}}"

COUNTED: dict[str, tuple[str, dict[str, str]]] = {
    "a sequence: sets, shaped outputs and the workflow's output cost nothing": (
        f"""
steps:
  - {GET}
  - set: {{n: "{{{{ steps.get.output.size }}}}"}}
  - {{id: put, action: store, params: {{key: "k{{{{ vars.n }}}}"}}, output: {{v: "{{{{ output.version }}}}"}}}}
output: {{n: "{{{{ vars.n }}}}", v: "{{{{ steps.put.output.v }}}}"}}
""",
        {"get": "its task", "put": "its task"},
    ),
    "a declared input": (
        f"""
input: {{n: {{type: integer, default: 1}}}}
steps:
  - {GET}
""",
        {
            "workflow.input": "the check, which fills in the defaults on its way",
            "get": "its task",
            "workflow.refused": "where a refused input ends",
        },
    ),
    "a condition": (
        f"""
steps:
  - {ASK}
  - {{if: "{{{{ steps.ask.output.ok }}}}", id: get, action: fetch, params: {{url: u}}}}
  - {PUT}
""",
        {"ask": "its task", "get.if": "a Choice is the only state that branches", "get": "its task", "put": "its task"},
    ),
    "a skipped last step": (
        f"""
steps:
  - {ASK}
  - {{if: "{{{{ steps.ask.output.ok }}}}", id: get, action: fetch, params: {{url: u}}}}
output: "{{{{ steps.get.output.size | default(0) }}}}"
""",
        {
            "ask": "its task",
            "get.if": "a Choice",
            "get": "its task, which puts the output out itself or, when a Choice leads past it,",
            "workflow.end": "does so in its place: a Choice cannot end a machine",
        },
    ),
    "a switch": (
        f"""
steps:
  - {ASK}
  - id: choose
    switch:
      - if: "{{{{ steps.ask.output.ok }}}}"
        steps:
          - set: {{way: good}}
          - {GET}
      - else:
          - set: {{way: bad}}
  - {{id: put, action: store, params: {{key: "{{{{ vars.way }}}}"}}}}
""",
        {"ask": "its task", "choose": "one Choice for all cases; it sets too", "get": "its task", "put": "its task"},
    ),
    "a poll": (
        f"""
steps:
  - {GET}
  - repeat:
      until: "{{{{ steps.ask.output.ok }}}}"
      delay: 30s
      steps:
        - {ASK}
  - {PUT}
""",
        {
            "get": "its task, which sets the number of rounds to 0",
            "ask": "its task",
            "repeat": "the Choice after each round, which also counts",
            "put": "its task",
            "repeat.exhausted": "where too many rounds end",
            "repeat.delay": "the Wait between rounds",
        },
    ),
    "branches": (
        f"""
steps:
  - parallel:
      a: [{ASK}]
      b: [{{set: {{u: v}}}}, {{id: get, action: fetch, params: {{url: "{{{{ vars.u }}}}"}}}}]
  - {{id: put, action: store, params: {{key: "{{{{ steps.get.output.body }}}}"}}}}
""",
        {
            "parallel": "runs and joins the branches, and keeps what is read of them",
            "ask": "its task",
            "set": "a set at the head of a branch has no neighbour before it",
            "get": "its task",
            "put": "its task",
        },
    ),
    "a loop that tolerates": (
        f"""
input: {{list: {{type: array, items: {{}}}}}}
steps:
  - id: all
    for_each: {{in: "{{{{ input.list }}}}", tolerate: 1, steps: [{ASK}]}}
output: "{{{{ steps.all.output }}}}"
""",
        {
            "workflow.input": "the check of the input",
            "all": "the Map",
            "ask": "its task",
            "all.failed": "a failed item must end well for the Map to go on",
            "all.cancelled": "a cancelled item must not",
            "all.tolerance": "the Choice that counts",
            "all.intolerable": "the failure",
            "workflow.end": "a Choice cannot end a machine",
            "workflow.refused": "where a refused input ends",
        },
    ),
    "a try": (
        f"""
steps:
  - try:
      - {ASK}
      - {GET}
    catch:
      - errors: [Unreachable]
        steps: [{PUT}]
        then: continue
  - {{id: end, action: ping}}
""",
        {"ask": "its task, with a Catch", "get": "the same", "end": "its task", "put": "the handler's task"},
    ),
    "approvals": (
        f"""
steps:
  - {{id: may_i, approval: {{message: May I?, approvers: [a@example.com, b@example.com], quorum: 2, remind: 1h}}}}
  - {{id: and_this, approval: {{message: And this?, on_timeout: approve}}}}
  - {{id: at_last, approval: {{message: And that?, on_timeout: reject}}, on_failure: continue}}
  - {PUT}
""",
        {
            "may_i": "its task, however many are asked and reminded",
            "and_this": "its task",
            "and_this.undecided": "a Catch has no output: only when nobody decides",
            "at_last": "its task",
            "at_last.rejected": "where a timeout becomes a rejection",
            "workflow.cancelled": "the run's cancel, which its handler must not take",
            "put": "its task",
        },
    ),
    "a finally": (
        f"""
steps:
  - {GET}
output: "{{{{ steps.get.output.size }}}}"
finally:
  - {PUT}
""",
        {
            "get": "its task; its Catch leads to the block too",
            "put": "the block's task, written once for all ways in",
            "workflow.finally": "the Choice that goes on as the run would have ended",
            "workflow.fail": "an error that the block had held up",
            "workflow.end": "the output",
            "workflow.finally.failed": "a failure of the block itself must not hide the first error",
        },
    ),
    "a finally under a timeout: the time that is left stands in the task, only a wait needs a look afterwards": (
        f"""
timeout: 1h
steps:
  - {GET}
  - {{id: rest, wait: 30s}}
finally:
  - {PUT}
""",
        {
            "get": "its task",
            "rest": "the Wait",
            "rest.deadline": "the Choice that sees whether the Wait was cut",
            "rest.deadline.late": "the failure then",
            "put": "the block's task",
            "workflow.finally": "the Choice that goes on as the run would have ended",
            "workflow.fail": "an error that the block had held up",
            "workflow.end": "the output",
            "workflow.finally.failed": "a failure of the block itself must not hide the first error",
        },
    ),
}


@pytest.mark.parametrize("name", COUNTED)
def test_the_states_are_those_of_a_hand_count(name: str) -> None:
    text, wanted = COUNTED[name]
    definition = json.loads(compiled(f"name: counted{text}").asl or "")
    names = [state for state, _ in states(definition)]
    assert sorted(names) == sorted(wanted)
