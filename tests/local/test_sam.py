"""The template as a local run reads it: Globals, short tags and intrinsics."""

from __future__ import annotations

from pathlib import Path

import pytest

from stepsmith.document import Json
from stepsmith.local.sam import Resolver, SamTemplate, TemplateError, read_template

TEMPLATE = """\
AWSTemplateFormatVersion: 2010-09-09
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: dev}
  Secret: {Type: String}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  NotProd: !Not [{Condition: IsProd}]
Mappings:
  Sizes: {dev: {memory: 128}}
Globals:
  Function:
    CodeUri: functions/
    Timeout: 30
    Environment:
      Variables:
        TABLE: !Ref Table
        STAGE: !Ref Stage
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: !Sub "${AWS::StackName}-table"
  OneFunction:
    Type: AWS::Serverless::Function
    Properties:
      Handler: package.one.handler
      Timeout: 5
      Environment:
        Variables:
          STAGE: !If [IsProd, live, !Sub "not-${Stage}"]
          TABLE_ARN: !GetAtt Table.Arn
"""


@pytest.fixture
def template(tmp_path: Path) -> SamTemplate:
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    return read_template(tmp_path / "template.yaml")


@pytest.fixture
def resolver(template: SamTemplate) -> Resolver:
    def attribute(resource: str, name: str) -> str:
        return f"{resource}/{name}"

    pseudo = {"AWS::StackName": "stack", "AWS::Region": "us-east-1"}
    return Resolver(template, pseudo, lambda name: f"id-{name}", attribute)


def test_functions_take_what_globals_say_and_their_own_wins(template: SamTemplate, tmp_path: Path) -> None:
    function = template.functions()["OneFunction"]
    assert function.handler == "package.one.handler"
    assert function.code == tmp_path / "functions"
    assert (function.timeout, function.memory) == (5, 128)
    assert set(function.environment) == {"TABLE", "STAGE", "TABLE_ARN"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "Table"}, "id-Table"),
        ({"Ref": "Stage"}, "dev"),
        ({"Fn::GetAtt": ["Table", "Arn"]}, "Table/Arn"),
        ({"Fn::Sub": "${AWS::Region}/${Table}/${Table.Arn}"}, "us-east-1/id-Table/Table/Arn"),
        ({"Fn::Sub": "${!Literal}"}, "${Literal}"),
        ({"Fn::Sub": ["${Mine}-${Stage}", {"Mine": {"Ref": "Table"}}]}, "id-Table-dev"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Stage"}]]}, "a-dev"),
        ({"Fn::Select": [1, {"Fn::Split": ["-", "a-b-c"]}]}, "b"),
        ({"Fn::If": ["NotProd", 1, 2]}, 1),
        ({"Fn::FindInMap": ["Sizes", {"Ref": "Stage"}, "memory"]}, 128),
        ({"a": [{"Ref": "Stage"}], "b": {"Ref": "AWS::NoValue"}, "c": None}, {"a": ["dev"], "c": None}),
    ],
)
def test_intrinsics_resolve_as_cloudformation_does(resolver: Resolver, value: Json, expected: Json) -> None:
    assert resolver.resolve(value) == expected


def test_short_tags_read_as_their_long_forms(template: SamTemplate, resolver: Resolver) -> None:
    environment = template.functions()["OneFunction"].environment
    assert resolver.text(environment["STAGE"]) == "not-dev"
    assert resolver.text(environment["TABLE_ARN"]) == "Table/Arn"
    assert resolver.text(template.resources["Table"].properties["TableName"]) == "stack-table"


def test_what_cannot_be_resolved_says_so(resolver: Resolver) -> None:
    with pytest.raises(TemplateError, match="ImportValue"):
        resolver.resolve({"Fn::ImportValue": "other-stack"})
    with pytest.raises(TemplateError, match="no condition"):
        resolver.resolve({"Fn::If": ["Absent", 1, 2]})


@pytest.mark.parametrize("text", ["- a list\n", "a: [unclosed\n"])
def test_a_file_that_is_no_template_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "template.yaml").write_text(text)
    with pytest.raises(TemplateError, match="template"):
        read_template(tmp_path / "template.yaml")
