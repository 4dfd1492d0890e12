"""The resources that `template.yaml` names, made in the emulated AWS when their service is first called.

What `!Ref` and `!GetAtt` of them yield is known without making them, so that a run pays only for what it uses. A
project without a template gets the history's table and a bucket.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

from stepsmith.document import Json
from stepsmith.local.functions import ACCOUNT, REGION
from stepsmith.local.moto_seam import make_instance, objects_of
from stepsmith.local.sam import FUNCTION, STATE_MACHINE, FunctionResource, Properties, Resolver, Resource, SamTemplate

STACK: Final = "local"
"""`AWS::StackName` of a local run."""
INSTANCE: Final = "i-0123456789abcdef0"
"""The one instance that exists here, and that actions work on when a step names none."""
SENDER: Final = "stepsmith@localhost.example"

_PSEUDO: Final = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "AWS::Partition": "aws",
    "AWS::StackName": STACK,
    "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{STACK}/local",
    "AWS::URLSuffix": "amazonaws.com",
}
_STANDARD: Final[Mapping[str, Resource]] = {
    "DataBucket": Resource("DataBucket", "AWS::S3::Bucket", {}),
}
_STANDARD_ENVIRONMENT: Final[Properties] = {
    "HISTORY_TABLE": {"Ref": "HistoryTable"},
    "DATA_BUCKET": {"Ref": "DataBucket"},
}

_SETTINGS: Final = (
    "FILE_ROOTS",
    "DEFAULT_INSTANCE_ID",
    "ALERTS_SENDER",
    "ALLOW_PRIVATE_ADDRESSES",
    "SCAN_TARGETS",
    "DEFINITIONS_SOURCE",
    "DEFINITIONS_SHA256",
    "WEBHOOK_SIGNING_SECRET",
    "SECRETS_PREFIX",
    "POWERTOOLS_LOG_LEVEL",
)
"""What the person at the desk may set by an environment variable, as a deployment does by a parameter."""

Client: TypeAlias = Callable[[str], Any]


@dataclass
class LocalStack:
    """A template as if it were deployed here. `client` hands out boto3 clients."""

    template: SamTemplate
    client: Client
    working_folder: Path
    """Where actions may touch files, unless the template or the environment says otherwise."""
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    """The process's own at the start: a setting that it has wins over the template's."""
    kept: Path | None = None
    """The folder in which the buckets' objects outlive the process."""
    _resolver: Resolver = field(init=False, repr=False)
    _buckets: list[str] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        self._resolver = Resolver(self.template, _PSEUDO, self.reference, self.attribute)

    def variables(self, function: FunctionResource) -> dict[str, str]:
        """A function's environment, resolved. Raises TemplateError for what cannot be resolved."""
        declared = function.environment or _STANDARD_ENVIRONMENT
        resolved = {
            name: self._resolver.text(value) if self._has_what_it_names(value) else ""
            for name, value in declared.items()
        }
        for name, value in self._defaults().items():
            resolved[name] = resolved.get(name) or value
        for name in _SETTINGS:
            if self.environment.get(name):
                resolved[name] = self.environment[name]
        return resolved

    def _has_what_it_names(self, value: Json) -> bool:
        """Whether the parameters and resources that a setting is made of exist: a project need not have a template."""
        text = value.get("Fn::Sub") if isinstance(value, dict) else None
        names = re.findall(r"\$\{(\w+)[.}]", text) if isinstance(text, str) else []
        return all(name in self.template.parameters or self._resource(name).type for name in names)

    def _defaults(self) -> dict[str, str]:
        """What stands in for settings that a deployment makes and the template leaves empty."""
        return {
            "FILE_ROOTS": str(self.working_folder),
            "DEFAULT_INSTANCE_ID": INSTANCE,
            "ALERTS_SENDER": SENDER,
            "SCAN_TARGETS": "127.0.0.1,::1,localhost",
            "POWERTOOLS_LOG_LEVEL": "WARNING",
            "POWERTOOLS_TRACE_DISABLED": "true",
        }

    def reference(self, logical_id: str) -> str:
        """What `!Ref` of a resource yields (CloudFormation's reference of each type, "Return values")."""
        resource = self._resource(logical_id)
        name = self._name(resource)
        match resource.type:
            case "AWS::SNS::Topic":
                return f"arn:aws:sns:{REGION}:{ACCOUNT}:{name}"
            case "AWS::SQS::Queue":
                return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}"
            case "AWS::SecretsManager::Secret":
                return f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}"
            case _ if resource.type == STATE_MACHINE:
                return f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}"
            case _:
                return name

    def attribute(self, logical_id: str, name: str) -> str:
        """What `!GetAtt` of a resource yields."""
        resource = self._resource(logical_id)
        physical = self._name(resource)
        if name in ("TableName", "QueueName", "TopicName", "Name"):
            return physical
        if name in ("TopicArn", "QueueUrl"):
            return self.reference(logical_id)
        match resource.type:
            case "AWS::S3::Bucket":
                return f"arn:aws:s3:::{physical}"
            case "AWS::DynamoDB::Table":
                return f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{physical}"
            case "AWS::SNS::Topic" | "AWS::SecretsManager::Secret":
                return self.reference(logical_id)
            case "AWS::SQS::Queue":
                return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{physical}"
            case _ if resource.type == FUNCTION:
                return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{physical}"
            case _ if resource.type == STATE_MACHINE:
                return self.reference(logical_id)
            case _:
                return f"arn:aws:local:{REGION}:{ACCOUNT}:{physical}"

    def _resource(self, logical_id: str) -> Resource:
        known = self.template.resources.get(logical_id) or _STANDARD.get(logical_id)
        return known or Resource(logical_id, "", {})

    def _name(self, resource: Resource) -> str:
        """The physical name: the template's, else one made of the logical id."""
        key = _NAMES.get(resource.type)
        given = resource.properties.get(key) if key else None
        if given is not None:
            return self._resolver.text(given)
        name = f"{STACK}-{resource.logical_id}"
        return name.lower() if resource.type == "AWS::S3::Bucket" else name

    def provision(self, service: str) -> None:
        """Makes the template's resources of a service, by boto3's name for it."""
        kinds = _MAKERS.get(service, {})
        resources = {**_STANDARD, **self.template.resources}
        for resource in resources.values():
            if resource.type in kinds:
                kinds[resource.type](self, resource)
        if service == "dynamodb" and not self.template.of_type("AWS::DynamoDB::Table"):
            self._make_history_table()
        if service == "ses":
            self.client("ses").verify_email_identity(EmailAddress=self.environment.get("ALERTS_SENDER", SENDER))
        if service == "ec2":
            make_instance(self.client("ec2"), self.environment.get("DEFAULT_INSTANCE_ID") or INSTANCE)

    def _properties(self, resource: Resource) -> Properties:
        resolved = self._resolver.resolve(resource.properties)
        return resolved if isinstance(resolved, dict) else {}

    def _make_history_table(self) -> None:
        from stepsmith_functions.history.items import table_definition

        self.client("dynamodb").create_table(**table_definition(f"{STACK}-HistoryTable"))

    def _make_table(self, resource: Resource) -> None:
        wanted = self._properties(resource)
        given: Properties = {name: wanted[name] for name in _TABLE_PROPERTIES if name in wanted}
        given.setdefault("BillingMode", "PAY_PER_REQUEST")
        stream = wanted.get("StreamSpecification")
        if isinstance(stream, dict):
            given["StreamSpecification"] = {"StreamEnabled": True, **stream}
        self.client("dynamodb").create_table(TableName=self._name(resource), **given)

    def _make_bucket(self, resource: Resource) -> None:
        name, s3 = self._name(resource), self.client("s3")
        s3.create_bucket(Bucket=name)
        self._buckets.append(name)
        if self.kept is None:
            return
        folder = self.kept / name
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            if path.is_file():
                s3.put_object(Bucket=name, Key=path.relative_to(folder).as_posix(), Body=path.read_bytes())

    @property
    def used_buckets(self) -> tuple[str, ...]:
        """The buckets that were called on."""
        return tuple(self._buckets)

    def keep_objects(self) -> None:
        """Writes the buckets' objects to the folder in which they are kept, and removes what was deleted."""
        if self.kept is None:
            return
        for name in self._buckets:
            folder = self.kept / name
            objects = {key: body for key, body in objects_of(ACCOUNT, name) if _is_plain(key)}
            for key, body in objects.items():
                path = folder / key
                if not path.is_file() or path.read_bytes() != body:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(body)
            for path in folder.rglob("*") if folder.is_dir() else ():
                if path.is_file() and path.relative_to(folder).as_posix() not in objects:
                    path.unlink()

    def _make_topic(self, resource: Resource) -> None:
        attributes = {"FifoTopic": "true"} if self._properties(resource).get("FifoTopic") else {}
        self.client("sns").create_topic(Name=self._name(resource), Attributes=attributes)

    def _make_queue(self, resource: Resource) -> None:
        attributes = {"FifoQueue": "true"} if self._properties(resource).get("FifoQueue") else {}
        self.client("sqs").create_queue(QueueName=self._name(resource), Attributes=attributes)

    def _make_bus(self, resource: Resource) -> None:
        self.client("events").create_event_bus(Name=self._name(resource))

    def _make_secret(self, resource: Resource) -> None:
        text = self._properties(resource).get("SecretString", "local")
        self.client("secretsmanager").create_secret(Name=self._name(resource), SecretString=str(text))

    def _make_parameter(self, resource: Resource) -> None:
        wanted = self._properties(resource)
        self.client("ssm").put_parameter(
            Name=self._name(resource), Value=str(wanted.get("Value", "")), Type=str(wanted.get("Type", "String"))
        )

    def _make_identity(self, resource: Resource) -> None:
        self.client("ses").verify_email_identity(EmailAddress=self._name(resource))


def _is_plain(key: str) -> bool:
    """Whether a key is a path below its folder: an S3 key may hold anything, `..` too."""
    return all(part not in ("", ".", "..") for part in key.split("/")) and "\0" not in key and "\\" not in key


_TABLE_PROPERTIES: Final = (
    "AttributeDefinitions",
    "KeySchema",
    "BillingMode",
    "ProvisionedThroughput",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
)
_NAMES: Final[Mapping[str, str]] = {
    "AWS::DynamoDB::Table": "TableName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::Events::EventBus": "Name",
    "AWS::SecretsManager::Secret": "Name",
    "AWS::SSM::Parameter": "Name",
    "AWS::SES::EmailIdentity": "EmailIdentity",
    "AWS::Logs::LogGroup": "LogGroupName",
    FUNCTION: "FunctionName",
    STATE_MACHINE: "Name",
}
_MAKERS: Final[Mapping[str, Mapping[str, Callable[[LocalStack, Resource], None]]]] = {
    "dynamodb": {"AWS::DynamoDB::Table": LocalStack._make_table},
    "s3": {"AWS::S3::Bucket": LocalStack._make_bucket},
    "sns": {"AWS::SNS::Topic": LocalStack._make_topic},
    "sqs": {"AWS::SQS::Queue": LocalStack._make_queue},
    "events": {"AWS::Events::EventBus": LocalStack._make_bus},
    "secretsmanager": {"AWS::SecretsManager::Secret": LocalStack._make_secret},
    "ssm": {"AWS::SSM::Parameter": LocalStack._make_parameter},
    "ses": {"AWS::SES::EmailIdentity": LocalStack._make_identity},
}
