"""From workflows and actions to the resources of the template, and what is said when that cannot be."""

import json
import re
from pathlib import Path

import pytest
import yaml

from stepsmith.catalog import ActionCatalog, ActionSignature, Permission
from stepsmith.diagnostics import Diagnostics
from stepsmith.document import ScalarNode
from stepsmith.engine import validate
from stepsmith.expressions.syntax import parse_template
from stepsmith.model.steps import ActionStep, ChildStep
from stepsmith.model.values import Field, Literal, ObjectValue, Templated
from stepsmith.model.workflow import ApiTrigger, EventTrigger, ScheduleTrigger, Workflow, WorkflowType
from stepsmith.source import SourceFile
from stepsmith.template.machines import Deployable
from stepsmith.template.plan import difference, plan_template

SPAN = SourceFile("workflows/order.yaml", "order").span(0, 5)
BASE = """\
Parameters:
  LogRetentionDays: {Type: Number}
  FileRoots: {Type: String}
  PermissionsBoundary: {Type: String}
Conditions:
  HasPermissionsBoundary: !Not [!Equals [!Ref PermissionsBoundary, '']]
Resources:
  ActionRuntimePolicy: {Type: AWS::IAM::ManagedPolicy}
  DataBucket: {Type: AWS::S3::Bucket}
  TriggerDeadLetterQueue: {Type: AWS::SQS::Queue}
  AlertsTopic: {Type: AWS::SNS::Topic}
"""


def action(name: str = "quarantine_file", **more: object) -> ActionSignature:
    return ActionSignature(
        name=name, summary=f"Does {name}.", handler=f"pkg.{name}.handler", params={}, result={}, **more
    )


def deployable(name: str = "order", functions: tuple[str, ...] = (), **more: object) -> Deployable:
    workflow = Workflow(name=name, steps=(), span=SPAN, name_span=SPAN, **more)
    return Deployable(workflow, functions, f"workflows/{name}.yaml", f"workflows/asl/{name}.asl.json")


class Loader(yaml.SafeLoader):
    """Reads `!Ref A` as the text `Ref A` and so on."""


def _short(loader, name, node):
    if isinstance(node, yaml.ScalarNode):
        return f"{name} {node.value}"
    return [name, *loader.construct_sequence(node, deep=True)]


Loader.add_multi_constructor("!", _short)


def planned(workflows=(), actions=(), base: str = BASE) -> dict:
    plan = plan_template(base, workflows, ActionCatalog(actions))
    assert plan.diagnostics == ()
    assert plan_template(plan.text, workflows, ActionCatalog(actions)).text == plan.text
    return yaml.load(plan.text, Loader=Loader)["Resources"]


def test_an_action_becomes_a_function_with_only_its_own_rights():
    permission = Permission(("s3:GetObject",), ("${DataBucket.Arn}/quarantine/*",))
    found = planned(
        actions=[action(timeout=60, memory=512, permissions=(permission,), environment={"ROOTS": "${FileRoots}"})]
    )
    function = found["QuarantineFileFunction"]
    assert "Metadata" not in function
    assert function["Properties"] == {
        "Description": "Does quarantine_file.",
        "Handler": "pkg.quarantine_file.handler",
        "MemorySize": 512,
        "Timeout": 60,
        "LoggingConfig": {"LogGroup": "Ref QuarantineFileLogs"},
        "Environment": {"Variables": {"ROOTS": "Sub ${FileRoots}"}},
        "Policies": [
            "Ref ActionRuntimePolicy",
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Action": ["s3:GetObject"],
                        "Resource": ["Sub ${DataBucket.Arn}/quarantine/*"],
                    }
                ],
            },
        ],
    }
    assert found["QuarantineFileLogs"]["Properties"]["RetentionInDays"] == "Ref LogRetentionDays"


def test_a_machine_may_invoke_exactly_its_functions():
    actions = [action("one"), action("two"), action("three")]
    found = planned([deployable(functions=("OneFunction", "TwoFunction"))], actions)
    machine = found["OrderMachine"]["Properties"]
    first, second = machine["Policies"][0]["Statement"]
    assert (first["Action"], first["Resource"]) == (
        "lambda:InvokeFunction",
        ["GetAtt OneFunction.Arn", "GetAtt TwoFunction.Arn"],
    )
    assert second["Resource"] == "*"
    assert all(re.fullmatch(r"logs:\w+", each) for each in second["Action"])
    assert machine["DefinitionSubstitutions"] == {
        "Partition": "Ref AWS::Partition",
        "OneFunction": "GetAtt OneFunction.Arn",
        "TwoFunction": "GetAtt TwoFunction.Arn",
    }


def test_a_machine_may_start_and_await_the_workflows_that_it_runs():
    def child(name: str, waits: bool) -> ChildStep:
        params = ObjectValue((), SPAN)
        return ChildStep(
            id=f"run-{name}", span=SPAN, id_span=SPAN, workflow=name, workflow_span=SPAN, params=params, waits=waits
        )

    parent = Workflow(name="parent", steps=(child("one", True), child("two", False)), span=SPAN, name_span=SPAN)
    item = Deployable(parent, (), "workflows/parent.yaml", "p.asl.json", machines=("OneMachine", "TwoMachine"))
    machine = planned([item, deployable("one"), deployable("two")])["ParentMachine"]["Properties"]
    assert machine["DefinitionSubstitutions"] == {
        "Partition": "Ref AWS::Partition",
        "OneMachine": "Ref OneMachine",
        "TwoMachine": "Ref TwoMachine",
    }
    start, follow, rule, _ = machine["Policies"][0]["Statement"]
    assert (start["Action"], start["Resource"]) == ("states:StartExecution", ["Ref OneMachine", "Ref TwoMachine"])
    assert follow["Action"] == ["states:DescribeExecution", "states:StopExecution"]
    assert [each.rpartition("execution:")[2] for each in follow["Resource"]] == ["${AWS::StackName}_one:*"]
    (arn,) = rule["Resource"]
    assert arn.endswith(":rule/StepFunctionsGetEventsForStepFunctionsExecutionRule")


def test_a_machine_with_a_distributed_map_may_run_its_items_and_no_other_machine():
    workflow = Workflow(name="order", steps=(), span=SPAN, name_span=SPAN)
    item = Deployable(workflow, (), "workflows/order.yaml", "o.asl.json", distributed=("items",))
    *statements, _ = planned([item])["OrderMachine"]["Properties"]["Policies"][0]["Statement"]
    allowed = {
        action: [each.partition("AccountId}:")[2] for each in statement["Resource"]]
        for statement in statements
        for action in statement["Action"]
    }
    own = "${AWS::StackName}_order"
    executions = [
        *(f"execution:{own}:*", f"execution:{own}.resume:*"),
        *(f"execution:{own}/items:*", f"execution:{own}.resume/items:*"),
    ]
    machines = [f"stateMachine:{own}", f"stateMachine:{own}.resume"]
    assert allowed == {
        "states:StartExecution": [arn + rest for arn in machines for rest in ("", ":*")],
        "states:DescribeExecution": executions,
        "states:StopExecution": executions,
        "states:RedriveExecution": executions[2:],
    }


def test_conditions_of_a_permission_are_kept_whole():
    conditions = (("StringEquals", "a:one", "1"), ("StringEquals", "a:two", "2"), ("StringEquals", "a:two", "3"))
    permission = Permission(("s3:GetObject",), ("${DataBucket.Arn}/*",), conditions)
    found = planned(actions=[action(permissions=(permission,))])["QuarantineFileFunction"]["Properties"]["Policies"]
    assert found[1]["Statement"][0]["Condition"] == {"StringEquals": {"a:one": ["1"], "a:two": ["2", "3"]}}


def test_values_that_are_set_at_deployment_come_from_parameters():
    base = BASE.replace("Parameters:\n", "Parameters:\n  EnvApiUrl: {Type: String}\n")
    workflow = Workflow(name="order", steps=(), span=SPAN, name_span=SPAN)
    item = Deployable(workflow, (), "workflows/order.yaml", "order.asl.json", environment=("API_URL",))
    assert planned([item], base=base)["OrderMachine"]["Properties"]["DefinitionSubstitutions"] == {
        "Partition": "Ref AWS::Partition",
        "EnvApiUrl": "Ref EnvApiUrl",
    }
    assert problems([item]) == [
        ("template-missing", "the template has no EnvApiUrl, which the generated OrderMachine refers to")
    ]


@pytest.mark.row("S0-096")
def test_a_machine_is_named_published_logged_and_tagged():
    machine = planned([deployable(version="1.0", type=WorkflowType.STANDARD)])["OrderMachine"]
    assert machine["Metadata"]["Stepsmith"]["Source"] == "workflows/order.yaml"
    properties = machine["Properties"]
    assert properties["Name"] == "Sub ${AWS::StackName}_order"
    assert properties["DefinitionUri"] == "workflows/asl/order.asl.json"
    assert (properties["AutoPublishAlias"], properties["UseAliasAsEventTarget"]) == ("live", True)
    assert (properties["Logging"]["Level"], properties["Logging"]["IncludeExecutionData"]) == ("ERROR", False)
    assert properties["Tags"] == {"Workflow": "order", "WorkflowVersion": "1.0"}
    assert "Events" not in properties


def test_an_express_workflow_logs_all_of_its_events():
    found = planned([deployable(type=WorkflowType.EXPRESS)])
    properties = found["OrderMachine"]["Properties"]
    assert (properties["Type"], properties["Logging"]["Level"]) == ("EXPRESS", "ALL")
    assert "OrderResumeMachine" not in found


def test_the_machine_that_goes_on_with_runs_is_as_its_workflows_own():
    found = planned([deployable(version="1.0", type=WorkflowType.STANDARD)])
    own, resumes = found["OrderMachine"]["Properties"], found["OrderResumeMachine"]["Properties"]
    assert resumes["Name"] == "Sub ${AWS::StackName}_order.resume"
    assert resumes["Role"] == "GetAtt OrderMachineRole.Arn"
    assert (resumes["Logging"], resumes["Tracing"]) == (own["Logging"], own["Tracing"])
    assert validate(json.dumps(resumes["Definition"])) == []
    # A new version of the workflow does not make it another one.
    assert resumes["Tags"] == {"Workflow": "order"}
    metrics = found["OrderMachineAlarm"]["Properties"]["Metrics"]
    watched = [each["MetricStat"]["Metric"]["Dimensions"][0]["Value"] for each in metrics[1:]]
    assert watched == ["Ref OrderMachine"] * 2 + ["Ref OrderResumeMachine"] * 2
    assert metrics[0]["Expression"] == (
        "SUM([FILL(failed, 0), FILL(late, 0), FILL(resumed_failed, 0), FILL(resumed_late, 0)])"
    )


def test_every_trigger_becomes_an_event_whose_losses_are_kept():
    constant = ObjectValue((Field("a", SPAN, Literal(1, SPAN)),), SPAN)
    triggers = (
        EventTrigger({"source": ["a"]}, None, SPAN),
        ScheduleTrigger("rate(1 day)", None, constant, SPAN),
        EventTrigger({"source": ["b"], "detail": {"x": [None, 1.5, True]}}, constant, SPAN),
        ScheduleTrigger("cron(0 8 * * ? *)", "Europe/Berlin", None, SPAN),
    )
    found = planned([deployable(triggers=triggers)])
    events = found["OrderMachine"]["Properties"]["Events"]
    assert list(events) == ["Event", "Schedule", "Event2", "Schedule2"]
    assert events["Event2"]["Properties"]["Pattern"] == {"source": ["b"], "detail": {"x": [None, 1.5, True]}}
    for event in events.values():
        assert event["Properties"]["DeadLetterConfig"] == {"Arn": "GetAtt TriggerDeadLetterQueue.Arn"}
        assert event["Properties"]["RetryPolicy"]["MaximumRetryAttempts"] > 0
    senders = found["TriggerDeadLetterQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"][1]
    assert senders["Condition"] == {
        "ArnEquals": {"aws:SourceArn": ["GetAtt OrderMachineEvent.Arn", "GetAtt OrderMachineEvent2.Arn"]}
    }


def test_requests_reach_their_workflow_through_one_api_with_credentials():
    one = deployable("one", triggers=(ApiTrigger("POST", "/things", SPAN), ApiTrigger("PUT", "/things", SPAN)))
    two = deployable("two", triggers=(ApiTrigger("POST", "/others", SPAN),))
    found = planned([one, two])
    api = found["TriggerApi"]["Properties"]
    assert api["Auth"] == {"EnableIamAuthorizer": True, "DefaultAuthorizer": "AWS_IAM"}
    paths = api["DefinitionBody"]["paths"]
    assert {path: list(methods) for path, methods in paths.items()} == {"/things": ["post", "put"], "/others": ["post"]}
    integration = paths["/others"]["post"]["x-amazon-apigateway-integration"]
    assert integration["requestParameters"] == {"StateMachineArn": "Ref TwoMachineAliaslive", "Input": "$request.body"}
    (statement,) = found["TriggerApiRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    assert statement["Resource"] == ["Ref OneMachineAliaslive", "Ref TwoMachineAliaslive"]


def test_resources_come_in_an_order_that_does_not_depend_on_the_files():
    workflows = [deployable("two"), deployable("one")]
    actions = [action("b"), action("a")]
    assert list(planned(workflows, actions)) == list(planned(workflows[::-1], actions[::-1]))


# --- what cannot be -----------------------------------------------------------------------------------------------


def problems(workflows=(), actions=(), base: str = BASE) -> list[tuple[str, str]]:
    plan = plan_template(base, workflows, ActionCatalog(actions))
    return [(found.slug, found.message) for found in plan.diagnostics]


def test_one_route_starts_one_workflow():
    both = [deployable(name, triggers=(ApiTrigger("POST", "/x", SPAN),)) for name in ("one", "two")]
    assert problems(both) == [("trigger-taken", "POST /x starts one already")]


def test_two_names_that_make_one_resource_are_refused():
    assert problems([deployable("a-1"), deployable("a1")]) == [
        ("workflow-name-taken", '"a1" makes the resource A1Machine, as workflows/a-1.yaml does')
    ]


def test_what_the_template_must_bring_is_named_once_with_who_needs_it():
    base = BASE.replace("  AlertsTopic: {Type: AWS::SNS::Topic}\n", "")
    assert problems([deployable("one"), deployable("two")], base=base) == [
        ("template-missing", "the template has no AlertsTopic, which the generated OneMachineAlarm refers to")
    ]


def test_a_kept_resource_needs_nothing_of_the_template():
    kept = "  QuarantineFileFunction:\n    # Stepsmith: keep\n    Type: AWS::Serverless::Function\n"
    permission = Permission(("s3:GetObject",), ("${Missing.Arn}/*",))
    assert problems(actions=[action(permissions=(permission,))])[0][0] == "template-missing"
    assert problems(actions=[action(permissions=(permission,))], base=BASE + kept) == []


@pytest.mark.parametrize("base", ["", "Resources: {}\n", "a: [\n"])
def test_a_text_that_is_no_template_stays_as_it_is(base):
    plan = plan_template(base, [deployable()], ActionCatalog())
    assert (plan.text, [found.slug for found in plan.diagnostics]) == (base, ["template-invalid"])


def test_a_difference_is_shown_as_a_unified_diff():
    assert difference("template.yaml", "a\nb\n", "a\nb\n") == ""
    assert difference("template.yaml", "a\nb\n", "a\nc\n") == (
        "--- template.yaml (now)\n+++ template.yaml (built)\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
    )
    assert difference("template.yaml", "a\r\n", "a\n") == "template.yaml: line ends differ\n"


def test_the_projects_own_template_brings_what_any_workflow_needs():
    text = (Path(__file__).parents[2] / "template.yaml").read_text(encoding="utf-8")
    triggers = (
        EventTrigger({}, None, SPAN),
        ApiTrigger("POST", "/x", SPAN),
        ScheduleTrigger("rate(1 day)", None, None, SPAN),
    )
    plan = plan_template(text, [deployable("brand-new", triggers=triggers)], ActionCatalog())
    assert plan.diagnostics == ()


def workflow_with_secrets() -> Deployable:
    def step(name: str, text: str) -> ActionStep:
        source, found = SourceFile("workflows/order.yaml", text), Diagnostics()
        template = parse_template(ScalarNode(text, source.span(0, len(text)), plain=False), source, found)
        params = ObjectValue((Field("token", SPAN, Templated(template)),), SPAN)
        return ActionStep(id=name, span=SPAN, id_span=SPAN, action=name, action_span=SPAN, params=params)

    steps = (step("one", "Bearer {{ secrets.TOKEN }}"), step("two", "{{ input.secrets }}"))
    workflow = Workflow(name="order", steps=steps, span=SPAN, name_span=SPAN)
    return Deployable(workflow, ("OneFunction", "TwoFunction"), "workflows/order.yaml", "x.asl.json")


def test_a_function_may_read_the_secrets_that_workflows_pass_to_it():
    found = planned([workflow_with_secrets()], [action("one"), action("two")])
    ((statement,),) = (policy["Statement"] for policy in found["OneFunction"]["Properties"]["Policies"][1:])
    assert statement["Action"] == ["secretsmanager:GetSecretValue"]
    assert [each.rpartition(":")[2] for each in statement["Resource"]] == ["stepsmith/TOKEN-??????"]
    assert found["TwoFunction"]["Properties"]["Policies"] == ["Ref ActionRuntimePolicy"]


@pytest.mark.parametrize(
    ("prefix", "service", "name"),
    [
        ("ssm:/stepsmith/", "ssm:GetParameter", "parameter/stepsmith/TOKEN"),
        ("ssm:/", "ssm:GetParameter", "parameter/TOKEN"),
        ("team/prod/", "secretsmanager:GetSecretValue", "team/prod/TOKEN-??????"),
        ("''", "secretsmanager:GetSecretValue", "stepsmith/TOKEN-??????"),
    ],
)
def test_the_deployments_prefix_says_where_secrets_are_read(prefix: str, service: str, name: str):
    base = f"Globals: {{Function: {{Environment: {{Variables: {{SECRETS_PREFIX: {prefix}}}}}}}}}\n{BASE}"
    found = planned([workflow_with_secrets()], [action("one"), action("two")], base)
    ((statement,),) = (policy["Statement"] for policy in found["OneFunction"]["Properties"]["Policies"][1:])
    assert statement["Action"] == [service]
    assert [each.rpartition(":")[2] for each in statement["Resource"]] == [name]


@pytest.mark.parametrize("prefix", ["!Ref Prefix", "stepsmith/*", "ssm:stepsmith/", "ssm:/step?/", "7", "[a]", "a${b}"])
def test_a_prefix_that_no_policy_can_be_made_of_is_refused(prefix: str):
    base = f"Globals:\n  Function:\n    Environment:\n      Variables:\n        SECRETS_PREFIX: {prefix}\n{BASE}"
    plan = plan_template(base, [workflow_with_secrets()], ActionCatalog([action("one"), action("two")]))
    assert plan.text == base
    [problem] = plan.diagnostics
    assert (problem.slug, problem.span.start.line) == ("template-invalid", 5)
