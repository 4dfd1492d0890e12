"""What stands behind moto's API, as the parts that reach under it see it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from stepsmith.document import Json
from stepsmith.engine import Execution
from stepsmith.local.handlers import Answer


class Desk(Protocol):
    """What stands behind moto's API: our engine and the functions of the stack."""

    def new_id(self) -> str: ...

    def now(self) -> datetime: ...

    def call_at(self, moment: datetime, action: Callable[[], None]) -> None:
        """Has something done at a moment of the engine's clock, for whose sake alone no time passes."""
        ...

    def start(self, definition: str, data: Json, name: str, machine_arn: str, role_arn: str) -> Execution: ...

    def stop(self, execution: Execution, error: str | None, cause: str | None) -> None: ...

    def redrive(self, execution: Execution) -> None: ...

    def drive(self, execution: Execution) -> None:
        """Runs until the execution has ended."""
        ...

    def complete_task(self, token: str, output: str) -> None: ...

    def fail_task(self, token: str, error: str | None, cause: str | None) -> None: ...

    def heartbeat_task(self, token: str) -> None: ...

    def invoke(self, name: str, payload: Json) -> Answer:
        """Raises FunctionUnknownError."""
        ...

    def first_call(self, service: str) -> None:
        """Told before the first request to a service, by boto3's name for it."""
        ...
