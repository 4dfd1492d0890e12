"""The registry finds every action and refuses what is none; a handler's import stays small."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stepsmith_functions.runtime import registry

ROOT = Path(__file__).parents[3]
EVENTS = ROOT / "events" / "actions"
ACTIONS = {found.contract.name: found for found in registry.actions()}


def test_every_module_is_found() -> None:
    folder = ROOT / "functions" / "stepsmith_functions" / "actions"
    names = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert set(ACTIONS) == names
    assert [item["name"] for item in registry.contracts()] == sorted(names)


@pytest.mark.row("S4-004")
@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("quarantine_file", {"file_path": "/srv/a", "quarantine_dir": "/srv/quarantine"}),
        ("delete_file", {"file_path": "/srv/a"}),
        ("kill_process", {"process_id": 42}),
        ("send_notification", {"recipient": "ops@example.com", "message": "done"}),
        ("update_definitions", {}),
        ("run_scan", {"path": "/srv", "scan_type": "quick"}),
        ("generate_report", {"report_type": "incident"}),
        ("call_webhook", {"url": "https://hooks.example/a", "payload": {"a": 1}}),
        ("run_script", {"script": "show.sh", "args": ["a"]}),
    ],
)
def test_the_nine_actions_of_a_response_are_built_in_and_take_their_params(name: str, params: dict[str, Any]) -> None:
    found = ACTIONS[name]
    assert found.describe()["handler"] == f"stepsmith_functions.actions.{name}.handler"
    assert found.params.model_validate_json(json.dumps(params)).model_dump(exclude_unset=True) == params


@pytest.mark.parametrize("name", ACTIONS)
def test_the_contract_is_whole(name: str) -> None:
    found = ACTIONS[name]
    described: Any = json.loads(json.dumps(found.describe()))
    assert described["summary"]
    assert all(entry["summary"] for entry in described["errors"])
    assert all("description" in entry for entry in described["params"].get("properties", {}).values())
    assert all("description" in entry for entry in described["result"]["properties"].values())
    assert found.params.model_validate_json(json.dumps(described["example"]))
    assert all("*" not in action for entry in described["permissions"] for action in entry["actions"])


@pytest.mark.parametrize("name", ACTIONS)
def test_each_action_has_a_sample_event(name: str) -> None:
    event = json.loads((EVENTS / f"{name}.json").read_text())
    assert event["params"] == ACTIONS[name].describe()["example"]
    assert event["step"]["action"] == name
    assert set(event["run"]) == {"id", "workflow", "version"}


def test_every_sample_event_has_its_action() -> None:
    assert {path.stem for path in EVENTS.glob("*.json")} == set(ACTIONS)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1/0", "cannot be imported: ZeroDivisionError"),
        ("x = 1", "declares no action"),
        ("from stepsmith_functions.actions.quarantine_file import quarantine_file as broken", "declares no action"),
        (
            "from stepsmith_functions.runtime.action import action\n"
            "from stepsmith_functions.runtime.context import ActionContext\n"
            "from stepsmith_functions.runtime.contract import Params, Result\n"
            "@action(effect='read', repeatable=True, example={})\n"
            "def broken(params: Params, context: ActionContext) -> Result:\n"
            "    'Is bound to nothing.'\n"
            "    return Result()\n",
            "does not bind handler",
        ),
    ],
)
def test_a_module_that_is_no_action_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, problem: str
) -> None:
    package = tmp_path / "some_actions"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "broken.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    try:
        with pytest.raises(registry.RegistryError, match=f"some_actions.broken {problem}"):
            registry.contracts(package="some_actions")
    finally:
        for name in ("some_actions", "some_actions.broken"):
            sys.modules.pop(name, None)


def test_a_handler_imports_no_client_no_registry_and_no_other_action() -> None:
    program = (
        "import sys, importlib\n"
        f"for name in {sorted(ACTIONS)!r}:\n"
        "    before = set(sys.modules)\n"
        "    importlib.import_module(f'stepsmith_functions.actions.{name}')\n"
        "    new = set(sys.modules) - before\n"
        "    others = {m for m in new if m.startswith('stepsmith_functions.actions.')}\n"
        "    assert others <= {f'stepsmith_functions.actions.{name}'}, (name, others)\n"
        "    assert 'yara' not in new or name == 'run_scan', name\n"
        "bad = {'boto3', 'botocore.client', 'stepsmith', 'yaml', 'jinja2', 'stepsmith_functions.runtime.registry',\n"
        "       'stepsmith_functions.history.deployment', 'aws_xray_sdk'} & set(sys.modules)\n"
        "assert not bad, bad\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT / "functions")
