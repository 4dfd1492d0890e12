"""How much a handler logs is a setting of its environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FUNCTIONS = Path(__file__).parents[3] / "functions"
LOGS = "\n".join(
    (
        "from stepsmith_functions.runtime import log",
        "for level in ('debug', 'info', 'warning', 'error'):",
        "    getattr(log.logger(), level)('told')",
    )
)


@pytest.mark.row("S2-033")
@pytest.mark.parametrize("setting", ["LOG_LEVEL", "POWERTOOLS_LOG_LEVEL"])
@pytest.mark.parametrize(
    ("level", "told"),
    [
        ("DEBUG", ["DEBUG", "INFO", "WARNING", "ERROR"]),
        ("INFO", ["INFO", "WARNING", "ERROR"]),
        ("ERROR", ["ERROR"]),
    ],
)
def test_a_setting_says_how_much_is_logged(setting: str, level: str, told: list[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.endswith("LOG_LEVEL")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOGS],
        env={**environment, setting: level, "PYTHONPATH": str(FUNCTIONS)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [json.loads(line)["level"] for line in done.stdout.splitlines()] == told
