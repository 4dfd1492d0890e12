"""`run`, `runs` and `show` in a small project: what is printed, what is kept, how they exit."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stepsmith.cli.failures import CommandError
from stepsmith.cli.runs import ago, since
from stepsmith.project import Project
from stepsmith_functions.history.local import LocalRunStore
from stepsmith_functions.history.records import RunRecord, RunStatus
from tests.cli.conftest import ROOT, Call, lines_with

RETRYING = """\
name: retrying
steps:
  - id: hello
    action: greet
    params: {who: you}
    retry: {max_retries: 2, delay: 10s, backoff: 2, jitter: none, on: [NobodyThere]}
"""
BROKEN = """\
name: broken
input:
  name: {type: string}
steps:
  - id: hello
    action: greet
    params:
      who: "{{ input.name | int }}"
"""


def test_a_run_shows_its_steps_its_end_and_its_output(project: Project, call: Call) -> None:
    called = call("run", "greeting", "-p", "who=you")
    assert (called.status, called.err) == (0, "")
    title, hello, again = called.lines[:3]
    assert title == "greeting 2.0.0"
    assert hello.startswith(("  ✓ hello", "  + hello"))
    assert '{"text": "hello you", "length": 9}' in hello
    assert again.split()[1:] == ["again", "skipped"]
    assert lines_with("succeeded", called.lines)
    assert '  "text": "hello you"' in called.lines
    assert Path("greeting.txt").read_text() == "hello you"


def test_run_as_json_is_the_agreed_result(project: Project, call: Call) -> None:
    called = call("run", "greeting", "--input", '{"who": "you", "times": 2}', "--json")
    result = json.loads(called.out)
    assert called.status == 0
    assert set(result) == {
        *("run_id", "workflow", "version", "status", "output", "error"),
        *("started_at", "ended_at", "elapsed_s", "transitions", "steps"),
    }
    assert (result["workflow"], result["version"], result["status"]) == ("greeting", "2.0.0", "succeeded")
    assert result["output"] == {"text": "hello you"}
    assert [(step["id"], step["status"], step["line"]) for step in result["steps"]] == [
        ("hello", "succeeded", 8),
        ("again", "succeeded", 11),
    ]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", result["started_at"])


def test_the_input_comes_from_a_file_a_text_or_standard_input(
    project: Project, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("in.json").write_text('{"who": "file"}')
    Path("in.yaml").write_text("who: yaml\n")
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"who": "stdin"}'))
    greeted = []
    for source in ("in.json", "in.yaml", '{"who": "text"}', "-"):
        greeted.append(json.loads(call("run", "greeting", "--input", source, "--json").out)["output"]["text"])
    assert greeted == ["hello file", "hello yaml", "hello text", "hello stdin"]
    both = call("run", "greeting", "--input", "in.json", "-p", "who=7", "--json")
    assert json.loads(both.out)["output"]["text"] == "hello 7"


def test_an_input_that_the_schema_refuses_names_each_property(project: Project, call: Call) -> None:
    called = call("run", "greeting", "-p", "times=0", "-p", "wo=you", "-p", "polite=maybe")
    assert (called.status, called.out) == (2, "")
    assert called.err.splitlines() == [
        "stepsmith: greeting refuses this input:",
        '  wo is not known; did you mean "who"?',
        "  who is missing",
        "  times must be at least 1",
        "  polite must be boolean, not string",
        "  it needs who, it may have polite, times",
    ]
    assert call("runs").out.startswith("no runs yet")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--input", "nothing.json"), "nothing.json cannot be opened"),
        (("--input", "{nonsense"), "--input is no JSON"),
        (("--input", '{"who": NaN}'), "NaN is no number of JSON"),
        (("-p", "who=" + "x" * 262_144), "bytes, and an execution takes 262,144"),
        (("-p", "who"), "-p who: write -p name=value"),
        (("--input", "[1]"), "the input must be an object"),
        (("--input", "[1]", "-p", "who=you"), "-p sets properties, but the input is no object"),
        (("-p", "who=you", "--mock", "nothing.yaml"), "nothing.yaml cannot be opened"),
    ],
)
def test_a_wrong_call_of_run_exits_2(project: Project, call: Call, argv: tuple[str, ...], message: str) -> None:
    called = call("run", "greeting", *argv)
    assert called.status == 2
    assert message in called.err


def test_a_workflow_with_errors_does_not_run(project: Project, call: Call) -> None:
    (project.workflows_folder / "greeting.yaml").write_text("name: greeting\nsteps: [{action: nothing}]\n")
    called = call("run", "greeting", "-p", "who=you")
    assert (called.status, called.out) == (1, "")
    assert "workflows/greeting.yaml:2:" in called.err


def test_a_failed_run_points_at_its_line_with_the_params(project: Project, call: Call) -> None:
    called = call("run", "greeting", "-p", "who=nobody")
    assert called.status == 1
    assert lines_with("NobodyThere: nobody has that name", called.lines[1:2])
    at = 'workflows/greeting.yaml:8:3: error: step "hello" failed with NobodyThere: nobody has that name [run-failed]'
    assert at in called.lines
    assert "8 |   - id: hello" in called.lines
    assert '  = params: {"who": "nobody"}' in called.lines
    assert json.loads(call("show", "latest", "--json").out)["error"] == {
        "type": "NobodyThere",
        "message": "nobody has that name",
        "step": "hello",
        "line": 8,
    }


def test_a_failed_expression_is_shown_where_it_was_written(project: Project, call: Call) -> None:
    path = project.workflows_folder / "greeting.yaml"
    path.write_text(path.read_text().replace('who: "{{ input.who }}"', 'who: "{{ input.who ~ 1 // input.times }}"'))
    path.write_text(path.read_text().replace("minimum: 1", "minimum: 0"))
    called = call("run", "greeting", "-p", "who=you", "-p", "times=0")
    assert called.status == 1
    assert lines_with("States.QueryEvaluationError", called.lines)
    (place,) = lines_with("workflows/greeting.yaml:10:", called.lines)
    assert "[run-failed]" in place
    assert lines_with("= expression: ", called.lines)


def test_mocks_stand_in_and_virtual_time_passes(project: Project, call: Call) -> None:
    (project.workflows_folder / "retrying.yaml").write_text(RETRYING)
    Path("mocks.yaml").write_text(
        "hello:\n  - {raise: NobodyThere, message: gone}\n  - {return: {text: hi, length: 2}, after: 5s}\n"
    )
    called = call("run", "retrying", "--mock", "mocks.yaml", "--json")
    result = json.loads(called.out)
    assert (called.status, result["status"], result["elapsed_s"]) == (0, "succeeded", 15)
    assert result["steps"][0]["attempts"] == 2
    assert not Path("greeting.txt").exists()
    text = call("run", "retrying", "--mock", "mocks.yaml").out
    assert "2 attempts" in text
    assert "in 15 s of virtual time" in text


def test_a_mock_that_lies_is_a_problem(project: Project, call: Call) -> None:
    Path("mocks.yaml").write_text("hello: {return: {txt: hi}}\n")
    called = call("run", "greeting", "-p", "who=you", "--mock", "mocks.yaml")
    assert (called.status, called.out) == (1, "")
    assert "mocks.yaml:1:18: error: the result of greet: txt is not known [invalid-mock]" in called.err


def test_a_trace_shows_params_and_expressions(project: Project, call: Call) -> None:
    called = call("run", "greeting", "-p", "who=you", "--trace")
    assert '  hello params: {"who": "you"}' in called.lines
    assert lines_with("hello Arguments/Payload/params/who: ", called.lines)
    quiet = call("run", "greeting", "-p", "who=you", "--trace", "--json")
    assert json.loads(quiet.out)["status"] == "succeeded"
    assert "hello params:" in quiet.err


def test_waits_are_skipped_unless_time_is_real(project: Project, call: Call) -> None:
    (project.workflows_folder / "retrying.yaml").write_text(RETRYING.replace("delay: 10s", "delay: 1s"))
    Path("mocks.yaml").write_text("hello: [{raise: NobodyThere}, {return: {text: hi, length: 2}}]\n")
    call("run", "retrying", "--mock", "mocks.yaml")
    before = time.monotonic()
    result = json.loads(call("run", "retrying", "--mock", "mocks.yaml", "--real-time", "--json").out)
    assert time.monotonic() - before >= 1
    assert result["elapsed_s"] >= 1


def test_a_run_that_ran_out_of_time_says_so_after_its_finally(project: Project, call: Call) -> None:
    text = """\
name: slow
timeout: 1m
steps:
  - {id: hello, action: greet, params: {who: you}}
  - {id: more, action: greet, params: {who: me}}
finally:
  - {id: last, action: greet, params: {who: all}}
"""
    (project.workflows_folder / "slow.yaml").write_text(text)
    Path("mocks.yaml").write_text("more: {return: {text: hi, length: 2}, after: 2h}\n")
    called = call("run", "slow", "--mock", "mocks.yaml", "--json")
    result = json.loads(called.out)
    assert called.status == 1
    assert (result["status"], result["elapsed_s"], result["output"]) == ("timed_out", 60, None)
    assert result["error"] == {
        "type": "States.Timeout",
        "message": "the run took longer than its timeout of 60 seconds",
        "step": "more",
        "line": 5,
    }
    statuses = [(step["id"], step["status"]) for step in result["steps"]]
    assert statuses == [("hello", "succeeded"), ("more", "failed"), ("last", "succeeded")]
    assert json.loads(call("show", result["run_id"], "--json").out)["error"] == result["error"]
    assert result["run_id"][:8] in call("runs", "--status", "timed_out").out


def test_a_step_that_was_not_begun_for_want_of_time_says_so(project: Project, call: Call) -> None:
    text = """\
name: slow
timeout: 1m
steps:
  - id: t
    try: [{id: first, wait: 1s}]
    finally: [{id: hello, action: greet, params: {who: you}}]
  - {id: more, action: greet, params: {who: me}}
"""
    (project.workflows_folder / "slow.yaml").write_text(text)
    Path("mocks.yaml").write_text("hello: {return: {text: hi, length: 2}, after: 2h}\n")
    result = json.loads(call("run", "slow", "--mock", "mocks.yaml", "--json").out)
    assert result["status"] == "timed_out"
    late = {"type": "States.Timeout", "message": "the run took longer than its timeout of 60 seconds"}
    assert [(step["id"], step["error"]) for step in result["steps"] if step["status"] == "failed"] == [("more", late)]
    assert result["error"] == {**late, "step": "more", "line": 7}


# --- the history ----------------------------------------------------------------------------------------------------


@pytest.mark.row("S0-042", "S0-043")
def test_runs_and_show_find_what_was_run(project: Project, call: Call) -> None:
    first = json.loads(call("run", "greeting", "-p", "who=you", "--json").out)
    second = json.loads(call("run", "greeting", "-p", "who=nobody", "--json").out)
    listed = call("runs").lines
    assert listed[0].split() == ["RUN", "WORKFLOW", "STATUS", "STARTED", "TOOK", "ERROR"]
    assert [line.split()[0] for line in listed[1:]] == [second["run_id"][:8], first["run_id"][:8]]
    assert [run["status"] for run in json.loads(call("runs", "--json").out)] == ["failed", "succeeded"]
    assert json.loads(call("show", first["run_id"], "--json").out) == first
    assert json.loads(call("show", first["run_id"][:6], "--json").out) == first
    assert json.loads(call("show", "latest", "--json").out) == second
    shown = call("show", first["run_id"]).out
    assert '  input {"who": "you"}' in shown.splitlines()
    assert "hello you" in shown


def test_runs_can_be_chosen(project: Project, call: Call) -> None:
    for who in ("you", "nobody", "me"):
        call("run", "greeting", "-p", f"who={who}")
    assert len(json.loads(call("runs", "--json", "--status", "failed").out)) == 1
    assert len(json.loads(call("runs", "--json", "--workflow", "greeting", "--limit", "2").out)) == 2
    assert json.loads(call("runs", "--json", "--workflow", "other").out) == []
    assert len(json.loads(call("runs", "--json", "--since", "1h").out)) == 3
    assert json.loads(call("runs", "--json", "--since", "2999-01-01").out) == []
    assert call("runs", "--workflow", "other").out == "no such runs\n"
    assert "there are more" in call("runs", "--limit", "1").out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("show", "latest"), "there are no runs yet"),
        (("runs", "--since", "whenever"), "--since whenever is neither a duration nor a date"),
        (("runs", "--limit", "0"), "--limit is from 1 to 1000"),
        (("runs", "--status", "great"), "invalid choice"),
    ],
)
def test_wrong_questions_to_the_history(project: Project, call: Call, argv: tuple[str, ...], message: str) -> None:
    called = call(*argv)
    assert called.status == 2
    assert message in called.err


def test_the_beginning_of_an_id_must_be_of_one_run(project: Project, call: Call) -> None:
    store = LocalRunStore(project.history)
    for run_id in ("abc-1", "abd-2", "xyz-3"):
        store.put_run(RunRecord(run_id, "greeting", RunStatus.SUCCEEDED, datetime(2026, 5, 4, tzinfo=UTC)))
    assert 'no run begins with "zzz"' in call("show", "zzz").err
    assert json.loads(call("show", "x", "--json").out)["run_id"] == "xyz-3"
    called = call("show", "ab")
    assert called.status == 2
    assert '2 runs begin with "ab"' in called.err
    assert "abc-1" in called.err


def test_how_long_ago_and_since_when() -> None:
    now = datetime(2026, 5, 4, 12, tzinfo=UTC)
    moments = [datetime(2026, 5, 4, 11, 59, 30, tzinfo=UTC), datetime(2026, 5, 4, 11, 58, tzinfo=UTC)]
    moments += [datetime(2026, 5, 4, 9, tzinfo=UTC), datetime(2026, 5, 2, 12, tzinfo=UTC)]
    assert [ago(moment, now) for moment in moments] == ["just now", "2 minutes ago", "3 hours ago", "2 days ago"]
    assert ago(datetime(2025, 1, 1, tzinfo=UTC), now).startswith(("2025-01-01", "2024-12-31"))
    assert since("2h", now) == datetime(2026, 5, 4, 10, tzinfo=UTC)
    assert since("2026-05-04T10:00:00+00:00", now) == datetime(2026, 5, 4, 10, tzinfo=UTC)
    with pytest.raises(CommandError):
        since("soon", now)


@pytest.mark.row("S0-044", "S3-072", "S3-077")
def test_ctrl_c_cancels_the_run_records_it_and_exits_130(project: Project, call: Call) -> None:
    (project.workflows_folder / "retrying.yaml").write_text(RETRYING.replace("delay: 10s", "delay: 1h"))
    Path("mocks.yaml").write_text("hello: {raise: NobodyThere}\n")
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "stepsmith.cli.main",
            "run",
            "retrying",
            "--mock",
            "mocks.yaml",
            "--real-time",
            "--json",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PYTHONPATH": f"{ROOT / 'compiler'}:{ROOT / 'functions'}", "PATH": "/usr/bin"},
        text=True,
    )
    for _ in range(200):
        time.sleep(0.05)
        if json.loads(call("runs", "--json").out):
            break
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    result = json.loads(out)
    assert (result["status"], result["error"]["message"]) == ("cancelled", "stopped from the keyboard")
    assert "Traceback" not in err
    assert json.loads(call("runs", "--json").out)[0]["status"] == "cancelled"
