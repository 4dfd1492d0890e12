"""`pause`, `resume` and `cancel` of runs in an account, as moto plays it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws

from stepsmith.cli import deployed
from stepsmith.cli.failures import CommandError
from stepsmith.cli.main import main
from stepsmith_functions.history.controls import DynamoControls
from stepsmith_functions.history.dynamodb import DynamoRunStore
from stepsmith_functions.history.items import table_definition
from stepsmith_functions.history.objects import S3Values
from stepsmith_functions.history.records import RunRecord, RunStatus, StepRecord, StepStatus
from stepsmith_functions.runtime.control import Order

START = datetime(2026, 7, 12, 8, 30, tzinfo=UTC)
RUN = "3f2a91c0-0000"


@dataclass
class Account:
    store: DynamoRunStore
    table: str
    execution: str

    def status(self) -> RunStatus:
        return self.store.run(RUN).status


class Stacks:
    """CloudFormation, for which moto needs packages that the project does without."""

    def list_stack_resources(self, StackName: str, NextToken: str = "") -> dict[str, Any]:  # noqa: N803 - boto3's own
        kept = {"HistoryTable": "kept", "DataBucket": "data"}
        stacks = {"security": kept, "asking": {**kept, "ApprovalDecisionFunction": "decides"}, "bare": {"Topic": "t"}}
        if StackName not in stacks:
            error = {"Code": "ValidationError", "Message": f"Stack with id {StackName} does not exist"}
            raise ClientError({"Error": error}, "ListStackResources")
        key, name = list(stacks[StackName].items())[int(NextToken or 0)]
        page = {"StackResourceSummaries": [{"LogicalResourceId": key, "PhysicalResourceId": name}]}
        more = int(NextToken or 0) + 1
        return {**page, "NextToken": str(more)} if more < len(stacks[StackName]) else page


class Functions:
    """Lambda: the function that answers approvals, as far as a command calls it. Fails where it is told to."""

    def __init__(self) -> None:
        self.called: list[tuple[str, Any]] = []
        self.fails = False

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        self.called.append((FunctionName, json.loads(Payload)))
        return {"FunctionError": "Unhandled"} if self.fails else {}


class Refusing:
    """A service that IAM lets the caller ask nothing."""

    def __getattr__(self, name: str) -> Any:
        def refused(**_: object) -> None:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}, name)

        return refused


@pytest.fixture
def functions() -> Functions:
    return Functions()


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, functions: Functions) -> Iterator[Account]:
    """A stack `security` with one run that is under way."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    of_boto, ours = deployed._client, {"cloudformation": Stacks(), "lambda": functions}
    monkeypatch.setattr(deployed, "_client", lambda service, url: ours.get(service) or of_boto(service, url))
    with mock_aws():
        boto3.client("dynamodb").create_table(**table_definition("kept"))
        boto3.client("s3").create_bucket(Bucket="data")
        states = boto3.client("stepfunctions")
        machine = states.create_state_machine(
            name="security_w",
            definition='{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}',
            roleArn="arn:aws:iam::123456789012:role/r",
        )["stateMachineArn"]
        execution = states.start_execution(stateMachineArn=machine, name=RUN)["executionArn"]
        store = DynamoRunStore(boto3.client("dynamodb"), "kept", S3Values(boto3.client("s3"), "data"))
        store.put_run(RunRecord(RUN, "w", RunStatus.RUNNING, START, execution_arn=execution))
        yield Account(store, "kept", execution)


def call(*argv: str) -> int:
    return main([*argv, "--stack", "security"])


@pytest.mark.row("S0-014", "S0-015")
def test_whom_aws_lets_read_learns_how_a_run_stands_and_what_it_produced(
    account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("show", RUN, "--json") == 0
    assert json.loads(capsys.readouterr().out)["status"] == "running"

    step = StepRecord(RUN, "scan", "scan", StepStatus.SUCCEEDED, output={"hosts": 3}, started_at=START, ended_at=START)
    account.store.put_steps([step])
    account.store.put_run(RunRecord(RUN, "w", RunStatus.SUCCEEDED, START, output={"open": [22]}, ended_at=START))
    assert call("show", RUN, "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["status"], shown["output"]) == ("succeeded", {"open": [22]})
    assert [(each["id"], each["output"]) for each in shown["steps"]] == [("scan", {"hosts": 3})]

    of_before = deployed._client
    monkeypatch.setattr(
        deployed, "_client", lambda service, url: Refusing() if service == "dynamodb" else of_before(service, url)
    )
    assert call("show", RUN, "--json") == 1
    told = capsys.readouterr()
    assert (told.out, "AccessDeniedException" in told.err) == ("", True)


@pytest.mark.row("S0-049")
def test_a_run_of_a_stack_is_paused_and_resumed(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("pause", "3f2a", "--why", "lunch") == 0
    assert "stepsmith resume 3f2a91c0 --stack security" in capsys.readouterr().out
    assert account.status() is RunStatus.PAUSED
    (control,) = DynamoControls(boto3.client("dynamodb"), account.table).controls([RUN])
    assert (control.order, control.why) == (Order.PAUSE, "lunch")
    assert control.by.startswith("arn:aws:")

    assert call("show", RUN) == 0
    assert "lunch" in capsys.readouterr().out
    assert call("runs") == 0
    assert "paused" in capsys.readouterr().out

    assert call("resume", RUN) == 0
    assert account.status() is RunStatus.RUNNING
    assert account.store.run(RUN).control is None
    assert call("resume", RUN) == 1  # it is not paused


@pytest.mark.row("S0-044")
def test_a_run_of_a_stack_is_cancelled(account: Account) -> None:
    assert call("pause", RUN) == 0
    assert call("cancel", RUN) == 0
    assert account.status() is RunStatus.CANCELLING
    described: Any = boto3.client("stepfunctions").describe_execution(executionArn=account.execution)
    assert described["status"] == "RUNNING"  # its handlers will see to it


@pytest.mark.parametrize("flags", [[], ["--now"]])
def test_a_cancel_withdraws_the_approvals_of_a_run(account: Account, functions: Functions, flags: list[str]) -> None:
    assert main(["cancel", RUN, *flags, "--stack", "asking"]) == 0
    assert functions.called == [("decides", {"operation": "cancel", "run": RUN})]
    assert account.status() is RunStatus.CANCELLING


def test_a_cancel_whose_approvals_stay_says_so(
    account: Account, functions: Functions, capsys: pytest.CaptureFixture[str]
) -> None:
    functions.fails = True
    assert main(["cancel", RUN, "--stack", "asking"]) == 1
    assert "within five minutes" in capsys.readouterr().err
    assert account.status() is RunStatus.CANCELLING  # the order stands


def test_a_run_of_a_stack_is_stopped(account: Account) -> None:
    assert call("cancel", RUN, "--now", "--why", "wrong host") == 0
    described: Any = boto3.client("stepfunctions").describe_execution(executionArn=account.execution)
    assert described["status"] == "ABORTED"
    account.store.put_run(RunRecord(RUN, "w", RunStatus.CANCELLED, START, ended_at=START))
    assert call("cancel", RUN) == 1


def test_a_stack_without_a_history_is_refused(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    del account
    assert main(["pause", RUN, "--stack", "nobody"]) == 1
    assert main(["pause", RUN, "--stack", "bare"]) == 2
    assert "HistoryTable" in capsys.readouterr().err


def test_a_stack_of_more_than_one_page_is_asked_as_cloudformation_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests and answers are checked against botocore's model of CloudFormation."""
    session = boto3.Session(aws_access_key_id="a", aws_secret_access_key="s", region_name="us-east-1")
    cloudformation: Any = session.client("cloudformation")
    monkeypatch.setattr(
        deployed,
        "_client",
        lambda service, _: cloudformation if service == "cloudformation" else session.client(service),
    )

    def page(name: str, **more: str) -> dict[str, Any]:
        told = {"ResourceType": "AWS::X::Y", "LastUpdatedTimestamp": START, "ResourceStatus": "CREATE_COMPLETE"}
        summary = {"LogicalResourceId": name, "PhysicalResourceId": name.lower(), **told}
        return {"StackResourceSummaries": [summary], **more}

    given = [{"ParameterKey": "HistoryDays", "ParameterValue": "365"}]
    stack = {"StackName": "s", "CreationTime": START, "StackStatus": "CREATE_COMPLETE", "Parameters": given}
    with Stubber(cloudformation) as stubber:
        stubber.add_response("list_stack_resources", page("DataBucket", NextToken="more"), {"StackName": "s"})
        stubber.add_response("list_stack_resources", page("HistoryTable"), {"StackName": "s", "NextToken": "more"})
        stubber.add_response("describe_stacks", {"Stacks": [stack]}, {"StackName": "s"})
        opened = deployed.open_stack("s", None)
        assert opened.resources == {"DataBucket": "databucket", "HistoryTable": "historytable"}
        assert opened.parameters() == {"HistoryDays": "365"}
        stubber.add_client_error("describe_stacks", "AccessDenied", "no")
        with pytest.raises(CommandError, match="the stack s cannot be looked at"):
            opened.parameters()
