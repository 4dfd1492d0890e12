"""The Lambda function of an action, as resources: what it runs, what it may do, where it logs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from stepsmith.catalog import ActionSignature, Permission
from stepsmith.template.cloudformation import Value, ref, sub
from stepsmith.template.marks import Resource

POLICY_VERSION: Final = "2012-10-17"
RUNTIME_POLICY: Final = "ActionRuntimePolicy"
"""The user's managed policy with what every action needs: to keep the history and large results."""
RETENTION: Final = "LogRetentionDays"

SECRETS_PREFIX: Final = "stepsmith/"
"""What stands before NAME in Secrets Manager for `secrets.NAME`: the handlers' own default."""
PARAMETER_STORE: Final = "ssm:"
"""Begins a prefix of names in the SSM Parameter Store."""


def function_resources(
    action: ActionSignature, catalogue: str, secrets: Iterable[str], prefix: str = SECRETS_PREFIX
) -> Iterator[Resource]:
    """The function of `action` and its log group.

    `catalogue` is the file that describes the action; `secrets` are those that some workflow passes to it, `prefix` is
    the deployment's `SECRETS_PREFIX`.
    """
    name = action.function_id
    logs = f"{name.removesuffix('Function')}Logs"
    yield Resource(name, f"{catalogue} ({action.name})", _function(action, logs, sorted(secrets), prefix))
    yield Resource(logs, catalogue, log_group(f"/aws/lambda/${{AWS::StackName}}/{action.name}"))


def _function(action: ActionSignature, logs: str, secrets: Sequence[str], prefix: str) -> dict[str, Value]:
    properties: dict[str, Value] = {
        "Description": action.summary,
        "Handler": action.handler,
        "MemorySize": action.memory,
        "Timeout": action.timeout,
        "LoggingConfig": {"LogGroup": ref(logs)},
    }
    if action.layers:
        # SAM adds these to the layers that Globals name. Documented: "Globals section", "Overridable properties".
        properties["Layers"] = [ref(layer) for layer in action.layers]
    if action.environment:
        variables = {key: sub(value) for key, value in sorted(action.environment.items())}
        properties["Environment"] = {"Variables": variables}
    policies: list[Value] = [ref(RUNTIME_POLICY)]
    statements = [statement(entry) for entry in action.permissions]
    if secrets:
        statements.append(statement(_reading(secrets, prefix)))
    if statements:
        policies.append(policy(*statements))
    properties["Policies"] = policies
    return {"Type": "AWS::Serverless::Function", "Properties": properties}


def _reading(secrets: Sequence[str], prefix: str) -> Permission:
    """What it takes to read these secrets, each by its name.

    For SecureStrings under the account's own key, `aws/ssm`, that key's policy allows the rest (KMS developer guide,
    "AWS managed keys"); who uses another key lets the functions decrypt with it in a policy of his own.
    """
    place = "${AWS::Region}:${AWS::AccountId}"
    if prefix.startswith(PARAMETER_STORE):
        path = prefix.removeprefix(PARAMETER_STORE).lstrip("/")
        # The name's leading slash is the ARN's own. Documented: service authorization reference, Systems Manager.
        arns = [f"arn:${{AWS::Partition}}:ssm:{place}:parameter/{path}{name}" for name in secrets]
        return Permission(("ssm:GetParameter",), tuple(arns))
    # Secrets Manager ends an ARN with a hyphen and six characters of its own. Documented: "What's in a secret".
    arns = [f"arn:${{AWS::Partition}}:secretsmanager:{place}:secret:{prefix}{name}-??????" for name in secrets]
    return Permission(("secretsmanager:GetSecretValue",), tuple(arns))


def statement(entry: Permission) -> Value:
    """The statement that allows what `entry` says; several values of one condition are alternatives."""
    allowed: dict[str, Value] = {
        "Effect": "Allow",
        "Action": list(entry.actions),
        "Resource": [sub(resource) for resource in entry.resources],
    }
    conditions: dict[str, dict[str, list[Value]]] = {}
    for operator, key, value in entry.conditions:
        conditions.setdefault(operator, {}).setdefault(key, []).append(sub(value))
    return {**allowed, "Condition": conditions} if conditions else allowed


def policy(*statements: Value) -> Value:
    """An inline policy of these statements."""
    return {"Version": POLICY_VERSION, "Statement": list(statements)}


def log_group(name: str) -> dict[str, Value]:
    """A log group that keeps what the deployment says."""
    return {
        "Type": "AWS::Logs::LogGroup",
        "Properties": {"LogGroupName": sub(name), "RetentionInDays": ref(RETENTION)},
    }
