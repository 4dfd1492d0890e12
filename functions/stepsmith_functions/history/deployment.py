"""The history of this deployment: stores, recorders and readers as the environment configures them.

    HISTORY_TABLE   the table
    DATA_BUCKET     the bucket for large values
    HISTORY_DAYS    how long runs may be read after their end; 90 without it

Besides the Lambda of `recorder`, the only module of the history that reads the environment and takes boto3's
clients.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from stepsmith_functions.history.objects import S3Values
from stepsmith_functions.history.retrying import Backoff
from stepsmith_functions.history.steps import DynamoStepRecorder
from stepsmith_functions.runtime import clients

if TYPE_CHECKING:  # most handlers write a step and read nothing
    from stepsmith_functions.history.controls import DynamoControls
    from stepsmith_functions.history.dynamodb import DynamoRunStore
    from stepsmith_functions.history.ledger import ToldSteps
    from stepsmith_functions.history.reader import HistoryReader
    from stepsmith_functions.history.shared import DynamoSharedState

DEFAULT_DAYS: Final = 90
_PATIENCE_OF_A_STEP: Final = Backoff(attempts=4, base=0.05, cap=0.4)
"""A step waits at most a second for its history (the clients' own retries apart), then goes on without."""


def keep_days(environment: Mapping[str, str] = os.environ) -> int:
    """How long runs are kept. Raises ValueError when `HISTORY_DAYS` is no number above 0."""
    days = int(environment.get("HISTORY_DAYS") or DEFAULT_DAYS)
    if days < 1:
        raise ValueError(f"HISTORY_DAYS is {days}; runs are kept for a day at least")
    return days


def run_store(environment: Mapping[str, str] = os.environ, *, backoff: Backoff | None = None) -> DynamoRunStore:
    """The store of the deployment's runs. Raises KeyError when a variable is absent."""
    from stepsmith_functions.history.dynamodb import DynamoRunStore

    shared = clients.of_process()
    return DynamoRunStore(
        shared.get("dynamodb"),
        environment["HISTORY_TABLE"],
        S3Values(LazyS3(), environment["DATA_BUCKET"], backoff=backoff),
        keep_days=keep_days(environment),
        backoff=backoff,
    )


def step_recorder(environment: Mapping[str, str] = os.environ) -> DynamoStepRecorder:
    """What handlers tell of their steps to. Raises KeyError when a variable is absent."""
    shared = clients.of_process()
    return DynamoStepRecorder(
        shared.get("dynamodb"),
        environment["HISTORY_TABLE"],
        S3Values(LazyS3(), environment["DATA_BUCKET"], backoff=_PATIENCE_OF_A_STEP),
        keep_days=keep_days(environment),
        backoff=_PATIENCE_OF_A_STEP,
    )


def step_controls(environment: Mapping[str, str] = os.environ) -> DynamoControls:
    """What handlers ask whether their run goes on. Raises KeyError when the table is not named."""
    from stepsmith_functions.history.controls import DynamoControls

    client = clients.of_process().get("dynamodb")
    return DynamoControls(client, environment["HISTORY_TABLE"], backoff=_PATIENCE_OF_A_STEP)


def shared_state(environment: Mapping[str, str] = os.environ) -> DynamoSharedState:
    """What handlers of all runs count in. Raises KeyError when the table is not named."""
    from stepsmith_functions.history.shared import DynamoSharedState

    client = clients.of_process().get("dynamodb")
    return DynamoSharedState(client, environment["HISTORY_TABLE"], backoff=_PATIENCE_OF_A_STEP)


def history_reader(environment: Mapping[str, str] = os.environ) -> HistoryReader:
    """What actions read their run's steps from. Raises KeyError when a variable is absent."""
    from stepsmith_functions.history.reader import HistoryReader

    return HistoryReader(run_store(environment))


def told_steps(environment: Mapping[str, str] = os.environ) -> ToldSteps:
    """What a rollback reads the steps from. Raises KeyError when a variable is absent."""
    from stepsmith_functions.history.ledger import ToldSteps

    return ToldSteps(run_store(environment))


class LazyS3:
    """An S3 client that is made when the first large value comes: a cold start pays for DynamoDB's alone."""

    def put_object(self, **arguments: object) -> Mapping[str, object]:
        answer: Mapping[str, object] = clients.of_process().get("s3").put_object(**arguments)
        return answer

    def get_object(self, **arguments: object) -> Mapping[str, object]:
        answer: Mapping[str, object] = clients.of_process().get("s3").get_object(**arguments)
        return answer
