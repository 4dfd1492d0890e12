"""Every fault of the shipped workflows comes to what it should, and the rules would see it if one did not.

`python -m tests.semantics.fault_matrix` prints the table; this runs the whole of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stepsmith.local.mocks import Mock
from stepsmith.local.program import Program
from stepsmith.model.workflow import Workflow
from stepsmith.pipeline import compile_bytes
from stepsmith.project import Project
from stepsmith.rehearsals.model import Expectation, Rehearsal
from stepsmith_functions.history.records import RunStatus
from tests.semantics.fault_matrix import PAGE, ROOT, matrix, text_of, workflows, written
from tests.semantics.faults.bench import Bench, Fault, Kind, Observed, faults_of
from tests.semantics.faults.rules import problems
from tests.support.process import process_as_before

PROJECT = Project(ROOT)
CATALOG = PROJECT.catalog()


def test_no_fault_of_a_shipped_workflow_comes_to_what_it_should_not() -> None:
    found = [matrix(name) for name in workflows()]
    assert [sentence for each in found for sentence in each.wrong] == []
    assert sum(each.faults for each in found) > 300
    text = PAGE.read_text(encoding="utf-8")
    assert written(text, found) == text, "run: make matrix ARGS=--write"
    assert [line.strip() for line in text_of(found)][-1].partition(";")[0].endswith(" faults, 0 wrong")


# -- a workflow that is rolled back -----------------------------------------------------------------------

TEXT = """\
name: undoing
on_failure: rollback
input: {path: {type: string}}
steps:
  - id: hold
    action: quarantine_file
    params: {file_path: "{{ input.path }}"}
    timeout: 10s
    retry: 1
    rollback: {action: restore_file, params: {quarantine_id: "{{ output.quarantine_id }}"}}
  - id: both
    parallel:
      one:
        - id: stop
          action: kill_process
          params: {process_id: 42}
          timeout: 10s
          rollback: {action: run_script, params: {script: start.sh}}
      other:
        - {id: note, action: add_exclusion, params: {file_path: "{{ input.path }}", reason: known}, rollback: none}
  - {id: tell, action: send_notification, params: {recipient: a@example.com, message: gone}, rollback: none}
finally:
  - {id: report, action: generate_report, params: {report_type: incident, title: Gone}}
"""
BASE = Rehearsal(
    "undoing.base", "undoing", {"path": "/tmp/x"}, Expectation(), {"both": (), "report": (Mock(value={}, after=1),)}
)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bench, Workflow]]:
    compiled = compile_bytes("undoing.yaml", TEXT.encode(), CATALOG)
    assert compiled.asl is not None, [f"{item.span}: {item.message}" for item in compiled.diagnostics]
    assert compiled.workflow is not None
    assert compiled.origins is not None
    program = Program("undoing", compiled.asl, compiled.origins)
    with process_as_before(), Bench(compiled.workflow, program, PROJECT, CATALOG, Path(ROOT)) as made:
        yield made, compiled.workflow


def run(bench: Bench, step: str, error: str, kind: Kind = Kind.ERROR, *, history: bool = True) -> Observed:
    return bench.run(BASE, Fault(step, kind, error, lasting=True, history=history))


def wrong(workflow: Workflow, seen: Observed, plain: Observed | None = None) -> list[str]:
    fault = Fault("tell", Kind.ERROR, "DeliveryFailed", lasting=True, history=plain is None)
    return list(problems(workflow, CATALOG, {"path": "/tmp/x"}, fault, seen, plain or seen))


def test_every_fault_of_a_workflow_that_rolls_back(bench: tuple[Bench, Workflow]) -> None:
    made, workflow = bench
    steps = set()
    for fault in faults_of(workflow, CATALOG, lambda _: ()):
        if fault.step.endswith(".rollback"):
            continue  # nothing fails that would have to be undone
        seen = made.run(BASE, fault)
        steps.add(fault.step)
        twin = made.run(BASE, replace(fault, history=True))
        found = list(problems(workflow, CATALOG, {"path": "/tmp/x"}, fault, seen, twin))
        assert found == [], str(fault)
        undone = (RunStatus.ROLLED_BACK, RunStatus.ROLLBACK_FAILED, RunStatus.SUCCEEDED)
        assert seen.status in ((RunStatus.FAILED, RunStatus.SUCCEEDED) if fault.step == "report" else undone)
    assert steps == {"hold", "stop", "note", "tell", "report"}


def test_the_world_sees_each_attempt(bench: tuple[Bench, Workflow]) -> None:
    made, _ = bench
    seen = run(made, "tell", "RecipientInvalid", history=False)
    assert (seen.status, seen.error and seen.error.type) == (RunStatus.ROLLED_BACK, "RecipientInvalid")
    assert [call.path for call in seen.calls] == [
        "hold",
        "both.one.stop",
        "both.other.note",
        "tell",
        "both.one.stop.rollback",
        "hold.rollback",
        "report",
    ]
    late = made.run(BASE, Fault("hold", Kind.TIMEOUT, "States.Timeout", lasting=False, history=True))
    assert [(call.path, call.attempt, call.effective, call.heard) for call in late.calls[:2]] == [
        ("hold", 0, True, False),
        ("hold", 1, True, True),
    ]
    crashed = run(made, "note", "Runtime.ExitError", Kind.CRASH)
    assert (crashed.status, crashed.error and crashed.error.type) == (RunStatus.ROLLED_BACK, "Runtime.ExitError")


def test_an_undo_that_is_left_out_is_seen(bench: tuple[Bench, Workflow]) -> None:
    made, workflow = bench
    seen = run(made, "tell", "RecipientInvalid")
    assert wrong(workflow, seen) == []
    without = replace(seen, calls=tuple(call for call in seen.calls if call.path != "hold.rollback"))
    assert "hold was done and nobody tried to undo it" in wrong(workflow, without)
    twice = replace(seen, calls=(*seen.calls, seen.calls[-2]))
    assert "hold was done 1 times and undone 2 times" in wrong(workflow, twice)
    swapped = replace(seen, calls=(*seen.calls[:-3], seen.calls[-2], seen.calls[-3]))
    late = tuple(replace(call, at=call.at + 5) if call.step == "stop" else call for call in swapped.calls)
    assert any("in the order" in problem for problem in wrong(workflow, replace(swapped, calls=late)))


def test_what_is_repeated_or_lost_is_seen(bench: tuple[Bench, Workflow]) -> None:
    made, workflow = bench
    seen = run(made, "tell", "RecipientInvalid")
    stop = next(call for call in seen.calls if call.step == "stop")
    again = replace(seen, calls=(*seen.calls, replace(stop, attempt=1)))
    assert "both.one.stop took effect 2 times" in wrong(workflow, again)
    no_finally = replace(seen, calls=tuple(call for call in seen.calls if call.step != "report"))
    assert "finally of the workflow did not run" in wrong(workflow, no_finally)
    assert "it failed and was not rolled back" in wrong(workflow, replace(seen, status=RunStatus.FAILED))
    assert any("which nothing raised" in each for each in wrong(workflow, replace(seen, calls=())))
    assert "its error is lost" in wrong(workflow, replace(seen, error=None))
    assert "the run did not end: running" in wrong(workflow, replace(seen, status=RunStatus.RUNNING))
    other = replace(seen, status=RunStatus.ROLLBACK_FAILED)
    assert any("without the history it ended" in each for each in wrong(workflow, other, seen))
    assert "no undo failed, and yet the rollback did" in wrong(workflow, other)


def test_the_reference_says_what_a_run_must_come_to(bench: tuple[Bench, Workflow]) -> None:
    step = "{id: tell, action: send_notification, params: {recipient: a@example.com, message: m}}"
    text = f"name: plain\nsteps: [{step}]\n"
    compiled = compile_bytes("plain.yaml", text.encode(), CATALOG)
    assert compiled.workflow is not None
    made, _ = bench
    seen = run(made, "tell", "RecipientInvalid")
    tell = next(call for call in seen.calls if call.step == "tell")
    good = replace(seen, status=RunStatus.FAILED, calls=(replace(tell, at=0.0),))
    assert wrong(compiled.workflow, good) == []
    assert any(
        "should have ended" in each for each in wrong(compiled.workflow, replace(good, status=RunStatus.TIMED_OUT))
    )
    later = replace(good, calls=(replace(tell, at=3.0),))
    assert any("should have been" in each for each in wrong(compiled.workflow, later))
