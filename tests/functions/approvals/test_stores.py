"""The stores of approvals keep the same promises: one question per step, no decision over another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from stepsmith_functions.approvals.dynamodb import DynamoApprovalStore
from stepsmith_functions.approvals.local import LocalApprovalStore
from stepsmith_functions.approvals.memory import MemoryApprovalStore
from stepsmith_functions.approvals.records import Approval, ApprovalStatus
from stepsmith_functions.approvals.store import ApprovalStore
from stepsmith_functions.runtime import clients
from tests.functions.approvals.conftest import NOW

Make = Callable[..., Approval]


@pytest.fixture(params=["dynamodb", "sqlite", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ApprovalStore:
    match request.param:
        case "dynamodb":
            table = request.getfixturevalue("table")
            return DynamoApprovalStore(clients.of_process().get("dynamodb"), table)
        case "sqlite":
            return LocalApprovalStore(tmp_path / "folder" / "history.db")
        case _:
            return MemoryApprovalStore()


def test_a_question_is_found_by_its_id(store: ApprovalStore, make: Make) -> None:
    assert store.find(make().id) is None
    assert store.ask(make())
    assert store.find(make().id) == make()
    for name in ("", "run-1", "run-1.", "run-2.0000"):
        assert store.find(name) is None


def test_the_same_token_asks_once(store: ApprovalStore, make: Make) -> None:
    store.ask(make())
    assert not store.ask(make(message="again"))
    found = store.find(make().id)
    assert found is not None
    assert found.message == "May I?"


def test_a_new_token_asks_in_the_place_of_the_old_one(store: ApprovalStore, make: Make) -> None:
    store.ask(make())
    known = store.find(make().id)
    assert known is not None
    assert store.ask(make(token="token-2", message="again"))
    assert not store.replace(known, replace(known, status=ApprovalStatus.APPROVED))
    found = store.find(make().id)
    assert found is not None
    assert (found.token, found.status) == ("token-2", ApprovalStatus.WAITING)


def test_of_two_changes_at_once_one_is_kept(store: ApprovalStore, make: Make) -> None:
    store.ask(make())
    known = store.find(make().id)
    assert known is not None
    assert store.replace(known, replace(known, status=ApprovalStatus.APPROVED))
    assert not store.replace(known, replace(known, status=ApprovalStatus.REJECTED))
    found = store.find(make().id)
    assert found is not None
    assert (found.status, found.revision) == (ApprovalStatus.APPROVED, 1)


def test_those_of_a_run_in_the_order_in_which_they_were_asked(store: ApprovalStore, make: Make) -> None:
    store.ask(make(path="b", asked_at=NOW))
    store.ask(make(path="a", asked_at=NOW + timedelta(seconds=1)))
    store.ask(make(run_id="run-2"))
    assert [each.path for each in store.of_run("run-1")] == ["b", "a"]
    assert store.of_run("run-3") == []


def test_what_is_due(store: ApprovalStore, make: Make) -> None:
    store.ask(make(path="late", due=NOW + timedelta(minutes=9)))
    store.ask(make(path="early", due=NOW + timedelta(minutes=1)))
    store.ask(make(path="done", due=NOW))
    done = store.find(make(path="done").id)
    assert done is not None
    store.replace(done, replace(done, due=None))
    assert [each.path for each in store.due(NOW + timedelta(minutes=5))] == ["early"]
    assert [each.path for each in store.due()] == ["early", "late"]
    assert [each.path for each in store.due(limit=1)] == ["early"]


def test_the_token_lies_in_the_table_and_not_in_its_index(table: str, make: Make) -> None:
    client: Any = clients.of_process().get("dynamodb")
    DynamoApprovalStore(client, table).ask(make())
    (item,) = client.scan(TableName=table)["Items"]
    assert item["token"] == {"S": "token-1"}
    assert [name for name, value in item.items() if "token-1" in str(value)] == ["token"]
    described = client.describe_table(TableName=table)["Table"]["GlobalSecondaryIndexes"]
    assert all("token" not in index["Projection"].get("NonKeyAttributes", []) for index in described)
    assert all(index["Projection"]["ProjectionType"] == "INCLUDE" for index in described)


def test_an_approval_outlives_its_time_as_long_as_runs_are_kept(table: str, make: Make) -> None:
    client: Any = clients.of_process().get("dynamodb")
    DynamoApprovalStore(client, table, keep_days=10).ask(make())
    (item,) = client.scan(TableName=table)["Items"]
    assert int(item["expires_at"]["N"]) == int((make().deadline + timedelta(days=10)).timestamp())
