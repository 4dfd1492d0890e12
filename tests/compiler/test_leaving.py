"""How control leaves blocks: skipped steps, failures through try and finally, stop and fail, and what is known then."""

from __future__ import annotations

from typing import Any

import pytest

from stepsmith.engine import Status
from tests.support.machines import Fail, Run, run


def ended(made: Run) -> tuple[str | None, Any]:
    return made.execution.error, made.execution.output


SKIP = """
name: skip
input: {go: {type: boolean}}
steps:
  - id: look
    if: "{{ input.go }}"
    {VERB}
  - id: after
    action: store
    params:
      key: "{{ steps.look.status }}"
      value: ["{{ steps.look.output is defined }}", "{{ steps.look.output | default('missing') }}"]
output: "{{ steps.look.output | default('none') }}"
"""


@pytest.mark.parametrize(
    ("verb", "output"),
    [
        ("action: ping", {"ok": True, "ms": 1.5}),
        ("{action: ping, output: null}", None),
        ("wait: 1s", None),
        ("set: {a: 1}", None),
        ("parallel: {a: [{action: ping}]}", {"a": {"ok": True, "ms": 1.5}}),
        ("for_each: {in: [1], steps: [{action: ping}]}", [{"ok": True, "ms": 1.5}]),
        ("repeat: {until: '{{ true }}', steps: [{action: ping}]}", {"ok": True, "ms": 1.5}),
        ("try: [{action: ping}]\n    catch: [{then: continue}]", {"ok": True, "ms": 1.5}),
        ("try: [{action: ping}]\n    finally: [{wait: 1s}]", {"ok": True, "ms": 1.5}),
        ("switch: [{if: '{{ input.go }}', steps: [{action: ping}]}]", {"ok": True, "ms": 1.5}),
    ],
)
def test_a_skipped_step_of_every_verb(verb: str, output: Any) -> None:
    if verb.startswith("{"):
        verb = verb[1:-1].replace(", ", "\n    ")
    text = SKIP.replace("{VERB}", verb)
    done = run(text, {"go": True})
    assert done.params("after") == {"key": "succeeded", "value": [True, output]}
    assert done.execution.output == output
    skipped = run(text, {"go": False})
    assert skipped.params("after") == {"key": "skipped", "value": [False, "missing"]}
    assert skipped.steps == ["after"]
    assert skipped.execution.output == "none"


TRY = """
name: tried
input: {stop: {type: boolean, default: false}}
steps:
  - id: block
    try:
      - {id: one, action: ping}
      - {if: "{{ input.stop }}", stop: {output: stopped}}
      - {id: two, action: fetch, params: {url: u}}
    catch:
      - errors: [Unreachable]
        steps: [{id: mend, action: store, params: {key: mend}}]
        then: continue
      - errors: [HttpError]
        steps: [{id: note, action: store, params: {key: note}}]
    finally:
      - {id: tidy, action: store, params: {key: "{{ steps.block.status | default('left') }}",
         value: "{{ steps.two.output.size | default(0) }}"}}
  - {id: after, action: store, params: {key: "{{ steps.block.status }}"}}
output: "{{ steps.block.output.size | default('none') }}"
"""


@pytest.mark.parametrize(
    ("outcomes", "stop", "steps", "end", "tidy"),
    [
        ({}, False, "one two tidy after", (None, 3), ("succeeded", 3)),
        ({"one": Fail("Unreachable")}, False, "one mend tidy after", (None, "none"), ("failed", 0)),
        ({"two": Fail("HttpServerError")}, False, "one two note tidy", ("HttpServerError", None), ("failed", 0)),
        ({"two": Fail("Odd")}, False, "one two tidy", ("Odd", None), ("failed", 0)),
        ({}, True, "one tidy", (None, "stopped"), ("left", 0)),
        ({"one": Fail("Unreachable"), "mend": Fail("StoreFull")}, False, "one mend tidy", ("StoreFull", None), None),
        ({"tidy": Fail("StoreFull")}, False, "one two tidy", ("StoreFull", None), None),
        ({"two": Fail("Odd"), "tidy": Fail("StoreFull")}, False, "one two tidy", ("Odd", None), None),
        ({"tidy": Fail("StoreFull")}, True, "one tidy", ("StoreFull", None), None),
    ],
)
def test_try(outcomes: dict[str, Any], stop: bool, steps: str, end: tuple[Any, Any], tidy: Any) -> None:
    made = run(TRY, {"stop": stop}, outcomes)
    assert made.steps == steps.split()
    assert ended(made) == end
    if tidy is not None:
        params = made.params("tidy")
        assert (params["key"], params["value"]) == tidy


def test_an_outer_handler_takes_what_an_inner_one_raises_again() -> None:
    text = """
name: outer
steps:
  - id: out
    try:
      - id: inner
        try:
          - {id: kept, action: fetch, params: {url: u}}
          - {id: bad, action: ping}
        catch:
          - steps: [{id: aid, action: store, params: {key: aid}}]
    catch:
      - errors: [Unreachable]
        steps:
          - id: note
            action: store
            params:
              key: "{{ error.type }} in {{ error.step }}"
              value: ["{{ steps.kept.output.size | default(0) }}", "{{ steps.inner.status | default('') }}",
                      "{{ steps.inner.error.step | default('') }}", "{{ steps.bad.error.type | default('') }}"]
        then: continue
"""
    made = run(text, {}, {"bad": Fail("Unreachable")})
    assert made.steps == ["kept", "bad", "aid", "note"]
    assert made.params("note") == {"key": "Unreachable in bad", "value": [3, "failed", "bad", "Unreachable"]}


FINALLY = """
name: last
input: {how: {type: string}}
steps:
  - id: work
    action: fetch
    params: {url: u}
  - {if: "{{ input.how == 'stop' }}", stop: {output: early}}
  - {if: "{{ input.how == 'fail' }}", fail: {error: Asked, cause: "{{ input.how }}"}}
output: "{{ steps.work.output.size }}"
finally:
  - {id: report, action: store, params: {key: "{{ steps.work.status | default('?') }}"}}
"""


@pytest.mark.parametrize(
    ("how", "outcomes", "end"),
    [
        ("well", {}, (None, 3)),
        ("stop", {}, (None, "early")),
        ("fail", {}, ("Asked", None)),
        ("well", {"work": Fail("HttpServerError")}, ("HttpServerError", None)),
        ("well", {"report": Fail("StoreFull")}, ("StoreFull", None)),
        ("fail", {"report": Fail("StoreFull")}, ("Asked", None)),
    ],
)
def test_the_finally_of_a_workflow(how: str, outcomes: dict[str, Any], end: tuple[Any, Any]) -> None:
    made = run(FINALLY, {"how": how}, outcomes)
    assert made.steps == ["work", "report"]
    assert made.params("report")["key"] == ("failed" if "work" in outcomes else "succeeded")
    assert ended(made) == end


def test_a_stop_leaves_every_block_around_it() -> None:
    text = """
name: deep-stop
steps:
  - repeat:
      until: "{{ false }}"
      steps:
        - set: {n: "{{ (vars.n | default(0)) + 1 }}"}
        - try:
            - switch:
                - if: "{{ vars.n == 2 }}"
                  steps:
                    - set: {n: 7}
                    - stop: {output: "{{ vars.n }}"}
          finally:
            - {id: tidy, action: store, params: {key: "{{ vars.n }}!"}}
  - {id: never, action: ping}
"""
    made = run(text)
    assert made.steps == ["repeat[0].tidy", "repeat[1].tidy"]
    assert made.execution.output == 7


def test_a_fail_keeps_its_cause_through_branches_and_loops() -> None:
    text = """
name: deep-fail
steps:
  - id: all
    parallel:
      a:
        - for_each:
            in: [1]
            steps:
              - fail: {error: Deep, cause: 'it is "{{ item }}" {% raw %}'}
    on_failure:
      - errors: [Deep]
        steps: [{id: note, action: store, params: {key: "{{ error.message }}"}}]
"""
    with pytest.raises(AssertionError, match="statement"):
        run(text)
    made = run(text.replace("{% raw %}", ""))
    assert made.params("note") == {"key": 'it is "1" '}
    assert made.execution.status is Status.FAILED
    assert (made.execution.error, made.execution.cause) == ("Deep", 'it is "1" ')


def test_fail_without_a_cause_and_stop_without_an_output() -> None:
    assert ended(run("name: a\nsteps: [{fail: {error: Mine}}]")) == ("Mine", None)
    assert ended(run("name: a\nsteps: [{stop: {}}]")) == (None, None)
    assert ended(run("name: a\nsteps: [{wait: 1s}]")) == (None, None)
