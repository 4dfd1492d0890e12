"""Shipped actions in runs: real files, real scripts, real HTTP, emulated AWS."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import ROOT, Desk


class Hook(BaseHTTPRequestHandler):
    """Remembers what is posted to it, and answers 200."""

    received: list[tuple[str, Any]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.received.append((self.path, json.loads(body)))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"seen": true}')

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing."""


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """The address of a server on this machine, and what it receives."""
    monkeypatch.setenv("ALLOW_PRIVATE_ADDRESSES", "true")
    received: list[tuple[str, Any]] = []
    server = HTTPServer(("127.0.0.1", 0), type("Here", (Hook,), {"received": received}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.row("S4-063")
def test_critical_threat_response_does_all_that_it_says(
    new_desk: Desk, hook: tuple[str, list[tuple[str, Any]]]
) -> None:
    url, received = hook
    new_desk.write("workflows/critical-threat-response.yaml", SHIPPED.read_text())
    bad = new_desk.write("inbox/invoice.pdf.exe", "malicious")
    given = {"file_path": "inbox/invoice.pdf.exe", "process_id": 4242, "severity": "critical", "webhook_url": url}
    called = new_desk.call("run", "critical-threat-response", "--input", json.dumps(given), "--json")
    assert called.status == 0, called.err
    result = called.json
    steps = {step["id"]: step for step in result["steps"]}
    assert [steps[name]["status"] for name in ("quarantine", "kill", "report", "tell", "alert")] == ["succeeded"] * 5
    assert not bad.exists()
    assert Path(steps["quarantine"]["output"]["quarantine_path"]).read_text() == "malicious"
    assert steps["kill"]["output"] == {"killed": True, "process_id": 4242}
    assert steps["tell"]["output"]["channel"] == "email"
    (path, posted), *_ = received
    assert (path, posted["event"], posted["severity"]) == ("/", "threat-contained", "critical")
    assert posted["quarantine_id"] == result["output"]["quarantine_id"]
    (report,) = (new_desk.root / ".stepsmith" / "s3").rglob("*.html")
    assert "CRITICAL" in report.read_text()

    new_desk.write("inbox/other.exe", "malicious too")
    without = new_desk.call("run", "critical-threat-response", "-p", "file_path=inbox/other.exe", "--json").json
    assert {step["id"] for step in without["steps"] if step["status"] == "skipped"} == {"kill", "alert"}
    assert (without["status"], without["output"]["killed"]) == ("succeeded", False)
    assert len(received) == 1


SHIPPED = ROOT / "workflows" / "critical-threat-response.yaml"


@pytest.mark.row("S4-126")
def test_scripts_webhooks_and_notifications_connect_outside_tools(
    new_desk: Desk, hook: tuple[str, list[tuple[str, Any]]]
) -> None:
    url, received = hook
    ran = new_desk.run(
        """
        name: connected
        input: {url: {type: string}}
        steps:
          - {id: script, action: run_script, params: {script: show.sh, args: [from the script]}}
          - id: post
            action: call_webhook
            params: {url: "{{ input.url }}/hooks/a", payload: {text: "{{ steps.script.output.stdout }}"}}
          - id: tell
            action: send_notification
            params: {recipient: secops@example.com, message: "answer {{ steps.post.output.status_code }}"}
          - id: chat
            action: send_notification
            params: {recipient: "slack:{{ input.url }}/slack", message: done}
        """,
        {"url": url},
    )
    assert ran.status == "succeeded", ran.result["error"]
    assert received[0] == ("/hooks/a", {"text": "from the script"})
    assert received[1][0] == "/slack"
    assert "done" in json.dumps(received[1][1])
    assert ran.step("post")["output"]["body"] == {"seen": True}
    assert [ran.step(step)["output"]["channel"] for step in ("tell", "chat")] == ["email", "slack"]


@pytest.mark.row("S0-067")
def test_a_report_is_made_on_another_steps_output(new_desk: Desk) -> None:
    ran = new_desk.run(
        """
        name: scanned
        steps:
          - {id: scan, action: network_scan, params: {target: 10.0.0.9, scan_type: basic}}
          - id: report
            action: generate_report
            params: {report_type: summary, format: json, data: "{{ steps.scan.output }}"}
        """,
        {},
        "scan: {return: {open_ports: [{host: 10.0.0.9, port: 22, banner: ssh}], hosts: [10.0.0.9]}}",
    )
    uri = ran.step("report")["output"]["report_uri"]
    (file,) = (new_desk.root / ".stepsmith" / "s3").rglob("*.json")
    assert uri.endswith(file.name)
    written = json.loads(file.read_text())
    assert written["report"]["type"] == "summary"
    assert written["data"]["open_ports"] == [{"host": "10.0.0.9", "port": 22, "banner": "ssh"}]


@pytest.mark.row("S0-065")
def test_actions_share_one_framework_and_run_apart_from_the_engine(desk: Desk) -> None:
    """Each has its contract and its Lambda function; the machine only names that function."""
    listed = desk.call("actions", "--json").json
    template = (desk.root / "template.yaml").read_text()
    for action in listed:
        assert action["handler"] == f"stepsmith_functions.actions.{action['name']}.handler"
        assert {"params", "result", "errors", "permissions", "timeout", "memory", "effect"} <= set(action)
    assert f"Handler: {listed[0]['handler']}" in template
    states = desk.definition("name: apart\nsteps: [{action: call_webhook, params: {url: 'https://a.example'}}]\n")[
        "States"
    ]
    assert states["call_webhook"]["Arguments"]["FunctionName"] == "${CallWebhookFunction}"
    engine = (ROOT / "compiler" / "stepsmith" / "engine").glob("*.py")
    assert not [file.name for file in engine if "stepsmith_functions" in file.read_text()]


@pytest.mark.row("S4-092")
def test_a_workflow_behaves_differently_as_the_situation_changes(new_desk: Desk) -> None:
    """How grave things are stands outside of all workflows; one that changes it changes what another does."""
    text = """
        name: raise-alert
        input: {level: {type: string}}
        steps:
          - aws: ssm:putParameter
            params: {Name: /security/level, Value: "{{ input.level }}", Type: String, Overwrite: true}
    """
    new_desk.workflow(text)
    answers = []
    for level in ("calm", "attack", "calm"):
        ran = new_desk.run(
            """
            name: react
            input: {level: {type: string}}
            steps:
              - {id: change, workflow: raise-alert, params: {level: "{{ input.level }}"}}
              - {id: now, aws: ssm:getParameter, params: {Name: /security/level}}
              - switch:
                  - if: "{{ steps.now.output.Parameter.Value == 'attack' }}"
                    steps: [{id: lock, action: note, params: {text: lock everything}}]
                  - else: [{id: watch, action: note, params: {text: watch}}]
            """,
            {"level": level},
        )
        assert ran.status == "succeeded", ran.result["error"]
        answers.append(ran.steps[-1]["id"])
    assert answers == ["watch", "lock", "watch"]
    assert new_desk.journal == ["watch", "lock everything", "watch"]
