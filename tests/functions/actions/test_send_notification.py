"""`send_notification`: each spelling of a recipient, each channel's message, and what refuses it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends
from moto.sns.models import sns_backends

from stepsmith_functions.actions.send_notification import DeliveryFailed, RecipientInvalid
from stepsmith_functions.runtime import clients
from stepsmith_functions.runtime.errors import AwsUnavailable, InvalidParams
from stepsmith_functions.runtime.http import AddressNotAllowed
from stepsmith_functions.runtime.s3 import NotConfigured


@pytest.fixture
def sender(world: Any) -> Any:
    world.environment["ALERTS_SENDER"] = "stepsmith@example.com"
    clients.of_process().get("ses").verify_email_identity(EmailAddress="stepsmith@example.com")
    return world


@pytest.fixture
def open_world(world: Any) -> Any:
    world.environment["ALLOW_PRIVATE_ADDRESSES"] = "true"
    return world


def notify(world: Any, recipient: str, **more: Any) -> Any:
    return world.call("send_notification", {"recipient": recipient, "message": "m", **more}, "r1")


@pytest.mark.row("S4-057", "S4-116")
def test_the_sample_event(sender: Any) -> None:
    answer = sender.send("send_notification", sender.sample("send_notification"))
    [mail] = ses_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].sent_messages
    assert answer == {"message_id": mail.id, "channel": "email"}
    assert (mail.source, mail.subject) == ("stepsmith@example.com", "A file is in quarantine")
    assert mail.destinations["ToAddresses"] == ["secops@example.com"]
    assert mail.body == "/srv/uploads/invoice.pdf.exe is in quarantine (high)"


def test_a_message_of_its_own(sender: Any) -> None:
    sender.call("send_notification", {"recipient": "a@example.com"}, "r1", path="loop[0].tell")
    sender.call("send_notification", {"recipient": "a@example.com"})
    first, second = ses_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].sent_messages
    assert (first.subject, first.body) == ("Stepsmith: w", "Run r1 of w reached step loop[0].tell.")
    assert second.body == "A Stepsmith action was invoked."


def test_a_topic(world: Any) -> None:
    topic = clients.of_process().get("sns").create_topic(Name="alerts")["TopicArn"]
    answer = notify(world, topic, subject="Grüße\nBcc: x@example.com " + "x" * 120)
    [(message_id, message, subject, *_)] = (
        sns_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].topics[topic].sent_notifications
    )
    assert answer == {"message_id": message_id, "channel": "sns"}
    assert message == "m"
    assert subject.startswith("Gr??e Bcc: x@example.com x")
    assert len(subject) == 100


def test_a_topic_in_another_region_and_in_order(world: Any) -> None:
    client = clients.of_process().get("sns", "eu-west-1")
    topic = client.create_topic(Name="alerts.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
    assert notify(world, topic)["channel"] == "sns"
    [sent] = sns_backends[DEFAULT_ACCOUNT_ID]["eu-west-1"].topics[topic].sent_notifications
    assert sent[1] == "m"


def test_slack_takes_it_as_plain_text(open_world: Any, web: Any) -> None:
    web.answer(200, b"ok")
    answer = notify(open_world, f"slack:{web.url}/services/T/B/x", subject="<!channel> & more", message="<!here>" * 500)
    [received] = web.received
    body = json.loads(received.body)
    assert answer == {"message_id": received.headers["x-stepsmith-delivery"], "channel": "slack"}
    assert body["text"] == "&lt;!channel&gt; &amp; more"
    assert {block["text"]["type"] for block in body["blocks"]} == {"plain_text"}
    assert "".join(block["text"]["text"] for block in body["blocks"][1:]) == "<!here>" * 500


def test_teams_takes_it_as_plain_text(open_world: Any, web: Any) -> None:
    web.answer(202)
    assert notify(open_world, f"teams:{web.url}/hook", message="[a](http://evil.test)\n\nb")["channel"] == "teams"
    [attachment] = json.loads(web.received[0].body)["attachments"]
    texts = [block["inlines"][0] for block in attachment["content"]["body"]]
    assert {text["type"] for text in texts} == {"TextRun"}
    assert [text["text"] for text in texts] == ["Stepsmith: w", "[a](http://evil.test)", " ", "b"]


@pytest.mark.parametrize(
    "recipient",
    [
        "admin",
        "@example.com",
        "a@localhost",
        "a@example.com, b@example.com",
        "a@example.com\nBcc: b@example.com",
        "arn:aws:sns:us-east-1:12:alerts",
        "arn:aws:sqs:us-east-1:123456789012:alerts",
        "https://hooks.slack.com/services/x",
        "slack:ftp://x.test/",
        "slack:http://hooks.slack.test/",
        "slack:https://user:pw@hooks.slack.test/",
        "carrier-pigeon:home",
    ],
)
def test_what_is_no_recipient(sender: Any, recipient: str) -> None:
    with pytest.raises(RecipientInvalid) as caught:
        notify(sender, recipient)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("params", [{"message": ""}, {"message": "x" * 20_001}, {"subject": ""}, {"recipient": ""}])
def test_what_is_no_message(world: Any, params: dict[str, str]) -> None:
    with pytest.raises(InvalidParams):
        notify(world, **{"recipient": "a@example.com", **params})


def test_recipients_that_the_services_refuse(world: Any) -> None:
    world.environment["ALERTS_SENDER"] = "unverified@example.com"
    with pytest.raises(RecipientInvalid, match="MessageRejected"):
        notify(world, "a@example.com")
    with pytest.raises(RecipientInvalid, match="NotFound"):
        notify(world, "arn:aws:sns:us-east-1:123456789012:gone")


def test_services_that_fail(sender: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = {"AccountSendingPausedException": DeliveryFailed, "Throttling": AwsUnavailable}
    for code, error in codes.items():

        def fail(code: str = code, **_: Any) -> Any:
            raise ClientError({"Error": {"Code": code}}, "SendEmail")

        monkeypatch.setattr(clients.of_process().get("ses"), "send_email", fail)
        with pytest.raises(error):
            notify(sender, "a@example.com")


def test_without_a_sender(world: Any) -> None:
    with pytest.raises(NotConfigured):
        notify(world, "a@example.com")


@pytest.mark.parametrize(("status", "error"), [(404, RecipientInvalid), (500, DeliveryFailed), (429, DeliveryFailed)])
def test_hooks_that_refuse_or_fail(open_world: Any, web: Any, status: int, error: type) -> None:
    web.answer(status, b"no_service", content_type="text/plain")
    with pytest.raises(error, match="no_service"):
        notify(open_world, f"slack:{web.url}/services/secret-part")


def test_hooks_inside_the_network(world: Any, web: Any) -> None:
    with pytest.raises(AddressNotAllowed):
        notify(world, f"teams:https://127.0.0.1:{web.port}/")
    assert not web.received
