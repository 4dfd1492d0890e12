"""Every example in the documents holds: workflows check as they say, commands print what is shown.

A YAML block that is a whole workflow, or in the references of the language and the actions a list of steps or some keys
of a workflow, must check without an error, or with the one of a comment `<!-- rejected: SLUG -->` above it; with
`<!-- catalogue: golden -->` it is checked with the small catalogue of the golden cases. A console block shows commands
on the workflows of its page that have a comment `<!-- file: PATH -->`; what varies from run to run is not compared.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stepsmith.catalog import read_catalog
from stepsmith.diagnostics import Severity
from stepsmith.local.service_models import ServiceModels
from stepsmith.pipeline import compile_bytes, read_signature
from tests.project.documents import ROOT, CodeBlock, blocks, pages

LANGUAGE = "docs/language.md"
OF_STEPS = (LANGUAGE, "docs/actions.md")
"""Pages that show parts of workflows."""
CATALOGS = {
    "project": read_catalog((ROOT / "functions" / "catalog.json").read_text(encoding="utf-8")),
    "golden": read_catalog((ROOT / "tests" / "golden" / "catalog.json").read_text(encoding="utf-8")),
}
SERVICES = ServiceModels()
INPUT = """\
input:
  file: {type: string}
  files: {type: array, items: {type: string}}
  count: {type: integer}
"""
STEPS = "steps:\n  - {action: generate_report, params: {report_type: summary}}\n"

_VOLATILE = (
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "RUN"),
    (re.compile(r"\b[0-9a-f]{8}\b"), "RUN"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?Z?)?"), "TIME"),
    (re.compile(r"\b\d+(\.\d+)? ?(ms|s)\b"), "DURATION"),
    (re.compile(r"[ \t]+"), " "),
)


def _whole(block: CodeBlock) -> str | None:
    """The workflow that a block is, or that docs/language.md shows a part of; None for other YAML."""
    if block.page not in OF_STEPS and "steps:" not in block.text:
        return None
    found = yaml.safe_load(block.text)
    if isinstance(found, dict) and "steps" in found and "name" in found:
        return block.text
    if block.page not in OF_STEPS:
        return None
    if isinstance(found, list):
        indented = "".join(f"  {line}" if line.strip() else line for line in block.text.splitlines(keepends=True))
        return f"name: example\n{INPUT}steps:\n{indented}"
    return f"name: example\n{block.text}{'' if 'steps' in found else STEPS}"


WORKFLOWS = [(block, text) for page in pages() for block in blocks(page, "yaml") if (text := _whole(block)) is not None]
SIBLINGS = {
    signature.name: signature
    for _, text in WORKFLOWS
    if (signature := read_signature("workflow.yaml", text.encode(), CATALOGS["project"])) is not None
}


@pytest.mark.parametrize(("block", "text"), [pytest.param(*each, id=str(each[0])) for each in WORKFLOWS])
def test_workflow_checks_as_it_says(block: CodeBlock, text: str) -> None:
    catalog = CATALOGS[block.notes.get("catalogue", "project")]
    found = compile_bytes("workflow.yaml", text.encode(), catalog, SIBLINGS, SERVICES).diagnostics
    errors = [item for item in found if item.severity is Severity.ERROR]
    if "rejected" in block.notes:
        assert {item.slug for item in errors} == {block.notes["rejected"]}
    else:
        assert [f"{item.span}: {item.message} [{item.slug}]" for item in errors] == []


def test_the_language_page_shows_every_verb() -> None:
    from stepsmith.dialects.native.steps import VERBS

    shown = "".join(text for block, text in WORKFLOWS if block.page == LANGUAGE)
    assert [verb for verb in VERBS if not re.search(rf"^\s*(- )?{verb}:", shown, re.MULTILINE)] == []


def _sessions() -> list[tuple[CodeBlock, list[tuple[str, str]]]]:
    """The console blocks that call `stepsmith`, as commands with what they print."""
    found = []
    for page in pages():
        for block in blocks(page, "console"):
            parts = re.split(r"^\$ (.*)\n", block.text, flags=re.MULTILINE)
            calls = list(zip(parts[1::2], parts[2::2], strict=True))
            if all(command.startswith("stepsmith ") for command, _ in calls):
                found.append((block, calls))
    return found


SESSIONS = _sessions()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project with its workflows, actions and events, where a command may write."""
    for name in ("functions", "events", "template.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "workflows").mkdir()
    for path in (ROOT / "workflows").iterdir():
        (tmp_path / "workflows" / path.name).symlink_to(path)
    return tmp_path


@pytest.mark.parametrize(("block", "calls"), [pytest.param(*each, id=str(each[0])) for each in SESSIONS])
def test_command_prints_what_is_shown(block: CodeBlock, calls: list[tuple[str, str]], project: Path) -> None:
    for other in blocks(ROOT / block.page, "yaml"):
        if "file" in other.notes:
            path = project / other.notes["file"]
            path.unlink(missing_ok=True)
            path.write_text(other.text, encoding="utf-8")
    for command, shown in calls:
        program, *arguments = shlex.split(command)
        done = subprocess.run(
            [str(Path(sys.executable).parent / program), *arguments],
            cwd=project,
            env={**os.environ, "COLUMNS": "120", "PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1"},
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        assert _settled(done.stdout + done.stderr) == _settled(shown), command


def _settled(text: str) -> list[str]:
    """The lines without what varies: ids, times, and the spaces of columns that their widths move."""
    for pattern, instead in _VOLATILE:
        text = pattern.sub(instead, text)
    return [line.rstrip() for line in text.strip().splitlines()]


def test_the_readme_shows_a_state_as_it_is_compiled() -> None:
    readme = ROOT / "README.md"
    [shown] = [block.text for block in blocks(readme, "json")]
    [workflow] = [block.text for block in blocks(readme, "yaml") if block.notes.get("file") == "contain-file.yaml"]
    compiled = compile_bytes("contain-file.yaml", workflow.encode(), CATALOGS["project"]).asl
    assert json.loads("{" + shown + "}") == {"tell": json.loads(compiled or "")["States"]["tell"]}


def test_the_readme_shows_the_first_run(project: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"^ +([✓✗○]) (\w+)", text, re.MULTILINE)
    sample = project / ".stepsmith" / "sample" / "invoice.pdf.exe"
    sample.parent.mkdir(parents=True)
    sample.write_text("harmless")
    command = [str(Path(sys.executable).parent / "stepsmith"), "run", "critical-threat-response"]
    done = subprocess.run(
        [*command, "--input", "events/runs/critical-threat-response.json"],
        cwd=project,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    printed = re.findall(r"^ +([✓✗○]) (\w+)", done.stdout, re.MULTILINE)
    assert printed == shown[: len(printed)]
    assert not sample.exists()


@pytest.mark.row("S2-118")
def test_the_guide_to_deployment_is_true() -> None:
    """It is linked, its commands, targets and parameters are there, and each check passed over has its reason."""
    assert "(docs/deployment.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    guide = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    assert "stepsmith build" in guide
    assert "sam build && sam deploy" in guide
    assert "[default.deploy.parameters]" in (ROOT / "samconfig.toml").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"`make ([a-z]+)`", guide)
    assert {"validate", "build", "review"} <= set(targets)
    assert [target for target in targets if f"\n{target}:" not in makefile] == []
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    named = re.findall(r"`([A-Z][A-Za-z]+(?:Function|Topic|Sender|Queue))`", guide)
    assert named
    assert [name for name in named if f"\n  {name}:" not in template] == []
    skipped = yaml.safe_load((ROOT / "tests" / "template" / "checkov.yaml").read_text(encoding="utf-8"))["skip-check"]
    assert sorted(re.findall(r"CKV_AWS_\d+", guide)) == sorted(skipped)


@pytest.mark.row("S2-115")
def test_the_guide_to_how_it_works_has_every_part_in_it_and_no_other() -> None:
    guide = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    for chapter in ("How lowering works", "Run state and history", "Approvals"):
        assert f"\n## {chapter}\n" in guide
    for source in ("compiler/stepsmith", "functions/stepsmith_functions"):
        packages = {path.parent.name for path in (ROOT / source).glob("*/__init__.py")}
        assert [name for name in sorted(packages) if not re.search(rf"\b{name}\b", guide)] == []
    places = re.findall(r"`((?:compiler|functions|layers|runtime|history|lowering|expressions|local)/[\w/.]+)`", guide)
    assert places
    under = ("", "compiler/stepsmith/", "functions/stepsmith_functions/", "tests/")
    assert [each for each in places if not any((ROOT / folder / each).exists() for folder in under)] == []
