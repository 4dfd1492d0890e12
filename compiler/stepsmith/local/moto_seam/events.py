"""EventBridge: rules reach functions and machines, and executions tell when they start and end."""

from __future__ import annotations

import contextlib
import importlib
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

from stepsmith.document import Json
from stepsmith.engine import Execution
from stepsmith.engine.values import Json as Value
from stepsmith.local.functions import FunctionUnknownError
from stepsmith.local.moto_seam.desk import Desk
from stepsmith.local.services import compact


def send_to_targets(
    desk: Desk,
    start: Callable[[str, str], object],
    original: Callable[..., None],
    rule: Any,
    event: Any,
    transform: bool,
) -> None:
    """Sends an event to a rule's targets, Lambda functions and state machines too.

    moto refuses those two with an exception that its caller sees, ignores `Input`, and gives nothing to the
    targets after a refused one. Everything else is left to moto, one target at a time. `start` starts the machine of an
    ARN with an input.
    """
    if not rule.event_pattern.matches_event(event):
        return
    targets = rule.targets
    for target in list(targets):
        arn = str(target["Arn"])
        service = arn.split(":")[2]
        if service in ("lambda", "states"):
            data = _target_input(target, event)
            with contextlib.suppress(FunctionUnknownError):
                if service == "lambda":
                    desk.invoke(arn, data)
                else:
                    start(arn, compact(data))
            continue
        rule.targets = [target]
        try:
            original(rule, event, transform)
        except NotImplementedError:
            continue
        finally:
            rule.targets = targets


def _target_input(target: Mapping[str, Any], event: Any) -> Json:
    """What a target gets: its constant Input, what InputPath or InputTransformer makes, else the event."""
    if target.get("Input") is not None:
        constant: Json = json.loads(target["Input"])
        return constant
    transformer = target.get("InputTransformer") or {}
    if transformer.get("InputTemplate"):
        events = importlib.import_module("moto.events.models")
        made = events.EventTemplateParser.parse(
            input_template=transformer["InputTemplate"],
            input_paths_map=transformer.get("InputPathsMap", {}),
            event=event,
        )
        transformed: Json = json.loads(made) if isinstance(made, str) else made
        return transformed
    whole: Json = json.loads(json.dumps(event, default=str))
    for part in str(target.get("InputPath") or "$").split(".")[1:]:
        whole = whole.get(part) if isinstance(whole, dict) else None
    return whole


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
        "input": compact(execution.input),
        "inputDetails": {"included": True},
        "output": execution.output_text,
        "outputDetails": {"included": True} if execution.output_text is not None else None,
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
