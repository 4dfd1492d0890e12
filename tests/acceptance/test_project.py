"""The project itself: its tools, its documents, its walls."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from stepsmith.dialects.native.steps import VERBS
from tests.acceptance.conftest import ROOT, Desk

BIN = Path(sys.executable).parent


def ruff(*arguments: str, text: str) -> int:
    """The exit status of ruff on the text of a module of ours, with the project's settings."""
    command = [BIN / "ruff", *arguments, "-q", "--no-cache", "--stdin-filename", "compiler/stepsmith/sample.py", "-"]
    return subprocess.run(command, input=text, text=True, cwd=ROOT, capture_output=True, check=False).returncode


def ci_steps() -> list[str]:
    found = re.search(r"^for step in (.*); do", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert found is not None
    return found[1].split()


def recipe(target: str) -> str:
    """The lines of a target of the Makefile."""
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


GOOD = '"""A module."""\n\nimport json\nimport sys\n\nprint(json, sys)\n'


@pytest.mark.row("S2-112", "S2-113", "S2-114")
@pytest.mark.parametrize(
    ("arguments", "bad"),
    [
        (("format", "--check"), GOOD.replace("print(json, sys)", "print( json,sys )")),
        (("check",), GOOD.replace("import json\nimport sys", "import sys\nimport json")),
        (("check",), GOOD.replace("print(json, sys)", "print(json, sys)\nassert (json, 'always')")),
    ],
    ids=["format", "imports", "lint"],
)
def test_ci_refuses_what_is_not_formatted_sorted_or_clean(arguments: tuple[str, ...], bad: str) -> None:
    assert ruff(*arguments, text=GOOD) == 0
    assert ruff(*arguments, text=bad) == 1
    assert "lint" in ci_steps()
    assert "ruff check" in recipe("lint")
    assert "ruff format --check" in recipe("lint")


@pytest.mark.row("S2-119")
def test_imports_point_one_way() -> None:
    assert "imports" in ci_steps()
    assert "lint-imports" in recipe("imports")
    done = subprocess.run([BIN / "lint-imports"], cwd=ROOT, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "type = layers" in (ROOT / ".importlinter").read_text()
    assert " 0 broken" in done.stdout


@pytest.mark.row("S2-015")
def test_tests_run_by_pytest() -> None:
    assert "unit" in ci_steps()
    assert "-m pytest" in recipe("unit")


@pytest.mark.row("S2-120")
def test_how_to_contribute_and_under_which_licence() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    assert "make test" in contributing
    assert "Apache License 2.0" in contributing


@pytest.mark.row("S2-111")
def test_each_action_has_tests_where_the_project_says() -> None:
    assert "its test under `tests/functions/actions/`" in (ROOT / "CONTRIBUTING.md").read_text()
    tests = "".join(file.read_text() for file in (ROOT / "tests" / "functions" / "actions").glob("test_*.py"))
    catalog = json.loads((ROOT / "functions" / "catalog.json").read_text())
    untested = [action["name"] for action in catalog["actions"] if f'"{action["name"]}"' not in tests]
    assert untested == []


@pytest.mark.row("S2-116")
def test_the_docs_have_every_action_and_every_verb() -> None:
    actions = (ROOT / "docs" / "actions.md").read_text()
    catalog = json.loads((ROOT / "functions" / "catalog.json").read_text())
    for action in catalog["actions"]:
        section = actions.partition(f"\n## {action['name']}\n")[2].partition("\n## ")[0]
        assert action["summary"] in section
        for name in (*action["params"].get("properties", {}), *action["result"]["properties"]):
            assert f"| `{name}` |" in section, f"{action['name']}: {name}"
        for error in action["errors"]:
            assert f"`{error['name']}`" in section
    language = (ROOT / "docs" / "language.md").read_text()
    headings = " ".join(re.findall(r"^### (.*)$", language, re.MULTILINE)).split()
    assert [verb for verb in VERBS if verb not in headings] == []


@pytest.mark.row("S1-133")
def test_the_docs_show_how_an_expected_failure_is_fenced_in(desk: Desk) -> None:
    """The example of `try` in the language's page does so: the failure that it names does not end the run."""
    language = (ROOT / "docs" / "language.md").read_text()
    example = re.search(r"^### try\n\n```yaml\n(.*?)^```$", language, re.MULTILINE | re.DOTALL)
    assert example is not None
    text = f"name: fenced\ninput: {{file: {{type: string}}}}\nsteps:\n{example[1]}"
    report = "generate_report: {return: {report_uri: s3://b/r, format: html}}"
    tell = "send_notification: {return: {message_id: m, channel: email}}"
    expected = desk.run(text, {"file": "x"}, f"seize: {{raise: FileMissing}}\n{report}\n{tell}\n")
    assert (expected.status, expected.step("seize")["status"]) == ("succeeded", "failed")
    other = desk.run(text, {"file": "x"}, f"seize: {{raise: PathNotAllowed}}\n{report}\n{tell}\n")
    assert (other.status, other.result["error"]["type"]) == ("failed", "PathNotAllowed")
