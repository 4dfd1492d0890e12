"""The template's resources in the emulated AWS, and the environment that functions get."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from stepsmith.local.aws import LocalAws
from stepsmith.local.functions import ACCOUNT
from stepsmith.local.moto_seam import objects_of
from stepsmith.local.sam import FunctionResource, SamTemplate, TemplateError, read_template
from stepsmith.local.stack import INSTANCE, SENDER
from stepsmith_functions.history import deployment
from stepsmith_functions.runtime.settings import Settings

ROOT = Path(__file__).parents[2]

TEMPLATE = """
    Parameters:
      FileRoots: {Type: String, Default: ''}
      Instance: {Type: String, Default: i-0aaaaaaaaaaaaaaaa}
    Globals: {Function: {CodeUri: code/, Environment: {Variables: {TABLE: !Ref Things}}}}
    Resources:
      Things:
        Type: AWS::DynamoDB::Table
        Properties:
          BillingMode: PAY_PER_REQUEST
          AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
          KeySchema: [{AttributeName: id, KeyType: HASH}]
          StreamSpecification: {StreamViewType: NEW_IMAGE}
          PointInTimeRecoverySpecification: {PointInTimeRecoveryEnabled: true}
      Store: {Type: AWS::S3::Bucket}
      News: {Type: AWS::SNS::Topic, Properties: {TopicName: the-news}}
      Jobs: {Type: AWS::SQS::Queue}
      Bus: {Type: AWS::Events::EventBus, Properties: {Name: mine}}
      Key: {Type: AWS::SecretsManager::Secret, Properties: {Name: stepsmith/key, SecretString: shh}}
      Flag: {Type: AWS::SSM::Parameter, Properties: {Name: /flag, Value: 'on', Type: String}}
      WorkFunction:
        Type: AWS::Serverless::Function
        Properties:
          Handler: a.b
          Environment:
            Variables:
              FILE_ROOTS: !Ref FileRoots
              DEFAULT_INSTANCE_ID: !Ref Instance
              NEWS: !Ref News
              QUEUE: !Sub "${Jobs} ${Jobs.Arn} ${Jobs.QueueName}"
              BUCKET_ARN: !GetAtt Store.Arn
              SELF: !Sub arn:${AWS::Partition}:x:${AWS::Region}:${AWS::AccountId}
"""


@pytest.fixture
def template(tmp_path: Path) -> SamTemplate:
    (tmp_path / "template.yaml").write_text(dedent(TEMPLATE))
    return read_template(tmp_path / "template.yaml")


def local(template: SamTemplate, folder: Path, **options: Any) -> LocalAws:
    return LocalAws(template, template.functions(), folder, **options)


def test_a_functions_environment_is_resolved_with_local_stand_ins(template: SamTemplate, tmp_path: Path) -> None:
    with local(template, tmp_path) as aws:
        variables = aws.stack.variables(template.functions()["WorkFunction"])
    assert variables["TABLE"] == "local-Things"
    assert variables["FILE_ROOTS"] == str(tmp_path)
    assert variables["DEFAULT_INSTANCE_ID"] == "i-0aaaaaaaaaaaaaaaa"
    assert variables["NEWS"] == "arn:aws:sns:us-east-1:123456789012:the-news"
    assert variables["QUEUE"] == (
        "https://sqs.us-east-1.amazonaws.com/123456789012/local-Jobs "
        "arn:aws:sqs:us-east-1:123456789012:local-Jobs local-Jobs"
    )
    assert variables["BUCKET_ARN"] == "arn:aws:s3:::local-store"
    assert variables["SELF"] == "arn:aws:x:us-east-1:123456789012"
    assert variables["ALERTS_SENDER"] == SENDER


def test_a_setting_of_the_process_wins(template: SamTemplate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOW_PRIVATE_ADDRESSES", "true")
    monkeypatch.setenv("DEFAULT_INSTANCE_ID", INSTANCE)
    monkeypatch.setenv("TABLE", "production-table")
    with local(template, tmp_path) as aws:
        variables = aws.stack.variables(template.functions()["WorkFunction"])
    assert variables["ALLOW_PRIVATE_ADDRESSES"] == "true"
    assert variables["DEFAULT_INSTANCE_ID"] == INSTANCE
    assert variables["TABLE"] == "local-Things"


@pytest.mark.row("S0-082")
def test_every_setting_can_be_made_in_the_template(tmp_path: Path) -> None:
    """Each variable that is known to the code; the file is the one that is deployed."""
    names = set(re.findall(r"^ {4}\"\"\"([A-Z0-9_]+):", inspect.getsource(Settings), re.MULTILINE))
    names |= set(re.findall(r"^ {4}([A-Z]+_[A-Z]+) ", deployment.__doc__ or "", re.MULTILINE))
    assert len(names) == len(fields(Settings)) + 1  # HISTORY_DAYS is the history's own
    text = "Resources:\n  Work:\n    Type: AWS::Serverless::Function\n    Properties: {CodeUri: code/, Handler: a.b}\n"
    lines = "".join(f"        {name}: own-{name}\n" for name in sorted(names))
    (tmp_path / "template.yaml").write_text(f"Globals:\n  Function:\n    Environment:\n      Variables:\n{lines}{text}")
    template = read_template(tmp_path / "template.yaml")
    with local(template, tmp_path) as aws:
        variables = aws.stack.variables(template.functions()["Work"])
    assert {name: variables[name] for name in names} == {name: f"own-{name}" for name in names}
    made = Settings.from_environment(variables)
    assert [field.name for field in fields(Settings) if getattr(made, field.name) == field.default] == [
        "allow_private_addresses"  # which only the word true allows
    ]


def test_resources_are_there_when_their_service_is_called(template: SamTemplate, tmp_path: Path) -> None:
    with local(template, tmp_path) as aws:
        table = aws.client("dynamodb").describe_table(TableName="local-Things")["Table"]
        buckets = aws.client("s3").list_buckets()["Buckets"]
        topics = aws.client("sns").list_topics()["Topics"]
        queues = aws.client("sqs").list_queues()["QueueUrls"]
        buses = aws.client("events").list_event_buses()["EventBuses"]
        secret = aws.client("secretsmanager").get_secret_value(SecretId="stepsmith/key")
        parameter = aws.client("ssm").get_parameter(Name="/flag")["Parameter"]
        identities = aws.client("ses").list_identities()["Identities"]
    assert table["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    assert {bucket["Name"] for bucket in buckets} == {"local-store", "local-databucket"}
    assert [topic["TopicArn"].rpartition(":")[2] for topic in topics] == ["the-news"]
    assert [url.rpartition("/")[2] for url in queues] == ["local-Jobs"]
    assert "mine" in {bus["Name"] for bus in buses}
    assert secret["SecretString"] == "shh"
    assert parameter["Value"] == "on"
    assert identities == [SENDER]


def test_without_a_template_there_are_the_historys_table_and_a_bucket(tmp_path: Path) -> None:
    with local(SamTemplate(tmp_path), tmp_path) as aws:
        tables = aws.client("dynamodb").list_tables()["TableNames"]
        buckets = aws.client("s3").list_buckets()["Buckets"]
    assert tables == ["local-HistoryTable"]
    assert [bucket["Name"] for bucket in buckets] == ["local-databucket"]


def test_the_projects_own_template_can_be_made_whole(tmp_path: Path) -> None:
    template = read_template(ROOT / "template.yaml")
    with local(template, tmp_path) as aws:
        aws.client("s3").list_buckets()
        aws.client("sns").list_topics()
        aws.client("sqs").list_queues()
        aws.client("ses").list_identities()
        aws.client("events").list_event_buses()
        for function in template.functions().values():
            assert aws.stack.variables(function)["HISTORY_TABLE"] == "local-HistoryTable"
        keys = aws.client("dynamodb").describe_table(TableName="local-HistoryTable")["Table"]["KeySchema"]
    assert [key["AttributeName"] for key in keys] == ["pk", "sk"]


def test_objects_outlive_the_process_and_deleted_ones_do_not(template: SamTemplate, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    with local(template, tmp_path, kept_objects=kept) as aws:
        s3 = aws.client("s3")
        for key in ("reports/one.html", "two.bin", "../escape", "a//b"):
            s3.put_object(Bucket="local-store", Key=key, Body=key.encode())
    assert (kept / "local-store" / "reports" / "one.html").read_bytes() == b"reports/one.html"
    assert not (kept / "escape").exists()
    with local(template, tmp_path, kept_objects=kept) as aws:
        s3 = aws.client("s3")
        assert s3.get_object(Bucket="local-store", Key="two.bin")["Body"].read() == b"two.bin"
        s3.delete_object(Bucket="local-store", Key="two.bin")
    assert sorted(path.name for path in kept.rglob("*") if path.is_file()) == ["one.html"]


def test_what_is_kept_is_what_the_api_shows(template: SamTemplate, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    with local(template, tmp_path, kept_objects=kept) as aws:
        s3 = aws.client("s3")
        s3.put_bucket_versioning(Bucket="local-store", VersioningConfiguration={"Status": "Enabled"})
        for body in (b"old", b"new"):
            s3.put_object(Bucket="local-store", Key="changed", Body=body)
        s3.put_object(Bucket="local-store", Key="deleted", Body=b"x")
        s3.delete_object(Bucket="local-store", Key="deleted")
        begun = s3.create_multipart_upload(Bucket="local-store", Key="in-parts")["UploadId"]
        of_it = {"Bucket": "local-store", "Key": "in-parts", "UploadId": begun}
        part = s3.upload_part(**of_it, PartNumber=1, Body=b"all of it")["ETag"]
        s3.complete_multipart_upload(**of_it, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]})
        listed = [item["Key"] for item in s3.list_objects_v2(Bucket="local-store")["Contents"]]
        shown = {key: s3.get_object(Bucket="local-store", Key=key)["Body"].read() for key in listed}
        assert dict(objects_of(ACCOUNT, "local-store")) == shown == {"changed": b"new", "in-parts": b"all of it"}
    assert {path.name: path.read_bytes() for path in (kept / "local-store").iterdir()} == shown


def test_nothing_is_kept_of_a_bucket_that_was_deleted(template: SamTemplate, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    with local(template, tmp_path, kept_objects=kept) as aws:
        aws.client("s3").put_object(Bucket="local-store", Key="one", Body=b"1")
    with local(template, tmp_path, kept_objects=kept) as aws:
        aws.client("s3").delete_object(Bucket="local-store", Key="one")
        aws.client("s3").delete_bucket(Bucket="local-store")
    assert list((kept / "local-store").iterdir()) == []


def test_what_cannot_be_resolved_names_itself(tmp_path: Path) -> None:
    text = """
        Resources:
          OddFunction:
            Type: AWS::Serverless::Function
            Properties: {Handler: a.b, CodeUri: ., Environment: {Variables: {X: !ImportValue other}}}
    """
    (tmp_path / "template.yaml").write_text(dedent(text))
    template = read_template(tmp_path / "template.yaml")
    with local(template, tmp_path) as aws, pytest.raises(TemplateError, match="Fn::ImportValue"):
        aws.stack.variables(template.functions()["OddFunction"])


def test_a_setting_of_a_template_that_is_not_there_is_left_to_the_local_stand_in(tmp_path: Path) -> None:
    function = FunctionResource(
        "LooseFunction", "x.handler", tmp_path, 30, 128, {"FILE_ROOTS": {"Fn::Sub": "${FileRoots}"}}
    )
    with local(SamTemplate(tmp_path), tmp_path) as aws:
        assert aws.stack.variables(function)["FILE_ROOTS"] == str(tmp_path)
