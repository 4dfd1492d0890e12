"""What actions do besides their sample events, as far as it takes another way through AWS or this machine."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable
from typing import Any, TypeAlias

from moto.core import DEFAULT_ACCOUNT_ID
from moto.sns.models import sns_backends

from stepsmith_functions.runtime.scanning.definitions import POINTER
from tests.functions.artefact.samples import BAD, INVOICE, Check
from tests.functions.artefact.scene import RULES, UPLOADS, Scene
from tests.support.deployment import BUCKET, DOCUMENT, TOPIC
from tests.support.emulated_aws import REGION

Way: TypeAlias = "tuple[dict[str, Any], Check]"
"""An event, and the check of its result."""

WAYS: dict[tuple[str, str], Callable[[Scene], Way]] = {}
"""By action and what the way is about."""

TIME = 1_700_000_000_123_456_789
RULE = b'rule n { strings: $a = "harmless" condition: $a }'


def way(action: str) -> Callable[[Callable[[Scene], Way]], Callable[[Scene], Way]]:
    def register(arrange: Callable[[Scene], Way]) -> Callable[[Scene], Way]:
        WAYS[action, arrange.__name__] = arrange
        return arrange

    return register


def _versioned(scene: Scene) -> None:
    """The bucket of uploads keeps versions, and holds two of the invoice."""
    s3 = scene.client("s3")
    s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Enabled"})
    scene.put(UPLOADS, INVOICE, b"older")
    s3.put_object(Bucket=UPLOADS, Key=INVOICE, Body=b"harmless", Tagging="from=mallory")


def _versions(scene: Scene) -> list[bytes]:
    found = scene.client("s3").list_object_versions(Bucket=UPLOADS)
    assert "DeleteMarkers" not in found
    return sorted(
        scene.client("s3").get_object(Bucket=UPLOADS, Key=INVOICE, VersionId=each["VersionId"])["Body"].read()
        for each in found["Versions"]
    )


@way("quarantine_file")
def a_file(scene: Scene) -> Way:
    file = scene.root / "dropper.bin"
    file.write_bytes(b"harmless")

    def check(result: Any) -> None:
        assert not file.exists()
        assert result["sha256"] == hashlib.sha256(b"harmless").hexdigest()
        with open(result["quarantine_path"], "rb") as kept:
            assert kept.read() == b"harmless"
            assert stat.S_IMODE(os.fstat(kept.fileno()).st_mode) == 0o400

    return scene.event("quarantine_file", file_path=str(file)), check


@way("restore_file")
def a_file_again(scene: Scene) -> Way:
    file = scene.root / "dropper.bin"
    file.write_bytes(b"harmless")
    file.chmod(0o751)
    os.utime(file, ns=(1, TIME))
    kept = scene.done("quarantine_file", scene.event("quarantine_file", file_path="dropper.bin"))

    def check(result: Any) -> None:
        assert result == {"file_path": str(file)}
        found = file.stat()
        assert (file.read_bytes(), stat.S_IMODE(found.st_mode), found.st_mtime_ns) == (b"harmless", 0o751, TIME)

    return scene.event("restore_file", quarantine_id=kept["quarantine_id"]), check


@way("delete_file")
def a_file_for_good(scene: Scene) -> Way:
    (scene.root / "dropper.bin").write_bytes(b"harmless")
    return scene.event("delete_file", file_path="dropper.bin"), lambda result: _is_empty(scene)


def _is_empty(scene: Scene) -> None:
    assert list(scene.root.iterdir()) == []


@way("quarantine_file")
def a_version(scene: Scene) -> Way:
    _versioned(scene)

    def check(result: Any) -> None:
        assert _versions(scene) == [b"older"]
        assert scene.read(result["quarantine_path"].removeprefix(f"s3://{BUCKET}/")) == b"harmless"

    return scene.sample("quarantine_file"), check


@way("restore_file")
def a_version_again(scene: Scene) -> Way:
    _versioned(scene)
    kept = scene.done("quarantine_file", scene.sample("quarantine_file"))
    # Where an older version has come up, something stands in the way.
    [older] = scene.client("s3").list_object_versions(Bucket=UPLOADS)["Versions"]
    scene.client("s3").delete_object(Bucket=UPLOADS, Key=INVOICE, VersionId=older["VersionId"])

    def check(result: Any) -> None:
        assert _versions(scene) == [b"harmless"]
        assert scene.client("s3").get_object_tagging(Bucket=UPLOADS, Key=INVOICE)["TagSet"] == [
            {"Key": "from", "Value": "mallory"}
        ]

    return scene.event("restore_file", quarantine_id=kept["quarantine_id"]), check


@way("delete_file")
def a_version_for_good(scene: Scene) -> Way:
    _versioned(scene)

    def check(result: Any) -> None:
        assert _versions(scene) == [b"older"]

    return scene.sample("delete_file"), check


@way("run_scan")
def a_folder(scene: Scene) -> Way:
    (scene.root / "in").mkdir()
    (scene.root / "in" / "bad").write_bytes(BAD)
    (scene.root / "in" / "link").symlink_to("/etc/passwd")

    def check(result: Any) -> None:
        assert [found["file"] for found in result["findings"]] == [str(scene.root / "in" / "bad")]
        assert [(skipped["reason"], skipped["files"]) for skipped in result["skipped"]] == [("symlink", 1)]

    return scene.event("run_scan", path="in", scan_type="full"), check


@way("run_scan")
def rules_that_were_published(scene: Scene) -> Way:
    source = scene.put(RULES, "rules.yar", RULE)
    given = {"source": source, "sha256": hashlib.sha256(RULE).hexdigest()}
    version = scene.done("update_definitions", scene.event("update_definitions", **given))["version"]
    scene.put(UPLOADS, INVOICE)

    def check(result: Any) -> None:
        assert (result["threats_found"], result["rules_version"]) == (1, version)

    return scene.sample("run_scan"), check


@way("run_scan")
def a_content_that_is_excluded(scene: Scene) -> Way:
    scene.put(UPLOADS, INVOICE, BAD)
    entry = {"sha256": hashlib.sha256(BAD).hexdigest(), "reason": "known"}
    scene.done("add_exclusion", scene.event("add_exclusion", **entry))

    def check(result: Any) -> None:
        assert result["threats_found"] == 0
        assert [(skipped["reason"], skipped["files"]) for skipped in result["skipped"]] == [("excluded", 1)]

    return scene.sample("run_scan"), check


@way("update_definitions")
def a_bundle_from_the_web(scene: Scene) -> Way:
    scene.web.answer(200, RULE)
    address = "https://rules.example.com/rules.yar"

    def check(result: Any) -> None:
        assert (result["rules"], result["updated"]) == (1, True)
        assert json.loads(scene.read(POINTER))["current"]["source"] == address

    return scene.event("update_definitions", source=address, sha256=hashlib.sha256(RULE).hexdigest()), check


@way("run_script")
def a_script_in_the_bucket(scene: Scene) -> Way:
    event = scene.script(b'#!/bin/sh\nprintf "%s|" "$@"\nenv | grep -c AWS >&2 || true\n')
    event["params"]["args"] = ["$(id)", "a b"]

    def check(result: Any) -> None:
        assert (result["stdout"], result["stderr"]) == ("$(id)|a b|", "0\n")

    return event, check


@way("send_notification")
def a_topic(scene: Scene) -> Way:
    scene.client("sns").create_topic(Name=TOPIC.rpartition(":")[2])
    event = scene.event("send_notification", recipient=TOPIC)

    def check(result: Any) -> None:
        assert result["channel"] == "sns"
        [sent] = sns_backends[DEFAULT_ACCOUNT_ID][REGION].topics[TOPIC].sent_notifications
        assert sent[:3] == (result["message_id"], event["params"]["message"], event["params"]["subject"])

    return event, check


def _hooked(scene: Scene, channel: str) -> Way:
    scene.web.answer(200, b"ok")
    event = scene.event("send_notification", recipient=f"{channel}:https://soc.example.com/hooks/1")

    def check(result: Any) -> None:
        [received] = scene.web.received
        assert (result["channel"], received.target) == (channel, "/hooks/1")
        assert event["params"]["message"] in json.dumps(json.loads(received.body))

    return event, check


@way("send_notification")
def a_slack_channel(scene: Scene) -> Way:
    return _hooked(scene, "slack")


@way("send_notification")
def a_teams_channel(scene: Scene) -> Way:
    return _hooked(scene, "teams")


@way("kill_process")
def a_managed_instance(scene: Scene) -> Way:
    event = scene.event("kill_process", instance_id="mi-0123456789abcdef0", signal="TERM")

    def check(result: Any) -> None:
        [command] = scene.client("ssm").list_commands()["Commands"]
        assert (command["DocumentName"], command["InstanceIds"]) == (DOCUMENT, ["mi-0123456789abcdef0"])
        assert command["Parameters"] == {"ProcessId": ["4242"], "Signal": ["TERM"]}

    return event, check


@way("http_request")
def a_result_that_is_too_large_for_a_state(scene: Scene) -> Way:
    """It lies in S3, and the next action's params take the reference for it."""
    scene.web.answer(200, b"x" * 199_000)
    given = scene.done("http_request", scene.event("http_request", method="POST"))
    assert given["body"]["$stored"]["size"] > 199_000
    scene.web.answers.clear()
    scene.web.answer(200, b"taken")
    event = scene.event("http_request", method="PUT", body=given["body"], expect=[200])
    event["step"] |= {"id": "next", "path": "next"}

    def check(result: Any) -> None:
        assert result["body"] == "taken"
        assert scene.web.received[-1].body == b"x" * 199_000

    return event, check
