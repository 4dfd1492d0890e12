"""`call_webhook`: what is sent and signed, what comes back, and every error."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest

from stepsmith_functions.runtime.errors import InvalidParams, SecretUnavailable
from stepsmith_functions.runtime.http import (
    AddressNotAllowed,
    AnswerTooLarge,
    HttpClientError,
    HttpServerError,
    HttpThrottled,
    HttpUnreachable,
)


@pytest.fixture
def open_world(world: Any) -> Any:
    world.environment["ALLOW_PRIVATE_ADDRESSES"] = "true"
    return world


def call(world: Any, url: str, run: str | None = "r1", **more: Any) -> Any:
    return world.call("call_webhook", {"url": url, **more}, run)


@pytest.mark.row("S4-061", "S1-126", "S3-087")
def test_the_sample_event(open_world: Any, web: Any) -> None:
    event = open_world.sample("call_webhook")
    event["params"]["url"] = f"{web.url}/hooks/alerts"
    web.answer(201, {"id": 7})
    answer = open_world.send("call_webhook", event)
    assert (answer["status_code"], answer["body"]) == (201, {"id": 7})
    assert answer["headers"]["content-type"] == "application/json"
    [received] = web.received
    assert (received.method, received.target) == ("POST", "/hooks/alerts")
    assert json.loads(received.body) == event["params"]["payload"]
    assert received.headers["content-type"] == "application/json"
    assert "x-stepsmith-signature" not in received.headers


def test_nothing_to_send_is_an_empty_object(open_world: Any, web: Any) -> None:
    web.answer(200, b"fine", content_type="text/plain")
    assert call(open_world, web.url)["body"] == "fine"
    assert web.received[0].body == b"{}"


@pytest.mark.parametrize("body", [b"{", b"NaN", b"[" * 100_000])
def test_an_answer_that_only_claims_to_be_json_is_text(open_world: Any, web: Any, body: bytes) -> None:
    web.answer(200, body, content_type="application/json")
    assert call(open_world, web.url)["body"] == body.decode()


def test_each_try_of_a_step_is_the_same_delivery(open_world: Any, web: Any) -> None:
    web.answer(200)
    call(open_world, web.url)
    call(open_world, web.url)
    call(open_world, web.url, "r2")
    first, again, other = (r.headers["x-stepsmith-delivery"] for r in web.received)
    assert first == again != other


def test_it_is_signed(open_world: Any, web: Any) -> None:
    open_world.environment["WEBHOOK_SIGNING_SECRET"] = "stepsmith/webhook-signing"
    open_world.secrets.values["stepsmith/webhook-signing"] = "key-of-the-hook"
    web.answer(200, {"echo": "key-of-the-hook"})
    assert call(open_world, web.url, payload={"ü": [1]})["body"] == {"echo": "***"}
    [received] = web.received
    moment, signed = (part.split("=")[1] for part in received.headers["x-stepsmith-signature"].split(","))
    assert int(moment) == int(open_world.clock.now().timestamp())
    assert signed == hmac.new(b"key-of-the-hook", f"{moment}.".encode() + received.body, hashlib.sha256).hexdigest()


def test_without_the_secret_nothing_is_sent(open_world: Any, web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise SecretUnavailable(name)

    open_world.environment["WEBHOOK_SIGNING_SECRET"] = "gone"
    monkeypatch.setattr(open_world.secrets, "fetch", missing)
    with pytest.raises(SecretUnavailable):
        call(open_world, web.url)
    assert not web.received


@pytest.mark.parametrize(("status", "error"), [(400, HttpClientError), (500, HttpServerError), (429, HttpThrottled)])
def test_statuses_that_are_errors(open_world: Any, web: Any, status: int, error: type) -> None:
    web.answer(status, {"reason": "because"})
    with pytest.raises(error, match="because"):
        call(open_world, web.url)
    assert open_world.history.ends[-1].error.type == error.__name__


def test_the_server_says_when_to_come_back(open_world: Any, web: Any) -> None:
    web.answer(503, retry_after="5")
    web.answer(200)
    assert call(open_world, web.url)["status_code"] == 200
    assert open_world.clock.slept == [5]


def test_unless_it_is_too_late_for_that(open_world: Any, web: Any) -> None:
    web.answer(503, retry_after="60")
    with pytest.raises(HttpThrottled):
        call(open_world, web.url)
    assert not open_world.clock.slept


def test_addresses_inside_the_network(world: Any, web: Any) -> None:
    for url in (web.url, f"http://localhost:{web.port}/", f"http://[::ffff:127.0.0.1]:{web.port}/"):
        with pytest.raises((AddressNotAllowed, HttpUnreachable)):
            call(world, url)
    with pytest.raises(AddressNotAllowed):
        call(world, "http://169.254.169.254/latest/meta-data/iam/security-credentials/")
    assert not web.received


def test_large_answers_dead_ends_and_bad_urls(open_world: Any, web: Any) -> None:
    web.answer(200, b"x" * 200_001)
    with pytest.raises(AnswerTooLarge):
        call(open_world, web.url)
    with pytest.raises(HttpUnreachable):
        call(open_world, "http://127.0.0.1:1/")
    with pytest.raises(InvalidParams):
        call(open_world, "ftp://example.test/")
