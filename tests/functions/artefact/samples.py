"""What each action's sample event needs, and what becomes of it.

A sample sets its scene up and returns the check of the result and of what happened in the world.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends

from stepsmith_functions.runtime import signing
from stepsmith_functions.runtime.register import Kind, TableRegister
from stepsmith_functions.runtime.scanning.definitions import POINTER
from tests.functions.artefact.scene import RULES, SENDER, UPLOADS, Scene
from tests.support.deployment import BUCKET, DOCUMENT, TABLE
from tests.support.emulated_aws import REGION

Check: TypeAlias = Callable[[Any], None]
Sample: TypeAlias = Callable[[Scene], Check]

SAMPLES: dict[str, Sample] = {}
INVOICE = "incoming/invoice.pdf.exe"
"""The object that the samples about one file name, in the bucket of uploads."""
BAD = b"-".join([b"STEPSMITH", b"HARMLESS", b"SCAN", b"TEST", b"FILE"])
"""What a rule that ships with the code finds."""


def sample(arrange: Sample) -> Sample:
    """Registers the sample of the action that the function is named after."""
    SAMPLES[arrange.__name__] = arrange
    return arrange


def _registered(scene: Scene, kind: Kind, identity: str) -> None:
    [entry] = TableRegister(scene.client("dynamodb"), TABLE).entries(kind)
    params = scene.sample({"exclusion": "add_exclusion", "false_positive": "log_false_positive"}[kind])["params"]
    assert (entry.identity(kind), entry.run_id) == (identity, "run-0001")
    assert (entry.sha256, entry.reason) == (params["sha256"], params["reason"])


@sample
def add_exclusion(scene: Scene) -> Check:
    return lambda result: _registered(scene, "exclusion", result["exclusion_id"])


@sample
def log_false_positive(scene: Scene) -> Check:
    return lambda result: _registered(scene, "false_positive", result["record_id"])


@sample
def call_webhook(scene: Scene) -> Check:
    scene.web.answer(200, {"accepted": True})

    def check(result: Any) -> None:
        assert (result["status_code"], result["body"]) == (200, {"accepted": True})
        [received] = scene.web.received
        assert (received.method, received.target) == ("POST", "/hooks/alerts")
        assert received.headers["host"] == "soc.example.com"
        assert json.loads(received.body) == {"severity": "high", "file": "/srv/x"}
        given = received.headers[signing.HEADER]
        moment = re.fullmatch(r"t=(\d+),v1=[0-9a-f]{64}", given)
        assert moment is not None
        assert given == signed("correct horse battery", int(moment[1]), received.body)

    return check


def signed(secret: str, seconds: int, body: bytes) -> str:
    digest = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"


@sample
def http_request(scene: Scene) -> Check:
    scene.web.answer(404, {"known": False})

    def check(result: Any) -> None:
        assert (result["status_code"], result["body"]) == (404, {"known": False})
        [received] = scene.web.received
        sha256 = scene.sample("http_request")["params"]["query"]["sha256"]
        assert (received.method, received.target) == ("GET", f"/v1/files?sha256={sha256}")
        assert received.headers["host"] == "intel.example.com"

    return check


@sample
def delete_file(scene: Scene) -> Check:
    scene.put(UPLOADS, INVOICE)
    scene.put(UPLOADS, "incoming/other")

    def check(result: Any) -> None:
        assert result == {"deleted": True}
        assert scene.keys(UPLOADS) == ["incoming/other"]

    return check


@sample
def quarantine_file(scene: Scene) -> Check:
    scene.put(UPLOADS, INVOICE)

    def check(result: Any) -> None:
        assert scene.keys(UPLOADS) == []
        assert (result["sha256"], result["size"]) == (hashlib.sha256(b"harmless").hexdigest(), 8)
        key = result["quarantine_path"].removeprefix(f"s3://{BUCKET}/")
        assert key.startswith("quarantine/")
        assert scene.read(key) == b"harmless"
        manifest = json.loads(scene.read(f"quarantine/{result['quarantine_id']}/manifest.json"))
        assert (manifest["origin"], manifest["run_id"]) == (f"s3://{UPLOADS}/{INVOICE}", "run-0001")

    return check


@sample
def restore_file(scene: Scene) -> Check:
    quarantined(scene)

    def check(result: Any) -> None:
        assert result == {"file_path": f"s3://{UPLOADS}/{INVOICE}"}
        assert scene.read(INVOICE, UPLOADS) == b"harmless"
        kept = scene.client("s3").head_object(Bucket=UPLOADS, Key=INVOICE)["Metadata"]
        assert kept == {"sender": "mallory"}
        assert not [key for key in scene.keys(BUCKET, "quarantine/") if key.endswith("/content")]

    return check


def quarantined(scene: Scene) -> str:
    """Has `quarantine_file` take the object away, and gives what it leaves the id that the sample names."""
    scene.client("s3").put_object(Bucket=UPLOADS, Key=INVOICE, Body=b"harmless", Metadata={"sender": "mallory"})
    given = scene.done("quarantine_file", scene.sample("quarantine_file"))["quarantine_id"]
    wanted: str = scene.sample("restore_file")["params"]["quarantine_id"]
    s3 = scene.client("s3")
    for key in scene.keys(BUCKET, "quarantine/"):
        if key.endswith("/content"):
            s3.copy_object(Bucket=BUCKET, Key=key.replace(given, wanted), CopySource={"Bucket": BUCKET, "Key": key})
        else:
            scene.put(BUCKET, key.replace(given, wanted), scene.read(key).replace(given.encode(), wanted.encode()))
        if given in key:
            s3.delete_object(Bucket=BUCKET, Key=key)
    scene.aws.calls.clear()
    return wanted


@sample
def generate_report(scene: Scene) -> Check:
    # The report tells of the run's own history.
    scene.put(UPLOADS, INVOICE)
    scene.done("quarantine_file", scene.sample("quarantine_file"))
    scene.aws.calls.clear()

    def check(result: Any) -> None:
        assert result["format"] == "html"
        key = result["report_uri"].removeprefix(f"s3://{BUCKET}/")
        assert key.startswith("reports/critical-threat-response/run-0001/incident-")
        content = scene.read(key)
        assert len(content) == result["size"]
        for text in ("<title>Malicious file on web-1", "/srv/uploads/invoice.pdf.exe", "quarantine_file", "run-0001"):
            assert text in content.decode()
        kind = scene.client("s3").head_object(Bucket=BUCKET, Key=key)["ContentType"]
        assert kind == "text/html; charset=utf-8"

    return check


@sample
def kill_process(scene: Scene) -> Check:
    def check(result: Any) -> None:
        assert result == {"killed": True, "process_id": 4242}
        [command] = scene.client("ssm").list_commands()["Commands"]
        assert (command["DocumentName"], command["InstanceIds"]) == (DOCUMENT, ["i-0123456789abcdef0"])
        assert command["Parameters"] == {"ProcessId": ["4242"], "Signal": ["KILL"]}

    return check


@sample
def network_scan(scene: Scene) -> Check:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(60)

    def greet() -> None:
        with listener, suppress(OSError):
            channel, _ = listener.accept()
            with channel:
                channel.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")

    threading.Thread(target=greet, daemon=True).start()
    scene.reach({}, {"10.0.0.5:22": listener.getsockname()[1]})

    def check(result: Any) -> None:
        assert result["open_ports"] == [{"host": "10.0.0.5", "port": 22, "banner": "SSH-2.0-OpenSSH_9.9"}]
        assert result["hosts"] == ["10.0.0.5"]

    return check


@sample
def run_scan(scene: Scene) -> Check:
    scene.put(UPLOADS, INVOICE, BAD)
    scene.put(UPLOADS, "incoming/good", b"harmless")

    def check(result: Any) -> None:
        assert (result["files_scanned"], result["threats_found"], result["complete"]) == (2, 1, True)
        [found] = result["findings"]
        assert (found["file"], found["rule"]) == (f"s3://{UPLOADS}/{INVOICE}", "Stepsmith_Test_File")
        assert found["sha256"] == hashlib.sha256(BAD).hexdigest()

    return check


@sample
def run_script(scene: Scene) -> Check:
    def check(result: Any) -> None:
        assert (result["exit_code"], result["stderr"]) == (0, "")
        assert re.fullmatch(r"\d+% /\n", result["stdout"])

    return check


@sample
def send_notification(scene: Scene) -> Check:
    def check(result: Any) -> None:
        assert result["channel"] == "email"
        [sent] = ses_backends[DEFAULT_ACCOUNT_ID][REGION].sent_messages
        assert (sent.id, sent.source) == (result["message_id"], SENDER)
        params = scene.sample("send_notification")["params"]
        assert sent.destinations["ToAddresses"] == [params["recipient"]]
        assert (sent.subject, sent.body) == (params["subject"], params["message"])

    return check


@sample
def update_definitions(scene: Scene) -> Check:
    def check(result: Any) -> None:
        assert (result["rules"], result["updated"]) == (2, True)
        current = json.loads(scene.read(POINTER))["current"]
        assert (current["version"], current["source"]) == (result["version"], "packaged")
        assert hashlib.sha256(scene.read(current["key"])).hexdigest() == current["sha256"]
        assert scene.keys(RULES) == []

    return check
