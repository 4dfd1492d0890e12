"""A web server on this machine that answers as a test says, byte for byte."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

Script: TypeAlias = "bytes | Callable[[socket.socket], None]"


@dataclass
class Received:
    """A request as it came over the wire; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Web:
    """`answers` are given in turn, the last one again and again: raw bytes, or what to do with the socket."""

    listener: socket.socket
    tls: ssl.SSLContext | None = None
    answers: list[Script] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)

    @property
    def port(self) -> int:
        port: int = self.listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, status: int, body: object = b"", **headers: str) -> None:
        """Adds an answer; a body that is no bytes goes out as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if not isinstance(body, bytes):
            named.setdefault("content-type", "application/json")
        lines = [f"HTTP/1.1 {status} Status", f"content-length: {len(content)}"]
        lines += [f"{name}: {value}" for name, value in named.items()]
        self.answers.append("\r\n".join([*lines, "", ""]).encode("latin-1") + content)

    def serve(self) -> None:
        while True:
            try:
                channel, _ = self.listener.accept()
            except OSError:
                return
            with channel:
                channel.settimeout(5)
                try:
                    if self.tls is None:
                        self.handle(channel)
                        continue
                    with self.tls.wrap_socket(channel, server_side=True) as secure:
                        self.handle(secure)
                except (OSError, ValueError):
                    continue  # a client that went away, or said nothing

    def handle(self, channel: socket.socket) -> None:
        with channel.makefile("rb") as reader:
            method, target, _ = reader.readline().decode("latin-1").split(" ", 2)
            headers: dict[str, str] = {}
            while line := reader.readline().strip():
                name, _, value = line.decode("latin-1").partition(":")
                headers[name.lower()] = value.strip()
            body = reader.read(int(headers.get("content-length", "0")))
        self.received.append(Received(method, target, headers, body))
        script = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(script):
            script(channel)
        else:
            channel.sendall(script)


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Web]:
    """A server on a free port of the loopback interface; with `tls`, over HTTPS."""
    listener = socket.create_server(("127.0.0.1", 0))
    web = Web(listener, tls)
    thread = threading.Thread(target=web.serve, daemon=True)
    thread.start()
    yield web
    # On Linux only a shutdown wakes the thread that waits in accept().
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)
