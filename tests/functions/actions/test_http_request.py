"""`http_request`: what goes out, what comes back, which statuses are errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stepsmith_functions.runtime.errors import InvalidParams
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


def request(world: Any, url: str, **more: Any) -> Any:
    return world.call("http_request", {"url": url, **more}, "r1")


def test_the_sample_event(open_world: Any, web: Any) -> None:
    event = open_world.sample("http_request")
    event["params"]["url"] = f"{web.url}/v1/files?a=1"
    web.answer(404, {"known": False})
    answer = open_world.send("http_request", event)
    assert (answer["status_code"], answer["body"]) == (404, {"known": False})
    assert web.received[0].target == f"/v1/files?a=1&sha256={event['params']['query']['sha256']}"


def test_a_body_is_json_or_text(open_world: Any, web: Any) -> None:
    web.answer(200)
    request(open_world, web.url, method="PUT", body={"ü": [1, None]})
    request(open_world, web.url, method="POST", body="tëxt")
    request(open_world, web.url, method="PATCH", body="<a/>", headers={"Content-Type": "application/xml"})
    request(open_world, web.url, method="DELETE")
    first, second, third, fourth = web.received
    assert json.loads(first.body) == {"ü": [1, None]}
    assert first.headers["content-type"] == "application/json"
    assert (second.body, second.headers["content-type"]) == ("tëxt".encode(), "text/plain; charset=utf-8")
    assert third.headers["content-type"] == "application/xml"
    assert (fourth.method, fourth.body) == ("DELETE", b"")


def test_query_values_are_encoded(open_world: Any, web: Any) -> None:
    web.answer(200)
    request(open_world, f"{web.url}/p", query={"a b": "&x=1", "l": [1, 2.5, True], "ü": "ö"})
    assert web.received[0].target == "/p?a+b=%26x%3D1&l=1&l=2.5&l=true&%C3%BC=%C3%B6"


@pytest.mark.parametrize(
    ("status", "error"), [(404, HttpClientError), (500, HttpServerError), (429, HttpThrottled), (302, HttpClientError)]
)
def test_statuses_that_are_errors(open_world: Any, web: Any, status: int, error: type) -> None:
    web.answer(status)
    with pytest.raises(error):
        request(open_world, web.url)


def test_only_expected_statuses_pass(open_world: Any, web: Any) -> None:
    web.answer(200)
    with pytest.raises(HttpClientError, match="answered 200"):
        request(open_world, web.url, expect=[201])


def test_where_it_may_not_or_cannot_go(world: Any, web: Any) -> None:
    with pytest.raises(AddressNotAllowed):
        request(world, web.url)
    with pytest.raises(AddressNotAllowed):
        request(world, "http://[fd00:ec2::254]/latest/meta-data/")
    world.environment["ALLOW_PRIVATE_ADDRESSES"] = "true"
    with pytest.raises(HttpUnreachable):
        request(world, "http://127.0.0.1:1/")
    web.answer(200, b"x" * 200_001)
    with pytest.raises(AnswerTooLarge):
        request(world, web.url)


@pytest.mark.parametrize(
    "params",
    [
        {"method": "TRACE"},
        {"method": "GET", "body": 1},
        {"headers": {"x": "a\r\nb: c"}},
        {"headers": {"Host": "inside"}},
        {"url": "http://[::1"},
        {"url": "http://[::1", "query": {"a": "b"}},
        {"url": "gopher://example.test"},
        {"expect": [99]},
    ],
)
def test_what_is_no_request(open_world: Any, web: Any, params: dict[str, Any]) -> None:
    with pytest.raises(InvalidParams):
        request(open_world, **{"url": web.url, **params})
    assert not web.received
