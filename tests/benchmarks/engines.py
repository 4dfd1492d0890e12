"""What one Lambda step costs: in our engine behind moto's API with a real handler, and in moto's own interpreter.

moto without Docker gives a function's payload back and runs no handler, so that its share is the lower bound.
"""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import boto3
from moto import mock_aws

from stepsmith.local.aws import LocalAws
from stepsmith.local.sam import FunctionResource, SamTemplate
from tests.benchmarks.programs import lambda_chain

SHORT, LONG = 10, 60
HANDLER = "def handler(event, context):\n    return event\n"


def cost_of_a_step(rounds: int) -> tuple[float, float]:
    """Seconds for one more step in ours and in moto's: what a longer machine takes more, divided by its steps."""
    found = []
    for run in (_ours, _stock):
        with run() as timed:
            timed(SHORT)
            short, long = (min(timed(steps) for _ in range(rounds)) for steps in (SHORT, LONG))
        found.append((long - short) / (LONG - SHORT))
    return found[0], found[1]


@contextmanager
def _ours() -> Iterator[Any]:
    with TemporaryDirectory() as folder:
        code = Path(folder)
        (code / "echoing_handler.py").write_text(HANDLER)
        functions = {"Echo": FunctionResource("Echo", "echoing_handler.handler", code, timeout=3)}
        with LocalAws(SamTemplate(code), functions, code) as aws:
            count = iter(range(1000))

            def timed(steps: int) -> float:
                number = next(count)
                arn = "arn:aws:lambda:us-east-1:123456789012:function:local-Echo"
                machine = aws.create_machine(f"chain-{number}", lambda_chain(steps, arn, jsonata=True))
                begun = time.perf_counter()
                execution = aws.start_execution(machine, "{}", f"run-{number}")
                aws.engine.run(until=execution)
                taken = time.perf_counter() - begun
                _expect(execution.output, steps)
                return taken

            yield timed


@contextmanager
def _stock() -> Iterator[Any]:
    settings = {"lambda": {"use_docker": False}, "stepfunctions": {"execute_state_machine": True}}
    identity = {"aws_access_key_id": "a", "aws_secret_access_key": "s", "region_name": "us-east-1"}
    with mock_aws(config=settings):
        client = boto3.client("stepfunctions", **identity)
        role = boto3.client("iam", **identity).create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("echo.py", HANDLER)
        function = boto3.client("lambda", **identity).create_function(
            FunctionName="echo",
            Runtime="python3.11",
            Role=role,
            Handler="echo.handler",
            Code={"ZipFile": archive.getvalue()},
        )["FunctionArn"]
        count = iter(range(1000))

        def timed(steps: int) -> float:
            definition = lambda_chain(steps, function, jsonata=False)
            machine = client.create_state_machine(name=f"m{next(count)}", definition=definition, roleArn=role)
            begun = time.perf_counter()
            execution = client.start_execution(stateMachineArn=machine["stateMachineArn"], input="{}")
            while (found := client.describe_execution(executionArn=execution["executionArn"]))["status"] == "RUNNING":
                time.sleep(0.001)
            taken = time.perf_counter() - begun
            _expect(json.loads(found["output"]), steps)
            return taken

        yield timed


def _expect(output: object, steps: int) -> None:
    if output != {"number": steps - 1}:
        raise RuntimeError(f"the machine gave {output}")
