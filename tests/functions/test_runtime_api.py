"""A handler under AWS's own runtime client: what the service says of its failures, and a first action."""

import hashlib
import json
import time
from pathlib import Path

import pytest

from tests.support.runtime_api import LocalLambda

ROOT = Path(__file__).parents[2]
FUNCTIONS = ROOT / "functions"


def written(folder: Path, source: str) -> Path:
    (folder / "mod.py").write_text(source, encoding="utf-8")
    return folder


# --- the emulator itself ------------------------------------------------------------------------------------------


def test_a_handler_gets_its_event_and_context_and_stays_warm(tmp_path):
    source = """
import os
calls = []
def handler(event, context):
    calls.append(event)
    return {"event": event, "calls": len(calls), "left": context.get_remaining_time_in_millis(),
            "arn": context.invoked_function_arn, "memory": context.memory_limit_in_mb, "id": context.aws_request_id,
            "extra": os.environ["EXTRA"], "root": os.environ["LAMBDA_TASK_ROOT"]}
"""
    with LocalLambda("mod.handler", [written(tmp_path, source)], environment={"EXTRA": "x"}, timeout=9) as function:
        first, second = function.invoke({"é": [1, None]}), function.invoke("two")
    assert not first.failed
    assert first.payload["event"] == {"é": [1, None]}
    assert (first.payload["calls"], second.payload["calls"]) == (1, 2)
    assert 0 < first.payload["left"] <= 9000
    assert first.payload["arn"].endswith(":function:function")
    assert (first.payload["extra"], first.payload["root"]) == ("x", str(tmp_path))
    assert first.payload["id"] != second.payload["id"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("class Gone(Exception): pass\ndef handler(e, c): raise Gone('no such file')", "Gone"),
        ("def handler(e, c): return {1, 2}", "Runtime.MarshalError"),
        ("def handler(e, c): return float('nan')", "Runtime.InvalidResponse"),
        ("def handler(e, c): return 'x' * (7 * 1024 * 1024)", "Function.ResponseSizeTooLarge"),
        ("import os\ndef handler(e, c): os._exit(3)", "Runtime.ExitError"),
        ("import nothing_like_this", "Runtime.ImportModuleError"),
        ("def other(e, c): pass", "Runtime.HandlerNotFound"),
        ("def handler(:", "Runtime.UserCodeSyntaxError"),
    ],
)
def test_failures_have_the_names_that_step_functions_matches(tmp_path, body, kind):
    with LocalLambda("mod.handler", [written(tmp_path, body)]) as function:
        outcome = function.invoke({})
    assert outcome.failed
    assert outcome.payload["errorType"] == kind


def test_a_call_that_takes_too_long_ends_and_the_next_starts_afresh(tmp_path):
    source = "import time\ndef handler(event, context):\n    time.sleep(event)\n    return 'done'"
    with LocalLambda("mod.handler", [written(tmp_path, source)], timeout=1.5) as function:
        begun = time.monotonic()
        late = function.invoke(60)
        assert time.monotonic() - begun < 10
        assert late.payload["errorType"] == "Sandbox.Timedout"
        assert "Task timed out after 1.50 seconds" in late.payload["errorMessage"]
        assert function.invoke(0).payload == "done"


# --- the sources --------------------------------------------------------------------------------------------------


def quarantine(function: LocalLambda, folder: Path) -> None:
    """Has a file quarantined, and checks what became of it."""
    file = folder / "dropper.bin"
    file.write_bytes(b"harmless")
    outcome = function.invoke({"params": {"file_path": str(file)}})
    assert not outcome.failed, (outcome.payload, function.log)
    assert not file.exists()
    assert outcome.payload["sha256"] == hashlib.sha256(b"harmless").hexdigest()
    assert Path(outcome.payload["quarantine_path"]).read_bytes() == b"harmless"
    again = function.invoke({"params": {"file_path": str(folder / "absent")}})
    assert (again.failed, again.payload["errorType"]) == (True, "FileMissing")


def test_an_action_runs_as_it_does_in_lambda(tmp_path):
    handler = "stepsmith_functions.actions.quarantine_file.handler"
    with LocalLambda(handler, [FUNCTIONS], environment={"FILE_ROOTS": str(tmp_path)}) as function:
        quarantine(function, tmp_path)


def test_sample_events_are_what_their_handlers_take():
    """Each event names a step of its action, with params that the action's own model accepts."""
    from stepsmith_functions.runtime.registry import actions

    for action in actions():
        path = ROOT / "events" / "actions" / f"{action.contract.name}.json"
        event = json.loads(path.read_text(encoding="utf-8"))
        action.contract.params.model_validate_json(json.dumps(event["params"]))
        assert event["step"]["action"] == action.contract.name
        assert {"id", "workflow"} <= event["run"].keys()
