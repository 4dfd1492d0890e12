"""`stepsmith run` as a process of its own: virtual time over days, and Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.fidelity.project import COMMAND, LONG_NIGHT_SECONDS, environment, make_project, stepsmith


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("project"))


def test_a_long_night_takes_its_virtual_time_and_hardly_any_other(project: Path) -> None:
    done = stepsmith(project, "run", "long-night", "--mock", "mocks.yaml", "--json")
    result = json.loads(done.stdout)
    assert result["status"] == "succeeded"
    assert result["output"] == {"items": 200, "branches": [2, 3], "last": 199}
    assert result["elapsed_s"] == LONG_NIGHT_SECONDS
    attempts = {step["path"]: step["attempts"] for step in result["steps"]}
    assert attempts["flaky"] == 4
    assert len([path for path in attempts if path.endswith(".item_put")]) == 200


def test_control_c_cancels_a_run_and_keeps_it(project: Path) -> None:
    running = subprocess.Popen(
        [*COMMAND, "run", "long-night", "--real-time"],
        cwd=project,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        waiting = _run_of(project, "running")
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
    finally:
        running.kill()
    assert running.returncode == 130, out + err
    assert "Traceback" not in out + err
    kept = json.loads(stepsmith(project, "show", waiting, "--json").stdout)
    assert kept["status"] == "cancelled"
    assert kept["ended_at"] is not None
    assert [(step["path"], step["status"]) for step in kept["steps"]] == [("night", "cancelled")]


def _run_of(project: Path, status: str) -> str:
    """The id of the run with that status, once there is one in the history."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        listed = json.loads(stepsmith(project, "runs", "--json").stdout)
        found = [run["run_id"] for run in listed if run["status"] == status]
        if found:
            return str(found[0])
    raise AssertionError(f"no run is {status}")
