"""Handlers and the history together, as a deployment wires them: the environment names the table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from stepsmith_functions import history
from stepsmith_functions.history.items import table_definition
from stepsmith_functions.runtime import clients
from stepsmith_functions.runtime.files import FileMissing
from stepsmith_functions.runtime.hosting import Host, hosted


@pytest.fixture
def deployed(world: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The world with the real history instead of the fake one."""
    for name, value in {"HISTORY_TABLE": "history", "DATA_BUCKET": "data-bucket"}.items():
        monkeypatch.setenv(name, value)
    clients.of_process().get("dynamodb").create_table(**table_definition("history"))
    with hosted(Host()):
        yield world
    clients.reset()


def test_a_report_shows_what_handlers_recorded(deployed: Any) -> None:
    client = clients.of_process().get("s3")
    client.create_bucket(Bucket="uploads-example")
    client.put_object(Bucket="uploads-example", Key="incoming/invoice.pdf.exe", Body=b"x")
    event = deployed.sample("quarantine_file")
    answer = deployed.send("quarantine_file", event)
    event["step"] |= {"id": "again", "path": "again"}
    event["params"]["file_path"] = "s3://uploads-example/gone"
    with pytest.raises(FileMissing):
        deployed.send("quarantine_file", event)

    event = deployed.sample("generate_report")
    event["params"]["format"] = "json"
    uri = deployed.send("generate_report", event)["report_uri"]
    stored = client.get_object(Bucket="data-bucket", Key=uri.removeprefix("s3://data-bucket/"))
    document = json.loads(stored["Body"].read())
    first, second = document["timeline"]
    assert (first["step"], first["status"], first["output"]) == ("quarantine", "succeeded", answer)
    assert (second["step"], second["status"]) == ("again", "failed")
    assert second["error"] == {"type": "FileMissing", "message": "there is no s3://uploads-example/gone"}
    assert document["notes"] == []

    kept = history.reader_for_steps().steps_of_run("run-0001")
    assert [(step.path, step.status) for step in kept] == [
        ("quarantine", "succeeded"),
        ("again", "failed"),
        ("report", "succeeded"),
    ]


def test_a_table_that_is_gone_fails_nothing(deployed: Any) -> None:
    clients.of_process().get("dynamodb").delete_table(TableName="history")
    answer = deployed.send("generate_report", deployed.sample("generate_report"))
    assert answer["report_uri"].startswith("s3://data-bucket/reports/")
