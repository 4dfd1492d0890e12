"""Calls of AWS that wait and try again when they are throttled, and whose failures become the history's own.

The one place that knows botocore's errors.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, ParamSpec, TypeVar

from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

from stepsmith_functions.history.store import HistoryError, HistoryThrottledError, HistoryUnavailableError

P = ParamSpec("P")
R = TypeVar("R")

_TRY_AGAIN: Final = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "Throttling",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "TransactionConflictException",
        "InternalServerError",
        "ServiceUnavailable",
        "SlowDown",
    }
)
_CONDITION: Final = "ConditionalCheckFailedException"


class ConditionFailedError(HistoryError):
    """The item was not as a conditional write wanted it; the stores turn this into their answer.

    `item` is how it was, for a write that asked for it.
    """

    def __init__(self, message: str, item: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.item = item


class ServiceRefusedError(HistoryUnavailableError):
    """AWS answered with an error that waiting does not mend. `code` is its name."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Backoff:
    """How often and how long: full jitter below `base`, doubling up to `cap` (seconds)."""

    attempts: int = 6
    base: float = 0.05
    cap: float = 2.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    jitter: Callable[[], float] = field(default=random.random, repr=False)
    """A number from 0 to 1."""

    def pause(self, attempt: int) -> None:
        """Wait after failed attempt number `attempt`, counted from 0."""
        self.sleep(self.jitter() * min(self.cap, self.base * 2**attempt))

    def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """What `function` returns.

        Raises HistoryThrottledError when every attempt was refused for rate, ConditionFailedError for a
        condition that does not hold, HistoryUnavailableError for any other failure of the service or the
        network.
        """
        last = ""
        for attempt in range(self.attempts):
            if attempt:
                self.pause(attempt - 1)
            try:
                return function(*args, **kwargs)
            except ClientError as error:
                code = error.response.get("Error", {}).get("Code", "")
                if code == _CONDITION:
                    raise ConditionFailedError(str(error), error.response.get("Item")) from error
                if code not in _TRY_AGAIN:
                    message = error.response.get("Error", {}).get("Message", str(error))
                    raise ServiceRefusedError(code, message) from error
                last = str(error)
            except BotoCoreError as error:
                raise HistoryUnavailableError(str(error)) from error
        raise HistoryThrottledError(f"still refused after {self.attempts} attempts: {last}")
