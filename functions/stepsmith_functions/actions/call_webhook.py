"""The action `call_webhook`."""

from __future__ import annotations

import json

from pydantic import Field, JsonValue

from stepsmith_functions.runtime import http, secrets, signing
from stepsmith_functions.runtime.action import action
from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.contract import Params, Result, Statement
from stepsmith_functions.runtime.errors import SecretUnavailable


class CallWebhookParams(Params):
    url: str = Field(min_length=1, max_length=2048, description="An http:// or https:// URL.")
    payload: JsonValue = Field(default_factory=dict, description="What to send, as JSON; an empty object if left out.")


class CallWebhookResult(Result):
    status_code: int = Field(description="Of the answer, 200 to 299.")
    body: JsonValue = Field(description="The answer: a value if it was JSON, else text.")
    headers: dict[str, str] = Field(description="Of the answer, names in lower case.")


@action(
    effect="write",
    repeatable=False,
    timeout=60,
    memory=256,
    errors=(*http.ERRORS, SecretUnavailable),
    permissions=(
        Statement(
            ("secretsmanager:GetSecretValue",),
            (
                "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}"
                ":secret:stepsmith/webhook-signing-??????",
            ),
        ),
    ),
    environment={
        "ALLOW_PRIVATE_ADDRESSES": "${AllowPrivateAddresses}",
        "WEBHOOK_SIGNING_SECRET": "${WebhookSigningSecret}",
    },
    example={"url": "https://soc.example.com/hooks/alerts", "payload": {"severity": "high", "file": "/srv/x"}},
)
def call_webhook(params: CallWebhookParams, context: ActionContext) -> CallWebhookResult:
    """Sends JSON to a URL by POST.

    Private, link-local and metadata addresses are refused unless the deployment allows them, on every redirect too.
    Each try of one step carries the same `X-Stepsmith-Delivery`, so that a receiver can tell a repetition. With a
    signing secret, `X-Stepsmith-Signature` is `t=<seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`. Where the server
    says when to come back, the action waits up to 30 seconds.
    """
    body = json.dumps(params.payload, ensure_ascii=False, separators=(",", ":")).encode()
    headers = {
        "content-type": "application/json",
        "accept": "application/json, text/plain;q=0.9, */*;q=0.1",
        "x-stepsmith-delivery": context.operation_id(),
    }
    if context.settings.signing_secret:
        secret = secrets.hide(context.secrets.fetch(context.settings.signing_secret))
        headers[signing.HEADER] = signing.signature(secret, body, context.clock.now())
    request = http.Request("POST", params.url, headers, body)
    answer = http.client_of(context).deliver(request, context.remaining_seconds() - 2)
    return CallWebhookResult(status_code=answer.status, body=http.value_of(answer), headers=dict(answer.headers))


handler = call_webhook.handler
