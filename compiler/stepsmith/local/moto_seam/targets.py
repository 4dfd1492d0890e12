"""What the targets of an EventBridge rule or a schedule are sent, and how it gets to them.

Lambda functions, state machines, queues and topics are served here; moto serves the rest. A target that cannot be
served gets nothing and stops nobody else, as on AWS, where the event would go to the dead-letter queue.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from moto.core.exceptions import JsonRESTError, ServiceException

from stepsmith.document import Json
from stepsmith.local.functions import FunctionUnknownError
from stepsmith.local.moto_seam.desk import Desk
from stepsmith.local.services import compact

SERVED: Final = ("lambda", "states", "sqs", "sns")
_VARIABLE: Final = re.compile(r'"(?:[^"\\]|\\.)*"|<([\w.\-]+)>')


class NoInputError(Exception):
    """What the target is to be sent is no JSON: EventBridge sends nothing then."""


def as_delivered(event: Mapping[str, Any]) -> dict[str, Json]:
    """An event as a target sees it: its time as text, and nothing that only moto knows."""
    shown: dict[str, Json] = json.loads(json.dumps(event, default=str))
    shown.pop("ingestion-time", None)
    shown.pop("event-bus-name", None)
    time = shown.get("time")
    if isinstance(time, (int, float)):
        shown["time"] = datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return shown


def target_input(target: Mapping[str, Any], event: Mapping[str, Any], rule_arn: str = "") -> Json:
    """What a rule's target gets: its constant Input, what InputPath or InputTransformer makes, else the event.

    Raises NoInputError.
    """
    if target.get("Input") is not None:
        return _json(str(target["Input"]))
    whole = as_delivered(event)
    transformer = target.get("InputTransformer") or {}
    if transformer.get("InputTemplate"):
        paths: Mapping[str, str] = transformer.get("InputPathsMap") or {}
        values: dict[str, Json] = {name: _at(whole, path) for name, path in paths.items()}
        values |= {
            "aws.events.rule-arn": rule_arn,
            "aws.events.rule-name": rule_arn.rpartition("/")[2],
            "aws.events.event.json": whole,
            "aws.events.event": {name: part for name, part in whole.items() if name != "detail"},
            "aws.events.event.ingestion-time": whole.get("time"),
        }
        return _json(filled(str(transformer["InputTemplate"]), values))
    return _at(whole, str(target.get("InputPath") or "$"))


def filled(template: str, values: Mapping[str, Json]) -> str:
    """An InputTemplate with its `<name>`s replaced: by JSON outside of quotes, by text within (documented).

    A name that has no value is replaced by an empty text (assumed; the documentation says only that it "won't appear").
    """

    def replaced(match: re.Match[str]) -> str:
        if match[1] is not None:
            value = values.get(match[1])
            return compact("" if value is None else value)
        return re.sub(r"<([\w.\-]+)>", within, match[0])

    def within(match: re.Match[str]) -> str:
        value = values.get(match[1])
        text = value if isinstance(value, str) else "" if value is None else compact(value)
        return compact(text)[1:-1]

    return _VARIABLE.sub(replaced, template)


def _json(text: str) -> Json:
    try:
        value: Json = json.loads(text)
    except ValueError as error:
        raise NoInputError(text) from error
    return value


def _at(value: Json, path: str) -> Json:
    for part in re.findall(r"[^.\[\]]+", path.removeprefix("$")):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def service_of(target: Mapping[str, Any]) -> str:
    return str(target["Arn"]).split(":")[2]


class Sender(Protocol):
    """What it takes to reach a target."""

    @property
    def desk(self) -> Desk: ...

    def start_machine(self, arn: str, text: str) -> object:
        """Starts the machine, version or alias of an ARN."""
        ...

    def before_call(self, service: str) -> None:
        """Has the resources of a service made, if they are not there yet."""
        ...


def deliver(sender: Sender, target: Mapping[str, Any], data: Json) -> None:
    """Sends `data` to a target that is served here; what the target's service refuses is dropped."""
    arn = str(target["Arn"])
    service, region, account, name = arn.split(":", 5)[2:]
    with contextlib.suppress(FunctionUnknownError, ServiceException, JsonRESTError):
        match service:
            case "lambda":
                sender.desk.invoke(arn, data)
            case "states":
                sender.start_machine(arn, compact(data))
            case "sqs":
                sender.before_call("sqs")
                group = (target.get("SqsParameters") or {}).get("MessageGroupId")
                queues: Any = importlib.import_module("moto.sqs.models").sqs_backends[account][region]
                queues.send_message(queue_name=name, message_body=compact(data), group_id=group)
            case _:
                sender.before_call("sns")
                topics: Any = importlib.import_module("moto.sns.models").sns_backends[account][region]
                topics.publish(message=compact(data), arn=arn)
