"""Handlers run under AWS's own runtime client, from the sources and from the artefact that `sam build` made.

`make build` names the artefact's folder in STEPSMITH_ARTEFACT and, in STEPSMITH_RUNTIME, an interpreter that has what
Lambda's runtime has and nothing else; without them the tests of the artefact are skipped.
"""

import hashlib
import json
import os
import time
from pathlib import Path

import pytest
import yaml

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


# --- the artefact -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def artefact() -> Path:
    if "STEPSMITH_ARTEFACT" not in os.environ:
        pytest.skip("no artefact: run `make build`")
    return Path(os.environ["STEPSMITH_ARTEFACT"])


class Loader(yaml.SafeLoader):
    """Reads an intrinsic as the value that it is given."""


Loader.add_multi_constructor("!", lambda loader, name, node: getattr(node, "value", None))


def built_functions(artefact: Path) -> dict[str, dict]:
    """The properties of each function in the artefact's template."""
    template = yaml.load((artefact / "template.yaml").read_text(encoding="utf-8"), Loader=Loader)
    found = template["Resources"].items()
    return {name: each["Properties"] for name, each in found if each["Type"] == "AWS::Serverless::Function"}


def local_lambda(artefact: Path, properties: dict, **environment: str) -> LocalLambda:
    layers = ["Dependencies", *(layer["Ref"] for layer in properties.get("Layers", ()))]
    roots = [artefact / properties["CodeUri"], *(artefact / layer / "python" for layer in layers)]
    runtime = os.environ["STEPSMITH_RUNTIME"]
    return LocalLambda(properties["Handler"], roots, python=runtime, environment=environment)


def test_the_artefact_of_an_action_quarantines_a_file(artefact, tmp_path):
    properties = built_functions(artefact)["QuarantineFileFunction"]
    with local_lambda(artefact, properties, FILE_ROOTS=str(tmp_path)) as function:
        quarantine(function, tmp_path)


def test_the_artefact_of_a_scan_compiles_rules_and_finds_a_file(artefact, tmp_path):
    """With its own layer, in which alone YARA is."""
    (tmp_path / "bad").write_bytes(b"-".join([b"STEPSMITH", b"HARMLESS", b"SCAN", b"TEST", b"FILE"]))
    properties = built_functions(artefact)["RunScanFunction"]
    # The function tries nothing beyond this machine without a bucket and a table.
    with local_lambda(artefact, properties, FILE_ROOTS=str(tmp_path), DATA_BUCKET="", HISTORY_TABLE="") as function:
        outcome = function.invoke({"params": {"path": "."}})
    assert not outcome.failed, (outcome.payload, function.log)
    assert [found["rule"] for found in outcome.payload["findings"]] == ["Stepsmith_Test_File"]
    assert not list((artefact / "Dependencies").rglob("*yara*"))


def test_every_handler_of_the_artefact_imports_and_answers(artefact):
    """An empty call is refused by the action itself, so its module, its models and the layer are all there."""
    found = built_functions(artefact)
    assert len(found) > 5
    for name, properties in found.items():
        if ".actions." not in properties["Handler"]:
            continue
        with local_lambda(artefact, properties) as function:
            outcome = function.invoke({"params": {"no such": "param"}})
            assert outcome.payload["errorType"] == "InvalidParams", (name, outcome.payload, function.log)


def test_the_artefact_of_the_recorder_passes_over_what_is_about_no_run(artefact):
    properties = built_functions(artefact)["RecorderFunction"]
    with local_lambda(artefact, properties) as function:
        outcome = function.invoke({"detail-type": "Something else"})
    assert not outcome.failed, (outcome.payload, function.log)


def test_the_artefact_is_small_and_holds_no_compiler(artefact):
    def files_in(*folders: Path) -> list[Path]:
        return [path for folder in folders for path in folder.rglob("*") if path.is_file()]

    def size(files: list[Path]) -> int:
        return sum(path.stat().st_size for path in files)

    roots = {artefact / properties["CodeUri"] for properties in built_functions(artefact).values()}
    files = files_in(*roots, artefact / "Dependencies")
    # What one function unzips: its own code, of which each has a copy, and the layer.
    assert all(size(files_in(root)) < 1024 * 1024 for root in roots)
    assert size(files_in(artefact / "Dependencies")) < 14 * 1024 * 1024
    assert 1024 * 1024 < size(files_in(artefact / "Scanning")) < 8 * 1024 * 1024
    assert not [path for path in files if path.parts[-2:] == ("stepsmith", "__init__.py") or "boto3" in path.parts]
