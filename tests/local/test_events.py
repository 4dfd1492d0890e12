"""EventBridge and its Scheduler in a local run: what targets get, and schedules on the engine's clock."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stepsmith.document import Json
from stepsmith.local.moto_seam.targets import filled
from tests.local.machines import MakeAws, machine

ROLE = "arn:aws:iam::123456789012:role/r"
KEEP: Any = {"A": {"Type": "Pass", "Output": "{% $states.input %}"}}
START = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)


def inputs(aws: Any, arn: str) -> list[Json]:
    """The inputs with which a machine was started, in order."""
    states = aws.client("stepfunctions")
    listed = [
        item
        for page in states.get_paginator("list_executions").paginate(stateMachineArn=arn)
        for item in page["executions"]
    ]
    listed.sort(key=lambda item: item["startDate"])
    return [json.loads(states.describe_execution(executionArn=item["executionArn"])["input"]) for item in listed]


def started(aws: Any, arn: str) -> list[datetime]:
    return sorted(
        item["startDate"] for item in aws.client("stepfunctions").list_executions(stateMachineArn=arn)["executions"]
    )


TARGETS = {
    "whole": {},
    "constant": {"Input": '{"a": [1]}'},
    "path": {"InputPath": "$.detail.list[1]"},
    "transformed": {
        "InputTransformer": {
            "InputPathsMap": {"who": "$.detail.who", "list": "$.detail.list", "none": "$.detail.none"},
            "InputTemplate": '{"who": <who>, "list": <list>, "text": "<who> has <list><none>",'
            ' "rule": "<aws.events.rule-name>"}',
        }
    },
    "nothing": {"InputTransformer": {"InputPathsMap": {"who": "$.detail.who"}, "InputTemplate": "{who: <who>"}},
}


def test_targets_get_what_they_ask_for(make_aws: MakeAws) -> None:
    with make_aws() as aws:
        arns = {name: aws.create_machine(name, machine(KEEP)) for name in TARGETS}
        events = aws.client("events")
        events.put_rule(Name="rule", EventPattern='{"source": ["mine"]}')
        events.put_targets(
            Rule="rule", Targets=[{"Id": name, "Arn": arns[name], **more} for name, more in TARGETS.items()]
        )
        detail = json.dumps({"who": 'a "b"', "list": [1, {"c": 2}]})
        answer = events.put_events(Entries=[{"Source": "mine", "DetailType": "d", "Detail": detail}])
        aws.engine.run()
        got = {name: inputs(aws, arn) for name, arn in arns.items()}
    assert answer["FailedEntryCount"] == 0
    (whole,) = got["whole"]
    assert isinstance(whole, dict)
    assert whole.keys() == {
        "version",
        "id",
        "detail-type",
        "source",
        "account",
        "time",
        "region",
        "resources",
        "detail",
    }
    assert datetime.fromisoformat(str(whole["time"])).tzinfo is not None
    assert got["constant"] == [{"a": [1]}]
    assert got["path"] == [{"c": 2}]
    assert got["transformed"] == [
        {"who": 'a "b"', "list": [1, {"c": 2}], "text": 'a "b" has [1,{"c":2}]', "rule": "rule"}
    ]
    assert got["nothing"] == []


def test_a_template_with_names_in_and_out_of_quotes() -> None:
    values: dict[str, Json] = {"n": 1, "t": "x", "o": {"k": "v"}}
    assert filled('"<t>: <n>"', values) == '"x: 1"'
    assert json.loads(filled('{"a": <o>, "b": "<o>", "c": "say \\"<t>\\""}', values)) == {
        "a": {"k": "v"},
        "b": '{"k":"v"}',
        "c": 'say "x"',
    }


def test_queues_and_topics_get_the_constant_input_too(make_aws: MakeAws) -> None:
    with make_aws() as aws:
        events, sqs, sns = aws.client("events"), aws.client("sqs"), aws.client("sns")
        urls = [sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("direct", "by-topic")]
        topic = sns.create_topic(Name="t")["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:by-topic")
        events.put_rule(Name="rule", EventPattern='{"source": ["mine"]}')
        events.put_targets(
            Rule="rule",
            Targets=[
                {"Id": "1", "Arn": "arn:aws:sqs:us-east-1:123456789012:direct", "Input": '{"a":1}'},
                {"Id": "2", "Arn": topic, "Input": '{"a":2}'},
                {"Id": "3", "Arn": "arn:aws:sqs:us-east-1:123456789012:not-there"},
            ],
        )
        events.put_events(Entries=[{"Source": "mine", "DetailType": "d", "Detail": "{}"}])
        bodies = [sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] for url in urls]
    assert bodies[0] == '{"a":1}'
    assert json.loads(bodies[1])["Message"] == '{"a":2}'


def test_rules_without_a_pattern_and_disabled_rules_get_no_events(make_aws: MakeAws) -> None:
    with make_aws() as aws:
        arn = aws.create_machine("m", machine(KEEP))
        events = aws.client("events")
        events.put_rule(Name="scheduled", ScheduleExpression="rate(1 day)")
        events.put_rule(Name="disabled", EventPattern='{"source": ["mine"]}', State="DISABLED")
        for rule in ("scheduled", "disabled"):
            events.put_targets(Rule=rule, Targets=[{"Id": "1", "Arn": arn}])
        events.put_events(Entries=[{"Source": "mine", "DetailType": "d", "Detail": "{}"}])
        assert inputs(aws, arn) == []
        events.enable_rule(Name="disabled")
        events.put_events(Entries=[{"Source": "mine", "DetailType": "d", "Detail": "{}"}])
        assert len(inputs(aws, arn)) == 1


def test_a_rule_with_a_schedule_fires_on_the_engines_clock(make_aws: MakeAws) -> None:
    with make_aws(start=START) as aws:
        arn = aws.create_machine("m", machine(KEEP))
        events = aws.client("events")
        events.put_rule(Name="often", ScheduleExpression="rate(1 hour)")
        events.put_targets(Rule="often", Targets=[{"Id": "1", "Arn": arn}])
        aws.engine.advance(3 * 3600)
        assert started(aws, arn) == [START + timedelta(hours=hours) for hours in (1, 2, 3)]
        first = inputs(aws, arn)[0]
        events.put_rule(Name="often", ScheduleExpression="cron(0 18 * * ? *)")
        aws.engine.advance(86400)
        assert started(aws, arn)[3:] == [datetime(2026, 1, 15, 18, tzinfo=UTC)]
        events.disable_rule(Name="often")
        aws.engine.advance(86400)
        assert len(started(aws, arn)) == 4
    assert isinstance(first, dict)
    assert (first["detail-type"], first["source"]) == ("Scheduled Event", "aws.events")
    assert first["time"] == "2026-01-15T11:30:00Z"


def test_schedules_let_no_time_pass_and_fire_while_a_run_waits(make_aws: MakeAws) -> None:
    with make_aws(start=START) as aws:
        arn = aws.create_machine("m", machine(KEEP))
        waits = aws.create_machine("waits", machine({"W": {"Type": "Wait", "Seconds": 7200}}))
        events = aws.client("events")
        events.put_rule(Name="often", ScheduleExpression="rate(1 hour)")
        events.put_targets(Rule="often", Targets=[{"Id": "1", "Arn": arn}])
        aws.engine.run()
        assert aws.engine.clock.now() == START
        aws.engine.run(until=aws.start_execution(waits, "{}", "e"))
        assert started(aws, arn)[0] == START + timedelta(hours=1)


@pytest.mark.row("S0-074")
def test_scheduler_starts_machines_with_their_input(make_aws: MakeAws) -> None:
    with make_aws(start=START) as aws:
        arn = aws.create_machine("m", machine(KEEP))
        scheduler = aws.client("scheduler")

        def create(name: str, expression: str, **more: Any) -> None:
            text = '{"name": "' + name + '", "at": "<aws.scheduler.scheduled-time>"}'
            scheduler.create_schedule(
                Name=name,
                ScheduleExpression=expression,
                FlexibleTimeWindow={"Mode": "OFF"},
                Target={"Arn": arn, "RoleArn": ROLE, "Input": text},
                **more,
            )

        create(
            "once",
            "at(2026-01-15T13:00:00)",
            ScheduleExpressionTimezone="Europe/Berlin",
            ActionAfterCompletion="DELETE",
        )
        create("daily", "cron(0 9 * * ? *)", EndDate=datetime(2026, 1, 17, tzinfo=UTC))
        create("at-once", "rate(3 days)")
        create("later", "rate(1 day)", StartDate=datetime(2026, 1, 18, tzinfo=UTC))
        create("off", "rate(1 minute)", State="DISABLED")
        aws.engine.advance(4 * 86400)
        left = {item["Name"] for item in scheduler.list_schedules()["Schedules"]}
        got = inputs(aws, arn)
    assert got == [
        {"name": "at-once", "at": "2026-01-15T10:30:00Z"},
        {"name": "once", "at": "2026-01-15T12:00:00Z"},
        {"name": "daily", "at": "2026-01-16T09:00:00Z"},
        {"name": "later", "at": "2026-01-18T00:00:00Z"},
        {"name": "at-once", "at": "2026-01-18T10:30:00Z"},
        {"name": "later", "at": "2026-01-19T00:00:00Z"},
    ]
    assert left == {"daily", "at-once", "later", "off"}


def test_status_events_tell_of_redrives_and_leave_out_what_is_too_long(make_aws: MakeAws) -> None:
    fails: Any = {"A": {"Type": "Fail", "Error": "E"}}
    with make_aws() as aws:
        seen = aws.create_machine("seen", machine(KEEP))
        failing = aws.create_machine("failing", machine(fails))
        large = aws.create_machine("large", machine({"A": {"Type": "Pass", "Output": "{% $states.input %}"}}))
        events = aws.client("events")
        pattern = {
            "source": ["aws.states"],
            "detail": {"stateMachineArn": [failing, large], "status": ["FAILED", "SUCCEEDED"]},
        }
        events.put_rule(Name="rule", EventPattern=json.dumps(pattern))
        events.put_targets(Rule="rule", Targets=[{"Id": "1", "Arn": seen, "InputPath": "$.detail"}])
        aws.engine.run(until=aws.start_execution(failing, "{}", "f"))
        aws.client("stepfunctions").redrive_execution(executionArn=failing.replace("stateMachine", "execution") + ":f")
        aws.engine.advance(0)
        aws.engine.run(until=aws.start_execution(large, json.dumps("x" * 150_000), "l"))
        aws.engine.run()
        told: list[Any] = inputs(aws, seen)
    assert [(event["status"], event["redriveCount"], event["error"]) for event in told] == [
        ("FAILED", 0, "E"),
        ("FAILED", 1, "E"),
        ("SUCCEEDED", 0, None),
    ]
    assert (told[2]["inputDetails"], told[2]["outputDetails"]) == ({"included": False}, {"included": True})


@pytest.mark.parametrize("length", [262_142, 262_143])
def test_an_input_is_at_most_256_kib(make_aws: MakeAws, length: int) -> None:
    from botocore.exceptions import ClientError

    with make_aws() as aws:
        arn = aws.create_machine("m", machine(KEEP))
        text = json.dumps("x" * length)
        states = aws.client("stepfunctions")
        if len(text) <= 262_144:
            states.start_execution(stateMachineArn=arn, input=text)
            return
        with pytest.raises(ClientError, match="ValidationException"):
            states.start_execution(stateMachineArn=arn, input=text)
