"""A run under way: what can be seen of it while it goes on, and many of them at once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stepsmith.local.aws import LocalAws
from stepsmith.local.machines import functions_of, substituted
from stepsmith.local.runner import Progress, RunOptions, run_workflow
from stepsmith.local.sam import read_template
from stepsmith_functions.history.local import LocalRunStore
from stepsmith_functions.history.records import RunRecord, StepRecord
from tests.acceptance.conftest import Desk

LINE = """
    name: in-line
    steps:
      - {id: first, action: note, params: {text: first}}
      - {id: second, action: unsteady, params: {fails: 1}, retry: {max_retries: 1, delay: 9s}}
      - {id: left-out, if: "{{ run.id == '' }}", action: note, params: {text: no}}
      - {id: third, action: slow, params: {seconds: 30}}
"""


@pytest.fixture(scope="module")
def seen(desk: Desk) -> list[tuple[RunRecord, list[StepRecord], list[str]]]:
    """At each moment since a run of `in-line` is on record: that record, the steps so far, the journal."""
    program, project, catalog = desk.program(LINE)
    store = LocalRunStore(project.history)
    found: list[tuple[RunRecord, list[StepRecord], list[str]]] = []

    def look(progress: Progress) -> None:
        if store.runs().items:
            found.append((store.run(progress.run_id), progress.steps(), desk.journal))

    report = run_workflow(program, {}, project, catalog, RunOptions(progress=look, run_id="watched"))
    assert report.result["status"] == "succeeded"
    return found


def test_the_record_is_stored_before_any_step_starts(
    seen: list[tuple[RunRecord, list[StepRecord], list[str]]], desk: Desk
) -> None:
    run, steps, journal = seen[0]
    assert (run.run_id, run.workflow) == ("watched", "in-line")
    assert ([step.status.value for step in steps], journal) == (["running"], [])
    assert desk.journal[:1] == ["first"]


@pytest.mark.row("S1-092", "S1-093", "S4-034", "S0-007")
def test_a_run_is_running_until_it_has_succeeded(
    seen: list[tuple[RunRecord, list[StepRecord], list[str]]], desk: Desk
) -> None:
    assert {run.status.value for run, _, _ in seen} == {"running"}
    assert seen[-1][0].ended_at is None
    assert desk.call("show", "watched", "--json").json["status"] == "succeeded"
    refused = desk.call("runs", "--status", "great")
    assert refused.status == 2
    for word in ("pending", "running", "cancelled", "succeeded", "failed", "timed_out"):
        assert f"'{word}'" in refused.err or word in refused.err


@pytest.mark.row("S1-009", "S1-013", "S4-024", "S4-035", "S1-085", "S0-038", "S4-090")
def test_each_step_shows_its_status_while_the_run_goes_on(
    seen: list[tuple[RunRecord, list[StepRecord], list[str]]],
) -> None:
    course: list[dict[str, str]] = []
    for _, steps, _ in seen:
        now = {step.step_id: step.status.value for step in steps}
        if not course or course[-1] != now:
            course.append(now)
    done = {"first": "succeeded", "second": "succeeded", "left-out": "skipped"}
    assert course[:2] == [{"first": "running"}, {"first": "succeeded"}]
    assert {"first": "succeeded", "second": "running"} in course
    assert course[-2:] == [{**done, "third": "running"}, {**done, "third": "succeeded"}]
    at_work = [next((step for step, status in now.items() if status == "running"), None) for now in course]
    assert list(dict.fromkeys(filter(None, at_work))) == ["first", "second", "third"]
    attempts = [step.attempts for _, steps, _ in seen for step in steps if step.step_id == "second"]
    assert sorted(set(attempts)) == [1, 2]


@pytest.mark.row("S1-011", "S4-002", "S1-041", "S0-072", "S0-049")
def test_starts_answer_at_once_and_runs_go_on_side_by_side(new_desk: Desk) -> None:
    """Thirty runs of a minute each, started through the API of Step Functions, are all over after that minute."""
    program, project, catalog = new_desk.program(
        """
        name: side-by-side
        input: {n: {type: integer}}
        steps:
          - {id: begin, action: note, params: {text: "begin {{ input.n }}"}}
          - {id: scan, action: slow, params: {seconds: 60}}
          - {id: end, action: note, params: {text: "end {{ input.n }}"}}
        """
    )
    template = read_template(project.template)
    functions = functions_of(template, project, catalog)
    with LocalAws(template, functions, new_desk.root) as aws:
        machine = aws.create_machine("side-by-side", substituted(program.definition, aws, functions))
        states: Any = aws.client("stepfunctions")
        arns = [
            states.start_execution(stateMachineArn=machine, input=json.dumps({"n": n}))["executionArn"]
            for n in range(30)
        ]
        before = aws.now()
        assert {states.describe_execution(executionArn=arn)["status"] for arn in arns} == {"RUNNING"}
        assert new_desk.journal == []
        aws.engine.run()
        ended = [states.describe_execution(executionArn=arn) for arn in arns]
        assert {execution["status"] for execution in ended} == {"SUCCEEDED"}
        assert (aws.now() - before).total_seconds() == 60
    assert len(set(arns)) == 30
    assert sorted(new_desk.journal[:30]) == sorted(f"begin {n}" for n in range(30))


@pytest.mark.row("S2-005")
def test_a_run_may_last_a_year_with_nothing_but_waiting(desk: Desk) -> None:
    text = (
        "name: patient\nsteps: [{action: note, params: {text: a}}, {wait: 364d}, {action: note, params: {text: b}}]\n"
    )
    ran = desk.run(text)
    assert (ran.status, ran.result["elapsed_s"]) == ("succeeded", 364 * 86_400)
    machine = desk.definition(text)
    assert machine["States"]["wait"] == {**machine["States"]["wait"], "Type": "Wait", "Seconds": 364 * 86_400}
    assert "TimeoutSeconds" not in machine
    assert [state["Type"] for state in machine["States"].values()] == ["Task", "Wait", "Task"]


@pytest.mark.row("S0-041")
def test_a_run_that_failed_goes_on_where_it_stopped(new_desk: Desk) -> None:
    """By a redrive, as Step Functions calls it: what had succeeded is not done again."""
    program, project, catalog = new_desk.program(
        """
        name: resumed
        steps:
          - {id: before, action: note, params: {text: before}}
          - {id: scan, action: custom_scan, params: {scan_path: late}}
          - {id: after, action: note, params: {text: "{{ steps.before.output.text }} and after"}}
        output: {scanned: "{{ steps.scan.output.files_scanned }}"}
        """
    )
    template = read_template(project.template)
    functions = functions_of(template, project, catalog)
    with LocalAws(template, functions, new_desk.root) as aws:
        states: Any = aws.client("stepfunctions")
        machine = aws.create_machine("resumed", substituted(program.definition, aws, functions))
        execution = aws.start_execution(machine, "{}", "run-1")
        aws.engine.run(until=execution)
        assert states.describe_execution(executionArn=execution.arn)["status"] == "FAILED"
        assert new_desk.journal == ["before"]
        new_desk.write("late/file", "x")
        states.redrive_execution(executionArn=execution.arn)
        aws.engine.run(until=execution)
        ended = states.describe_execution(executionArn=execution.arn)
    assert (ended["status"], json.loads(ended["output"]), ended["redriveCount"]) == ("SUCCEEDED", {"scanned": 1}, 1)
    assert new_desk.journal == ["before", "before and after"]
