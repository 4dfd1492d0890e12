"""A secret is named in the document, resolved inside the function, and stands nowhere else."""

from __future__ import annotations

import json

import pytest

from tests.acceptance.conftest import Desk

CALLS = """
    name: calls
    steps:
      - id: call
        action: http_request
        params:
          url: https://api.example.com/items
          headers: {authorization: "Bearer {{ secrets.API_TOKEN }}"}
"""


@pytest.mark.row("S1-144")
def test_the_machine_holds_the_name_of_a_secret_and_never_its_value(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_TOKEN", "s3cr3t-value")
    payload = desk.definition(CALLS)["States"]["call"]["Arguments"]["Payload"]
    assert payload["params"]["headers"] == {"authorization": None}
    assert payload["secrets"] == [{"at": ["headers", "authorization"], "parts": ["Bearer ", {"secret": "API_TOKEN"}]}]
    assert "s3cr3t-value" not in json.dumps(payload)
    ran = desk.run(CALLS, {}, "call: {return: {status_code: 200, body: {}, headers: {}}}")
    assert "s3cr3t-value" not in json.dumps(ran.result)
    history = (desk.root / ".stepsmith" / "history.db").read_bytes()
    assert b"s3cr3t-value" not in history


@pytest.mark.row("S1-144")
def test_a_parameter_of_the_parameter_store_is_a_secret_as_well(new_desk: Desk) -> None:
    template = (new_desk.root / "template.yaml").read_text()
    template = template.replace(
        "        POWERTOOLS_SERVICE_NAME: stepsmith\n",
        "        POWERTOOLS_SERVICE_NAME: stepsmith\n        SECRETS_PREFIX: ssm:/stepsmith/\n",
    )
    token = (
        "  Token: {Type: AWS::SSM::Parameter, Properties: {Name: /stepsmith/TOKEN, Value: s3cr3t-value, Type: String}}"
    )
    (new_desk.root / "template.yaml").write_text(template.replace("\nResources:\n", f"\nResources:\n{token}\n"))
    noted = """
        name: noted
        steps: [{id: note, action: note, params: {text: "key {{ secrets.TOKEN }}"}}]
        output: "{{ steps.note.output.text }}"
    """
    new_desk.workflow(noted)
    assert new_desk.call("build").status == 0
    built = (new_desk.root / "template.yaml").read_text()
    assert built.count("- ssm:GetParameter") == 1
    assert ":parameter/stepsmith/TOKEN'" in built
    ran = new_desk.run(noted)
    assert (ran.status, ran.result["output"]) == ("succeeded", "key ***")
    assert new_desk.journal == ["key s3cr3t-value"]
    assert b"s3cr3t-value" not in (new_desk.root / ".stepsmith" / "history.db").read_bytes()


@pytest.mark.row("S1-144")
@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("name: leaks\nsteps: [{set: {token: '{{ secrets.API_TOKEN }}'}}]\n", "secret-not-here"),
        ("name: leaks\nsteps: [{wait: 1}]\noutput: '{{ secrets.API_TOKEN }}'\n", "secret-not-here"),
        (
            "name: leaks\nsteps: [{action: note, params: {text: '{{ secrets.API_TOKEN | upper }}'}}]\n",
            "secret-in-expression",
        ),
        ("name: leaks\nsteps: [{wait: 1, if: '{{ secrets.API_TOKEN == 1 }}'}]\n", "secret-not-here"),
    ],
)
def test_where_a_secret_would_be_seen_it_is_refused(desk: Desk, text: str, slug: str) -> None:
    assert slug in [problem["slug"] for problem in desk.problems(text)]
