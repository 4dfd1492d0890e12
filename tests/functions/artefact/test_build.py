"""What `sam build` made, as a whole: its size, and the functions that are no actions.

`make build` names its folder in STEPSMITH_ARTEFACT and, in STEPSMITH_RUNTIME, an interpreter that has what Lambda's
runtime has and nothing else; without them these tests are skipped.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stepsmith.local.sam import read_template
from tests.support.runtime_api import LocalLambda, Outcome


@pytest.fixture(scope="module")
def artefact() -> Path:
    if "STEPSMITH_ARTEFACT" not in os.environ:
        pytest.skip("no artefact: run `make build`")
    return Path(os.environ["STEPSMITH_ARTEFACT"])


def invoked(artefact: Path, name: str, event: object) -> tuple[Outcome, str]:
    """What the function of that logical id answers where it has no environment, with its log."""
    function = read_template(artefact / "template.yaml").functions()[name]
    roots = [function.code, artefact / "Dependencies" / "python"]
    with LocalLambda(function.handler, roots, python=os.environ["STEPSMITH_RUNTIME"]) as process:
        return process.invoke(event), process.log


def test_the_recorder_passes_over_what_is_about_no_run(artefact: Path) -> None:
    outcome, log = invoked(artefact, "RecorderFunction", {"detail-type": "Something else"})
    assert not outcome.failed, (outcome.payload, log)


def test_every_handler_can_be_imported(artefact: Path) -> None:
    """Actions are called with more than nothing by `test_actions`."""
    functions = read_template(artefact / "template.yaml").functions()
    others = [name for name, each in functions.items() if ".actions." not in each.handler]
    assert len(others) > 3
    for name in others:
        outcome, log = invoked(artefact, name, {})
        kind = outcome.payload.get("errorType", "") if isinstance(outcome.payload, dict) else ""
        assert not kind.startswith(("Runtime.", "Sandbox.", "ImportError", "ModuleNotFoundError")), (name, kind, log)


def test_the_artefact_is_small_and_holds_no_compiler(artefact: Path) -> None:
    def files_in(*folders: Path) -> list[Path]:
        return [path for folder in folders for path in folder.rglob("*") if path.is_file()]

    def size(files: list[Path]) -> int:
        return sum(path.stat().st_size for path in files)

    roots = {function.code for function in read_template(artefact / "template.yaml").functions().values()}
    files = files_in(*roots, artefact / "Dependencies")
    # What one function unzips: its own code, of which each has a copy, and the layer.
    assert all(size(files_in(root)) < 1024 * 1024 for root in roots)
    assert size(files_in(artefact / "Dependencies")) < 14 * 1024 * 1024
    assert 1024 * 1024 < size(files_in(artefact / "Scanning")) < 8 * 1024 * 1024
    assert not [path for path in files if path.parts[-2:] == ("stepsmith", "__init__.py") or "boto3" in path.parts]


def test_only_functions_that_scan_hold_yara(artefact: Path) -> None:
    assert list((artefact / "Scanning").rglob("*yara*"))
    assert not list((artefact / "Dependencies").rglob("*yara*"))
