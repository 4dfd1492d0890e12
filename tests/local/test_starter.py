"""Triggers with a `dedupe_key`: however often an event comes, one run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepsmith.catalog import ActionCatalog
from stepsmith.diagnostics import Diagnostics
from stepsmith.local.aws import LocalAws
from stepsmith.local.sam import FunctionResource, SamTemplate
from stepsmith.model.workflow import EventTrigger, ScheduleTrigger, Workflow
from stepsmith.pipeline import compile_bytes
from stepsmith.template.triggers import keyed_rule, keyed_schedule
from stepsmith_functions.starter import run_name
from tests.local.machines import machine

FUNCTIONS = Path(__file__).parents[2] / "functions"
MACHINES = "arn:aws:states:us-east-1:123456789012:stateMachine:local_"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:local-StarterFunction"
ROLE = "arn:aws:iam::123456789012:role/r"
START = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)

ORDER = """
name: order
input: {id: {type: integer, default: 0}}
triggers:
  - event: {source: my.shop}
    input: {id: "{{ event.detail.id }}"}
    dedupe_key: "{{ event.detail.key }}"
  - schedule: rate(1 hour)
    dedupe_key: "hourly-{{ event.time }}"
steps: [{wait: 1s}]
"""


def workflow() -> Workflow:
    compiled = compile_bytes("order.yaml", ORDER.encode(), ActionCatalog())
    assert compiled.workflow is not None, list(compiled.diagnostics)
    return compiled.workflow


@contextmanager
def deployed(folder: Path) -> Iterator[tuple[LocalAws, str]]:
    """The local AWS with the starter and the machine `order`, whose ARN it gives."""
    function = FunctionResource(
        "StarterFunction", "stepsmith_functions.starter.handler", FUNCTIONS, environment={"MACHINES": MACHINES}
    )
    with LocalAws(SamTemplate(folder), {"StarterFunction": function}, folder, start=START) as aws:
        states = aws.client("stepfunctions")
        made = states.create_state_machine(
            name="local_order", definition=machine({"A": {"Type": "Pass"}}), roleArn=ROLE, publish=True
        )
        arn, version = made["stateMachineArn"], made["stateMachineVersionArn"]
        states.create_state_machine_alias(
            name="live", routingConfiguration=[{"stateMachineVersionArn": version, "weight": 100}]
        )
        yield aws, arn


def runs(aws: LocalAws, arn: str) -> list[tuple[str, Any]]:
    """The names and inputs of the runs of a machine."""
    states = aws.client("stepfunctions")
    listed = states.list_executions(stateMachineArn=arn)["executions"]
    found = [states.describe_execution(executionArn=each["executionArn"]) for each in listed]
    return sorted((each["name"], json.loads(each["input"])) for each in found)


@pytest.mark.row("S0-097")
def test_an_event_that_is_delivered_three_times_starts_one_run(tmp_path: Path) -> None:
    trigger = workflow().triggers[0]
    assert isinstance(trigger, EventTrigger)
    assert trigger.dedupe_key is not None
    properties: Any = keyed_rule(trigger, trigger.dedupe_key, "order", Diagnostics())["Properties"]
    with deployed(tmp_path) as (aws, arn):
        events = aws.client("events")
        events.put_rule(Name="rule", EventPattern=json.dumps(properties["Pattern"]))
        target = {"Id": "starter", "Arn": FUNCTION, "InputTransformer": properties["InputTransformer"]}
        events.put_targets(Rule="rule", Targets=[target])

        def deliver(**detail: object) -> None:
            entry = {"Source": "my.shop", "DetailType": "Order", "Detail": json.dumps(detail)}
            events.put_events(Entries=[entry])

        for _ in range(3):
            deliver(key="a", id=1)
            aws.engine.run()  # the run has ended when the event comes again
        deliver(key="b", id=2)
        deliver(key="b", id=2)
        deliver(id=3)  # nothing where the key is: for the dead-letter queue
        assert runs(aws, arn) == sorted([(run_name("order", "a"), {"id": 1}), (run_name("order", "b"), {"id": 2})])


def test_a_schedule_that_fires_twice_for_one_time_starts_one_run(tmp_path: Path) -> None:
    trigger = workflow().triggers[1]
    assert isinstance(trigger, ScheduleTrigger)
    assert trigger.dedupe_key is not None
    properties: Any = keyed_schedule(trigger, trigger.dedupe_key, "order", Diagnostics())["Properties"]
    with deployed(tmp_path) as (aws, arn):
        for name in ("once", "again"):
            aws.client("scheduler").create_schedule(
                Name=name,
                ScheduleExpression=properties["ScheduleExpression"],
                FlexibleTimeWindow={"Mode": "OFF"},
                Target={"Arn": FUNCTION, "RoleArn": ROLE, "Input": properties["Input"]},
            )
        aws.engine.advance(timedelta(hours=1).total_seconds())
        names = [name for name, _ in runs(aws, arn)]
        assert sorted(names) == sorted(run_name("order", f"hourly-2026-01-15T{hour}:30:00Z") for hour in (10, 11))


@given(st.from_regex(r"[a-z][a-z0-9-]{0,62}", fullmatch=True), st.text(min_size=1), st.text(min_size=1))
def test_a_key_makes_one_name_that_step_functions_takes(name: str, key: str, other: str) -> None:
    found = run_name(name, key)
    assert len(found) <= 80
    assert set(found) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert found == run_name(name, key)
    assert (found == run_name(name, other)) == (key == other)


def test_what_is_no_text_can_be_a_key() -> None:
    assert run_name("w", {"a": 1, "b": 2}) == run_name("w", {"b": 2, "a": 1}) != run_name("w", "a")


@pytest.mark.parametrize("key", ["always", "{{ event.detail.id }}"])
def test_a_key_of_a_schedule_is_made_of_its_time(key: str) -> None:
    text = ORDER.replace("hourly-{{ event.time }}", key)
    compiled = compile_bytes("order.yaml", text.encode(), ActionCatalog())
    assert [item.slug for item in compiled.diagnostics] == ["dedupe-key"]
