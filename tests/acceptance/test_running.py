"""From a file to the end of its run: order, input, data between steps, result."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from datetime import datetime
from pathlib import Path
from textwrap import dedent

import pytest

from stepsmith.local.runner import RunOptions, run_workflow
from stepsmith.pipeline import compile_bytes
from stepsmith.project import Project
from stepsmith_functions.history.local import LocalRunStore
from stepsmith_functions.history.result import result_of
from tests.acceptance.conftest import ROOT, Desk, Ran

ASSESSMENT = """
    name: assessment
    description: Looks at a folder of uploads and notes what is in it.
    version: 1.2.0
    input:
      path: {type: string}
      reason: {type: string, default: routine}
    steps:
      - id: scan
        action: custom_scan
        params: {scan_path: "{{ input.path }}"}
      - id: first
        action: note
        params: {text: "{{ input.reason }}: {{ steps.scan.output.files_scanned }} files"}
      - id: second
        if: "{{ steps.scan.output.threats_found > 5 }}"
        action: note
        params: {text: many}
      - id: third
        action: note
        params: {text: "{{ steps.first.output.text }} in {{ run.workflow }}, {{ steps.second.status }}"}
    output:
      files: "{{ steps.scan.output.files_scanned }}"
      notes: ["{{ steps.first.output.text }}", "{{ steps.third.output.length }}"]
"""


@pytest.fixture(scope="module")
def assessed(desk: Desk) -> Ran:
    """A run of `assessment` on a folder of three files, one of them a threat."""
    for name, text in (("a", "threat"), ("b", "fine"), ("c", "fine")):
        desk.write(f"uploads/{name}.txt", text)
    return desk.run(ASSESSMENT, {"path": "uploads"})


@pytest.mark.row("S0-001", "S0-040", "S0-050", "S1-007", "S2-096", "S2-099", "S4-001")
def test_an_assessment_is_checked_run_and_followed_to_its_end(assessed: Ran, desk: Desk) -> None:
    assert desk.problems(ASSESSMENT) == []
    assert (assessed.exit_status, assessed.status) == (0, "succeeded")
    assert assessed.result["output"] == {"files": 3, "notes": ["routine: 3 files", 39]}
    assert desk.call("show", assessed.result["run_id"], "--json").json == assessed.result
    assert (desk.root / "uploads" / "a.txt").exists()


@pytest.mark.row("S0-006", "S0-019", "S4-094", "S4-095", "S4-093")
def test_steps_run_in_the_order_in_which_they_are_written(new_desk: Desk) -> None:
    written = [f"{number} of 6" for number in (3, 1, 2, 6, 5, 4)]
    steps = "".join(f"      - {{action: note, params: {{text: {text}}}}}\n" for text in written)
    ran = new_desk.run(f"    name: ordered\n    steps:\n{steps}")
    assert new_desk.journal == written
    assert ran.paths == ["note", "note_2", "note_3", "note_4", "note_5", "note_6"]
    starts = [step["started_at"] for step in ran.steps]
    assert starts == sorted(starts)
    assert (ran.status, ran.exit_status) == ("succeeded", 0)

    one = new_desk.run("name: single\nsteps: [{action: note, params: {text: alone}}]\n")
    assert (one.status, one.paths, new_desk.journal[-1]) == ("succeeded", ["note"], "alone")


@pytest.mark.row("S0-028", "S1-008")
def test_the_document_settles_which_step_follows_and_what_it_gets(desk: Desk, assessed: Ran) -> None:
    states = desk.definition(ASSESSMENT)["States"]
    assert states["scan"]["Next"] == "first"
    assert states["first"]["Next"] == "second.if"
    assert states["second"]["Next"] == "third"
    assert states["third"]["End"] is True
    assert assessed.step("third")["output"]["text"] == "routine: 3 files in assessment, skipped"


@pytest.mark.row("S0-004", "S4-069", "S4-105", "S3-006", "S4-008")
def test_workflows_of_the_project_are_found_by_their_names(new_desk: Desk) -> None:
    """Also the one that ships, in the folder of this repository itself."""
    new_desk.workflow("name: one\nsteps: [{action: note, params: {text: one}}]\n")
    new_desk.write("workflows/file.yaml", "name: two\nsteps: [{action: note, params: {text: two}}]\n")
    for name in ("one", "two"):
        assert new_desk.call("run", name, "--json").json["workflow"] == name
    assert new_desk.journal == ["one", "two"]
    shipped = Desk(ROOT).call("compile", "critical-threat-response")
    assert shipped.status == 0
    assert shipped.json["Comment"] == "Contain a malicious file, end its process, tell people."
    assert "quarantine" in shipped.json["States"]


@pytest.mark.row("S3-011")
def test_a_workflow_that_does_not_exist_is_named(desk: Desk) -> None:
    called = desk.call("run", "asessment")
    assert called.status == 2
    assert 'no workflow is named "asessment"' in called.err


@pytest.mark.row("S0-003", "S4-104")
def test_a_workflow_is_read_from_yaml_or_from_json(desk: Desk) -> None:
    document = {
        "name": "in-json",
        "input": {"n": {"type": "integer"}},
        "steps": [{"id": "keep", "action": "note", "params": {"text": "{{ input.n | string }}"}}],
        "output": {"length": "{{ steps.keep.output.length }}"},
    }
    desk.write("workflows/in-json.json", json.dumps(document, indent=2))
    desk.write(
        "workflows/in-yaml.yaml",
        """
        name: in-yaml
        input: {n: {type: integer}}
        steps:
          - {id: keep, action: note, params: {text: "{{ input.n | string }}"}}
        output: {length: "{{ steps.keep.output.length }}"}
        """,
    )
    outputs = []
    for file in ("workflows/in-json.json", "workflows/in-yaml.yaml"):
        called = desk.call("run", file, "-p", "n=1234", "--json")
        assert called.status == 0
        outputs.append(called.json["output"])
    assert outputs == [{"length": 4}, {"length": 4}]


@pytest.mark.row("S0-005", "S0-033", "S0-036", "S0-013", "S4-076")
def test_each_start_makes_a_run_with_data_of_its_own(desk: Desk) -> None:
    counting = """
        name: counting
        input: {by: {type: integer}}
        steps:
          - set: {total: "{{ input.by }}"}
          - repeat:
              until: "{{ vars.total >= 10 }}"
              steps:
                - set: {total: "{{ vars.total + input.by }}"}
                - action: note
                  params: {text: "{{ vars.total | string }}"}
        output: {total: "{{ vars.total }}"}
    """
    first, second, again = (desk.run(counting, {"by": by}) for by in (5, 4, 5))
    assert len({str(uuid.UUID(ran.result["run_id"])) for ran in (first, second, again)}) == 3
    assert [ran.result["output"]["total"] for ran in (first, second, again)] == [10, 12, 10]
    assert [desk.call("show", ran.result["run_id"], "--json").json for ran in (first, second)] == [
        first.result,
        second.result,
    ]


@pytest.mark.row("S0-034", "S0-035", "S3-027", "S4-036", "S4-040", "S1-106", "S1-107")
def test_when_a_run_began_and_ended_and_how_long_it_took(desk: Desk) -> None:
    ran = desk.run("name: sleepy\nsteps: [{action: slow, params: {seconds: 90}}, {wait: 1h}]\n")
    kept = desk.call("show", ran.result["run_id"], "--json").json
    began, ended = (datetime.fromisoformat(kept[key]) for key in ("started_at", "ended_at"))
    assert (ended - began).total_seconds() == 3690
    assert kept["elapsed_s"] == 3690
    (listed,) = desk.call("runs", "--workflow", "sleepy", "--json").json
    assert (listed["started_at"], listed["ended_at"]) == (kept["started_at"], kept["ended_at"])
    assert "1h 01m" in desk.call("runs", "--workflow", "sleepy").out


@pytest.mark.row("S4-027", "S4-131")
def test_when_each_step_began_and_ended(desk: Desk) -> None:
    ran = desk.run(
        """
        name: timed
        steps:
          - {id: short, action: slow, params: {seconds: 5}}
          - {id: long, action: slow, params: {seconds: 60}}
        """
    )
    kept = desk.call("show", ran.result["run_id"], "--json").json["steps"]
    took = {
        step["id"]: (
            datetime.fromisoformat(step["ended_at"]) - datetime.fromisoformat(step["started_at"])
        ).total_seconds()
        for step in kept
    }
    assert took == {"short": 5, "long": 60}
    assert kept[1]["started_at"] == kept[0]["ended_at"]
    shown = desk.call("show", ran.result["run_id"]).out.splitlines()
    assert any("short" in line and "5" in line for line in shown)
    assert any("long" in line and "1m" in line for line in shown)


@pytest.mark.row("S0-011", "S0-020", "S0-022", "S4-111", "S1-045", "S1-083", "S3-022", "S1-082", "S4-013")
def test_steps_call_actions_with_params_that_read_input_and_earlier_steps(assessed: Ran, desk: Desk) -> None:
    assert assessed.step("scan")["output"] == {"threats_found": 1, "files_scanned": 3}
    assert assessed.step("first")["output"] == {"text": "routine: 3 files", "length": 16}
    store = LocalRunStore(desk.root / ".stepsmith" / "history.db")
    detailed = result_of(store, assessed.result["run_id"], details=True)
    assert [(step["action"], step["params"]) for step in detailed["steps"] if step["status"] == "succeeded"] == [
        ("custom_scan", {"scan_path": "uploads"}),
        ("note", {"text": "routine: 3 files"}),
        ("note", {"text": "routine: 3 files in assessment, skipped"}),
    ]
    assert "routine: 3 files" in desk.journal


@pytest.mark.row("S0-029")
def test_input_that_breaks_the_schema_is_refused(desk: Desk) -> None:
    strict = """
        name: strict
        input:
          path: {type: string, minLength: 2}
          depth: {type: integer, minimum: 1, maximum: 9, default: 1}
          kind: {type: string, enum: [quick, full], required: false}
        steps: [{action: note, params: {text: "{{ input.path }}"}}]
    """
    name = desk.workflow(strict)
    for given, said in (
        ({}, "path is missing"),
        ({"path": "x"}, "path"),
        ({"path": 7}, "path must be string, not integer"),
        ({"path": "xy", "depth": 10}, "depth must be at most 9"),
        ({"path": "xy", "kind": "slow"}, "kind"),
        ({"path": "xy", "dept": 2}, 'dept is not known; did you mean "depth"?'),
    ):
        called = desk.call("run", name, "--input", json.dumps(given))
        assert (called.status, called.out) == (2, ""), given
        assert said in called.err
    assert desk.call("run", name, "-p", "path=xy", "-p", "depth=9", "-p", "kind=full").status == 0

    program, project, catalog = desk.program(strict)
    report = run_workflow(program, {"path": "xy", "depth": 10}, project, catalog)
    assert report.result["status"] == "failed"
    assert report.result["error"]["type"] == "InputInvalid"
    assert report.result["steps"] == []


@pytest.mark.row("S0-030")
def test_a_workflow_declares_the_shape_of_its_output(desk: Desk) -> None:
    inner = """
        name: shaped
        input: {n: {type: integer}}
        steps: [{id: keep, action: note, params: {text: "{{ input.n | string }}"}}]
        output: {n: "{{ input.n }}", nested: {text: "{{ steps.keep.output.text }}", list: [1, "{{ input.n * 2 }}"]}}
    """
    assert desk.run(inner, {"n": 4}).result["output"] == {"n": 4, "nested": {"text": "4", "list": [1, 8]}}
    outer = """
        name: reads-shape
        steps: [{id: child, workflow: shaped, params: {n: 2}}]
        output: {right: "{{ steps.child.output.nested.text }}", wrong: "{{ steps.child.output.nested.txt }}"}
    """
    (problem,) = [each for each in desk.problems(outer) if each["severity"] == "error"]
    assert (problem["slug"], problem["line"]) == ("unknown-property", 3)
    assert '"txt"' in problem["message"]
    (desk.root / "workflows" / "reads-shape.yaml").unlink()
    assert desk.run("name: silent\nsteps: [{wait: 1}]\n").result["output"] is None


@pytest.mark.row("S0-047", "S4-083", "S4-086", "S3-013", "S3-012", "S3-033")
def test_a_python_program_runs_a_workflow(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    program, project, catalog = desk.program(ASSESSMENT)
    given = {"path": "uploads", "reason": "program"}
    report = run_workflow(program, given, project, catalog)
    assert given == {"path": "uploads", "reason": "program"}
    assert (report.result["status"], report.result["workflow"]) == ("succeeded", "assessment")
    assert report.result["output"] == {"files": 3, "notes": ["program: 3 files", 39]}
    assert json.loads(json.dumps(report.result)) == report.result
    assert capsys.readouterr() == ("", "")


@pytest.mark.row("S4-037")
def test_one_call_turns_yaml_into_a_workflow_object(desk: Desk) -> None:
    catalog = Project(desk.root).catalog()
    workflow = compile_bytes("a.yaml", dedent(ASSESSMENT).encode(), catalog).workflow
    assert workflow is not None
    assert (workflow.name, workflow.version) == ("assessment", "1.2.0")
    assert [step.id for step in workflow.steps] == ["scan", "first", "second", "third"]
    assert workflow.description == "Looks at a folder of uploads and notes what is in it."


@pytest.mark.row("S3-001")
def test_a_run_is_the_same_whoever_starts_it(desk: Desk, assessed: Ran) -> None:
    program, project, catalog = desk.program(ASSESSMENT)
    report = run_workflow(program, {"path": "uploads"}, project, catalog, RunOptions(working_folder=desk.root))
    for own in ("status", "output", "error", "transitions", "version"):
        assert report.result[own] == assessed.result[own]
    for mine, theirs in zip(report.result["steps"], assessed.steps, strict=True):
        for own in ("id", "path", "status", "attempts", "output", "error", "line"):
            assert mine[own] == theirs[own]


@pytest.mark.row("S1-084", "S1-046")
def test_a_run_knows_itself_and_the_moment(desk: Desk) -> None:
    ran = desk.run(
        """
        name: reflective
        steps:
          - set: {count: 1}
          - {id: before, action: note, params: {text: "{{ vars.count | string }}"}}
          - set: {count: "{{ vars.count + 1 }}"}
          - {id: after, action: note, params: {text: "{{ vars.count | string }}"}}
        output: {id: "{{ run.id }}", workflow: "{{ run.workflow }}", started: "{{ run.started_at }}"}
        """
    )
    assert (ran.step("before")["output"]["text"], ran.step("after")["output"]["text"]) == ("1", "2")
    assert ran.result["output"]["id"] == ran.result["run_id"]
    assert ran.result["output"]["workflow"] == "reflective"
    assert ran.result["output"]["started"] == ran.result["started_at"]


@pytest.mark.row("S1-089", "S0-077")
def test_what_is_set_at_deployment_can_be_read(new_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    text = """
        name: placed
        steps: [{id: keep, action: note, params: {text: "in {{ env.REGION_OF_WORK }}"}}]
        output: {text: "{{ steps.keep.output.text }}"}
    """
    monkeypatch.setenv("REGION_OF_WORK", "eu-north-1")
    assert new_desk.run(text).result["output"] == {"text": "in eu-north-1"}
    monkeypatch.delenv("REGION_OF_WORK")
    template = new_desk.root / "template.yaml"
    parameter = "Parameters:\n  EnvRegionOfWork: {Type: String, Default: us-west-2}\n"
    template.write_text(template.read_text().replace("Parameters:\n", parameter, 1))
    assert new_desk.run(text).result["output"] == {"text": "in us-west-2"}
    assert new_desk.call("build").status == 0
    assert "EnvRegionOfWork: !Ref EnvRegionOfWork" in template.read_text()


@pytest.mark.row("S4-011", "S1-010", "S4-106")
def test_the_history_outlives_the_process(new_desk: Desk) -> None:
    ran = new_desk.run("name: kept\nsteps: [{action: note, params: {text: kept}}]\n")
    command = [sys.executable, "-m", "stepsmith.cli.main", "show", "latest", "--json"]
    paths = f"{ROOT / 'compiler'}:{ROOT / 'functions'}"
    shown = subprocess.run(
        command, cwd=new_desk.root, env={"PYTHONPATH": paths}, capture_output=True, text=True, check=True
    )
    assert json.loads(shown.stdout) == ran.result
    assert Path(new_desk.root, ".stepsmith", "history.db").exists()
    assert [run["run_id"] for run in new_desk.call("runs", "--json").json] == [ran.result["run_id"]]
