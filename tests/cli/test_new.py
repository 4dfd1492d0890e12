"""`stepsmith new`: what it writes checks and runs at once, and nothing is overwritten."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stepsmith.editor.workflow_schema import workflow_schema
from stepsmith.project import Project
from tests.cli.conftest import ROOT, Call
from tests.editor.test_workflow_schema import refusals


@pytest.fixture
def own_functions(project: Project) -> Project:
    """The project with functions that a test may add to."""
    shared = Path("functions").resolve()
    Path("functions").unlink()
    shutil.copytree(shared, "functions", ignore=shutil.ignore_patterns("__pycache__"))
    return Project(project.root)


@pytest.fixture
def with_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty project with the shipped actions."""
    (tmp_path / "template.yaml").write_text((ROOT / "template.yaml").read_text())
    os.symlink(ROOT / "functions", tmp_path / "functions")
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


@pytest.mark.parametrize("fixture", ["project", "with_reports"])
def test_a_new_workflow_checks_runs_and_passes_its_rehearsal(
    fixture: str, request: pytest.FixtureRequest, call: Call
) -> None:
    project: Project = request.getfixturevalue(fixture)
    called = call("new", "workflow", "isolate-host")
    assert (called.status, called.err) == (0, "")
    assert called.lines[:4] == [
        "written  workflows/isolate-host.yaml",
        "written  workflows/rehearsals/isolate-host.happy-path.yaml",
        "",
        "next:",
    ]
    checked = call("check", "workflows/isolate-host.yaml")
    assert checked.status == 0
    assert "no problems" in checked.out
    for severity, title in (("high", "HIGH: a strange login"), ("low", "LOW: a strange login")):
        ran = json.loads(
            call("run", "isolate-host", "-p", "subject=a strange login", "-p", f"severity={severity}", "--json").out
        )
        assert ran["status"] == "succeeded"
        assert ran["output"]["title"] == title
        assert [step["status"] for step in ran["steps"] if step["status"] == "failed"] == []
    tested = call("test", "isolate-host")
    assert tested.status == 0, tested.out
    text = (project.workflows_folder / "isolate-host.yaml").read_text()
    assert ("generate_report" in text) == (fixture == "with_reports")
    assert refusals(text, workflow_schema(project.catalog())) == []


def test_a_new_action_is_known_tested_and_run(own_functions: Project, call: Call) -> None:
    called = call("new", "action", "isolate_host")
    assert (called.status, called.err) == (0, "")
    assert called.lines == [
        "written  functions/stepsmith_functions/actions/isolate_host.py",
        "written  events/actions/isolate_host.json",
        "written  tests/functions/actions/test_isolate_host.py",
        "",
        "next:",
        "  python -m pytest tests/functions/actions/test_isolate_host.py",
        "  stepsmith build",
        "  stepsmith actions isolate_host",
        "  sam local invoke IsolateHostFunction --event events/actions/isolate_host.json",
    ]
    explained = call("actions", "isolate_host")
    assert explained.status == 0
    assert "IsolateHostRefused" in explained.out
    (own_functions.workflows_folder / "greeting.yaml").write_text(
        "name: greeting\nsteps: [{id: a, action: isolate_host, params: {target: x}}]\n"
        'output: "{{ steps.a.output.target }}"\n'
    )
    ran = json.loads(call("run", "greeting", "--json").out)
    assert (ran["status"], ran["output"]) == ("succeeded", "x")
    assert call("build").status == 0
    assert "IsolateHostFunction:" in own_functions.template.read_text()
    tests = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "tests/functions/actions/test_isolate_host.py",
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": "functions"},
    )
    assert tests.returncode == 0, tests.stdout
    assert "2 passed" in tests.stdout


def test_what_is_written_follows_the_style_of_the_project(own_functions: Project, call: Call) -> None:
    call("new", "action", "isolate_host")
    for path in (
        "functions/stepsmith_functions/actions/isolate_host.py",
        "tests/functions/actions/test_isolate_host.py",
    ):
        for command in (["check"], ["format", "--check"]):
            ruff = [
                sys.executable,
                "-m",
                "ruff",
                *command,
                "--no-cache",
                "--config",
                str(ROOT / "pyproject.toml"),
                path,
            ]
            done = subprocess.run(ruff, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout


def test_nothing_is_overwritten(own_functions: Project, call: Call) -> None:
    assert call("new", "workflow", "isolate-host").status == 0
    before = {path: path.read_bytes() for path in Path().rglob("*.yaml")}
    called = call("new", "workflow", "isolate-host")
    assert called.status == 2
    assert 'workflows/isolate-host.yaml is called "isolate-host" already' in called.err
    (own_functions.workflows_folder / "isolate-host.yaml").unlink()
    called = call("new", "workflow", "isolate-host")
    assert called.status == 2
    assert "workflows/rehearsals/isolate-host.happy-path.yaml is there already" in called.err
    assert not (own_functions.workflows_folder / "isolate-host.yaml").exists()
    (own_functions.workflows_folder / "isolate-host.yaml").write_bytes(before[Path("workflows/isolate-host.yaml")])
    called = call("new", "workflow", "greeting")
    assert called.status == 2
    called = call("new", "action", "greet")
    assert called.status == 2
    assert "actions/greet.py is there already" in called.err
    assert not Path("events").exists()
    assert {path: path.read_bytes() for path in Path().rglob("*.yaml")} == before


@pytest.mark.parametrize(
    ("kind", "name", "help_"),
    [
        ("workflow", "Isolate Host", "write isolate-host"),
        ("workflow", "isolateHost", "write isolate-host"),
        ("workflow", "isolate_host", "write isolate-host"),
        ("workflow", "1st", "begin with a letter"),
        ("workflow", "../evil", "write evil"),
        ("action", "isolate-host", "write isolate_host"),
        ("action", "IsolateHost", "write isolate_host"),
        ("action", "import", "write import_something"),
        ("action", "a" * 41, "at most 40 characters"),
        ("thing", "x", "invalid choice"),
    ],
)
def test_a_bad_name_exits_2_with_a_better_one(project: Project, call: Call, kind: str, name: str, help_: str) -> None:
    called = call("new", kind, name)
    assert (called.status, called.out) == (2, "")
    assert help_ in called.err


def test_an_action_needs_functions_of_the_project(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    called = call("new", "action", "isolate_host")
    assert called.status == 2
    assert "this project has no functions of its own" in called.err
