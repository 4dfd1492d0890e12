"""What Step Functions makes of a call such as `dynamodb:putItem`: which resource, with which params and result.

Some calls have an optimised integration, which takes objects where the API wants texts and can wait for the end of a
job; all others go through the AWS SDK integration. Source: the developer guide, "Integrating services", and what was
recorded from AWS.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, TypeAlias, assert_never

from stepsmith.expressions.types import (
    ANY,
    BOOLEAN,
    INTEGER,
    NUMBER,
    OBJECT,
    TEXT,
    ListType,
    ObjectType,
    Property,
    Type,
)
from stepsmith.model.calls import CallPattern
from stepsmith.model.steps import AwsStep
from stepsmith.services import (
    AnyShape,
    BlobShape,
    BooleanShape,
    ListShape,
    MapShape,
    Member,
    NumberShape,
    Service,
    ServiceCatalog,
    ServiceOperation,
    Shape,
    StructureShape,
    TextShape,
    TimestampShape,
)

Place: TypeAlias = tuple[str, ...]
"""A place in params: member names, and `[]` for the items of a list."""

ALIASES: Final = {"states": "sfn", "events": "eventbridge"}
"""Services whose optimised integrations are called otherwise than in the AWS SDK: whoever writes `events:putEvents`
may write `events:putRule`."""

_DOCUMENT: Final = AnyShape(frozenset({"object", "array", "string"}))
_OBJECT: Final = AnyShape(frozenset({"object"}))
_TOKEN: Final = (CallPattern.ANSWER, CallPattern.TOKEN)
_JOB: Final = (*_TOKEN, CallPattern.JOB)
_METADATA: Final = {"SdkHttpMetadata": Property(OBJECT), "SdkResponseMetadata": Property(OBJECT)}


@dataclass(frozen=True, slots=True)
class Optimised:
    """An optimised integration."""

    resource: str
    """What stands after `arn:…:states:::`, without the pattern."""
    package: str
    """The service whose operation it calls, and …"""
    operation: str
    errors: str
    """What stands before its errors; empty where nobody recorded them."""
    patterns: tuple[CallPattern, ...] = (CallPattern.ANSWER,)
    job: str = "sync"
    """How the resource asks to wait for the job."""
    documents: Mapping[Place, AnyShape] = field(default_factory=dict)
    """Params that take JSON where the API wants its text."""
    extra: tuple[str, ...] = ()
    """Params that the API does not have; `documents` says what they take."""
    result: Type | None = None
    """The result, where it is not the API's."""
    job_output: str | None = None
    """The shape of the result when it waits for the job; None: nobody recorded it."""


OPTIMISED: Final = (
    Optimised(
        "lambda:invoke", "lambda", "invoke", "", _TOKEN,
        documents={("Payload",): _DOCUMENT},
        result=ObjectType(
            {"ExecutedVersion": Property(TEXT), "Payload": Property(ANY), "StatusCode": Property(INTEGER), **_METADATA},
            closed=True,
        ),
    ),
    Optimised(
        "states:startExecution", "sfn", "startExecution", "StepFunctions", _JOB, "sync:2",
        documents={("Input",): _DOCUMENT}, job_output="DescribeExecutionOutput",
    ),
    *(
        Optimised(f"dynamodb:{name}", "dynamodb", name, "DynamoDB")
        for name in ("getItem", "putItem", "updateItem", "deleteItem")
    ),
    Optimised("sns:publish", "sns", "publish", "SNS", _TOKEN, documents={("Message",): _DOCUMENT}),
    Optimised("sqs:sendMessage", "sqs", "sendMessage", "SQS", _TOKEN, documents={("MessageBody",): _DOCUMENT}),
    Optimised(
        "events:putEvents", "eventbridge", "putEvents", "EventBridge", _TOKEN,
        documents={("Entries", "[]", "Detail"): _DOCUMENT},
    ),
    Optimised(
        "ecs:runTask", "ecs", "runTask", "", _JOB, job_output="Task",
    ),
    Optimised("eks:runJob", "eks", "runJob", "", (CallPattern.JOB,)),
    Optimised(
        "bedrock:invokeModel", "bedrockruntime", "invokeModel", "",
        documents={("Body",): AnyShape(), ("Input",): _OBJECT, ("Output",): _OBJECT},
        extra=("Input", "Output"),
        result=ObjectType({"Body": Property(ANY), "ContentType": Property(TEXT)}, closed=True),
    ),
    Optimised(
        "http:invoke", "http", "invoke", "",
        result=ObjectType(
            {
                "StatusCode": Property(INTEGER),
                "StatusText": Property(TEXT),
                "Headers": Property(OBJECT),
                "ResponseBody": Property(ANY),
            },
            closed=True,
        ),
    ),
)  # fmt: skip


# -- operations that are Step Functions' own ------------------------------------------------------


def _structure(required: Mapping[str, str], optional: Mapping[str, str]) -> StructureShape:
    return StructureShape(
        (
            *(Member(name, name, shape, required=True) for name, shape in required.items()),
            *(Member(name, name, shape) for name, shape in optional.items()),
        )
    )


_OWN_SHAPES: Final[Mapping[str, Shape]] = {
    "Text": TextShape(),
    "Flag": BooleanShape(),
    "Any": AnyShape(),
    "Object": _OBJECT,
    "Method": TextShape(("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")),
    "Connection": _structure({"ConnectionArn": "Text"}, {}),
    "Encoding": TextShape(("NONE", "URL_ENCODED")),
    "ArrayFormat": TextShape(("INDICES", "REPEAT", "COMMAS", "BRACKETS")),
    "EncodingOptions": _structure({}, {"ArrayFormat": "ArrayFormat"}),
    "Transform": _structure({}, {"RequestBodyEncoding": "Encoding", "RequestEncodingOptions": "EncodingOptions"}),
    "HttpInvoke": _structure(
        {"ApiEndpoint": "Text", "Method": "Method"},
        {
            "InvocationConfig": "Connection",
            "Authentication": "Connection",
            "Headers": "Object",
            "QueryParameters": "Object",
            "RequestBody": "Any",
            "Transform": "Transform",
        },
    ),
    "LogOptions": _structure({}, {"RetrieveLogs": "Flag", "RawLogs": "Flag", "LogParameters": "Object"}),
    "EksRunJob": _structure(
        {"ClusterName": "Text", "CertificateAuthority": "Text", "Endpoint": "Text", "Job": "Object"},
        {"Namespace": "Text", "LogOptions": "LogOptions"},
    ),
}

_OWN: Final = {
    ("http", "invoke"): ServiceOperation(
        Service("http", "States.Http", "states"), "invoke", "HttpInvoke", None, _OWN_SHAPES
    ),
    ("eks", "runJob"): ServiceOperation(Service("eks", "Eks", "eks"), "runJob", "EksRunJob", None, _OWN_SHAPES),
}
"""Documented under "Call third-party APIs" and "Create and manage Amazon EKS clusters"."""


# -- a call ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Integration:
    """How Step Functions does what an `aws` step asks for."""

    package: str
    operation: str
    pattern: CallPattern
    optimised: Optimised | None
    model: ServiceOperation | None
    """None: no service model was at hand, or it has no such operation."""

    @property
    def name(self) -> str:
        """The call in messages."""
        return self.optimised.resource if self.optimised else f"{self.package}:{self.operation}"

    @property
    def resource(self) -> str:
        """The Resource of the Task."""
        base = self.optimised.resource if self.optimised else f"aws-sdk:{self.package}:{self.operation}"
        match self.pattern:
            case CallPattern.ANSWER:
                pattern = ""
            case CallPattern.JOB:
                pattern = f".{self.optimised.job if self.optimised else 'sync'}"
            case CallPattern.TOKEN:
                pattern = ".waitForTaskToken"
            case _:
                assert_never(self.pattern)
        return f"arn:${{Partition}}:states:::{base}{pattern}"

    def members(self, shape: StructureShape, place: Place) -> dict[str, Member]:
        """The members that a structure at a place in params may have, by the names that authors write."""
        found = {self.spelt(member): member for member in shape.members}
        if self.optimised and not place:
            found |= {name: Member(name, name, "") for name in self.optimised.extra}
        return found

    def spelt(self, member: Member) -> str:
        """The name of a member as this integration spells it."""
        return member.name if self.optimised else member.sdk_name

    def takes(self, place: Place, name: str) -> Shape:
        """The shape called `name`, as this integration takes it at a place in params."""
        document = self.optimised.documents.get(place) if self.optimised else None
        if document is not None:
            return document
        return self.model.shapes[name] if self.model else AnyShape()

    @cached_property
    def result_type(self) -> Type:
        """The type of `$states.result`. What is optional in the API is known by name, but not known to be there."""
        if self.pattern is CallPattern.TOKEN:
            return ANY
        model, optimised = self.model, self.optimised
        if self.pattern is CallPattern.JOB:
            if optimised is None or optimised.job_output is None or model is None:
                return ANY
            return _Types(self, free=("Input", "Output")).of(optimised.job_output)
        if optimised is not None and optimised.result is not None:
            return optimised.result
        if model is None:
            return ANY
        result = _Types(self).of(model.output) if model.output else ObjectType(closed=True)
        if optimised is not None and isinstance(result, ObjectType):
            return ObjectType({**result.properties, **_METADATA}, closed=True)
        return result

    @cached_property
    def errors(self) -> frozenset[str] | None:
        """The errors that the call may fail with; None where they cannot be known."""
        model, optimised = self.model, self.optimised
        if model is None or self.pattern is CallPattern.TOKEN or (optimised and not optimised.errors):
            return None
        known = (*model.errors, *model.service.errors)
        if optimised is None:
            prefix = model.service.error_prefix
            names = {error.sdk_name for error in known} | {f"{prefix}Exception", "SdkClientException"}
            return frozenset(f"{prefix}.{name}" for name in names)
        prefix = optimised.errors
        names = {error.name for error in known} | {f"Amazon{prefix}Exception", f"AWS{prefix}Exception"}
        if optimised.resource == "events:putEvents":
            names.add("FailedEntry")
        return frozenset(f"{prefix}.{name}" for name in names | {"SdkClientException"})

    def likely_errors(self) -> Collection[str]:
        """The errors that the API documents for this operation."""
        if self.model is None or self.errors is None:
            return ()
        prefix = self.optimised.errors if self.optimised else self.model.service.error_prefix
        names = (error.name if self.optimised else error.sdk_name for error in self.model.errors)
        return [f"{prefix}.{name}" for name in names]


def integration_of(step: AwsStep, services: ServiceCatalog | None) -> Integration:
    """What Step Functions makes of the step, known or not."""
    package = ALIASES.get(step.service, step.service)
    optimised = optimised_for(step.service, step.operation)
    key = (optimised.package, optimised.operation) if optimised else (package, step.operation)
    if optimised is not None and step.waits and step.pattern not in optimised.patterns and key not in _OWN:
        # What the optimised integration does not wait for, that of the AWS SDK does.
        optimised = None
    model = _OWN.get(key) or (services.operation(*key) if services is not None else None)
    return Integration(key[0], key[1], step.pattern, optimised, model)


def optimised_for(service: str, operation: str) -> Optimised | None:
    """The optimised integration that does what `service:operation` asks for."""
    package = ALIASES.get(service, service)
    for item in OPTIMISED:
        if item.operation == operation and package in (item.package, item.resource.partition(":")[0]):
            return item
    return None


@dataclass
class _Types:
    """Turns shapes of a result into types."""

    integration: Integration
    free: tuple[str, ...] = ()
    """Members of the outermost structure that come as JSON, not as its text."""
    _made: dict[str, Type] = field(default_factory=dict)

    def of(self, name: str) -> Type:
        """The type of the shape called `name`; where a shape holds itself, anything."""
        if name not in self._made:
            self._made[name] = ANY
            assert self.integration.model is not None
            outermost = len(self._made) == 1
            self._made[name] = self._type(self.integration.model.shapes[name], self.free if outermost else ())
        return self._made[name]

    def _type(self, shape: Shape, free: tuple[str, ...]) -> Type:
        match shape:
            case TextShape():
                return TEXT
            case NumberShape():
                return INTEGER if shape.integer else NUMBER
            case BooleanShape():
                return BOOLEAN
            case TimestampShape():
                # The AWS SDK integration gives text; optimised ones were recorded with numbers.
                return ANY if self.integration.optimised else TEXT
            case BlobShape():
                return TEXT
            case AnyShape():
                return ANY
            case ListShape():
                return ListType(self.of(shape.item))
            case MapShape():
                return ObjectType(rest=self.of(shape.value))
            case StructureShape():
                properties = {}
                for member in shape.members:
                    type_ = ANY if member.name in free else self.of(member.shape)
                    properties[self.integration.spelt(member)] = Property(type_, member.required, doubted=False)
                return ObjectType(properties, closed=True)
            case _:
                assert_never(shape)
