"""A compiled workflow run on this machine, and what is kept of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

import pytest

from stepsmith.catalog import ActionCatalog, ActionSignature
from stepsmith.document import Json
from stepsmith.local.mocks import Mock, Mocks
from stepsmith.local.program import Program
from stepsmith.local.runner import Progress, RunOptions, message_of, run_workflow
from stepsmith.project import Project
from stepsmith_functions.history.local import LocalRunStore
from stepsmith_functions.history.result import result_of
from tests.local.machines import machine

START = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def task(step: str, params: Json, line: int, **more: Json) -> dict[str, Json]:
    """An action step as the compiler lowers it."""
    run: dict[str, Json] = {"id": "{% $states.context.Execution.Name %}", "workflow": "greeting", "version": "2.0.0"}
    told: dict[str, Json] = {
        "id": step,
        "path": step,
        "line": line,
        "action": "greet",
        "attempt": "{% $states.context.State.RetryCount %}",
    }
    return {
        "Type": "Task",
        "Resource": "arn:${Partition}:states:::lambda:invoke",
        "Arguments": {"FunctionName": "${GreetFunction}", "Payload": {"params": params, "run": run, "step": told}},
        "Output": "{% $states.result.Payload %}",
        **more,
    }


def program(states: Mapping[str, Json], origins: Mapping[str, Json], **more: Json) -> Program:
    return Program("greeting", machine(states, **more), {"version": 1, "states": dict(origins)}, "2.0.0")


def step_origin(step: str, line: int) -> dict[str, Json]:
    return {"step": step, "path": step, "line": line, "column": 3, "role": "step", "action": "greet"}


GREETING = program(
    {"hello": task("hello", {"who": "{% $states.input.who %}"}, 4), "pause": {"Type": "Wait", "Seconds": 86400}},
    {"hello": step_origin("hello", 4), "pause": {"step": "pause", "path": "pause", "line": 7, "role": "step"}},
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    package = tmp_path / "functions" / f"greetings_{abs(hash(str(tmp_path)))}"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    source = """
        import os

        class NobodyThere(Exception):
            pass

        def handler(event, context):
            who = event["params"]["who"]
            print("greeting", who)
            if who == "nobody":
                raise NobodyThere("there is nobody")
            return {"text": f"hello {who}", "mood": os.environ["MOOD"], "attempt": event["step"]["attempt"]}
    """
    (package / "greet.py").write_text(dedent(source))
    template = f"""
        Resources:
          Bucket: {{Type: AWS::S3::Bucket}}
          GreetFunction:
            Type: AWS::Serverless::Function
            Properties:
              CodeUri: functions/
              Handler: {package.name}.greet.handler
              Environment: {{Variables: {{MOOD: !Sub "${{Bucket}}"}}}}
    """
    (tmp_path / "template.yaml").write_text(dedent(template))
    return Project(tmp_path)


def started(**more: object) -> RunOptions:
    return RunOptions(started_at=START, run_id="run-1", **more)  # type: ignore[arg-type]


@pytest.mark.row("S2-098")
def test_a_run_succeeds_and_is_kept(project: Project) -> None:
    report = run_workflow(GREETING, {"who": "you"}, project, ActionCatalog(), started())
    kept = result_of(LocalRunStore(project.history), "run-1")
    assert json.loads(json.dumps(kept)) == report.result
    assert report.result == {
        "run_id": "run-1",
        "workflow": "greeting",
        "version": "2.0.0",
        "status": "succeeded",
        "output": {"text": "hello you", "mood": "local-bucket", "attempt": 0},
        "error": None,
        "started_at": "2026-05-04T12:00:00.000Z",
        "ended_at": "2026-05-05T12:00:00.000Z",
        "elapsed_s": 86400.0,
        "transitions": 2,
        "steps": [
            {
                "id": "hello",
                "path": "hello",
                "status": "succeeded",
                "attempts": 1,
                "output": {"text": "hello you", "mood": "local-bucket", "attempt": 0},
                "error": None,
                "started_at": "2026-05-04T12:00:00.000Z",
                "ended_at": "2026-05-04T12:00:00.000Z",
                "line": 4,
            },
            {
                "id": "pause",
                "path": "pause",
                "status": "succeeded",
                "attempts": 1,
                "output": None,
                "error": None,
                "started_at": "2026-05-04T12:00:00.000Z",
                "ended_at": "2026-05-05T12:00:00.000Z",
                "line": 7,
            },
        ],
    }
    assert report.log == "greeting you\n"
    assert report.steps[0].params == {"who": "you"}


def test_a_failure_names_its_step_and_line(project: Project) -> None:
    report = run_workflow(GREETING, {"who": "nobody"}, project, ActionCatalog(), started())
    assert report.result["status"] == "failed"
    assert report.result["output"] is None
    assert report.result["error"] == {
        "type": "NobodyThere",
        "message": "there is nobody",
        "step": "hello",
        "line": 4,
    }
    assert report.failure is not None
    assert report.failure.state == "hello"


def test_a_failed_expression_tells_its_field(project: Project) -> None:
    report = run_workflow(GREETING, {"other": 1}, project, ActionCatalog(), started())
    assert report.run.error is not None
    assert report.run.error.type == "States.QueryEvaluationError"
    assert report.failure is not None
    assert report.failure.field == "Arguments/Payload/params/who"
    assert report.failure.expression == "$states.input.who"


def test_ctrl_c_cancels_the_run_and_keeps_it(project: Project) -> None:
    pressed: list[bool] = []

    def interrupt(progress: Progress) -> None:
        if not pressed and len(progress.steps()) == 2:
            pressed.append(True)
            raise KeyboardInterrupt

    waits = program(
        {"one": {"Type": "Wait", "Seconds": 5}, "two": {"Type": "Wait", "Seconds": 5}},
        {name: {"step": name, "path": name, "line": 1, "role": "step"} for name in ("one", "two")},
    )
    report = run_workflow(waits, {}, project, ActionCatalog(), started(progress=interrupt))
    assert report.result["status"] == "cancelled"
    assert result_of(LocalRunStore(project.history), "run-1")["status"] == "cancelled"
    assert [step.status for step in report.steps][-1] == "cancelled"


def test_a_machine_that_runs_out_of_time(project: Project) -> None:
    slow = program({"pause": {"Type": "Wait", "Seconds": 100}}, {}, TimeoutSeconds=60)
    report = run_workflow(slow, {}, project, ActionCatalog(), started())
    assert report.run.status == "timed_out"
    assert report.run.error is not None
    assert report.run.error.message == "the run took longer than its timeout of 60 seconds"
    assert report.result["elapsed_s"] == 60


def test_a_run_that_waits_for_nobody_ends(project: Project) -> None:
    asks = program(
        {
            "ask": {
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
                "Arguments": {
                    "FunctionName": "${GreetFunction}",
                    "Payload": {"params": {"who": "{% $states.context.Task.Token %}"}, "step": {"attempt": 0}},
                },
            }
        },
        {"ask": step_origin("ask", 3)},
    )
    report = run_workflow(asks, {}, project, ActionCatalog(), started())
    assert report.run.status == "failed"
    assert report.run.error is not None
    assert report.run.error.type == "NothingAnswers"


def test_mocks_stand_in_by_step_or_by_action_and_take_virtual_time(project: Project) -> None:
    retries: Json = [{"ErrorEquals": ["NobodyThere"], "IntervalSeconds": 10, "MaxAttempts": 2, "BackoffRate": 2}]
    two = program(
        {
            "first": task("first", {"who": "a"}, 2, Retry=retries),
            "second": task("second", {"who": "{% $states.input.text %}"}, 5),
        },
        {"first": step_origin("first", 2), "second": step_origin("second", 5)},
    )
    mocks = Mocks(
        {
            "first": (Mock(error="NobodyThere", message="gone", after=1), Mock(value={"text": "mocked"}, after=5)),
            "greet": (Mock(value={"text": "by action"}),),
        }
    )
    report = run_workflow(two, {}, project, ActionCatalog(), started(mocks=mocks))
    assert report.result["elapsed_s"] == 1 + 10 + 5
    assert report.result["output"] == {"text": "by action"}
    assert [(step.step_id, step.attempts) for step in report.steps] == [("first", 2), ("second", 1)]
    assert report.steps[1].params == {"who": "mocked"}
    assert report.log == ""


def test_in_virtual_time_a_back_off_lasts_its_whole_delay(project: Project) -> None:
    retries: Json = [
        {"ErrorEquals": ["NobodyThere"], "IntervalSeconds": 10, "MaxAttempts": 3, "JitterStrategy": "FULL"}
    ]
    one = program({"first": task("first", {"who": "a"}, 2, Retry=retries)}, {"first": step_origin("first", 2)})
    mocks = Mocks({"first": (Mock(error="NobodyThere"),)})
    report = run_workflow(one, {}, project, ActionCatalog(), started(mocks=mocks))
    assert report.result["elapsed_s"] == 10 + 20 + 40


def test_a_run_that_is_not_kept_leaves_nothing_behind(project: Project) -> None:
    report = run_workflow(GREETING, {"who": "you"}, project, ActionCatalog(), started(keep=False))
    assert report.run.status.value == "succeeded"
    assert not (project.root / ".stepsmith").exists()


def test_an_action_that_the_template_lacks_runs_from_the_catalogue(project: Project) -> None:
    (project.root / "template.yaml").unlink()
    (package,) = (project.root / "functions").iterdir()
    greet = ActionSignature(
        name="greet",
        summary="",
        handler=f"{package.name}.greet.handler",
        params={},
        result={},
        environment={"MOOD": "${AWS::Region}"},
    )
    project.__dict__["functions_folder"] = project.root / "functions"
    report = run_workflow(GREETING, {"who": "you"}, project, ActionCatalog([greet]), started())
    assert report.result["output"] == {"text": "hello you", "mood": "us-east-1", "attempt": 0}


def test_progress_shows_the_steps_so_far(project: Project) -> None:
    seen: list[list[tuple[str, str]]] = []

    def look(progress: Progress) -> None:
        if progress.step_changed:
            seen.append([(step.step_id, step.status.value) for step in progress.steps()])

    run_workflow(GREETING, {"who": "you"}, project, ActionCatalog(), started(progress=look))
    assert [("hello", "running")] in seen
    assert [("hello", "succeeded"), ("pause", "waiting")] in seen
    assert seen[-1] == [("hello", "succeeded"), ("pause", "succeeded")]


def test_a_history_that_cannot_be_written_does_not_fail_the_run(project: Project) -> None:
    (project.root / ".stepsmith").write_text("a file where the folder should be")
    report = run_workflow(GREETING, {"who": "you"}, project, ActionCatalog(), started())
    assert report.run.status == "succeeded"
    assert report.history_problem is not None


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        (None, ""),
        ("plain text", "plain text"),
        ('{"errorMessage": "no file", "errorType": "FileMissing"}', "no file"),
        ('{"Error": "FileMissing", "Cause": "{\\"errorMessage\\": \\"in the child\\"}"}', "in the child"),
        ("{not json", "{not json"),
    ],
)
def test_the_message_in_a_cause(cause: str | None, message: str) -> None:
    assert message_of(cause) == message
