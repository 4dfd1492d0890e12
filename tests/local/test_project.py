"""Projects on disk: their root, their workflows and the catalogue of their actions."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from stepsmith.project import (
    Project,
    ProjectError,
    UnreadablePathError,
    find_project,
    project_of,
    shown,
    write_atomically,
)

ROOT = Path(__file__).parents[2]


def workflow(project: Project, file_name: str, name: str) -> Path:
    project.workflows_folder.mkdir(exist_ok=True)
    path = project.workflows_folder / file_name
    path.write_text(f"name: {name}\nsteps: []\n")
    return path


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "template.yaml").write_text("Resources: {}\n")
    return Project(tmp_path)


@pytest.fixture
def with_functions(project: Project) -> Project:
    """A project whose functions are a copy of ours, with one action of its own."""
    own = project.root / "functions" / "stepsmith_functions"
    shutil.copytree(
        ROOT / "functions" / "stepsmith_functions", own, ignore=shutil.ignore_patterns("__pycache__", "actions")
    )
    (own / "actions").mkdir()
    (own / "actions" / "__init__.py").write_text("")
    write_action(project, "Says hello")
    return project


def write_action(project: Project, summary: str) -> None:
    source = f'''
        from stepsmith_functions.runtime.action import action
        from stepsmith_functions.runtime.context import ActionContext
        from stepsmith_functions.runtime.contract import Params, Result

        class GreetParams(Params):
            who: str

        class GreetResult(Result):
            text: str

        @action(effect="read", repeatable=True, example={{"who": "you"}})
        def greet(params: GreetParams, context: ActionContext) -> GreetResult:
            """{summary}."""
            return GreetResult(text="hello " + params.who)

        handler = greet.handler
    '''
    path = project.functions_folder / "stepsmith_functions" / "actions" / "greet.py"
    path.write_text(dedent(source))


def test_the_root_is_found_from_below(project: Project) -> None:
    inner = project.root / "workflows" / "rehearsals"
    inner.mkdir(parents=True)
    assert find_project(inner) == project


def test_a_folder_with_workflows_is_a_root_too(tmp_path: Path) -> None:
    (tmp_path / "workflows").mkdir()
    assert find_project(tmp_path / "workflows") == Project(tmp_path)


def test_a_file_in_another_project_brings_its_own(project: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "template.yaml").write_text("Resources: {}\n")
    path = elsewhere / "order.yaml"
    assert project_of(path, project.root) == Project(elsewhere)
    loose = tmp_path_factory.mktemp("loose") / "order.yaml"
    assert project_of(loose, project.root) == project


def test_a_workflow_is_found_by_file_or_by_its_name(project: Project) -> None:
    first = workflow(project, "first.yaml", "first")
    other = workflow(project, "other.yml", "second")
    (project.workflows_folder / "notes.txt").write_text("no workflow")
    assert project.workflow_files() == (first, other)
    assert project.find_workflow("first") == first
    assert project.find_workflow("second") == other


def test_a_wrong_name_gets_a_suggestion(project: Project) -> None:
    workflow(project, "critical-threat.yaml", "critical-threat")
    with pytest.raises(UnreadablePathError) as caught:
        project.find_workflow("critical-treat")
    assert caught.value.help == 'did you mean "critical-threat"?'


def test_the_catalogue_follows_the_actions(with_functions: Project) -> None:
    with_functions.catalog_file.write_text(with_functions.catalog_text())
    action = with_functions.catalog().get("greet")
    assert action is not None
    assert action.summary == "Says hello"
    assert action.handler == "stepsmith_functions.actions.greet.handler"
    write_action(with_functions, "Says good bye")
    changed = with_functions.catalog().get("greet")
    assert changed is not None
    assert changed.summary == "Says good bye"
    assert json.loads(with_functions.catalog_file.read_text())["actions"][0]["summary"] == "Says hello"


@pytest.mark.parametrize("folder", [".", ".stepsmith"], ids=["built", "remembered"])
def test_a_known_catalogue_imports_no_action(with_functions: Project, folder: str) -> None:
    place = with_functions.functions_folder if folder == "." else with_functions.root / folder
    place.mkdir(exist_ok=True)
    (place / "catalog.json").write_text(with_functions.catalog_text())
    code = """
        import sys
        from pathlib import Path
        from stepsmith.project import Project
        names = Project(Path(sys.argv[1])).catalog().names()
        heavy = {"pydantic", "boto3", "aws_lambda_powertools", "stepsmith_functions"} & set(sys.modules)
        print(names, sorted(heavy))
    """
    run = subprocess.run(
        [sys.executable, "-c", dedent(code), str(with_functions.root)],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT / "compiler")},
    )
    assert run.stdout.strip() == "('greet',) []"


def test_a_broken_action_is_named(with_functions: Project) -> None:
    (with_functions.functions_folder / "stepsmith_functions" / "actions" / "broken_thing.py").write_text("1/0\n")
    with pytest.raises(ProjectError, match=r"actions\.broken_thing cannot be imported: ZeroDivisionError"):
        with_functions.catalog()


def test_without_functions_of_its_own_a_project_has_the_installed_actions(project: Project) -> None:
    assert project.functions_folder == ROOT / "functions"
    assert not project.has_own_functions


def test_paths_are_shown_from_where_one_stands(tmp_path: Path) -> None:
    inside = tmp_path / "workflows" / "a.yaml"
    assert shown(inside, tmp_path) == "workflows/a.yaml"
    assert shown(Path("/elsewhere/b.yaml"), tmp_path) == "/elsewhere/b.yaml"


def test_a_write_replaces_the_whole_file_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_text("old")
    path.chmod(0o640)
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(OSError, match="absent"):
        write_atomically(tmp_path / "absent" / "out.json", b"x")
