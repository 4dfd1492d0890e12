"""What a rolled-back run does: which steps are undone, in which order, with what; and that it costs nothing before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from stepsmith.asl.names import machine_id
from stepsmith.engine import Engine, Execution, Status, TaskCall, TaskFailed, TaskOutcome, TaskSucceeded, TaskWaiting
from stepsmith.local.service_models import ServiceModels
from stepsmith.pipeline import compile_bytes
from stepsmith_functions.history.ending import run_ending
from stepsmith_functions.history.records import RunError, RunStatus
from tests.golden.cases import ACCEPTED, SIBLINGS, SOURCE
from tests.semantics.comparison import on_engine
from tests.semantics.programs.choosing import Dice
from tests.semantics.programs.program import program
from tests.semantics.programs.settling import IllMade
from tests.support.ledger import FUNCTION, Told
from tests.support.machines import CATALOG, RESULTS

SERVICES = ServiceModels()
CHILD = f"${{{machine_id('with-input')}}}"
ACCOUNT = "arn:aws:states:eu-central-1:123456789012"


@dataclass
class Ran:
    """A run: its end, and what it did in order, each with the second in which it began."""

    execution: Execution
    deeds: list[tuple[float, str, Any]] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        return [name for _, name, _ in self.deeds]

    @property
    def undone(self) -> list[tuple[str, Any]]:
        return [(name, given) for _, name, given in self.deeds if name.startswith("undo ")]

    @property
    def ending(self) -> tuple[RunStatus, RunError | None]:
        return run_ending(self.execution.status.name, self.execution.error, self.execution.cause)


def run(text: str, given: Any = None, outcomes: Mapping[str, Any] | None = None) -> Ran:
    """`outcomes` by path or by what is called: a TaskFailed, a TaskSucceeded, a result, or a function of the call."""
    compilation = compile_bytes("test.yaml", text.encode(), CATALOG, SIBLINGS, services=SERVICES)
    assert compilation.asl is not None, [f"{d.span}: {d.message}" for d in compilation.diagnostics]
    told = Told()

    def answer(call: TaskCall) -> TaskOutcome:
        arguments: Any = call.arguments
        if arguments.get("FunctionName") == FUNCTION:
            return told.ledger(call)
        step = arguments["Payload"]["step"] if "Payload" in arguments else {}
        name, sent, result = _called(call, arguments, step)
        ran.deeds.append(((engine.clock.now() - execution.started).total_seconds(), name, sent))
        found = (outcomes or {}).get(step.get("path", name), result)
        found = found(arguments) if callable(found) else found
        outcome = found if isinstance(found, TaskFailed | TaskSucceeded | TaskWaiting) else TaskSucceeded(found)
        if step and isinstance(outcome, TaskSucceeded):
            outcome = TaskSucceeded({"StatusCode": 200, "Payload": outcome.output}, outcome.after)
        if step and not isinstance(outcome, TaskWaiting):
            told.step(call, outcome)
        return outcome

    engine = Engine(answer)
    execution = engine.start(compilation.asl, {} if given is None else given, name="run-1")
    ran = Ran(execution)
    engine.run(execution)
    return ran


def _called(call: TaskCall, arguments: Any, step: Any) -> tuple[str, Any, Any]:
    """What is shown of a call, what it was given, and what it answers."""
    if step:
        undoes = step.get("undoes")
        return (
            f"undo {undoes}" if undoes else step["path"],
            arguments["Payload"]["params"],
            RESULTS.get(step.get("action")),
        )
    if "startExecution" in call.resource:
        name = arguments["StateMachineArn"]
        given = {key: value for key, value in arguments["Input"].items() if not key.startswith(("AWS_", "STEPSMITH_"))}
        return name, given, {"Output": "out", "ExecutionArn": f"{ACCOUNT}:execution:{name}:run-2"}
    return call.resource.rpartition(":")[2], arguments, {"MessageId": "m-1"}


def fails(error: str = "StoreFull", after: float = 0) -> TaskFailed:
    return TaskFailed(error, json.dumps({"errorMessage": "no", "errorType": error}), after)


def lasts(seconds: float) -> TaskSucceeded:
    return TaskSucceeded(RESULTS["store"], seconds)


# -- a parallel that fails while it is at work ------------------------------------------------------

THREE = """
name: three
on_failure: rollback
steps:
  - id: first
    action: store
    params: {key: first}
    rollback: {action: store, params: {key: undo first}}
  - parallel:
      quick:
        - id: quick
          action: store
          params: {key: quick}
          rollback: {action: store, params: {key: undo quick}}
      broken:
        - id: broken
          action: store
          params: {key: broken}
          rollback: {action: store, params: {key: undo broken}}
      slow:
        - id: slow
          action: store
          params: {key: slow}
          rollback: {action: store, params: {key: "undo slow {{ output.version }}"}}
        - id: never
          action: ping
"""


@pytest.mark.parametrize(
    ("slow", "begins"),
    [(2.5, 2), (4, 7), (11.5, 12), (12.5, 17)],
)
def test_what_a_sibling_finishes_while_its_parallel_fails_is_undone_first(slow: float, begins: float) -> None:
    """The rollback asks in the second in which the branch fails, and every five seconds after that."""
    broken = 2 if slow != 2.5 else 2.5
    ran = run(
        THREE,
        outcomes={
            "parallel.quick.quick": lasts(1),
            "parallel.broken.broken": fails(after=broken),
            "parallel.slow.slow": lasts(slow + 0.25),
        },
    )
    order = ["first", "parallel.quick.quick", "parallel.broken.broken", "parallel.slow.slow"]
    assert sorted(ran.names[:4]) == sorted(order)
    assert ran.names[4:] == ["undo parallel.slow.slow", "undo parallel.quick.quick", "undo first"]
    assert ran.deeds[4][0] == (begins if broken == 2 else 7.5)
    assert ran.undone[0][1] == {"key": "undo slow 1"}
    assert ran.ending == (RunStatus.ROLLED_BACK, RunError("StoreFull", "no", "parallel"))


def test_what_fails_late_is_not_undone() -> None:
    outcomes = {"parallel.broken.broken": fails(after=1), "parallel.slow.slow": fails(after=3)}
    ran = run(THREE, outcomes=outcomes)
    assert [name for name, _ in ran.undone] == ["undo parallel.quick.quick", "undo first"]
    assert ran.ending[0] is RunStatus.ROLLED_BACK


def test_what_never_tells_how_it_ended_leaves_the_rollback_incomplete() -> None:
    crash = TaskFailed("Lambda.Unknown", "", 3)
    ran = run(THREE, outcomes={"parallel.broken.broken": fails(after=1), "parallel.slow.slow": crash})
    assert [name for name, _ in ran.undone] == ["undo parallel.quick.quick", "undo first"]
    status, error = ran.ending
    assert status is RunStatus.ROLLBACK_FAILED
    assert error is not None
    assert error.message == "no (it is not known whether parallel.slow.slow took effect)"


# -- where steps stand ------------------------------------------------------------------------------

EVERYWHERE = """
name: everywhere
input: {urls: {type: array, items: {type: string}}}
on_failure: rollback
steps:
  - set: {n: 0}
  - id: rounds
    repeat:
      max: 2
      until: "{{ false }}"
      steps:
        - set: {n: "{{ vars.n + 1 }}"}
        - id: round
          action: store
          params: {key: round}
          rollback: {action: store, params: {key: round, value: "{{ vars.n }}"}}
        - id: each
          for_each:
            in: "{{ input.urls }}"
            as: url
            index_as: at
            steps:
              - id: one
                action: store
                params: {key: "{{ url }}"}
                output: {seen: "{{ url }}", version: "{{ output.version }}"}
                rollback:
                  action: store
                  params: {key: "{{ output.seen }}", value: ["{{ at }}", "{{ vars.n }}", "{{ output.version }}"]}
"""


def test_rounds_and_iterations_are_undone_with_what_they_saw() -> None:
    ran = run(EVERYWHERE, {"urls": ["a", "b"]})
    assert ran.ending[0] is RunStatus.ROLLED_BACK
    assert ran.execution.error == "RepeatExhausted"
    expected = []
    for number in (1, 0):
        for at, url in ((1, "b"), (0, "a")):
            given = {"key": url, "value": [at, number + 1, 1]}
            expected.append((f"undo rounds[{number}].each[{at}].one", given))
        expected.append((f"undo rounds[{number}].round", {"key": "round", "value": number + 1}))
    assert ran.undone == expected


LISTED = """
name: listed
input: {given: {}}
on_failure: rollback
steps:
  - id: one
    action: store
    params: {key: k}
    output: {seen: ["{{ input.given }}", "{{ output.version }}"]}
    rollback: {action: store, params: {key: "{{ output.seen | length }} items", value: "{{ output.seen }}"}}
  - {id: breaks, action: ping}
"""


@pytest.mark.parametrize("item", [[1, 2], [], [[3]], [[]], 4, "text", None, {"a": [5]}])
def test_a_list_in_a_reshaped_output_keeps_an_item_that_may_be_a_list(item: Any) -> None:
    ran = run(LISTED, {"given": item}, {"breaks": TaskFailed("Unreachable", "")})
    assert ran.undone == [("undo one", {"key": "2 items", "value": [item, 1]})]


HANDLERS = """
name: handlers
steps:
  - id: block
    try:
      - id: inner
        action: store
        params: {key: inner}
        rollback: {action: store, params: {key: inner}}
      - id: breaks
        action: ping
        on_failure:
          - errors: [Unreachable]
            steps:
              - id: mended
                action: store
                params: {key: mended}
                rollback: {action: store, params: {key: "{{ error.type }} in {{ error.step }}"}}
            then: rollback
    catch:
      - steps: [{id: unseen, action: ping}]
        then: continue
    finally:
      - {id: told, action: fetch, params: {url: "{{ steps.block.status | default('none') }}"}}
  - {id: unreached, action: ping}
finally:
  - {id: closed, action: fetch, params: {url: end}}
"""


def test_handlers_are_undone_and_the_handlers_around_see_nothing_of_it() -> None:
    ran = run(HANDLERS, outcomes={"breaks": fails("Unreachable")})
    assert ran.names == ["inner", "breaks", "mended", "told", "undo mended", "undo inner", "closed"]
    assert dict(ran.undone)["undo mended"] == {"key": "Unreachable in breaks"}
    assert ran.ending == (RunStatus.ROLLED_BACK, RunError("Unreachable", "no", "breaks"))


def test_other_failures_are_handled_and_roll_nothing_back() -> None:
    ran = run(HANDLERS, outcomes={"breaks": fails("Lambda.Unknown")})
    assert ran.names == ["inner", "breaks", "unseen", "told", "unreached", "closed"]
    assert ran.execution.status is Status.SUCCEEDED


MIXED = """
name: mixed
input: {topic: {type: string}}
on_failure: rollback
steps:
  - id: publish
    aws: sns:publish
    params: {TopicArn: "{{ input.topic }}", Message: begin}
    rollback:
      aws: sns:publish
      params: {TopicArn: "{{ input.topic }}", Message: "{{ 'took back ' ~ output.MessageId }}"}
  - id: rounds
    repeat:
      max: 2
      until: "{{ steps.child.output == 'never' }}"
      steps:
        - id: child
          workflow: with-input
          params: {host: child}
          rollback: {workflow: with-input, params: {host: "{{ output }} of {{ input.topic }}"}}
  - id: last
    action: ping
"""


def test_calls_of_services_and_workflows_are_undone_by_the_same() -> None:
    ran = run(MIXED, {"topic": "t"})
    assert ran.ending[0] is RunStatus.ROLLED_BACK
    publish, *children = ran.deeds[:3]
    assert publish[2] == {"TopicArn": "t", "Message": "begin"}
    assert [given for _, _, given in children] == [{"host": "child"}] * 2
    assert [given for _, _, given in ran.deeds[3:]] == [
        {"host": "out of t"},
        {"host": "out of t"},
        {"TopicArn": "t", "Message": "took back m-1"},
    ]


def test_a_call_that_was_in_flight_when_its_parallel_failed_may_have_taken_effect() -> None:
    text = """
name: flight
on_failure: rollback
steps:
  - parallel:
      one:
        - {id: broken, action: ping}
      two:
        - id: publish
          aws: sns:publish
          params: {TopicArn: t, Message: m}
          rollback: {aws: sns:publish, params: {TopicArn: t, Message: back}}
"""
    slow = TaskSucceeded({"MessageId": "m"}, 5)
    ran = run(text, outcomes={"parallel.one.broken": fails(after=1), "publish": slow})
    assert ran.ending[0] is RunStatus.ROLLBACK_FAILED
    assert "publish" in (ran.execution.cause or "")
    assert ran.names[2:] == []


# -- the workflow's word and the step's --------------------------------------------------------------

KEPT = """
name: kept
on_failure: rollback
steps:
  - {id: done, action: store, params: {key: a}, rollback: {action: store, params: {key: b}}}
  - {VERB}
"""


@pytest.mark.parametrize(
    ("verb", "outcomes", "status"),
    [
        ("{id: it, action: ping, on_failure: fail}", {"it": fails()}, RunStatus.FAILED),
        ("{id: it, action: ping}", {"it": fails()}, RunStatus.ROLLED_BACK),
        (
            "{id: it, workflow: with-input, params: {host: h}, on_failure: fail}",
            {CHILD: TaskFailed("States.TaskFailed", '{"Error": "Odd", "Status": "FAILED"}')},
            RunStatus.FAILED,
        ),
        (
            "{id: it, workflow: with-input, params: {host: h}}",
            {CHILD: TaskFailed("States.TaskFailed", '{"Error": "Odd", "Status": "FAILED"}')},
            RunStatus.ROLLED_BACK,
        ),
        (
            "{id: it, for_each: {in: [1, 2], tolerate: 1, steps: [{id: x, action: ping}]}, on_failure: fail}",
            {"it[0].x": fails(), "it[1].x": fails()},
            RunStatus.FAILED,
        ),
        (
            "{id: it, parallel: [{id: x, action: ping, on_failure: fail}]}",
            {"it[0].x": fails()},
            RunStatus.ROLLED_BACK,
        ),
        ("{id: it, parallel: [{id: x, action: ping}], on_failure: fail}", {"it[0].x": fails()}, RunStatus.FAILED),
        (
            "{id: it, switch: [{if: '{{ true }}', steps: [{id: x, action: ping, on_failure: fail}]}]}",
            {"x": fails()},
            RunStatus.FAILED,
        ),
        (
            "{id: it, approval: {message: m, timeout: 5s, on_timeout: reject}, on_failure: fail}",
            {"it": lambda _: TaskWaiting({})},
            RunStatus.FAILED,
        ),
        (
            "{id: it, try: [{id: x, action: ping, on_failure: fail}], finally: [{wait: 1s}]}",
            {"x": fails()},
            RunStatus.ROLLED_BACK,
        ),
    ],
)
def test_what_a_step_of_the_main_sequence_says_beats_the_workflow(
    verb: str, outcomes: dict[str, Any], status: RunStatus
) -> None:
    assert run(KEPT.replace("{VERB}", verb), outcomes=outcomes).ending[0] is status


# -- what it costs -----------------------------------------------------------------------------------


def entered(execution: Execution) -> int:
    """The states that a run entered: what Step Functions bills, retries apart."""
    return sum(event.type.endswith("StateEntered") for event in execution.events)


ASKS = (("on_failure", "rollback"), ("then", "rollback"))


def without(tree: Any) -> Any:
    """The workflow as it would be if nobody had thought of undoing."""
    match tree:
        case dict():
            kept = {key: value for key, value in tree.items() if (key, value) not in ASKS and key != "rollback"}
            return {key: without(value) for key, value in kept.items()}
        case list():
            return [without(item) for item in tree]
    return tree


GOLDEN = (ACCEPTED / "rollback" / SOURCE).read_text(encoding="utf-8")


@pytest.mark.parametrize("text", [MIXED.replace("== 'never'", "== 'out'"), HANDLERS, THREE, GOLDEN])
def test_a_run_that_succeeds_enters_as_many_states_as_without_rollback(text: str) -> None:
    given: Any = {"topic": "t"} if "topic" in text else {"url": "u", "hosts": ["a", "b"]} if "hosts" in text else {}
    undoable, plain = run(text, given), run(yaml.safe_dump(without(yaml.safe_load(text)), sort_keys=False), given)
    assert undoable.execution.status is plain.execution.status is Status.SUCCEEDED
    assert entered(undoable.execution) == entered(plain.execution)
    assert undoable.names == plain.names


def test_random_runs_that_succeed_enter_as_many_states_as_without_rollback() -> None:
    compared = 0
    for seed in range(60):
        try:
            made = program(Dice(seed))
        except IllMade:
            continue
        execution, calls = on_engine(made)
        tree = yaml.safe_load(made.text)
        if execution.status is not Status.SUCCEEDED or without(tree) == tree:
            continue
        text = yaml.safe_dump(without(tree), sort_keys=False, width=100_000, allow_unicode=True)
        made.compilation = compile_bytes("random.yaml", text.encode(), CATALOG)
        plain, plain_calls = on_engine(made)
        assert plain.output == execution.output
        assert plain_calls == calls
        assert entered(plain) == entered(execution), made.text
        compared += 1
    assert compared > 5
