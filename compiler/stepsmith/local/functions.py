"""The Lambda functions of a local run: the template says which handler a name stands for, and its settings.

A name that the template does not define is unknown, as it would be in the account: a wrong template fails
here.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from stepsmith.document import Json
from stepsmith.engine.values import Json as Value
from stepsmith.local.handlers import (
    Answer,
    Context,
    Handler,
    HandlerError,
    call,
    environment_of,
    import_handler,
)
from stepsmith.local.sam import FunctionResource

ACCOUNT: Final = "123456789012"
REGION: Final = "us-east-1"

_NAME: Final = re.compile(
    r"(?:arn:aws[\w-]*:lambda:[\w-]+:)?(?:(?:\d{12}:)?function:)?(?P<name>[\w-]+)(?::(?P<qualifier>[\w$-]+))?\Z"
)
"""The forms that Invoke takes: name, name:alias, account:function:name and the full ARN (Lambda API)."""


class FunctionUnknownError(Exception):
    """No function has that name; Lambda answers ResourceNotFoundException."""

    def __init__(self, arn: str) -> None:
        super().__init__(f"Function not found: {arn}")
        self.arn = arn


@dataclass
class LocalFunctions:
    """The functions of a stack by name.

    `variables` resolves a function's `Environment.Variables`; `request_id` gives the id of an invocation.
    """

    by_name: Mapping[str, FunctionResource]
    variables: Callable[[FunctionResource], Mapping[str, str]]
    request_id: Callable[[], str]
    region: str = REGION
    _handlers: dict[str, Handler | HandlerError] = field(default_factory=dict, init=False, repr=False)

    def arn(self, name: str) -> str:
        return f"arn:aws:lambda:{self.region}:{ACCOUNT}:function:{name}"

    def find(self, name: str) -> FunctionResource:
        """The function that `name` means in any form that Lambda takes. Raises FunctionUnknownError."""
        match = _NAME.match(name)
        if match is None or match["name"] not in self.by_name:
            raise FunctionUnknownError(name if name.startswith("arn:") else self.arn(match["name"] if match else name))
        return self.by_name[match["name"]]

    def invoke(self, name: str, event: Value, *, patience: float | None = None) -> Answer:
        """Calls the function synchronously with a copy of `event`.

        `patience` is for how many seconds the caller waits at most. Raises FunctionUnknownError.
        """
        function = self.find(name)
        request = self.request_id()
        physical = self._name_of(function)
        environment = {**self._runtime_variables(function, physical), **self.variables(function)}
        handler = self._handler(function, environment)
        if isinstance(handler, HandlerError):
            return Answer(fault=handler.fault)
        context = Context(
            aws_request_id=request,
            function_name=physical,
            invoked_function_arn=self.arn(physical),
            memory_limit_in_mb=str(function.memory),
            log_group_name=f"/aws/lambda/{physical}",
            deadline=time.monotonic() + function.timeout,
        )
        copy: Json = json.loads(json.dumps(event))
        return call(handler, copy, context, timeout=function.timeout, environment=environment, patience=patience)

    def _handler(self, function: FunctionResource, environment: Mapping[str, str]) -> Handler | HandlerError:
        """The imported handler; a failed import is remembered, since Lambda would fail the same way again."""
        known = self._handlers.get(function.logical_id)
        if known is None:
            try:
                with environment_of(environment):
                    known = import_handler(function.handler, function.code)
            except HandlerError as error:
                known = error
            self._handlers[function.logical_id] = known
        return known

    def _name_of(self, function: FunctionResource) -> str:
        return next(name for name, item in self.by_name.items() if item.logical_id == function.logical_id)

    def _runtime_variables(self, function: FunctionResource, name: str) -> dict[str, str]:
        """What Lambda itself sets (developer guide, "Defined runtime environment variables")."""
        return {
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "local",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            "LAMBDA_TASK_ROOT": os.fspath(function.code),
            "_HANDLER": function.handler,
        }
