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
    "applicationdiscovery": "discovery",
    "cloudwatchlogs": "logs",
    "cognitoidentityprovider": "cognito-idp",
    "costandusagereport": "cur",
    "costexplorer": "ce",
    "databasemigration": "dms",
    "directory": "ds",
    "directoryservicedata": "ds-data",
    "elasticloadbalancing": "elb",
    "elasticloadbalancingv2": "elbv2",
    "elasticsearch": "es",
    "eventbridge": "events",
    "iotdataplane": "iot-data",
    "iotjobsdataplane": "iot-jobs-data",
    "lexmodelbuilding": "lex-models",
    "lexmodelsv2": "lexv2-models",
    "lexruntimev2": "lexv2-runtime",
    "marketplacemetering": "meteringmarketplace",
    "migrationhub": "mgh",
    "pinpointsmsvoice": "sms-voice",
    "serverlessapplicationrepository": "serverlessrepo",
    "sfn": "stepfunctions",
    "simpledb": "sdb",
}
"""Java package names that are no spelling of boto3's own name for the service: all that follow from the service ids of
botocore 1.44.5 by the naming rules of the AWS SDK for Java 2."""
_BOTO_TO_JAVA: Final = {boto: java for java, boto in JAVA_TO_BOTO.items()}

SDK_MEMBERS: Final[Mapping[str, str]] = {"NULL": "Nul", "Equals": "EqualsValue"}
"""Members whose names Java could not use (`EqualsValue` is documented; `Nul` is the AWS SDK for Java 2's)."""

OPTIMISED: Final[Mapping[str, tuple[str, str, str]]] = {
    "dynamodb": ("dynamodb", "DynamoDB", "AmazonDynamoDB"),
    "events": ("events", "EventBridge", "AmazonEventBridge"),
    "sns": ("sns", "SNS", "AmazonSNS"),
    "sqs": ("sqs", "SQS", "AmazonSQS"),
    "states": ("stepfunctions", "StepFunctions", "AWSStepFunctions"),
}
"""Optimised integrations that are a plain API call: boto3's name, the prefix of error names, the service as
causes name it."""


def java_package(boto: str) -> str:
    """The Java package of the service that boto3 calls `boto`."""
    return _BOTO_TO_JAVA.get(boto, boto.replace("-", ""))


def boto_service(java: str, known: Iterable[str]) -> str | None:
    """boto3's name for the service that the resource's `aws-sdk:JAVA:` means; None if there is none."""
    return next((name for name in known if java_package(name) == java), None)


def boto_operation(action: str, known: Iterable[str]) -> str | None:
    """The API's name of an operation, `PutItem`, from the resource's `putItem`; None if there is none."""
    return next((name for name in known if name.lower() == action.lower()), None)


def boto_member(name: str, known: Iterable[str]) -> str | None:
    """botocore's name of the member that an argument names, whatever its capitals."""
    members = list(known)
    if name in members:
        return name
    spelt = next((member for member in members if SDK_MEMBERS.get(member) == name), None)
    return spelt or next((member for member in members if member.lower() == name.lower()), None)


def java_member(name: str) -> str:
    """A member as the Java SDK spells it: `ACL` is `Acl`, `DBInstanceIdentifier` is `DbInstanceIdentifier`.

    Only a leading acronym is lowered; `MultiAZ`, `ETag` and `ChecksumCRC32` stay.
    """
    if name in SDK_MEMBERS:
        return SDK_MEMBERS[name]
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
    name = _pascal(service_id).removeprefix("Amazon").removeprefix("Aws")
    return name.removesuffix("Service")


_VERSION: Final = re.compile(r"(?<=[A-Z])v(?=[0-9])")
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z]+(?:[A-Z](?![A-Za-z0-9]))?[0-9]*|[0-9]+")


def _pascal(text: str) -> str:
    """`text` in the Java SDK's PascalCase, in which an acronym counts as a word: `WAFRegional` is `WafRegional`."""
    return "".join(word.capitalize() for word in _WORD.findall(_VERSION.sub(" v", text)))


def exception_name(shape: str) -> str:
    """An error shape as optimised integrations name it: always ending in `Exception`."""
    return shape if shape.endswith("Exception") else f"{shape}Exception"


def java_exception_name(shape: str) -> str:
    """An error shape as AWS SDK integrations name it: `DBInstanceNotFoundFault` is `DbInstanceNotFoundException`."""
    return exception_name(_pascal(shape.removesuffix("Fault")))
