"""Handlers called as Lambda calls them: names, environment, context and the shape of each failure."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from textwrap import dedent

import pytest

from stepsmith.document import Json
from stepsmith.local.functions import FunctionUnknownError, LocalFunctions
from stepsmith.local.handlers import Context, call
from stepsmith.local.sam import FunctionResource

MODULE = """
    import os, sys, time
    from decimal import Decimal

    IMPORTED_WITH = os.environ.get("COLOUR")

    class Boom(Exception):
        pass

    def echo(event, context):
        print("hello from", context.function_name)
        return {
            "event": event, "colour": os.environ["COLOUR"], "at_import": IMPORTED_WITH,
            "task_root": os.environ["LAMBDA_TASK_ROOT"], "id": context.aws_request_id,
            "arn": context.invoked_function_arn, "memory": context.memory_limit_in_mb,
            "left": context.get_remaining_time_in_millis() > 0, "price": Decimal("1.50"),
        }

    def fails(event, context):
        raise Boom("no such thing")

    def leaves(event, context):
        sys.exit(3)

    def unmarshallable(event, context):
        return {"a", "b"}

    def not_a_number(event, context):
        return float("nan")

    def slow(event, context):
        time.sleep(5)

    def changes(event, context):
        event["list"].append(1)

    def huge(event, context):
        return "x" * 6_300_000
"""


@pytest.fixture
def functions(tmp_path: Path) -> Iterator[LocalFunctions]:
    code = tmp_path / "code"
    package = code / "local_functions_sample"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "things.py").write_text(dedent(MODULE))
    (package / "broken.py").write_text("import no_such_module_anywhere\n")
    (package / "bad_syntax.py").write_text("def handler(:\n")
    (package / "raises.py").write_text("raise LookupError('at import')\n")

    def function(name: str, handler: str) -> FunctionResource:
        return FunctionResource(
            name, f"local_functions_sample.{handler}", code, timeout=1, environment={"COLOUR": "red"}
        )

    handlers = {
        name: function(name, f"things.{name}")
        for name in (
            "echo",
            "fails",
            "leaves",
            "unmarshallable",
            "not_a_number",
            "slow",
            "changes",
            "huge",
            "absent",
        )
    }
    for name in ("broken", "bad_syntax", "raises"):
        handlers[name] = function(name, f"{name}.handler")
    handlers["no_dot"] = FunctionResource("no_dot", "handler", code)
    numbers = count(1)
    yield LocalFunctions(
        handlers,
        lambda item: {key: str(value) for key, value in item.environment.items()},
        lambda: f"request-{next(numbers)}",
    )
    if str(code) in sys.path:
        sys.path.remove(str(code))
    for name in [name for name in sys.modules if name.startswith("local_functions_sample")]:
        del sys.modules[name]


def test_a_handler_gets_its_event_its_environment_and_a_context(functions: LocalFunctions) -> None:
    answer = functions.invoke("echo", {"a": [1, "é"]})
    assert answer.fault is None
    assert answer.log == "hello from echo\n"
    assert isinstance(answer.payload, dict)
    assert answer.payload["event"] == {"a": [1, "é"]}
    assert answer.payload["colour"] == answer.payload["at_import"] == "red"
    assert answer.payload["arn"] == "arn:aws:lambda:us-east-1:123456789012:function:echo"
    assert answer.payload["id"] == "request-1"
    assert answer.payload["price"] == 1.5
    assert answer.payload["left"] is True


def test_the_environment_is_gone_after_the_call(functions: LocalFunctions, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setenv("COLOUR", "blue")
    functions.invoke("echo", None)
    assert os.environ["COLOUR"] == "blue"
    assert "LAMBDA_TASK_ROOT" not in os.environ


@pytest.mark.parametrize(
    "name",
    [
        "echo",
        "echo:live",
        "123456789012:function:echo",
        "function:echo",
        "arn:aws:lambda:us-east-1:123456789012:function:echo",
        "arn:aws:lambda:us-east-1:123456789012:function:echo:7",
        "arn:aws:lambda:us-east-1:123456789012:function:echo:$LATEST",
    ],
)
def test_every_form_of_a_name_is_resolved(functions: LocalFunctions, name: str) -> None:
    assert functions.find(name).logical_id == "echo"


def test_an_unknown_name_is_not_found(functions: LocalFunctions) -> None:
    with pytest.raises(FunctionUnknownError, match="function:nobody"):
        functions.invoke("nobody", {})


def test_an_exception_has_lambdas_shape(functions: LocalFunctions) -> None:
    fault = functions.invoke("fails", {}).fault
    assert fault is not None
    payload = fault.payload()
    assert list(payload) == ["errorMessage", "errorType", "requestId", "stackTrace"]
    assert (payload["errorType"], payload["errorMessage"]) == ("Boom", "no such thing")
    assert len(fault.stack_trace) == 1
    assert 'raise Boom("no such thing")' in fault.stack_trace[0]


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("leaves", "Runtime.ExitError", "exit status 3"),
        ("unmarshallable", "Runtime.MarshalError", "Object of type set is not JSON serializable"),
        ("not_a_number", "Runtime.MarshalError", "JSON compliant"),
        ("slow", "Sandbox.Timedout", "Task timed out after 1.00 seconds"),
        ("huge", "Function.ResponseSizeTooLarge", "6291556"),
        ("absent", "Runtime.HandlerNotFound", "Handler 'absent' missing on module"),
        ("broken", "Runtime.ImportModuleError", "No module named 'no_such_module_anywhere'"),
        ("bad_syntax", "Runtime.UserCodeSyntaxError", "Syntax error in module"),
        ("raises", "LookupError", "at import"),
        ("no_dot", "Runtime.MalformedHandlerName", "Bad handler 'handler'"),
    ],
)
def test_each_way_to_fail_has_lambdas_name(functions: LocalFunctions, name: str, error: str, message: str) -> None:
    fault = functions.invoke(name, {}).fault
    assert fault is not None
    assert fault.type == error
    assert message in fault.message


def test_a_caller_who_loses_patience_first_gets_no_answer(functions: LocalFunctions) -> None:
    answer = functions.invoke("slow", {}, patience=0.05)
    assert answer.overran
    assert answer.fault is None


def test_a_handler_that_is_given_up_does_nothing_more(tmp_path: Path) -> None:
    done = tmp_path / "done"

    def handler(event: Json, context: Context) -> Json:
        time.sleep(0.2)
        done.write_text("too late")
        return None

    context = Context("r", "f", "arn", "128", "/aws/lambda/f", time.monotonic() + 0.05)
    answer = call(handler, None, context, timeout=0.05, environment={})
    assert answer.fault is not None
    assert answer.fault.type == "Sandbox.Timedout"
    (worker,) = [thread for thread in threading.enumerate() if thread.name == "lambda-f"]
    worker.join(5)
    assert not worker.is_alive()
    assert not done.exists()


def test_a_handler_cannot_change_the_callers_event(functions: LocalFunctions) -> None:
    event: dict[str, Json] = {"list": []}
    functions.invoke("changes", event)
    assert event == {"list": []}


def test_a_project_copy_of_an_imported_package_is_the_one_that_runs(tmp_path: Path) -> None:
    results = []
    for version in ("first", "second"):
        package = tmp_path / version / "two_copies_sample"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
        (package / "action.py").write_text(f"def handler(event, context):\n    return {version!r}\n")
        resource = FunctionResource("one", "two_copies_sample.action.handler", tmp_path / version)
        functions = LocalFunctions({"one": resource}, lambda item: {}, lambda: "request")
        results.append(functions.invoke("one", {}).payload)
        sys.path.remove(str(tmp_path / version))
    assert results == ["first", "second"]
