"""`check`, `compile`, `build` and `actions` in a small project."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stepsmith.project import Project
from tests.cli.conftest import GREETING, Call

WRONG = """\
name: wrong
steps:
  - id: one
    action: greeet
    params: {who: you}
  - id: two
    action: greet
    params: {whom: you}
"""


@pytest.fixture
def wrong(project: Project) -> Path:
    path = project.workflows_folder / "wrong.yaml"
    path.write_text(WRONG)
    return path


def test_check_says_that_all_is_well(project: Project, call: Call) -> None:
    called = call("check")
    assert (called.status, called.err) == (0, "")
    assert called.out.endswith(" 1 workflow, no problems\n")


def test_check_reports_every_problem_of_every_file(wrong: Path, call: Call) -> None:
    called = call("check")
    assert called.status == 1
    assert "workflows/wrong.yaml:4:13: error:" in called.out
    assert 'did you mean "greet"?' in called.out
    assert "workflows/wrong.yaml:8:" in called.out


def test_check_takes_files_and_folders(wrong: Path, call: Call) -> None:
    assert call("check", "workflows/greeting.yaml").status == 0
    assert call("check", "workflows").status == 1
    assert call("check", ".").status == 1
    missing = call("check", "workflows/nothing.yaml")
    assert (missing.status, missing.out) == (2, "")
    assert "workflows/nothing.yaml cannot be opened" in missing.err


def test_check_takes_names(wrong: Path, call: Call) -> None:
    assert call("check", "greeting").status == 0
    misspelt = call("check", "greetin")
    assert misspelt.status == 2
    assert 'did you mean "greeting"?' in misspelt.err


def test_check_as_json_has_the_agreed_fields(wrong: Path, call: Call) -> None:
    called = call("check", "--format", "json")
    problems = json.loads(called.out)
    assert called.status == 1
    fields = {"file", "line", "column", "end_line", "end_column", "severity", "slug", "message", "help"}
    assert all(set(problem) == fields for problem in problems)
    assert {problem["file"] for problem in problems} == {"workflows/wrong.yaml"}


def test_check_as_json_without_problems_is_an_empty_list(project: Project, call: Call) -> None:
    called = call("check", "--format", "json")
    assert (called.status, json.loads(called.out)) == (0, [])


@pytest.mark.parametrize(("data", "status"), [(b"\xff\xfe\x00", 1), (b"a: [1\n", 1), (b"", 1)])
def test_what_is_no_workflow_at_all(project: Project, call: Call, data: bytes, status: int) -> None:
    (project.workflows_folder / "odd.yaml").write_bytes(data)
    called = call("check", "workflows/odd.yaml")
    assert called.status == status
    assert "workflows/odd.yaml:" in called.out


def test_a_project_without_workflows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    monkeypatch.chdir(tmp_path)
    called = call("check")
    assert called.status == 2
    assert "there is no workflow in workflows" in called.err


def test_compile_prints_the_definition_and_nothing_else(project: Project, call: Call) -> None:
    called = call("compile", "greeting")
    assert (called.status, called.err) == (0, "")
    assert "hello" in json.loads(called.out)["States"]
    assert call("compile", "workflows/greeting.yaml").out == called.out
    assert call("compile", "greeting.yaml").out == called.out


def test_compile_writes_to_a_file(project: Project, call: Call) -> None:
    printed = call("compile", "greeting").out
    called = call("compile", "greeting", "-o", "out.json")
    assert (called.status, called.out) == (0, "")
    assert Path("out.json").read_text() == printed
    assert call("compile", "greeting", "-o", "no/such/folder/out.json").status == 2


def test_compile_keeps_problems_off_standard_output(wrong: Path, call: Call) -> None:
    called = call("compile", "wrong")
    assert (called.status, called.out) == (1, "")
    assert "workflows/wrong.yaml:4:13: error:" in called.err


def test_compile_of_an_unknown_workflow_suggests_one(project: Project, call: Call) -> None:
    called = call("compile", "greting")
    assert called.status == 2
    assert 'did you mean "greeting"?' in called.err


# --- build ----------------------------------------------------------------------------------------------------------


def test_build_writes_what_follows_and_then_nothing_more(project: Project, call: Call) -> None:
    first = call("build")
    assert first.status == 0, first.err
    assert first.lines == [
        "unchanged  functions/catalog.json",
        "written    workflows/workflow.schema.json",
        "written    workflows/asl/greeting.asl.json",
        "written    workflows/asl/greeting.map.json",
        "written    template.yaml",
    ]
    template = project.template.read_text()
    assert "  # Mine, by hand.\n  AlertsTopic:\n" in template
    assert "GreetFunction:" in template
    assert json.loads((project.asl_folder / "greeting.map.json").read_text())["states"]["hello"]["line"] == 8
    again = call("build")
    assert (again.status, {line.split()[0] for line in again.lines}) == (0, {"unchanged"})
    assert project.template.read_text() == template


def test_build_check_shows_the_difference_and_writes_nothing(project: Project, call: Call) -> None:
    call("build")
    path = project.workflows_folder / "greeting.yaml"
    path.write_text(GREETING.replace("id: again", "id: once_more"))
    before = {file: file.read_bytes() for file in project.root.rglob("*.json")}
    called = call("build", "--check")
    assert called.status == 1
    assert "--- workflows/asl/greeting.asl.json" in called.out
    assert '+    "once_more": {' in called.out
    assert "out of date: workflows/asl/greeting.asl.json" in called.err
    assert {file: file.read_bytes() for file in project.root.rglob("*.json")} == before
    call("build")
    assert call("build", "--check").status == 0


def test_build_removes_what_a_deleted_workflow_left(project: Project, call: Call) -> None:
    other = project.workflows_folder / "other.yaml"
    other.write_text(GREETING.replace("name: greeting", "name: other"))
    call("build")
    assert "OtherMachine:" in project.template.read_text()
    other.unlink()
    called = call("build")
    assert "removed    workflows/asl/other.asl.json" in called.lines
    assert not (project.asl_folder / "other.asl.json").exists()
    assert "OtherMachine:" not in project.template.read_text()


def test_build_outside_a_project_and_without_a_template(
    project: Project, call: Call, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.template.unlink()
    called = call("build")
    assert called.status == 0
    assert "no template.yaml" in called.err
    assert "written    workflows/asl/greeting.asl.json" in called.lines
    monkeypatch.chdir(tmp_path_factory.mktemp("empty"))
    nowhere = call("build")
    assert nowhere.status == 2
    assert "there is no project here" in nowhere.err


def test_build_with_errors_writes_nothing(wrong: Path, project: Project, call: Call) -> None:
    template = project.template.read_text()
    called = call("build")
    assert (called.status, called.out) == (1, "")
    assert "workflows/wrong.yaml:4:13: error:" in called.err
    assert "nothing was written" in called.err
    assert project.template.read_text() == template
    assert not project.asl_folder.exists()


# --- actions --------------------------------------------------------------------------------------------------------


def test_actions_lists_and_explains(project: Project, call: Call) -> None:
    listed = call("actions")
    assert listed.status == 0
    assert listed.lines[1].split(maxsplit=2) == ["greet", "write", "Greets somebody"]
    explained = call("actions", "greet").out
    for text in ("It writes the greeting to a file.", "who", "length", "NobodyThere", "- action: greet", 'who: "you"'):
        assert text in explained


def test_actions_as_json(project: Project, call: Call) -> None:
    (action,) = json.loads(call("actions", "--json").out)
    assert action == json.loads(call("actions", "greet", "--json").out)
    assert action["params"]["properties"]["who"]["type"] == "string"
    assert "NobodyThere" in [error["name"] for error in action["errors"]]


def test_an_unknown_action_gets_a_suggestion(project: Project, call: Call) -> None:
    called = call("actions", "gret")
    assert called.status == 2
    assert 'did you mean "greet"?' in called.err
