"""A deployed stack as the commands about runs see it: its table, its bucket, Step Functions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import boto3  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

from stepsmith.cli.deciding import FUNCTION
from stepsmith.cli.failures import CommandError, Exit
from stepsmith_functions.history.deployment import DEFAULT_DAYS
from stepsmith_functions.history.dynamodb import DynamoRunStore
from stepsmith_functions.history.ending import CANCELLED
from stepsmith_functions.history.objects import S3Values
from stepsmith_functions.history.records import RunRecord
from stepsmith_functions.history.store import RunStore

TABLE: Final = "HistoryTable"
BUCKET: Final = "DataBucket"
DAYS: Final = "HistoryDays"
"""The parameter that says how long runs are kept."""


@dataclass(frozen=True)
class StackHistories:
    """The runs of a stack."""

    stack: str
    endpoint_url: str | None
    store: RunStore
    resources: Mapping[str, str] = field(default_factory=dict)
    """Physical ids of the stack's resources by their logical ids."""
    deployed = True

    @property
    def flags(self) -> str:
        return f" --stack {self.stack}" + (f" --endpoint-url {self.endpoint_url}" if self.endpoint_url else "")

    def caller(self) -> str | None:
        """The ARN of whoever calls."""
        try:
            return str(_client("sts", self.endpoint_url).get_caller_identity()["Arn"])
        except (ClientError, BotoCoreError):
            return None

    def stop(self, run: RunRecord, why: str) -> None:
        """StopExecution. Raises CommandError when AWS refuses."""
        try:
            self.states().stop_execution(
                executionArn=run.execution_arn, error=CANCELLED, cause=why or "cancelled with --now"
            )
        except (ClientError, BotoCoreError) as error:
            raise CommandError(f"run {run.run_id[:8]} cannot be stopped: {error}", status=Exit.PROBLEMS) from error

    def states(self) -> Any:
        """boto3's client of Step Functions."""
        return _client("stepfunctions", self.endpoint_url)

    def parameters(self) -> Mapping[str, str]:
        """What the stack's parameters are set to. Raises CommandError when AWS refuses."""
        try:
            (stack,) = _client("cloudformation", self.endpoint_url).describe_stacks(StackName=self.stack)["Stacks"]
        except (ClientError, BotoCoreError) as error:
            raise _unseen(self.stack, error) from error
        return {each["ParameterKey"]: each.get("ParameterValue", "") for each in stack.get("Parameters", ())}

    def writer(self, days: str) -> RunStore:
        """The same store, for runs that the stack's handlers have not written: they are kept for `days` days."""
        return _store(self.resources, self.endpoint_url, int(days) if days.isdigit() else DEFAULT_DAYS)

    def withdraw_approvals(self, run: RunRecord) -> None:
        """Has the approvals that wait in a run withdrawn on which an order to end stands. Raises CommandError when AWS
        refuses: the function itself looks for such orders every five minutes."""
        decider = self.resources.get(FUNCTION)
        if decider is None:
            return
        event = {"operation": "cancel", "run": run.run_id}
        try:
            answer = _client("lambda", self.endpoint_url).invoke(
                FunctionName=decider, Payload=json.dumps(event).encode()
            )
        except (ClientError, BotoCoreError) as error:
            reason = str(error)
        else:
            if not answer.get("FunctionError"):
                return
            reason = f"the function {decider} failed: see its log"
        late = "it is done within five minutes"
        raise CommandError(f"no approval was withdrawn: {reason}", help=late, status=Exit.PROBLEMS)


def open_stack(stack: str, endpoint_url: str | None) -> StackHistories:
    """The runs of the stack `stack`. Raises CommandError when there is none, or it keeps no history."""
    names = _resources(stack, endpoint_url)
    for needed in (TABLE, BUCKET):
        if needed not in names:
            raise CommandError(f"the stack {stack} has no {needed}: it keeps no history of runs")
    return StackHistories(stack, endpoint_url, _store(names, endpoint_url), names)


def _store(names: Mapping[str, str], endpoint_url: str | None, days: int = DEFAULT_DAYS) -> DynamoRunStore:
    values = S3Values(_client("s3", endpoint_url), names[BUCKET])
    return DynamoRunStore(_client("dynamodb", endpoint_url), names[TABLE], values, keep_days=days)


def _resources(stack: str, endpoint_url: str | None) -> dict[str, str]:
    """By logical id. DescribeStackResources would give the first hundred only (documented)."""
    cloudformation = _client("cloudformation", endpoint_url)
    found: dict[str, str] = {}
    token: dict[str, str] = {}
    try:
        while True:
            answer = cloudformation.list_stack_resources(StackName=stack, **token)
            for each in answer["StackResourceSummaries"]:
                if each.get("PhysicalResourceId"):
                    found[each["LogicalResourceId"]] = each["PhysicalResourceId"]
            if not answer.get("NextToken"):
                return found
            token = {"NextToken": answer["NextToken"]}
    except (ClientError, BotoCoreError) as error:
        raise _unseen(stack, error) from error


def _unseen(stack: str, error: Exception) -> CommandError:
    return CommandError(f"the stack {stack} cannot be looked at: {error}", status=Exit.PROBLEMS)


def _client(service: str, endpoint_url: str | None) -> Any:
    return boto3.client(service, endpoint_url=endpoint_url)
