"""`stepsmith eval`: values, compile errors and run errors, one by one and in batches."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import ROOT, Call


@pytest.mark.parametrize(
    ("argv", "value"),
    [
        (("1 + 2",), 3),
        (("input.a ~ '!'", "--data", '{"input": {"a": "x"}}'), "x!"),
        (
            (
                "{{ input.a }} is {{ steps.k.status }}",
                "--data",
                '{"input": {"a": [1]}, "steps": {"k": {"status": "failed"}}}',
            ),
            "[1] is failed",
        ),
        (("{{ input.a }}", "--data", '{"input": {"a": [1]}}'), [1]),
        (("vars.n * item", "--data", '{"vars": {"n": 2}, "item": 4}'), 8),
        (("sum + type", "--data", '{"sum": 3, "type": 4}'), 7),
        (("input.gone | default('none')",), "none"),
        (("input.a", "--condition", "--data", '{"input": {"a": [1]}}'), True),
        (("{{ input.a is defined }}", "--condition"), False),
        (("'ü'",), "ü"),
    ],
)
def test_the_value_is_printed_as_json(call: Call, argv: tuple[str, ...], value: Any) -> None:
    called = call("eval", *argv)
    assert (called.status, called.err) == (0, "")
    assert json.loads(called.out) == value
    assert json.loads(call("eval", *argv, "--json").out) == {"value": value}


def test_the_data_come_from_a_file_or_from_standard_input(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data.json"
    path.write_text('{"input": {"a": 1}}')
    assert call("eval", "input.a", "--data", str(path)).out == "1\n"
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"input": {"a": 2}}'))
    assert call("eval", "input.a", "--data", "-").out == "2\n"


def test_a_compile_error_is_shown_with_its_place(call: Call) -> None:
    called = call("eval", "input.a ~ nmae", "--data", '{"name": 1}')
    assert (called.status, called.out) == (1, "")
    assert 'expression:1:14: error: there is no "nmae" here [unknown-name]' in called.err
    assert 'did you mean "name"?' in called.err
    told = json.loads(call("eval", "1 +", "--json").out)
    assert (told["error"], told["slug"]) == ("compile", "expression-syntax")


@pytest.mark.parametrize(
    ("text", "slug", "message"),
    [
        ("input.a", "missing-value", "it has no value, since what it reads is missing"),
        ("input.a + 1", "missing-value", "input.a is not defined"),
        ("input.n / 0", "evaluation-failed", "division by zero"),
        ("input.n + 't'", "evaluation-failed", "cannot add number and string"),
    ],
)
def test_a_run_error_has_a_slug_and_a_message(call: Call, text: str, slug: str, message: str) -> None:
    data = '{"input": {"n": 1}}'
    called = call("eval", text, "--data", data)
    assert (called.status, called.out, called.err) == (1, "", f"stepsmith: {message} [{slug}]\n")
    told = json.loads(call("eval", text, "--data", data, "--json").out)
    assert told == {"error": "run", "slug": slug, "message": message}


def test_the_compiled_text_is_printed_and_nothing_is_evaluated(call: Call) -> None:
    called = call("eval", "input.n / 0", "--jsonata")
    assert called.status == 0
    assert "$input" in called.out
    assert "{%" not in called.out
    assert json.loads(call("eval", "input.n", "--jsonata", "--json").out)["jsonata"].endswith("$fn_get($input, 'n'))")
    assert json.loads(call("eval", "1 +", "--jsonata", "--json").out)["error"] == "compile"


def test_a_batch_answers_each_line(call: Call, tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    rows: list[Any] = [
        {"expression": "{{ input.a + 1 }}", "data": {"input": {"a": 1}}},
        {"expression": "input.a", "data": {"input": {"a": []}}, "mode": "condition"},
        {"expression": "input.b", "data": {"input": {"a": 1}}, "schema": {"input": schema}},
        {"expression": "input.b", "data": {"input": {"a": 1}}, "schema": {"properties": {"input": schema}}},
        {"expression": "input.a / 0", "data": {"input": {"a": 1}}},
        {"expression": "1", "mode": "other"},
        {"expression": 1},
        {"expression": "1", "data": []},
        [],
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n\nnot json\n")
    called = call("eval", "--batch", str(path))
    told = [json.loads(line) for line in called.lines]
    assert told[:2] == [{"value": 2}, {"value": False}]
    assert [(item["error"], item["slug"]) for item in told[2:]] == [
        ("compile", "unknown-property"),
        ("compile", "unknown-property"),
        ("run", "evaluation-failed"),
        *[("row", "bad-row")] * 5,
    ]
    assert called.status == 1


def test_errors_of_expressions_do_not_fail_a_batch(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"expression": "nothing"}\n{"expression": "1"}\n'))
    called = call("eval", "--batch", "-")
    assert called.status == 0
    assert [json.loads(line).get("value") for line in called.lines] == [None, 1]


def test_types_make_shorter_jsonata(call: Call, tmp_path: Path) -> None:
    schema = {"input": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}}
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"expression": "input.a + 1", "data": {"input": {"a": 1}}, "schema": schema}))
    assert json.loads(call("eval", "--batch", str(path), "--jsonata").out) == {"jsonata": "$input.a + 1"}


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ((), "write one expression, or --batch FILE"),
        (("1", "--batch", "x"), "write one expression, or --batch FILE"),
        (("--batch", "x", "--condition"), "each line has its own data and mode"),
        (("--batch", "nothing.jsonl"), "nothing.jsonl cannot be opened"),
        (("1", "--data", "nothing.json"), "nothing.json cannot be opened"),
        (("1", "--data", "{nonsense"), "--data is no JSON"),
    ],
)
def test_a_wrong_call_exits_2(call: Call, argv: tuple[str, ...], message: str) -> None:
    called = call("eval", *argv)
    assert called.status == 2
    assert message in called.err


def test_data_that_is_no_object_exits_2(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text("[1]")
    called = call("eval", "1", "--data", str(path))
    assert called.status == 2
    assert "must be an object" in called.err


def test_nothing_of_aws_is_imported() -> None:
    code = """
import sys
from stepsmith.cli.main import main
main(["eval", "1 + 1"])
print(sorted({"boto3", "moto", "pydantic"} & set(sys.modules)))
"""
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": f"{ROOT / 'compiler'}:{ROOT / 'functions'}"},
    )
    assert run.stdout.splitlines() == ["2", "[]"]
