"""`network_scan`: finds what listens, only where the deployment allows it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from stepsmith_functions.actions import network_scan as module
from stepsmith_functions.actions.network_scan import ScanIncomplete, TargetNotAllowed, TargetUnknown
from stepsmith_functions.runtime.errors import InvalidParams


@pytest.fixture
def talker() -> Iterator[int]:
    """The port of a service that speaks first."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                channel, _ = listener.accept()
            except OSError:
                return
            with channel:
                channel.sendall(b"SSH-2.0-Test\x1b[31m\r\n")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def scan(world: Any, target: str, **more: Any) -> Any:
    return world.call("network_scan", {"target": target, **more}, "r1")


@pytest.mark.row("S0-066")
def test_open_ports_and_banners(world: Any, talker: int, web: Any) -> None:
    world.environment["SCAN_TARGETS"] = "127.0.0.0/8"
    with socket.create_server(("127.0.0.1", 0)) as unused:
        closed = unused.getsockname()[1]
    answer = scan(world, "127.0.0.1", ports=[talker, web.port, closed, talker])
    ports = sorted([(talker, "SSH-2.0-Test[31m"), (web.port, "")])
    assert [(entry["port"], entry["banner"]) for entry in answer["open_ports"]] == ports
    assert answer["hosts"] == ["127.0.0.1"]


def test_the_sample_event(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nobody(host: str, port: int) -> str | None:
        return "" if (host, port) in (("10.0.0.9", 80), ("10.0.0.10", 22)) else None

    monkeypatch.setattr(module, "_probe", nobody)
    world.environment["SCAN_TARGETS"] = "10.0.0.0/8"
    answer = world.send("network_scan", world.sample("network_scan"))
    assert answer["hosts"] == ["10.0.0.9", "10.0.0.10"]
    assert [entry["port"] for entry in answer["open_ports"]] == [80, 22]


@pytest.mark.row("S0-066")
@pytest.mark.parametrize(("kind", "count"), [("basic", len(module.BASIC)), ("full", len(module.FULL))])
def test_each_kind_has_its_ports(world: Any, monkeypatch: pytest.MonkeyPatch, kind: str, count: int) -> None:
    probed: list[int] = []

    async def remember(host: str, port: int) -> None:
        probed.append(port)

    monkeypatch.setattr(module, "_probe", remember)
    world.environment["SCAN_TARGETS"] = "192.0.2.1"
    assert scan(world, "192.0.2.1", scan_type=kind) == {"open_ports": [], "hosts": []}
    assert len(probed) == len(set(probed)) == count


@pytest.mark.row("S0-078")
@pytest.mark.parametrize(
    ("target", "listed"),
    [
        ("10.0.0.1", ""),
        ("10.0.0.1", "10.0.1.0/24"),
        ("10.0.0.0/24", "10.0.0.0/25"),
        ("10.0.0.0/23", "10.0.0.0/8"),
        ("169.254.169.254", "0.0.0.0/0"),
        ("169.254.169.240/28", "0.0.0.0/0"),
        ("localhost", "10.0.0.0/8,otherhost"),
        ("::1", "127.0.0.0/8"),
    ],
)
def test_targets_that_are_not_listed(world: Any, target: str, listed: str) -> None:
    world.environment["SCAN_TARGETS"] = listed
    with pytest.raises(TargetNotAllowed):
        scan(world, target, ports=[1])


def test_names(world: Any, talker: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for listed in ("LOCALHOST.", "127.0.0.0/8,::1/128"):
        world.environment["SCAN_TARGETS"] = listed
        assert scan(world, "localhost", ports=[talker])["hosts"] == ["127.0.0.1"]
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 0))]
    monkeypatch.setattr(module.socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(TargetNotAllowed):
        scan(world, "localhost", ports=[80])


def test_a_name_that_does_not_resolve(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "unknown")

    monkeypatch.setattr(module.socket, "getaddrinfo", unknown)
    with pytest.raises(TargetUnknown):
        scan(world, "nowhere.test")


def test_time_is_bounded(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(host: str, port: int) -> str | None:
        await module.asyncio.sleep(30)
        return None

    monkeypatch.setattr(module, "_probe", hang)
    world.environment["SCAN_TARGETS"] = "192.0.2.1"
    event = world.sample("network_scan")
    event["params"] = {"target": "192.0.2.1", "ports": [1]}
    with pytest.raises(ScanIncomplete):
        world.send("network_scan", event, left=3100)


@pytest.mark.parametrize(
    "params", [{"ports": [0]}, {"ports": [65536]}, {"ports": []}, {"scan_type": "x"}, {"target": ""}]
)
def test_what_is_no_scan(world: Any, params: dict[str, Any]) -> None:
    with pytest.raises(InvalidParams):
        scan(world, **{"target": "127.0.0.1", **params})
