"""How Step Functions spells the names of services, members and errors that botocore spells its own way.

AWS SDK integrations are spelt as the AWS SDK for Java 2 does (`Bool`, `DbInstanceIdentifier`, `DynamoDb.…`),
optimised ones as the API does with a capital first letter (`BOOL`). Sources: the developer guide's "AWS
service integrations", and errors and results recorded from AWS. No service is called here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

JAVA_TO_BOTO: Final[Mapping[str, str]] = {
    "cloudwatchlogs": "logs",
    "cognitoidentityprovider": "cognito-idp",
    "cognitoidentity": "cognito-identity",
    "costexplorer": "ce",
    "databasemigration": "dms",
    "directory": "ds",
    "elasticloadbalancing": "elb",
    "elasticloadbalancingv2": "elbv2",
    "eventbridge": "events",
    "applicationautoscaling": "application-autoscaling",
    "sfn": "stepfunctions",
    "ses": "ses",
    "sesv2": "sesv2",
}
"""Java package names that are no spelling of boto3's own name for the service."""

OPTIMISED: Final[Mapping[str, tuple[str, str, str]]] = {
    "dynamodb": ("dynamodb", "DynamoDB", "AmazonDynamoDB"),
    "events": ("events", "EventBridge", "AmazonEventBridge"),
    "sns": ("sns", "SNS", "AmazonSNS"),
    "sqs": ("sqs", "SQS", "AmazonSQS"),
    "states": ("stepfunctions", "StepFunctions", "AWSStepFunctions"),
}
"""Optimised integrations that are a plain API call: boto3's name, the prefix of error names, the service as
causes name it."""


def boto_service(java: str, known: Iterable[str]) -> str | None:
    """boto3's name for the service that the resource's `aws-sdk:JAVA:` means; None if there is none."""
    available = {name.replace("-", ""): name for name in known}
    special = JAVA_TO_BOTO.get(java)
    if special is not None:
        return special if special.replace("-", "") in available else None
    return available.get(java)


def boto_operation(action: str, known: Iterable[str]) -> str | None:
    """The API's name of an operation, `PutItem`, from the resource's `putItem`; None if there is none."""
    return next((name for name in known if name.lower() == action.lower()), None)


def boto_member(name: str, known: Iterable[str]) -> str | None:
    """botocore's name of the member that an argument names, whatever its capitals."""
    members = list(known)
    if name in members:
        return name
    return next((member for member in members if member.lower() == name.lower()), None)


def java_member(name: str) -> str:
    """A member as the Java SDK spells it: `ACL` is `Acl`, `DBInstanceIdentifier` is `DbInstanceIdentifier`.

    Only a leading acronym is lowered; `MultiAZ`, `ETag` and `ChecksumCRC32` stay.
    """
    capitals = re.match(r"[A-Z]+", name)
    if capitals is None:
        return name[:1].upper() + name[1:]
    run = capitals.group()
    rest = name[len(run) :]
    if not rest or not rest[0].islower():
        return run[0] + run[1:].lower() + rest
    return run[:1] + run[1:-1].lower() + (run[-1] if len(run) > 1 else "") + rest


def optimised_member(name: str) -> str:
    """A member as an optimised integration spells it: the API's own name with a capital first letter."""
    return name[:1].upper() + name[1:]


def java_service(service_id: str) -> str:
    """The service as error names of AWS SDK integrations begin: `DynamoDB` is `DynamoDb`, `SFN` is `Sfn`."""
    words = re.sub(r"[^A-Za-z0-9 ]", " ", service_id).split()
    return "".join(
        re.sub(r"([A-Z])([A-Z]+)(?=[A-Z][a-z]|[0-9]|$)", _lowered, word[0].upper() + word[1:]) for word in words
    )


def _lowered(match: re.Match[str]) -> str:
    return match.group(1) + match.group(2).lower()


def exception_name(shape: str) -> str:
    """An error shape as both kinds of integration name it: always ending in `Exception`."""
    return shape if shape.endswith("Exception") else f"{shape}Exception"
