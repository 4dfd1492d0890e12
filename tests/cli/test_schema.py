"""`stepsmith schema`, and the schema that `build` keeps."""

from __future__ import annotations

import json
from pathlib import Path

from stepsmith.project import Project
from tests.cli.conftest import Call


def test_the_schema_knows_the_actions_of_the_project(project: Project, call: Call) -> None:
    called = call("schema")
    assert (called.status, called.err) == (0, "")
    schema = json.loads(called.out)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(schema["$defs"]["greet_params"]["properties"]) == {"who"}
    assert call("schema", "-o", "x.json").out == ""
    assert Path("x.json").read_text() == called.out
    wrong = call("schema", "-o", "nowhere/x.json")
    assert wrong.status == 2
    assert "nowhere/x.json cannot be written" in wrong.err


def test_build_keeps_the_schema_beside_the_workflows(project: Project, call: Call) -> None:
    assert "written    workflows/workflow.schema.json" in call("build").lines
    path = project.workflows_folder / "workflow.schema.json"
    assert path.read_text() == call("schema").out
    path.write_text("{}\n")
    called = call("build", "--check")
    assert called.status == 1
    assert "out of date: workflows/workflow.schema.json" in called.err
    assert call("build").status == call("build", "--check").status == 0
