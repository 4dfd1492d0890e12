"""What `build` makes of workflows for a deployment: machines, and what starts them."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.acceptance.conftest import Desk


class Loader(yaml.SafeLoader):
    """Reads a template; `!Ref A` becomes the text `Ref A`."""


def _short(loader: Loader, name: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return f"{name} {node.value}"
    if isinstance(node, yaml.SequenceNode):
        return [name, *loader.construct_sequence(node, deep=True)]
    return loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]


Loader.add_multi_constructor("!", _short)

SWEEP = """
    name: sweep
    description: Looks through a folder when there is reason to.
    version: 3.1.0
    input:
      path: {type: string}
      why: {type: string, default: somebody asked}
    triggers:
      - event:
          source: [threats.feed]
          detail-type: [Feed Updated]
          detail: {score: [{numeric: [">=", 7]}]}
        input: {path: "{{ event.detail.folder }}", why: "feed {{ event.detail.name }}"}
      - schedule: rate(6 hours)
        input: {path: /srv/often}
      - schedule: cron(30 6 ? * MON-FRI *)
        timezone: Europe/Berlin
        input: {path: /srv/weekdays}
      - schedule: cron(0 12 L * ? *)
        input: {path: /srv/monthly}
      - schedule: at(2030-01-01T00:00:00)
        timezone: America/New_York
        input: {path: /srv/once}
      - api: POST /sweeps
    steps:
      - {id: scan, action: custom_scan, params: {scan_path: "{{ input.path }}"}}
      - {id: say, action: note, params: {text: "{{ input.why }}"}}
"""
OTHER = """
    name: tell-of-feed
    triggers:
      - event: {source: [threats.feed], detail-type: [Feed Updated]}
    steps: [{action: note, params: {text: feed}}]
"""


@pytest.fixture(scope="module")
def resources(desk: Desk) -> dict[str, Any]:
    """The resources of the template after `build`."""
    desk.workflow(SWEEP)
    desk.workflow(OTHER)
    called = desk.call("build")
    assert called.status == 0, called.err
    found: dict[str, Any] = yaml.load((desk.root / "template.yaml").read_text(), Loader=Loader)["Resources"]
    return found


@pytest.fixture(scope="module")
def events(resources: dict[str, Any]) -> list[dict[str, Any]]:
    return list(resources["SweepMachine"]["Properties"]["Events"].values())


@pytest.mark.row("S1-006", "S1-019", "S0-017", "S0-018", "S0-069")
def test_a_workflow_is_a_resource_with_its_name_and_definition(desk: Desk, resources: dict[str, Any]) -> None:
    machine = resources["SweepMachine"]
    assert machine["Type"] == "AWS::Serverless::StateMachine"
    properties = machine["Properties"]
    assert properties["Name"] == "Sub ${AWS::StackName}_sweep"
    assert properties["DefinitionUri"] == "workflows/asl/sweep.asl.json"
    definition = json.loads((desk.root / properties["DefinitionUri"]).read_text())
    assert definition["Comment"] == "Looks through a folder when there is reason to."
    assert set(definition["States"]) >= {"scan", "say"}
    assert properties["Tags"] == {"Workflow": "sweep", "WorkflowVersion": "3.1.0"}
    wanted = {"${CustomScanFunction}", "${NoteFunction}"}
    calls = {state["Arguments"]["FunctionName"] for state in definition["States"].values() if state["Type"] == "Task"}
    assert calls == wanted
    assert {"CustomScanFunction", "NoteFunction"} <= set(properties["DefinitionSubstitutions"])
    assert "Looks through a folder" in desk.call("graph", "sweep").out
    assert desk.call("build", "--check").status == 0


@pytest.mark.row("S0-054")
def test_an_event_starts_every_workflow_that_waits_for_it(
    resources: dict[str, Any], events: list[dict[str, Any]]
) -> None:
    (mine,) = [event for event in events if event["Type"] == "EventBridgeRule"]
    (theirs,) = resources["TellOfFeedMachine"]["Properties"]["Events"].values()
    assert mine["Properties"]["Pattern"] == {
        "source": ["threats.feed"],
        "detail-type": ["Feed Updated"],
        "detail": {"score": [{"numeric": [">=", 7]}]},
    }
    assert theirs["Properties"]["Pattern"] == {"source": ["threats.feed"], "detail-type": ["Feed Updated"]}
    transformer = mine["Properties"]["InputTransformer"]
    paths = set(transformer["InputPathsMap"].values())
    assert paths == {"$.detail.folder", "$.detail.name"}
    assert '"why":"feed <' in transformer["InputTemplate"].replace(": ", ":")


@pytest.mark.row("S0-055", "S0-056", "S0-074", "S0-098")
def test_schedules_start_workflows_at_times_and_intervals(events: list[dict[str, Any]]) -> None:
    """By EventBridge Scheduler: each with its own input, fields of cron, time zone or single date."""
    schedules = [event["Properties"] for event in events if event["Type"] == "ScheduleV2"]
    assert [
        (each["ScheduleExpression"], each.get("ScheduleExpressionTimezone"), json.loads(each["Input"])["path"])
        for each in schedules
    ] == [
        ("rate(6 hours)", None, "/srv/often"),
        ("cron(30 6 ? * MON-FRI *)", "Europe/Berlin", "/srv/weekdays"),
        ("cron(0 12 L * ? *)", None, "/srv/monthly"),
        ("at(2030-01-01T00:00:00)", "America/New_York", "/srv/once"),
    ]
    assert all(each["DeadLetterConfig"]["Arn"] == "GetAtt TriggerDeadLetterQueue.Arn" for each in schedules)


@pytest.mark.row("S0-057")
def test_services_and_people_start_workflows(desk: Desk, events: list[dict[str, Any]]) -> None:
    """Services by an event, other programs by a request, a person by the command line."""
    assert {event["Type"] for event in events} >= {"EventBridgeRule", "ScheduleV2"}
    text = (desk.root / "template.yaml").read_text()
    assert "/sweeps" in text
    assert "StepFunctions-StartExecution" in text
    desk.write("inbox/a", "x")
    assert desk.call("run", "sweep", "-p", "path=inbox").status == 0


@pytest.mark.row("S4-088")
def test_an_alarm_on_a_slow_system_starts_a_workflow(new_desk: Desk) -> None:
    new_desk.workflow(
        """
        name: relieve
        input: {alarm: {type: string}}
        triggers:
          - event:
              source: aws.cloudwatch
              detail-type: CloudWatch Alarm State Change
              detail: {state: {value: ALARM}, alarmName: [{prefix: slow-}]}
            input: {alarm: "{{ event.detail.alarmName }}"}
        steps: [{action: note, params: {text: "{{ input.alarm }}"}}]
        """
    )
    assert new_desk.call("build").status == 0
    template = yaml.load((new_desk.root / "template.yaml").read_text(), Loader=Loader)
    (event,) = template["Resources"]["RelieveMachine"]["Properties"]["Events"].values()
    assert event["Type"] == "EventBridgeRule"
    assert event["Properties"]["Pattern"] == {
        "source": ["aws.cloudwatch"],
        "detail-type": ["CloudWatch Alarm State Change"],
        "detail": {"state": {"value": ["ALARM"]}, "alarmName": [{"prefix": "slow-"}]},
    }
    assert event["Properties"]["InputTransformer"]["InputPathsMap"].popitem()[1] == "$.detail.alarmName"


@pytest.mark.row("S0-061")
def test_failures_are_logged_by_handlers_and_by_the_machine(desk: Desk, resources: dict[str, Any]) -> None:
    """A handler tells what failed in it, in which step of which run; the machine's log tells the failures of all."""
    desk.workflow(
        """
        name: logged
        steps:
          - {id: told, action: unsteady, params: {fails: 1}, retry: 1}
          - {id: broken, action: custom_scan, params: {scan_path: nowhere}}
        """
    )
    called = desk.call("run", "logged", "--trace")
    assert called.status == 1
    lines = [json.loads(line.partition("log: ")[2]) for line in called.out.splitlines() if line.startswith("  log: {")]
    told, broken = (line for line in lines if line["level"] in ("WARNING", "ERROR"))
    assert (told["message"], told["error"], told["step"]) == ("the step failed", "Unsteady", "told")
    assert (broken["message"], broken["step"]) == ("the action broke", "broken")
    assert "FileNotFoundError" in broken["exception"]
    assert told["run_id"] == broken["run_id"]
    logging = resources["SweepMachine"]["Properties"]["Logging"]
    assert logging["Level"] == "ERROR"
    assert logging["Destinations"][0]["CloudWatchLogsLogGroup"]["LogGroupArn"] == "GetAtt SweepMachineLogs.Arn"


@pytest.mark.row("S0-062")
def test_every_retry_is_logged_with_the_error_that_led_to_it(desk: Desk) -> None:
    desk.workflow(
        """
        name: again
        steps:
          - {id: shaky, action: unsteady, params: {fails: 9}, retry: 2}
        """
    )
    called = desk.call("run", "again", "--trace")
    lines = [json.loads(line.partition("log: ")[2]) for line in called.out.splitlines() if line.startswith("  log: {")]
    told = [(line["step"], line["attempt"], line["error"], line["reason"]) for line in lines]
    assert told == [("shaky", attempt, "Unsteady", f"try {attempt + 1} of 10") for attempt in range(3)]


def test_a_trigger_that_cannot_be_is_reported(desk: Desk) -> None:
    text = SWEEP.replace("name: sweep", "name: swept").replace("cron(30 6 ? * MON-FRI *)", "cron(30 6 * * MON-FRI *)")
    (problem,) = [each for each in desk.problems(text) if each["severity"] == "error"]
    (desk.root / "workflows" / "swept.yaml").unlink()
    assert (problem["slug"], problem["line"]) == ("bad-schedule", 15)
