"""The operations of AWS as botocore's service models describe them.

The models are JSON files of botocore's data folder. They are read one service at a time, when a workflow asks for it,
and botocore itself is never imported: that would cost more than all of a check.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from stepsmith.local import casing
from stepsmith.services import (
    AnyShape,
    BlobShape,
    BooleanShape,
    ErrorName,
    ListShape,
    MapShape,
    Member,
    NumberShape,
    Service,
    ServiceOperation,
    Shape,
    StructureShape,
    TextShape,
    TimestampShape,
)

IAM_PREFIXES: Final[Mapping[str, str]] = {
    "monitoring": "cloudwatch",
    "tagging": "tag",
    "iotdata": "iot",
    "iot-jobs-data": "iot",
    "IoTSecuredTunneling": "iot",
    "mturk-requester": "mechanicalturk",
    "awsssoportal": "sso",
    "sso-oauth": "sso-oauth",
}
"""IAM's prefixes that are neither the signing name nor the endpoint of a service (Service Authorization Reference)."""


class ServiceModels:
    """A `ServiceCatalog` over the models of the installed botocore, or of another folder laid out like its data."""

    def __init__(self, folder: Path | None = None) -> None:
        self._given = folder
        self._loaded: dict[str, _Model | None] = {}

    def operation(self, service: str, operation: str) -> ServiceOperation | None:
        model = self._model(service)
        return model.operation(operation) if model else None

    def services(self) -> Mapping[str, str]:
        names: dict[str, str] = {}
        for boto in self._names:
            package = casing.java_package(boto)
            names |= {boto: package, package: package}
        return names

    def operations(self, service: str) -> Collection[str]:
        model = self._model(service)
        return tuple(model.operations) if model else ()

    def _model(self, service: str) -> _Model | None:
        if service not in self._loaded:
            boto = casing.boto_service(service, self._names)
            data = self._read(boto) if boto is not None else None
            self._loaded[service] = _Model(service, data) if data is not None else None
        return self._loaded[service]

    def _read(self, boto: str) -> Any:
        versions = sorted(path for path in (self._folder / boto).iterdir() if path.is_dir())
        for version in reversed(versions):
            packed, plain = version / "service-2.json.gz", version / "service-2.json"
            if packed.is_file():
                return json.loads(gzip.decompress(packed.read_bytes()))
            if plain.is_file():
                return json.loads(plain.read_bytes())
        return None

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(sorted(path.name for path in self._folder.iterdir() if path.is_dir()))

    @cached_property
    def _folder(self) -> Path:
        if self._given is not None:
            return self._given
        found = find_spec("botocore")
        if found is None or found.origin is None:
            raise FileNotFoundError("botocore is not installed")
        return Path(found.origin).parent / "data"


class _Model:
    """The model of one service."""

    def __init__(self, package: str, data: dict[str, Any]) -> None:
        metadata = data["metadata"]
        self._operations: dict[str, dict[str, Any]] = data["operations"]
        self._raw: dict[str, dict[str, Any]] = data["shapes"]
        self._shapes = _Shapes(self._raw)
        prefix = metadata.get("signingName") or metadata["endpointPrefix"]
        errors = (name for name, shape in self._raw.items() if shape.get("exception"))
        self._service = Service(
            package,
            casing.java_service(metadata["serviceId"]),
            IAM_PREFIXES.get(prefix, prefix),
            tuple(_error(name) for name in errors),
        )

    @cached_property
    def operations(self) -> dict[str, str]:
        """The API's names by those that Step Functions uses."""
        return {name[:1].lower() + name[1:]: name for name in self._operations}

    def operation(self, name: str) -> ServiceOperation | None:
        api = self.operations.get(name)
        if api is None:
            return None
        raw = self._operations[api]
        given, answered = (raw.get(key, {}).get("shape") for key in ("input", "output"))
        return ServiceOperation(
            self._service,
            name,
            given,
            answered,
            self._shapes,
            tuple(_error(error["shape"]) for error in raw.get("errors", ())),
            streams=any(self._streams(shape) for shape in (given, answered) if shape),
        )

    def _streams(self, shape: str) -> bool:
        members = self._raw[shape].get("members", {}).values()
        return any(self._raw[member["shape"]].get("eventstream") for member in members)


class _Shapes(Mapping[str, Shape]):
    """The shapes of a service, made when they are asked for: a service has thousands, a workflow uses few."""

    def __init__(self, raw: Mapping[str, dict[str, Any]]) -> None:
        self._raw = raw
        self._made: dict[str, Shape] = {}

    def __getitem__(self, name: str) -> Shape:
        if name not in self._made:
            self._made[name] = _shape(self._raw[name])
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)


def _shape(raw: Mapping[str, Any]) -> Shape:
    if raw.get("document") or raw.get("jsonvalue"):
        return AnyShape()
    match raw["type"]:
        case "structure":
            required = raw.get("required", ())
            members = tuple(_member(name, member, name in required) for name, member in raw.get("members", {}).items())
            return StructureShape(members, union=bool(raw.get("union")))
        case "list":
            return ListShape(raw["member"]["shape"], raw.get("min", 0))
        case "map":
            return MapShape(raw["value"]["shape"])
        case "string" | "character":
            return TextShape(tuple(raw.get("enum", ())), raw.get("min", 0))
        case "integer" | "long":
            return NumberShape(True, raw.get("min"), raw.get("max"))
        case "float" | "double":
            return NumberShape(False, raw.get("min"), raw.get("max"))
        case "boolean":
            return BooleanShape()
        case "timestamp":
            return TimestampShape()
        case "blob":
            return BlobShape()
        case _:
            return AnyShape()


def _member(name: str, raw: Mapping[str, Any], required: bool) -> Member:
    return Member(
        casing.optimised_member(name),
        casing.java_member(name),
        raw["shape"],
        required,
        idempotency_token=bool(raw.get("idempotencyToken")),
    )


def _error(shape: str) -> ErrorName:
    return ErrorName(casing.exception_name(shape), casing.java_exception_name(shape))
