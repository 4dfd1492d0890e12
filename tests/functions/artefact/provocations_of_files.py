"""The errors of files, objects, the quarantine and the rules of scans."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from stepsmith_functions.runtime.s3 import LARGEST_COPY
from stepsmith_functions.runtime.scanning.definitions import POINTER
from tests.functions.artefact.provoking import Provocation, Provocations
from tests.functions.artefact.samples import INVOICE, quarantined
from tests.functions.artefact.scene import RULES, UPLOADS, Scene
from tests.support.deployment import BUCKET
from tests.support.emulated_aws import Answer, Call, Proceed

ZEROS = "0" * 64
RULE = b"rule r { condition: true }"

FILES: Final = Provocations()


# --- files and objects -----------------------------------------------------------------------------------------------


@FILES.provokes("FileMissing", "delete_file", "quarantine_file")
def an_object_that_there_is_not(scene: Scene, action: str) -> Provocation:
    return Provocation(scene.sample(action))


@FILES.provokes("FileMissing", "run_scan")
def a_prefix_with_nothing_below(scene: Scene, action: str) -> Provocation:
    return Provocation(scene.sample(action))


@FILES.provokes("FileMissing", "restore_file")
def a_folder_of_the_quarantine_that_is_gone(scene: Scene, action: str) -> Provocation:
    (scene.root / "file").write_text("harmless")
    event = scene.event("quarantine_file", file_path="file", quarantine_dir="kept")
    kept = scene.done("quarantine_file", event)
    (scene.root / "kept").rename(scene.root / "unmounted")
    return Provocation(scene.event(action, quarantine_id=kept["quarantine_id"]))


@FILES.provokes("PathNotAllowed", "delete_file", "quarantine_file")
def a_file_outside_the_roots(scene: Scene, action: str) -> Provocation:
    return Provocation(scene.event(action, file_path="/etc/passwd"))


@FILES.provokes("PathNotAllowed", "run_scan")
def a_folder_behind_a_link(scene: Scene, action: str) -> Provocation:
    (scene.root / "link").symlink_to("/etc")
    return Provocation(scene.event(action, path="link/ssl"))


@FILES.provokes("PathNotAllowed", "run_script")
def a_script_elsewhere(scene: Scene, action: str) -> Provocation:
    return Provocation(scene.event(action, script="../catalog.json"))


@FILES.provokes("PathNotAllowed", "restore_file")
def a_manifest_that_names_another_place(scene: Scene, action: str) -> Provocation:
    (scene.root / "file").write_text("harmless")
    kept = scene.done("quarantine_file", scene.event("quarantine_file", file_path="file"))
    manifest = scene.root / ".quarantine" / f"{kept['quarantine_id']}.json"
    manifest.write_text(manifest.read_text().replace(str(scene.root / "file"), "/etc/cron.d/file"))
    return Provocation(scene.event(action, quarantine_id=kept["quarantine_id"]))


@FILES.provokes("AlreadyQuarantined", "quarantine_file")
def an_object_that_another_run_took_away(scene: Scene, action: str) -> Provocation:
    scene.put(UPLOADS, INVOICE)
    before = scene.sample(action)
    before["run"]["id"] = "run-0000"
    scene.done(action, before)
    return Provocation(scene.sample(action))


@FILES.provokes("AlreadyQuarantined", "delete_file")
def an_object_in_quarantine(scene: Scene, action: str) -> Provocation:
    scene.put(UPLOADS, INVOICE)
    kept = scene.done("quarantine_file", scene.sample("quarantine_file"))["quarantine_path"]
    return Provocation(scene.event(action, file_path=kept))


@FILES.provokes("FileChanged", "delete_file", "quarantine_file")
def an_object_that_is_replaced_meanwhile(scene: Scene, action: str) -> Provocation:
    scene.put(UPLOADS, INVOICE)
    scene.meanwhile("DeleteObject", lambda: scene.put(UPLOADS, INVOICE, b"newer"))
    return Provocation(scene.sample(action))


@FILES.provokes("FileChanged", "update_definitions")
def rules_that_are_published_meanwhile(scene: Scene, action: str) -> Provocation:
    scene.meanwhile("PutObject", lambda: scene.put(BUCKET, POINTER, b"{}"))
    return Provocation(scene.sample(action))


@FILES.provokes("ObjectTooLarge", "quarantine_file")
def an_object_beyond_what_s3_copies(scene: Scene, action: str) -> Provocation:
    scene.put(UPLOADS, INVOICE)

    def enlarged(call: Call, proceed: Proceed) -> Answer:
        answer = proceed()
        headers = {**answer.headers, "content-length": str(LARGEST_COPY + 1)}
        return Answer(answer.status, headers, answer.body)

    scene.aws.hooks["HeadObject"] = enlarged
    return Provocation(scene.sample(action))


@FILES.provokes("QuarantineDamaged", "quarantine_file")
def a_manifest_that_is_none(scene: Scene, action: str) -> Provocation:
    scene.put(UPLOADS, INVOICE)
    kept = scene.done(action, scene.sample(action))
    scene.put(BUCKET, f"quarantine/{kept['quarantine_id']}/manifest.json", b"none")
    return Provocation(scene.sample(action))


@FILES.provokes("QuarantineDamaged", "restore_file")
def a_content_that_was_replaced(scene: Scene, action: str) -> Provocation:
    quarantined(scene)
    [content] = (key for key in scene.keys(BUCKET, "quarantine/") if key.endswith("/content"))
    scene.put(BUCKET, content, b"replaced")
    return Provocation(scene.sample(action))


@FILES.provokes("QuarantineMissing", "restore_file")
def an_empty_quarantine(scene: Scene, action: str) -> Provocation:
    return Provocation(scene.sample(action))


@FILES.provokes("FileExists", "restore_file")
def another_object_in_the_place(scene: Scene, action: str) -> Provocation:
    quarantined(scene)
    scene.put(UPLOADS, INVOICE, b"newer")
    return Provocation(scene.sample(action))


# --- rules of scans --------------------------------------------------------------------------------------------------


@FILES.provokes("RulesInvalid", "run_scan")
def a_pointer_to_the_rules_that_is_none(scene: Scene, action: str) -> Provocation:
    scene.put(UPLOADS, INVOICE)
    scene.put(BUCKET, POINTER, b"none")
    return Provocation(scene.sample(action))


@FILES.provokes("ScanIncomplete", "run_scan")
def a_scan_without_time(scene: Scene, action: str) -> Provocation:
    scene.put(UPLOADS, INVOICE)
    # The rules are compiled by now: that has its own limit.
    scene.done(action, scene.sample(action))
    event = scene.sample(action)
    event["run"]["id"] = "run-0002"
    return Provocation(event, left=5.5)


def _bundle(scene: Scene, content: bytes, digest: str | None = None) -> Provocation:
    source = scene.put(RULES, "rules.yar", content)
    event = scene.event("update_definitions", source=source, sha256=digest or sha256(content).hexdigest())
    return Provocation(event)


@FILES.provokes("RulesInvalid", "update_definitions")
def rules_that_do_not_compile(scene: Scene, action: str) -> Provocation:
    return _bundle(scene, b"rule r { condition: }")


@FILES.provokes("DigestMismatch", "update_definitions")
def rules_with_another_digest(scene: Scene, action: str) -> Provocation:
    return _bundle(scene, RULE, ZEROS)


@FILES.provokes("FileMissing", "update_definitions")
def rules_that_are_not_there(scene: Scene, action: str) -> Provocation:
    return Provocation(scene.event(action, source=f"s3://{RULES}/absent", sha256=ZEROS))
