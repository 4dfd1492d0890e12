"""The formats that programs read: JSON, GitHub's workflow commands and SARIF."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsmith.diagnostics import Diagnostic, Severity
from stepsmith.reporting import Format, render
from stepsmith.source import Position, Span


def diagnostic(slug="some-slug", message="wrong", help_text="", path="w.yaml", end=(2, 9), severity=Severity.ERROR):
    return Diagnostic(slug, message, Span(path, Position(2, 3), Position(*end)), help_text, severity)


def test_json_has_the_keys_of_the_contract():
    assert json.loads(render([diagnostic(help_text="é")], {}, "json")) == [
        {
            "file": "w.yaml",
            "line": 2,
            "column": 3,
            "end_line": 2,
            "end_column": 9,
            "severity": "error",
            "slug": "some-slug",
            "message": "wrong",
            "help": "é",
        }
    ]
    assert json.loads(render([], {}, "json")) == []


def test_github_commands_are_escaped_and_hints_are_notices():
    found = [
        diagnostic(message="50% of\r\nit: a, b", help_text="c", path="a,b:c%.yaml"),
        diagnostic(severity=Severity.WARNING, end=(4, 1)),
        diagnostic(severity=Severity.HINT),
    ]
    assert render(found, {}, Format.GITHUB) == (
        "::error file=a%2Cb%3Ac%25.yaml,line=2,endLine=2,col=3,endColumn=9,title=some-slug"
        "::50%25 of%0D%0Ait: a, b%0Ac\n"
        "::warning file=w.yaml,line=2,endLine=4,title=some-slug::wrong\n"
        "::notice file=w.yaml,line=2,endLine=2,col=3,endColumn=9,title=some-slug::wrong\n"
    )
    assert render([], {}, Format.GITHUB) == ""


def test_sarif_has_what_its_schema_requires():
    found = [
        diagnostic("b-slug", severity=Severity.WARNING, path="dir with space/ü.yaml"),
        diagnostic("a-slug", help_text="do this", end=(5, 1)),
        diagnostic("b-slug", severity=Severity.HINT),
    ]
    log = json.loads(render(found, {}, Format.SARIF))
    assert log["version"] == "2.1.0"
    [run] = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert run["tool"]["driver"]["name"] == "stepsmith"
    assert run["columnKind"] == "unicodeCodePoints"
    assert [(rule["id"], rule["defaultConfiguration"]["level"]) for rule in rules] == [
        ("a-slug", "error"),
        ("b-slug", "warning"),
    ]
    assert [(r["ruleId"], r["level"], rules[r["ruleIndex"]]["id"], r["message"]["text"]) for r in run["results"]] == [
        ("b-slug", "warning", "b-slug", "wrong"),
        ("a-slug", "error", "a-slug", "wrong. do this"),
        ("b-slug", "note", "b-slug", "wrong"),
    ]
    places = [result["locations"][0]["physicalLocation"] for result in run["results"]]
    assert places[0]["artifactLocation"]["uri"] == "dir%20with%20space/%C3%BC.yaml"
    assert places[1]["region"] == {"startLine": 2, "startColumn": 3, "endLine": 5, "endColumn": 1}


def test_a_sarif_log_of_nothing_still_says_that_it_ran():
    [run] = json.loads(render([], {}, Format.SARIF))["runs"]
    assert run["results"] == []


def test_an_unknown_format_is_the_caller_s_mistake():
    with pytest.raises(ValueError, match="xml"):
        render([], {}, "xml")


@given(st.lists(st.tuples(st.text(), st.text(), st.text(min_size=1), st.sampled_from(Severity)), max_size=4))
def test_any_text_is_reported_in_every_format(texts):
    found = [diagnostic(message=m, help_text=h, path=p, severity=s) for m, h, p, s in texts]
    for format_ in Format:
        rendered = render(found, {}, format_)
        assert rendered == "" or rendered.endswith("\n")
    assert [record["message"] for record in json.loads(render(found, {}, "json"))] == [m for m, _, _, _ in texts]
    assert len(render(found, {}, "github").split("\n")) == len(found) + 1
    assert len(json.loads(render(found, {}, "sarif"))["runs"][0]["results"]) == len(found)
