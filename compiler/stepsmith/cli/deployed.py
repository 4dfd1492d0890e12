"""A deployed stack as the commands about runs see it: its table, its bucket, Step Functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import boto3  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

from stepsmith.cli.failures import CommandError, Exit
from stepsmith_functions.history.dynamodb import DynamoRunStore
from stepsmith_functions.history.ending import CANCELLED
from stepsmith_functions.history.objects import S3Values
from stepsmith_functions.history.records import RunRecord
from stepsmith_functions.history.store import RunStore

TABLE: Final = "HistoryTable"
BUCKET: Final = "DataBucket"


@dataclass(frozen=True)
class StackHistories:
    """The runs of a stack."""

    stack: str
    endpoint_url: str | None
    store: RunStore
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
            _client("stepfunctions", self.endpoint_url).stop_execution(
                executionArn=run.execution_arn, error=CANCELLED, cause=why or "cancelled with --now"
            )
        except (ClientError, BotoCoreError) as error:
            raise CommandError(f"run {run.run_id[:8]} cannot be stopped: {error}", status=Exit.PROBLEMS) from error


def open_stack(stack: str, endpoint_url: str | None) -> StackHistories:
    """The runs of the stack `stack`. Raises CommandError when there is none, or it keeps no history."""
    try:
        answer = _client("cloudformation", endpoint_url).describe_stack_resources(StackName=stack)
    except (ClientError, BotoCoreError) as error:
        raise CommandError(f"the stack {stack} cannot be looked at: {error}", status=Exit.PROBLEMS) from error
    names = {each["LogicalResourceId"]: each.get("PhysicalResourceId") for each in answer["StackResources"]}
    table, bucket = names.get(TABLE), names.get(BUCKET)
    if not table or not bucket:
        raise CommandError(f"the stack {stack} has no {BUCKET if table else TABLE}: it keeps no history of runs")
    values = S3Values(_client("s3", endpoint_url), str(bucket))
    return StackHistories(stack, endpoint_url, DynamoRunStore(_client("dynamodb", endpoint_url), str(table), values))


def _client(service: str, endpoint_url: str | None) -> Any:
    return boto3.client(service, endpoint_url=endpoint_url)
