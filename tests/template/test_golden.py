"""One template with every kind of trigger, kept as a golden file that `make validate` judges as CloudFormation would.

The project's own workflows need not use every kind. `python -m tests.template.test_golden` writes it anew.
"""

from pathlib import Path

from stepsmith.catalog import ActionCatalog, ActionSignature, Permission
from stepsmith.diagnostics import Diagnostics
from stepsmith.document import ScalarNode
from stepsmith.expressions.syntax import parse_template
from stepsmith.model.values import Field, Literal, ObjectValue, Templated
from stepsmith.model.workflow import ApiTrigger, EventTrigger, ScheduleTrigger, Workflow, WorkflowType
from stepsmith.source import SourceFile
from stepsmith.template.machines import Deployable
from stepsmith.template.plan import plan_template

GOLDEN = Path(__file__).parent / "golden" / "every-trigger.yaml"
SPAN = SourceFile("workflows/order.yaml", "order").span(0, 5)
BASE = """\
Transform: AWS::Serverless-2016-10-31
Parameters:
  LogRetentionDays: {Type: Number, Default: 30}
  PermissionsBoundary: {Type: String, Default: ''}
  EnvApiUrl: {Type: String, Default: https://api.example.com}
Conditions:
  HasPermissionsBoundary: !Not [!Equals [!Ref PermissionsBoundary, '']]
Globals:
  Function:
    Runtime: python3.13
    CodeUri: functions/
    Tracing: Active
    LoggingConfig: {LogFormat: JSON}
    PermissionsBoundary: !If [HasPermissionsBoundary, !Ref PermissionsBoundary, !Ref AWS::NoValue]
Resources:
  ActionRuntimePolicy:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument:
        Version: '2012-10-17'
        Statement: [{Effect: Allow, Action: sns:Publish, Resource: !Ref AlertsTopic}]
  TriggerDeadLetterQueue:
    Type: AWS::SQS::Queue
    Properties: {SqsManagedSseEnabled: true, MessageRetentionPeriod: 1209600}
  TriggerDeadLettersAlarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Namespace: AWS/SQS
      MetricName: ApproximateNumberOfMessagesVisible
      Dimensions: [{Name: QueueName, Value: !GetAtt TriggerDeadLetterQueue.QueueName}]
      Statistic: Maximum
      Period: 300
      EvaluationPeriods: 1
      Threshold: 0
      ComparisonOperator: GreaterThanThreshold
      TreatMissingData: notBreaching
      AlarmActions: [!Ref AlertsTopic]
  AlertsTopic:
    Type: AWS::SNS::Topic
"""


def whole(text: str) -> Templated:
    source, problems = SourceFile("workflows/order.yaml", text), Diagnostics()
    template = parse_template(ScalarNode(text, source.span(0, len(text)), plain=False), source, problems)
    assert template is not None
    return Templated(template)


def planned() -> str:
    event_input = ObjectValue(
        (
            Field("id", SPAN, whole("{{ event.detail.id }}")),
            Field("note", SPAN, whole("<order> {{ event['detail-type'] }}")),
            Field("event", SPAN, whole("{{ event }}")),
        ),
        SPAN,
    )
    constant = ObjectValue((Field("id", SPAN, Literal(7, SPAN)),), SPAN)
    triggers = (
        EventTrigger({"source": ["my.shop"], "detail": {"total": [{"numeric": [">", 9.5]}]}}, event_input, SPAN),
        EventTrigger({"source": ["my.other-shop"]}, constant, SPAN),
        EventTrigger({"source": ["my.third-shop"]}, None, SPAN),
        ScheduleTrigger("cron(0 8 ? * MON-FRI *)", "Europe/Berlin", constant, SPAN),
        ScheduleTrigger("at(2030-01-01T08:00:00)", None, None, SPAN),
        EventTrigger({"source": ["my.fourth-shop"]}, event_input, SPAN, whole("{{ event.id }}")),
        EventTrigger({"source": ["my.fifth-shop"]}, None, SPAN, whole("order {{ event.detail.id }}")),
        ScheduleTrigger("rate(1 hour)", None, constant, SPAN, whole("{{ event.time }}")),
        ApiTrigger("POST", "/orders", SPAN),
    )
    order = Workflow(
        name="order", steps=(), span=SPAN, name_span=SPAN, description="Ships", version="1.0", triggers=triggers
    )
    quick = Workflow(
        name="quick-check",
        steps=(),
        span=SPAN,
        name_span=SPAN,
        type=WorkflowType.EXPRESS,
        triggers=(ApiTrigger("PUT", "/orders", SPAN),),
    )
    ship = ActionSignature(
        name="ship",
        summary="Ships what was ordered.",
        handler="shop.actions.ship.handler",
        params={},
        result={},
        permissions=(Permission(("ses:SendEmail",), ("arn:${AWS::Partition}:ses:${AWS::Region}:*:identity/*",)),),
        environment={"TOPIC": "${AlertsTopic}", "MODE": "real"},
    )
    items = [
        Deployable(
            order,
            ("ShipFunction",),
            "workflows/order.yaml",
            "order.asl.json",
            ("API_URL",),
            machines=("QuickCheckMachine",),
            distributed=("items",),
        ),
        Deployable(quick, (), "workflows/quick-check.yaml", "order.asl.json"),
    ]
    plan = plan_template(BASE, items, ActionCatalog([ship]))
    assert plan.diagnostics == ()
    return plan.text


def test_every_kind_of_trigger_and_resource_is_written_as_it_was_judged():
    assert planned() == GOLDEN.read_text(encoding="utf-8")


if __name__ == "__main__":
    GOLDEN.write_text(planned(), encoding="utf-8")
