"""`add_exclusion` and `log_false_positive`: kept in the history's table, once for each file."""

from __future__ import annotations

from typing import Any

import pytest

from stepsmith_functions.history.items import table_definition
from stepsmith_functions.runtime import clients
from stepsmith_functions.runtime.errors import AwsRefused, InvalidParams
from stepsmith_functions.runtime.register import TableRegister
from stepsmith_functions.runtime.s3 import NotConfigured

ACTIONS = [("add_exclusion", "exclusion", "exclusion_id"), ("log_false_positive", "false_positive", "record_id")]
DIGEST = "ab" * 32


@pytest.fixture
def register(world: Any) -> TableRegister:
    client = clients.of_process().get("dynamodb")
    client.create_table(**table_definition("history"))
    world.environment["HISTORY_TABLE"] = "history"
    return TableRegister(client, "history")


@pytest.mark.row("S4-068")
@pytest.mark.parametrize(("action", "kind", "name"), ACTIONS)
def test_the_sample_event(world: Any, register: Any, action: str, kind: Any, name: str) -> None:
    event = world.sample(action)
    answer = world.send(action, event)
    [entry] = register.entries(kind)
    assert answer == {name: entry.identity(kind)}
    assert (entry.sha256, entry.reason) == (event["params"]["sha256"], event["params"]["reason"])
    assert (entry.file_path, entry.run_id) == (None, "run-0001")
    assert entry.added_at == world.clock.now()


@pytest.mark.parametrize(("action", "kind", "name"), ACTIONS)
def test_the_same_file_is_kept_once(world: Any, register: Any, action: str, kind: Any, name: str) -> None:
    first = world.call(action, {"file_path": "/srv/a", "reason": "one"}, "r1")
    world.clock.sleep(60)
    assert world.call(action, {"file_path": "/srv/a", "reason": "two"}, "r2") == first
    other = world.call(action, {"file_path": "/srv/a", "sha256": DIGEST, "reason": "three"}, "r2")
    assert other != first
    entries = {entry.sha256: entry for entry in register.entries(kind)}
    assert (entries[None].reason, entries[None].run_id) == ("two", "r1")
    assert (world.clock.now() - entries[None].added_at).total_seconds() == 60
    assert entries[DIGEST].file_path == "/srv/a"


def test_the_two_kinds_are_apart_and_in_no_index(world: Any, register: Any) -> None:
    for action, _, _ in ACTIONS:
        world.call(action, {"file_path": "/srv/a", "reason": "r"})
    assert [len(list(register.entries(kind))) for kind in ("exclusion", "false_positive")] == [1, 1]
    client = clients.of_process().get("dynamodb")
    for index in client.describe_table(TableName="history")["Table"]["GlobalSecondaryIndexes"]:
        assert client.scan(TableName="history", IndexName=index["IndexName"])["Count"] == 0


@pytest.mark.parametrize(("action", "kind", "name"), ACTIONS)
@pytest.mark.parametrize(
    "params",
    [{"reason": "r"}, {"file_path": "/a"}, {"file_path": "", "reason": "r"}, {"sha256": "AB" * 32, "reason": "r"}],
)
def test_what_is_no_entry(world: Any, register: Any, action: str, kind: str, name: str, params: Any) -> None:
    with pytest.raises(InvalidParams):
        world.call(action, params)


@pytest.mark.parametrize(("action", "kind", "name"), ACTIONS)
def test_without_a_table(world: Any, action: str, kind: str, name: str) -> None:
    with pytest.raises(NotConfigured):
        world.call(action, {"file_path": "/a", "reason": "r"})
    world.environment["HISTORY_TABLE"] = "none"
    with pytest.raises(AwsRefused, match="ResourceNotFoundException"):
        world.call(action, {"file_path": "/a", "reason": "r"})
