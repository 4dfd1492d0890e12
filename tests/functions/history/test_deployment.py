"""Where the history is: which table, at which endpoint, with whose credentials."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from stepsmith_functions.history.deployment import run_store
from stepsmith_functions.history.store import RunNotFoundError
from stepsmith_functions.runtime import clients


class Table(BaseHTTPRequestHandler):
    """A DynamoDB in which there is nothing, and which remembers what it was asked."""

    asked: list[tuple[str, Any]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.asked.append((self.headers["authorization"], body))
        answer = b"{}"
        self.send_response(200)
        self.send_header("content-type", "application/x-amz-json-1.0")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, Any]]]:
    """What a server on this machine is asked, to whose address the settings lead."""
    found: list[tuple[str, Any]] = []
    server = HTTPServer(("127.0.0.1", 0), type("Here", (Table,), {"asked": found}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    for name, value in (
        ("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{server.server_port}"),
        ("AWS_ACCESS_KEY_ID", "AKIDINUSE"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_DEFAULT_REGION", "eu-north-1"),
        ("HISTORY_TABLE", "a-table-of-mine"),
        ("DATA_BUCKET", "data"),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    clients.reset()
    yield found
    clients.reset()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.row("S0-075", "S2-023", "S2-024", "S2-027")
def test_settings_say_which_table_at_which_endpoint_and_who_asks(asked: list[tuple[str, Any]]) -> None:
    with pytest.raises(RunNotFoundError):
        run_store().run("run-1")
    assert {body["TableName"] for _, body in asked} == {"a-table-of-mine"}
    assert {re.search(r"Credential=(\w+)/\d+/([\w-]+)/", signed).groups() for signed, _ in asked} == {  # type: ignore[union-attr]
        ("AKIDINUSE", "eu-north-1")
    }
