"""`TaskAnswers` by Step Functions' own API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from stepsmith_functions.approvals.deciding import TokenGoneError
from stepsmith_functions.runtime.clients import AwsClient, code_of

_GONE: Final = ("TaskTimedOut", "TaskDoesNotExist", "InvalidToken")
"""What a token answers that no task waits with (API reference, SendTaskSuccess; recorded)."""


class StepFunctionsAnswers:
    """Answers through a boto3 client of Step Functions."""

    def __init__(self, client: AwsClient) -> None:
        self._client = client

    def succeed(self, token: str, output: str) -> None:
        self._call(lambda: self._client.send_task_success(taskToken=token, output=output))

    def fail(self, token: str, error: str, cause: str) -> None:
        self._call(lambda: self._client.send_task_failure(taskToken=token, error=error, cause=cause))

    @staticmethod
    def _call(send: Callable[[], Mapping[str, object]]) -> None:
        try:
            send()
        except Exception as error:
            if code_of(error) in _GONE:
                # The service's message repeats what it was sent.
                raise TokenGoneError(code_of(error)) from None
            raise
