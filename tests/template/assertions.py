"""What a careful reviewer asks of the stack, as functions of the template that SAM's transform gives.

Each yields a line per finding. `gate.py` calls them all on the real template; their own tests are in
`test_assertions.py`. Only the standard library is imported: SAM's interpreter runs this too.
"""

import json
import re
from collections.abc import Iterator

ANY_RESOURCE_ALLOWED = {
    # None of these can be narrowed. Documented: Step Functions developer guide, "Logging using CloudWatch Logs".
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
    # Nor can these. Documented: service authorization reference, "Amazon EC2" and "AWS Systems Manager".
    "ec2:DescribeInstances",
    "ssm:GetCommandInvocation",
}
MANAGED_ALLOWED = ("AWSLambdaBasicExecutionRole", "AWSXRayDaemonWriteAccess", "AWSXrayWriteOnlyAccess")
"""What SAM itself attaches for logs and tracing."""
FOURTEEN_DAYS = 1209600
RESUME = ".resume"
"""Behind a machine's name: the one whose versions go on with runs of that machine."""
_METHODS = {"get", "put", "post", "delete", "patch", "head", "options", "x-amazon-apigateway-any-method"}
_PHYSICAL_NAMES = {
    "FunctionName", "RoleName", "QueueName", "TopicName", "TableName", "BucketName", "LogGroupName",
    "StateMachineName", "ManagedPolicyName", "AlarmName", "LayerName",
}  # fmt: skip


def resources(template: dict, *kinds: str) -> Iterator[tuple[str, dict, dict]]:
    """(logical id, resource, properties) of every resource of these types."""
    for name, resource in template["Resources"].items():
        if resource["Type"] in kinds:
            yield name, resource, resource.get("Properties", {})


def as_list(value: object) -> list:
    return value if isinstance(value, list) else [] if value is None else [value]


def text_of(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def statements(template: dict) -> Iterator[tuple[str, dict]]:
    """Every statement that grants something to a role of the stack."""
    for name, _, properties in resources(template, "AWS::IAM::Role", "AWS::IAM::ManagedPolicy", "AWS::IAM::Policy"):
        documents = [policy["PolicyDocument"] for policy in as_list(properties.get("Policies"))]
        documents += as_list(properties.get("PolicyDocument"))
        for document in documents:
            for statement in as_list(document["Statement"]):
                yield name, statement


def _worker(template: dict, name: str) -> str:
    """Whose work it is: a machine NAME.resume goes on with the runs of NAME, and does nothing else."""
    given = template["Resources"][name]["Properties"].get("StateMachineName")
    return text_of(given).replace(RESUME, "") if given else name


def least_privilege(template: dict) -> Iterator[str]:
    for name, statement in statements(template):
        actions = as_list(statement.get("Action"))
        if statement["Effect"] == "Allow" and ("NotAction" in statement or any("*" in action for action in actions)):
            yield f"{name} allows {', '.join(actions) or 'NotAction'}"
        for resource in as_list(statement.get("Resource")):
            if resource == "*" and not set(actions) <= ANY_RESOURCE_ALLOWED:
                yield f"{name} allows {', '.join(actions)} on every resource"
    users: dict[str, list[str]] = {}
    for name, _, properties in resources(template, "AWS::Lambda::Function", "AWS::StepFunctions::StateMachine"):
        users.setdefault(text_of(properties.get("Role", properties.get("RoleArn"))), []).append(name)
    for sharing in users.values():
        if len({_worker(template, name) for name in sharing}) > 1:
            yield f"{', '.join(sharing)} share a role"
    for name, _, properties in resources(template, "AWS::IAM::Role"):
        if "PermissionsBoundary" not in properties:
            yield f"{name} has no permissions boundary"
        for arn in as_list(properties.get("ManagedPolicyArns")):
            own = isinstance(arn, dict) and arn.get("Ref") in template["Resources"]
            if not own and not text_of(arn).rstrip('"}]').endswith(MANAGED_ALLOWED):
                yield f"{name} has the managed policy {text_of(arn)}"


def logging(template: dict) -> Iterator[str]:
    groups = {name: properties for name, _, properties in resources(template, "AWS::Logs::LogGroup")}
    for name, properties in groups.items():
        if "RetentionInDays" not in properties:
            yield f"{name} keeps its logs for ever"
    for name, _, properties in resources(template, "AWS::Lambda::Function"):
        config = properties.get("LoggingConfig", {})
        if config.get("LogFormat") != "JSON" or config.get("LogGroup", {}).get("Ref") not in groups:
            yield f"{name} does not log JSON to a log group of the template"
        if properties.get("TracingConfig") != {"Mode": "Active"}:
            yield f"{name} is not traced"
    for name, _, properties in resources(template, "AWS::StepFunctions::StateMachine"):
        config = properties.get("LoggingConfiguration", {})
        text = text_of(config.get("Destinations"))
        used = [group for group in groups if f'"{group}"' in text]
        if config.get("Level", "OFF") == "OFF" or config.get("IncludeExecutionData") is not False or not used:
            yield f"{name} does not log without its data to a log group of the template"
        # A resource policy of CloudWatch Logs may not grow without end; vended log groups need no entry in it.
        if any("/aws/vendedlogs/states/" not in text_of(groups[group].get("LogGroupName")) for group in used):
            yield f"{name} logs to a group outside /aws/vendedlogs/states/"
        if properties.get("TracingConfiguration") != {"Enabled": True}:
            yield f"{name} is not traced"


def delivery(template: dict) -> Iterator[str]:
    """What is called asynchronously is retried, and ends in a queue when that does not help."""
    called: set[str] = set()
    for name, _, properties in resources(template, "AWS::Events::Rule"):
        for target in as_list(properties.get("Targets")):
            called.add(text_of(target["Arn"]))
            if "DeadLetterConfig" not in target or "RetryPolicy" not in target:
                yield f"{name} drops what it cannot deliver"
    for name, _, properties in resources(template, "AWS::Scheduler::Schedule"):
        if not {"DeadLetterConfig", "RetryPolicy"} <= properties["Target"].keys():
            yield f"{name} drops what it cannot deliver"
        if "Name" in properties:
            yield f"{name} has a fixed name, which a second stack cannot have"
    safe = {
        text_of(properties["FunctionName"])
        for _, _, properties in resources(template, "AWS::Lambda::EventInvokeConfig")
        if "OnFailure" in properties.get("DestinationConfig", {})
    }
    for name, _, _ in resources(template, "AWS::Lambda::Function"):
        if any(f'"{name}"' in arn for arn in called) and text_of({"Ref": name}) not in safe:
            yield f"{name} is called asynchronously and drops the events that it fails on"
    protected = "".join(text_of(found["Queues"]) for _, _, found in resources(template, "AWS::SQS::QueuePolicy"))
    for name, _, properties in resources(template, "AWS::SQS::Queue"):
        if not properties.get("SqsManagedSseEnabled") and "KmsMasterKeyId" not in properties:
            yield f"{name} is not encrypted"
        if properties.get("MessageRetentionPeriod") != FOURTEEN_DAYS:
            yield f"{name} does not keep its messages for 14 days"
        if f'"{name}"' not in protected:
            yield f"{name} has no policy"
    for name, _, properties in resources(template, "AWS::SQS::QueuePolicy"):
        found = as_list(properties["PolicyDocument"]["Statement"])
        if not any(entry["Effect"] == "Deny" and "aws:SecureTransport" in text_of(entry) for entry in found):
            yield f"{name} lets messages travel unencrypted"
        for entry in found:
            if entry["Effect"] == "Allow" and "aws:SourceArn" not in text_of(entry.get("Condition")):
                yield f"{name} lets any resource of a service send"


def data(template: dict) -> Iterator[str]:
    for name, resource, _ in resources(template, "AWS::DynamoDB::Table", "AWS::S3::Bucket"):
        if (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy")) != ("Retain", "Retain"):
            yield f"{name} dies with its stack"
    for name, _, properties in resources(template, "AWS::DynamoDB::Table"):
        wanted = {
            "BillingMode": "PAY_PER_REQUEST",
            "SSESpecification": {"SSEEnabled": True},
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        }
        yield from (f"{name} lacks {key}" for key, value in wanted.items() if properties.get(key) != value)
        if not properties.get("TimeToLiveSpecification", {}).get("Enabled"):
            yield f"{name} keeps its items for ever"
    denied = "".join(
        text_of(found["Bucket"])
        for _, _, found in resources(template, "AWS::S3::BucketPolicy")
        if "aws:SecureTransport" in text_of(found["PolicyDocument"])
    )
    for name, _, properties in resources(template, "AWS::S3::Bucket"):
        blocked = properties.get("PublicAccessBlockConfiguration", {})
        if len(blocked) != 4 or not all(value is True for value in blocked.values()):
            yield f"{name} may become public"
        if "BucketEncryption" not in properties:
            yield f"{name} is not encrypted"
        if properties.get("VersioningConfiguration") != {"Status": "Enabled"}:
            yield f"{name} is not versioned"
        if "LifecycleConfiguration" not in properties:
            yield f"{name} grows for ever"
        if f'"{name}"' not in denied:
            yield f"{name} may be read over an unencrypted connection"


def alarms(template: dict) -> Iterator[str]:
    watched = ""
    for name, _, properties in resources(template, "AWS::CloudWatch::Alarm"):
        watched += text_of(properties)
        if properties.get("TreatMissingData") != "notBreaching" or not properties.get("AlarmActions"):
            yield f"{name} rings without data, or tells nobody"
    for name, _, _ in resources(template, "AWS::StepFunctions::StateMachine", "AWS::SQS::Queue"):
        if f'"{name}"' not in watched:
            yield f"no alarm watches {name}"


def machines(template: dict) -> Iterator[str]:
    aliases = text_of([found for _, _, found in resources(template, "AWS::StepFunctions::StateMachineAlias")])
    for name, _, properties in resources(template, "AWS::StepFunctions::StateMachine"):
        # Of a NAME.resume each run starts a version of its own.
        if f"{name}Version" not in aliases and RESUME not in text_of(properties.get("StateMachineName", "")):
            yield f"{name} has no alias"
    for name, _, properties in resources(template, "AWS::Events::Rule", "AWS::Scheduler::Schedule"):
        for target in as_list(properties.get("Targets") or properties.get("Target")):
            machine = target["Arn"].get("Ref", "") if isinstance(target["Arn"], dict) else ""
            kind = template["Resources"].get(machine, {}).get("Type")
            if kind == "AWS::StepFunctions::StateMachine":
                yield f"{name} starts {machine} past its alias"


def routes(template: dict) -> Iterator[str]:
    """Every route of an API wants to know who calls, or a secret in its path; it is throttled and logged."""
    for name, _, properties in resources(template, "AWS::ApiGateway::RestApi", "AWS::ApiGatewayV2::Api"):
        for path, methods in properties.get("Body", {}).get("paths", {}).items():
            for method, route in methods.items():
                if method in _METHODS and not route.get("security") and not path.endswith("/{secret}"):
                    yield f"{name} lets anybody {method.upper()} {path}"
    for name, _, properties in resources(template, "AWS::ApiGatewayV2::Stage"):
        if "AccessLogSettings" not in properties:
            yield f"{name} keeps no access log"
        if "ThrottlingRateLimit" not in properties.get("DefaultRouteSettings", {}):
            yield f"{name} is not throttled"


def placement(template: dict) -> Iterator[str]:
    """Nothing in the stack belongs to one account, region or partition, and two stacks never meet."""
    for name, resource in template["Resources"].items():
        text = json.dumps(resource)
        if re.search(r"(?<![\dA-Fa-f])\d{12}(?![\dA-Fa-f])", text):
            yield f"{name} names an account"
        if re.search(r"\b(?:us|eu|ap|sa|ca|me|af|il|mx|cn)(?:-gov)?-[a-z]+-\d\b", text):
            yield f"{name} names a region"
        if re.search(r'"arn:aws[\w-]*:(?!iam::aws:policy)', text):
            yield f"{name} names a partition"
        for key, value in resource.get("Properties", {}).items():
            if key in _PHYSICAL_NAMES and "AWS::StackName" not in text_of(value) and "Ref" not in text_of(value):
                yield f"{name} has the fixed name {value}"


ASSERTIONS = (least_privilege, logging, delivery, data, alarms, machines, routes, placement)


def findings(template: dict) -> list[str]:
    """All that is wrong with a translated template."""
    return [finding for assertion in ASSERTIONS for finding in assertion(template)]
