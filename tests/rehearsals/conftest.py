"""Workflows of a few lines, run with mocks in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from stepsmith.local.mocks import Mock, Mocks
from stepsmith.local.program import Program
from stepsmith.local.runner import RunOptions, RunReport, run_workflow
from stepsmith.model.workflow import Workflow
from stepsmith.pipeline import compile_bytes
from stepsmith.project import Project
from tests.support.process import process_as_before

ROOT = Path(__file__).parents[2]
PROJECT = Project(ROOT)
CATALOG = PROJECT.catalog()
OK = Mock(value={})

Ran: TypeAlias = tuple[Workflow, RunReport]
RunIt: TypeAlias = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunIt]:
    """Runs a workflow: `run(text, {"who": "you"}, a=[Mock(error="States.Timeout"), OK])`; other actions succeed."""

    def ran(text: str, given: Mapping[str, Any] | None = None, **mocks: Mock | list[Mock]) -> Ran:
        compiled = compile_bytes("test.yaml", text.encode(), CATALOG)
        assert compiled.asl is not None, [f"{item.span}: {item.message}" for item in compiled.diagnostics]
        assert compiled.workflow is not None
        assert compiled.origins is not None
        every = dict.fromkeys(CATALOG.names(), (OK,))
        named = {name: tuple(mock) if isinstance(mock, list) else (mock,) for name, mock in mocks.items()}
        options = RunOptions(mocks=Mocks({**every, **named}), working_folder=tmp_path, keep=False)
        program = Program(compiled.workflow.name, compiled.asl, compiled.origins)
        return compiled.workflow, run_workflow(program, dict(given or {}), PROJECT, CATALOG, options)

    with process_as_before():
        yield ran
