"""A project on disk with one action, which does nothing but answer, and the workflows of this folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "stepsmith.cli.main"]

ACTION = '''
    """The action `put`."""

    from stepsmith_functions.runtime.action import action
    from stepsmith_functions.runtime.context import ActionContext
    from stepsmith_functions.runtime.contract import Params, Result
    from stepsmith_functions.runtime.errors import TransientError


    class Busy(TransientError):
        """Not yet."""


    class PutParams(Params):
        value: int


    class PutResult(Result):
        value: int


    @action(effect="write", repeatable=True, example={"value": 1}, errors=(Busy,), timeout=5)
    def put(params: PutParams, context: ActionContext) -> PutResult:
        """Answers with what it is given."""
        return PutResult(value=params.value)


    handler = put.handler
'''


MOCKS = """\
flaky:
  - {raise: Busy, message: not yet}
  - {raise: Busy, message: not yet}
  - {raise: Busy, message: not yet}
  - {return: {value: 1}}
"""
LONG_NIGHT_SECONDS = 86400 + (10 + 20 + 40) + 3600
"""What `long-night` lasts with these mocks: its wait, the back-off of three retries, its slow branch."""


def environment() -> dict[str, str]:
    """The environment of a user's shell, in which nothing of AWS is set up."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | {"PYTHONPATH": os.pathsep.join((str(ROOT / "compiler"), str(ROOT / "functions"))), "NO_COLOR": "1"}


def make_project(root: Path) -> Path:
    """Writes the project and builds it, as its owner would; its folder."""
    package = root / "functions" / "stepsmith_functions"
    shutil.copytree(
        ROOT / "functions" / "stepsmith_functions", package, ignore=shutil.ignore_patterns("__pycache__", "actions")
    )
    (package / "actions").mkdir()
    (package / "actions" / "__init__.py").write_text("")
    (package / "actions" / "put.py").write_text(dedent(ACTION))
    shutil.copytree(Path(__file__).parent / "workflows", root / "workflows")
    (root / "mocks.yaml").write_text(MOCKS)
    stepsmith(root, "build")
    return root


def stepsmith(project: Path, *arguments: str, status: int | None = 0) -> subprocess.CompletedProcess[str]:
    """Runs the command in a process of its own."""
    done = subprocess.run([*COMMAND, *arguments], cwd=project, env=environment(), capture_output=True, text=True)
    assert status is None or done.returncode == status, f"{done.returncode}: {done.stdout}{done.stderr}"
    return done
