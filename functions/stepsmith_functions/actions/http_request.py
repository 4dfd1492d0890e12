"""The action `http_request`."""

from __future__ import annotations

import json
from typing import Annotated, Literal
from urllib.parse import urlencode, urlsplit, urlunsplit

from pydantic import Field, JsonValue

from stepsmith_functions.runtime import http
from stepsmith_functions.runtime.action import action
from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.contract import Params, Result
from stepsmith_functions.runtime.errors import InvalidParams

Scalar = str | int | float | bool


class HttpRequestParams(Params):
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = Field(
        default="GET", description="Of the request."
    )
    url: str = Field(min_length=1, max_length=2048, description="An http:// or https:// URL.")
    headers: dict[str, str] = Field(default_factory=dict, max_length=50, description="To send along.")
    query: dict[str, Scalar | list[Scalar]] = Field(
        default_factory=dict, max_length=100, description="Added to the URL; a list repeats its name."
    )
    body: JsonValue = Field(
        default=None, description="A text is sent as it is, any other value as JSON; null sends none."
    )
    expect: list[Annotated[int, Field(ge=100, le=599)]] = Field(
        default_factory=list, description="Statuses that are no error; 200 to 299 if empty."
    )


class HttpRequestResult(Result):
    status_code: int = Field(description="Of the answer.")
    body: JsonValue = Field(description="The answer: a value if it was JSON, else text.")
    headers: dict[str, str] = Field(description="Of the answer, names in lower case.")


@action(
    effect="write",
    repeatable=False,
    timeout=60,
    memory=256,
    errors=http.ERRORS,
    environment={"ALLOW_PRIVATE_ADDRESSES": "${AllowPrivateAddresses}"},
    example={
        "method": "GET",
        "url": "https://intel.example.com/v1/files",
        "query": {"sha256": "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f"},
        "expect": [200, 404],
    },
)
def http_request(params: HttpRequestParams, context: ActionContext) -> HttpRequestResult:
    """Calls an HTTP API.

    Private, link-local and metadata addresses are refused unless the deployment allows them, on every redirect too;
    a redirect to another origin takes no header along that could be a credential. Where the server says when to come
    back, the action waits up to 30 seconds.
    """
    headers = {name.lower(): value for name, value in params.headers.items()}
    body: bytes | None = None
    if params.body is not None:
        if params.method in ("GET", "HEAD"):
            raise InvalidParams(f"body: a {params.method} request has none")
        text = params.body if isinstance(params.body, str) else json.dumps(params.body, ensure_ascii=False)
        body = text.encode()
        kind = "text/plain; charset=utf-8" if isinstance(params.body, str) else "application/json"
        headers.setdefault("content-type", kind)
    request = http.Request(params.method, _with_query(params.url, params.query), headers, body)
    expected = (lambda status: status in params.expect) if params.expect else None
    answer = http.client_of(context).deliver(request, context.remaining_seconds() - 2, expected)
    return HttpRequestResult(status_code=answer.status, body=http.value_of(answer), headers=dict(answer.headers))


def _with_query(url: str, query: dict[str, Scalar | list[Scalar]]) -> str:
    if not query:
        return url

    def text(value: Scalar) -> str:
        return json.dumps(value) if isinstance(value, bool) else str(value)

    pairs = [
        (name, text(item)) for name, value in query.items() for item in (value if isinstance(value, list) else [value])
    ]
    try:
        parts = urlsplit(url)
    except ValueError:
        raise InvalidParams("url: is no URL") from None
    return urlunsplit(parts._replace(query="&".join(filter(None, [parts.query, urlencode(pairs)]))))


handler = http_request.handler
