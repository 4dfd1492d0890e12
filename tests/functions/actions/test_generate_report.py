"""`generate_report`: what each type says, in each format, and that nothing in it becomes markup."""

from __future__ import annotations

import hashlib
import html.parser
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from stepsmith_functions.runtime import clients
from stepsmith_functions.runtime.errors import InvalidParams
from stepsmith_functions.runtime.recording import RecordedStep, StepError
from stepsmith_functions.runtime.reports import yaml as our_yaml
from stepsmith_functions.runtime.s3 import NotConfigured

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EVIL = '<script>alert("x")</script> `*_[a](http://evil.test) | \u202egpj.exe\x00 {{7*7}} & end'


def step(path: str, status: str = "succeeded", after: float = 0, **more: Any) -> RecordedStep:
    values: dict[str, Any] = {
        "step_id": path.split(".")[-1],
        "path": path,
        "action": "quarantine_file",
        "status": status,
        "attempts": 1,
        "started_at": START + timedelta(seconds=after),
        "ended_at": START + timedelta(seconds=after + 1.5) if status != "running" else None,
        "output": None,
        "error": None,
        **more,
    }
    return RecordedStep(**values)


@pytest.fixture
def recorded(world: Any) -> Any:
    """A run with a step of each kind; the last is the report's own."""
    world.history.steps = [
        step("quarantine", output={"quarantine_id": "file-1", "size": 12}),
        step("kill", "failed", 2, action="kill_process", error=StepError("ProcessNotFound", EVIL), attempts=3),
        step("tell", "skipped", 4, action="send_notification"),
        step("s", "running", 5, action="generate_report"),
    ]
    return world


def report(world: Any, run: str | None = "r1", **params: Any) -> tuple[Any, str, dict[str, Any]]:
    """The action's answer, the stored text and S3's description of it."""
    answer = world.call("generate_report", {"report_type": "incident", **params}, run)
    key = answer["report_uri"].removeprefix("s3://data-bucket/")
    stored = clients.of_process().get("s3").get_object(Bucket="data-bucket", Key=key)
    body = stored["Body"].read()
    assert answer["size"] == len(body)
    return answer, body.decode(), stored


class Page(html.parser.HTMLParser):
    """The tags, attributes and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {(name, value or "") for name, value in attrs}

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_sample_event(world: Any) -> None:
    answer = world.send("generate_report", world.sample("generate_report"))
    assert answer["format"] == "html"
    assert re.fullmatch(
        r"s3://data-bucket/reports/critical-threat-response/run-0001/incident-[0-9a-f]{24}\.html",
        answer["report_uri"],
    )
    again = world.send("generate_report", world.sample("generate_report"))
    assert again["report_uri"] == answer["report_uri"]


@pytest.mark.row("S4-060")
def test_an_incident_is_a_timeline(recorded: Any) -> None:
    _, text, stored = report(recorded, format="json", title="t", data={"a": [1]})
    document = json.loads(text)
    assert stored["ContentType"] == "application/json"
    assert document["report"] == {
        "type": "incident",
        "title": "t",
        "generated_at": "2026-01-02T03:04:05Z",
        "workflow": "w",
        "run_id": "r1",
    }
    assert document["summary"] == {
        "steps": 3,
        "by_status": {"failed": 1, "skipped": 1, "succeeded": 1},
        "started_at": "2026-01-02T03:04:05Z",
        "elapsed_s": 5.5,
    }
    first, second, _ = document["timeline"]
    assert first["output"] == {"quarantine_id": "file-1", "size": 12}
    assert first["duration_s"] == 1.5
    assert second["error"] == {"type": "ProcessNotFound", "message": EVIL}
    assert (document["data"], document["notes"]) == ({"a": [1]}, [])


@pytest.mark.row("S4-060")
def test_compliance_is_a_list_of_controls_with_evidence(recorded: Any) -> None:
    _, text, _ = report(recorded, report_type="compliance", format="json")
    document = json.loads(text)
    assert document["report"]["title"] == "Compliance report: w"
    assert document["compliant"] is False
    assert [control["result"] for control in document["controls"]] == ["pass", "fail", "not assessed"]
    evidence = b'{"quarantine_id":"file-1","size":12}'
    assert document["controls"][0]["evidence_sha256"] == hashlib.sha256(evidence).hexdigest()


@pytest.mark.parametrize(
    ("steps", "verdict"),
    [([step("a")], True), ([step("a", "skipped")], None), ([], None), ([step("a", "failed")], False)],
)
def test_the_verdict_of_compliance(world: Any, steps: list[RecordedStep], verdict: bool | None) -> None:
    world.history.steps = steps
    assert json.loads(report(world, report_type="compliance", format="json")[1])["compliant"] is verdict


@pytest.mark.row("S4-060")
def test_a_summary_leaves_outputs_out(recorded: Any) -> None:
    document = json.loads(report(recorded, report_type="summary", format="json")[1])
    assert [line["status"] for line in document["steps"]] == ["succeeded", "failed", "skipped"]
    assert "file-1" not in json.dumps(document)


@pytest.mark.parametrize("kind", ["incident", "compliance", "summary"])
def test_yaml_says_what_json_says(recorded: Any, kind: str) -> None:
    data = {"evil": EVIL, "yes": "no", "n": [1.5, -1, None, True, {"k": []}, []], "1": "1", "t": "a\nb "}
    plain = report(recorded, report_type=kind, format="json", data=data)[1]
    assert yaml.safe_load(
        _stamps_quoted(report(recorded, report_type=kind, format="yaml", data=data)[1])
    ) == json.loads(plain)


def _stamps_quoted(text: str) -> str:
    assert not re.search(r": \d{4}-\d\d-\d\dT", text), "PyYAML would read a bare time stamp as a date"
    return text


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_any_value_survives_our_yaml(value: Any) -> None:
    assert yaml.safe_load(our_yaml.render(value)) == value


@pytest.mark.parametrize("kind", ["incident", "compliance", "summary"])
def test_the_page_is_self_contained_and_everything_is_escaped(recorded: Any, kind: str) -> None:
    data = {EVIL: [EVIL, {"k": EVIL}], "deep": {"a": {"b": {"c": EVIL}}}}
    _, text, stored = report(recorded, report_type=kind, title=EVIL, data=data)
    page = Page(text)
    assert stored["ContentType"] == "text/html; charset=utf-8"
    assert not page.tags & {"script", "img", "link", "iframe", "a", "form", "object", "base"}
    assert not {name for name, _ in page.attributes} & {"src", "href", "onerror", "onload"}
    assert ("http-equiv", "Content-Security-Policy") in page.attributes
    assert sum("<script>alert(" in part for part in page.texts) >= 5
    assert "\u202e" not in text
    assert "\\u202egpj.exe\\u0000" in text
    assert "url(" not in text
    assert "@import" not in text


def test_the_page_shows_what_matters(recorded: Any) -> None:
    text = " ".join(Page(report(recorded)[1]).texts)
    for part in ("ProcessNotFound", "quarantine", "3 attempts", "skipped", "file-1", "5.5 s", "Incident report: w"):
        assert part in text


@pytest.mark.parametrize("kind", ["incident", "compliance", "summary"])
def test_markdown_holds_foreign_text_in_code(recorded: Any, kind: str) -> None:
    from markdown_it import MarkdownIt

    data = {"a": EVIL, "b": "```\n# head"}
    _, text, stored = report(recorded, report_type=kind, format="markdown", title=EVIL, data=data)
    assert stored["ContentType"] == "text/markdown; charset=utf-8"
    page = Page(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))
    assert not page.tags & {"script", "a", "em", "img"}
    assert "http://evil.test" in "".join(page.texts)
    assert {"table", "code", "h1"} <= page.tags


def test_long_values_are_cut_on_a_page_only(world: Any) -> None:
    data = {"log": "x" * 10_000}
    assert "6000 more characters" in report(world, data=data)[1]
    assert json.loads(report(world, format="json", data=data)[1])["data"] == data


def test_without_a_run_or_history_it_says_so(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    answer, text, _ = report(world, run=None, format="json", data="only this")
    assert "/none/none/" in answer["report_uri"]
    assert "not written by a run" in json.loads(text)["notes"][0]
    monkeypatch.setattr(world.history, "reader", lambda settings: None)
    assert "keeps no history" in json.loads(report(world, format="json")[1])["notes"][0]

    def fail(settings: object) -> Any:
        raise OSError("down")

    monkeypatch.setattr(world.history, "reader", fail)
    assert "could not be opened" in json.loads(report(world, format="json")[1])["notes"][0]


def test_a_history_that_fails_fails_no_report(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(run_id: str) -> Any:
        raise OSError("down")

    monkeypatch.setattr(world.history, "steps_of_run", fail)
    document = json.loads(report(world, format="json", data={"a": 1})[1])
    assert document["notes"] == ["The history of the run could not be read (OSError)."]
    assert document["data"] == {"a": 1}


def test_names_cannot_leave_the_folder(world: Any) -> None:
    event = world.sample("generate_report")
    event["run"] |= {"id": "../../x", "workflow": "../quarantine"}
    assert "/reports/_quarantine/_.._x/" in world.send("generate_report", event)["report_uri"]


@pytest.mark.parametrize("params", [{"report_type": "novel"}, {"format": "pdf"}, {"title": ""}])
def test_what_is_no_report(world: Any, params: dict[str, str]) -> None:
    with pytest.raises(InvalidParams):
        report(world, **params)


def test_without_a_bucket(world: Any) -> None:
    del world.environment["DATA_BUCKET"]
    with pytest.raises(NotConfigured):
        report(world)
