"""The action `send_notification`."""

from __future__ import annotations

from pydantic import Field

from stepsmith_functions.runtime.action import action
from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.contract import Params, Result, Statement
from stepsmith_functions.runtime.http import AddressNotAllowed
from stepsmith_functions.runtime.notifying import Channel, DeliveryFailed, RecipientInvalid, deliver
from stepsmith_functions.runtime.s3 import NotConfigured


class SendNotificationParams(Params):
    recipient: str = Field(
        min_length=1,
        max_length=2048,
        description="An SNS topic's ARN, an e-mail address, or `slack:` or `teams:` before a webhook's URL.",
    )
    message: str | None = Field(
        default=None, min_length=1, max_length=20_000, description="Plain text; if left out, names the run."
    )
    subject: str | None = Field(
        default=None, min_length=1, max_length=200, description="If left out, names the workflow."
    )


class SendNotificationResult(Result):
    message_id: str = Field(description="The service's own id; a webhook's delivery id where it gives none.")
    channel: Channel = Field(description="What the recipient was taken for.")


@action(
    effect="write",
    repeatable=False,
    timeout=60,
    memory=256,
    errors=(RecipientInvalid, DeliveryFailed, AddressNotAllowed, NotConfigured),
    permissions=(
        Statement(("sns:Publish",), ("${AlertsTopic}",)),
        Statement(
            ("ses:SendEmail",),
            ("arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/${AlertsSender}",),
        ),
    ),
    environment={"ALERTS_SENDER": "${AlertsSender}", "ALLOW_PRIVATE_ADDRESSES": "${AllowPrivateAddresses}"},
    example={
        "recipient": "secops@example.com",
        "subject": "A file is in quarantine",
        "message": "/srv/uploads/invoice.pdf.exe is in quarantine (high)",
    },
)
def send_notification(params: SendNotificationParams, context: ActionContext) -> SendNotificationResult:
    """Tells people: an SNS topic, an e-mail address, a Slack or Teams channel.

    The recipient says how: `arn:aws:sns:…` is a topic, `name@example.com` an e-mail address (sent by SES from the
    deployment's sender), `slack:https://…` and `teams:https://…` incoming webhooks. The text is sent as plain text:
    nothing in it becomes a link, a mention or markup.
    """
    message = params.message or _default_message(context)
    subject = params.subject or f"Stepsmith: {context.workflow or 'notification'}"
    sent = deliver(params.recipient, subject, message, context)
    return SendNotificationResult(message_id=sent.message_id, channel=sent.channel)


def _default_message(context: ActionContext) -> str:
    if context.workflow is None:
        return "A Stepsmith action was invoked."
    return f"Run {context.run_id} of {context.workflow} reached step {context.step_path}."


handler = send_notification.handler
