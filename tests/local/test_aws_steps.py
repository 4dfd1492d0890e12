"""Workflows with `aws` steps, compiled and run against the emulated services."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stepsmith.catalog import ActionCatalog
from stepsmith.diagnostics import Diagnostics
from stepsmith.document import Json
from stepsmith.engine import Execution, Status
from stepsmith.loading import load_document
from stepsmith.local.aws import LocalAws
from stepsmith.local.mocks import Mocks, read_mocks
from stepsmith.local.program import Program
from stepsmith.local.runner import RunOptions, run_workflow
from stepsmith.local.service_models import ServiceModels
from stepsmith.pipeline import Compilation, compile_bytes
from stepsmith.project import Project
from stepsmith.source import SourceFile
from tests.local.machines import MakeAws, run

SERVICES = ServiceModels()
REGION, ACCOUNT = "us-east-1", "123456789012"


def compiled(text: str) -> Compilation:
    found = compile_bytes("calls.yaml", text.encode(), ActionCatalog(), services=SERVICES)
    assert found.asl is not None, [f"{item.span}: {item.message}" for item in found.diagnostics]
    return found


def ran(aws: LocalAws, text: str, data: Json = None, **values: str) -> Execution:
    definition = compiled(text).asl or ""
    for name, value in {"Partition": "aws", **values}.items():
        definition = definition.replace(f"${{{name}}}", value)
    return run(aws, definition, data)


def table(aws: LocalAws, name: str = "findings") -> None:
    aws.client("dynamodb").create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )


CALLS = """
name: calls
input: {id: {type: string}, count: {type: integer}}
steps:
  - id: put
    aws: dynamodb:putItem
    params:
      TableName: "{{ env.TABLE }}"
      Item: {id: {S: "{{ input.id }}"}, count: {N: "{{ input.count | string }}"}, open: {BOOL: true}}
  - id: get
    aws: dynamodb:getItem
    params: {TableName: "{{ env.TABLE }}", Key: {id: {S: "{{ input.id }}"}}}
  - id: query
    aws: dynamodb:query
    params:
      TableName: "{{ env.TABLE }}"
      KeyConditionExpression: id = :id
      ExpressionAttributeValues: {":id": {S: "{{ input.id }}"}}
  - id: send
    aws: sqs:sendMessage
    params:
      QueueUrl: "https://sqs.us-east-1.amazonaws.com/123456789012/jobs"
      MessageBody: {id: "{{ input.id }}", open: "{{ steps.get.output.Item.open.BOOL }}"}
  - id: tell
    aws: sns:publish
    params:
      TopicArn: arn:aws:sns:us-east-1:123456789012:news
      Message: {id: "{{ input.id }}"}
  - id: event
    aws: events:putEvents
    params: {Entries: [{Source: tests, DetailType: Found, Detail: {id: "{{ input.id }}"}}]}
  - id: write
    aws: s3:putObject
    params: {Bucket: store, Key: "{{ input.id }}.json", Body: {id: "{{ input.id }}"}}
  - id: read
    aws: s3:getObject
    params: {Bucket: store, Key: "{{ input.id }}.json"}
    output: "{{ output.Body }}"
  - id: level
    aws: ssm:getParameter
    params: {Name: /app/level}
    output: "{{ output.Parameter.Value }}"
  - id: secret
    aws: secretsmanager:getSecretValue
    params: {SecretId: app/key}
    output: "{{ output.SecretString | length }}"
  - id: child
    aws: states:startExecution.sync
    params: {StateMachineArn: "{{ env.CHILD }}", Input: {n: "{{ input.count }}"}}
    output: "{{ output.Output.double }}"
  - id: started
    aws: sfn:startExecution
    params: {StateMachineArn: "{{ env.CHILD }}", Input: {n: 1}, Name: second}
  - id: known
    aws: sfn:describeExecution
    params: {ExecutionArn: "{{ steps.started.output.ExecutionArn }}"}
    output: "{{ output.Name }}"
output:
  count: "{{ steps.get.output.Item.count.N | int }}"
  rows: "{{ steps.query.output.Items | length }}"
  open: "{{ steps.query.output.Items[0].open.Bool }}"
  sent: "{{ steps.send.output.MessageId | length > 0 }}"
  told: "{{ steps.tell.output.MessageId | length > 0 }}"
  failed: "{{ steps.event.output.FailedEntryCount }}"
  body: "{{ steps.read.output }}"
  level: "{{ steps.level.output }}"
  secret: "{{ steps.secret.output }}"
  child: "{{ steps.child.output }}"
  started: "{{ steps.known.output }}"
"""

CHILD = {
    "QueryLanguage": "JSONata",
    "StartAt": "double",
    "States": {"double": {"Type": "Pass", "Output": {"double": "{% $states.input.n * 2 %}"}, "End": True}},
}


def test_every_kind_of_call_does_its_work_on_this_machine(make_aws: MakeAws) -> None:
    with make_aws() as aws:
        table(aws)
        aws.client("sqs").create_queue(QueueName="jobs")
        aws.client("sns").create_topic(Name="news")
        aws.client("s3").create_bucket(Bucket="store")
        aws.client("ssm").put_parameter(Name="/app/level", Value="high", Type="String")
        aws.client("secretsmanager").create_secret(Name="app/key", SecretString="hidden")
        child = aws.create_machine("child", json.dumps(CHILD))
        execution = ran(aws, CALLS, {"id": "a", "count": 21}, EnvTable="findings", EnvChild=child)
        assert execution.status is Status.SUCCEEDED, (execution.error, execution.cause, execution.failure)
        (message,) = aws.client("sqs").receive_message(QueueUrl=f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/jobs")[
            "Messages"
        ]
    assert json.loads(message["Body"]) == {"id": "a", "open": True}
    assert execution.output == {
        "count": 21,
        "rows": 1,
        "open": True,
        "sent": True,
        "told": True,
        "failed": 0,
        "body": '{"id":"a"}',
        "level": "high",
        "secret": 6,
        "child": 42,
        "started": "second",
    }


ASK = """
name: ask
steps:
  - id: ask
    aws: sqs:sendMessage.waitForTaskToken
    params:
      QueueUrl: https://sqs.us-east-1.amazonaws.com/123456789012/questions
      MessageBody: {token: "{{ run.task_token }}", question: may I}
    timeout: 1h
output: "{{ steps.ask.output.answer }}"
"""


@pytest.mark.row("S0-091")
def test_a_call_is_answered_with_its_token(make_aws: MakeAws) -> None:
    definition = (compiled(ASK).asl or "").replace("${Partition}", "aws")
    with make_aws() as aws:
        sqs = aws.client("sqs")
        url = sqs.create_queue(QueueName="questions")["QueueUrl"]
        execution = aws.start_execution(aws.create_machine("ask", definition), "{}", "run-1")
        aws.engine.advance(60)
        (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
        token = json.loads(message["Body"])["token"]
        aws.client("stepfunctions").send_task_success(taskToken=token, output='{"answer": "yes"}')
        aws.engine.run(until=execution)
    assert execution.output == "yes"


def test_a_call_that_nobody_answers_ends_at_its_timeout(make_aws: MakeAws) -> None:
    with make_aws() as aws:
        aws.client("sqs").create_queue(QueueName="questions")
        execution = ran(aws, ASK)
    assert (execution.status, execution.error) == (Status.FAILED, "States.Timeout")
    assert execution.stopped is not None
    assert (execution.stopped - execution.started).total_seconds() == 3600


def test_failures_are_handled_by_the_names_that_the_compiler_knows(make_aws: MakeAws) -> None:
    text = """
name: failures
steps:
  - id: get
    aws: s3:getObject
    params: {Bucket: store, Key: missing}
    on_failure: [{errors: [S3.NoSuchKeyException], then: continue}]
  - id: head
    aws: s3:headObject
    params: {Bucket: store, Key: missing}
    on_failure: [{errors: [S3.S3Exception], then: continue}]
  - id: item
    aws: dynamodb:getItem
    params: {TableName: none, Key: {id: {S: a}}}
    retry: {max_retries: 1, on: [DynamoDB.ResourceNotFoundException]}
    on_failure: [{errors: [DynamoDB.ResourceNotFoundException], then: continue}]
  - id: query
    aws: dynamodb:scan
    params: {TableName: none}
    on_failure: [{errors: [DynamoDb.ResourceNotFoundException], then: continue}]
  - id: event
    aws: events:putEvents
    params: {Entries: [{DetailType: Found, Detail: {}}]}
    on_failure: [{errors: [EventBridge.FailedEntry], then: continue}]
output:
  - "{{ steps.get.error.type | default('none') }}"
  - "{{ steps.head.status }}"
  - "{{ steps.item.status }}"
  - "{{ steps.query.status }}"
  - "{{ steps.event.status }}"
"""
    found = compiled(text)
    assert "unknown-error" not in [item.slug for item in found.diagnostics]
    with make_aws() as aws:
        aws.client("s3").create_bucket(Bucket="store")
        execution = ran(aws, text)
    assert execution.output == ["S3.NoSuchKeyException", "failed", "failed", "failed", "failed"], execution.cause


def test_a_run_shows_its_calls(tmp_path: Path) -> None:
    """The steps are rebuilt from the history, with their results and lines."""
    (tmp_path / "template.yaml").write_text(
        "Resources:\n"
        "  Findings:\n"
        "    Type: AWS::DynamoDB::Table\n"
        "    Properties:\n"
        "      TableName: findings\n"
        "      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]\n"
        "      KeySchema: [{AttributeName: id, KeyType: HASH}]\n"
        "      BillingMode: PAY_PER_REQUEST\n"
    )
    text = """name: shown
steps:
  - id: put
    aws: dynamodb:putItem
    params: {TableName: findings, Item: {id: {S: a}}}
  - id: get
    aws: dynamodb:batchGetItem
    params: {RequestItems: {findings: {Keys: [{Id: {S: a}}]}}}
    retry: 1
"""
    found = compiled(text)
    program = Program("shown", found.asl or "", found.origins or {})
    result: Any = run_workflow(program, {}, Project(tmp_path), ActionCatalog()).result
    assert result["status"] == "failed"
    assert (result["error"]["step"], result["error"]["line"]) == ("get", 6)
    assert result["error"]["type"].startswith("DynamoDb.")
    steps = [(step["id"], step["status"], step["attempts"], step["line"]) for step in result["steps"]]
    assert steps == [("put", "succeeded", 1, 3), ("get", "failed", 2, 6)]


MOCKED = """name: mocked
steps:
  - id: ask
    aws: sqs:sendMessage.waitForTaskToken
    params: {QueueUrl: q, MessageBody: "{{ run.task_token }}"}
    timeout: 1h
  - id: get
    aws: dynamodb:getItem
    params: {TableName: none, Key: {id: {S: a}}}
    on_failure: [{errors: [DynamoDB.ResourceNotFoundException], then: continue}]
  - id: invoke
    aws: lambda:invoke
    params: {FunctionName: f, Payload: {n: 1}}
output:
  answer: "{{ steps.ask.output.ok }}"
  count: "{{ steps.get.output.Item.n.N | default('none') }}"
  invoked: "{{ steps.invoke.output.Payload.n }}"
"""


def mocks(text: str) -> tuple[Mocks, list[str]]:
    diagnostics = Diagnostics()
    document = load_document(SourceFile("mocks.yaml", text), diagnostics)
    workflow = compiled(MOCKED).workflow
    assert document is not None
    assert workflow is not None
    found = read_mocks(document.root, workflow, ActionCatalog(), diagnostics, SERVICES)
    return found, [f"{item.message} | {item.help}" for item in diagnostics]


def test_calls_can_be_mocked(tmp_path: Path) -> None:
    found, problems = mocks(
        "ask: {return: {ok: true}, after: 5m}\n"
        "get: [{raise: DynamoDB.ResourceNotFoundException, message: no table}]\n"
        "invoke: {return: {Payload: {n: 2}}}\n"
    )
    assert problems == []
    source = compiled(MOCKED)
    program = Program("mocked", source.asl or "", source.origins or {})
    result: Any = run_workflow(program, {}, Project(tmp_path), ActionCatalog(), RunOptions(mocks=found)).result
    assert (result["status"], result["elapsed_s"]) == ("succeeded", 300), result["error"]
    assert result["output"] == {"answer": True, "count": "none", "invoked": 2}
    assert [(step["id"], step["status"]) for step in result["steps"]] == [
        ("ask", "succeeded"),
        ("get", "failed"),
        ("invoke", "succeeded"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("get: {return: {Itm: {}}}", 'the result of dynamodb:getItem: Itm is not known | did you mean "Item"?'),
        ("get: {return: {Item: {a: {N: 1}}}}", "the result of dynamodb:getItem: Item.a.N must be text, not"),
        ("get: {return: {Item: {a: {Bool: true}}}}", "the result of dynamodb:getItem: Item.a.Bool is not known | "),
        ("get: {raise: DynamoDb.ResourceNotFoundException}", "dynamodb:getItem declares no error"),
    ],
)
def test_a_mock_of_a_call_cannot_lie(text: str, said: str) -> None:
    _, problems = mocks(text)
    assert len(problems) == 1
    assert problems[0].startswith(said)
