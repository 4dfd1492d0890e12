"""Runs a Python handler as Lambda's runtime does, in this process: import, call, the shape of each failure.

The shapes are those of AWS's own runtime client (awslambdaric 4.2) and of the Lambda service around it.
Nothing here knows a template or a workflow. A handler that overruns its time is made to stop at its next line:
what it waits for in that moment cannot be interrupted.
"""

from __future__ import annotations

import contextlib
import contextvars
import io
import json
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeAlias

from stepsmith.document import Json
from stepsmith.project import import_from

Handler: TypeAlias = Callable[[Json, "Context"], object]

MAX_RESPONSE: Final = 6_291_556
"""Bytes of a synchronous answer (Lambda quotas, "Invocation payload")."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A failed invocation as the Invoke API shows it; `type` is the error name in Step Functions."""

    type: str
    message: str
    request_id: str = ""
    stack_trace: tuple[str, ...] = ()

    def payload(self) -> dict[str, Json]:
        return {
            "errorMessage": self.message,
            "errorType": self.type,
            "requestId": self.request_id,
            "stackTrace": list(self.stack_trace),
        }


class HandlerError(Exception):
    """The handler cannot be imported; `fault` is what Lambda reports at its start."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Answer:
    """What an invocation gave: a payload, or a fault. `log` holds what the handler printed."""

    payload: Json = None
    fault: Fault | None = None
    log: str = field(default="", repr=False)
    overran: bool = False
    """The caller's own patience ended before the function's timeout did; there is no payload and no fault."""


@dataclass(frozen=True)
class Context:
    """The context object that Lambda hands to a handler."""

    aws_request_id: str
    function_name: str
    invoked_function_arn: str
    memory_limit_in_mb: str
    log_group_name: str
    deadline: float = field(repr=False)
    """On the clock of `time.monotonic`."""
    log_stream_name: str = "local"
    function_version: str = "$LATEST"
    identity: None = None
    client_context: None = None
    tenant_id: None = None

    def get_remaining_time_in_millis(self) -> int:
        return max(0, round((self.deadline - time.monotonic()) * 1000))


def import_handler(handler: str, code: Path) -> Handler:
    """The function that `handler` names (`package.module.attribute`) in the folder `code`.

    Raises HandlerError for what makes Lambda fail at the start of an environment.
    """
    module_name, dot, attribute = handler.rpartition(".")
    if not dot:
        message = f"Bad handler '{handler}': not enough values to unpack (expected 2, got 1)"
        raise HandlerError(Fault("Runtime.MalformedHandlerName", message))
    try:
        module = import_from(module_name.replace("/", "."), code)
    except ImportError as error:
        message = f"Unable to import module '{module_name}': {error}"
        raise HandlerError(Fault("Runtime.ImportModuleError", message)) from error
    except SyntaxError as error:
        trace = (f'  File "{error.filename}" Line {error.lineno}\n    {error.text}',)
        message = f"Syntax error in module '{module_name}': {error}"
        raise HandlerError(Fault("Runtime.UserCodeSyntaxError", message, stack_trace=trace)) from error
    except Exception as error:
        fault = Fault(type(error).__name__, str(error), stack_trace=_trace_of(error))
        raise HandlerError(fault) from error
    found: Handler | None = getattr(module, attribute, None)
    if found is None:
        message = f"Handler '{attribute}' missing on module '{module_name}'"
        raise HandlerError(Fault("Runtime.HandlerNotFound", message))
    return found


def call(
    handler: Handler,
    event: Json,
    context: Context,
    *,
    timeout: float,
    environment: Mapping[str, str],
    patience: float | None = None,
) -> Answer:
    """Calls `handler` under `environment`; waits at most `timeout` seconds, or `patience` if that is less."""
    outcome: list[Answer] = []
    log = io.StringIO()

    def work() -> None:
        outcome.append(_called(handler, event, context))

    limit = timeout if patience is None else min(timeout, patience)
    # A thread begins without the caller's context variables, and by one of those handlers find their host.
    within = contextvars.copy_context()
    worker = threading.Thread(target=within.run, args=(work,), name=f"lambda-{context.function_name}", daemon=True)
    with environment_of(environment), contextlib.redirect_stdout(log):
        worker.start()
        try:
            worker.join(limit)
        finally:
            if worker.is_alive():
                _end(worker)
    if outcome:
        return Answer(outcome[0].payload, outcome[0].fault, log.getvalue())
    if patience is not None and patience < timeout:
        return Answer(log=log.getvalue(), overran=True)
    message = f"RequestId: {context.aws_request_id} Error: Task timed out after {timeout:.2f} seconds"
    return Answer(fault=Fault("Sandbox.Timedout", message, context.aws_request_id), log=log.getvalue())


def _end(worker: threading.Thread) -> None:
    """Makes an abandoned handler stop at the next line of Python that it would run.

    Lambda ends the whole environment. Here it would otherwise go on after the run, when nothing is emulated any more
    and its next call could reach a real account.
    """
    import ctypes

    assert worker.ident is not None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(worker.ident), ctypes.py_object(SystemExit))


def _called(handler: Handler, event: Json, context: Context) -> Answer:
    request = context.aws_request_id
    try:
        result = handler(event, context)
    except Exception as error:
        return Answer(fault=Fault(type(error).__name__, str(error), request, _trace_of(error)))
    except BaseException as error:
        # SystemExit ends Lambda's process, so that nothing of the error itself reaches the caller.
        status = error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else 1
        message = f"RequestId: {request} Error: Runtime exited with error: exit status {status}"
        return Answer(fault=Fault("Runtime.ExitError", message, request))
    try:
        text = json.dumps(result, ensure_ascii=False, allow_nan=False, default=_marshalled)
    except (TypeError, ValueError, RecursionError) as error:
        return Answer(fault=Fault("Runtime.MarshalError", f"Unable to marshal response: {error}", request))
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_RESPONSE:
        message = f"Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE} bytes)."
        return Answer(fault=Fault("Function.ResponseSizeTooLarge", message, request))
    payload: Json = json.loads(text)
    return Answer(payload=payload)


def _marshalled(value: Any) -> Json:
    """What awslambdaric writes although the json module does not: a Decimal is a number."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _trace_of(error: BaseException) -> tuple[str, ...]:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.endswith(_MACHINERY)]
    return tuple(traceback.format_list(own))


_MACHINERY: Final = (
    os.sep + os.path.join("stepsmith", "local", "handlers.py"),
    "<frozen importlib._bootstrap>",
)


@contextlib.contextmanager
def environment_of(variables: Mapping[str, str]) -> Iterator[None]:
    """Sets environment variables while the block runs."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
