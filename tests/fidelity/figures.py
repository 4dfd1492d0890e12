"""What a local run costs: whole processes, many runs at once, large machines. `python -m tests.fidelity.figures NAME`.

Each figure is taken in a process of its own, so that its memory is its own. No test asserts a time.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tests.fidelity.project import LONG_NIGHT_SECONDS, environment, make_project, stepsmith

ROUNDS: Final = 7


def _memory() -> float:
    """The most that this process has held, in MB. Linux counts what its parent held in the usage of a new process."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def processes() -> dict[str, str]:
    """The long night and ten steps, as whole processes, in turns with the import of boto3 and moto."""
    with tempfile.TemporaryDirectory() as folder:
        project = make_project(Path(folder))
        night = min(
            _seconds(lambda: stepsmith(project, "run", "long-night", "--mock", "mocks.yaml", "--json"))
            for _ in range(3)
        )
        importing = [sys.executable, "-c", "import boto3, moto"]
        ten, imports = [], []
        for _ in range(ROUNDS):
            ten.append(_seconds(lambda: stepsmith(project, "run", "ten-steps", "--json")))
            imports.append(_seconds(lambda: subprocess.run(importing, check=True, env=environment())))
        # The least of each is the machine at rest; the ratio of the medians says whether it was.
        ratio, median = min(ten) / min(imports), statistics.median(ten) / statistics.median(imports)
    return {
        "`wait: 1d`, three retries, a parallel, `for_each` over 200, as a process": (
            f"{night:.2f} s for {LONG_NIGHT_SECONDS:,} virtual seconds"
        ),
        'ten steps as a process, beside `python -c "import boto3, moto"`': (
            f"{min(ten):.2f} s beside {min(imports):.2f} s: {ratio:.1f} times (medians {median:.1f})"
        ),
    }


def concurrent() -> dict[str, str]:
    """A thousand runs at once through boto3, each with a real handler and a wait."""
    from stepsmith.local.aws import LocalAws
    from stepsmith.local.sam import FunctionResource, SamTemplate

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "thousand.py").write_text("def handler(event, context):\n    return event\n")
        function = FunctionResource("F", "thousand.handler", root)
        before = _memory()
        with LocalAws(SamTemplate(root), {"F": function}, root) as aws:
            machine = {
                "QueryLanguage": "JSONata",
                "StartAt": "T",
                "States": {
                    "T": {
                        "Type": "Task",
                        "Resource": "arn:aws:states:::lambda:invoke",
                        "Arguments": {"FunctionName": "local-F", "Payload": {"n": "{% $states.input.n %}"}},
                        "Output": "{% $states.result.Payload %}",
                        "Next": "W",
                    },
                    "W": {"Type": "Wait", "Seconds": 3, "End": True},
                },
            }
            arn = aws.create_machine("m", json.dumps(machine))
            begun = time.perf_counter()
            runs = [aws.start_execution(arn, json.dumps({"n": at}), str(at)) for at in range(1000)]
            aws.engine.run()
            taken, threads = time.perf_counter() - begun, threading.active_count()
            assert [run.output for run in runs] == [{"n": at} for at in range(1000)]
    return {"1,000 runs at once through boto3": f"{taken:.1f} s, {threads} thread, {_memory() - before:+.0f} MB"}


def large() -> dict[str, str]:
    """A machine of 5,000 states and a distributed Map of 10,000 items on the engine."""
    from stepsmith.engine import Engine, Json, TaskSucceeded, validate

    states: dict[str, Json] = {f"S{at}": {"Type": "Pass", "Next": f"S{at + 1}"} for at in range(4999)}
    states["S4999"] = {"Type": "Succeed"}
    chain: dict[str, Json] = {"QueryLanguage": "JSONata", "StartAt": "S0", "States": states}
    processor: dict[str, Json] = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "I",
        "States": {"I": {"Type": "Pass", "Output": "{% $states.input * 2 %}", "End": True}},
    }
    items: dict[str, Json] = {"Type": "Map", "Items": "{% [1..10000] %}", "ItemProcessor": processor, "End": True}
    mapped: dict[str, Json] = {"QueryLanguage": "JSONata", "StartAt": "M", "States": {"M": items}}

    def run(definition: dict[str, Json]) -> None:
        engine = Engine(lambda call: TaskSucceeded(None))
        execution = engine.start(definition, {})
        engine.run()
        assert execution.error is None, execution.cause

    before = _memory()
    checked, ran = _seconds(lambda: validate(chain)), _seconds(lambda: run(chain))
    after_chain = _memory()
    over = _seconds(lambda: run(mapped))
    return {
        "a machine of 5,000 states": f"{checked:.1f} s to check, {ran:.1f} s to run, {after_chain - before:+.0f} MB",
        "a distributed Map of 10,000 items": f"{over:.1f} s, {_memory() - after_chain:+.0f} MB",
    }


FIGURES: Final[dict[str, Callable[[], dict[str, str]]]] = {
    "processes": processes,
    "concurrent": concurrent,
    "large": large,
}


def measure() -> dict[str, str]:
    """All figures, one process after another."""
    found: dict[str, Any] = {}
    for name in FIGURES:
        done = subprocess.run(
            [sys.executable, "-m", "tests.fidelity.figures", name], check=True, capture_output=True, text=True
        )
        found |= json.loads(done.stdout)
    return found


if __name__ == "__main__":
    print(json.dumps(FIGURES[sys.argv[1]]()))
