"""Workflows that run workflows, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stepsmith.cli.main import main

CHILD = """
name: child
input: {n: {type: integer}}
steps:
  - switch:
      - if: "{{ input.n > 5 }}"
        steps: [{fail: {error: TooBig, cause: "n is {{ input.n }}"}}]
  - action: log_false_positive
    params: {file_path: x, reason: "{{ env.STAGE }}"}
output: {double: "{{ input.n * 2 }}"}
"""
PARENT = """
name: parent
input: {n: {type: integer}}
steps:
  - id: c
    workflow: child
    params: {n: "{{ input.n }}"}
  - id: d
    workflow: child
    wait: false
    params: {n: 1}
output: {r: "{{ steps.c.output.double }}"}
"""


@pytest.fixture(autouse=True)
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "child.yaml").write_text(CHILD)
    (tmp_path / "workflows" / "parent.yaml").write_text(PARENT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STAGE", "test stage")


def test_a_childs_steps_stand_under_the_parents(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "parent", "-p", "n=3", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["output"] == {"r": 6}
    assert [step["path"] for step in result["steps"]] == ["c", "c.switch", "c.log_false_positive", "d"]

    assert main(["runs", "--json"]) == 0
    runs = json.loads(capsys.readouterr().out)
    runs = runs if isinstance(runs, list) else runs["runs"]
    assert sorted((run["workflow"], run["status"]) for run in runs) == [
        ("child", "succeeded"),
        ("child", "succeeded"),
        ("parent", "succeeded"),
    ]
    parent = next(run["run_id"] for run in runs if run["workflow"] == "parent")
    assert main(["show", parent, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"][1]["path"] == "c.switch"


def test_a_failed_childs_error_is_the_parents(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "parent", "-p", "n=9", "--json"]) == 1
    result = json.loads(capsys.readouterr().out)
    assert result["error"]["type"] == "TooBig"
    assert result["error"]["message"] == "n is 9"
    assert result["steps"][0]["error"]["type"] == "TooBig"
    assert result["steps"][-1]["path"] == "c.fail"
    assert result["steps"][-1]["status"] == "failed"


def test_checks_see_the_other_workflows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    Path("workflows/child.yaml").write_text(CHILD.replace("double", "treble"))
    assert main(["check"]) == 1
    assert "unknown-property" in capsys.readouterr().out


REHEARSAL = """
workflow: parent
input: {n: 4}
mocks:
  child.log_false_positive: {return: {record_id: r-1}}
expect:
  status: succeeded
  output: {r: 8}
  steps:
    - {id: c, path: c, output: {double: 8}}
    - {path: c.log_false_positive, output: {record_id: r-1}}
"""


def rehearse(case: str, text: str) -> int:
    folder = Path("workflows/rehearsals")
    folder.mkdir(exist_ok=True)
    (folder / f"parent.{case}.yaml").write_text(text)
    return main(["test"])


def test_a_rehearsal_runs_the_workflows_of_its_steps_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert rehearse("four", REHEARSAL) == 0, capsys.readouterr()
    failing = REHEARSAL.partition("expect:")[0].replace("{n: 4}", "{n: 7}") + "expect: {error: {type: TooBig}}\n"
    assert rehearse("seven", failing) == 0, capsys.readouterr()


def test_a_mocked_step_of_a_child_must_be_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert rehearse("wrong", REHEARSAL.replace("child.log_false_positive:", "child.log_false:")) == 1
    said = capsys.readouterr()
    assert 'did you mean "child.log_false_positive"?' in said.out + said.err


def test_mocks_of_a_run_reach_the_steps_of_children(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mocks.yaml").write_text("child.log_false_positive: {raise: AwsRefused, message: not now}\n")
    assert main(["run", "parent", "-p", "n=4", "--mock", "mocks.yaml", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["type"] == "AwsRefused"


def test_a_rehearsal_whose_child_does_not_compile_shows_why(capsys: pytest.CaptureFixture[str]) -> None:
    Path("workflows/child.yaml").write_text(CHILD.replace("log_false_positive", "log_nothing"))
    assert rehearse("four", REHEARSAL) == 1
    said = capsys.readouterr()
    assert "log_nothing" in said.out + said.err
