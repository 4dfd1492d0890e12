"""Tells somebody something: an SNS topic, an e-mail address, a Slack or Teams channel, as one text says.

Whatever the message holds arrives as plain text: nothing in it becomes a link, a mention or markup, save that mail
programs and channels make links of addresses that they recognise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from stepsmith_functions.runtime import http
from stepsmith_functions.runtime.clients import code_of
from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.errors import InvalidParams, PermanentError, TransientError
from stepsmith_functions.runtime.s3 import NotConfigured

Channel: TypeAlias = Literal["sns", "email", "slack", "teams"]

_TOPIC = re.compile(r"arn:(aws|aws-cn|aws-us-gov):sns:([a-z0-9-]+):\d{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?")
_ADDRESS = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"
)
_HOOK = re.compile(r"(slack|teams):(https?://.+)")
_LONGEST_SUBJECT = 100
"""Characters that SNS takes (API reference, Publish)."""


class RecipientInvalid(PermanentError):  # noqa: N818 - the name is part of the contract with workflows
    """The recipient is none, or the service does not know it or may not write to it."""


class DeliveryFailed(TransientError):  # noqa: N818 - the name is part of the contract with workflows
    """The service did not take the message."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that was taken: what the recipient was taken for, and the service's own id."""

    channel: Channel
    message_id: str


def deliver(recipient: str, subject: str, message: str, context: ActionContext) -> Delivery:
    """Sends `message`. `subject` may hold any white space.

    Raises RecipientInvalid, DeliveryFailed, NotConfigured, AddressNotAllowed and botocore's errors.
    """
    subject = re.sub(r"\s+", " ", subject).strip()
    if match := _TOPIC.fullmatch(recipient):
        return Delivery("sns", _publish(recipient, match[2], subject, message, context))
    if _ADDRESS.fullmatch(recipient):
        return Delivery("email", _mail(recipient, subject, message, context))
    if match := _HOOK.fullmatch(recipient):
        channel: Channel = "slack" if match[1] == "slack" else "teams"
        render = _slack if channel == "slack" else _teams
        return Delivery(channel, _post(match[2], render(subject, message), context))
    raise RecipientInvalid("recipient: is no SNS topic, e-mail address, slack: or teams: URL")


def _publish(topic: str, region: str, subject: str, message: str, context: ActionContext) -> str:
    # A subject must be ASCII, without control characters, and begin with a letter, a digit or a mark (Publish).
    ascii_subject = subject.encode("ascii", "replace").decode()[:_LONGEST_SUBJECT]
    request = {"TopicArn": topic, "Message": message, "Subject": ascii_subject}
    if topic.endswith(".fifo"):
        operation = context.operation_id()
        request |= {"MessageGroupId": context.run_id or operation, "MessageDeduplicationId": operation}
    client = context.clients.get("sns", region)
    return _called(lambda: client.publish(**request)["MessageId"], "NotFound", "InvalidParameter")


def _mail(address: str, subject: str, message: str, context: ActionContext) -> str:
    sender = context.settings.alerts_sender
    if sender is None:
        raise NotConfigured("this deployment sends no e-mail (ALERTS_SENDER is empty)")
    request = {
        "Source": sender,
        "Destination": {"ToAddresses": [address]},
        "Message": {
            "Subject": {"Data": subject, "Charset": "UTF-8"},
            "Body": {"Text": {"Data": message, "Charset": "UTF-8"}},
        },
    }
    client = context.clients.get("ses")
    return _called(lambda: client.send_email(**request)["MessageId"], "MessageRejected", "InvalidParameterValue")


def _called(call: Callable[[], str], *refusals: str) -> str:
    """What `call` answers; the service's refusals of this recipient become RecipientInvalid."""
    try:
        return str(call())
    except Exception as error:
        code = code_of(error)
        if code in refusals:
            raise RecipientInvalid(f"the service refuses the recipient ({code})") from None
        if code in ("AccountSendingPausedException", "EndpointDisabled", "KMSThrottling"):
            raise DeliveryFailed(f"the service does not send now ({code})") from None
        raise


def _slack(subject: str, message: str) -> object:
    def plain(text: str) -> str:
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

    def block(text: str) -> object:
        return {"type": "section", "text": {"type": "plain_text", "text": text, "emoji": False}}

    # A section takes 3000 characters and a message 50 blocks (Slack, Block Kit reference).
    parts = [message[at : at + 3000] for at in range(0, len(message), 3000)]
    header = {"type": "header", "text": {"type": "plain_text", "text": subject[:150], "emoji": False}}
    return {"text": plain(subject), "blocks": [header, *(block(part) for part in parts)]}


def _teams(subject: str, message: str) -> object:
    def run(text: str, **style: object) -> object:
        # A TextRun, unlike a TextBlock, is never read as Markdown.
        return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **style}]}

    card = {
        "type": "AdaptiveCard",
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "version": "1.4",
        "body": [run(subject, weight="bolder", size="medium"), *(run(line or " ") for line in message.split("\n"))],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _post(url: str, content: object, context: ActionContext) -> str:
    if not url.startswith("https://") and not context.settings.allow_private_addresses:
        raise RecipientInvalid("recipient: a webhook's URL begins with https://")
    headers = {"content-type": "application/json", "x-stepsmith-delivery": context.operation_id()}
    request = http.Request("POST", url, headers, json.dumps(content).encode())
    try:
        http.client_of(context).deliver(request, context.remaining_seconds() - 2)
    except InvalidParams:
        raise RecipientInvalid("recipient: holds no URL that can be called") from None
    except http.HttpClientError as error:
        raise RecipientInvalid(f"the webhook refuses the message: {error}") from None
    except (http.HttpServerError, http.HttpThrottled, http.HttpUnreachable, http.AnswerTooLarge) as error:
        raise DeliveryFailed(str(error)) from None
    return headers["x-stepsmith-delivery"]
