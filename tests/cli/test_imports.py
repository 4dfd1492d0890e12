"""Commands that only read workflows start quickly: they import nothing that talks to AWS."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("boto3", "botocore", "moto", "jsonata", "pydantic", "aws_lambda_powertools", "stepsmith_functions.actions")


@pytest.mark.parametrize("command", ["check", "compile critical-threat-response", "actions", "version", "--help"])
def test_a_command_imports_nothing_heavy(command: str) -> None:
    program = (
        "import sys\n"
        "from stepsmith.cli.main import main\n"
        f"status = main({command.split()!r})\n"
        f"print('status', status, [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "status 0 []"
