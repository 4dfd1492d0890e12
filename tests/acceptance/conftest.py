"""A project as a user has it: shipped actions, a few of the user's own, workflows, and the command line in process."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from stepsmith.catalog import ActionCatalog
from stepsmith.cli.main import main
from stepsmith.local.program import Program
from stepsmith.pipeline import compile_bytes
from stepsmith.project import Project
from tests.support.process import process_as_before

if TYPE_CHECKING:
    from tests.acceptance.stacks import Stack

ROOT = Path(__file__).parents[2]

HEAD = """
    from __future__ import annotations

    import os
    from pathlib import Path

    from stepsmith_functions.runtime.action import action
    from stepsmith_functions.runtime.context import ActionContext
    from stepsmith_functions.runtime.contract import Params, Result
    from stepsmith_functions.runtime.errors import PermanentError, TransientError
"""
OWN_ACTIONS = {
    "note": """
        class NothingToNote(PermanentError):
            \"\"\"The text is empty.\"\"\"

        class NoteParams(Params):
            text: str

        class NoteResult(Result):
            text: str
            length: int

        @action(effect="write", repeatable=False, example={"text": "x"}, errors=(NothingToNote,), timeout=7)
        def note(params: NoteParams, context: ActionContext) -> NoteResult:
            \"\"\"Writes a line to a journal.\"\"\"
            if not params.text:
                raise NothingToNote("there is nothing to note")
            with Path(os.environ["FILE_ROOTS"], "journal.txt").open("a") as journal:
                journal.write(params.text + "\\n")
            return NoteResult(text=params.text, length=len(params.text))

        handler = note.handler
    """,
    "custom_scan": """
        class CustomScanParams(Params):
            scan_path: str

        class CustomScanResult(Result):
            threats_found: int
            files_scanned: int

        @action(effect="read", repeatable=True, example={"scan_path": "."})
        def custom_scan(params: CustomScanParams, context: ActionContext) -> CustomScanResult:
            \"\"\"Counts the files below a folder, and those that hold the word threat.\"\"\"
            found = [file.read_text() for file in Path(os.environ["FILE_ROOTS"], params.scan_path).iterdir()]
            return CustomScanResult(threats_found=sum("threat" in text for text in found), files_scanned=len(found))

        handler = custom_scan.handler
    """,
    "unsteady": """
        class Unsteady(TransientError):
            \"\"\"It is not ready yet.\"\"\"

        class UnsteadyParams(Params):
            fails: int

        class UnsteadyResult(Result):
            tries: int

        @action(effect="read", repeatable=True, example={"fails": 0}, errors=(Unsteady,))
        def unsteady(params: UnsteadyParams, context: ActionContext) -> UnsteadyResult:
            \"\"\"Fails as many times as it is told to.\"\"\"
            if context.attempt < params.fails:
                raise Unsteady(f"try {context.attempt + 1} of {params.fails + 1}")
            return UnsteadyResult(tries=context.attempt + 1)

        handler = unsteady.handler
    """,
    "thorough": """
        class ThoroughParams(Params):
            items: int

        class ThoroughResult(Result):
            done: int

        @action(effect="read", repeatable=True, example={"items": 1}, timeout=900)
        def thorough(params: ThoroughParams, context: ActionContext) -> ThoroughResult:
            \"\"\"Looks at many items.\"\"\"
            for number in range(params.items):
                context.checkpoint(100 * number / params.items, f"file {number} of {params.items}", f"{number}.cfg")
                context.clock.sleep(0.02)
            return ThoroughResult(done=params.items)

        handler = thorough.handler
    """,
    "slow": """
        class SlowParams(Params):
            seconds: int

        class SlowResult(Result):
            slept: int

        @action(effect="read", repeatable=True, example={"seconds": 1}, timeout=900)
        def slow(params: SlowParams, context: ActionContext) -> SlowResult:
            \"\"\"Takes its time.\"\"\"
            context.clock.sleep(params.seconds)
            return SlowResult(slept=params.seconds)

        handler = slow.handler
    """,
}


@dataclass(frozen=True)
class Called:
    """How a command ended and what it printed."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Ran:
    """A run: the command's exit status and the result that it printed."""

    exit_status: int
    result: dict[str, Any]
    err: str

    @property
    def status(self) -> str:
        return str(self.result["status"])

    @property
    def steps(self) -> list[dict[str, Any]]:
        steps: list[dict[str, Any]] = self.result["steps"]
        return steps

    @property
    def paths(self) -> list[str]:
        return [step["path"] for step in self.steps]

    def step(self, path: str) -> dict[str, Any]:
        return next(step for step in self.steps if step["path"] == path)


@dataclass(frozen=True)
class Desk:
    """A project's folder, and the command line called in it."""

    root: Path

    def call(self, *argv: str, stdin: str = "") -> Called:
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        before, sys.stdin = sys.stdin, io.StringIO(stdin)
        try:
            with (
                process_as_before(),
                contextlib.chdir(self.root),
                contextlib.redirect_stdout(out),
                contextlib.redirect_stderr(err),
            ):
                status = int(main(list(argv)))
        finally:
            sys.stdin = before
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read())
        return Called(status, *texts)

    def write(self, name: str, text: str) -> Path:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text).lstrip("\n"))
        return file

    def workflow(self, text: str) -> str:
        """Writes a workflow's text below `workflows/` and gives its name."""
        found = re.search(r"^\s*name: *(\S+)", text, re.MULTILINE)
        assert found is not None
        self.write(f"workflows/{found[1]}.yaml", text)
        return found[1]

    def run(self, text: str, input: object = None, mocks: str | None = None, *argv: str) -> Ran:  # noqa: A002
        """Runs the workflow `text` to its end; fails if it did not start."""
        name = self.workflow(text)
        more = [*argv]
        if mocks is not None:
            more += ["--mock", str(self.write("mocks.yaml", mocks))]
        called = self.call("run", name, "--json", "--input", json.dumps(input or {}), *more)
        assert called.out.startswith("{"), called.err
        return Ran(called.status, called.json, called.err)

    def problems(self, text: str) -> list[dict[str, Any]]:
        """What `check` says of the workflow `text`."""
        called = self.call("check", "--format", "json", f"workflows/{self.workflow(text)}.yaml")
        found: list[dict[str, Any]] = called.json
        return found

    def definition(self, text: str) -> dict[str, Any]:
        """The state machine that the workflow `text` becomes."""
        called = self.call("compile", f"workflows/{self.workflow(text)}.yaml")
        assert called.status == 0, called.err
        machine: dict[str, Any] = called.json
        return machine

    def program(self, text: str) -> tuple[Program, Project, ActionCatalog]:
        """The workflow `text`, compiled as a Python program would do it, with what it takes to run it."""
        project = Project(self.root)
        catalog = project.catalog()
        path = f"workflows/{self.workflow(text)}.yaml"
        compiled = compile_bytes(path, (self.root / path).read_bytes(), catalog)
        assert compiled.workflow is not None
        assert compiled.asl is not None
        assert compiled.origins is not None
        name, version = compiled.workflow.name, compiled.workflow.version
        return Program(name, compiled.asl, compiled.origins, version), project, catalog

    @property
    def journal(self) -> list[str]:
        """What the action `note` has written so far."""
        file = self.root / "journal.txt"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture(scope="session")
def own_functions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our functions, with actions and a script of the user's own among them, and their catalogue."""
    folder = tmp_path_factory.mktemp("acceptance") / "functions"
    package = folder / "stepsmith_functions"
    shutil.copytree(ROOT / "functions" / "stepsmith_functions", package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in OWN_ACTIONS.items():
        source = f'"""An action of the user\'s own."""\n{dedent(HEAD)}\n{dedent(text)}'
        (package / "actions" / f"{name}.py").write_text(source)
    (folder / "scripts").mkdir()
    (folder / "scripts" / "show.sh").write_text("#!/bin/sh\nprintf '%s' \"$1\"\n")
    with process_as_before():
        (folder / "catalog.json").write_text(Project(folder.parent).catalog_text())
    return folder


@pytest.fixture(scope="module")
def _settings() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "120")
        patch.delenv("AWS_PROFILE", raising=False)
        yield


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, own_functions: Path, _settings: None) -> Iterator[Desk]:
    """A project that the tests of a module share; what its runs import goes with the module."""
    with process_as_before():
        yield make_desk(tmp_path_factory.mktemp("desk"), own_functions)


@pytest.fixture
def new_desk(tmp_path: Path, own_functions: Path, _settings: None) -> Desk:
    """A project for one test."""
    return make_desk(tmp_path, own_functions)


def make_desk(root: Path, functions: Path) -> Desk:
    os.symlink(functions, root / "functions")
    shutil.copy(ROOT / "template.yaml", root)
    (root / "workflows").mkdir()
    return Desk(root)


@pytest.fixture
def stack(new_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """The stack `security`, deployed in the emulation."""
    from tests.acceptance.stacks import deployed_stack

    with deployed_stack(new_desk, monkeypatch) as stack:
        yield stack
