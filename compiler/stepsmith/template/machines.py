"""The state machine of a workflow, as resources: its definition, role, logs, triggers and alarm; the machines that
undo its runs after their end and go on with them.

Also what the triggers of all workflows share: the policy of the queue for lost events, and the HTTP API.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, assert_never

from stepsmith.asl.names import RESUME_SUFFIX, ROLLBACK_SUFFIX, environment_key, machine_id, resume_id, rollback_id
from stepsmith.asl.states import StateMachine
from stepsmith.catalog import Permission
from stepsmith.diagnostics import Diagnostics
from stepsmith.model.steps import ChildStep
from stepsmith.model.workflow import ApiTrigger, EventTrigger, ScheduleTrigger, Workflow, WorkflowType
from stepsmith.source import Span
from stepsmith.template.cloudformation import Value, get_att, ref, sub
from stepsmith.template.functions import POLICY_VERSION, log_group, policy, statement
from stepsmith.template.marks import Resource
from stepsmith.template.starter import Starts, starter_resources
from stepsmith.template.triggers import BOUNDARY, DEAD_LETTERS, event_rule, keyed_rule, keyed_schedule, schedule

ALIAS: Final = "live"
ALERTS: Final = "AlertsTopic"
"""The user's topic that alarms go to."""
API: Final = "TriggerApi"

# SAM does not add what Logging needs, and none of these actions can be narrowed to a resource. Documented:
# "Logging using CloudWatch Logs", developer guide of Step Functions.
_LOG_DELIVERY: Final[Mapping[str, Value]] = {
    "Effect": "Allow",
    "Action": [
        "logs:CreateLogDelivery",
        "logs:GetLogDelivery",
        "logs:UpdateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutResourcePolicy",
        "logs:DescribeResourcePolicies",
        "logs:DescribeLogGroups",
    ],
    "Resource": "*",
}


@dataclass(frozen=True, slots=True)
class Deployable:
    """A compiled workflow, and where its parts lie as seen from the template."""

    workflow: Workflow
    functions: tuple[str, ...]
    """Logical ids of the functions that its machine invokes."""
    source: str
    definition: str
    """The file of its compiled definition."""
    environment: tuple[str, ...] = ()
    """Names of the values that its expressions read as `env.NAME`; the template's parameters set them."""
    permissions: tuple[Permission, ...] = ()
    """What its machine must be allowed for the calls of AWS that it makes itself."""
    machines: tuple[str, ...] = ()
    """Logical ids of the state machines that it starts."""
    distributed: tuple[str, ...] = ()
    """Labels of its distributed Maps."""
    rollback: Deployable | None = None
    """What undoes its runs after their end."""
    undoes: bool = False
    """It is such a machine itself, which no trigger starts."""

    @classmethod
    def of(cls, workflow: Workflow, machine: StateMachine, source: str, definition: str) -> Deployable:
        """What there is to deploy of a workflow that compiled to `machine`."""
        undoing = machine.rollback
        rollback = None
        if undoing is not None:
            folder = definition.rpartition("/")[0]
            rollback = cls(
                workflow,
                undoing.functions,
                source,
                f"{folder}/{undoing.name}.asl.json" if folder else f"{undoing.name}.asl.json",
                environment=undoing.environment,
                permissions=undoing.permissions,
                machines=undoing.machines,
                undoes=True,
            )
        return cls(
            workflow,
            machine.functions,
            source,
            definition,
            environment=machine.environment,
            permissions=machine.permissions,
            machines=machine.machines,
            distributed=machine.distributed,
            rollback=rollback,
        )

    @property
    def machine_id(self) -> str:
        return rollback_id(self.workflow.name) if self.undoes else machine_id(self.workflow.name)

    @property
    def name(self) -> str:
        """The machine's name within its stack."""
        return self.workflow.name + (ROLLBACK_SUFFIX if self.undoes else "")

    @property
    def resume_id(self) -> str | None:
        """The logical id of the machine that goes on with its runs; None where there are none to go on with: what
        undoes a run is begun again by itself, and of an express run Step Functions tells nobody how it ended."""
        if self.undoes or self.workflow.type is WorkflowType.EXPRESS:
            return None
        return resume_id(self.workflow.name)

    @property
    def alias_id(self) -> str:
        """The logical id that SAM gives the alias."""
        return f"{self.machine_id}Alias{ALIAS}"


@dataclass
class TriggerRegistry:
    """What the triggers of all workflows need together."""

    rules: list[str] = field(default_factory=list)
    """Logical ids that SAM gives the rules."""
    starts: Starts = field(default_factory=Starts)
    """What is started by way of a function, since it has a `dedupe_key`."""
    routes: dict[tuple[str, str], tuple[Deployable, Span]] = field(default_factory=dict)
    """Workflow by (path, method) of the API."""

    def resources(self, origin: str) -> Iterator[Resource]:
        yield Resource(f"{DEAD_LETTERS}Policy", origin, _queue_policy((*self.rules, *self.starts.rules)))
        yield from starter_resources(self.starts, origin)
        if self.routes:
            yield from _api(self.routes, origin)


def machine_resources(item: Deployable, shared: TriggerRegistry, diagnostics: Diagnostics) -> Iterator[Resource]:
    """The machine of a workflow, its log group and its alarm; notes in `shared` what its triggers need."""
    name = item.machine_id
    events = _events(item, shared, diagnostics)
    generated = (item.alias_id, *(name + event for event in events))
    generated += (f"{name}Role",)
    yield Resource(name, item.source, _machine(item, events), generated)
    group = f"/aws/vendedlogs/states/${{AWS::StackName}}/{item.name}"
    yield Resource(f"{name}Logs", item.source, log_group(group))
    yield Resource(f"{name}Alarm", item.source, _alarm(item))
    if item.resume_id is not None:
        yield Resource(item.resume_id, item.source, _resume_machine(item))
    if item.rollback is not None:
        yield from machine_resources(item.rollback, shared, diagnostics)


def _machine(item: Deployable, events: Mapping[str, Value]) -> dict[str, Value]:
    workflow = item.workflow
    tags: dict[str, Value] = {"Workflow": workflow.name}
    if workflow.version is not None:
        tags["WorkflowVersion"] = workflow.version
    substitutions: dict[str, Value] = {"Partition": ref("AWS::Partition")}
    substitutions |= {key: ref(key) for key in map(environment_key, item.environment)}
    substitutions |= {machine: ref(machine) for machine in item.machines}
    substitutions |= {function: get_att(function) for function in item.functions}
    properties: dict[str, Value] = {
        # No name of a stack has an underscore, so this stack's machines can be told apart by their prefix.
        "Name": sub(f"${{AWS::StackName}}_{item.name}"),
        "Type": workflow.type.upper(),
        "DefinitionUri": item.definition,
        "DefinitionSubstitutions": substitutions,
        "AutoPublishAlias": ALIAS,
        "UseAliasAsEventTarget": True,
        "PermissionsBoundary": BOUNDARY,
        "Policies": [policy(*_statements(item))],
        "Logging": _logging(item),
        "Tracing": {"Enabled": True},
        "Tags": tags,
    }
    if events:
        properties["Events"] = events
    return {"Type": "AWS::Serverless::StateMachine", "Properties": properties}


def _logging(item: Deployable) -> Value:
    return {
        # The history of an express workflow is nowhere but in its log.
        "Level": "ALL" if item.workflow.type is WorkflowType.EXPRESS else "ERROR",
        "IncludeExecutionData": False,
        "Destinations": [{"CloudWatchLogsLogGroup": {"LogGroupArn": get_att(f"{item.machine_id}Logs")}}],
    }


def _resume_machine(item: Deployable) -> dict[str, Value]:
    """The machine of which `stepsmith resume --stack` publishes a version for each run that it goes on with.

    It does for the workflow what the workflow's own machine does, by the same role and into the same log. What stands
    here is what it is between two such runs; a deployment writes it again only when it has changed in the template.
    """
    cause = "stepsmith resume publishes a version of this machine and starts that one"
    return {
        "Type": "AWS::Serverless::StateMachine",
        "Properties": {
            "Name": sub(f"${{AWS::StackName}}_{item.workflow.name}{RESUME_SUFFIX}"),
            "Type": "STANDARD",
            "Definition": {
                "QueryLanguage": "JSONata",
                "StartAt": "Nothing",
                "TimeoutSeconds": 60,
                "States": {"Nothing": {"Type": "Fail", "Error": "NothingToResume", "Cause": cause}},
            },
            "Role": get_att(f"{item.machine_id}Role"),
            "Logging": _logging(item),
            "Tracing": {"Enabled": True},
            "Tags": {"Workflow": item.workflow.name},
        },
    }


def _statements(item: Deployable) -> Iterator[Value]:
    """What the role of the machine allows: the calls that its states make, and to write its log."""
    if item.functions:
        functions = [get_att(function) for function in item.functions]
        yield {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": functions}
    yield from _child_statements(item)
    if item.distributed:
        yield from map(statement, _own_executions(item))
    yield from map(statement, item.permissions)
    yield _LOG_DELIVERY


def _child_statements(item: Deployable) -> Iterator[Value]:
    """To start other workflows and, where a step waits for one, to learn of its end and to stop it.

    Documented: developer guide of Step Functions, "IAM policies for calling other state machines".
    """
    if item.machines:
        yield {"Effect": "Allow", "Action": "states:StartExecution", "Resource": [ref(each) for each in item.machines]}
    steps = [step.rollback for step in item.workflow.undoable] if item.undoes else item.workflow.every_step()
    awaited = sorted({step.workflow for step in steps if isinstance(step, ChildStep) and step.waits})
    if awaited:
        executions = tuple(_arn("states", f"execution:${{AWS::StackName}}_{name}:*") for name in awaited)
        rule = _arn("events", "rule/StepFunctionsGetEventsForStepFunctionsExecutionRule")
        yield statement(Permission(("states:DescribeExecution", "states:StopExecution"), executions))
        yield statement(Permission(("events:DescribeRule", "events:PutRule", "events:PutTargets"), (rule,)))


def _own_executions(item: Deployable) -> Iterator[Permission]:
    """The items of a distributed Map are executions of the machine itself, which its role may not refer to.

    Documented: developer guide of Step Functions, "IAM policies for using Distributed Map states".
    """
    name = f"${{AWS::StackName}}_{item.workflow.name}"
    every = (name,) if item.resume_id is None else (name, name + RESUME_SUFFIX)
    machines = [_arn("states", f"stateMachine:{own}") for own in every]
    yield Permission(("states:StartExecution",), tuple(arn + rest for arn in machines for rest in ("", ":*")))
    executions = (*(_arn("states", f"execution:{own}:*") for own in every), *_executions_of_maps(every, item))
    yield Permission(("states:DescribeExecution", "states:StopExecution"), executions)
    yield Permission(("states:RedriveExecution",), tuple(_executions_of_maps(every, item)))


def _executions_of_maps(every: Iterable[str], item: Deployable) -> Iterator[str]:
    for own in every:
        for label in item.distributed:
            yield _arn("states", f"execution:{own}/{label}:*")


def _arn(service: str, rest: str) -> str:
    return f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{rest}"


def _events(item: Deployable, shared: TriggerRegistry, diagnostics: Diagnostics) -> dict[str, Value]:
    events: dict[str, Value] = {}
    for trigger in () if item.undoes else item.workflow.triggers:
        match trigger:
            case EventTrigger(dedupe_key=key) if key is not None:
                name = _numbered(f"{item.machine_id}Event", shared.starts.events)
                shared.starts.add(name, keyed_rule(trigger, key, item.workflow.name, diagnostics), item.alias_id)
            case ScheduleTrigger(dedupe_key=key) if key is not None:
                name = _numbered(f"{item.machine_id}Schedule", shared.starts.events)
                shared.starts.add(name, keyed_schedule(trigger, key, item.workflow.name, diagnostics), item.alias_id)
            case EventTrigger():
                name = _numbered("Event", events)
                events[name] = event_rule(trigger, diagnostics)
                shared.rules.append(item.machine_id + name)
            case ScheduleTrigger():
                events[_numbered("Schedule", events)] = schedule(trigger, diagnostics)
            case ApiTrigger():
                _add_route(item, trigger, shared, diagnostics)
            case _:
                assert_never(trigger)
    return events


def _numbered(kind: str, names: Mapping[str, Value]) -> str:
    count = sum(name.startswith(kind) for name in names)
    return f"{kind}{count + 1}" if count else kind


def _add_route(item: Deployable, trigger: ApiTrigger, shared: TriggerRegistry, diagnostics: Diagnostics) -> None:
    route = (trigger.path, trigger.method.lower())
    if route in shared.routes:
        other, _ = shared.routes[route]
        diagnostics.error(
            "trigger-taken",
            f"{trigger.method.upper()} {trigger.path} starts {other.workflow.name} already",
            trigger.span,
            "choose another path or method",
        )
        return
    shared.routes[route] = (item, trigger.span)


def _alarm(item: Deployable) -> dict[str, Value]:
    """Tells people when a run fails or runs out of time."""

    def count(name: str, metric: str, machine: str) -> Value:
        dimension: Value = {"Name": "StateMachineArn", "Value": ref(machine)}
        return {
            "Id": name,
            "ReturnData": False,
            "MetricStat": {
                "Metric": {"Namespace": "AWS/States", "MetricName": metric, "Dimensions": [dimension]},
                "Period": 300,
                "Stat": "Sum",
            },
        }

    metrics = {"failed": "ExecutionsFailed", "late": "ExecutionsTimedOut"}
    counts = {name: count(name, metric, item.machine_id) for name, metric in metrics.items()}
    if item.resume_id is not None:
        counts |= {f"resumed_{name}": count(f"resumed_{name}", each, item.resume_id) for name, each in metrics.items()}
    total: Value = {"Id": "total", "Expression": f"SUM([{', '.join(f'FILL({name}, 0)' for name in counts)}])"}
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmDescription": f"A run of {item.workflow.name} could not be undone"
            if item.undoes
            else f"A run of {item.workflow.name} failed or timed out",
            "Metrics": [total, *counts.values()],
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": 0,
            "EvaluationPeriods": 1,
            "TreatMissingData": "notBreaching",
            "AlarmActions": [ref(ALERTS)],
        },
    }


def _queue_policy(rules: Sequence[str]) -> dict[str, Value]:
    """Lets exactly these rules send what they could not deliver. Schedules send with a role of their own."""
    statements: list[Value] = [
        {
            "Sid": "EncryptedTransportOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sqs:*",
            "Resource": get_att(DEAD_LETTERS),
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ]
    if rules:
        statements.append(
            {
                "Sid": "UndeliveredEvents",
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": get_att(DEAD_LETTERS),
                "Condition": {"ArnEquals": {"aws:SourceArn": [get_att(rule) for rule in rules]}},
            }
        )
    return {
        "Type": "AWS::SQS::QueuePolicy",
        "Properties": {"Queues": [ref(DEAD_LETTERS)], "PolicyDocument": policy(*statements)},
    }


def _api(routes: Mapping[tuple[str, str], tuple[Deployable, Span]], origin: str) -> Iterator[Resource]:
    """One HTTP API whose every route wants IAM credentials and starts a workflow with the request's body."""
    paths: dict[str, dict[str, Value]] = {}
    for (path, method), (item, _) in sorted(routes.items(), key=lambda entry: entry[0]):
        paths.setdefault(path, {})[method] = {
            "responses": {"default": {"description": f"Starts {item.workflow.name}"}},
            "x-amazon-apigateway-integration": {
                "type": "aws_proxy",
                "integrationSubtype": "StepFunctions-StartExecution",
                "payloadFormatVersion": "1.0",
                "connectionType": "INTERNET",
                "credentials": get_att(f"{API}Role"),
                "requestParameters": {"StateMachineArn": ref(item.alias_id), "Input": "$request.body"},
                "timeoutInMillis": 10000,
            },
        }
    api: dict[str, Value] = {
        "Type": "AWS::Serverless::HttpApi",
        "Properties": {
            "Auth": {"EnableIamAuthorizer": True, "DefaultAuthorizer": "AWS_IAM"},
            "AccessLogSettings": {
                "DestinationArn": get_att(f"{API}Logs"),
                "Format": '{"requestId":"$context.requestId","route":"$context.routeKey",'
                '"status":"$context.status","caller":"$context.identity.userArn",'
                '"address":"$context.identity.sourceIp","time":"$context.requestTime"}',
            },
            "DefaultRouteSettings": {"ThrottlingBurstLimit": 20, "ThrottlingRateLimit": 10},
            "FailOnWarnings": True,
            "PropagateTags": True,
            "DefinitionBody": {
                "openapi": "3.0.1",
                "info": {"title": ref("AWS::StackName"), "version": "1"},
                "paths": paths,
            },
        },
    }
    started: list[Value] = []
    for item, _ in routes.values():
        if ref(item.alias_id) not in started:
            started.append(ref(item.alias_id))
    role: dict[str, Value] = {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "PermissionsBoundary": BOUNDARY,
            "AssumeRolePolicyDocument": policy(
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "apigateway.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ),
            "Policies": [
                {
                    "PolicyName": "StartWorkflows",
                    "PolicyDocument": {
                        "Version": POLICY_VERSION,
                        "Statement": [{"Effect": "Allow", "Action": "states:StartExecution", "Resource": started}],
                    },
                }
            ],
        },
    }
    yield Resource(API, origin, api)
    yield Resource(f"{API}Role", origin, role)
    yield Resource(f"{API}Logs", origin, log_group("/aws/vendedlogs/apis/${AWS::StackName}"))
