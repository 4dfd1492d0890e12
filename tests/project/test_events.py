"""Sample events: each belongs to something, and fits it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stepsmith.catalog import read_catalog
from stepsmith.pipeline import compile_bytes
from stepsmith.schema import violations

ROOT = Path(__file__).parents[2]
CATALOG = read_catalog((ROOT / "functions" / "catalog.json").read_text(encoding="utf-8"))
RUNS = sorted((ROOT / "events" / "runs").glob("*.json"))
WORKFLOWS = sorted((ROOT / "workflows").glob("*.yaml"))


def test_every_action_and_every_workflow_has_an_event() -> None:
    actions = {path.stem for path in (ROOT / "events" / "actions").glob("*.json")}
    assert actions == set(CATALOG.names())
    assert {path.stem for path in RUNS} == {path.stem for path in WORKFLOWS}


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_a_run_takes_its_event(path: Path) -> None:
    source = ROOT / "workflows" / path.name.replace(".json", ".yaml")
    workflow = compile_bytes(source.name, source.read_bytes(), CATALOG).workflow
    assert workflow is not None
    declared = {item.name: item for item in workflow.input or ()}
    given = json.loads(path.read_text(encoding="utf-8"))
    assert {item.name for item in declared.values() if item.required} <= given.keys() <= declared.keys()
    for name, value in given.items():
        assert list(violations(value, declared[name].schema)) == []


@pytest.mark.parametrize("name", CATALOG.names())
def test_an_action_takes_the_params_of_its_event(name: str) -> None:
    event = json.loads((ROOT / "events" / "actions" / f"{name}.json").read_text(encoding="utf-8"))
    action = CATALOG.get(name)
    assert action is not None
    assert list(violations(event["params"], action.params)) == []
