"""The gate for HTTP: what it refuses, what it bounds, and which error a server's answer becomes."""

from __future__ import annotations

import datetime
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stepsmith_functions.runtime.context import SystemClock
from stepsmith_functions.runtime.errors import InvalidParams
from stepsmith_functions.runtime.http import (
    AddressNotAllowed,
    AnswerTooLarge,
    HttpClient,
    HttpClientError,
    HttpServerError,
    HttpThrottled,
    HttpUnreachable,
    Request,
)
from tests.support.certificates import certificate

PUBLIC = "93.184.216.34"


class Clock(SystemClock):
    """Real time, in which sleeping takes none."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> datetime.datetime:
        return datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)

    def elapsed(self) -> float:
        return super().elapsed() + sum(self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def client(web: Any, names: dict[str, list[str]] | None = None, **more: Any) -> HttpClient:
    """A client to which every allowed address leads to `web`; `names` says what a name resolves to."""

    def resolve(host: str, port: int) -> list[str]:
        return (names or {}).get(host, [PUBLIC])

    def dial(address: str, port: int, seconds: float) -> socket.socket:
        return socket.create_connection(("127.0.0.1", web.port), timeout=seconds)

    settings: dict[str, Any] = {"clock": Clock(), "seconds": 3, "resolve": resolve, "dial": dial, **more}
    return HttpClient(**settings)


def get(url: str, **headers: str) -> Request:
    return Request("GET", url, headers)


def test_an_exchange(web: Any) -> None:
    web.answer(200, b"h\xc3\xa9", content_type="text/plain", x_a="1")
    answer = client(web).send(Request("POST", "http://example.test:8080/a/b?c=d", {"x-b": "2"}, b"body"))
    assert (answer.status, answer.text, answer.headers["x-a"]) == (200, "hé", "1")
    [received] = web.received
    assert (received.method, received.target, received.body) == ("POST", "/a/b?c=d", b"body")
    assert received.headers["host"] == "example.test:8080"
    assert (received.headers["x-b"], received.headers["content-length"]) == ("2", "4")


def test_charsets_are_honoured(web: Any) -> None:
    web.answer(200, b"\xe9", content_type="text/plain; charset=latin-1")
    assert client(web).send(get("http://example.test")).text == "é"
    web.answers.clear()
    web.answer(200, b"\xc3\xa9", content_type="text/plain; charset=no-such")
    assert client(web).send(get("http://example.test")).text == "é"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://example.test/",
        "file:///etc/passwd",
        "//example.test/",
        "http://",
        "http://user:pw@example.test/",
        "http://example.test\\@evil.test/",
        "http://example.test/a b",
        "http://example.test/\r\nx: y",
        "http://example.test:0/",
        "http://example.test:99999/",
        "http://[::1/",
        "http://exämple.test/",
    ],
)
def test_what_is_no_plain_http_url(web: Any, url: str) -> None:
    with pytest.raises(InvalidParams) as caught:
        client(web).send(get(url))
    assert "pw" not in str(caught.value)
    assert not web.received


@pytest.mark.parametrize("headers", [{"x\r\ny": "z"}, {"x": "y\r\nz: 1"}, {"x": "\u20ac"}, {"Host": "a"}, {"": "x"}])
def test_headers_that_smuggle(web: Any, headers: dict[str, str]) -> None:
    with pytest.raises(InvalidParams):
        client(web).send(Request("GET", "http://example.test/", headers))


@pytest.mark.parametrize("addresses", [["10.0.0.1"], [PUBLIC, "127.0.0.1"], ["169.254.169.254"], ["::ffff:10.0.0.1"]])
def test_a_name_with_a_forbidden_address(web: Any, addresses: list[str]) -> None:
    with pytest.raises(AddressNotAllowed):
        client(web, {"sly.test": addresses}).send(get("http://sly.test/"))
    assert not web.received


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::1]", "localhost"])
def test_every_spelling_of_this_machine(web: Any, host: str) -> None:
    real = HttpClient(clock=Clock(), seconds=3)
    with pytest.raises((AddressNotAllowed, HttpUnreachable)):
        real.send(get(f"http://{host}:{web.port}/"))
    assert not web.received


def test_private_addresses_where_allowed_but_metadata_never(web: Any) -> None:
    web.answer(200)
    assert HttpClient(clock=Clock(), allow_private=True).send(get(web.url)).status == 200
    with pytest.raises(AddressNotAllowed):
        HttpClient(clock=Clock(), allow_private=True).send(get("http://169.254.169.254/latest/meta-data/"))


def test_a_name_that_changes_its_mind_is_asked_once(web: Any) -> None:
    asked: list[str] = []
    dialled: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return [PUBLIC] if len(asked) == 1 else ["127.0.0.1"]

    def dial(address: str, port: int, seconds: float) -> socket.socket:
        dialled.append(address)
        return socket.create_connection(("127.0.0.1", web.port), timeout=seconds)

    web.answer(200)
    client(web, resolve=resolve, dial=dial).send(get("http://rebind.test/"))
    assert (asked, dialled) == (["rebind.test"], [PUBLIC])


def test_each_redirect_passes_the_gate(web: Any) -> None:
    web.answer(302, location="http://inside.test/latest")
    with pytest.raises(AddressNotAllowed):
        client(web, {"inside.test": ["169.254.169.254"]}).send(get("http://example.test/"))
    assert len(web.received) == 1


def test_redirects_are_followed_and_headers_stay_with_their_origin(web: Any) -> None:
    web.answer(301, location="/next")
    web.answer(307, location="http://other.test/end")
    web.answer(200, b"there")
    request = get("http://example.test/", authorization="Bearer x", accept="text/plain")
    assert client(web).send(request).body == b"there"
    first, second, third = web.received
    assert [r.target for r in web.received] == ["/", "/next", "/end"]
    assert first.headers["authorization"] == second.headers["authorization"] == "Bearer x"
    assert "authorization" not in third.headers
    assert (third.headers["accept"], third.headers["host"]) == ("text/plain", "other.test")


def test_a_redirect_keeps_the_body_or_fails(web: Any) -> None:
    web.answer(308, location="/again")
    web.answer(200)
    client(web).send(Request("POST", "http://example.test/", {}, b"payload"))
    assert [(r.method, r.body) for r in web.received] == [("POST", b"payload")] * 2
    web.answers.clear()
    web.answer(302, location="/again")
    with pytest.raises(HttpClientError, match="drop"):
        client(web).send(Request("POST", "http://example.test/", {}, b"payload"))


def test_redirects_end(web: Any) -> None:
    web.answer(302, location="/round")
    with pytest.raises(HttpClientError, match="more than 5"):
        client(web).send(get("http://example.test/"))
    assert len(web.received) == 6


@pytest.mark.parametrize("target", ["ftp://example.test/", "http://user@example.test/", "javascript:1"])
def test_redirects_to_what_is_no_http_url(web: Any, target: str) -> None:
    web.answer(302, location=target)
    with pytest.raises(HttpClientError):
        client(web).send(get("http://example.test/"))


def test_too_large_an_answer(web: Any) -> None:
    web.answer(200, b"x" * 2000)
    with pytest.raises(AnswerTooLarge):
        client(web, largest=1999).send(get("http://example.test/"))
    assert len(client(web, largest=2000).send(get("http://example.test/")).body) == 2000


def test_an_endless_answer(web: Any) -> None:
    def flood(channel: socket.socket) -> None:
        channel.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            channel.sendall(b"x" * 65536)

    web.answers.append(flood)
    with pytest.raises(AnswerTooLarge):
        client(web).send(get("http://example.test/"))


def drip(first: bytes, again: bytes) -> Callable[[socket.socket], None]:
    def script(channel: socket.socket) -> None:
        channel.sendall(first)
        for _ in range(12):
            time.sleep(0.05)
            channel.sendall(again)

    return script


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
        (b"", b""),
    ],
)
def test_a_server_that_drips(web: Any, first: bytes, again: bytes) -> None:
    web.answers.append(drip(first, again))
    start = time.monotonic()
    with pytest.raises(HttpUnreachable):
        client(web, seconds=0.3).send(get("http://example.test/"))
    assert time.monotonic() - start < 1.5


def test_a_resolver_that_hangs(web: Any) -> None:
    free = threading.Event()

    def resolve(host: str, port: int) -> list[str]:
        free.wait(5)
        return []

    with pytest.raises(HttpUnreachable, match="within"):
        client(web, resolve=resolve, seconds=0.1).send(get("http://example.test/"))
    free.set()


def test_names_and_ports_that_lead_nowhere(web: Any) -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "unknown")

    with pytest.raises(HttpUnreachable):
        client(web, resolve=unknown).send(get("http://example.test/"))
    with pytest.raises(HttpUnreachable):
        client(web, {"empty.test": []}).send(get("http://empty.test/"))
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(HttpUnreachable):
        HttpClient(clock=Clock(), allow_private=True).send(get(f"http://127.0.0.1:{port}/"))


@pytest.mark.parametrize("answer", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"])
def test_answers_that_are_broken(web: Any, answer: bytes) -> None:
    web.answers.append(answer)
    with pytest.raises(HttpUnreachable):
        client(web).send(get("http://example.test/"))


@pytest.mark.parametrize(
    ("status", "headers", "error"),
    [
        (400, {}, HttpClientError),
        (404, {}, HttpClientError),
        (408, {}, HttpServerError),
        (500, {}, HttpServerError),
        (503, {}, HttpServerError),
        (429, {}, HttpThrottled),
        (429, {"retry_after": "3600"}, HttpThrottled),
        (503, {"retry_after": "3600"}, HttpThrottled),
        (429, {"retry_after": "nonsense"}, HttpThrottled),
    ],
)
def test_the_error_of_each_status(web: Any, status: int, headers: dict[str, str], error: type) -> None:
    web.answer(status, {"message": "because"}, **headers)
    with pytest.raises(error, match="because") as caught:
        client(web).deliver(get("http://example.test/"), 20)
    assert type(caught.value) is error
    assert len(web.received) == 1
    if headers.get("retry_after") == "3600":
        assert caught.value.retry_after == 3600


@pytest.mark.parametrize("after", ["4", "Fri, 02 Jan 2026 03:04:09 GMT"])
def test_the_server_says_when_to_come_back(web: Any, after: str) -> None:
    web.answer(429, retry_after=after)
    web.answer(200, b"now")
    patient = client(web)
    assert patient.deliver(get("http://example.test/"), 20).body == b"now"
    assert patient.clock.slept == [4]  # type: ignore[attr-defined]


def test_patience_ends(web: Any) -> None:
    web.answer(429, retry_after="4")
    patient = client(web)
    with pytest.raises(HttpThrottled):
        patient.deliver(get("http://example.test/"), 12)
    assert patient.clock.slept == [4, 4]  # type: ignore[attr-defined]


def test_expected_statuses_are_no_errors(web: Any) -> None:
    web.answer(404)
    assert client(web).deliver(get("http://example.test/"), 5, lambda status: status == 404).status == 404


def test_the_certificate_must_be_for_the_name(web: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server, trusting = certificate(tmp_path, "example.test")
    handle = web.handle

    def over_tls(channel: socket.socket) -> None:
        with server.wrap_socket(channel, server_side=True) as secure:
            handle(secure)

    monkeypatch.setattr(web, "handle", over_tls)
    web.answer(200, b"secure")
    assert client(web, tls=lambda: trusting).send(get("https://example.test/")).body == b"secure"
    assert web.received[0].headers["host"] == "example.test"
    with pytest.raises(HttpClientError, match="certificate"):
        client(web, tls=lambda: trusting).send(get("https://other.test/"))
    web.answers.clear()
    web.answer(302, location="http://example.test/")
    with pytest.raises(HttpClientError, match="https to http"):
        client(web, tls=lambda: trusting).send(get("https://example.test/"))
