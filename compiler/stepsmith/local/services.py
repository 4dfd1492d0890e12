"""Tasks that call an AWS service without a Lambda function, done by boto3 against the emulated AWS.

Arguments and results are converted between Step Functions' and botocore's spelling by the service's own model,
and errors get the names and causes that were recorded from AWS. boto3's answers are untyped and become plain
JSON here.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from stepsmith.document import Json
from stepsmith.engine.values import Json as Value
from stepsmith.local import casing

_RESOURCE: Final = re.compile(
    r"arn:aws[\w-]*:states:::(?P<sdk>aws-sdk:)?(?P<service>\w+):(?P<action>\w+)(?:\.(?P<pattern>[\w:]+))?\Z"
)
_TEXT_OR_OBJECT: Final = {
    ("sns", "Publish"): ("Message",),
    ("sqs", "SendMessage"): ("MessageBody",),
    ("stepfunctions", "StartExecution"): ("Input",),
}
"""Members of optimised integrations that take an object and send its JSON text (recorded)."""


@dataclass(frozen=True, slots=True)
class Integration:
    """A task's resource, taken apart."""

    service: str
    """As the resource spells it, without `aws-sdk:`."""
    action: str
    sdk: bool
    pattern: str
    """Empty, `sync`, `sync:2` or `waitForTaskToken`."""


class ServiceError(Exception):
    """The call failed; `error` and `cause` are what Step Functions shows."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause


def integration_of(resource: str) -> Integration | None:
    """What the resource of a Task asks for; None for the ARN of a function or an activity."""
    match = _RESOURCE.match(resource)
    if match is None:
        return None
    return Integration(match["service"], match["action"], match["sdk"] is not None, match["pattern"] or "")


@dataclass
class Services:
    """Calls services through boto3; `client` hands out its clients."""

    client: Callable[[str], Any]
    available: Callable[[], list[str]]
    """The names of all services that boto3 knows."""
    _names: list[str] | None = field(default=None, init=False, repr=False)

    def call(self, integration: Integration, arguments: Value) -> dict[str, Json]:
        """The result of the integration's API call, spelt as Step Functions does. Raises ServiceError."""
        service, prefix, called = self._service(integration)
        client = self.client(service)
        model = client.meta.service_model
        operation = casing.boto_operation(integration.action, model.operation_names)
        if operation is None:
            raise ServiceError("States.Runtime", f"The action {integration.action} of {service} does not exist")
        if not prefix:
            prefix = called = casing.java_service(model.service_id)
        shapes = model.operation_model(operation)
        given: dict[str, Value] = dict(arguments) if isinstance(arguments, Mapping) else {}
        if not integration.sdk:
            given = _with_texts(service, operation, given)
        try:
            answer = getattr(client, _method(client, operation))(**_to_boto(given, shapes.input_shape))
        except Exception as error:
            raise _translated(error, model, prefix, called, integration.sdk) from error
        spell = casing.java_member if integration.sdk else casing.optimised_member
        metadata = answer.pop("ResponseMetadata", {})
        result = _from_boto(answer, shapes.output_shape, spell)
        assert isinstance(result, dict)
        if not integration.sdk:
            _refuse_failed_entries(service, operation, result)
            result.update(_metadata(metadata))
        return result

    def _service(self, integration: Integration) -> tuple[str, str, str]:
        if not integration.sdk:
            if integration.service not in casing.OPTIMISED:
                message = f"The resource {integration.service}:{integration.action} is not available in a local run"
                raise ServiceError("States.Runtime", message)
            return casing.OPTIMISED[integration.service]
        if self._names is None:
            self._names = self.available()
        service = casing.boto_service(integration.service, self._names)
        if service is None:
            raise ServiceError("States.Runtime", f"The service {integration.service} does not exist")
        return service, "", ""


def _method(client: Any, operation: str) -> str:
    methods: Mapping[str, str] = client.meta.method_to_api_mapping
    return next(method for method, name in methods.items() if name == operation)


def _with_texts(service: str, operation: str, given: dict[str, Value]) -> dict[str, Value]:
    """Objects where the API wants a text become their JSON, as optimised integrations do for us."""
    for name in _TEXT_OR_OBJECT.get((service, operation), ()):
        if isinstance(given.get(name), (dict, list)):
            given[name] = compact(given[name])
    if (service, operation) == ("events", "PutEvents"):
        entries = given.get("Entries")
        if isinstance(entries, list):
            given["Entries"] = [_event_entry(entry) for entry in entries]
    return given


def _event_entry(entry: Value) -> Value:
    if isinstance(entry, dict) and isinstance(entry.get("Detail"), (dict, list)):
        return {**entry, "Detail": compact(entry["Detail"])}
    return entry


def _to_boto(value: Any, shape: Any) -> Any:
    """Arguments with botocore's member names and Python types."""
    if shape is None:
        return {}
    if shape.type_name == "structure" and isinstance(value, dict):
        if getattr(shape, "is_document_type", False):
            return value
        renamed = {}
        for name, item in value.items():
            member = casing.boto_member(name, shape.members)
            # An unknown name stays as it is: botocore then says so, as AWS does.
            renamed[member or name] = _to_boto(item, shape.members[member]) if member else item
        return renamed
    if shape.type_name == "list" and isinstance(value, list):
        return [_to_boto(item, shape.member) for item in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: _to_boto(item, shape.value) for key, item in value.items()}
    if shape.type_name == "blob":
        # A text is stored as its JSON, with the quotes (recorded for S3 PutObject).
        return compact(value).encode()
    if shape.type_name == "string" and isinstance(value, (dict, list)):
        return compact(value)
    if shape.type_name in ("integer", "long") and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _from_boto(value: Any, shape: Any, spell: Callable[[str], str]) -> Json:
    """A result as plain JSON with Step Functions' member names."""
    if isinstance(value, dict):
        if shape is not None and shape.type_name == "map":
            return {str(key): _from_boto(item, shape.value, spell) for key, item in value.items()}
        members = shape.members if shape is not None and shape.type_name == "structure" else {}
        return {spell(key): _from_boto(item, members.get(key), spell) for key, item in value.items()}
    if isinstance(value, list):
        inner = shape.member if shape is not None and shape.type_name == "list" else None
        return [_from_boto(item, inner, spell) for item in value]
    if isinstance(value, datetime):
        text = value.astimezone(UTC).isoformat(timespec="milliseconds")
        return text.replace("+00:00", "Z").replace(".000Z", "Z")
    if hasattr(value, "read"):
        data = value.read()
        return data.decode("utf-8", "replace") if isinstance(data, bytes) else str(data)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    plain: Json = value
    return plain


def _refuse_failed_entries(service: str, operation: str, result: dict[str, Json]) -> None:
    """One refused event fails the whole task (recorded)."""
    if (service, operation) == ("events", "PutEvents") and result.get("FailedEntryCount"):
        raise ServiceError("EventBridge.FailedEntry", compact(result))


def _metadata(metadata: Mapping[str, Any]) -> dict[str, Json]:
    """What optimised integrations add to the API's answer (recorded)."""
    headers: dict[str, Json] = {str(name): str(value) for name, value in metadata.get("HTTPHeaders", {}).items()}
    every: dict[str, Json] = {name: [value] for name, value in headers.items()}
    status: Json = metadata.get("HTTPStatusCode", 200)
    request: Json = metadata.get("RequestId", "")
    return {
        "SdkHttpMetadata": {"AllHttpHeaders": every, "HttpHeaders": headers, "HttpStatusCode": status},
        "SdkResponseMetadata": {"RequestId": request},
    }


def _translated(error: Exception, model: Any, prefix: str, called: str, sdk: bool) -> ServiceError:
    response: Mapping[str, Any] | None = getattr(error, "response", None)
    if not response:
        kind = type(error).__name__
        if kind == "ParamValidationError":
            return ServiceError("States.Runtime", f"The Arguments could not be used to start the Task: {error}")
        return ServiceError(f"{prefix}.SdkClientException", f"{kind}: {error}")
    told = response.get("Error", {})
    code, message = str(told.get("Code", "")), str(told.get("Message", ""))
    metadata = response.get("ResponseMetadata", {})
    status, request = metadata.get("HTTPStatusCode", 400), metadata.get("RequestId", "")
    modelled = _error_shape(model, code)
    if sdk:
        name = casing.java_exception_name(modelled) if modelled else f"{prefix}Exception"
        cause = f"{message} (Service: {prefix}, Status Code: {status}, Request ID: {request}) (SDK Attempt Count: 1)"
    else:
        name = casing.exception_name(modelled) if modelled else f"Amazon{prefix}Exception"
        cause = (
            f"{message} (Service: {called}; Status Code: {status}; Error Code: {code}; "
            f"Request ID: {request}; Proxy: null)"
        )
    return ServiceError(f"{prefix}.{name}", cause)


def _error_shape(model: Any, code: str) -> str | None:
    """The name of the modelled error that an answer's code means."""
    bare = code.rpartition("#")[2].rpartition(".")[2]
    for shape in model.error_shapes:
        declared = shape.metadata.get("error", {}).get("code")
        if bare in (shape.name, declared) or _equal(bare, shape.name):
            return str(shape.name)
    return None


def _equal(left: str, right: str) -> bool:
    """Whether two spellings of an error differ only in the ending `Exception`."""
    return casing.exception_name(left) == casing.exception_name(right)


def compact(value: Value) -> str:
    """JSON text as Step Functions writes it: no blanks, no escapes beyond JSON's own."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
