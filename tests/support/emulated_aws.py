"""The emulated AWS of this process over HTTP, for functions that run in a process of their own.

moto's own server would need a web framework; here each request goes to the emulation that `mock_aws` has begun, as a
call of this process would. A test sees every call, refuses those that the caller's policies do not grant, and steps in
between: a hook is called in place of the service and may answer, or do something and let the service answer.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TypeAlias
from urllib.parse import parse_qs, unquote, urlsplit

from botocore.awsrequest import AWSPreparedRequest
from moto.core.models import botocore_stubber

from tests.support.runtime_api import Server

ACCOUNT, REGION = "123456789012", "us-east-1"
_SCOPE = re.compile(r"Credential=[^/]+/\d+/[^/]+/([a-z0-9-]+)/aws4_request")


@dataclass(frozen=True)
class Answer:
    """What a service answers."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Call:
    """One call of a service. Names of headers are in lower case."""

    service: str
    operation: str
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def object(self) -> tuple[str, str]:
        """Bucket and key of an S3 call; the key is empty where it is about the bucket."""
        bucket, _, key = unquote(urlsplit(self.target).path).lstrip("/").partition("/")
        return bucket, key

    @property
    def arguments(self) -> dict[str, object]:
        """What a JSON or form body says."""
        if self.body[:1] == b"{":
            return dict(json.loads(self.body))
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}

    def refusal(self, code: str, status: int = 400) -> Answer:
        """An error as the service would spell it."""
        if self.service in ("dynamodb", "ssm", "secretsmanager"):
            body = json.dumps({"__type": code, "message": code})
            return Answer(status, {"content-type": "application/x-amz-json-1.1"}, body.encode())
        error = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>"
        body = error if self.service == "s3" else f"<ErrorResponse>{error}</ErrorResponse>"
        return Answer(status, {"content-type": "application/xml"}, body.encode())


Proceed: TypeAlias = Callable[[], Answer]
Hook: TypeAlias = Callable[[Call, Proceed], Answer]
Grant: TypeAlias = Callable[[str, str], bool]
"""Whether an IAM action is granted on a resource."""


@dataclass
class EmulatedAws:
    """Use it as a context manager, inside `mock_aws`. `hooks` go by the name of the operation."""

    granted: Grant = lambda action, resource: False
    hooks: dict[str, Hook] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    denied: list[tuple[str, str]] = field(default_factory=list)
    """What was called without a policy that grants it: action and resource."""

    def __enter__(self) -> EmulatedAws:
        self._server = Server(("127.0.0.1", 0), _handler_of(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def forget(self) -> None:
        """Begins anew: no hooks, no calls."""
        self.hooks.clear()
        self.calls.clear()
        self.denied.clear()

    def called(self, operation: str) -> list[Call]:
        return [call for call in self.calls if call.operation == operation]

    def answer(self, call: Call) -> Answer:
        self.calls.append(call)
        missing = [each for each in needed(call) if not self.granted(*each)]
        if missing:
            self.denied += missing
            return call.refusal("AccessDenied", 403)
        hook = self.hooks.get(call.operation)
        answer = hook(call, lambda: _emulated(call)) if hook else _emulated(call)
        if answer.status == 404 and call.service == "s3":
            # Without the right to list, S3 does not tell what is missing (API reference, GetObject).
            bucket, key = call.object
            listing = ("s3:ListBucket", f"arn:aws:s3:::{bucket}")
            if key and not self.granted(*listing):
                self.denied.append(listing)
                return call.refusal("AccessDenied", 403)
        return answer


def needed(call: Call) -> Iterable[tuple[str, str]]:
    """The IAM actions that a call takes, with their resources (service authorization reference)."""
    arn = f"{REGION}:{ACCOUNT}:"
    if call.service == "s3":
        yield from _needed_in_s3(call)
        return
    action, arguments = f"{call.service}:{call.operation}", call.arguments
    match action:
        case "dynamodb:GetItem" | "dynamodb:UpdateItem" | "dynamodb:Query":
            index = f"/index/{arguments['IndexName']}" if "IndexName" in arguments else ""
            yield action, f"arn:aws:dynamodb:{arn}table/{arguments['TableName']}{index}"
        case "ssm:SendCommand":
            yield action, f"arn:aws:ssm:{arn}document/{arguments['DocumentName']}"
            instances = arguments["InstanceIds"]
            assert isinstance(instances, list)
            for instance in instances:
                managed = str(instance).startswith("mi-")
                kind = f"ssm:{arn}managed-instance" if managed else f"ec2:{arn}instance"
                yield action, f"arn:aws:{kind}/{instance}"
        case "ssm:GetCommandInvocation":
            yield action, "*"
        case "sns:Publish":
            yield action, str(arguments["TopicArn"])
        case "ses:SendEmail":
            yield action, f"arn:aws:ses:{arn}identity/{arguments['Source']}"
        case "secretsmanager:GetSecretValue":
            # Secrets Manager adds a dash and six characters to a secret's name.
            yield action, f"arn:aws:secretsmanager:{arn}secret:{arguments['SecretId']}-AbCdEf"
        case _:
            raise NotImplementedError(f"nothing says which permissions {action} takes")


def _needed_in_s3(call: Call) -> Iterable[tuple[str, str]]:
    bucket, key = call.object
    resource = f"arn:aws:s3:::{bucket}/{key}"
    version = "Version" if "versionId" in call.query else ""
    match call.operation:
        case "GetObject" | "HeadObject":
            yield f"s3:GetObject{version}", resource
        case "ListObjectsV2":
            yield "s3:ListBucket", f"arn:aws:s3:::{bucket}"
        case "PutObject":
            yield "s3:PutObject", resource
        case "DeleteObject":
            yield f"s3:DeleteObject{version}", resource
        case "CopyObject":
            source = f"arn:aws:s3:::{unquote(call.headers['x-amz-copy-source'].partition('?')[0])}"
            yield from (("s3:GetObject", source), ("s3:GetObjectTagging", source))
            yield from (("s3:PutObject", resource), ("s3:PutObjectTagging", resource))
        case _:
            raise NotImplementedError(f"nothing says which permissions s3:{call.operation} takes")


def _emulated(call: Call) -> Answer:
    host = "email" if call.service == "ses" else call.service
    url = f"https://{host}.{REGION}.amazonaws.com{call.target}"
    answer = botocore_stubber.process_request(AWSPreparedRequest(call.method, url, call.headers, call.body, False))
    assert answer is not None, f"no emulation answers {call.method} {url}"
    status, headers, body = answer
    return Answer(status, {**headers}, body.encode() if isinstance(body, str) else body)


def _operation(service: str, method: str, target: str, headers: Mapping[str, str], body: bytes) -> str:
    if service == "s3":
        query = parse_qs(urlsplit(target).query, keep_blank_values=True)
        if "list-type" in query:
            return "ListObjectsV2"
        name = {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject", "DELETE": "DeleteObject"}[method]
        return "CopyObject" if "x-amz-copy-source" in headers else name
    if "x-amz-target" in headers:
        return headers["x-amz-target"].rpartition(".")[2]
    return parse_qs(body.decode())["Action"][0]


def _handler_of(aws: EmulatedAws) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def log_message(self, *_: object) -> None:
            """Says nothing of each request."""

        def handle_expect_100(self) -> bool:
            """Lets a client that asks first send its body: at once, or it would wait for a second."""
            asked = super().handle_expect_100()
            self.wfile.flush()
            return asked

        def handle_any(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", "0")))
            scope = _SCOPE.search(headers["authorization"])
            assert scope is not None
            operation = _operation(scope[1], self.command, self.path, headers, body)
            answer = aws.answer(Call(scope[1], operation, self.command, self.path, headers, body))
            given = {name.lower(): str(value) for name, value in answer.headers.items()}
            if self.command != "HEAD":
                given["content-length"] = str(len(answer.body))
            self.send_response(answer.status)
            for name, value in given.items():
                if name not in ("transfer-encoding", "connection", "date", "server"):
                    self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)
            self.wfile.flush()

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 - the base class calls these

    return Handler
