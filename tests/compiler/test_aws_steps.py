"""Calls of AWS from steps: what is refused, what becomes of them, and what the machine's role must allow."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stepsmith.catalog import Permission
from stepsmith.diagnostics import Diagnostic, Diagnostics, Severity
from stepsmith.engine import Engine, TaskCall, TaskFailed, TaskOutcome, TaskSucceeded, validate
from stepsmith.expressions.types import ANY, TEXT, ObjectType, find_property
from stepsmith.integrations import OPTIMISED, integration_of
from stepsmith.local.service_models import ServiceModels
from stepsmith.model.calls import CallPattern
from stepsmith.model.steps import AwsStep
from stepsmith.pipeline import Compilation, compile_bytes
from stepsmith.template.cloudformation import Intrinsic
from stepsmith.template.machines import Deployable, TriggerRegistry, machine_resources
from tests.support.machines import CATALOG

ROOT = Path(__file__).parents[2]
SERVICES = ServiceModels()


def compilation(steps: str, head: str = "input: {name: {type: string}, n: {type: integer}}") -> Compilation:
    text = f"name: test\n{head}\nsteps:\n{steps}\n"
    return compile_bytes("test.yaml", text.encode(), CATALOG, services=SERVICES)


def diagnostics(steps: str, head: str = "input: {name: {type: string}, n: {type: integer}}") -> list[Diagnostic]:
    """What is said of the steps, hints left out."""
    return [item for item in compilation(steps, head).diagnostics if item.severity is not Severity.HINT]


def machine(steps: str, **more: str) -> dict[str, Any]:
    found = compilation(steps, **more)
    assert found.asl is not None, [f"{item.span}: {item.message}" for item in found.diagnostics]
    assert validate(found.asl.replace("${Partition}", "aws")) == []
    states: dict[str, Any] = json.loads(found.asl)["States"]
    return states


def permissions(steps: str) -> tuple[Permission, ...]:
    found = compilation(steps)
    assert found.machine is not None, [f"{item.span}: {item.message}" for item in found.diagnostics]
    return found.machine.permissions


def resources(steps: str) -> list[str]:
    """What the first statement allows, with the account's parts cut out."""
    (first, *_) = permissions(steps)
    return [
        text.replace("arn:${AWS::Partition}:", "").replace("${AWS::Region}", "R").replace("${AWS::AccountId}", "A")
        for text in first.resources
    ]


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "slug", "said", "help_text"),
    [
        ("dynamodb", "bad-call", '"dynamodb" names no operation', "write SERVICE:OPERATION"),
        ("dynamodb:putItem.syn", "bad-call", 'a call can\'t end in ".syn"', 'did you mean "sync"?'),
        ("states:startExecution.sync:2", "bad-call", 'a call can\'t end in ".sync:2"', 'did you mean "sync"?'),
        ("dynamodbb:putItem", "unknown-service", 'no AWS service is called "dynamodbb"', 'did you mean "dynamodb"?'),
        ("logs:putLogEvents", "unknown-service", '"logs"', 'Step Functions calls it "cloudwatchlogs"'),
        ("bedrock-runtime:converse", "unknown-service", '"bedrock-runtime"', 'calls it "bedrockruntime"'),
        ("dynamodb:putItm", "unknown-operation", 'dynamodb has no operation "putItm"', 'did you mean "putItem"?'),
        ("dynamodb:put_item", "unknown-operation", '"put_item"', 'did you mean "putItem"?'),
        ("dynamodb:PutItem", "unknown-operation", '"PutItem"', 'did you mean "putItem"?'),
        ("events:putEventz", "unknown-operation", '"putEventz"', 'did you mean "putEvents"?'),
        ("ec2:runInstances.sync", "no-such-pattern", "ec2:runInstances has no .sync", "ecs:runTask"),
        ("eks:runJob", "no-such-pattern", "eks:runJob always waits", "write eks:runJob.sync"),
        ("http:invoke.waitForTaskToken", "no-such-pattern", "can't wait for a task token", "leave"),
        ("bedrockruntime:converseStream", "call-not-here", "it sends or receives a stream", "answers at once"),
        ("lambda:invokeWithResponseStream", "call-not-here", "a stream", ""),
        ("sts:assumeRole", "call-not-here", "a session's credentials", "assume it"),
    ],
)
def test_a_call_that_cannot_be_made_is_refused(call: str, slug: str, said: str, help_text: str) -> None:
    found = next(item for item in diagnostics(f"  - aws: {call}") if item.slug == slug)
    assert said in found.message
    assert help_text in found.help
    assert (found.span.start.line, found.severity) == (4, Severity.ERROR)


@pytest.mark.parametrize(
    ("call", "params", "slug", "said", "help_text"),
    [
        ("dynamodb:putItem", "{TableName: t}", "missing-param", 'needs the param "Item"', "add Item: under params"),
        ("sqs:sendMessage", "{QueueUrl: u, MessageBody: a, xyz: t}", "unknown-param", '"xyz"', "its params"),
        ("dynamodb:getItem", "{tableName: t, Key: {}}", "unknown-param", '"tableName"', 'did you mean "TableName"?'),
        ("dynamodb:putItem", "{TableName: t, Item: {a: {N: 1}}}", "wrong-param", '"Item.a.N" must be text', '"1"'),
        ("dynamodb:putItem", "{TableName: t, Item: {a: {Bool: true}}}", "unknown-param", '"Bool"', '"BOOL"'),
        ("dynamodb:query", "{TableName: t, ConsistentRead: 'yes'}", "wrong-param", "must be a boolean, not text", ""),
        ("dynamodb:query", "{TableName: t, Limit: 0}", "wrong-param", '"Limit" must be at least 1', ""),
        ("dynamodb:putItem", "{TableName: [t], Item: {}}", "wrong-param", '"TableName" must be text, not a list', ""),
        ("dynamodb:putItem", "{TableName: t, Item: {a: {L: [{BOOL: true}, {M: {b: {N: '1'}}}]}}}", "", "", ""),
        ("s3:putObject", "{Bucket: b, Key: k, Body: [1, {a: null}]}", "", "", ""),
        (
            "dynamodb:transactWriteItems",
            "{TransactItems: [{Put: {TableName: t, Item: {a: {BOOL: true}}}}], ClientRequestToken: x}",
            "unknown-param", 'TransactItems[].Put.Item.a has no param "BOOL"', 'did you mean "Bool"?',
        ),
        (
            "dynamodb:transactWriteItems",
            "{TransactItems: [{Put: {TableName: t, Item: {}}}]}",
            "missing-param", '"ClientRequestToken"', '"{{ run.id }}-call"',
        ),
        ("dynamodb:batchGetItem", "{RequestItems: {t: {Keys: []}}}", "wrong-param", "at least 1 item", ""),
        ("sqs:sendMessage", "{QueueUrl: u, MessageBody: null}", "wrong-param", '"MessageBody" must be text', ""),
        ("lambda:invoke", "{FunctionName: f, Payload: 3}", "wrong-param", '"Payload" must be text', ""),
        ("s3:putObject", "{Bucket: b, Key: k, Body: {a: 1}, Acl: privat}", "wrong-param", '"privat"', '"private"'),
        ("s3:putObject", "{Bucket: b, Key: k, ACL: private}", "unknown-param", '"ACL"', '"Acl"'),
        ("sqs:sendMessage", '{QueueUrl: u, MessageBody: "{{ input.n }}"}', "wrong-param", "an integer", "| string"),
        ("dynamodb:query", '{TableName: "{{ input.n }}"}', "wrong-param", "must be text, the expression yields", ""),
        ("dynamodb:query", '{TableName: "{{ input.nam }}"}', "unknown-input", '"nam"', 'did you mean "name"?'),
        ("http:invoke", "{ApiEndpoint: 'https://x', Method: get}", "wrong-param", '"get"', '"GET"'),
        ("http:invoke", "{ApiEndpoint: 'https://x'}", "missing-param", '"Method"', ""),
        ("eks:runJob.sync", "{ClusterName: c}", "missing-param", '"CertificateAuthority"', ""),
        ("dynamodb:listTables", "{Nope: 1}", "unknown-param", '"Nope"', "its params: "),
    ],
)  # fmt: skip
def test_params_are_held_to_the_services_model(call: str, params: str, slug: str, said: str, help_text: str) -> None:
    found = diagnostics(f"  - id: call\n    aws: {call}\n    params: {params}")
    if not slug:
        assert found == []
        return
    one = next(item for item in found if item.slug == slug)
    assert said in one.message
    assert help_text in one.help


def test_a_value_that_the_model_does_not_list_is_a_warning() -> None:
    (found,) = diagnostics("  - aws: s3:putObject\n    params: {Bucket: b, Key: k, StorageClass: NEWER}")
    assert (found.severity, found.slug) == (Severity.WARNING, "wrong-param")


def test_express_workflows_cannot_wait() -> None:
    head = "type: express\ninput: {name: {type: string}}"
    params = 'params: {QueueUrl: u, MessageBody: "{{ run.task_token }}"}'
    found = diagnostics(f"  - aws: sqs:sendMessage.waitForTaskToken\n    {params}", head)
    assert [item.slug for item in found] == ["not-in-express"]


# -- the task token -------------------------------------------------------------------------------


def test_a_step_that_waits_must_hand_out_its_token() -> None:
    (found,) = diagnostics("  - aws: sqs:sendMessage.waitForTaskToken\n    params: {QueueUrl: u, MessageBody: x}")
    assert found.slug == "missing-token"
    assert "{{ run.task_token }}" in found.help


def test_the_token_is_there_only_where_it_is_waited_for() -> None:
    (found,) = diagnostics('  - aws: sqs:sendMessage\n    params: {QueueUrl: u, MessageBody: "{{ run.task_token }}"}')
    assert ".waitForTaskToken" in found.message + found.help


def test_the_token_is_read_from_the_task() -> None:
    steps = """  - id: ask
    aws: sqs:sendMessage.waitForTaskToken
    params: {QueueUrl: u, MessageBody: {t: "{{ run.task_token }}"}}
    timeout: 1h
    heartbeat: 5m"""
    state = machine(steps)["ask"]
    assert state["Resource"] == "arn:${Partition}:states:::sqs:sendMessage.waitForTaskToken"
    assert state["Arguments"]["MessageBody"] == {"t": "{% $states.context.Task.Token %}"}
    assert (state["TimeoutSeconds"], state["HeartbeatSeconds"]) == (3600, 300)


def test_waiting_without_a_limit_is_pointed_out() -> None:
    steps = '  - aws: sqs:sendMessage.waitForTaskToken\n    params: {QueueUrl: u, MessageBody: "{{ run.task_token }}"}'
    hints = [item.slug for item in compilation(steps).diagnostics]
    assert "no-timeout" in hints


# -- what becomes of it ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "resource"),
    [
        ("dynamodb:putItem", "dynamodb:putItem"),
        ("dynamodb:query", "aws-sdk:dynamodb:query"),
        ("dynamodb:putItem.waitForTaskToken", "aws-sdk:dynamodb:putItem.waitForTaskToken"),
        ("events:putEvents", "events:putEvents"),
        ("eventbridge:putEvents", "events:putEvents"),
        ("events:putRule", "aws-sdk:eventbridge:putRule"),
        ("states:startExecution.sync", "states:startExecution.sync:2"),
        ("sfn:startExecution", "states:startExecution"),
        ("states:describeExecution", "aws-sdk:sfn:describeExecution"),
        ("bedrock:invokeModel", "bedrock:invokeModel"),
        ("bedrock:listFoundationModels", "aws-sdk:bedrock:listFoundationModels"),
        ("ecs:runTask.sync", "ecs:runTask.sync"),
        ("cloudwatchlogs:putLogEvents", "aws-sdk:cloudwatchlogs:putLogEvents"),
        ("lambda:invoke.waitForTaskToken", "lambda:invoke.waitForTaskToken"),
    ],
)
def test_the_optimised_integration_is_taken_where_there_is_one(call: str, resource: str) -> None:
    service, _, rest = call.partition(":")
    operation, _, pattern = rest.partition(".")
    found = integration_of(_step(service, operation, CallPattern(pattern)), SERVICES)
    assert found.resource == f"arn:${{Partition}}:states:::{resource}"
    assert found.model is not None


def _step(service: str, operation: str, pattern: CallPattern = CallPattern.ANSWER) -> AwsStep:
    text = f"name: t\nsteps:\n  - aws: {service}:{operation}{'.' + pattern if pattern else ''}\n"
    workflow = compile_bytes("t.yaml", text.encode(), CATALOG, services=SERVICES).workflow
    assert workflow is not None
    (step,) = workflow.steps
    assert isinstance(step, AwsStep)
    return step


def test_every_optimised_integration_names_an_operation_that_exists() -> None:
    for item in OPTIMISED:
        found = integration_of(_step(*item.resource.split(":"), item.patterns[0]), SERVICES)  # type: ignore[call-arg]
        assert found.optimised is item
        assert found.model is not None
        assert found.result_type is not None


STEP = """  - id: put
    aws: dynamodb:putItem
    params: {TableName: findings, Item: {id: {S: "{{ input.name }}"}}}
"""


def test_a_call_is_a_task_without_lambdas_retrier() -> None:
    assert machine(STEP)["put"] == {
        "Type": "Task",
        "Comment": "test.yaml:4",
        "Resource": "arn:${Partition}:states:::dynamodb:putItem",
        "Arguments": {"TableName": "findings", "Item": {"id": {"S": "{% $input.name %}"}}},
        "Output": None,
        "End": True,
    }


def test_the_modifiers_work_as_on_actions() -> None:
    steps = """  - id: read
    if: "{{ input.n > 1 }}"
    aws: s3:getObject
    params: {Bucket: store, Key: "{{ input.name }}"}
    timeout: 30s
    retry: {max_retries: 2, on: [S3.S3Exception]}
    output: {text: "{{ output.Body }}"}
    on_failure:
      - errors: [S3.NoSuchKeyException]
        then: continue
  - action: ping
    params: {host: "{{ steps.read.output.text | default('none') }}"}"""
    states = machine(steps)
    assert states["read.if"]["Choices"][0]["Next"] == "read"
    read = states["read"]
    assert read["Retry"] == [
        {
            "ErrorEquals": ["S3.S3Exception"],
            "IntervalSeconds": 1,
            "MaxAttempts": 2,
            "BackoffRate": 2,
            "JitterStrategy": "FULL",
        }
    ]
    assert read["Catch"][0]["ErrorEquals"] == ["S3.NoSuchKeyException"]
    assert read["Output"] == {"text": "{% $states.result.Body %}"}
    assert read["TimeoutSeconds"] == 30


def test_a_call_is_run_by_the_engine_in_blocks_and_loops() -> None:
    steps = """  - id: each
    for_each:
      in: [a, b]
      steps:
        - id: get
          aws: dynamodb:getItem
          params: {TableName: t, Key: {id: {S: "{{ item }}"}}}
          output: "{{ output.Item.n.N | default('none') }}"
  - id: both
    parallel:
      left:
        - aws: sns:publish
          params: {TopicArn: 'arn:aws:sns:us-east-1:123456789012:t', Message: {a: 1}}
      right:
        - try:
            - id: fails
              aws: dynamodb:deleteItem
              params: {TableName: t, Key: {id: {S: x}}}
          catch:
            - errors: [DynamoDB.ResourceNotFoundException]
              steps:
                - {id: told, action: ping, params: {host: "{{ error.message }}"}}
              then: continue
output: {each: "{{ steps.each.output }}", id: "{{ steps.both.output.left.MessageId }}"}"""
    found = compilation(steps)
    assert found.asl is not None, [f"{item.span}: {item.message}" for item in found.diagnostics]
    calls: list[str] = []

    def answer(call: TaskCall) -> TaskOutcome:
        given: Any = call.arguments
        kind = call.resource.rpartition(":::")[2]
        calls.append(kind)
        match kind:
            case "dynamodb:getItem" if given["Key"]["id"]["S"] == "a":
                return TaskSucceeded({"Item": {"n": {"N": "7"}}})
            case "dynamodb:deleteItem":
                return TaskFailed("DynamoDB.ResourceNotFoundException", "no table")
            case "sns:publish":
                return TaskSucceeded({"MessageId": "m-1"})
            case "lambda:invoke":
                assert given["Payload"]["params"] == {"host": "no table"}
                return TaskSucceeded({"Payload": {"ok": True}})
        return TaskSucceeded({})

    engine = Engine(answer)
    execution = engine.start(found.asl.replace("${Partition}", "aws"), {"name": "x", "n": 1}, name="run-1")
    engine.run(execution)
    assert execution.output == {"each": ["7", "none"], "id": "m-1"}
    assert sorted(calls) == sorted(
        ["dynamodb:getItem", "dynamodb:getItem", "sns:publish", "dynamodb:deleteItem", "lambda:invoke"]
    )


def test_the_source_map_leads_to_the_step() -> None:
    origins = compilation(STEP).origins
    assert origins is not None
    states: Any = origins["states"]
    assert states["put"] == {"role": "step", "line": 4, "column": 3, "step": "put", "path": "put"}


# -- results --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("read", "slug"),
    [
        ("steps.get.output.Body", ""),
        ("steps.get.output.Body | length", ""),
        ("steps.get.output.body", "unknown-property"),
        ("steps.get.output.ContentLength + 1", ""),
        ("steps.get.output.SdkHttpMetadata", "unknown-property"),
    ],
)
def test_reads_of_a_result_are_held_to_the_model(read: str, slug: str) -> None:
    steps = f'  - id: get\n    aws: s3:getObject\n    params: {{Bucket: b, Key: k}}\noutput: "{{{{ {read} }}}}"'
    assert [item.slug for item in diagnostics(steps)] == ([slug] if slug else [])


def test_what_may_be_missing_can_be_asked_for() -> None:
    steps = '  - {id: get, aws: "dynamodb:getItem", params: {TableName: t, Key: {}}}\n'
    steps += '  - if: "{{ steps.get.output.Item is defined }}"\n    action: ping'
    assert machine(steps)["ping.if"]["Choices"][0]["Condition"] == "{% $exists($get.Item) %}"


def test_results_are_spelt_as_the_integration_spells_them() -> None:
    optimised = integration_of(_step("dynamodb", "getItem"), SERVICES).result_type
    sdk = integration_of(_step("dynamodb", "batchGetItem"), SERVICES).result_type
    assert isinstance(optimised, ObjectType)
    assert "SdkHttpMetadata" in optimised.properties
    item: Any = optimised.properties["Item"].type
    assert find_property(item.rest, "BOOL") is not None
    row: Any = sdk.properties["Responses"].type.rest.item  # type: ignore[union-attr]
    assert find_property(row.rest, "BOOL") is None
    assert {"Bool", "Nul", "Ss", "M"} <= row.rest.properties.keys()


def test_a_child_that_was_waited_for_gives_values() -> None:
    result = integration_of(_step("states", "startExecution", CallPattern.JOB), SERVICES).result_type
    assert isinstance(result, ObjectType)
    assert (result.properties["Output"].type, result.properties["Status"].type) == (ANY, TEXT)


# -- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "params", "error", "nearest"),
    [
        ("dynamodb:getItem", "{TableName: t, Key: {}}", "DynamoDB.ResourceNotFoundException", ""),
        ("dynamodb:getItem", "{TableName: t, Key: {}}", "DynamoDB.AmazonDynamoDBException", ""),
        ("dynamodb:getItem", "{TableName: t, Key: {}}", "DynamoDb.ResourceNotFoundException", "DynamoDB.Resource"),
        ("dynamodb:query", "{TableName: t}", "DynamoDb.DynamoDbException", ""),
        ("dynamodb:query", "{TableName: t}", "DynamoDb.ResourceNotFound", "DynamoDb.ResourceNotFoundException"),
        ("s3:getObject", "{Bucket: b, Key: k}", "S3.NoSuchKey", "S3.NoSuchKeyException"),
        ("s3:getObject", "{Bucket: b, Key: k}", "States.Timeout", ""),
        ("rds:describeDBInstances", "{}", "Rds.DbInstanceNotFoundException", ""),
        ("events:putEvents", "{Entries: [{}]}", "EventBridge.FailedEntry", ""),
        ("states:startExecution", "{StateMachineArn: a}", "StepFunctions.StateMachineDoesNotExistException", ""),
        ("lambda:invoke", "{FunctionName: f, Payload: {}}", "MyOwnError", ""),
        ("http:invoke", "{ApiEndpoint: 'https://x', Method: GET}", "States.Http.StatusCode.503", ""),
    ],
)
def test_errors_that_a_call_cannot_fail_with_are_pointed_out(call: str, params: str, error: str, nearest: str) -> None:
    handler = f"on_failure: [{{errors: [{error}], then: continue}}]"
    found = diagnostics(f"  - aws: {call}\n    params: {params}\n    {handler}")
    assert [item.slug for item in found] == (["unknown-error"] if nearest else [])
    assert all(nearest in item.help for item in found)


# -- the role -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "params", "actions", "wanted"),
    [
        ("dynamodb:putItem", "{TableName: t, Item: {}}", ["dynamodb:PutItem"], ["dynamodb:R:A:table/t"]),
        (
            "dynamodb:query", "{TableName: t}", ["dynamodb:Query"],
            ["dynamodb:R:A:table/t", "dynamodb:R:A:table/t/index/*"],
        ),
        ("dynamodb:getItem", '{TableName: "{{ env.TABLE }}", Key: {}}', ["dynamodb:GetItem"],
         ["dynamodb:R:A:table/${EnvTable}"]),
        ("dynamodb:getItem", '{TableName: "x-{{ input.name }}", Key: {}}', ["dynamodb:GetItem"], ["*"]),
        ("dynamodb:batchGetItem", "{RequestItems: {a: {Keys: [{}]}, b: {Keys: [{}]}}}", ["dynamodb:BatchGetItem"],
         ["dynamodb:R:A:table/a", "dynamodb:R:A:table/b"]),
        ("s3:getObject", '{Bucket: b, Key: "{{ input.name }}"}', ["s3:GetObject"], ["s3:::b/*"]),
        ("s3:getObject", "{Bucket: b, Key: a/b}", ["s3:GetObject"], ["s3:::b/a/b"]),
        ("s3:listObjectsV2", "{Bucket: b}", ["s3:ListBucket"], ["s3:::b"]),
        ("s3:headObject", "{Bucket: b, Key: k}", ["s3:GetObject"], ["s3:::b/k"]),
        ("sqs:sendMessage", "{QueueUrl: 'https://sqs.eu-west-1.amazonaws.com/123456789012/q', MessageBody: x}",
         ["sqs:SendMessage"], ["sqs:eu-west-1:123456789012:q"]),
        ("sns:publish", '{TopicArn: "{{ env.TOPIC }}", Message: x}', ["sns:Publish"], ["${EnvTopic}"]),
        ("events:putEvents", "{Entries: [{EventBusName: bus}, {}]}", ["events:PutEvents"],
         ["events:R:A:event-bus/bus", "events:R:A:event-bus/default"]),
        ("ssm:getParameter", "{Name: /a/b}", ["ssm:GetParameter"], ["ssm:R:A:parameter/a/b"]),
        ("ssm:sendCommand", "{DocumentName: AWS-RunShellScript, InstanceIds: [i-1]}", ["ssm:SendCommand"],
         ["ec2:R:A:instance/i-1", "ssm:R::document/AWS-RunShellScript"]),
        ("secretsmanager:getSecretValue", "{SecretId: a}", ["secretsmanager:GetSecretValue"],
         ["secretsmanager:R:A:secret:a-??????"]),
        ("lambda:invoke", "{FunctionName: f, Payload: {}}", ["lambda:InvokeFunction"],
         ["lambda:R:A:function:f", "lambda:R:A:function:f:*"]),
        ("bedrock:invokeModel", "{ModelId: anthropic.claude-v2, Body: {}}", ["bedrock:InvokeModel"],
         ["bedrock:R::foundation-model/anthropic.claude-v2"]),
        ("ec2:modifyNetworkInterfaceAttribute", '{NetworkInterfaceId: "{{ input.name }}", Groups: [a]}',
         ["ec2:ModifyNetworkInterfaceAttribute"],
         ["ec2:R:A:instance/*", "ec2:R:A:network-interface/*", "ec2:R:A:security-group/*"]),
        ("ec2:createSnapshot", '{VolumeId: "{{ input.name }}"}', ["ec2:CreateSnapshot"],
         ["ec2:R:A:volume/*", "ec2:R::snapshot/*"]),
        ("iam:updateAccessKey", '{UserName: "{{ input.name }}", AccessKeyId: AKIAIOSFODNN7EXAMPLE, Status: Inactive}',
         ["iam:UpdateAccessKey"], ["iam::A:user/*"]),
        ("cloudwatch:putMetricData", "{Namespace: n, MetricData: [{MetricName: m}]}", ["cloudwatch:PutMetricData"],
         ["*"]),
    ],
)  # fmt: skip
def test_the_role_allows_what_the_params_name(call: str, params: str, actions: list[str], wanted: list[str]) -> None:
    steps = f"  - aws: {call}\n    params: {params}"
    (first,) = permissions(steps)
    assert list(first.actions) == actions
    assert resources(steps) == wanted
    hinted = "wide-permission" in [item.slug for item in compilation(steps).diagnostics]
    assert hinted == (wanted == ["*"])


def test_what_iam_never_allows_on_less_is_no_hint() -> None:
    steps = "  - aws: ec2:describeInstances\n    params: {InstanceIds: [i-0123456789abcdef0]}"
    assert resources(steps) == ["*"]
    assert [item.slug for item in compilation(steps).diagnostics] == []


def test_a_job_that_is_waited_for_needs_more() -> None:
    arn = "arn:aws:states:us-east-1:123456789012:stateMachine:c"
    found = permissions(f"  - aws: states:startExecution.sync\n    params: {{StateMachineArn: '{arn}'}}")
    rule = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/"
    assert found == (
        Permission(
            ("events:DescribeRule", "events:PutRule", "events:PutTargets"),
            (f"{rule}StepFunctionsGetEventsForStepFunctionsExecutionRule",),
        ),
        Permission(
            ("states:DescribeExecution", "states:StopExecution"),
            ("arn:aws:states:us-east-1:123456789012:execution:c:*",),
        ),
        Permission(("states:StartExecution",), (arn,)),
    )


def test_passing_any_role_to_a_task_is_pointed_out() -> None:
    def hints(overrides: str) -> list[str]:
        steps = f"  - aws: ecs:runTask\n    params: {{TaskDefinition: scan, Overrides: {overrides}}}"
        return [item.message for item in compilation(steps).diagnostics]

    (hint,) = hints("{TaskRoleArn: 'arn:aws:iam::1:role/a'}")
    assert "any role" in hint
    assert hints("{TaskRoleArn: 'arn:aws:iam::1:role/a', ExecutionRoleArn: 'arn:aws:iam::1:role/b'}") == []


def test_calls_over_http_are_held_to_the_endpoint() -> None:
    connection = "{ConnectionArn: 'arn:aws:events:r:a:connection/c'}"
    params = f"{{ApiEndpoint: 'https://x/y', Method: POST, InvocationConfig: {connection}}}"
    found = permissions(f"  - aws: http:invoke\n    params: {params}")
    invoke = next(item for item in found if item.actions == ("states:InvokeHTTPEndpoint",))
    assert invoke.conditions == (
        ("StringEquals", "states:HTTPEndpoint", "https://x/y"),
        ("StringEquals", "states:HTTPMethod", "POST"),
    )
    assert invoke.resources[0].endswith(":stateMachine:${AWS::StackName}_test")


def test_statements_do_not_depend_on_the_order_of_steps() -> None:
    one = "  - {id: a, aws: 'dynamodb:putItem', params: {TableName: t, Item: {}}}\n"
    two = "  - {id: b, aws: 'dynamodb:getItem', params: {TableName: t, Key: {}}}\n"
    assert permissions(one + two) == permissions(two + one)
    (both,) = permissions(one + two)
    assert both.actions == ("dynamodb:GetItem", "dynamodb:PutItem")


# -- where the models come from -------------------------------------------------------------------


def test_without_models_a_call_compiles_with_a_hint() -> None:
    text = f"name: test\ninput: {{name: {{type: string}}}}\nsteps:\n{STEP}"
    found = compile_bytes("test.yaml", text.encode(), CATALOG)
    assert found.asl is not None
    assert [(item.slug, item.severity) for item in found.diagnostics] == [("unchecked-call", Severity.HINT)]
    assert found.machine is not None
    assert found.machine.permissions == permissions(STEP)


def test_models_are_read_without_importing_botocore() -> None:
    code = (
        "import sys\n"
        "from stepsmith.local.service_models import ServiceModels\n"
        "assert ServiceModels().operation('sqs', 'sendMessage').input == 'SendMessageRequest'\n"
        "assert not {'botocore', 'boto3'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT / "compiler")


def test_a_service_is_known_by_every_name_that_people_use() -> None:
    names = SERVICES.services()
    assert {name: names[name] for name in ("logs", "cloudwatchlogs", "stepfunctions", "bedrock-runtime")} == {
        "logs": "cloudwatchlogs",
        "cloudwatchlogs": "cloudwatchlogs",
        "stepfunctions": "sfn",
        "bedrock-runtime": "bedrockruntime",
    }
    assert SERVICES.operation("logs", "putLogEvents") is None
    assert not SERVICES.operations("nosuchservice")


def test_the_template_gives_the_role_its_statements() -> None:
    steps = "  - aws: dynamodb:putItem\n    params: {TableName: findings, Item: {}}\n"
    steps += "  - aws: ecs:runTask\n    params: {TaskDefinition: scan}"
    found = compilation(steps)
    assert found.workflow is not None
    assert found.machine is not None
    item = Deployable(found.workflow, (), "test.yaml", "test.asl.json", permissions=found.machine.permissions)
    (resource, *_) = machine_resources(item, TriggerRegistry(), Diagnostics())
    account = "${AWS::Region}:${AWS::AccountId}"
    properties: Any = resource.body["Properties"]
    *calls, _logs = properties["Policies"][0]["Statement"]
    assert calls == [
        {
            "Effect": "Allow",
            "Action": ["dynamodb:PutItem"],
            "Resource": [Intrinsic("Sub", f"arn:${{AWS::Partition}}:dynamodb:{account}:table/findings")],
        },
        {
            "Effect": "Allow",
            "Action": ["ecs:RunTask"],
            "Resource": [Intrinsic("Sub", f"arn:${{AWS::Partition}}:ecs:{account}:task-definition/scan:*")],
        },
        {
            "Effect": "Allow",
            "Action": ["iam:PassRole"],
            "Resource": ["*"],
            "Condition": {"StringEquals": {"iam:PassedToService": ["ecs-tasks.amazonaws.com"]}},
        },
    ]
