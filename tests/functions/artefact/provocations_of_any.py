"""What any action may fail with: its params, AWS, an earlier call that was cut off, and what its deployment lacks."""

from __future__ import annotations

from typing import Any, Final

from stepsmith_functions.history.items import step_key
from tests.functions.artefact.provoking import Provocation, Provocations
from tests.functions.artefact.samples import INVOICE
from tests.functions.artefact.scene import ACTIONS, RULES, UPLOADS, Scene
from tests.support.deployment import BUCKET, TABLE
from tests.support.emulated_aws import Answer, Call, Proceed

ZEROS = "0" * 64
RULE = b"rule r { condition: true }"
LONG_AGO = "2026-01-02T03:04:05+00:00"

ANY: Final = Provocations()


# --- any action ------------------------------------------------------------------------------------------------------


@ANY.provokes("InvalidParams", *ACTIONS)
def a_param_that_there_is_not(scene: Scene, action: str) -> Provocation:
    return Provocation(scene.event(action, no_such_param=1))


FIRST_CALLS = {
    "add_exclusion": ("UpdateItem", "REGISTER#"),
    "delete_file": ("HeadObject", INVOICE),
    "generate_report": ("PutObject", "reports/"),
    "kill_process": ("SendCommand", ""),
    "log_false_positive": ("UpdateItem", "REGISTER#"),
    "quarantine_file": ("CopyObject", "quarantine/"),
    "restore_file": ("GetObject", "quarantine/"),
    "run_scan": ("ListObjectsV2", ""),
    "run_script": ("GetObject", "scripts/"),
    "send_notification": ("SendEmail", ""),
    "update_definitions": ("PutObject", "definitions/"),
}
"""A call of AWS that the action itself makes, and what tells it from those of the history."""
LARGE_PARAMS = {"call_webhook": "payload", "http_request": "body", "network_scan": "target"}
"""The actions that make no call of their own read what is too large for a state: in this param."""


def _calling(scene: Scene, action: str) -> tuple[dict[str, Any], str, str]:
    """An event that has the action call AWS, with the operation and what it is about."""
    if action in LARGE_PARAMS:
        reference = {"stored_at": f"s3://{BUCKET}/runs/run-0000/{ZEROS}.json", "size": 9, "sha256": ZEROS}
        return scene.event(action, **{LARGE_PARAMS[action]: {"$stored": reference}}), "GetObject", "runs/"
    scene.put(UPLOADS, INVOICE)
    event = scene.script(b"#!/bin/sh\n") if action == "run_script" else scene.sample(action)
    return event, *FIRST_CALLS[action]


@ANY.provokes("AwsRefused", *ACTIONS)
def a_call_that_aws_refuses(scene: Scene, action: str) -> Provocation:
    event, operation, about = _calling(scene, action)
    scene.refuse(operation, "AccessDeniedException", 403, about)
    return Provocation(event)


@ANY.provokes("AwsUnavailable", *ACTIONS)
def a_call_that_aws_cannot_answer(scene: Scene, action: str) -> Provocation:
    event, operation, about = _calling(scene, action)
    scene.refuse(operation, "ServiceUnavailable", 503, about)
    return Provocation(event)


@ANY.provokes("EffectUnknown", *(name for name in ACTIONS if not ACTIONS[name].contract.repeatable))
def an_earlier_call_that_was_cut_off(scene: Scene, action: str) -> Provocation:
    """The process ends while the action does its work; when the call's time is over, nobody knows what came of it."""
    function = scene.function(action)
    event = scene.script(b"#!/bin/sh\n") if action == "run_script" else scene.sample(action)
    event["step"]["visit"] = "1"
    if action in ("call_webhook", "http_request"):
        scene.web.answers = [lambda channel: function.process.crash()]
    else:
        operation, about = FIRST_CALLS[action]

        def cut_off(call: Call, proceed: Proceed) -> Answer:
            if about in call.target:
                function.process.crash()
            return proceed()

        scene.aws.hooks[operation] = cut_off
    outcome = scene.invoke(function, event)
    assert outcome.payload["errorType"] == "Runtime.ExitError", outcome.payload
    scene.client("dynamodb").update_item(
        TableName=TABLE,
        Key=step_key(event["run"]["id"], event["step"]["path"]),
        UpdateExpression="SET #until = :until",
        ExpressionAttributeNames={"#until": "until"},
        ExpressionAttributeValues={":until": {"S": LONG_AGO}},
    )
    return Provocation(event, recorded=False)


# --- settings --------------------------------------------------------------------------------------------------------


@ANY.provokes("NotConfigured", "add_exclusion", "log_false_positive")
def a_deployment_without_a_table(scene: Scene, action: str) -> Provocation:
    return Provocation(scene.sample(action), variables={"HISTORY_TABLE": ""}, recorded=False)


@ANY.provokes("NotConfigured", "generate_report", "quarantine_file", "restore_file")
def a_deployment_without_a_bucket(scene: Scene, action: str) -> Provocation:
    return Provocation(scene.sample(action), variables={"DATA_BUCKET": ""})


@ANY.provokes("NotConfigured", "kill_process")
def a_deployment_without_an_instance(scene: Scene, action: str) -> Provocation:
    event = scene.sample(action)
    del event["params"]["instance_id"]
    return Provocation(event)


@ANY.provokes("NotConfigured", "send_notification")
def a_deployment_without_a_sender(scene: Scene, action: str) -> Provocation:
    return Provocation(scene.sample(action), parameters={"AlertsSender": ""})


@ANY.provokes("NotConfigured", "update_definitions")
def a_source_whose_digest_nothing_says(scene: Scene, action: str) -> Provocation:
    return Provocation(scene.sample(action), parameters={"DefinitionsSource": scene.put(RULES, "rules.yar", RULE)})
