"""Blocks on the engine: switch, repeat, parallel and for_each, what comes out of them and what their steps see."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.machines import Fail, Run, run


def seconds(made: Run) -> float:
    assert made.execution.stopped is not None
    return (made.execution.stopped - made.execution.started).total_seconds()


# -- switch -------------------------------------------------------------------------------------------

SWITCH = """
name: choose
input: {n: {type: integer}}
steps:
  - set: {seen: start}
  - id: choose
    switch:
      - if: "{{ input.n > 10 }}"
        steps:
          - set: {seen: "{{ vars.seen }} big"}
          - {id: big, action: fetch, params: {url: big}}
      - if: "{{ input.n > 5 }}"
        steps:
          - {id: middle, action: ping}
          - set: {seen: "{{ vars.seen }} middle"}
      {ELSE}
output:
  out: "{{ steps.choose.output | default('missing') }}"
  status: "{{ steps.choose.status }}"
  big: "{{ steps.big.status | default('not run') }}"
  seen: "{{ vars.seen }}"
"""


@pytest.mark.parametrize(
    ("n", "otherwise", "steps", "output"),
    [
        (11, "", ["big"], ({"body": "text", "size": 3, "items": ["a", "b", "c"]}, "succeeded", "start big")),
        (6, "", ["middle"], (None, "not run", "start middle")),
        (1, "", [], ("missing", "not run", "start")),
        (1, "- else: [{id: small, action: store, params: {key: s}}]", ["small"], ({"version": 1}, "not run", "start")),
    ],
)
def test_switch(n: int, otherwise: str, steps: list[str], output: tuple[Any, str, str]) -> None:
    made = run(SWITCH.replace("{ELSE}", otherwise), {"n": n})
    assert made.steps == steps
    out, big, seen = output
    assert made.execution.output == {"out": out, "status": "succeeded", "big": big, "seen": seen}


def test_a_condition_of_a_later_case_knows_that_the_earlier_were_false() -> None:
    text = """
name: known
input: {opt: {type: integer, required: false}}
steps:
  - switch:
      - if: "{{ input.opt is undefined }}"
        steps: [{id: none, action: ping}]
      - if: "{{ input.opt > 1 }}"
        steps: [{id: some, action: ping}]
"""
    assert run(text, {}).steps == ["none"]
    assert run(text, {"opt": 2}).steps == ["some"]
    assert run(text, {"opt": 1}).steps == []


# -- repeat -------------------------------------------------------------------------------------------

REPEAT = """
name: again
input: {n: {type: integer}}
steps:
  - set: {left: "{{ input.n }}"}
  - id: loop
    repeat:
      {TEST}
      max: 3
      delay: 10s
      steps:
        - {id: work, action: store, params: {key: "left {{ vars.left }}"}}
        - set: {left: "{{ vars.left - 1 }}", last: "{{ steps.work.output.version }}"}
output:
  left: "{{ vars.left }}"
  last: "{{ vars.last | default('never') }}"
  status: "{{ steps.loop.status }}"
"""
UNTIL = REPEAT.replace("{TEST}", 'until: "{{ vars.left < 1 }}"')
WHILE = REPEAT.replace("{TEST}", 'while: "{{ vars.left > 0 }}"')


@pytest.mark.parametrize(
    ("text", "n", "rounds", "error"),
    [
        (UNTIL, 0, 1, None),
        (UNTIL, 1, 1, None),
        (UNTIL, 3, 3, None),
        (UNTIL, 4, 3, "RepeatExhausted"),
        (WHILE, 0, 0, None),
        (WHILE, 1, 1, None),
        (WHILE, 3, 3, None),
        (WHILE, 4, 3, "RepeatExhausted"),
    ],
)
def test_rounds_their_delays_and_their_end(text: str, n: int, rounds: int, error: str | None) -> None:
    made = run(text, {"n": n})
    assert made.steps == [f"loop[{number}].work" for number in range(rounds)]
    assert seconds(made) == 10 * max(0, rounds - 1)
    assert made.execution.error == error
    if error is None:
        last = 1 if rounds else "never"
        assert made.execution.output == {"left": min(n - rounds, n), "last": last, "status": "succeeded"}


def test_an_exhausted_repeat_is_a_failure_that_can_be_caught() -> None:
    text = """
name: exhausted
steps:
  - try:
      - repeat: {until: "{{ steps.ask.output.ok }}", max: 2, steps: [{id: ask, action: ping}]}
    catch:
      - errors: [RepeatExhausted]
        steps: [{id: note, action: store, params: {key: "{{ error.step }}: {{ error.message }}"}}]
        then: continue
"""
    made = run(text, {}, {"ask": {"ok": False}})
    assert made.steps == ["repeat[0].ask", "repeat[1].ask", "note"]
    assert made.params("note") == {"key": "repeat: repeat was not done after 2 rounds"}


def test_a_round_does_not_see_the_steps_of_the_round_before() -> None:
    text = """
name: fresh
input: {list: {type: array, items: {type: integer}}}
steps:
  - set: {n: 0, found: []}
  - id: loop
    repeat:
      until: "{{ vars.n == 3 }}"
      steps:
        - id: odd
          if: "{{ vars.n is odd }}"
          action: store
          params: {key: "n{{ vars.n }}"}
        - set: {found: "{{ vars.found + [steps.odd.output.version | default(0)] }}", n: "{{ vars.n + 1 }}"}
output: "{{ vars.found }}"
"""
    assert run(text, {"list": []}).execution.output == [0, 1, 0]


# -- parallel -----------------------------------------------------------------------------------------


def test_branches_start_at_once_and_each_keeps_its_variables() -> None:
    text = """
name: branches
steps:
  - set: {outer: o}
  - id: all
    parallel:
      slow:
        - wait: 30s
        - set: {mine: slow}
        - {id: s, action: store, params: {key: "{{ vars.mine }} {{ vars.outer }}"}}
      fast:
        - set: {mine: fast}
        - {id: f, action: store, params: {key: "{{ vars.mine }} {{ vars.outer }}"}}
      still:
        - wait: 20s
  - {id: after, action: store, params: {key: "{{ vars.mine | default('none') }}", value: "{{ steps.all.output }}"}}
"""
    with pytest.raises(AssertionError, match="mine"):
        run(text)  # a branch's variable is not there after the join, so that even a default has nothing to wait for
    text = text.replace("{{ vars.mine | default('none') }}\", value", 'joined", value')
    made = run(text)
    assert made.steps == ["all.fast.f", "all.slow.s", "after"]
    assert made.params("after")["value"] == {"slow": {"version": 1}, "fast": {"version": 1}, "still": None}
    assert seconds(made) == 30


def test_a_failing_branch_stops_its_siblings_at_their_next_step() -> None:
    text = """
name: cut
steps:
  - id: all
    parallel:
      bad:
        - wait: 5s
        - {id: bad, action: ping}
      good:
        - {id: g1, action: ping}
        - wait: 60s
        - {id: g2, action: ping}
    on_failure:
      - errors: [Unreachable]
        steps: [{id: note, action: store, params: {key: "{{ error.type }} in {{ error.step }}: {{ error.message }}"}}]
        then: continue
output: "{{ steps.g1.status | default('lost') }} {{ steps.all.status }}"
"""
    made = run(text, {}, {"bad": Fail("Unreachable", "gone")})
    assert made.steps == ["all.good.g1", "all.bad.bad", "note"]
    assert made.params("note") == {"key": "Unreachable in all: gone"}
    assert made.execution.output == "lost failed"
    assert seconds(made) == 5


def test_a_retry_of_a_parallel_runs_every_branch_again() -> None:
    text = """
name: retried
steps:
  - parallel: [{id: one, action: ping}, {id: two, action: ping}]
    retry: {max_retries: 1, delay: 4s, jitter: none}
"""
    made = run(text, {}, {"two": [Fail("Unreachable"), {"ok": True}]})
    assert made.steps == ["parallel[0].one", "parallel[1].two"] * 2
    assert seconds(made) == 4


# -- for_each -----------------------------------------------------------------------------------------

LOOP = """
name: loop
input: {list: {type: array, items: {}}}
steps:
  - id: each
    for_each:
      in: "{{ input.list }}"
      index_as: i
      {MORE}
      steps:
        - {id: one, action: store, params: {key: "#{{ i }}", value: "{{ item }}"}, output: "{{ output.version }}"}
    {HANDLER}
output: "{{ steps.each.output | default('failed') }}"
"""


def loop(more: str = "", handler: str = "") -> str:
    return LOOP.replace("{MORE}", more).replace("{HANDLER}", handler)


@pytest.mark.parametrize("items", [[], ["a"], [["a"]], [[]], [None], ["a", "b", "c"], [{"x": [1]}, {}]])
def test_items_reach_the_steps_as_they_are(items: list[Any]) -> None:
    made = run(loop(), {"list": items}, {"one": lambda params: {"version": int(params["key"][1:])}})
    assert [params["value"] for _, params in made.calls] == items
    assert made.steps == [f"each[{number}].one" for number in range(len(items))]
    assert made.execution.output == list(range(len(items)))


def test_a_failed_item_lets_no_other_start() -> None:
    made = run(loop(), {"list": [1, 2, 3]}, {"one": [{"version": 1}, Fail("StoreFull")]})
    assert made.steps == ["each[0].one", "each[1].one"]
    assert made.execution.error == "StoreFull"


@pytest.mark.parametrize(
    ("tolerate", "failing", "output"),
    [
        ("1", 1, [0, None, 2, 3]),
        ("1", 2, "ToleranceExceeded"),
        ("'50%'", 2, [0, None, None, 3]),
        ("'50%'", 3, "ToleranceExceeded"),
        ("'0%'", 0, [0, 1, 2, 3]),
        ("'0%'", 1, "ToleranceExceeded"),
        ("'100%'", 3, [0, None, None, None]),
    ],
)
def test_tolerance(tolerate: str, failing: int, output: Any) -> None:
    def answer(params: dict[str, Any]) -> Any:
        number = int(params["key"][1:])
        return Fail("StoreFull") if 1 <= number <= failing else {"version": number}

    made = run(loop(f"tolerate: {tolerate}"), {"list": [1, 2, 3, 4]}, {"one": answer})
    assert len(made.calls) == 4
    assert made.execution.error == (output if isinstance(output, str) else None)
    handled = loop(f"tolerate: {tolerate}", "on_failure: continue")
    again = run(handled, {"list": [1, 2, 3, 4]}, {"one": answer}).execution
    assert again.output == ("failed" if isinstance(output, str) else output)


def test_concurrency_is_the_number_of_items_at_once() -> None:
    text = """
name: at-once
input: {list: {type: array, items: {type: integer}}}
steps:
  - for_each: {in: "{{ input.list }}", concurrency: 2, steps: [{wait: 10s}]}
"""
    assert [seconds(run(text, {"list": [0] * count})) for count in (0, 1, 2, 3, 4)] == [0, 10, 10, 20, 20]
    assert seconds(run(text.replace("concurrency: 2, ", ""), {"list": [0] * 3})) == 30


def test_a_name_of_an_inner_loop_hides_that_of_the_outer() -> None:
    text = """
name: hides
input: {rows: {type: array, items: {type: array, items: {type: string}}}}
steps:
  - for_each:
      in: "{{ input.rows }}"
      steps:
        - for_each:
            in: "{{ item }}"
            steps: [{id: inner, action: ping, params: {host: "{{ item }}"}}]
        - {id: outer, action: store, params: {key: "{{ item | length }}"}}
"""
    with pytest.raises(AssertionError, match="must be text"):
        run(text)
    made = run(text.replace("{{ item | length }}", "{{ item | join }}"), {"rows": [["a", "b"], ["c"]]})
    assert [next(iter(params.values())) for _, params in made.calls] == ["a", "b", "ab", "c", "c"]
    assert made.steps[1] == "for_each[0].for_each_2[1].inner"
