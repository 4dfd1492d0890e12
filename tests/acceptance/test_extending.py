"""A user's own actions and workflows: added, listed, checked, tested, deployed; and mocked."""

from __future__ import annotations

import shutil
from pathlib import Path
from textwrap import dedent

import pytest

from tests.acceptance.conftest import HEAD, Desk, make_desk

GREET = '''
    class NobodyThere(PermanentError):
        """Nobody has that name."""

    class GreetParams(Params):
        who: str
        times: int = 1

    class GreetResult(Result):
        text: str

    @action(effect="read", repeatable=True, example={"who": "you"}, errors=(NobodyThere,), timeout=21, memory=512)
    def greet(params: GreetParams, context: ActionContext) -> GreetResult:
        """Greets somebody."""
        if params.who == "nobody":
            raise NobodyThere("nobody is there")
        return GreetResult(text=" ".join(["hello " + params.who] * params.times))

    handler = greet.handler
'''
GREETING = """
    name: greeting
    input: {who: {type: string}}
    steps: [{action: greet, params: {who: "{{ input.who }}", times: 2}}]
    output: "{{ steps.greet.output.text }}"
"""


@pytest.fixture
def fresh(tmp_path: Path, own_functions: Path, _settings: None) -> Desk:
    """A project whose functions are its own to change."""
    shutil.copytree(own_functions, tmp_path / "own", ignore=shutil.ignore_patterns("__pycache__"))
    return make_desk(tmp_path, tmp_path / "own")


@pytest.mark.row("S2-106", "S2-107", "S3-086", "S3-010", "S3-007", "S2-110", "S4-012", "S4-109")
def test_one_file_adds_an_action(fresh: Desk) -> None:
    """No line elsewhere is touched by hand, and Stepsmith is the same as before."""
    assert [problem["slug"] for problem in fresh.problems(GREETING)] == ["unknown-action"]
    fresh.write("functions/stepsmith_functions/actions/greet.py", f'"""Greets."""\n{dedent(HEAD)}\n{dedent(GREET)}')
    assert fresh.problems(GREETING) == []
    assert fresh.run(GREETING, {"who": "ada"}).result["output"] == "hello ada hello ada"
    names = [action["name"] for action in fresh.call("actions", "--json").json]
    assert "greet" in names
    assert {"quarantine_file", "note", "custom_scan"} <= set(names)
    assert "Greets somebody" in fresh.call("actions", "greet").out

    assert fresh.call("build").status == 0
    template = (fresh.root / "template.yaml").read_text()
    function = template.partition("\n  GreetFunction:\n")[2].partition("\n\n")[0]
    assert "Handler: stepsmith_functions.actions.greet.handler" in function
    assert "Timeout: 21" in function
    assert "MemorySize: 512" in function
    machine = template.partition("\n  GreetingMachine:\n")[2]
    assert "GreetFunction: !GetAtt GreetFunction.Arn" in machine


@pytest.mark.row("S2-108")
def test_params_are_held_to_what_the_action_declares(fresh: Desk) -> None:
    fresh.write("functions/stepsmith_functions/actions/greet.py", f'"""Greets."""\n{dedent(HEAD)}\n{dedent(GREET)}')

    def found(params: str) -> list[tuple[str, int]]:
        text = f"name: wrong\nsteps:\n  - action: greet\n    params: {params}\n"
        return [(problem["slug"], problem["line"]) for problem in fresh.problems(text)]

    assert found("{who: you}") == []
    assert found("{}") == [("missing-param", 3)]
    assert found("{who: 7}") == [("wrong-param", 4)]
    assert found("{who: you, time: 2}") == [("unknown-param", 4)]
    output = fresh.problems(
        """
        name: wrong-read
        steps:
          - {action: greet, params: {who: you}}
          - {action: note, params: {text: "{{ steps.greet.output.txt }}"}}
        """
    )
    assert [(problem["slug"], problem["help"]) for problem in output] == [("unknown-property", 'did you mean "text"?')]


@pytest.mark.row("S2-109", "S2-110")
def test_the_schema_of_an_action_can_be_asked_for(desk: Desk) -> None:
    action = desk.call("actions", "custom_scan", "--json").json
    assert action["params"] == {
        "type": "object",
        "properties": {"scan_path": {"type": "string"}},
        "required": ["scan_path"],
        "additionalProperties": False,
    }
    assert action["result"]["properties"] == {
        "threats_found": {"type": "integer"},
        "files_scanned": {"type": "integer"},
    }
    files = {path.stem for path in (desk.root / "functions/stepsmith_functions/actions").glob("[a-z]*.py")}
    assert {entry["name"] for entry in desk.call("actions", "--json").json} == files


@pytest.mark.row("S4-081", "S4-110", "S3-009")
def test_an_action_that_nobody_registered_is_named(desk: Desk) -> None:
    text = "name: unknown\nsteps:\n  - {action: note, params: {text: x}}\n  - {id: b, action: custm_scan}\n"
    (problem,) = desk.problems(text)
    assert (problem["slug"], problem["severity"], problem["line"]) == ("unknown-action", "error", 4)
    assert "custm_scan" in problem["message"]
    assert problem["help"] == 'did you mean "custom_scan"?'
    before = desk.journal
    called = desk.call("run", "unknown")
    assert (called.status, called.out, desk.journal) == (1, "", before)
    assert desk.call("build").status == 1
    (desk.root / "workflows" / "unknown.yaml").unlink()


TWO = """
    name: two-steps
    input: {path: {type: string}}
    steps:
      - {id: scan, action: custom_scan, params: {scan_path: "{{ input.path }}"}}
      - {id: say, action: note, params: {text: "{{ steps.scan.output.threats_found }} in {{ input.path }}"}}
    output:
      path: "{{ input.path }}"
      found: "{{ steps.scan.output.threats_found }}"
      said: "{{ steps.say.output.length }}"
"""
MOCKS = """
    scan: {return: {threats_found: 3, files_scanned: 9}}
    note: {return: {text: mocked, length: 99}}
"""


@pytest.mark.row("S3-088", "S3-079", "S3-080", "S3-081")
def test_a_few_lines_replace_actions(new_desk: Desk) -> None:
    """Two lines, one by a step's id and one by an action's name; none of the real actions is called."""
    ran = new_desk.run(TWO, {"path": "nowhere"}, MOCKS)
    assert (ran.status, ran.result["output"]) == ("succeeded", {"path": "nowhere", "found": 3, "said": 99})
    assert [(step["id"], step["attempts"]) for step in ran.steps] == [("scan", 1), ("say", 1)]
    assert new_desk.journal == []
    rehearsal = """
        workflow: two-steps
        input: {path: nowhere}
        mocks:
          scan: [{return: {threats_found: 3, files_scanned: 9}}, {raise: AwsRefused}]
          say: [{return: {text: mocked, length: 99}}, {raise: AwsRefused}]
        expect:
          status: succeeded
          output: {path: nowhere, found: 3, said: 99}
          steps:
            - {id: scan, attempts: 1, params: {scan_path: nowhere}, output: {threats_found: 3, files_scanned: 9}}
            - {id: say, attempts: 1, params: {text: 3 in nowhere}, output: {text: mocked, length: 99}}
    """
    new_desk.write("workflows/rehearsals/two-steps.mocked.yaml", rehearsal)
    passed = new_desk.call("test")
    assert passed.status == 0, passed.out
    wrong = rehearsal.replace("3 in nowhere", "4 in nowhere")
    new_desk.write("workflows/rehearsals/two-steps.mocked.yaml", wrong)
    assert new_desk.call("test").status == 1
