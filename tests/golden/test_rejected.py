"""Each mistake is reported on its line, with a help that works: `followed.json` says what following it writes."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stepsmith.diagnostics import Diagnostics
from tests.golden.cases import REJECTED, check, diagnosed, rejected, shown

FOLLOWED: dict[str, list[tuple[str, str]]] = json.loads((REJECTED / "followed.json").read_text(encoding="utf-8"))
COMPILER = Path(__file__).parents[2] / "compiler" / "stepsmith"

ELSEWHERE = {
    "binary-file": "tests/loading",
    "file-too-large": "tests/loading",
    "too-many-nodes": "tests/loading",
    "too-many-problems": "tests/loading",
    "definition-too-large": "tests/compiler",
    "payload-too-large": "tests/compiler",
    "refused-by-aws": "tests/compiler: a bug of ours",
    "bare-word": "only in other dialects",
    "text-as-number": "only in other dialects",
    "expression-not-supported": "Jinja2's parser gives no such node; a guard against a later one",
}
"""Mistakes that no file here shows: their files would be too large, or the native language does not make them."""
OF_AWS_CALLS = {
    "bad-call",
    "bad-uri",
    "call-not-here",
    "missing-token",
    "no-such-pattern",
    "no-timeout",
    "unchecked-call",
    "unknown-operation",
    "unknown-service",
    "wide-permission",
}
"""Mistakes in calls of AWS services, which need the services' models."""


@pytest.mark.parametrize("name", rejected())
def test_report(name: str, request: pytest.FixtureRequest) -> None:
    path = REJECTED / f"{name}.yaml"
    diagnostics, source = diagnosed(path.read_bytes())
    check(
        path.with_suffix(".txt"), shown(diagnostics, source), update=bool(request.config.getoption("--update-golden"))
    )


@pytest.mark.parametrize("name", rejected())
def test_one_mistake_is_one_diagnostic(name: str) -> None:
    diagnostics, _ = diagnosed((REJECTED / f"{name}.yaml").read_bytes())
    assert [item.slug for item in diagnostics] == [name.split("/")[0]]


@pytest.mark.parametrize("name", FOLLOWED)
def test_the_help_works_when_it_is_followed(name: str) -> None:
    text = (REJECTED / f"{name}.yaml").read_text(encoding="utf-8")
    for written, instead in FOLLOWED[name]:
        assert written in text
        text = text.replace(written, instead)
    diagnostics, _ = diagnosed(text.encode())
    assert [f"{item.span}: {item.message}" for item in diagnostics] == []


@pytest.mark.parametrize("name", rejected())
def test_there_is_a_help_or_nothing_to_add(name: str) -> None:
    diagnostics, _ = diagnosed((REJECTED / f"{name}.yaml").read_bytes())
    helped = [bool(item.help) for item in diagnostics]
    assert helped == [name not in WITHOUT_HELP]


WITHOUT_HELP = {"expression-syntax/comprehension"}
"""Jinja2's own words are all that is known."""


NO_SLUGS = {"a-b", "look-around"}
"""Other texts of the compiler that are spelled like one."""


def test_every_mistake_has_a_case() -> None:
    folders = {path.name for path in REJECTED.iterdir() if path.is_dir()}
    reported = set(_slugs()) - NO_SLUGS
    assert reported - folders - OF_AWS_CALLS == set(ELSEWHERE)
    assert folders <= reported


def _slugs() -> Iterator[str]:
    """Every slug that the reader, the checks and the expressions can report: texts of words with hyphens."""
    for folder in ("loading", "dialects", "ordering", "checks", "expressions", "verify"):
        for path in (COMPILER / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and SLUG.fullmatch(node.value):
                    yield node.value


SLUG = re.compile(r"[a-z]+(-[a-z]+)+")


def test_twenty_mistakes_are_twenty_diagnostics() -> None:
    """The line of each mistake is marked with its slug."""
    text = (Path(__file__).parent / "twenty-mistakes.yaml").read_text(encoding="utf-8")
    marked = [
        (number, line.rsplit("# ", 1)[1].strip()) for number, line in enumerate(text.splitlines(), 1) if "  # " in line
    ]
    diagnostics, _ = diagnosed(text.encode())
    assert [(item.span.start.line, item.slug) for item in diagnostics] == marked
    assert len({slug for _, slug in marked}) >= 20
    assert all(item.help for item in diagnostics)


def test_a_report_is_in_the_order_of_the_file() -> None:
    diagnostics: Any = Diagnostics()
    for name in rejected():
        found, _ = diagnosed((REJECTED / f"{name}.yaml").read_bytes())
        diagnostics.extend(found)
    spans = [item.span for item in diagnostics]
    assert spans == sorted(spans)
