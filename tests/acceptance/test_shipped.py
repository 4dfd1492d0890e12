"""Workflows that ship with Stepsmith, as the rows describe them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from stepsmith.diagnostics import Diagnostics
from stepsmith.document import Json, plain
from stepsmith.loading import load_document, read_source
from stepsmith.pipeline import Compilation, compile_bytes
from stepsmith.project import Project
from stepsmith.rehearsals.coverage import coverage
from stepsmith.rehearsals.model import Outcome, Verdict
from stepsmith.rehearsals.running import Rehearser
from stepsmith_functions.history.records import RunRecord, RunStatus
from tests.acceptance.conftest import ROOT, Called, Desk
from tests.support.process import process_as_before

WORKFLOWS = sorted(path.stem for path in (ROOT / "workflows").glob("*.yaml"))
PROJECT = Project(ROOT)
CATALOG = PROJECT.catalog()


def as_written(path: Path) -> Compilation:
    return compile_bytes(path.name, path.read_bytes(), CATALOG)


def without_rollback(path: Path) -> Compilation:
    """The workflow with nothing in it that undoes anything."""
    diagnostics = Diagnostics()
    source = read_source(path.name, path.read_bytes(), diagnostics)
    assert source is not None
    document = load_document(source, diagnostics)
    assert document is not None
    return compile_bytes(path.name, json.dumps(stripped(plain(document.root))).encode(), CATALOG)


def stripped(value: Json) -> Json:
    if isinstance(value, list):
        return [stripped(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: "fail" if item == "rollback" and key in ("on_failure", "then") else stripped(item)
        for key, item in value.items()
        if key != "rollback"
    }


def rehearsed(name: str, compile_: Callable[[Path], Compilation]) -> dict[str, Verdict]:
    """How each rehearsal of the workflow ended."""
    rehearser = Rehearser(PROJECT, CATALOG, compile_)
    files = sorted((ROOT / "workflows" / "rehearsals").glob(f"{name}.*.yaml"))
    with process_as_before():
        return {file.name: rehearser.rehearse(file) for file in files}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_rehearsals_reach_everything_and_a_rollback_costs_a_run_that_succeeds_nothing(name: str) -> None:
    verdicts = rehearsed(name, as_written)
    assert {file: verdict.outcome for file, verdict in verdicts.items()} == dict.fromkeys(verdicts, Outcome.PASSED)
    (covered,) = coverage(verdicts.values(), CATALOG)
    assert covered.gaps == ()

    plainer = rehearsed(name, without_rollback)
    happy = {file for file, verdict in verdicts.items() if run_of(verdict).status is RunStatus.SUCCEEDED}
    assert happy
    for file in happy:
        assert run_of(verdicts[file]).transitions == run_of(plainer[file]).transitions


def run_of(verdict: Verdict) -> RunRecord:
    assert verdict.report is not None
    return verdict.report.run


@pytest.fixture
def shipped(new_desk: Desk) -> Desk:
    """A project with the workflows that ship."""
    for file in (ROOT / "workflows").glob("*.yaml"):
        shutil.copy(file, new_desk.root / "workflows")
    return new_desk


def scan(desk: Desk, mock: str) -> Called:
    mocks = desk.write("mocks.yaml", f"scan: {mock}\nreport: {{return: {{report_uri: s3://b/r, format: html}}}}\n")
    return desk.call("run", "basic-scan-and-report", "-p", "target=10.0.0.9", "--mock", str(mocks), "--json")


@pytest.mark.row("S0-083")
def test_basic_scan_and_report(shipped: Desk) -> None:
    found = "{return: {open_ports: [{host: 10.0.0.9, port: 22, banner: ssh}], hosts: [10.0.0.9]}}"
    nothing = "{return: {open_ports: [], hosts: []}}"
    broken = "{raise: ScanIncomplete, message: cut off}"

    opened = scan(shipped, f"[{broken}, {broken}, {found}]").json
    assert [(step["id"], step["status"], step["attempts"]) for step in opened["steps"]] == [
        ("scan", "succeeded", 3),
        ("report", "succeeded", 1),
    ]
    assert opened["output"] == {"hosts": ["10.0.0.9"], "open_ports": 1, "report_uri": "s3://b/r"}
    closed = scan(shipped, nothing).json
    assert [(step["id"], step["status"]) for step in closed["steps"]] == [("scan", "succeeded"), ("report", "skipped")]
    gone = scan(shipped, broken)
    assert (gone.status, gone.json["steps"][0]["attempts"], gone.json["error"]["type"]) == (1, 3, "ScanIncomplete")
    in_time = scan(shipped, found.replace("}}", "}, after: 599s}")).json
    assert (in_time["status"], in_time["elapsed_s"]) == ("succeeded", 599)
    late = scan(shipped, found.replace("}}", "}, after: 601s}")).json
    assert (late["steps"][0]["error"]["type"], late["steps"][0]["attempts"]) == ("States.Timeout", 3)
    assert late["elapsed_s"] >= 3 * 600


def test_critical_threat_response_takes_no_file_away_that_nobody_is_told_of(shipped: Desk) -> None:
    file = shipped.write("uploads/invoice.exe", "malicious")
    mocks = shipped.write("mocks.yaml", "tell: {raise: DeliveryFailed, message: the mail server is down}\n")
    called = shipped.call("run", "critical-threat-response", "-p", f"file_path={file}", "--mock", str(mocks), "--json")
    result = called.json
    assert (called.status, result["status"], result["error"]["type"]) == (1, "rolled_back", "DeliveryFailed")
    assert [step["path"] for step in result["steps"] if step["status"] == "rolled_back"] == ["quarantine"]
    assert file.read_text() == "malicious"


@pytest.mark.row("S4-064")
def test_scheduled_maintenance(shipped: Desk) -> None:
    """With the real actions: the rules are renewed, a harmless test file is found, the report is kept and mailed."""
    shipped.write("uploads/sample.txt", f"STEPSMITH-{'HARMLESS'}-SCAN-TEST-FILE")
    shipped.write("uploads/letter.txt", "Dear all")
    called = shipped.call("run", "scheduled-maintenance", "-p", "path=uploads", "--json")
    assert called.status == 0, called.err
    output, steps = called.json["output"], {step["id"]: step for step in called.json["steps"]}
    assert list(steps) == ["update", "scan", "report", "tell"]
    assert (output["updated"], output["files_scanned"], output["threats_found"]) == (True, 2, 1)
    assert output["rules_version"] == steps["update"]["output"]["version"]
    assert steps["tell"]["output"]["channel"] == "email"
    report = shipped.root / ".stepsmith" / "s3" / output["report_uri"].removeprefix("s3://")
    assert "sample.txt" in report.read_text()

    mocks = shipped.write("mocks.yaml", "update: {raise: HttpUnreachable, message: nobody there}\n")
    without = shipped.call("run", "scheduled-maintenance", "-p", "path=uploads", "--mock", str(mocks), "--json").json
    update = without["steps"][0]
    assert (without["status"], update["status"], update["attempts"]) == ("succeeded", "failed", 4)
    assert without["output"]["threats_found"] == 1


@pytest.mark.row("S4-065")
def test_false_positive_handling(shipped: Desk) -> None:
    """With the real actions: the file is back, an exclusion and a record are kept, and the team is told."""
    file = shipped.write("tools/admin.exe", "harmless")
    held = shipped.run("name: hold\nsteps: [{action: quarantine_file, params: {file_path: tools/admin.exe}}]\n")
    assert not file.exists()
    identity = held.step("quarantine_file")["output"]["quarantine_id"]
    given = json.dumps({"quarantine_id": identity, "reason": "our own tool"})
    called = shipped.call("run", "false-positive-handling", "--input", given, "--json")
    assert called.status == 0, called.err
    steps = {step["id"]: step for step in called.json["steps"]}
    assert file.read_text() == "harmless"
    assert Path(called.json["output"]["file_path"]) == file
    assert steps["exclude"]["output"]["exclusion_id"] == called.json["output"]["exclusion_id"]
    assert steps["record"]["output"]["record_id"] == called.json["output"]["record_id"]
    assert (steps["tell"]["status"], steps["tell"]["output"]["channel"]) == ("succeeded", "email")


def test_ransomware_containment_is_undone_after_a_false_alarm_and_stays_after_an_attack(shipped: Desk) -> None:
    """On an instance of the emulated EC2, and on real files."""
    shipped.write("share/letter.txt", "Dear all")
    given = {"finding": "f-1", "instance_id": "i-0123456789abcdef0", "process_id": 4242, "path": "share"}
    alarm = shipped.call("run", "ransomware-containment", "--input", json.dumps(given), "--json")
    steps = {step["path"]: step for step in alarm.json["steps"]}
    assert (alarm.status, alarm.json["status"], alarm.json["error"]["type"]) == (1, "rolled_back", "NotConfirmed")
    assert [path for path in steps if path.endswith(".rollback")] == [
        "contain.network.interfaces[0].move.rollback",
        "contain.network.fence.rollback",
        "contain.evidence.snapshots[0].snapshot.rollback",
    ]
    assert {step["status"] for path, step in steps.items() if path.endswith(".rollback")} == {"succeeded"}
    assert [step["status"] for step in steps.values() if step["id"] in ("all_clear", "report")] == ["succeeded"] * 2

    locked = shipped.write("share/letter.txt.locked", f"STEPSMITH-{'HARMLESS'}-SCAN-TEST-FILE")
    attack = shipped.call("run", "ransomware-containment", "--input", json.dumps(given), "--json").json
    assert attack["status"] == "succeeded"
    assert attack["output"]["threats_found"] == len(attack["output"]["quarantined"]) == 1
    assert len(attack["output"]["snapshots"]) == 1
    assert not locked.exists()


@pytest.mark.row("S0-084", "S1-001")
def test_phishing_analysis(shipped: Desk) -> None:
    """With real attachments; where there is no mail gateway, people are told and what was done is undone."""
    event = json.loads((ROOT / "events" / "runs" / "phishing-analysis.json").read_text())
    shipped.write("mail/letter.txt", "Dear all")
    event["attachments"] = ["mail/letter.txt"]
    asked = shipped.call("run", "phishing-analysis", "--input", json.dumps(event), "--json")
    assert asked.status == 0, asked.err
    assert asked.json["output"] == {"verdict": "suspicious", "bad_links": 0, "threats": 0, "unknown": 1}

    infected = shipped.write("mail/invoice.txt", f"STEPSMITH-{'HARMLESS'}-SCAN-TEST-FILE")
    event["attachments"] = ["mail"]
    alone = shipped.call("run", "phishing-analysis", "--input", json.dumps(event), "--json").json
    steps = {step["id"]: step for step in alone["steps"]}
    assert (alone["status"], alone["error"]["step"]) == ("rolled_back", "block")
    assert (steps["seize"]["status"], steps["not_taken_away"]["status"]) == ("rolled_back", "succeeded")
    assert infected.exists()

    mocks = shipped.write("mocks.yaml", "block: {return: {status_code: 204}}\nwithdraw: {return: {status_code: 204}}\n")
    handled = shipped.call(
        "run", "phishing-analysis", "--input", json.dumps(event), "--mock", str(mocks), "--json"
    ).json
    assert (handled["status"], handled["output"]["verdict"]) == ("succeeded", "malicious")
    assert not infected.exists()


@pytest.mark.row("S4-124")
def test_every_workflow_runs_on_its_event(shipped: Desk) -> None:
    """As the README has it: critical-threat-response first, whose file false-positive-handling puts back."""
    events = sorted((ROOT / "events" / "runs").glob("*.json"))
    assert [event.stem for event in events] == WORKFLOWS
    assert len(WORKFLOWS) >= 5
    (shipped.root / "functions").unlink()  # a link, which no action follows
    shutil.copytree(ROOT / "functions", shipped.root / "functions", ignore=shutil.ignore_patterns("__pycache__"))
    first = next(event for event in events if event.stem == "critical-threat-response")
    shipped.write(json.loads(first.read_text())["file_path"], "A harmless stand-in for a malicious file.\n")
    held = ""
    for event in (first, *(each for each in events if each is not first)):
        more = ["-p", f"quarantine_id={held}"] if event.stem == "false-positive-handling" else []
        called = shipped.call("run", event.stem, "--input", str(event), *more, "--json")
        assert (event.stem, called.json["status"]) == (event.stem, "succeeded"), called.err
        if event is first:
            held = next(step for step in called.json["steps"] if step["id"] == "quarantine")["output"]["quarantine_id"]
