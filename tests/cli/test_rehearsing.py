"""`stepsmith test` in a small project: what passes, what fails and where, and what a rehearsal may not say."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent
from xml.etree import ElementTree

import pytest

from stepsmith.project import Project
from tests.cli.conftest import ROOT, Call, lines_with

WORKFLOW = """\
name: greeting
input:
  who: {type: string}
  times: {type: integer, default: 1, minimum: 1}
steps:
  - id: hello
    action: greet
    params: {who: "{{ input.who }}"}
    timeout: 10s
    retry: {max_retries: 2, delay: 10s, on: [NobodyThere, States.Timeout]}
  - id: again
    if: "{{ input.times > 1 }}"
    action: greet
    params: {who: "{{ steps.hello.output.text }}"}
    on_failure: continue
output:
  text: "{{ steps.hello.output.text }}"
"""


@pytest.fixture
def folder(project: Project) -> Path:
    (project.workflows_folder / "greeting.yaml").write_text(WORKFLOW)
    found = project.workflows_folder / "rehearsals"
    found.mkdir()
    return found


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(dedent(text).lstrip())
    return path


PASSING = """
    workflow: greeting
    input: {who: you, times: 2}
    mocks:
      hello:
        - {raise: NobodyThere, message: not yet, after: 2s}
        - {return: {text: hello you, length: 9}, after: 30s}
        - {return: {text: hello you, length: 9}, after: 3s}
    expect:
      status: succeeded
      output: {text: hello you}
      elapsed_s: 45
      steps:
        - {id: hello, attempts: 3, params: {who: you}}
        - {id: again, status: succeeded, params: {who: hello you}, output: {length: 15}}
"""


def test_a_rehearsal_passes_with_mocks_virtual_time_and_real_handlers(folder: Path, call: Call) -> None:
    # 2 s, a back-off of 10 s, the time limit of 10 s, a back-off of 20 s, 3 s.
    write(folder, "greeting.twice", PASSING)
    called = call("test")
    assert (called.status, called.err) == (0, "")
    assert called.lines[0].split(maxsplit=2)[1:] == ["greeting.twice", "2 steps, 45 s virtual"]
    assert called.lines[1].startswith("1 passed in ")


def test_nothing_of_a_rehearsal_outlives_it(folder: Path, call: Call) -> None:
    write(folder, "greeting.twice", PASSING)
    before = sorted(Path().rglob("*"))
    assert call("test").status == 0
    assert sorted(Path().rglob("*")) == before
    assert call("runs").out.startswith("no runs yet")


def test_each_difference_is_shown_where_it_was_expected(folder: Path, call: Call) -> None:
    text = PASSING.replace("output: {text: hello you}\n", "output: {text: hello me}\n").replace(
        "attempts: 3", "attempts: 2"
    )
    write(folder, "greeting.twice", text.replace("elapsed_s: 45", "elapsed_s: 44s") + "      not_run: [again]\n")
    called = call("test")
    assert called.status == 1
    assert called.lines[1:-1] == [
        "    workflows/rehearsals/greeting.twice.yaml:10:18: output.text",
        '      - expected "hello me"',
        '      + got      "hello you"',
        "    workflows/rehearsals/greeting.twice.yaml:11:14: elapsed_s",
        "      - expected 44",
        "      + got      45",
        "    workflows/rehearsals/greeting.twice.yaml:13:29: steps.hello.attempts",
        "      - expected 2",
        "      + got      3",
        "    workflows/rehearsals/greeting.twice.yaml:15:13: steps.again: again ran, and is succeeded",
    ]
    assert called.lines[-1].startswith("1 failed in ")


def test_a_run_that_fails_against_expectation_is_explained(folder: Path, call: Call) -> None:
    write(folder, "greeting.nobody", "workflow: greeting\ninput: {who: nobody}\nexpect: {output: {text: hello}}\n")
    called = call("test")
    assert called.status == 1
    assert lines_with("greeting.nobody.yaml:3:1: status", called.lines)
    assert lines_with(
        'greeting.yaml:6:3: error: step "hello" failed with NobodyThere: nobody has that name', called.lines
    )
    assert lines_with('params: {"who": "nobody"}', called.lines)


def test_a_long_text_is_compared_line_by_line(folder: Path, call: Call) -> None:
    write(
        folder,
        "greeting.long",
        """
        workflow: greeting
        input: {who: you}
        mocks: {hello: {return: {text: "one\\ntwo\\nthree"}}}
        expect:
          output:
            text: "one\\n2\\nthree"
        """,
    )
    called = call("test")
    assert called.status == 1
    assert [line.strip() for line in called.lines[2:6]] == ["one", "- 2", "+ two", "three"]


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("workflow: greetin\nexpect: {status: succeeded}", "1:11", 'did you mean "greeting"?'),
        ("expect: {status: succeeded}", "1:1", "a rehearsal needs `workflow`"),
        ("[1]", "1:1", "a rehearsal is a mapping"),
        ("workflow: greeting\ninput: {who: a}", "1:1", "a rehearsal that expects nothing cannot fail"),
        ("workflow: greeting\ninputs: {who: a}\nexpect: {error: InputInvalid}", "2:1", 'did you mean "input"?'),
        ("workflow: greeting\ninput: {who: a, tims: 1}\nexpect: {status: failed}", "2:17", 'did you mean "times"?'),
        ("workflow: greeting\nexpect: {status: failed}", "1:1", 'the input "who" is missing'),
        (
            "workflow: greeting\ninput: {who: a, times: 0}\nexpect: {output: null}",
            "2:24",
            "input times must be at least 1",
        ),
        (
            "workflow: greeting\ninput: {who: a}\nexpect: {status: fine}",
            "3:18",
            "`status` must be one of cancelled, failed",
        ),
        ("workflow: greeting\ninput: {who: a}\nexpect: {stats: failed}", "3:10", 'did you mean "status"?'),
        ("workflow: greeting\ninput: {who: a}\nexpect: {elapsed_s: soon}", "3:21", "soon"),
        ("workflow: greeting\ninput: {who: a}\nexpect: {steps: {id: hello}}", "3:17", "`steps` must be a list"),
        ("workflow: greeting\ninput: {who: a}\nexpect: {steps: [hello]}", "3:18", "a step is a mapping"),
        ("workflow: greeting\ninput: {who: a}\nexpect: {steps: [{status: failed}]}", "3:18", "a step needs its `id`"),
        ("workflow: greeting\ninput: {who: a}\nexpect: {steps: [{id: helo}]}", "3:23", 'did you mean "hello"?'),
        ("workflow: greeting\ninput: {who: a}\nexpect: {steps: [{path: 'helo[1].x'}]}", "3:25", 'has no step "helo"'),
        (
            "workflow: greeting\ninput: {who: a}\nexpect: {steps: [{id: hello, stat: failed}]}",
            "3:30",
            'did you mean "status"?',
        ),
        (
            "workflow: greeting\ninput: {who: a}\nexpect: {steps: [{id: hello, attempts: two}]}",
            "3:40",
            "a whole number",
        ),
        (
            "workflow: greeting\ninput: {who: a}\nexpect: {steps: [{id: hello, params: {wo: a}}]}",
            "3:39",
            'did you mean "who"?',
        ),
        (
            "workflow: greeting\ninput: {who: a}\nexpect: {steps: [{id: hello, output: {txt: a}}]}",
            "3:39",
            'did you mean "text"?',
        ),
        ("workflow: greeting\ninput: {who: a}\nexpect: {error: {kind: A}}", "3:18", 'an error has no "kind"'),
        ("workflow: greeting\ninput: {who: a}\nexpect: {error: [A]}", "3:17", "an error is its type, or a mapping"),
        ("workflow: greeting\ninput: {who: a}\nexpect: {not_run: [agan]}", "3:20", 'did you mean "again"?'),
        (
            "workflow: greeting\ninput: {who: a}\nmocks: {helo: {return: {}}}\nexpect: {output: null}",
            "3:9",
            'did you mean "hello"?',
        ),
        (
            "workflow: greeting\ninput: {who: a}\nmocks: {hello: {return: {txt: a}}}\nexpect: {output: null}",
            "3:26",
            'did you mean "text"?',
        ),
        (
            "workflow: greeting\ninput: {who: a}\nmocks: {hello: {return: {text: 1}}}\nexpect: {output: null}",
            "3:32",
            "must be string",
        ),
        (
            "workflow: greeting\ninput: {who: a}\nmocks: {hello: {raise: Nobody}}\nexpect: {output: null}",
            "3:24",
            'did you mean "NobodyThere"?',
        ),
        ("workflow: [greeting]\nexpect: {output: null}", "1:11", "`workflow` must be a workflow's name"),
        ("a: b: c", "1:4", "must be quoted"),
    ],
)
def test_a_mistake_in_a_rehearsal_is_told_at_its_place(
    folder: Path, call: Call, text: str, place: str, message: str
) -> None:
    (folder / "greeting.wrong.yaml").write_text(text + "\n")
    called = call("test")
    assert called.status == 1
    (found,) = [line for line in called.lines if "rehearsals/greeting.wrong.yaml:" in line]
    assert found.strip().startswith(f"workflows/rehearsals/greeting.wrong.yaml:{place}: error: ")
    assert message in called.out
    assert called.lines[-1].startswith("1 with mistakes in ")


def test_an_input_that_the_workflow_refuses_can_be_rehearsed(folder: Path, call: Call) -> None:
    write(
        folder,
        "greeting.refused",
        "workflow: greeting\ninput: {times: 0}\nexpect: {error: InputInvalid, not_run: hello}\n",
    )
    assert call("test").status == 0


def test_a_workflow_with_errors_is_told_and_nothing_runs(folder: Path, call: Call) -> None:
    (folder.parent / "greeting.yaml").write_text(
        WORKFLOW.replace('action: greet\n    params: {who: "{{ steps', 'action: gret\n    params: {who: "{{ steps')
    )
    write(folder, "greeting.twice", PASSING)
    called = call("test")
    assert called.status == 1
    assert lines_with("workflows/greeting.yaml:13:", called.lines)


def test_which_rehearsals_are_meant(folder: Path, call: Call, project: Project) -> None:
    write(folder, "greeting.twice", PASSING)
    write(folder, "greeting.refused", "workflow: greeting\ninput: {}\nexpect: {error: InputInvalid}\n")
    (folder.parent / "other.yaml").write_text("name: other\nsteps: [{action: greet, params: {who: you}}]\n")
    write(folder, "other.any", "workflow: other\nexpect: {status: succeeded}\n")

    def ran(*argv: str) -> list[str]:
        return [item["name"] for item in json.loads(call("test", "--json", *argv).out)["rehearsals"]]

    every = ["greeting.refused", "greeting.twice", "other.any"]
    assert ran() == every
    assert ran("-k", "TWICE", "-k", "any") == ["greeting.twice", "other.any"]
    assert ran("greeting") == ["greeting.refused", "greeting.twice"]
    assert ran("workflows/other.yaml") == ["other.any"]
    assert ran("workflows/rehearsals/other.any.yaml", "workflows/rehearsals") == [
        "other.any",
        "greeting.refused",
        "greeting.twice",
    ]
    assert ran("workflows") == ran(".") == every


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("nothing",), 'no rehearsal and no workflow "nothing"'),
        (("nothing.yaml",), "nothing.yaml cannot be opened: there is no such file"),
        (("greeting",), "greeting has no rehearsal"),
        ((), "there is no rehearsal in workflows/rehearsals"),
        (("functions",), "there is no rehearsal in functions"),
    ],
)
def test_a_wrong_call_exits_2(folder: Path, call: Call, argv: tuple[str, ...], message: str) -> None:
    called = call("test", *argv)
    assert called.status == 2
    assert message in called.err


def test_a_word_that_no_rehearsal_has_exits_2(folder: Path, call: Call) -> None:
    write(folder, "greeting.twice", PASSING)
    called = call("test", "-k", "thrice")
    assert (called.status, called.err) == (2, "stepsmith: no rehearsal has thrice in its name\n")


def test_the_results_as_json_and_as_junit(folder: Path, call: Call) -> None:
    write(folder, "greeting.a", PASSING)
    write(folder, "greeting.b", PASSING.replace("attempts: 3", "attempts: 1"))
    write(folder, "greeting.c", 'workflow: greeting\nexpect: {status: "\\x01"}\n')
    called = call("test", "--json", "--junit", "out.xml")
    assert called.status == 1
    told = json.loads(called.out)
    assert (told["passed"], told["failed"], told["invalid"]) == (1, 1, 1)
    passed, failed, invalid = told["rehearsals"]
    assert passed["run"]["elapsed_s"] == 45
    assert failed["differences"] == [
        {
            "file": "workflows/rehearsals/greeting.b.yaml",
            "line": 13,
            "column": 29,
            "what": "steps.hello.attempts",
            "note": "",
            "expected": 1,
            "actual": 3,
        }
    ]
    assert {item["slug"] for item in invalid["diagnostics"]} == {"invalid-rehearsal"}
    assert invalid["run"] is None
    suite = ElementTree.parse("out.xml").getroot()[0]
    assert {name: suite.get(name) for name in ("tests", "failures", "errors")} == {
        "tests": "3",
        "failures": "1",
        "errors": "1",
    }
    assert [case.get("name") for case in suite] == ["greeting.a", "greeting.b", "greeting.c"]
    assert [[problem.tag for problem in case] for case in suite] == [[], ["failure"], ["error"]]
    assert "greeting.b.yaml:13:29: steps.hello.attempts: expected 1, got 3" in (suite[1][0].text or "")


COVERED = """\
name: covered
input:
  who: {type: string}
steps:
  - id: hello
    action: greet
    params: {who: "{{ input.who }}"}
    retry: {max_retries: 1, on: [NobodyThere]}
    on_failure:
      - errors: [PermanentError]
        then: continue
      - steps:
          - {id: note, action: greet, params: {who: you}}
        then: continue
  - id: kind
    switch:
      - if: "{{ input.who == 'you' }}"
        steps:
          - {id: familiar, action: greet, params: {who: you}, if: "{{ steps.hello.status == 'succeeded' }}"}
      - else:
          - {id: formal, action: greet, params: {who: you}}
  - id: careful
    try:
      - {id: risky, action: greet, params: {who: you}}
    catch:
      - errors: [States.Timeout]
        then: continue
"""


def test_coverage_tells_what_never_happened(folder: Path, call: Call) -> None:
    (folder.parent / "covered.yaml").write_text(COVERED)
    write(folder, "covered.you", "workflow: covered\ninput: {who: you}\nexpect: {status: succeeded}\n")
    called = call("test", "covered", "--coverage")
    assert called.status == 0
    at = "    workflows/covered.yaml:"
    assert called.lines[2:] == [
        "edges taken  steps  skips  branches  retries  handlers   all",
        "covered        5/7    0/1       1/2      0/1       0/3  42 %",
        f"{at}5:3: hello was never retried",
        f"{at}10:9: the handler of hello never took PermanentError",
        f"{at}12:9: no handler of hello ever took an error",
        f"{at}13:11: note never ran",
        f"{at}19:11: familiar was never skipped",
        f"{at}20:9: else of kind was never taken",
        f"{at}21:11: formal never ran",
        f"{at}26:9: the handler of careful never took States.Timeout",
    ]
    write(
        folder,
        "covered.failing",
        """
        workflow: covered
        input: {who: you}
        mocks: {hello: {raise: NobodyThere}, risky: {raise: States.Timeout}}
        expect: {steps: [{id: hello, status: failed}, {id: familiar, status: skipped}]}
        """,
    )
    short = call("test", "covered", "--fail-under", "95", "--junit", "covered.xml")
    assert short.status == 1
    assert short.lines[4].endswith("  71 %")
    assert short.lines[-1] == "covered: 71 % of its edges were taken, 95 % are asked"
    (suite,) = ElementTree.parse("covered.xml").findall("testsuite[@name='coverage']")
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")
    (failure,) = suite.findall("testcase[@name='covered']/failure")
    assert failure.get("message") == "10 of 14 edges taken: 71 %, 95 % are asked"
    assert "workflows/covered.yaml:13:11: note never ran" in (failure.text or "").splitlines()
    assert call("test", "covered", "--fail-under", "71%").status == 0
    write(
        folder,
        "covered.formal",
        """
        workflow: covered
        input: {who: me}
        mocks: {hello: {raise: Lambda.Unknown}}
        expect: {steps: [{id: note}, {id: formal}]}
        """,
    )
    told = json.loads(call("test", "covered", "--coverage", "--json").out)
    assert told["failed"] == told["invalid"] == 0
    (covered,) = told["coverage"]
    assert covered.pop("kinds")["handlers"] == {"taken": 3, "total": 3}
    assert covered == {
        "workflow": "covered",
        "file": "workflows/covered.yaml",
        "taken": 14,
        "total": 14,
        "percent": 100,
        "gaps": [],
    }
    # Without a path, a workflow that no rehearsal is of counts too.
    every = json.loads(call("test", "--coverage", "--json").out)["coverage"]
    assert {item["workflow"]: item["percent"] for item in every} == {"covered": 100, "greeting": 0}
    assert every[1]["gaps"][0] == {
        "kind": "steps",
        "edge": "hello-ran",
        "step": "hello",
        "line": 6,
        "column": 3,
        "what": "hello never ran",
    }
    assert call("test", "--fail-under", "1").status == 1


@pytest.mark.parametrize("least", ["101", "-1", "all"])
def test_a_percentage_is_a_whole_number(folder: Path, call: Call, least: str) -> None:
    write(folder, "greeting.you", PASSING)
    called = call("test", f"--fail-under={least}")
    assert called.status == 2
    assert "write a whole number from 0 to 100" in called.err


def test_many_rehearsals_are_quick(folder: Path, call: Call) -> None:
    write(folder, "greeting.0", PASSING)
    assert call("test").status == 0
    for number in range(1, 21):
        write(folder, f"greeting.{number}", PASSING)
    assert json.loads(call("test", "--json").out)["passed"] == 21


@pytest.mark.row("S2-101")
def test_the_shipped_rehearsals_pass(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    told = json.loads(call("test", "--json").out)
    assert [item["name"] for item in told["rehearsals"] if item["outcome"] != "passed"] == []
    assert told["passed"] >= 9


def test_explore_writes_rehearsals_and_never_over_another(folder: Path, call: Call) -> None:
    (folder.parent / "covered.yaml").write_text(COVERED)
    kept = write(folder, "covered.explored-hello-retried", "workflow: covered\nexpect: {status: failed}\n")
    called = call("test", "covered", "--explore")
    assert called.status == 1  # of the one that was there
    assert kept.read_text() == "workflow: covered\nexpect: {status: failed}\n"
    assert lines_with("explored-hello-retried-2.yaml", called.lines)
    assert lines_with("until now the handler of careful never took States.Timeout", called.lines)
    assert called.lines[-1].startswith("covered ")
    assert called.lines[-1].endswith("  100 %")
    kept.unlink()
    again = json.loads(call("test", "covered", "--explore", "--json").out)
    assert (again["failed"], again["invalid"]) == (0, 0)
    assert again["explored"] == [
        {"workflow": "covered", "runs": again["explored"][0]["runs"], "written": [], "unreached": [], "refused": None}
    ]


def test_explore_says_what_it_did_not_reach(folder: Path, call: Call) -> None:
    (folder.parent / "covered.yaml").write_text(COVERED)
    told = json.loads(call("test", "covered", "--explore", "--runs", "1", "--json").out)
    (made,) = told["explored"]
    assert made["runs"] == 1
    assert made["unreached"][0]["why"] == "not in the 1 runs that were asked for"
    assert {"edge", "line", "why"} == set(made["unreached"][0])
    wrong = call("test", "nothing", "--explore")
    assert (wrong.status, call("test", "covered", "--explore", "--runs", "0").status) == (2, 2)
