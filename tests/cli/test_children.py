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
