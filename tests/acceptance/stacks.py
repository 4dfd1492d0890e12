"""A stack in the emulation: its machines, functions, table and recorder, and the command line that is called on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from stepsmith.asl.names import machine_id, resume_id, rollback_id
from stepsmith.cli import deployed, stack_machines
from stepsmith.cli.workflows import SERVICES
from stepsmith.local.aws import LocalAws
from stepsmith.local.machines import functions_of, substituted
from stepsmith.local.sam import read_template
from stepsmith.pipeline import Compilation, compile_bytes
from stepsmith.project import Project
from stepsmith_functions.history.dynamodb import DynamoRunStore
from stepsmith_functions.history.objects import S3Values
from stepsmith_functions.runtime.hosting import Host, hosted
from tests.acceptance.conftest import Called, Desk

NOTHING = '{"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": {"Type": "Fail", "Error": "NothingToResume"}}}'


@dataclass
class Stack:
    """The stack `security`, in whose project the command line is called."""

    desk: Desk
    aws: LocalAws
    resources: dict[str, str]
    maps: Path
    """The layer with the source maps."""
    parameters: dict[str, str] = field(default_factory=lambda: {"HistoryDays": "365"})

    def call(self, *argv: str) -> Called:
        return self.desk.call(*argv, "--stack", "security")

    @property
    def states(self) -> Any:
        return self.aws.client("stepfunctions")

    @property
    def store(self) -> DynamoRunStore:
        values = S3Values(self.aws.client("s3"), self.resources["DataBucket"])
        return DynamoRunStore(self.aws.client("dynamodb"), self.resources["HistoryTable"], values)

    def deploy(self, text: str) -> str:
        """Puts the workflow's machines into the stack, or brings them up to date."""
        project = Project(self.desk.root)
        catalog = project.catalog()
        name = self.desk.workflow(text)
        path = f"workflows/{name}.yaml"
        siblings = project.siblings(catalog)
        compiled = compile_bytes(path, (self.desk.root / path).read_bytes(), catalog, siblings, SERVICES)
        assert compiled.asl is not None, [each.message for each in compiled.diagnostics]
        self._put(machine_id(name), f"local_{name}", compiled.asl, compiled)
        (self.maps / f"{name}.map.json").write_text(json.dumps(compiled.origins))
        if compiled.rollback is not None:
            (self.maps / f"{name}.rollback.map.json").write_text(json.dumps(compiled.rollback.origins))
            self._put(rollback_id(name), f"local_{name}.rollback", compiled.rollback.asl, compiled)
        if resume_id(name) not in self.resources:
            self._put(resume_id(name), f"local_{name}.resume", NOTHING, compiled)
        return name

    def _put(self, logical_id: str, name: str, text: str, compiled: Compilation) -> None:
        assert compiled.machine is not None
        functions = functions_of(self.aws.stack.template, Project(self.desk.root), Project(self.desk.root).catalog())
        more = self.resources | self.parameters
        definition = substituted(text, self.aws, functions, more)
        known = [each for each in self.states.list_state_machines()["stateMachines"] if each["name"] == name]
        if known:
            self.states.update_state_machine(stateMachineArn=known[0]["stateMachineArn"], definition=definition)
        else:
            self.resources[logical_id] = self.aws.create_machine(name, definition)

    def start(self, name: str, data: object = None, run_id: str = "3f2a91c0-0000") -> str:
        self.aws.start_execution(self.resources[machine_id(name)], json.dumps(data or {}), run_id)
        return run_id

    def run(self, text: str, data: object = None) -> str:
        """Deploys a workflow and runs it to its end."""
        run_id = self.start(self.deploy(text), data)
        self.aws.engine.run()
        return run_id

    def result(self, run_id: str) -> dict[str, Any]:
        shown: dict[str, Any] = self.call("show", run_id, "--json").json
        return shown

    def later(self, run_id: str) -> str:
        """The run that goes on from a run."""
        by = self.store.run(run_id).continued_by
        assert by is not None
        return by

    # CloudFormation, for which moto needs packages that the project does without.

    def list_stack_resources(self, StackName: str) -> dict[str, Any]:  # noqa: N803 - boto3's own spelling
        if StackName != "security":
            raise ClientError({"Error": {"Code": "ValidationError", "Message": "no stack"}}, "ListStackResources")
        named = self.resources.items()
        return {"StackResourceSummaries": [{"LogicalResourceId": a, "PhysicalResourceId": b} for a, b in named]}

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803 - boto3's own spelling
        assert StackName == "security"
        given = [{"ParameterKey": name, "ParameterValue": value} for name, value in self.parameters.items()]
        return {"Stacks": [{"StackName": StackName, "Parameters": given}]}


@contextmanager
def deployed_stack(new_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    project = Project(new_desk.root)
    template = read_template(project.template)
    functions = functions_of(template, project, project.catalog())
    maps = new_desk.root / "maps"
    maps.mkdir()
    recorder = functions["RecorderFunction"]
    functions["RecorderFunction"] = replace(recorder, environment=recorder.environment | {"WORKFLOW_MAPS": str(maps)})
    monkeypatch.setattr(stack_machines.time, "sleep", lambda _: None)
    with LocalAws(template, functions, new_desk.root) as aws, hosted(Host(clock=aws.handler_clock)):
        names = [*functions, "HistoryTable", "DataBucket"]
        found = Stack(new_desk, aws, {name: aws.stack.reference(name) for name in names}, maps)
        of_boto = deployed._client
        monkeypatch.setattr(
            deployed, "_client", lambda service, url: found if service == "cloudformation" else of_boto(service, url)
        )
        prefix = "arn:aws:states:us-east-1:123456789012:stateMachine:local_"
        pattern = {"source": ["aws.states"], "detail": {"stateMachineArn": [{"prefix": prefix}]}}
        arn = aws.functions.arn(aws.stack.reference("RecorderFunction"))
        aws.client("events").put_rule(Name="status", EventPattern=json.dumps(pattern))
        aws.client("events").put_targets(Rule="status", Targets=[{"Id": "1", "Arn": arn}])
        yield found
