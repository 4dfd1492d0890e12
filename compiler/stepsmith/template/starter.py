"""The function that starts runs for triggers with a `dedupe_key`, as resources; none without such a trigger.

A rule cannot name an execution, so that it hands the event to this function, which does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from stepsmith.template.cloudformation import Value, get_att, ref, sub
from stepsmith.template.functions import log_group, policy
from stepsmith.template.marks import Resource
from stepsmith.template.triggers import DEAD_LETTERS

STARTER: Final = "StarterFunction"
_LOGS: Final = "StarterLogs"


@dataclass
class Starts:
    """What the function of a stack starts, and on what."""

    events: dict[str, Value] = field(default_factory=dict)
    """The events of the function, as SAM takes them."""
    aliases: list[str] = field(default_factory=list)
    """Logical ids of the aliases that it starts."""
    rules: list[str] = field(default_factory=list)
    """Logical ids that SAM gives its rules."""

    def add(self, name: str, event: Mapping[str, Value], alias: str) -> None:
        self.events[name] = event
        if event["Type"] == "EventBridgeRule":
            self.rules.append(STARTER + name)
        if alias not in self.aliases:
            self.aliases.append(alias)


def starter_resources(starts: Starts, origin: str) -> Iterator[Resource]:
    """The function and its log group."""
    if not starts.events:
        return
    generated = tuple(STARTER + name for name in starts.events)
    yield Resource(STARTER, origin, _function(starts.events, starts.aliases), generated)
    yield Resource(_LOGS, origin, log_group("/aws/lambda/${AWS::StackName}/starter"))


def _function(events: Mapping[str, Value], aliases: Sequence[str]) -> dict[str, Value]:
    machines = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:stateMachine:${AWS::StackName}_"
    started: list[Value] = [ref(alias) for alias in aliases]
    properties: dict[str, Value] = {
        "Description": "Starts one run for each key of the triggers that have a dedupe_key",
        "Handler": "stepsmith_functions.starter.handler",
        "Timeout": 30,
        "LoggingConfig": {"LogGroup": ref(_LOGS)},
        "Environment": {"Variables": {"MACHINES": sub(machines)}},
        "Policies": [policy({"Effect": "Allow", "Action": "states:StartExecution", "Resource": started})],
        # EventBridge has delivered once the event is in Lambda's queue: from there on it is Lambda that tries again.
        "EventInvokeConfig": {
            "MaximumEventAgeInSeconds": 3600,
            "MaximumRetryAttempts": 2,
            "DestinationConfig": {"OnFailure": {"Type": "SQS", "Destination": get_att(DEAD_LETTERS)}},
        },
        "Events": dict(events),
    }
    return {"Type": "AWS::Serverless::Function", "Properties": properties}
