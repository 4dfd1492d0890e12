"""A Lambda of one function without a container: AWS's own runtime client, run against a Runtime API of ours.

`awslambdaric` is what a managed runtime runs; it asks `/runtime/invocation/next` for work and posts what the handler
gave. The service's part is played here: the queue of events, the timeout, the exit of a crashed process. Not played:
the memory limit, layers under `/opt`, the libraries of Amazon Linux. Only the standard library is imported.

From a shell: `runtime_api.py HANDLER EVENT.json --root FOLDER [--root FOLDER] [--python PYTHON] [--env NAME=VALUE]`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

REGION = "us-east-1"
ARN = f"arn:aws:lambda:{REGION}:123456789012:function:"
LARGEST_ANSWER = 6 * 1024 * 1024
_PREFIX = "/2018-06-01/runtime/"


@dataclass(frozen=True)
class Outcome:
    """What an invocation gave. `failed` says that Lambda would set `FunctionError`; the payload then is its error."""

    payload: object
    failed: bool


@dataclass
class Invocation:
    """One event on its way through the runtime client. `deadline` is what it is told, in seconds since the epoch."""

    id: str
    event: bytes
    deadline: float
    outcome: Outcome | None = None


class RuntimeApi:
    """The HTTP side: hands the pending invocation out once and takes its outcome."""

    def __init__(self, function: str) -> None:
        self.function = function
        self.changed = threading.Condition()
        self.pending: Invocation | None = None
        self.current: Invocation | None = None
        self.init_error: Outcome | None = None
        self.closed = False
        self._server = Server(("127.0.0.1", 0), _handler_of(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    def take(self) -> Invocation | None:
        """The next invocation, waited for; None once there will be no more."""
        with self.changed:
            self.changed.wait_for(lambda: self.pending is not None or self.closed)
            self.current, self.pending = self.pending, None
            return self.current

    def finish(self, invocation_id: str, outcome: Outcome) -> bool:
        """Whether the outcome was expected: one of an invocation that timed out is not."""
        with self.changed:
            if self.current is None or self.current.id != invocation_id:
                return False
            self.current.outcome = outcome
            self.current = None
            self.changed.notify_all()
            return True

    def fail_init(self, outcome: Outcome) -> None:
        with self.changed:
            self.init_error = outcome
            self.changed.notify_all()

    def close(self) -> None:
        with self.changed:
            self.closed = True
            self.changed.notify_all()
        self._server.shutdown()
        self._server.server_close()


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was ended breaks its connection; anything else is a mistake of ours."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def _handler_of(api: RuntimeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body leave in one packet at once: with Nagle's algorithm each call would wait 40 ms and more.
        disable_nagle_algorithm = True
        wbufsize = -1

        def log_message(self, *_: object) -> None:
            """Says nothing of each request."""

        def do_GET(self) -> None:
            invocation = api.take() if self.path == f"{_PREFIX}invocation/next" else None
            if invocation is None:
                self._answer(404, b"{}")
                return
            headers = {
                "Lambda-Runtime-Aws-Request-Id": invocation.id,
                "Lambda-Runtime-Deadline-Ms": str(int(invocation.deadline * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": ARN + api.function,
            }
            self._answer(200, invocation.event, headers)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            match self.path.removeprefix(_PREFIX).split("/"):
                case ["init", "error"]:
                    api.fail_init(Outcome(json.loads(body), failed=True))
                    expected = True
                case ["invocation", invocation_id, "response"]:
                    expected = api.finish(invocation_id, _response(body))
                case ["invocation", invocation_id, "error"]:
                    expected = api.finish(invocation_id, Outcome(json.loads(body), failed=True))
                case _:
                    expected = False
            self._answer(202 if expected else 400, b'{"status": "OK"}' if expected else b"{}")

        def _answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {**(headers or {}), "Content-Type": "application/json"}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

    return Handler


def _response(body: bytes) -> Outcome:
    """What Lambda makes of an answer: too large a one, and one that only Python takes for JSON, are failures."""
    if len(body) > LARGEST_ANSWER:
        message = f"Response payload size exceeded maximum allowed payload size ({LARGEST_ANSWER} bytes)."
        return Outcome({"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message}, failed=True)
    try:
        return Outcome(json.loads(body, parse_constant=_refuse_constant), failed=False)
    except ValueError as error:
        return Outcome({"errorType": "Runtime.InvalidResponse", "errorMessage": str(error)}, failed=True)


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


class LocalLambda:
    """One function: starts its process, calls it, ends it. Use it as a context manager."""

    def __init__(
        self,
        handler: str,
        roots: Sequence[Path],
        *,
        environment: Mapping[str, str] | None = None,
        python: str = sys.executable,
        timeout: float = 30,
        memory: int = 256,
        name: str = "function",
    ) -> None:
        self._handler, self._roots, self._python = handler, [root.resolve() for root in roots], python
        self._timeout, self._memory, self._name = timeout, memory, name
        self._environment = dict(environment or {})
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> LocalLambda:
        self._api = RuntimeApi(self._name)
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        self._api.close()
        self._last_log = self.log
        self._output.close()

    @property
    def log(self) -> str:
        """What the process has written to its outputs so far."""
        if self._output.closed:
            return self._last_log
        self._output.seek(0)
        return self._output.read().decode(errors="replace")

    def invoke(self, event: object, *, left: float | None = None) -> Outcome:
        """Calls the function and waits for its outcome, for at most its timeout.

        `left` is what the function is told of the seconds that it has, if not all of them.
        """
        api = self._api
        if self._process.poll() is not None:
            self._start()
        end = time.time() + self._timeout
        told = end if left is None else time.time() + left
        call = Invocation(str(uuid.uuid4()), json.dumps(event).encode(), told)
        with api.changed:
            api.init_error, api.pending = None, call
            api.changed.notify_all()
            while call.outcome is None and api.init_error is None and time.time() < end:
                if self._process.poll() is not None:
                    # The client posts before it exits; what it has posted may still be on its way.
                    api.changed.wait_for(lambda: call.outcome or api.init_error, timeout=0.2)
                    break
                api.changed.wait(timeout=0.02)
            outcome = call.outcome or api.init_error
            api.pending = api.current = None
        if outcome is not None:
            return outcome
        if self._process.poll() is not None:
            status = self._process.returncode
            return _fault(call, "Runtime.ExitError", f"Runtime exited with error: exit status {status}")
        # Lambda throws the environment of a call that timed out away.
        self._stop()
        return _fault(call, "Sandbox.Timedout", f"Task timed out after {self._timeout:.2f} seconds")

    def crash(self) -> None:
        """Ends the process, as running out of memory does; the next call starts another one."""
        self._stop()

    def _start(self) -> None:
        roots = os.pathsep.join(map(str, self._roots))
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "TZ": ":UTC",
            "PYTHONPATH": roots,
            "PYTHONDONTWRITEBYTECODE": "1",
            "LAMBDA_TASK_ROOT": str(self._roots[0]),
            "_HANDLER": self._handler,
            "AWS_LAMBDA_RUNTIME_API": self._api.address,
            "AWS_LAMBDA_FUNCTION_NAME": self._name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self._memory),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{self._name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "local",
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            **self._environment,
        }
        self._process = subprocess.Popen(
            [self._python, "-m", "awslambdaric", self._handler],
            cwd=self._roots[0],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )

    def _stop(self) -> None:
        self._process.kill()
        self._process.wait()


def _fault(call: Invocation, kind: str, message: str) -> Outcome:
    return Outcome({"errorType": kind, "errorMessage": f"RequestId: {call.id} Error: {message}"}, failed=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Call a Lambda handler as AWS's runtime does.")
    parser.add_argument("handler")
    parser.add_argument("event", type=Path)
    parser.add_argument("--root", type=Path, action="append", required=True, help="the function, then its layers")
    parser.add_argument("--python", default=sys.executable, help="one that has awslambdaric")
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
    given = parser.parse_args()
    environment = dict(entry.split("=", 1) for entry in given.env)
    event = json.loads(given.event.read_text(encoding="utf-8"))
    with LocalLambda(given.handler, given.root, environment=environment, python=given.python) as function:
        outcome = function.invoke(event)
        print(function.log, file=sys.stderr, end="")
    print(json.dumps(outcome.payload, indent=2))
    return 1 if outcome.failed else 0


if __name__ == "__main__":
    sys.exit(main())
