"""EventBridge: rules reach functions and machines, and executions tell when they start and end."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable
from typing import Any, Final

from stepsmith.engine import Execution
from stepsmith.engine.values import Json as Value
from stepsmith.local.moto_seam.targets import SERVED, NoInputError, Sender, deliver, service_of, target_input
from stepsmith.local.services import compact

_DATA_BYTES: Final = 248 * 1024
"""Of input and output in a status event, in their escaped form (developer guide, "Automating … with EventBridge")."""


def send_to_targets(
    sender: Sender, original: Callable[..., None], rule: Any, event: Any, transform: bool = True
) -> None:
    """Sends an event to a rule's targets.

    moto refuses functions, machines and topics with an exception that its caller sees, ignores `Input` and `InputPath`,
    gives nothing to the targets after a refused one, and sends to disabled rules, and all events to rules that have a
    schedule and no pattern.
    """
    if rule.state != "ENABLED" or not rule.event_pattern.get_pattern() or not rule.event_pattern.matches_event(event):
        return
    targets = rule.targets
    for target in list(targets):
        if service_of(target) in SERVED:
            with contextlib.suppress(NoInputError):
                deliver(sender, target, target_input(target, event, rule.arn))
            continue
        rule.targets = [target]
        try:
            original(rule, event, transform)
        except NotImplementedError:
            continue
        finally:
            rule.targets = targets


def publish_status(execution: Execution, account: str, region: str, event_id: str) -> None:
    """Sends the execution's status event to the default bus. moto sends none.

    Nothing is imported for it: without rules nobody would get the event.
    """
    events = sys.modules.get("moto.events.models")
    if events is None:
        return
    ended = execution.stopped
    detail: dict[str, Value] = {
        "executionArn": execution.arn,
        "stateMachineArn": execution.state_machine_arn,
        "name": execution.name,
        "status": str(execution.status),
        "startDate": round(execution.started.timestamp() * 1000),
        "stopDate": round(ended.timestamp() * 1000) if ended else None,
        **_data(compact(execution.input), execution.output_text),
        "stateMachineVersionArn": None,
        "stateMachineAliasArn": None,
        "redriveCount": execution.redrive_count,
        "redriveDate": round(execution.redriven.timestamp() * 1000) if execution.redriven else None,
        "error": execution.error,
        "cause": execution.cause,
    }
    moment = (ended or execution.started).timestamp()
    event = {
        "version": "0",
        "id": event_id,
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": account,
        "time": moment,
        "region": region,
        "resources": [execution.arn],
        "detail": detail,
        "ingestion-time": moment,
    }
    backend = events.events_backends[account][region]
    for rule in list(backend.describe_event_bus("default").rules.values()):
        rule.send_to_targets(dict(event))


def _data(given: str, output: str | None) -> dict[str, Value]:
    """Input and output, without what is too long for an event: the output first (documented)."""
    of_output = len(json.dumps(output)) if output is not None else 0
    output_fits = of_output <= _DATA_BYTES
    input_fits = len(json.dumps(given)) + (of_output if output_fits else 0) <= _DATA_BYTES
    return {
        "input": given if input_fits else None,
        "inputDetails": {"included": input_fits},
        "output": output if output_fits else None,
        "outputDetails": {"included": output_fits} if output is not None else None,
    }
