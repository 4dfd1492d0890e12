"""The sample events of triggers: each starts its workflow, and no other one, with an input that it takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stepsmith.catalog import read_catalog
from stepsmith.diagnostics import Diagnostics
from stepsmith.model.workflow import EventTrigger, Workflow
from stepsmith.pipeline import compile_bytes
from stepsmith.schema import violations
from stepsmith.template.triggers import event_rule
from tests.local.machines import MakeAws, machine

ROOT = Path(__file__).parents[2]
CATALOG = read_catalog((ROOT / "functions" / "catalog.json").read_text(encoding="utf-8"))
SAMPLES = sorted((ROOT / "events" / "triggers").glob("*.json"))


def triggered() -> dict[str, tuple[Workflow, EventTrigger]]:
    """The workflows that events start, by names for their rules."""
    found = {}
    for path in sorted((ROOT / "workflows").glob("*.yaml")):
        workflow = compile_bytes(path.name, path.read_bytes(), CATALOG).workflow
        assert workflow is not None
        triggers = [trigger for trigger in workflow.triggers if isinstance(trigger, EventTrigger)]
        found |= {f"{workflow.name}.{number}": (workflow, trigger) for number, trigger in enumerate(triggers)}
    return found


def test_each_sample_starts_one_workflow_with_an_input_that_it_takes(make_aws: MakeAws) -> None:
    rules = triggered()
    with make_aws() as aws:
        events, states = aws.client("events"), aws.client("stepfunctions")
        arns = {name: aws.create_machine(name, machine({"A": {"Type": "Succeed"}})) for name in rules}

        def runs() -> set[tuple[str, str]]:
            """The executions there are, each with the name of the rule that started it."""
            listed = {name: states.list_executions(stateMachineArn=arn)["executions"] for name, arn in arns.items()}
            return {(name, each["executionArn"]) for name, found in listed.items() for each in found}

        for name, (_, trigger) in rules.items():
            properties: Any = event_rule(trigger, Diagnostics())["Properties"]
            events.put_rule(Name=name, EventPattern=json.dumps(properties["Pattern"]))
            wanted = {key: properties[key] for key in ("Input", "InputTransformer") if key in properties}
            events.put_targets(Rule=name, Targets=[{"Id": name, "Arn": arns[name], **wanted}])
        started = []
        for path in SAMPLES:
            event, before = json.loads(path.read_text(encoding="utf-8")), runs()
            fields = {"Source": "source", "DetailType": "detail-type", "Resources": "resources", "Time": "time"}
            entry = {name: event[field] for name, field in fields.items()}
            events.put_events(Entries=[{**entry, "Detail": json.dumps(event["detail"])}])
            aws.engine.run()
            ((name, execution),) = runs() - before
            workflow = rules[name][0]
            assert path.name.startswith(f"{workflow.name}.")
            given = json.loads(states.describe_execution(executionArn=execution)["input"])
            declared = {item.name: item for item in workflow.input or ()}
            assert {item.name for item in declared.values() if item.required} <= given.keys() <= declared.keys()
            assert [problem for item in given for problem in violations(given[item], declared[item].schema)] == []
            started.append(name)
    assert sorted(started) == sorted(rules)
