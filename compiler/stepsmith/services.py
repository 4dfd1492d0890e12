"""What an operation of an AWS service is: its members, their shapes, its errors.

Data only. Where it comes from is not this module's business: whoever compiles a workflow with `aws` steps hands in a
`ServiceCatalog`. Members carry both spellings that Step Functions knows, so that nobody else spells one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class TextShape:
    """A text; `choices` are the values that the model lists, if it lists them (AWS adds to such lists)."""

    choices: tuple[str, ...] = ()
    least: int = 0
    """Characters."""


@dataclass(frozen=True, slots=True)
class NumberShape:
    """A number; `least` and `most` are the ends of its range."""

    integer: bool
    least: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True)
class BooleanShape:
    """true or false."""


@dataclass(frozen=True, slots=True)
class TimestampShape:
    """A time: an ISO 8601 text or seconds."""


@dataclass(frozen=True, slots=True)
class BlobShape:
    """Bytes: Step Functions takes any JSON and gives text."""


@dataclass(frozen=True, slots=True)
class AnyShape:
    """Any JSON of these kinds, in the words of `stepsmith.expressions.types.kinds`; empty: of every kind."""

    kinds: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ListShape:
    item: str
    """The name of the items' shape."""
    least: int = 0
    """Items."""


@dataclass(frozen=True, slots=True)
class MapShape:
    """An object with free keys."""

    value: str
    """The name of the values' shape."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a structure."""

    name: str
    """As an optimised integration spells it: the API's name with a capital first letter (`BOOL`)."""
    sdk_name: str
    """As an AWS SDK integration spells it: as the AWS SDK for Java 2 does (`Bool`)."""
    shape: str
    """The name of its shape."""
    required: bool = False
    idempotency_token: bool = False
    """SDKs make one up where none is given; Step Functions wants it to be given."""


@dataclass(frozen=True, slots=True)
class StructureShape:
    members: tuple[Member, ...]
    union: bool = False
    """Exactly one of the members is given."""


Shape: TypeAlias = (
    TextShape
    | NumberShape
    | BooleanShape
    | TimestampShape
    | BlobShape
    | AnyShape
    | ListShape
    | MapShape
    | StructureShape
)


@dataclass(frozen=True, slots=True)
class ErrorName:
    """An error of a service in both spellings, without the service's name before it."""

    name: str
    sdk_name: str


@dataclass(frozen=True, slots=True)
class Service:
    """A service as Step Functions, IAM and error names know it."""

    package: str
    """The name in `aws-sdk:PACKAGE:…`: that of the Java SDK's package."""
    error_prefix: str
    """What stands before the errors of AWS SDK integrations: `DynamoDb`."""
    iam_prefix: str
    """What stands before the actions of IAM: `dynamodb`."""
    errors: tuple[ErrorName, ...] = field(default=(), repr=False)
    """Every error that the service's model knows."""


@dataclass(frozen=True, slots=True)
class ServiceOperation:
    """One operation of a service."""

    service: Service
    name: str
    """As `aws:` spells it: `putItem`."""
    input: str | None
    """The name of the shape of its params; None: it takes none."""
    output: str | None
    """The name of the shape of its result; None: it has none."""
    shapes: Mapping[str, Shape] = field(repr=False)
    """Shapes by name; a shape may refer to itself."""
    errors: tuple[ErrorName, ...] = field(default=(), repr=False)
    """The errors that the model names for this operation."""
    streams: bool = False
    """It sends or receives a stream of events, which no state can do."""

    @property
    def iam_action(self) -> str:
        """The action of IAM that bears its name."""
        return f"{self.service.iam_prefix}:{self.name[:1].upper()}{self.name[1:]}"


class ServiceCatalog(Protocol):
    """The operations of AWS."""

    def operation(self, service: str, operation: str) -> ServiceOperation | None:
        """An operation by the Java package of its service and its name with a small first letter, as in
        `dynamodb`, `putItem`; None if there is none."""
        ...

    def services(self) -> Mapping[str, str]:
        """Every name that people may know a service by, with its Java package."""
        ...

    def operations(self, service: str) -> Collection[str]:
        """The names of a service's operations; empty for an unknown service."""
        ...
