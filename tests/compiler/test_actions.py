"""Action steps on the engine: what the handler gets, retries, handlers of the step, and its result."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from stepsmith.engine import Engine, Status, TaskSucceeded
from stepsmith.lowering.payloads import VISIT
from tests.support.machines import Fail, Run, compiled, run

ONE = """
name: one
version: 2.0.1
input: {url: {type: string}, n: {type: integer, default: 3}}
steps:
  - id: get
    action: fetch
    params: {url: "{{ input.url }}", count: "{{ input.n + 1 }}", tags: [a, "{{ input.url }}!"]}
    {MORE}
output: "{{ steps.get.output.size }}"
"""


def seconds(made: Run) -> float:
    assert made.execution.stopped is not None
    return (made.execution.stopped - made.execution.started).total_seconds()


def with_more(more: str) -> str:
    return ONE.replace("{MORE}", more)


def test_the_handler_gets_params_run_and_step() -> None:
    asl = json.loads(compiled(with_more("")).asl or "")
    payload = asl["States"]["get"]["Arguments"]["Payload"]
    assert payload["run"] == {
        "id": "{% $states.context.Execution.Name %}", "workflow": "one", "version": "2.0.1",
        "control": {"pausable": True, "parents": "{% [$states.context.Execution.Input.STEPSMITH_PARENTS] %}"},
    }  # fmt: skip
    assert payload["step"] == {
        "id": "get", "path": "get", "action": "fetch", "line": 6, "attempt": "{% $states.context.State.RetryCount %}",
        "visit": VISIT,
    }  # fmt: skip
    made = run(with_more(""), {"url": "u"})
    assert made.params("get") == {"url": "u", "count": 4, "tags": ["a", "u!"]}
    assert made.execution.output == 3


def test_later_visits_of_a_state_sort_after_earlier_ones() -> None:
    moments = ("2025-01-01T00:01:30Z", "2025-01-01T00:01:30.2Z", "2025-01-01T00:01:30.25Z", "2025-01-01T00:01:31.001Z")
    told = VISIT.replace("$states.context", "$states.input")
    tell = {"Type": "Pass", "Output": told, "End": True}
    machine = {"StartAt": "tell", "QueryLanguage": "JSONata", "States": {"tell": tell}}
    engine = Engine(lambda _: TaskSucceeded(None))
    visits = []
    for moment, redrives in itertools.product(moments, (0, 9, 10, 1000)):
        given = {"State": {"EnteredTime": moment}, "Execution": {"RedriveCount": redrives}}
        execution = engine.start(machine, given)
        engine.run(execution)
        visits.append(str(execution.output))
    assert visits == sorted(set(visits))


def test_an_input_of_null_is_no_missing_input() -> None:
    text = with_more("").replace("n: {type: integer, default: 3}", 'n: {type: [integer, "null"], default: 3}')
    text = text.replace("{{ input.n + 1 }}", "{{ 9 if input.n is none else 1 }}")
    assert run(text, {"url": "u", "n": None}).params("get")["count"] == 9
    assert run(text, {"url": "u"}).params("get")["count"] == 1


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "url is missing"),
        ({"url": 1}, "url must be text"),
        ({"url": "u", "n": 1.5}, "n must be a whole number"),
        ({"url": "u", "more": 1}, "a property that is not declared (known: url, n)"),
        ([], "the input must be an object"),
        ({"n": "x"}, "url is missing; n must be a whole number"),
    ],
)
def test_an_input_that_breaks_the_schema_is_refused_before_anything_runs(given: Any, why: str) -> None:
    made = run(with_more(""), given)
    assert made.calls == []
    assert made.execution.error == "InputInvalid"
    assert why in str(made.execution.cause)


@pytest.mark.parametrize(
    ("retry", "attempts", "elapsed"),
    [
        ("retry: {max_retries: 2, jitter: none}", 3, 1 + 2),
        ("retry: {max_retries: 3, delay: 5s, backoff: 1, jitter: none}", 4, 15),
        ("retry: {max_retries: 4, delay: 10s, max_delay: 25s, jitter: none}", 5, 10 + 20 + 25 + 25),
        ("retry: {max_retries: 2, on: [HttpError], jitter: none}", 3, 3),
        ("retry: {max_retries: 2, on: [HttpClientError], jitter: none}", 1, 0),
        ("retry: 0", 1, 0),
        ("retry: [{max_retries: 1, delay: 7s, on: [HttpServerError], jitter: none}, {max_retries: 5}]", 2, 7),
        ("", 1, 0),
    ],
)
def test_retries(retry: str, attempts: int, elapsed: float) -> None:
    made = run(with_more(retry), {"url": "u"}, {"get": Fail("HttpServerError", "no")})
    assert len(made.calls) == attempts
    assert made.execution.error == "HttpServerError"
    assert seconds(made) == elapsed


def test_lambda_transient_errors_have_a_retrier_of_their_own() -> None:
    busy, broken = Fail("Lambda.TooManyRequestsException"), Fail("HttpServerError")
    retry = "retry: {max_retries: 1, delay: 9s, jitter: none}"
    made = run(with_more(retry), {"url": "u"}, {"get": [busy, busy, broken, busy, broken]})
    assert len(made.calls) == 5
    assert seconds(made) == 2 + 4 + 9 + 8
    assert made.execution.error == "HttpServerError"
    assert seconds(run(with_more(""), {"url": "u"}, {"get": busy})) == sum(2**power for power in range(1, 7))
    assert len(run(with_more("retry: 0"), {"url": "u"}, {"get": busy}).calls) == 1


def test_the_workflow_retry_is_for_steps_without_one() -> None:
    text = "retry: {max_retries: 1, jitter: none}\n" + with_more("").lstrip()
    assert len(run(text, {"url": "u"}, {"get": Fail("HttpServerError")}).calls) == 2
    own = text.replace("    \noutput", "    retry: 0\noutput")
    assert len(run(own, {"url": "u"}, {"get": Fail("HttpServerError")}).calls) == 1


def test_a_result_that_cannot_be_reshaped_does_not_run_the_action_again() -> None:
    more = "retry: 3\n    output: {size: '{{ 1 / output.size }}'}"
    text = with_more(more)
    made = run(text, {"url": "u"}, {"get": {"body": "", "size": 0, "items": []}})
    assert len(made.calls) == 1
    assert made.execution.error == "States.QueryEvaluationError"


def test_a_handler_by_base_class_takes_every_class_below_it() -> None:
    more = "on_failure: [{errors: [HttpError], then: continue}]"
    text = with_more(more).replace("steps.get.output.size", "steps.get.output.size | default(steps.get.status)")
    for error in ("HttpClientError", "HttpServerError", "HttpError"):
        assert run(text, {"url": "u"}, {"get": Fail(error)}).execution.output == "failed"
    assert run(text, {"url": "u"}, {"get": Fail("Other")}).execution.error == "Other"


HANDLED = """
name: handled
steps:
  - id: get
    action: fetch
    params: {url: u}
    on_failure:
      - errors: [HttpClientError]
        steps:
          - id: first
            action: store
            params: {key: "{{ error.type }}", value: "{{ error.message }} @{{ error.step }}"}
        then: continue
      - errors: [States.Timeout]
        steps:
          - id: second
            action: ping
      - steps:
          - fail: {error: Worse, cause: "{{ error.type }}"}
  - id: after
    action: store
    params: {key: after, value: ["{{ steps.get.status }}", "{{ steps.first.status | default('-') }}"]}
"""


@pytest.mark.parametrize(
    ("outcome", "steps", "error", "after"),
    [
        (None, ["get", "after"], None, ["succeeded", "-"]),
        (Fail("HttpClientError", "gone"), ["get", "first", "after"], None, ["failed", "succeeded"]),
        (Fail("States.Timeout"), ["get", "second"], "States.Timeout", None),
        (Fail("HttpServerError"), ["get"], "Worse", None),
    ],
)
def test_handlers(outcome: Any, steps: list[str], error: str | None, after: list[str] | None) -> None:
    outcomes = {"get": outcome} if outcome else {}
    made = run(HANDLED, {}, outcomes)
    assert made.steps == steps
    assert made.execution.error == error
    if after is not None:
        assert made.params("after")["value"] == after
    if "first" in steps:
        # The message is what Lambda's JSON holds, not the JSON.
        assert made.params("first") == {"key": "HttpClientError", "value": "gone @get"}


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        ('{"errorMessage": "it \\"broke\\"", "errorType": "E", "stackTrace": []}', 'it "broke"'),
        ("plain text", "plain text"),
        ("{half", "{half"),
        ("", ""),
        (None, ""),
        ('["a list"]', '["a list"]'),
    ],
)
def test_the_message_of_an_error_whatever_its_cause_looks_like(cause: str | None, message: str) -> None:
    text = HANDLED.replace("errors: [HttpClientError]", "errors: [Odd]")

    class Odd(Fail):
        def outcome(self) -> Any:
            return type(super().outcome())("Odd", cause)

    assert run(text, {}, {"get": Odd("Odd")}).params("first")["value"] == f"{message} @get"


def test_the_failure_of_a_handler_is_the_failure_of_the_run() -> None:
    made = run(HANDLED, {}, {"get": Fail("HttpClientError"), "first": Fail("StoreFull")})
    assert (made.steps, made.execution.error) == (["get", "first"], "StoreFull")


def test_continue_leaves_the_output_missing_and_shows_null_at_the_end() -> None:
    text = """
name: last
steps:
  - id: both
    parallel:
      a: [{id: left, action: ping, on_failure: continue}]
      b: [{id: right, action: ping, output: null}]
output: ["{{ steps.both.output }}", "{{ steps.left.output is defined }}", "{{ steps.right.output is defined }}"]
"""
    made = run(text, {}, {"left": Fail("Unreachable")})
    assert made.execution.output == [{"a": None, "b": None}, False, True]
    assert made.execution.status is Status.SUCCEEDED
