"""Our engine behind moto's API, and a canary for each name that is replaced under moto.

A canary fails in two cases: what we replace has changed (another version of moto), or it no longer has the fault for
which we replace it. Both mean that the seam must be looked at again.
"""

from __future__ import annotations

import importlib
import inspect
import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from stepsmith.local import moto_seam
from stepsmith.local.moto_seam import SEAMS, Seam
from tests.local.machines import MakeAws, invoke, machine, make_table, run, table_item

ECHO = """
    def handler(event, context):
        return event
"""
RECORD = """
    CALLS = []

    def handler(event, context):
        CALLS.append(event)
        return len(CALLS)
"""
ROLE = "arn:aws:iam::123456789012:role/r"


def session_client(service: str) -> Any:
    return boto3.client(service, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="s")


# --- canaries: the names that are replaced --------------------------------------------------------------------------


@pytest.mark.parametrize("seam", SEAMS, ids=lambda seam: seam.name)
def test_canary_what_is_replaced_is_as_it_was(seam: Seam) -> None:
    module = importlib.import_module(seam.module)
    owner = getattr(module, seam.owner) if seam.owner else module
    found = owner.__dict__.get(seam.name)
    if seam.parameters is None:
        assert found is None, f"moto has a {seam.name} of its own now"
        return
    found = getattr(found, "__func__", found)
    assert found is not None
    assert tuple(inspect.signature(found).parameters) == seam.parameters
    assert found.__module__ == seam.module, "a patch was left in place"


@pytest.fixture
def stock() -> Any:
    with mock_aws(config={"lambda": {"use_docker": False}}):
        yield session_client


def start(states: Any, definition: str) -> str:
    arn = states.create_state_machine(name="m", definition=definition, roleArn=ROLE)["stateMachineArn"]
    return str(states.start_execution(stateMachineArn=arn, name="e", input="{}")["executionArn"])


def test_canary_moto_does_not_run_machines_by_itself(stock: Any) -> None:
    states = stock("stepfunctions")
    execution = start(states, machine({"A": {"Type": "Pass", "Output": {"a": 1}}}))
    assert states.describe_execution(executionArn=execution)["status"] == "RUNNING"


def test_canary_moto_makes_a_session_of_its_own() -> None:
    from moto.core.base_backend import AccountSpecificBackend

    with mock_aws():
        boto3.setup_default_session(region_name="us-east-1")
        assert AccountSpecificBackend.get_session() is not boto3.DEFAULT_SESSION


def test_canary_moto_ignores_the_size_of_a_history_page(stock: Any) -> None:
    states = stock("stepfunctions")
    execution = start(states, machine({"A": {"Type": "Pass"}}))
    page = states.get_execution_history(executionArn=execution, maxResults=1)
    assert len(page["events"]) > 1


def test_canary_moto_drops_error_and_cause_of_a_stop(stock: Any) -> None:
    states = stock("stepfunctions")
    execution = start(states, machine({"A": {"Type": "Pass"}}))
    states.stop_execution(executionArn=execution, error="E", cause="C")
    assert "error" not in states.describe_execution(executionArn=execution)


@pytest.mark.parametrize(
    "call",
    [
        "redrive_execution",
        "start_sync_execution",
        "validate_state_machine_definition",
        "list_state_machine_versions",
        "delete_state_machine_version",
    ],
)
def test_canary_moto_lacks_some_operations(stock: Any, call: str) -> None:
    arguments = {
        "redrive_execution": {"executionArn": "arn:aws:states:us-east-1:123456789012:execution:m:e"},
        "start_sync_execution": {"stateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:m"},
        "validate_state_machine_definition": {"definition": "{}"},
        "list_state_machine_versions": {"stateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:m"},
        "delete_state_machine_version": {
            "stateMachineVersionArn": "arn:aws:states:us-east-1:123456789012:stateMachine:m:1"
        },
    }[call]
    states = stock("stepfunctions")
    states.meta.events.register("before-sign.sfn", lambda **_: None)
    with pytest.raises((NotImplementedError, ClientError, Exception)) as caught:
        getattr(states, call)(**arguments)
    assert "mplemented" in f"{caught.type.__name__} {caught.value}" or "resolve" in str(caught.value)


def test_canary_moto_gives_the_definition_of_today_for_an_execution_of_yesterday(stock: Any) -> None:
    states = stock("stepfunctions")
    execution = start(states, machine({"A": {"Type": "Pass"}}))
    now = machine({"B": {"Type": "Pass"}})
    arn = states.describe_execution(executionArn=execution)["stateMachineArn"]
    states.update_state_machine(stateMachineArn=arn, definition=now)
    assert states.describe_state_machine_for_execution(executionArn=execution)["definition"] == now


def test_canary_moto_echoes_what_a_function_is_sent(stock: Any) -> None:
    answer = stock("lambda").invoke(FunctionName="nobody", Payload=b'{"a": 1}')
    assert answer["Payload"].read() == b'{"a": 1}'


def test_canary_moto_knows_no_lambda_target(stock: Any) -> None:
    events = stock("events")
    events.put_rule(Name="r", EventPattern='{"source": ["mine"]}')
    events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": "arn:aws:lambda:us-east-1:123456789012:function:f"}])
    with pytest.raises(NotImplementedError):
        events.put_events(Entries=[{"Source": "mine", "DetailType": "d", "Detail": "{}"}])


def cancelled(dynamodb: Any) -> None:
    """A transaction whose second part is refused."""
    with pytest.raises(ClientError, match="TransactionCanceledException"):
        dynamodb.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": "table", "Item": table_item("a", "1", v="new")}},
                {
                    "Put": {
                        "TableName": "table",
                        "Item": table_item("a", "2"),
                        "ConditionExpression": "attribute_exists(p)",
                    }
                },
            ]
        )


def test_canary_moto_puts_another_table_in_place_when_a_transaction_is_cancelled(stock: Any) -> None:
    from moto.dynamodb.models import dynamodb_backends

    dynamodb = stock("dynamodb")
    make_table(dynamodb)
    before = dynamodb_backends["123456789012"]["us-east-1"].tables["table"]
    cancelled(dynamodb)
    assert dynamodb_backends["123456789012"]["us-east-1"].tables["table"] is not before


def test_canary_moto_sorts_the_whole_table_for_a_query(stock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.dynamodb.models.table import Table

    dynamodb = stock("dynamodb")
    make_table(dynamodb)
    for partition in ("a", "b"):
        dynamodb.put_item(TableName="table", Item=table_item(partition, "1"))
    original, seen = Table.all_items, []
    monkeypatch.setattr(Table, "all_items", lambda self: seen.extend(original(self)) or original(self))
    dynamodb.query(TableName="table", KeyConditionExpression="p = :p", ExpressionAttributeValues={":p": {"S": "a"}})
    assert len(seen) == 2


def test_canary_moto_sends_all_events_to_scheduled_and_disabled_rules(stock: Any) -> None:
    events, sqs = stock("events"), stock("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    events.put_rule(Name="scheduled", ScheduleExpression="rate(1 day)")
    events.put_rule(Name="disabled", EventPattern='{"source": ["mine"]}', State="DISABLED")
    for rule in ("scheduled", "disabled"):
        events.put_targets(
            Rule=rule, Targets=[{"Id": "1", "Arn": "arn:aws:sqs:us-east-1:123456789012:q", "Input": '"constant"'}]
        )
    events.put_events(Entries=[{"Source": "mine", "DetailType": "d", "Detail": "{}"}])
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert len(messages) == 2
    assert "constant" not in str(messages)


# --- what stands there instead --------------------------------------------------------------------------------------


def test_a_machine_runs_on_our_engine_and_moto_shows_it(make_aws: MakeAws) -> None:
    with make_aws({"Echo": ECHO}) as aws:
        day: Any = {"Type": "Wait", "Seconds": 86400}
        execution = run(aws, machine({"A": invoke("Echo", {"n": "{% $states.input.n + 1 %}"}), "B": day}), {"n": 1})
        shown = aws.client("stepfunctions").describe_execution(executionArn=execution.arn)
    assert shown["status"] == "SUCCEEDED"
    assert json.loads(shown["output"]) == {"n": 2}
    assert (shown["stopDate"] - shown["startDate"]).total_seconds() == 86400


def test_a_history_is_paged_reversed_and_stripped(make_aws: MakeAws) -> None:
    with make_aws() as aws:
        execution = run(aws, machine({"A": {"Type": "Pass"}, "B": {"Type": "Pass"}}))
        states = aws.client("stepfunctions")
        pages = states.get_paginator("get_execution_history").paginate(
            executionArn=execution.arn, PaginationConfig={"PageSize": 4}
        )
        ids = [[event["id"] for event in page["events"]] for page in pages]
        backwards = states.get_execution_history(
            executionArn=execution.arn, reverseOrder=True, includeExecutionData=False
        )["events"]
    assert ids == [[1, 2, 3, 4], [5, 6]]
    assert [event["id"] for event in backwards] == [6, 5, 4, 3, 2, 1]
    assert "output" not in backwards[0].get("executionSucceededEventDetails", {})


def test_a_wrong_definition_is_refused_when_it_is_created(make_aws: MakeAws) -> None:
    with make_aws() as aws:
        with pytest.raises(ClientError) as caught:
            aws.create_machine("wrong", machine({"A": {"Type": "Pass", "Next": "Nowhere"}}))
        checked = aws.client("stepfunctions").validate_state_machine_definition(definition='{"StartAt": "A"}')
    assert caught.value.response["Error"]["Code"] == "InvalidDefinition"
    assert checked["result"] == "FAIL"


def test_a_stop_keeps_error_and_cause_and_a_redrive_goes_on(make_aws: MakeAws) -> None:
    with make_aws({"Echo": ECHO}) as aws:
        states = aws.client("stepfunctions")
        arn = aws.create_machine("m", machine({"A": {"Type": "Wait", "Seconds": 60}, "B": invoke("Echo", {"n": 1})}))
        execution = aws.start_execution(arn, "{}", "e")
        aws.engine.advance(10)
        states.stop_execution(executionArn=execution.arn, error="Why", cause="because")
        stopped = states.describe_execution(executionArn=execution.arn)
        states.redrive_execution(executionArn=execution.arn)
        aws.engine.run(until=execution)
        redriven = states.describe_execution(executionArn=execution.arn)
    assert (stopped["status"], stopped["error"], stopped["cause"]) == ("ABORTED", "Why", "because")
    assert (redriven["status"], redriven["redriveCount"]) == ("SUCCEEDED", 1)


def test_a_synchronous_start_answers_with_the_output(make_aws: MakeAws) -> None:
    with make_aws() as aws:
        states = aws.client("stepfunctions")
        definition = machine({"A": {"Type": "Pass", "Output": {"a": "{% $states.input.a %}"}}})
        arn = states.create_state_machine(name="m", definition=definition, roleArn=ROLE, type="EXPRESS")[
            "stateMachineArn"
        ]
        standard = aws.create_machine("standard", definition)
        # The API's own host, sync-states, has a name that moto does not know.
        states.meta.events.register_first("before-call.sfn.StartSyncExecution", _without_host_prefix)
        answer = states.start_sync_execution(stateMachineArn=arn, input='{"a": 7}')
        with pytest.raises(ClientError, match="StateMachineTypeNotSupported"):
            states.start_sync_execution(stateMachineArn=standard, input="{}")
    assert (answer["status"], answer["output"]) == ("SUCCEEDED", '{"a":7}')


def _without_host_prefix(params: Any, **_: Any) -> None:
    params["url"] = params["url"].replace("sync-states", "states")


def test_names_are_unique_and_a_repeated_start_is_one_execution(make_aws: MakeAws) -> None:
    with make_aws() as aws:
        arn = aws.create_machine("m", machine({"A": {"Type": "Wait", "Seconds": 60}}))
        states = aws.client("stepfunctions")
        first = states.start_execution(stateMachineArn=arn, name="e", input="{}")["executionArn"]
        again = states.start_execution(stateMachineArn=arn, name="e", input="{}")["executionArn"]
        unnamed = {states.start_execution(stateMachineArn=arn)["executionArn"] for _ in range(2)}
        with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
            states.start_execution(stateMachineArn=arn, name="e", input='{"other": 1}')
    assert first == again
    assert len(unnamed) == 2


def test_a_version_and_an_alias_can_be_started(make_aws: MakeAws) -> None:
    with make_aws() as aws:
        states = aws.client("stepfunctions")
        made = states.create_state_machine(
            name="m", definition=machine({"A": {"Type": "Pass", "Output": 1}}), roleArn=ROLE, publish=True
        )
        version = made["stateMachineVersionArn"]
        routing = [{"stateMachineVersionArn": version, "weight": 100}]
        alias = states.create_state_machine_alias(name="live", routingConfiguration=routing)["stateMachineAliasArn"]
        started = [states.start_execution(stateMachineArn=arn)["executionArn"] for arn in (version, alias)]
        aws.engine.run()
        statuses = [states.describe_execution(executionArn=arn)["status"] for arn in started]
    assert statuses == ["SUCCEEDED", "SUCCEEDED"]


def test_a_version_stays_what_it_was_until_it_is_deleted(make_aws: MakeAws) -> None:
    first, second = (machine({name: {"Type": "Wait", "Seconds": 60}}) for name in ("A", "B"))
    with make_aws() as aws:
        states = aws.client("stepfunctions")
        arn = aws.create_machine("m", first)
        versions = [
            states.update_state_machine(stateMachineArn=arn, definition=each, publish=True)["stateMachineVersionArn"]
            for each in (first, second)
        ]
        started = states.start_execution(stateMachineArn=versions[0], name="e")["executionArn"]
        described = states.describe_execution(executionArn=started)
        assert described["stateMachineVersionArn"] == versions[0]
        assert described["stateMachineArn"] == arn
        assert states.describe_state_machine_for_execution(executionArn=started)["definition"] == first
        listed = states.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"]
        assert [each["stateMachineVersionArn"] for each in listed] == versions[::-1]
        of_version = [states.list_executions(stateMachineArn=each)["executions"] for each in versions]
        assert [[each["name"] for each in found] for found in of_version] == [["e"], []]
        states.delete_state_machine_version(stateMachineVersionArn=versions[0])
        aws.engine.run()
        assert states.describe_execution(executionArn=started)["status"] == "SUCCEEDED"
        with pytest.raises(ClientError, match="StateMachineDoesNotExist"):
            states.start_execution(stateMachineArn=versions[0])
        states.create_state_machine_alias(
            name="live", routingConfiguration=[{"stateMachineVersionArn": versions[1], "weight": 100}]
        )
        with pytest.raises(ClientError, match="ConflictException"):
            states.delete_state_machine_version(stateMachineVersionArn=versions[1])


def test_an_execution_says_whether_it_can_be_redriven(make_aws: MakeAws) -> None:
    with make_aws() as aws:
        states = aws.client("stepfunctions")
        execution = aws.start_execution(
            aws.create_machine("m", machine({"A": {"Type": "Wait", "Seconds": 60}})), "{}", "e"
        )
        redrivable = lambda: states.describe_execution(executionArn=execution.arn)["redriveStatus"]  # noqa: E731
        assert redrivable() == "NOT_REDRIVABLE"
        states.stop_execution(executionArn=execution.arn)
        assert redrivable() == "REDRIVABLE"
        aws.engine.advance(14 * 86_400 + 1)
        assert redrivable() == "NOT_REDRIVABLE"
        with pytest.raises(ClientError, match="ExecutionNotRedrivable"):
            states.redrive_execution(executionArn=execution.arn)


@pytest.mark.row("S0-096")
def test_two_versions_of_a_machine_are_there_at_a_time(make_aws: MakeAws) -> None:
    """A run that began in the old one goes on in it, and both can be started."""

    def of(version: str) -> str:
        return machine({"A": {"Type": "Wait", "Seconds": 60}, "B": {"Type": "Pass", "Output": version}})

    with make_aws() as aws:
        states = aws.client("stepfunctions")
        made = states.create_state_machine(name="m", definition=of("old"), roleArn=ROLE, publish=True)
        arn, old = made["stateMachineArn"], made["stateMachineVersionArn"]
        under_way = states.start_execution(stateMachineArn=arn)["executionArn"]
        aws.engine.advance(30)
        new = states.update_state_machine(stateMachineArn=arn, definition=of("new"), publish=True)[
            "stateMachineVersionArn"
        ]
        started = [under_way, *(states.start_execution(stateMachineArn=each)["executionArn"] for each in (old, new))]
        aws.engine.run()
        outputs = [json.loads(states.describe_execution(executionArn=each)["output"]) for each in started]
    assert old != new
    assert outputs == ["old", "old", "new"]


def test_tokens_are_answered_through_the_api(make_aws: MakeAws) -> None:
    asks: Any = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Arguments": {"FunctionName": "local-Ask", "Payload": {"token": "{% $states.context.Task.Token %}"}},
        "TimeoutSeconds": 3600,
        "Catch": [{"ErrorEquals": ["Refused"], "Next": "End", "Output": "{% $states.errorOutput %}"}],
    }
    source = """
        import boto3
        from pathlib import Path
        def handler(event, context):
            states = boto3.client("stepfunctions")
            Path(__file__ + ".token").write_text(event["token"])
            return "ignored"
    """
    with make_aws({"Ask": source}) as aws:
        states = aws.client("stepfunctions")
        arn = aws.create_machine("m", machine({"A": asks, "End": {"Type": "Pass"}}))
        results = []
        for name, answer in (("good", "success"), ("bad", "failure")):
            execution = aws.start_execution(arn, "{}", name)
            aws.engine.advance(10)
            (file,) = aws.functions.by_name["local-Ask"].code.glob("*.token")
            token = file.read_text()
            states.send_task_heartbeat(taskToken=token)
            if answer == "success":
                states.send_task_success(taskToken=token, output='{"yes": true}')
            else:
                states.send_task_failure(taskToken=token, error="Refused", cause="no thanks")
            aws.engine.run(until=execution)
            results.append(execution.output)
            with pytest.raises(ClientError, match="TaskTimedOut"):
                states.send_task_success(taskToken=token, output="{}")
        with pytest.raises(ClientError, match="InvalidToken"):
            states.send_task_success(taskToken="unknown", output="{}")
    assert results == [{"yes": True}, {"Error": "Refused", "Cause": "no thanks"}]


def test_boto3_invokes_the_stacks_functions(make_aws: MakeAws) -> None:
    fails = "def handler(event, context):\n    raise KeyError('missing')\n"
    with make_aws({"Echo": ECHO, "Fails": fails}) as aws:
        client = aws.client("lambda")
        good = client.invoke(FunctionName="local-Echo", Payload=b'{"a": "\xc3\xa9"}')
        bad = client.invoke(FunctionName="local-Fails", Payload=b"{}")
        payload = json.load(bad["Payload"])
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            client.invoke(FunctionName="local-Nobody")
    assert json.load(good["Payload"]) == {"a": "é"}
    assert bad["FunctionError"] == "Unhandled"
    assert payload["errorType"] == "KeyError"


@pytest.mark.row("S3-089", "S2-011")
def test_status_events_reach_functions_queues_and_machines(make_aws: MakeAws) -> None:
    with make_aws({"Record": RECORD}) as aws:
        events, sqs = aws.client("events"), aws.client("sqs")
        queue = sqs.create_queue(QueueName="q")["QueueUrl"]
        target = aws.create_machine("target", machine({"A": {"Type": "Pass", "Output": "{% $states.input.status %}"}}))
        events.put_rule(Name="ends", EventPattern=json.dumps({"source": ["aws.states"], "detail": {"name": ["run-1"]}}))
        events.put_targets(
            Rule="ends",
            Targets=[
                {"Id": "1", "Arn": "arn:aws:lambda:us-east-1:123456789012:function:local-Record"},
                {"Id": "2", "Arn": "arn:aws:sqs:us-east-1:123456789012:q"},
                {"Id": "3", "Arn": target, "InputPath": "$.detail"},
            ],
        )
        run(aws, machine({"A": {"Type": "Pass", "Output": {"done": True}}}))
        aws.engine.run()
        told = [
            json.loads(message["Body"])
            for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
        ]
        counted = aws.invoke("local-Record", {}).payload
        started = aws.client("stepfunctions").list_executions(stateMachineArn=target)["executions"]
    assert sorted(event["detail"]["status"] for event in told) == ["RUNNING", "SUCCEEDED"]
    assert told[-1]["detail-type"] == "Step Functions Execution Status Change"
    assert counted == 3
    assert [item["status"] for item in started] == ["SUCCEEDED", "SUCCEEDED"]


@pytest.mark.row("S3-034")
def test_a_receiver_of_status_events_that_fails_does_not_disturb_the_run(make_aws: MakeAws) -> None:
    broken = """
        CALLS = []

        def handler(event, context):
            CALLS.append(event)
            if "detail" in event:
                raise RuntimeError("no room")
            return len(CALLS)
    """
    with make_aws({"Record": broken}) as aws:
        events = aws.client("events")
        events.put_rule(Name="all", EventPattern='{"source": ["aws.states"]}')
        function = "arn:aws:lambda:us-east-1:123456789012:function:local-Record"
        events.put_targets(Rule="all", Targets=[{"Id": "1", "Arn": function}])
        execution = run(aws, machine({"A": {"Type": "Wait", "Seconds": 5}, "B": {"Type": "Pass", "Output": 7}}))
        aws.engine.run()
        called = aws.invoke("local-Record", {}).payload
    assert (execution.status.value, execution.output, called) == ("SUCCEEDED", 7, 3)


def test_a_jsonpath_machine_goes_to_motos_interpreter(make_aws: MakeAws) -> None:
    import time

    definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": {"a": 1}, "End": True}}})
    with make_aws() as aws:
        states = aws.client("stepfunctions")
        arn = aws.create_machine("old", definition)
        execution = states.start_execution(stateMachineArn=arn, input="{}")["executionArn"]
        for _ in range(100):
            shown = states.describe_execution(executionArn=execution)
            if shown["status"] != "RUNNING":
                break
            time.sleep(0.02)
        history = states.get_execution_history(executionArn=execution)["events"]
    assert (shown["status"], json.loads(shown["output"])) == ("SUCCEEDED", {"a": 1})
    assert history[0]["type"] == "ExecutionStarted"


def test_canary_moto_names_instances_itself(stock: Any) -> None:
    models = importlib.import_module("moto.ec2.models.instances")
    assert tuple(inspect.signature(models.random_instance_id).parameters) == ()
    ran = stock("ec2").run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)
    assert ran["Instances"][0]["InstanceId"] != "i-0123456789abcdef0"


def test_the_one_instance_has_what_an_instance_has(make_aws: MakeAws) -> None:
    with make_aws() as aws:
        (reservation,) = aws.client("ec2").describe_instances()["Reservations"]
    (instance,) = reservation["Instances"]
    assert instance["InstanceId"] == "i-0123456789abcdef0"
    assert instance["VpcId"]
    assert [len(interface["Groups"]) for interface in instance["NetworkInterfaces"]] == [1]
    assert [disk["DeviceName"] for disk in instance["BlockDeviceMappings"]] == ["/dev/sda1"]


def test_only_one_local_aws_at_a_time_and_everything_is_put_back(make_aws: MakeAws, monkeypatch: Any) -> None:
    import os

    import moto.stepfunctions.responses as responses

    monkeypatch.setenv("AWS_PROFILE", "production")
    before = responses.get_backend
    with make_aws() as aws:
        assert responses.get_backend is not before
        assert "AWS_PROFILE" not in os.environ
        with pytest.raises(RuntimeError, match="another local AWS"):
            moto_seam.install(aws)
    assert responses.get_backend is before
    assert os.environ["AWS_PROFILE"] == "production"
    assert not hasattr(responses.StepFunctionResponse, "redrive_execution")
