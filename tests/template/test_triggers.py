"""Triggers become events whose input is what the author wrote, or a diagnostic says why not."""

import json
import re

import pytest

from stepsmith.diagnostics import Diagnostics
from stepsmith.document import ScalarNode
from stepsmith.expressions.syntax import parse_template
from stepsmith.model.values import Field, ListValue, Literal, ObjectValue, Templated
from stepsmith.model.workflow import EventTrigger, ScheduleTrigger
from stepsmith.source import SourceFile
from stepsmith.template.triggers import event_rule, schedule

SPAN = SourceFile("workflows/order.yaml", "order").span(0, 5)
EVENT = {
    "id": "e-1",
    "detail-type": "Finding",
    "resources": ["arn:one", "arn:two"],
    "detail": {"path": "/srv/a", "count": 3, "tags": ["x"], "deep": {"awsRegion": "r", "path": "other"}},
}


def value(data: object):
    """A model value written as plain data; texts with braces are templates."""
    match data:
        case dict():
            return ObjectValue(tuple(Field(key, SPAN, value(item)) for key, item in data.items()), SPAN)
        case list():
            return ListValue(tuple(value(item) for item in data), SPAN)
        case str() if "{{" in data:
            source, problems = SourceFile("workflows/order.yaml", data), Diagnostics()
            template = parse_template(ScalarNode(data, source.span(0, len(data)), plain=False), source, problems)
            assert not list(problems)
            return Templated(template)
        case _:
            return Literal(data, SPAN)


def rule(given: object) -> tuple[dict, list]:
    diagnostics = Diagnostics()
    found = event_rule(EventTrigger({"source": ["x"]}, value(given) if given is not None else None, SPAN), diagnostics)
    return dict(found["Properties"]), list(diagnostics)


def delivered(properties: dict, event: dict) -> object:
    """What EventBridge makes of the event: the input transformer as its user guide describes it."""
    if "Input" in properties:
        return json.loads(properties["Input"])
    transformer = properties["InputTransformer"]
    values = {"aws.events.event.json": event}
    for name, path in transformer.get("InputPathsMap", {}).items():
        found = event
        for key, index in re.findall(r"\.([\w-]+)|\[(\d+)\]", path):
            found = found[key] if key else found[int(index)]
        values[name] = found

    def put_in(match: re.Match) -> str:
        within_text = len(re.findall(r'(?<!\\)"', match.string[: match.start()])) % 2 == 1
        found = values[match[1]]
        return json.dumps(found)[1:-1] if within_text and isinstance(found, str) else json.dumps(found)

    return json.loads(re.sub(r"<([\w.-]+)>", put_in, transformer["InputTemplate"]))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"a": 1, "b": [True, None, 1.5, "é"]}, {"a": 1, "b": [True, None, 1.5, "é"]}),
        ({}, {}),
        ({"p": "{{ event.detail.path }}", "n": "{{ event.detail.count }}"}, {"p": "/srv/a", "n": 3}),
        ({"o": "{{ event.detail.deep }}"}, {"o": EVENT["detail"]["deep"]}),
        ({"l": ["{{ event.resources[1] }}"]}, {"l": ["arn:two"]}),
        ({"t": "{{ event['detail-type'] }} at {{ event.detail.path }}"}, {"t": "Finding at /srv/a"}),
        ({"t": 'say "{{ event.detail.count }}" \\ <id>\n'}, {"t": 'say "3" \\ <id>\n'}),
        ({"t": "<aws.events.event.json>", "p": "{{ event.id }}"}, {"t": "<aws.events.event.json>", "p": "e-1"}),
        ({"t": "<id>", "p": "{{ event.id }}"}, {"t": "<id>", "p": "e-1"}),
        ({"<p>": "{{ event.id }}"}, {"<p>": "e-1"}),
        ({"e": "{{ event }}"}, {"e": EVENT}),
        ({"e": "{{ event }}", "i": "{{ event.id }}"}, {"e": EVENT, "i": "e-1"}),
        ({"a": "{{ event.detail.path }}", "b": "{{ event.detail.deep.path }}"}, {"a": "/srv/a", "b": "other"}),
        ({"a": "{{ event.detail.deep.awsRegion }}"}, {"a": "r"}),
        ({"a": "{{ event.id }}", "b": "{{ event.id }}"}, {"a": "e-1", "b": "e-1"}),
    ],
)  # fmt: skip
def test_an_event_becomes_the_input_as_written(given, expected):
    properties, diagnostics = rule(given)
    assert diagnostics == []
    assert delivered(properties, EVENT) == expected


def test_names_of_paths_are_ones_that_eventbridge_takes():
    properties, _ = rule({"a": "{{ event.detail.deep.awsRegion }}", "b": "{{ event['detail-type'] }}"})
    names = properties["InputTransformer"]["InputPathsMap"]
    assert names == {"value": "$.detail.deep.awsRegion", "detail_type": "$.detail-type"}


def test_without_an_input_the_run_gets_the_whole_event():
    properties, _ = rule(None)
    assert not {"Input", "InputPath", "InputTransformer"} & properties.keys()


@pytest.mark.parametrize(
    "text",
    [
        "{{ event.detail.path | upper }}",
        "{{ event.detail.path | default('x') }}",
        "{{ event.detail.count + 1 }}",
        "{{ input.file_path }}",
        "{{ 'text' }}",
        "{{ event['two words'] }}",
        "{{ event.resources[-1] }}",
        "all: {{ event }}",
    ],
)
def test_what_eventbridge_cannot_do_is_refused_where_it_is_written(text):
    _, diagnostics = rule({"p": text})
    (found,) = diagnostics
    assert found.slug == "trigger-input"
    assert "{{ event.detail.id }}" in found.help
    assert found.span.start.column == text.index("{{") + 4


def test_what_is_too_large_for_a_rule_is_refused():
    _, diagnostics = rule({"text": "x" * 9000})
    assert [found.message for found in diagnostics] == ["the input has 9,012 characters; a rule passes on 8,192"]
    _, diagnostics = rule({f"k{n}": f"{{{{ event.k{n} }}}}" for n in range(101)})
    assert [found.message for found in diagnostics] == ["the input reads 101 values of the event; a rule copies 100"]


def planned(given: object, timezone: str | None = None) -> tuple[dict, list]:
    diagnostics = Diagnostics()
    trigger = ScheduleTrigger("rate(1 day)", timezone, value(given) if given is not None else None, SPAN)
    return dict(schedule(trigger, diagnostics)["Properties"]), list(diagnostics)


def test_a_schedule_passes_its_constant_input_and_has_no_fixed_name():
    properties, diagnostics = planned({"path": "/srv", "mark": "<aws.scheduler.scheduled-time>"}, "Europe/Berlin")
    assert diagnostics == []
    assert json.loads(properties["Input"]) == {"path": "/srv", "mark": "<aws.scheduler.scheduled-time>"}
    assert "<aws" not in properties["Input"]
    assert (properties["OmitName"], properties["ScheduleExpressionTimezone"]) == (True, "Europe/Berlin")
    assert planned(None)[0]["Input"] == "{}"


def test_the_input_of_a_schedule_cannot_read_an_event():
    _, diagnostics = planned({"a": "{{ event.id }}"})
    assert [(found.slug, found.help) for found in diagnostics] == [
        ("trigger-input", "write the value itself; compute from it in the steps")
    ]
    _, diagnostics = planned({"a": "x" * 270_000})
    assert [found.message for found in diagnostics] == ["the input has 270,009 bytes; a schedule passes on 262,144"]
