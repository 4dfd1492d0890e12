"""docs/expressions.md agrees with the tables of the compiler, and its examples do what it says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from stepsmith.expressions.reference import markdown
from tests.expressions.evaluation import compiled, condition, value_of

PAGE = Path(__file__).parents[2] / "docs" / "expressions.md"
START, END = "<!-- tables: begin -->", "<!-- tables: end -->"


def test_the_tables_of_the_page_are_up_to_date() -> None:
    """The part between the marks is what `markdown()` gives."""
    text = PAGE.read_text(encoding="utf-8")
    assert text[text.index(START) + len(START) : text.index(END)].strip() == markdown().strip()


def _examples(heading: str) -> list[tuple[str, str]]:
    text = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(.+?)` \| `(.+?)` \|", text, re.MULTILINE)
    return [(source.replace("\\|", "|"), result.replace("\\|", "|")) for source, result in rows]


@pytest.mark.parametrize(("source", "result"), _examples("Where it differs from Jinja2"))
def test_deviation_is_as_documented(source: str, result: str) -> None:
    """Each documented rule, by its example: a value, or an error at compile or run time."""
    data = {"input": {"items": [1], "name": "x"}}
    if result == "error":
        with pytest.raises(AssertionError):
            value_of(source, data)
    elif result == "fails":
        with pytest.raises(Exception, match="executing the state"):
            value_of(source, data)
    else:
        assert value_of(source, data) == json.loads(result)


@pytest.mark.parametrize(("source", "result"), _examples("What an expression may be"))
def test_expression_is_as_documented(source: str, result: str) -> None:
    """Each form of expression, by its example."""
    data = {"input": {"host": {"name": "web-1", "ip-address": "10.0.0.7"}, "ports": [22, 80], "name": "web"}}
    assert value_of(source, data) == json.loads(result)


def test_spellings_of_conditions_are_as_documented() -> None:
    """The table of conditions: what is written, and what it is rewritten to."""
    text = PAGE.read_text(encoding="utf-8").split("\n## Conditions\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(.+?)` \| `(.+?)` \|", text, re.MULTILINE)
    assert rows
    for written, ours in rows:
        written, ours = written.replace("\\|", "|"), ours.replace("\\|", "|")
        found = condition(written, legacy=True)
        assert found.code == condition("{{ " + ours + " }}").code, written
        assert any(ours in each.help for each in found.diagnostics), written
    assert compiled("{{ input.x }}").slugs == []
