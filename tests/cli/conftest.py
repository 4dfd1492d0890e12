"""A small project on disk, and the command line called within this process."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import TypeAlias

import pytest

from stepsmith.cli.main import main
from stepsmith.project import Project
from tests.support.process import process_as_before

ROOT = Path(__file__).parents[2]

ACTION = '''
    import os

    from stepsmith_functions.runtime.action import action
    from stepsmith_functions.runtime.context import ActionContext
    from stepsmith_functions.runtime.contract import Params, Result
    from stepsmith_functions.runtime.errors import PermanentError


    class NobodyThere(PermanentError):
        """Nobody has that name."""


    class GreetParams(Params):
        who: str


    class GreetResult(Result):
        text: str
        length: int


    @action(effect="write", repeatable=True, example={"who": "you"}, errors=(NobodyThere,), timeout=5)
    def greet(params: GreetParams, context: ActionContext) -> GreetResult:
        """Greets somebody.

        It writes the greeting to a file.
        """
        if params.who == "nobody":
            raise NobodyThere("nobody has that name")
        text = "hello " + params.who
        with open(os.path.join(os.environ["FILE_ROOTS"], "greeting.txt"), "w") as file:
            file.write(text)
        return GreetResult(text=text, length=len(text))


    handler = greet.handler
'''

GREETING = """\
name: greeting
version: 2.0.0
input:
  who: {type: string, description: Whom to greet.}
  times: {type: integer, default: 1, minimum: 1}
  polite: {type: boolean, required: false}
steps:
  - id: hello
    action: greet
    params: {who: "{{ input.who }}"}
  - id: again
    if: "{{ input.times > 1 }}"
    action: greet
    params: {who: "{{ steps.hello.output.text }}"}
output:
  text: "{{ steps.hello.output.text }}"
"""

TEMPLATE = """\
AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: dev}
  LogRetentionDays: {Type: Number, Default: 30}
  PermissionsBoundary: {Type: String, Default: ''}
Conditions:
  HasPermissionsBoundary: !Not [!Equals [!Ref PermissionsBoundary, '']]
Globals:
  Function:
    CodeUri: functions/
Resources:
  # Mine, by hand.
  AlertsTopic:
    Type: AWS::SNS::Topic
  TriggerDeadLetterQueue:
    Type: AWS::SQS::Queue
  ActionRuntimePolicy:
    Type: AWS::IAM::ManagedPolicy
    Properties: {PolicyDocument: {Version: '2012-10-17', Statement: []}}
"""


@dataclass(frozen=True)
class Called:
    """How a command ended and what it printed."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Call: TypeAlias = Callable[..., Called]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Calls the command line: `call("run", "greeting")`."""

    def called(*argv: str) -> Called:
        capsys.readouterr()
        status = main(list(argv))
        captured = capsys.readouterr()
        return Called(int(status), captured.out, captured.err)

    return called


@pytest.fixture(scope="session")
def _functions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our functions' runtime and history with one small action, and their catalogue."""
    folder = tmp_path_factory.mktemp("functions") / "functions"
    source = ROOT / "functions" / "stepsmith_functions"
    target = folder / "stepsmith_functions"
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "actions"))
    (target / "actions").mkdir()
    (target / "actions" / "__init__.py").write_text('"""The actions."""\n')
    (target / "actions" / "greet.py").write_text(dedent(ACTION))
    project = Project(folder.parent)
    with process_as_before():
        (folder / "catalog.json").write_text(project.catalog_text())
    return folder


@pytest.fixture
def project(tmp_path: Path, _functions: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The working folder is a project with one workflow and one action; its catalogue is up to date."""
    os.symlink(_functions, tmp_path / "functions")
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "greeting.yaml").write_text(GREETING)
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    return Project(tmp_path)


def lines_with(text: str, lines: Sequence[str]) -> list[str]:
    return [line for line in lines if text in line]
