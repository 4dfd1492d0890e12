"""What a cold start of a handler loads, and what it leaves for later."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FUNCTIONS = Path(__file__).parents[2] / "functions"
_SET = ("AWS_LAMBDA_RUNTIME_API", "PYDANTIC_DISABLE_PLUGINS")
_LOOK = """
import gc, json, os, sys
before = gc.get_threshold()
import stepsmith_functions.actions.{action}
from stepsmith_functions.runtime import clients
clients.of_process().get("dynamodb")
told = {{
    "modules": sorted(sys.modules),
    "changed": gc.get_threshold() != before,
    "enabled": gc.isenabled(),
    "plugins": os.environ.get("PYDANTIC_DISABLE_PLUGINS"),
}}
print(json.dumps(told))
"""


def started(action: str, **environment: str) -> dict[str, object]:
    """What a new process tells that imports the action and makes a client."""
    variables = {
        **{name: value for name, value in os.environ.items() if name not in _SET},
        "AWS_DEFAULT_REGION": "us-east-1",
        **environment,
    }
    done = subprocess.run(
        [sys.executable, "-c", _LOOK.format(action=action)],
        cwd=FUNCTIONS,
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )
    told: dict[str, object] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize("action", ["quarantine_file", "http_request"])
def test_a_cold_start_loads_nothing_that_a_quiet_step_does_not_use(action: str) -> None:
    told = started(action)
    modules = told["modules"]
    assert isinstance(modules, list)
    assert {"boto3", "aws_lambda_powertools", "stepsmith_functions.history.steps"}.isdisjoint(modules)
    assert "botocore.session" in modules


def test_only_a_process_of_lambdas_gets_its_collector_set() -> None:
    told = started("quarantine_file", AWS_LAMBDA_RUNTIME_API="127.0.0.1:9001")
    assert (told["changed"], told["enabled"], told["plugins"]) == (True, True, "__all__")
    told = started("quarantine_file")
    assert (told["changed"], told["enabled"], told["plugins"]) == (False, True, None)


def test_plugins_of_pydantic_can_be_asked_for() -> None:
    told = started("quarantine_file", AWS_LAMBDA_RUNTIME_API="127.0.0.1:9001", PYDANTIC_DISABLE_PLUGINS="")
    assert told["plugins"] == ""
