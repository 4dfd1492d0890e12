"""Names that something else has already: of functions, variables, steps, loops, and the longest ones."""

from __future__ import annotations

import json

import pytest

from stepsmith.asl.names import FUNCTIONS
from stepsmith.engine import validate
from tests.golden.cases import states
from tests.support.machines import compiled, run

PLAIN = sorted(name for name in FUNCTIONS if name.islower() and len(name) > 2)


@pytest.mark.parametrize(
    "name", [*PLAIN, "states", "input", "item", "index", "fn", "given", "key", "one", "run", "error"]
)
def test_a_name_of_everything_at_once(name: str) -> None:
    """A step, a variable, an input and a branch of that name, beside each other."""
    text = f"""
name: clash
input: {{{name}: {{type: integer}}, n: {{type: integer}}}}
steps:
  - id: {name}
    action: store
    params: {{key: k, value: "{{{{ input.{name} + input.n }}}}"}}
  - set: {{{name}: "{{{{ steps.{name}.output.version + 1 }}}}"}}
  - id: all
    parallel:
      {name}:
        - id: inner
          action: store
          params: {{key: k, value: ["{{{{ vars.{name} | string | length }}}}", "{{{{ [vars.{name}, 5] | max }}}}"]}}
output: ["{{{{ vars.{name} }}}}", "{{{{ steps.{name}.output.version }}}}", "{{{{ steps.all.output.{name}.version }}}}"]
"""
    made = run(text, {name: 2, "n": 3} if name != "n" else {"n": 3})
    assert made.params(name)["value"] == 5
    assert made.params(f"all.{name}.inner")["value"] == [1, 5]
    assert made.execution.output == [2, 1, 1]


@pytest.mark.parametrize(
    "name", [*(name for name in PLAIN[::4] if name != "error"), "states", "fn", "given", "one", "key"]
)
def test_a_loop_over_items_of_that_name(name: str) -> None:
    text = f"""
name: clash
input: {{list: {{type: array, items: {{type: integer}}}}}}
steps:
  - id: {name}
    for_each:
      in: "{{{{ input.list }}}}"
      as: {name}
      index_as: {name}_2
      tolerate: 1
      steps:
        - id: inner
          action: store
          params: {{key: "{{{{ {name}_2 }}}}:{{{{ {name} }}}}", value: "{{{{ [{name}, 5] | sum }}}}"}}
output: "{{{{ steps.{name}.output | length }}}}"
"""
    made = run(text, {"list": [7, 8]})
    assert [params for _, params in made.calls] == [{"key": "0:7", "value": 12}, {"key": "1:8", "value": 13}]
    assert made.execution.output == 2


def test_ids_that_become_the_same_variable() -> None:
    text = """
name: same
steps:
  - {id: a-b, action: store, params: {key: "1"}}
  - {id: a_b, action: store, params: {key: "2"}}
  - set: {a_b: 3, a_b_2: 4}
  - {id: a_b_2, action: store, params: {key: "5"}}
output:
  - "{{ steps['a-b'].output.version }}"
  - "{{ steps.a_b.output.version }}"
  - "{{ vars.a_b }}"
  - "{{ vars.a_b_2 }}"
  - "{{ steps.a_b_2.output.version }}"
"""
    outcomes = {"a-b": {"version": 1}, "a_b": {"version": 2}, "a_b_2": {"version": 5}}
    assert run(text, {}, outcomes).execution.output == [1, 2, 3, 4, 5]


def test_default_ids_keep_clear_of_written_ones_wherever_they_stand() -> None:
    text = """
name: defaults
steps:
  - action: ping
  - action: ping
  - parallel:
      a: [{id: ping, action: ping}]
      b: [{id: ping_3, action: ping}, {action: ping}]
"""
    made = run(text)
    assert made.steps == ["ping_2", "ping_4", "parallel.a.ping", "parallel.b.ping_3", "parallel.b.ping_5"]


def test_the_longest_names_that_the_language_takes_fit_into_those_of_step_functions() -> None:
    longest = "a" * 62
    ids = iter(f"{longest}{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")
    text = f"""
name: {"n" * 63}
steps:
  - id: {next(ids)}
    try:
      - id: {next(ids)}
        try:
          - id: {next(ids)}
            parallel:
              {"b" * 63}:
                - {{id: {next(ids)}, switch: [{{if: "{{{{ true }}}}", steps: [{{id: {next(ids)}, action: ping}}]}}]}}
              {"c" * 63}:
                - {{id: {next(ids)}, if: "{{{{ true }}}}", action: ping}}
        finally:
          - {{id: {next(ids)}, action: ping}}
    catch:
      - errors: [Unreachable]
        steps:
          - id: {next(ids)}
            for_each:
              in: [1]
              tolerate: 1
              steps:
                - id: {next(ids)}
                  repeat: {{until: "{{{{ true }}}}", delay: 1s, steps: [{{id: {next(ids)}, action: ping}}]}}
    finally:
      - {{id: {next(ids)}, action: ping}}
"""
    compilation = compiled(text)
    assert validate(compilation.asl or "") == []
    names = [state for state, _ in states(json.loads(compilation.asl or ""))]
    assert max(map(len, names)) <= 80
    assert len(set(names)) == len(names)
    assert run(text).execution.error is None
