"""HTTP to the outside, for URLs that come from a run's data: nothing inside the network can be reached through it.

A host name is resolved once, every address is checked, and the connection goes to a checked address, so that a name
which changes its mind in between gains nothing; each redirect goes through the same gate. Time is bounded in total and
size before anything is kept. It follows no proxy and decodes no compression.
"""
# ruff: noqa: N818 - these names are part of the contract with workflows

from __future__ import annotations

import http.client
import io
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final, cast
from urllib.parse import SplitResult, urljoin, urlsplit

from pydantic import JsonValue

from stepsmith_functions.runtime.addresses import allowed
from stepsmith_functions.runtime.context import ActionContext, Clock
from stepsmith_functions.runtime.errors import ActionError, InvalidParams, PermanentError, TransientError

MOST_REDIRECTS = 5
LARGEST_BODY = 200_000
"""Bytes of an answer's body: a state's data may have 256 KiB in all (Step Functions quotas)."""
LONGEST_CALL = 20.0
"""Seconds for one call, redirects included."""
LONGEST_PATIENCE = 30.0
"""Seconds that a call waits at most because the server asked for it."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_SET_BY_US = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding"})
_KEPT_ELSEWHERE = frozenset({"accept", "content-type", "user-agent"})


class AddressNotAllowed(PermanentError):
    """The host has an address inside a network that this deployment does not let actions reach."""


class HttpClientError(PermanentError):
    """The server refused the request (4xx), or redirected it where it must not go."""


class HttpServerError(TransientError):
    """The server failed (5xx), or took too long to read the request (408)."""


class HttpThrottled(TransientError):
    """The server asked to come back later (429, or 503 with Retry-After)."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds; None if the server did not say."""


class HttpUnreachable(TransientError):
    """No answer: the name did not resolve, the connection failed or the time ran out."""


class AnswerTooLarge(PermanentError):
    """The answer's body is larger than the action takes."""


ERRORS: Final[tuple[type[ActionError], ...]] = (
    HttpClientError,
    HttpServerError,
    HttpThrottled,
    HttpUnreachable,
    AddressNotAllowed,
    AnswerTooLarge,
)
"""What an action that answers for a request may fail with."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to send. Header names are in lower case."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Header names are in lower case, repeated ones joined by a comma."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    host: str

    @property
    def text(self) -> str:
        """The body as text, in the charset that the answer names, else UTF-8."""
        match = re.search(r"charset=\"?([\w.:-]+)", self.headers.get("content-type", ""))
        try:
            return self.body.decode(match[1] if match else "utf-8", "replace")
        except LookupError:
            return self.body.decode("utf-8", "replace")


def _resolve(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _dial(address: str, port: int, seconds: float) -> socket.socket:
    return socket.create_connection((address, port), timeout=seconds)


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    return ssl.create_default_context()


@dataclass(frozen=True, kw_only=True)
class HttpClient:
    """Sends requests through the gate. The last fields are the world's ends, replaced in tests."""

    clock: Clock
    allow_private: bool = False
    seconds: float = LONGEST_CALL
    largest: int = LARGEST_BODY
    resolve: Callable[[str, int], list[str]] = _resolve
    dial: Callable[[str, int, float], socket.socket] = _dial
    tls: Callable[[], ssl.SSLContext] = _trusted

    def send(self, request: Request) -> Answer:
        """The answer to `request`, whatever its status, after at most five redirects.

        A redirect that would drop the body or leave HTTPS raises HttpClientError; one to another origin takes along
        only the headers that say what the body is. Raises AddressNotAllowed, HttpUnreachable, AnswerTooLarge,
        and InvalidParams for what is no HTTP URL or header.
        """
        _check_headers(request.headers)
        # Real time, whatever clock waits are measured by: a connection knows no other.
        end = time.monotonic() + self.seconds
        for _ in range(MOST_REDIRECTS + 1):
            url = _split(request.url)
            answer = self._exchange(request, url, end)
            target = answer.headers.get("location")
            if answer.status not in _REDIRECTS or not target:
                return answer
            request = _redirected(request, url, answer.status, target)
        raise HttpClientError(f"{url.hostname} redirected more than {MOST_REDIRECTS} times")

    def deliver(self, request: Request, patience: float, expected: Callable[[int], bool] | None = None) -> Answer:
        """The answer to `request` if its status is expected (2xx by default), else the matching error.

        Where the server says when to come back, and `patience` seconds allow it, the request is sent again then.
        Raises HttpClientError, HttpServerError, HttpThrottled and what `send` raises.
        """
        end = self.clock.elapsed() + min(patience, LONGEST_PATIENCE)
        while True:
            answer = self.send(request)
            if expected(answer.status) if expected else 200 <= answer.status < 300:
                return answer
            error = error_of(answer, self.clock)
            wait = error.retry_after if isinstance(error, HttpThrottled) else None
            if wait is None or self.clock.elapsed() + wait + self.seconds > end:
                raise error
            self.clock.sleep(max(wait, 0.1))

    def _exchange(self, request: Request, url: SplitResult, end: float) -> Answer:
        host, port = cast(str, url.hostname), url.port or (443 if url.scheme == "https" else 80)
        try:
            raw = self._connect(host, port, end)
            with raw:
                raw.settimeout(self._left(end))
                channel = self.tls().wrap_socket(raw, server_hostname=host) if url.scheme == "https" else raw
                with channel:
                    return self._talk(request, url, host, channel, end)
        except ssl.SSLCertVerificationError:
            raise HttpClientError(f"the certificate of {host} is not trusted") from None
        except TimeoutError:
            raise HttpUnreachable(f"{host} did not answer within {self.seconds:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            raise HttpUnreachable(f"{host} cannot be reached ({type(error).__name__})") from None

    def _connect(self, host: str, port: int, end: float) -> socket.socket:
        addresses = self._addresses(host, port, end)
        if not all(allowed(address, private=self.allow_private) for address in addresses):
            raise AddressNotAllowed(f"{host} has an address that this deployment does not let actions reach")
        failure: OSError = OSError("no address")
        for address in addresses:
            try:
                return self.dial(address, port, self._left(end))
            except OSError as error:
                failure = error
        raise failure

    def _addresses(self, host: str, port: int, end: float) -> list[str]:
        """The addresses of `host`; the resolver knows no time limit, so it works in a thread of its own."""
        found: list[list[str]] = []
        failed: list[OSError] = []

        def look_up() -> None:
            try:
                found.append(self.resolve(host, port))
            except (OSError, UnicodeError) as error:
                failed.append(error if isinstance(error, OSError) else OSError(str(error)))

        thread = threading.Thread(target=look_up, daemon=True)
        thread.start()
        thread.join(self._left(end))
        if failed:
            raise failed[0]
        if not found:
            raise TimeoutError
        if not found[0]:
            raise OSError("the name has no address")
        return found[0]

    def _talk(self, request: Request, url: SplitResult, host: str, channel: socket.socket, end: float) -> Answer:
        connection = http.client.HTTPConnection(host, url.port)
        connection.sock = cast(socket.socket, _TimedSocket(channel, lambda: self._left(end)))
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        headers = {"user-agent": "stepsmith", "accept": "*/*", **request.headers}
        headers |= {"accept-encoding": "identity", "connection": "close"}
        headers["host"] = _host_header(url, host)
        connection.request(request.method, target, body=request.body, headers=headers)
        response = connection.getresponse()
        body = response.read(self.largest + 1)
        if len(body) > self.largest:
            raise AnswerTooLarge(f"{host} answered with more than {self.largest} bytes")
        if response.length:
            raise http.client.IncompleteRead(body, response.length)
        names = dict.fromkeys(name.lower() for name in response.headers)
        return Answer(
            response.status,
            {name: ", ".join(response.headers.get_all(name) or []) for name in names},
            body,
            host,
        )

    def _left(self, end: float) -> float:
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _TimedSocket:
    """A socket whose every read and write gets only what is left of the whole call's time.

    A time limit per read, as sockets have it, would let a server keep us for ever by sending a byte at a time.
    """

    def __init__(self, channel: socket.socket, left: Callable[[], float]) -> None:
        self._channel, self._left = channel, left

    def sendall(self, data: bytes) -> None:
        self._channel.settimeout(self._left())
        self._channel.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        assert mode == "rb"
        return io.BufferedReader(_TimedReader(self._channel, self._left))

    def close(self) -> None:
        """Nothing: whoever opened the channel closes it."""


class _TimedReader(io.RawIOBase):
    def __init__(self, channel: socket.socket, left: Callable[[], float]) -> None:
        self._channel, self._left = channel, left

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._channel.settimeout(self._left())
        return self._channel.recv_into(buffer)


def client_of(context: ActionContext, *, seconds: float = LONGEST_CALL) -> HttpClient:
    """The client as the deployment allows it; a call ends two seconds before Lambda would end the handler."""
    left = max(context.remaining_seconds() - 2, 1)
    return HttpClient(
        clock=context.clock,
        allow_private=context.settings.allow_private_addresses,
        seconds=min(seconds, left),
    )


def value_of(answer: Answer) -> JsonValue:
    """The body as a value where the answer says it is JSON and it is, else as text."""
    if re.match(r"application/([\w.-]+\+)?json\b", answer.headers.get("content-type", "")):
        try:
            value: JsonValue = json.loads(answer.text, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            return answer.text
        return value
    return answer.text


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is no JSON")


def error_of(answer: Answer, clock: Clock) -> HttpClientError | HttpServerError | HttpThrottled:
    """The error that an unexpected status stands for, with the beginning of a text answer."""
    status = answer.status
    message = f"{answer.host} answered {status}{_beginning(answer)}"
    after = _retry_after(answer, clock)
    if status == 429 or (status == 503 and after is not None):
        return HttpThrottled(message, after)
    if status >= 500 or status == 408:
        return HttpServerError(message)
    return HttpClientError(message)


def _beginning(answer: Answer) -> str:
    if not re.match(r"text/plain|application/(\w+\+)?json", answer.headers.get("content-type", "")):
        return ""
    text = re.sub(r"[^\x20-\x7e\u00a0-\uffff]+", " ", answer.text).strip()
    return f": {text[:200]}" if text else ""


def _retry_after(answer: Answer, clock: Clock) -> float | None:
    """Seconds until the server wants to be asked again; it says so in seconds or by a date (RFC 9110, 10.2.3)."""
    given = answer.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}", given):
        return float(given)
    try:
        return max((parsedate_to_datetime(given) - clock.now()).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None


def _split(url: str) -> SplitResult:
    """The parts of an HTTP URL. Raises InvalidParams, which does not repeat the URL: it may hold a key."""
    if re.search(r"[\x00-\x20\x7f\\]", url):
        raise InvalidParams("url: holds a blank, control character or backslash")
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise InvalidParams("url: is no URL") from None
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise InvalidParams("url: is no http:// or https:// URL")
    if parts.username is not None or parts.password is not None:
        raise InvalidParams("url: must not hold a user or password")
    if not url.isascii():
        raise InvalidParams("url: holds characters that a URL must encode")
    return parts


def _host_header(url: SplitResult, host: str) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{url.port}" if url.port else shown


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _SET_BY_US:
            raise InvalidParams("headers: a name is malformed or not the caller's to set")
        if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value) or not _is_latin(value):
            raise InvalidParams(f"headers.{name}: holds a character that a header cannot")


def _is_latin(text: str) -> bool:
    return all(ord(char) < 256 for char in text)


def _redirected(request: Request, url: SplitResult, status: int, location: str) -> Request:
    target = urljoin(request.url, location)
    try:
        to = _split(target)
    except InvalidParams:
        raise HttpClientError(f"{url.hostname} redirected to what is no HTTP URL") from None
    if url.scheme == "https" and to.scheme == "http":
        raise HttpClientError(f"{url.hostname} redirected from https to http")
    if status in (301, 302, 303) and request.method not in ("GET", "HEAD"):
        # Following would turn the request into a GET and lose its body (RFC 9110, 15.4).
        raise HttpClientError(f"{url.hostname} answered {status}, which would drop the request's body")
    headers = request.headers
    if (to.scheme, to.hostname, to.port) != (url.scheme, url.hostname, url.port):
        headers = {name: value for name, value in headers.items() if name.lower() in _KEPT_ELSEWHERE}
    return replace(request, url=target, headers=headers)
