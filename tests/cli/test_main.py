"""The command line itself: help, exit statuses, start-up cost, broken pipes and our own bugs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stepsmith.cli import main as entry
from stepsmith.cli.main import COMMANDS
from stepsmith.project import Project
from tests.cli.conftest import ROOT, Call

HEAVY = {"yaml", "jinja2", "boto3", "botocore", "moto", "pydantic", "jsonata", "aws_lambda_powertools"}


def test_help_lists_every_command_with_a_line(call: Call) -> None:
    called = call("--help")
    assert called.status == 0
    for command in COMMANDS:
        assert [line for line in called.lines if line.split()[:1] == [command.name] and command.summary in line]


def test_without_a_command_the_help_is_shown_as_a_wrong_call(call: Call) -> None:
    called = call()
    assert called.status == 2
    assert "usage: stepsmith COMMAND" in called.out


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_every_command_explains_itself_with_an_example(call: Call, command: str) -> None:
    called = call(command, "--help")
    assert called.status == 0
    assert f"usage: stepsmith {command}" in called.out
    example = called.out.partition("example")[2]
    assert f"stepsmith {command}" in example
    assert call("help", command).out == called.out


def test_a_misspelt_command_gets_a_suggestion(call: Call) -> None:
    called = call("chek")
    assert called.status == 2
    assert called.err == 'stepsmith: there is no command "chek"\n  did you mean "check"?\n'


@pytest.mark.parametrize("argv", [("version", "--nonsense"), ("compile",), ("check", "--format", "xml")])
def test_a_wrong_call_exits_2_and_names_the_help(call: Call, argv: tuple[str, ...]) -> None:
    called = call(*argv)
    assert called.status == 2
    assert f"see: stepsmith {argv[0]} --help" in called.err
    assert called.out == ""


def test_version(call: Call) -> None:
    import json

    from stepsmith import __version__

    assert call("version").out == f"stepsmith {__version__}\n"
    assert call("--version").out == f"stepsmith {__version__}\n"
    assert json.loads(call("version", "--json").out)["version"] == __version__


def test_our_own_bug_is_told_without_a_traceback(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> int:
        raise RuntimeError("something impossible")

    monkeypatch.setattr(entry, "_dispatch", broken)
    called = call("version")
    assert called.status == 3
    assert "internal error: RuntimeError: something impossible" in called.err
    assert entry.REPORT_TO in called.err
    assert "Traceback" not in called.err
    monkeypatch.setenv("STEPSMITH_DEBUG", "1")
    assert "Traceback" in call("version").err


def test_ctrl_c_outside_a_run_exits_130(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(entry, "_dispatch", interrupted)
    assert call("version").status == 130


def stepsmith(*argv: str, code: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own; `code` runs after it."""
    program = f"import sys\nfrom stepsmith.cli.main import main\nstatus = main(sys.argv[1:])\n{code}\nsys.exit(status)"
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT / 'compiler'}:{ROOT / 'functions'}", **environment}
    return subprocess.run(
        [sys.executable, "-c", program, *argv], capture_output=True, text=True, env=given, check=False, encoding="utf-8"
    )


def imported_by(*argv: str) -> set[str]:
    """The heavy modules that a command imports."""
    code = f"print(*sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    return set(stepsmith(*argv, code=code).stderr.splitlines()[-1].split())


@pytest.mark.parametrize("argv", [("--help",), ("version",), ("nonsense",)])
def test_help_and_version_import_nothing_heavy(argv: tuple[str, ...]) -> None:
    assert imported_by(*argv) == set()


def test_check_needs_no_handler_and_no_aws(project: Project) -> None:
    assert imported_by("check") <= {"yaml", "jinja2"}
    assert imported_by("compile", "greeting") <= {"yaml", "jinja2"}


def test_the_history_needs_only_sqlite(project: Project) -> None:
    assert imported_by("runs") == set()
    assert imported_by("show", "latest") == set()


def test_an_output_that_knows_no_ticks_gets_plain_ones(project: Project) -> None:
    plain = stepsmith("check", PYTHONIOENCODING="ascii", LANG="C")
    assert (plain.returncode, plain.stdout) == (0, "+ 1 workflow, no problems\n")
    assert stepsmith("check", PYTHONIOENCODING="utf-8").stdout == "✓ 1 workflow, no problems\n"


def test_texts_that_the_output_cannot_show_do_not_break_a_command(project: Project) -> None:
    path = project.workflows_folder / "greeting.yaml"
    path.write_text(path.read_text().replace("name: greeting\n", "name: greeting\ndescription: grüß ✓\n"))
    compiled = stepsmith("compile", "greeting", PYTHONIOENCODING="ascii", LANG="C")
    assert compiled.returncode == 0
    assert "internal error" not in compiled.stderr


def test_a_reader_that_goes_away_is_no_error(project: Project) -> None:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'compiler'}:{ROOT / 'functions'}"}
    command = f"{sys.executable} -m stepsmith.cli.main compile greeting"
    # The pipe is closed before anything is written.
    shell = f"({command}; echo status $? >&2) | true"
    run = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, env=environment, check=False)
    assert run.stderr == "status 0\n"


def test_colours_only_on_a_terminal_and_not_against_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    from stepsmith.cli.console import standard_console

    assert not standard_console({}).colour
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert standard_console({}).colour
    assert not standard_console({"NO_COLOR": "1"}).colour
    assert not standard_console({"TERM": "dumb"}).live


def test_the_console_script_is_the_entry_point() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    assert 'stepsmith = "stepsmith.cli.main:main"' in text
    assert Path(entry.__file__).is_file()
