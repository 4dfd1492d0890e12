"""Shell metacharacters in every text of every action's params: refused or harmless."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stepsmith_functions.runtime.errors import ActionError
from stepsmith_functions.runtime.registry import actions
from tests.functions.actions.conftest import EVENTS

HOSTILE = (
    "; touch {mark};",
    "$(touch {mark})",
    "`touch {mark}`",
    "| touch {mark} #",
    "' ; touch {mark} ; '",
    '" && touch {mark} && "',
    "\ntouch {mark}\n",
    "-o/../../{mark}",
)


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where texts stand in params."""
    if isinstance(value, str):
        yield at
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from places(item, (*at, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*at, index))


def put(value: Any, at: tuple[Any, ...], text: str) -> Any:
    if not at:
        return text
    copied = list(value) if isinstance(value, list) else dict(value)
    copied[at[0]] = put(copied[at[0]], at[1:], text)
    return copied


def declared(action: str) -> dict[str, Any]:
    """The sample's params, and a text for each param that takes one and is not among them."""
    found: Any = next(each for each in actions() if each.contract.name == action).describe()
    params = dict(json.loads((EVENTS / f"{action}.json").read_text())["params"])
    for name, schema in found["params"]["properties"].items():
        kinds = [schema.get("type"), *(each.get("type") for each in schema.get("anyOf", ()))]
        if name not in params and "string" in kinds:
            params[name] = "x"
    return params


CASES = [(each.contract.name, at) for each in actions() for at in places(declared(each.contract.name))]


@pytest.fixture
def watched(world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[Any]]:
    """The world cut off from the network; the processes that were started."""
    started: list[Any] = []
    popen = subprocess.Popen

    class Watched(popen):  # type: ignore[type-arg]
        def __init__(self, arguments: Any, *more: Any, **named: Any) -> None:
            started.append((arguments, named.get("shell", False)))
            super().__init__(arguments, *more, **named)

    def no_name(*_: Any, **__: Any) -> Any:
        raise socket.gaierror("no name resolves here")

    def no_shell(command: str) -> int:
        started.append((command, True))
        return 1

    monkeypatch.setattr(subprocess, "Popen", Watched)
    monkeypatch.setattr(os, "system", no_shell)
    monkeypatch.setattr(socket, "getaddrinfo", no_name)
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "root"
    root.mkdir()
    world.environment |= {
        "FILE_ROOTS": str(root),
        "HISTORY_TABLE": "none",
        "DEFAULT_INSTANCE_ID": "i-0123456789abcdef0",
        "ALERTS_SENDER": "alerts@example.com",
        "SCAN_TARGETS": "192.0.2.0/30",
    }
    return world, started


def test_every_action_is_among_the_cases() -> None:
    assert {name for name, _ in CASES} == {each.contract.name for each in actions()}


@pytest.mark.parametrize(("action", "at"), CASES, ids=lambda value: value if isinstance(value, str) else None)
def test_nothing_in_a_param_is_run(watched: tuple[Any, list[Any]], tmp_path: Path, action: str, at: Any) -> None:
    world, started = watched
    mark = tmp_path / "mark"
    for hostile in HOSTILE:
        text = hostile.format(mark=mark)
        params = put(declared(action), at, text)
        with contextlib.suppress(ActionError):  # any other error is a bug
            world.call(action, params, run="run-1")
        assert not mark.exists(), text
    # A script may be handed the text, as one argument of its own.
    for arguments, shell in started:
        assert isinstance(arguments, list | tuple)
        assert not shell
