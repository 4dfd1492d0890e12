"""Service integrations: names, casing, results and errors as Step Functions shows them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from stepsmith.document import Json
from stepsmith.local import casing
from stepsmith.local.services import Integration, ServiceError, Services, integration_of


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    with mock_aws():
        session = boto3.Session("AKIAEXAMPLE", "secret", region_name="us-east-1")
        clients: dict[str, Any] = {}

        def client(name: str) -> Any:
            if name not in clients:
                clients[name] = session.client(name)
            return clients[name]

        client("dynamodb").create_table(
            TableName="things",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        client("s3").create_bucket(Bucket="store")
        client("sns").create_topic(Name="news")
        client("sqs").create_queue(QueueName="jobs")
        yield Services(client, session.get_available_services)


def called(services: Services, resource: str, arguments: Json) -> dict[str, Json]:
    integration = integration_of(f"arn:aws:states:::{resource}")
    assert integration is not None
    return services.call(integration, arguments)


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ("arn:aws:states:::lambda:invoke", Integration("lambda", "invoke", False, "")),
        ("arn:aws-cn:states:::aws-sdk:dynamodb:query", Integration("dynamodb", "query", True, "")),
        (
            "arn:aws:states:::states:startExecution.sync:2",
            Integration("states", "startExecution", False, "sync:2"),
        ),
        (
            "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            Integration("sqs", "sendMessage", False, "waitForTaskToken"),
        ),
        ("arn:aws:lambda:us-east-1:123456789012:function:f", None),
        ("arn:aws:states:us-east-1:123456789012:activity:a", None),
    ],
)
def test_a_resource_is_taken_apart(resource: str, expected: Integration | None) -> None:
    assert integration_of(resource) == expected


@pytest.mark.parametrize(
    ("boto", "java"),
    [
        ("ACL", "Acl"),
        ("DBInstanceIdentifier", "DbInstanceIdentifier"),
        ("BOOL", "Bool"),
        ("SS", "Ss"),
        ("S", "S"),
        ("ETag", "ETag"),
        ("MultiAZ", "MultiAZ"),
        ("ChecksumCRC32", "ChecksumCRC32"),
        ("SSEDescription", "SseDescription"),
        ("TableName", "TableName"),
        ("executionArn", "ExecutionArn"),
    ],
)
def test_members_are_spelt_as_the_java_sdk_spells_them(boto: str, java: str) -> None:
    assert casing.java_member(boto) == java


@pytest.mark.parametrize(
    ("service_id", "java"),
    [
        ("DynamoDB", "DynamoDb"),
        ("SFN", "Sfn"),
        ("S3", "S3"),
        ("EC2", "Ec2"),
        ("Secrets Manager", "SecretsManager"),
        ("CloudWatch Logs", "CloudWatchLogs"),
        ("EventBridge", "EventBridge"),
    ],
)
def test_services_in_error_names(service_id: str, java: str) -> None:
    assert casing.java_service(service_id) == java


def test_an_sdk_call_takes_and_gives_pascal_case(services: Services) -> None:
    item: Json = {"id": {"S": "1"}, "ok": {"Bool": True}, "tags": {"Ss": ["a"]}}
    assert called(services, "aws-sdk:dynamodb:putItem", {"TableName": "things", "Item": item}) == {}
    got = called(services, "aws-sdk:dynamodb:getItem", {"TableName": "things", "Key": {"id": {"S": "1"}}})
    assert got == {"Item": item}


def test_an_optimised_call_keeps_the_apis_names_and_adds_metadata(services: Services) -> None:
    item: Json = {"id": {"S": "2"}, "ok": {"BOOL": True}}
    called(services, "dynamodb:putItem", {"TableName": "things", "Item": item})
    got = called(services, "dynamodb:getItem", {"TableName": "things", "Key": {"id": {"S": "2"}}})
    assert got["Item"] == item
    assert isinstance(got["SdkHttpMetadata"], dict)
    assert got["SdkHttpMetadata"]["HttpStatusCode"] == 200
    assert "SdkResponseMetadata" in got


def test_a_text_body_is_stored_as_its_json_and_read_back_as_text(services: Services) -> None:
    called(services, "aws-sdk:s3:putObject", {"Bucket": "store", "Key": "k", "Body": "text"})
    got = called(services, "aws-sdk:s3:getObject", {"Bucket": "store", "Key": "k"})
    assert got["Body"] == '"text"'
    assert got["ETag"]
    json.dumps(got)


def test_objects_become_texts_where_the_api_wants_texts(services: Services) -> None:
    topic = "arn:aws:sns:us-east-1:123456789012:news"
    assert called(services, "sns:publish", {"TopicArn": topic, "Message": {"a": 1}})["MessageId"]
    url = "https://sqs.us-east-1.amazonaws.com/123456789012/jobs"
    sent = called(services, "sqs:sendMessage", {"QueueUrl": url, "MessageBody": {"a": "é"}})
    assert sent["MD5OfMessageBody"]
    received = called(services, "aws-sdk:sqs:receiveMessage", {"QueueUrl": url})
    assert isinstance(received["Messages"], list)
    (message,) = received["Messages"]
    assert isinstance(message, dict)
    assert message["Body"] == '{"a":"é"}'


@pytest.mark.parametrize(
    ("resource", "arguments", "error"),
    [
        (
            "aws-sdk:dynamodb:getItem",
            {"TableName": "no", "Key": {"id": {"S": "1"}}},
            "DynamoDb.ResourceNotFoundException",
        ),
        (
            "dynamodb:getItem",
            {"TableName": "no", "Key": {"id": {"S": "1"}}},
            "DynamoDB.ResourceNotFoundException",
        ),
        ("aws-sdk:s3:getObject", {"Bucket": "store", "Key": "no"}, "S3.NoSuchKeyException"),
        ("aws-sdk:s3:headObject", {"Bucket": "store", "Key": "no"}, "S3.S3Exception"),
        (
            "sns:publish",
            {"TopicArn": "arn:aws:sns:us-east-1:123456789012:no", "Message": "m"},
            "SNS.NotFoundException",
        ),
        ("aws-sdk:dynamodb:getItem", {"TableName": "things"}, "States.Runtime"),
        ("aws-sdk:nosuchservice:getItem", {}, "States.Runtime"),
        ("aws-sdk:dynamodb:noSuchAction", {}, "States.Runtime"),
        ("glue:startJobRun", {}, "States.Runtime"),
        ("events:putEvents", {"Entries": [{"DetailType": "d", "Detail": {}}]}, "EventBridge.FailedEntry"),
    ],
)
def test_errors_have_the_names_that_workflows_catch(
    services: Services, resource: str, arguments: Json, error: str
) -> None:
    with pytest.raises(ServiceError) as caught:
        called(services, resource, arguments)
    assert caught.value.error == error


def test_causes_are_worded_as_recorded(services: Services) -> None:
    with pytest.raises(ServiceError) as sdk:
        called(services, "aws-sdk:dynamodb:getItem", {"TableName": "no", "Key": {"id": {"S": "1"}}})
    assert "(Service: DynamoDb, Status Code: 400, Request ID: " in sdk.value.cause
    with pytest.raises(ServiceError) as optimised:
        called(services, "sns:publish", {"TopicArn": "arn:aws:sns:us-east-1:123456789012:no", "Message": "m"})
    assert "(Service: AmazonSNS; Status Code: 404; Error Code: NotFound; Request ID: " in optimised.value.cause
