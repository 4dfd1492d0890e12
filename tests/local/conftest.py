"""A local AWS with functions made of source text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from stepsmith.local.aws import LocalAws
from stepsmith.local.sam import FunctionResource, SamTemplate
from tests.local.machines import MakeAws


@pytest.fixture
def make_aws(tmp_path: Path) -> MakeAws:
    """Makes a local AWS whose functions are the given sources: `make_aws({"Hello": "def handler(…): …"})`."""

    @contextmanager
    def make(sources: Mapping[str, str] | None = None, *, timeout: int = 3, **options: Any) -> Iterator[LocalAws]:
        functions = {}
        for name, source in (sources or {}).items():
            code = tmp_path / name
            code.mkdir()
            module = f"handler_of_{name.lower()}_{abs(hash(str(tmp_path)))}"
            (code / f"{module}.py").write_text(dedent(source))
            functions[name] = FunctionResource(name, f"{module}.handler", code, timeout=timeout)
        with LocalAws(options.pop("template", SamTemplate(tmp_path)), functions, tmp_path, **options) as aws:
            yield aws

    return make
