"""The reviewer's assertions find each fault in a stack that has none but this one."""

import json

import pytest

from tests.template.assertions import findings

RETAINED = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
TLS_ONLY = {"Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
SECURED = {"security": [{"AWS_IAM": []}]}


def arn(name: str) -> dict:
    return {"Fn::GetAtt": [name, "Arn"]}


def role(*statements: dict, **more: object) -> dict:
    properties = {"PermissionsBoundary": {"Ref": "Boundary"}, "Policies": [policy(*statements)], **more}
    return {"Type": "AWS::IAM::Role", "Properties": properties}


def policy(*statements: dict) -> dict:
    return {"PolicyDocument": {"Statement": list(statements)}}


def stack() -> dict:
    """A small stack to which nobody objects."""
    read = {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": arn("Table")}
    logs = {"Effect": "Allow", "Action": ["logs:CreateLogDelivery"], "Resource": "*"}
    target = {"Arn": arn("Fn"), "DeadLetterConfig": {"Arn": arn("Queue")}, "RetryPolicy": {"MaximumRetryAttempts": 1}}
    found = {
        "Table": {
            "Type": "AWS::DynamoDB::Table",
            **RETAINED,
            "Properties": {
                "BillingMode": "PAY_PER_REQUEST",
                "SSESpecification": {"SSEEnabled": True},
                "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
                "TimeToLiveSpecification": {"AttributeName": "t", "Enabled": True},
            },
        },
        "Bucket": {
            "Type": "AWS::S3::Bucket",
            **RETAINED,
            "Properties": {
                "BucketEncryption": {},
                "VersioningConfiguration": {"Status": "Enabled"},
                "LifecycleConfiguration": {},
                "PublicAccessBlockConfiguration": dict.fromkeys("abcd", True),
            },
        },
        "BucketPolicy": {
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": {"Statement": [TLS_ONLY]}},
        },
        "FnRole": role(read, ManagedPolicyArns=["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"]),
        "FnLogs": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 30}},
        "Fn": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Role": arn("FnRole"),
                "LoggingConfig": {"LogFormat": "JSON", "LogGroup": {"Ref": "FnLogs"}},
                "TracingConfig": {"Mode": "Active"},
            },
        },
        "FnConfig": {
            "Type": "AWS::Lambda::EventInvokeConfig",
            "Properties": {"FunctionName": {"Ref": "Fn"}, "DestinationConfig": {"OnFailure": {}}},
        },
        "MachineRole": role(logs),
        "MachineLogs": {
            "Type": "AWS::Logs::LogGroup",
            "Properties": {
                "RetentionInDays": 30,
                "LogGroupName": {"Fn::Sub": "/aws/vendedlogs/states/${AWS::StackName}/m"},
            },
        },
        "Machine": {
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {
                "RoleArn": arn("MachineRole"),
                "LoggingConfiguration": {
                    "Level": "ERROR",
                    "IncludeExecutionData": False,
                    "Destinations": [{"CloudWatchLogsLogGroup": {"LogGroupArn": arn("MachineLogs")}}],
                },
                "TracingConfiguration": {"Enabled": True},
            },
        },
        "MachineAlias": {
            "Type": "AWS::StepFunctions::StateMachineAlias",
            "Properties": {"DeploymentPreference": {"StateMachineVersionArn": {"Ref": "MachineVersion1"}}},
        },
        "Rule": {"Type": "AWS::Events::Rule", "Properties": {"Targets": [target]}},
        "Daily": {
            "Type": "AWS::Scheduler::Schedule",
            "Properties": {"Target": {**target, "Arn": {"Ref": "MachineAlias"}}},
        },
        "Queue": {
            "Type": "AWS::SQS::Queue",
            "Properties": {"SqsManagedSseEnabled": True, "MessageRetentionPeriod": 1209600},
        },
        "QueuePolicy": {
            "Type": "AWS::SQS::QueuePolicy",
            "Properties": {
                "Queues": [{"Ref": "Queue"}],
                "PolicyDocument": {
                    "Statement": [
                        TLS_ONLY,
                        {"Effect": "Allow", "Condition": {"ArnEquals": {"aws:SourceArn": arn("Rule")}}},
                    ]
                },
            },
        },
        "Alarm": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "TreatMissingData": "notBreaching",
                "AlarmActions": [{"Ref": "Topic"}],
                "Dimensions": [{"Value": {"Ref": "Machine"}}, {"Value": {"Fn::GetAtt": ["Queue", "QueueName"]}}],
            },
        },
        "Api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Body": {"paths": {"/x": {"post": SECURED}}}}},
        "Stage": {
            "Type": "AWS::ApiGatewayV2::Stage",
            "Properties": {"AccessLogSettings": {}, "DefaultRouteSettings": {"ThrottlingRateLimit": 1}},
        },
    }
    return {"Resources": json.loads(json.dumps(found))}


def test_a_good_stack_has_no_findings():
    assert findings(stack()) == []


STATEMENT = "FnRole.Properties.Policies.0.PolicyDocument.Statement.0"
FAULTS = [
    (f"{STATEMENT}.Action", "dynamodb:*", "FnRole allows dynamodb:*"),
    (f"{STATEMENT}.Resource", "*", "FnRole allows dynamodb:GetItem on every resource"),
    ("FnRole.Properties.PermissionsBoundary", None, "FnRole has no permissions boundary"),
    (
        "FnRole.Properties.ManagedPolicyArns",
        ["arn:aws:iam::aws:policy/AdministratorAccess"],
        "FnRole has the managed policy arn:aws:iam::aws:policy/AdministratorAccess",
    ),
    ("Machine.Properties.RoleArn", arn("FnRole"), "Fn, Machine share a role"),
    ("FnLogs.Properties.RetentionInDays", None, "FnLogs keeps its logs for ever"),
    ("Fn.Properties.LoggingConfig.LogFormat", "Text", "Fn does not log JSON to a log group of the template"),
    ("Fn.Properties.LoggingConfig.LogGroup", None, "Fn does not log JSON to a log group of the template"),
    ("Fn.Properties.TracingConfig", None, "Fn is not traced"),
    ("Machine.Properties.TracingConfiguration.Enabled", False, "Machine is not traced"),
    (
        "Machine.Properties.LoggingConfiguration.IncludeExecutionData",
        True,
        "Machine does not log without its data to a log group of the template",
    ),
    (
        "MachineLogs.Properties.LogGroupName",
        {"Fn::Sub": "/${AWS::StackName}/m"},
        "Machine logs to a group outside /aws/vendedlogs/states/",
    ),
    ("Rule.Properties.Targets.0.DeadLetterConfig", None, "Rule drops what it cannot deliver"),
    ("Rule.Properties.Targets.0.RetryPolicy", None, "Rule drops what it cannot deliver"),
    ("Rule.Properties.Targets.0.Arn", {"Ref": "Machine"}, "Rule starts Machine past its alias"),
    ("Daily.Properties.Target.DeadLetterConfig", None, "Daily drops what it cannot deliver"),
    ("Daily.Properties.Name", "daily", "Daily has a fixed name, which a second stack cannot have"),
    ("FnConfig", None, "Fn is called asynchronously and drops the events that it fails on"),
    ("Queue.Properties.SqsManagedSseEnabled", None, "Queue is not encrypted"),
    ("Queue.Properties.MessageRetentionPeriod", 60, "Queue does not keep its messages for 14 days"),
    ("QueuePolicy", None, "Queue has no policy"),
    (
        "QueuePolicy.Properties.PolicyDocument.Statement.0.Condition",
        None,
        "QueuePolicy lets messages travel unencrypted",
    ),
    (
        "QueuePolicy.Properties.PolicyDocument.Statement.1.Condition",
        None,
        "QueuePolicy lets any resource of a service send",
    ),
    ("Table.DeletionPolicy", None, "Table dies with its stack"),
    ("Bucket.UpdateReplacePolicy", "Delete", "Bucket dies with its stack"),
    ("Table.Properties.PointInTimeRecoverySpecification", None, "Table lacks PointInTimeRecoverySpecification"),
    ("Table.Properties.TimeToLiveSpecification", None, "Table keeps its items for ever"),
    ("Bucket.Properties.PublicAccessBlockConfiguration.a", False, "Bucket may become public"),
    ("Bucket.Properties.BucketEncryption", None, "Bucket is not encrypted"),
    ("Bucket.Properties.VersioningConfiguration", None, "Bucket is not versioned"),
    ("Bucket.Properties.LifecycleConfiguration", None, "Bucket grows for ever"),
    ("BucketPolicy", None, "Bucket may be read over an unencrypted connection"),
    ("Alarm.Properties.AlarmActions", [], "Alarm rings without data, or tells nobody"),
    ("Alarm.Properties.Dimensions.0", {}, "no alarm watches Machine"),
    ("Alarm.Properties.Dimensions.1", {}, "no alarm watches Queue"),
    ("MachineAlias", None, "Machine has no alias"),
    ("Api.Properties.Body.paths./x.post.security", None, "Api lets anybody POST /x"),
    ("Stage.Properties.AccessLogSettings", None, "Stage keeps no access log"),
    ("Stage.Properties.DefaultRouteSettings", {}, "Stage is not throttled"),
    ("Rule.Properties.Description", "in 123456789012", "Rule names an account"),
    ("Rule.Properties.Description", "in eu-central-1", "Rule names a region"),
    ("Rule.Properties.Description", "arn:aws:s3:::x", "Rule names a partition"),
    ("Queue.Properties.QueueName", "queue", "Queue has the fixed name queue"),
]


@pytest.mark.parametrize(("place", "value", "finding"), FAULTS)
def test_each_fault_is_found_alone(place, value, finding):
    template = stack()
    holder, *keys = template["Resources"], *place.split(".")
    for key in keys[:-1]:
        holder = holder[int(key) if isinstance(holder, list) else key]
    last = int(keys[-1]) if isinstance(holder, list) else keys[-1]
    if value is None:
        del holder[last]
    else:
        holder[last] = value
    assert findings(template) == [finding]


def test_a_link_with_a_secret_needs_no_other_proof():
    template = stack()
    paths = template["Resources"]["Api"]["Properties"]["Body"]["paths"]
    paths["/x/{secret}"] = {"get": {}}
    assert findings(template) == []
    paths["/{secret}/x"] = {"get": {}}
    assert findings(template) == ["Api lets anybody GET /{secret}/x"]


def test_only_the_machine_that_goes_on_with_its_runs_shares_a_machines_role():
    template = stack()
    found = template["Resources"]
    named = {**found["Machine"]["Properties"], "StateMachineName": {"Fn::Sub": "${AWS::StackName}_m"}}
    found["Machine"]["Properties"] = named
    resumes = {**named, "StateMachineName": {"Fn::Sub": "${AWS::StackName}_m.resume"}}
    found["Resumes"] = {"Type": "AWS::StepFunctions::StateMachine", "Properties": resumes}
    found["Alarm"]["Properties"]["Dimensions"].append({"Value": {"Ref": "Resumes"}})
    assert findings(template) == []
    resumes["StateMachineName"] = {"Fn::Sub": "${AWS::StackName}_other.resume"}
    assert findings(template) == ["Machine, Resumes share a role"]
    resumes["StateMachineName"] = {"Fn::Sub": "${AWS::StackName}_m.again"}
    assert findings(template) == ["Machine, Resumes share a role", "Resumes has no alias"]
