"""The errors of what lies outside: servers, people, machines and scripts."""

from __future__ import annotations

import json
from typing import Final

from stepsmith_functions.actions.kill_process import NOT_FOUND, REFUSED
from stepsmith_functions.runtime.http import LARGEST_BODY
from stepsmith_functions.runtime.scanning.bundle import LARGEST_BUNDLE
from tests.functions.artefact.provoking import Provocation, Provocations
from tests.functions.artefact.scene import Scene
from tests.support.deployment import BUCKET
from tests.support.emulated_aws import Answer, Call, Proceed

ZEROS = "0" * 64

OUTSIDE: Final = Provocations()


# --- the web ---------------------------------------------------------------------------------------------------------


WEB = ("call_webhook", "http_request", "update_definitions")


def _asked(scene: Scene, action: str, host: str = "soc.example.com") -> Provocation:
    address = f"https://{host}/path"
    if action == "update_definitions":
        return Provocation(scene.event(action, source=address, sha256=ZEROS))
    if action == "send_notification":
        return Provocation(scene.event(action, recipient=f"slack:{address}"))
    return Provocation(scene.event(action, url=address))


@OUTSIDE.provokes("HttpClientError", *WEB)
def a_server_that_refuses(scene: Scene, action: str) -> Provocation:
    scene.web.answer(403)
    return _asked(scene, action)


@OUTSIDE.provokes("HttpServerError", *WEB)
def a_server_that_fails(scene: Scene, action: str) -> Provocation:
    scene.web.answer(500)
    return _asked(scene, action)


@OUTSIDE.provokes("HttpThrottled", *WEB)
def a_server_that_is_busy(scene: Scene, action: str) -> Provocation:
    scene.web.answer(429, retry_after="3600")
    return _asked(scene, action)


@OUTSIDE.provokes("HttpUnreachable", *WEB)
def a_server_that_nobody_knows(scene: Scene, action: str) -> Provocation:
    return _asked(scene, action, "absent.example.com")


@OUTSIDE.provokes("AddressNotAllowed", *WEB, "send_notification")
def a_server_inside_the_network(scene: Scene, action: str) -> Provocation:
    return _asked(scene, action, "inside.example.com")


@OUTSIDE.provokes("AnswerTooLarge", "call_webhook", "http_request")
def an_answer_beyond_a_state(scene: Scene, action: str) -> Provocation:
    scene.web.answer(200, b"x" * (LARGEST_BODY + 1))
    return _asked(scene, action)


@OUTSIDE.provokes("AnswerTooLarge", "update_definitions")
def a_bundle_beyond_what_is_taken(scene: Scene, action: str) -> Provocation:
    scene.web.answer(200, b"x" * (LARGEST_BUNDLE + 1))
    return _asked(scene, action)


@OUTSIDE.provokes("SecretUnavailable", "call_webhook")
def a_signing_secret_that_is_gone(scene: Scene, action: str) -> Provocation:
    scene.client("secretsmanager").delete_secret(SecretId="stepsmith/webhook-signing", ForceDeleteWithoutRecovery=True)
    # A process of its own: others have the secret, which they keep for five minutes.
    return Provocation(scene.sample(action), variables={"POWERTOOLS_SERVICE_NAME": "another"})


@OUTSIDE.provokes("RecipientInvalid", "send_notification")
def a_recipient_that_is_none(scene: Scene, action: str) -> Provocation:
    return Provocation(scene.event(action, recipient="the people on call"))


@OUTSIDE.provokes("DeliveryFailed", "send_notification")
def a_channel_that_fails(scene: Scene, action: str) -> Provocation:
    scene.web.answer(500)
    return _asked(scene, action)


# --- machines --------------------------------------------------------------------------------------------------------


def _ended(scene: Scene, code: int) -> None:
    """Has the command end on the instance with this exit code; the emulated one always succeeds."""

    def answered(call: Call, proceed: Proceed) -> Answer:
        answer = proceed()
        told = {**json.loads(answer.body), "Status": "Failed", "StatusDetails": "Failed", "ResponseCode": code}
        return Answer(answer.status, answer.headers, json.dumps(told).encode())

    scene.aws.hooks["GetCommandInvocation"] = answered


@OUTSIDE.provokes("ProcessNotFound", "kill_process")
def a_process_that_is_gone(scene: Scene, action: str) -> Provocation:
    _ended(scene, NOT_FOUND)
    return Provocation(scene.sample(action))


@OUTSIDE.provokes("KillRefused", "kill_process")
def a_process_that_cannot_be_signalled(scene: Scene, action: str) -> Provocation:
    _ended(scene, REFUSED)
    return Provocation(scene.sample(action))


@OUTSIDE.provokes("InstanceUnreachable", "kill_process")
def an_instance_that_nobody_knows(scene: Scene, action: str) -> Provocation:
    scene.refuse("SendCommand", "InvalidInstanceId")
    return Provocation(scene.sample(action))


@OUTSIDE.provokes("TargetNotAllowed", "network_scan")
def a_target_beside_the_list(scene: Scene, action: str) -> Provocation:
    return Provocation(scene.event(action, target="10.0.0.16/28"))


@OUTSIDE.provokes("TargetUnknown", "network_scan")
def a_target_that_nobody_knows(scene: Scene, action: str) -> Provocation:
    return Provocation(scene.event(action, target="absent.example.com"))


@OUTSIDE.provokes("ScanIncomplete", "network_scan")
def a_network_scan_without_time(scene: Scene, action: str) -> Provocation:
    return Provocation(scene.sample(action), left=3.0)


# --- scripts ---------------------------------------------------------------------------------------------------------


@OUTSIDE.provokes("ScriptNotFound", "run_script")
def a_script_that_is_not_in_the_bucket(scene: Scene, action: str) -> Provocation:
    return Provocation(scene.event(action, script=f"s3://{BUCKET}/scripts/absent.sh", sha256=ZEROS))


@OUTSIDE.provokes("ScriptFailed", "run_script")
def a_script_that_ends_badly(scene: Scene, action: str) -> Provocation:
    return Provocation(scene.script(b"#!/bin/sh\nexit 3\n"))


@OUTSIDE.provokes("ScriptInvalid", "run_script")
def a_script_of_no_known_kind(scene: Scene, action: str) -> Provocation:
    return Provocation(scene.script(b"#!/usr/bin/perl\n"))


@OUTSIDE.provokes("DigestMismatch", "run_script")
def a_script_with_another_digest(scene: Scene, action: str) -> Provocation:
    return Provocation(scene.script(b"#!/bin/sh\n", ZEROS))
