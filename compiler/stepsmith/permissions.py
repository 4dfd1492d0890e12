"""What the role of a state machine must allow, so that the machine may make the calls of its `aws` steps.

Resources are as narrow as the params say: a table, bucket or topic that is written there, or set at deployment, is
named; where only a run knows it, every resource is allowed. Sources: the Service Authorization Reference, and the
developer guide's "IAM policies for integrated services".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, TypeAlias

from stepsmith.asl.names import environment_key
from stepsmith.catalog import Permission
from stepsmith.expressions.syntax import Template
from stepsmith.integrations import Integration, Place
from stepsmith.model.calls import CallPattern
from stepsmith.model.steps import AwsStep
from stepsmith.model.values import ListValue, Literal, ObjectValue, Templated, Value
from stepsmith.model.workflow import Workflow

EVERY: Final = "*"
IAM_PREFIXES: Final = {
    "bedrockruntime": "bedrock",
    "cloudwatchlogs": "logs",
    "eventbridge": "events",
    "sfn": "states",
}
"""IAM's prefixes where they are not the name of the service, for calls that no model describes."""

_ACTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "bedrockruntime:converse": ("bedrock:InvokeModel",),
    "bedrockruntime:invokeModel": ("bedrock:InvokeModel",),
    "dynamodb:transactGetItems": ("dynamodb:GetItem",),
    "dynamodb:transactWriteItems": (
        "dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem",
    ),
    "eks:runJob": (),
    "lambda:invoke": ("lambda:InvokeFunction",),
    "s3:completeMultipartUpload": ("s3:PutObject",),
    "s3:copyObject": ("s3:GetObject", "s3:PutObject"),
    "s3:createMultipartUpload": ("s3:PutObject",),
    "s3:deleteObjects": ("s3:DeleteObject",),
    "s3:headBucket": ("s3:ListBucket",),
    "s3:headObject": ("s3:GetObject",),
    "s3:listBuckets": ("s3:ListAllMyBuckets",),
    "s3:listObjectVersions": ("s3:ListBucketVersions",),
    "s3:listObjects": ("s3:ListBucket",),
    "s3:listObjectsV2": ("s3:ListBucket",),
    "s3:uploadPart": ("s3:PutObject",),
}  # fmt: skip
"""Calls that IAM knows by other names than the API's."""

_NEVER_LESS: Final = frozenset({"ec2:DescribeInstances"})
"""Actions that IAM allows on every resource or not at all."""

_OF_OBJECTS: Final = ("s3:deleteObjects",)
"""Calls on the objects of a bucket that name the objects elsewhere than in Key."""


def permissions_of(step: AwsStep, integration: Integration, workflow: Workflow) -> tuple[Permission, ...]:
    """The statements that the step needs; resources may hold `${…}` for CloudFormation to fill in."""
    key = f"{integration.package}:{integration.operation}"
    if key == "http:invoke":
        return tuple(_http(step, workflow))
    actions = _ACTIONS.get(key, (_action_of(integration),))
    if not actions:
        return ()
    resources = tuple(dict.fromkeys(_resources(step.params, integration, key))) or (EVERY,)
    if EVERY in resources:
        resources = (EVERY,)
    return (Permission(actions, resources), *_around(step, integration, key, resources))


def is_wide(permissions: Iterable[Permission]) -> bool:
    """Whether one of the calls themselves is allowed on every resource, and could be on less."""
    first = next(iter(permissions), None)
    return first is not None and EVERY in first.resources and not set(first.actions) <= _NEVER_LESS


def merged(permissions: Iterable[Permission]) -> tuple[Permission, ...]:
    """The same permissions with one statement per set of resources, in an order that does not depend on the steps'."""
    found: dict[tuple[tuple[str, ...], tuple[tuple[str, str, str], ...]], set[str]] = {}
    for each in permissions:
        found.setdefault((tuple(sorted(each.resources)), each.conditions), set()).update(each.actions)
    statements = [
        Permission(tuple(sorted(actions)), resources, conditions) for (resources, conditions), actions in found.items()
    ]
    return tuple(sorted(statements, key=lambda item: (item.actions, item.resources, item.conditions)))


def _action_of(integration: Integration) -> str:
    if integration.model is not None:
        return integration.model.iam_action
    prefix = IAM_PREFIXES.get(integration.package, integration.package)
    return f"{prefix}:{integration.operation[:1].upper()}{integration.operation[1:]}"


# -- what the call works on -----------------------------------------------------------------------


def _arn(service: str, rest: str) -> str:
    return f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{rest}"


Arns: TypeAlias = Callable[[str], Iterable[str]]


def _named(service: str, kind: str, *more: str) -> Arns:
    """ARNs from a name that may be an ARN itself; `more` stands behind it, where parts of the thing are meant too."""

    def arns(name: str) -> Iterator[str]:
        base = name if name.startswith("arn:") else _arn(service, f"{kind}{name}")
        yield from (f"{base}{end}" for end in ("", *more))

    return arns


def _as_given(name: str) -> Iterator[str]:
    """The param is an ARN."""
    yield name if name.startswith(("arn:", "${")) else EVERY


_QUEUE: Final = re.compile(r"https://[\w.-]+/(?P<account>\d{12})/(?P<name>[\w.-]+)\Z")
_QUEUE_HOST: Final = re.compile(r"https://sqs\.(?P<region>[\w-]+)\.amazonaws\.com(\.cn)?/")


def _queue(url: str) -> Iterator[str]:
    found, host = _QUEUE.match(url), _QUEUE_HOST.match(url)
    region = host["region"] if host else "${AWS::Region}"
    yield f"arn:${{AWS::Partition}}:sqs:{region}:{found['account']}:{found['name']}" if found else EVERY


def _secret(name: str) -> Iterator[str]:
    # Secrets Manager ends an ARN with a hyphen and six characters of its own ("What's in a secret").
    yield name if name.startswith("arn:") else _arn("secretsmanager", f"secret:{name}-??????")


def _parameter(name: str) -> Iterator[str]:
    yield name if name.startswith("arn:") else _arn("ssm", f"parameter/{name.removeprefix('/')}")


def _parameters_below(path: str) -> Iterator[str]:
    yield from (_arn("ssm", f"parameter/{path.strip('/')}{end}") for end in ("", "/*"))


def _task_definition(name: str) -> Iterator[str]:
    base = name if name.startswith("arn:") else _arn("ecs", f"task-definition/{name}")
    yield base if re.search(r":\d+\Z", base) else f"{base}:*"


def _model(name: str) -> Iterator[str]:
    """A model of Bedrock, or an inference profile over several Regions (`eu.…`), which needs the models there too."""
    if name.startswith(("arn:", "${")):
        yield name if name.startswith("arn:") else EVERY
    elif re.match(r"(us|eu|ap|apac|global|us-gov|jp|au|ca)\.", name):
        yield _arn("bedrock", f"inference-profile/{name}")
        yield f"arn:${{AWS::Partition}}:bedrock:*::foundation-model/{name.partition('.')[2]}"
    else:
        yield f"arn:${{AWS::Partition}}:bedrock:${{AWS::Region}}::foundation-model/{name}"


_table: Final = _named("dynamodb", "table/")
_indexed_table: Final = _named("dynamodb", "table/", "/index/*")
_function: Final = _named("lambda", "function:", ":*")

_TARGETS: Final[Mapping[str, tuple[tuple[Place, Arns], ...]]] = {
    "bedrockruntime": ((("ModelId",), _model),),
    "cloudwatchlogs": ((("LogGroupName",), _named("logs", "log-group:", ":*")),),
    "dynamodb": (
        (("TableName",), _table),
        (("RequestItems", "{}"), _table),
        *((("TransactItems", "[]", verb, "TableName"), _table) for verb in ("Get", "Put", "Update", "Delete")),
        (("TransactItems", "[]", "ConditionCheck", "TableName"), _table),
    ),
    "dynamodb:query": ((("TableName",), _indexed_table),),
    "dynamodb:scan": ((("TableName",), _indexed_table),),
    "ecs:runTask": ((("TaskDefinition",), _task_definition),),
    "eventbridge:putEvents": ((("Entries", "[]", "EventBusName"), _named("events", "event-bus/")),),
    "lambda": ((("FunctionName",), _function),),
    "secretsmanager": ((("SecretId",), _secret),),
    "sfn": ((("StateMachineArn",), _as_given), (("ExecutionArn",), _as_given)),
    "sns": ((("TopicArn",), _as_given), (("TargetArn",), _as_given)),
    "sqs": ((("QueueUrl",), _queue),),
    "ssm": ((("Name",), _parameter), (("Names", "[]"), _parameter), (("Path",), _parameters_below)),
}
"""By service, or by call where it differs: the params that name what is worked on, and the ARNs they mean."""

_SNAPSHOT: Final = "arn:${AWS::Partition}:ec2:${AWS::Region}::snapshot/*"
"""Snapshots have no account in their ARN."""
_USER: Final = "arn:${AWS::Partition}:iam::${AWS::AccountId}:user/*"
_GROUP: Final = _arn("ec2", "security-group/*")

_KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "ec2:createSecurityGroup": (_GROUP, _arn("ec2", "vpc/*")),
    "ec2:createSnapshot": (_SNAPSHOT, _arn("ec2", "volume/*")),
    "ec2:deleteSecurityGroup": (_GROUP,),
    "ec2:deleteSnapshot": (_SNAPSHOT,),
    "ec2:modifyNetworkInterfaceAttribute": (
        _GROUP, _arn("ec2", "instance/*"), _arn("ec2", "network-interface/*"),
    ),
    "ec2:revokeSecurityGroupEgress": (_GROUP,),
    "iam:listAccessKeys": (_USER,),
    "iam:updateAccessKey": (_USER,),
}  # fmt: skip
"""Calls that work on what only a run knows, but on nothing of another kind."""

_NAMELESS: Final = frozenset({"dynamodb:listTables", "lambda:listFunctions", "secretsmanager:createSecret"})
"""Calls of those services that work on no single thing although a param is called like one."""


def _resources(params: ObjectValue, integration: Integration, key: str) -> Iterator[str]:
    if integration.package == "s3":
        yield from _of_s3(params, key)
        return
    if key == "ssm:sendCommand":
        yield from _of_command(params)
        return
    if key in _NAMELESS:
        return
    yield from _KINDS.get(key, ())
    for place, arns in _TARGETS.get(key, _TARGETS.get(integration.package, ())):
        for name in _texts(params, place):
            if name is None:
                yield EVERY
            else:
                yield from arns(name)
    if key == "eventbridge:putEvents":
        yield from _default_bus(params)


def _of_s3(params: ObjectValue, key: str) -> Iterator[str]:
    for bucket in _texts(params, ("Bucket",)):
        if bucket is None:
            yield EVERY
            continue
        base = bucket if bucket.startswith("arn:") else f"arn:${{AWS::Partition}}:s3:::{bucket}"
        names = list(_texts(params, ("Key",)))
        if key in _OF_OBJECTS:
            names = [None]
        yield from (f"{base}/{name if name is not None else '*'}" for name in names)
        if not names:
            yield base
    if key == "s3:copyObject":
        for source in _texts(params, ("CopySource",)):
            path = source.removeprefix("/").partition("?")[0] if source is not None else ""
            yield f"arn:${{AWS::Partition}}:s3:::{path}" if path and not path.startswith("arn:") else EVERY


def _of_command(params: ObjectValue) -> Iterator[str]:
    """The document and the instances; those that tags choose cannot be named."""
    for name in _texts(params, ("DocumentName",)):
        if name is None:
            yield EVERY
        elif name.startswith("AWS-"):
            yield f"arn:${{AWS::Partition}}:ssm:${{AWS::Region}}::document/{name}"
        else:
            yield from _named("ssm", "document/")(name)
    if params.get("Targets") is not None:
        yield EVERY
    for instance in _texts(params, ("InstanceIds", "[]")):
        kind = "ssm" if instance is not None and instance.startswith("mi-") else "ec2"
        noun = "managed-instance" if kind == "ssm" else "instance"
        yield EVERY if instance is None else _arn(kind, f"{noun}/{instance}")


def _default_bus(params: ObjectValue) -> Iterator[str]:
    entries = params.get("Entries")
    for entry in entries.items if isinstance(entries, ListValue) else ():
        if isinstance(entry, ObjectValue) and entry.get("EventBusName") is None:
            yield _arn("events", "event-bus/default")


# -- what it needs besides ------------------------------------------------------------------------


def _around(step: AwsStep, integration: Integration, key: str, resources: tuple[str, ...]) -> Iterator[Permission]:
    job = integration.pattern is CallPattern.JOB
    if key == "sfn:startExecution" and job:
        executions = tuple(
            EVERY if arn == EVERY or arn.startswith("${") else f"{arn.replace(':stateMachine:', ':execution:')}:*"
            for arn in resources
        )
        yield Permission(("states:DescribeExecution", "states:StopExecution"), executions)
        yield _rule("StepFunctionsGetEventsForStepFunctionsExecutionRule")
    if key == "ecs:runTask":
        roles = [
            role
            for place in (("Overrides", "TaskRoleArn"), ("Overrides", "ExecutionRoleArn"))
            for role in _texts(step.params, place)
        ]
        known = tuple(role for role in roles if role is not None)
        yield Permission(
            ("iam:PassRole",),
            known if len(known) == 2 else (EVERY,),
            (("StringEquals", "iam:PassedToService", "ecs-tasks.amazonaws.com"),),
        )
        if job:
            yield Permission(("ecs:DescribeTasks", "ecs:StopTask"), (EVERY,))
            yield _rule("StepFunctionsGetEventsForECSTaskRule")


def _rule(name: str) -> Permission:
    """The rule by which Step Functions learns that a job has ended."""
    return Permission(("events:DescribeRule", "events:PutRule", "events:PutTargets"), (_arn("events", f"rule/{name}"),))


def _http(step: AwsStep, workflow: Workflow) -> Iterator[Permission]:
    # The machine's ARN is put together from its name: a role that refers to its own machine would be a cycle.
    machine = _arn("states", f"stateMachine:${{AWS::StackName}}_{workflow.name}")
    conditions = []
    for place, name in ((("ApiEndpoint",), "states:HTTPEndpoint"), (("Method",), "states:HTTPMethod")):
        conditions += [("StringEquals", name, text) for text in _texts(step.params, place) if text is not None]
    yield Permission(("states:InvokeHTTPEndpoint",), (machine,), tuple(conditions))
    places = (("InvocationConfig", "ConnectionArn"), ("Authentication", "ConnectionArn"))
    connections = [arn for place in places for arn in _texts(step.params, place)]
    known = tuple(arn for arn in connections if arn is not None)
    yield Permission(("events:RetrieveConnectionCredentials",), known if known else (EVERY,))
    yield Permission(
        ("secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"),
        (_arn("secretsmanager", "secret:events!connection/*"),),
    )


# -- reading params -------------------------------------------------------------------------------


def _texts(value: Value | None, place: Place) -> Iterator[str | None]:
    """The texts at a place in params: nothing where it is left out, None where only a run knows it."""
    if value is None:
        return
    if not place:
        yield _text(value)
        return
    match place[0], value:
        case _, Templated():
            yield None
        case "[]", ListValue():
            for item in value.items:
                yield from _texts(item, place[1:])
        case "{}", ObjectValue():
            yield from (_escaped(item.key) for item in value.fields)
        case name, ObjectValue():
            yield from _texts(value.get(name), place[1:])
        case _:
            return


def _text(value: Value) -> str | None:
    match value:
        case Literal(value=str() as text):
            return _escaped(text)
        case Templated():
            return _deployed(value.template)
        case _:
            return None


_ENVIRONMENT: Final = re.compile(r"\s*env\.([A-Z][A-Z0-9_]*)\s*\Z")


def _deployed(template: Template) -> str | None:
    """A text that the deployment completes: nothing but `env.NAME` is read in it."""
    parts = []
    for part in template.parts:
        if isinstance(part, str):
            parts.append(_escaped(part))
            continue
        found = _ENVIRONMENT.match(part.source)
        if found is None:
            return None
        parts.append(f"${{{environment_key(found[1])}}}")
    return "".join(parts)


def _escaped(text: str) -> str:
    """`text` for CloudFormation's Sub, to which `${` means something."""
    return text.replace("${", "${!")
