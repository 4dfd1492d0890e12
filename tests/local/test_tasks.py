"""What tasks do on this machine: functions, tokens, children, time-outs, and a handler's own clock."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stepsmith.document import Json
from stepsmith.engine import Status
from tests.local.machines import MakeAws, invoke, machine, run

ECHO = "def handler(event, context):\n    return event\n"
SLOW = "import time\ndef handler(event, context):\n    time.sleep(event['for'])\n    return 'done'\n"
FAILS = """
    class Boom(Exception):
        pass

    def handler(event, context):
        raise Boom("no luck")
"""


def lambda_task(function: str, payload: Json, **more: Json) -> dict[str, Json]:
    """A Lambda task without an Output: its result is the whole answer."""
    task = invoke(function, payload, **more)
    del task["Output"]
    return task


def test_the_result_of_an_invocation_has_lambdas_shape(make_aws: MakeAws) -> None:
    with make_aws({"Echo": ECHO}) as aws:
        output: Any = run(aws, machine({"A": lambda_task("Echo", {"a": 1})})).output
    assert set(output) == {"ExecutedVersion", "Payload", "SdkHttpMetadata", "SdkResponseMetadata", "StatusCode"}
    assert (output["Payload"], output["StatusCode"], output["ExecutedVersion"]) == ({"a": 1}, 200, "$LATEST")


def test_a_text_payload_is_sent_as_the_document_that_it_is(make_aws: MakeAws) -> None:
    with make_aws({"Echo": ECHO}) as aws:
        execution = run(aws, machine({"A": invoke("Echo", '{"a": [1]}')}))
        wrong = run(aws, machine({"A": invoke("Echo", "no document")}), name="run-2")
    assert execution.output == {"a": [1]}
    assert wrong.error == "Lambda.InvalidRequestContentException"


@pytest.mark.parametrize(("kind", "status"), [("Event", 202), ("DryRun", 204)])
def test_other_invocation_types_answer_without_a_payload(make_aws: MakeAws, kind: str, status: int) -> None:
    with make_aws({"Fails": FAILS}) as aws:
        task: Any = lambda_task("Fails", {})
        task["Arguments"]["InvocationType"] = kind
        output: Any = run(aws, machine({"A": task})).output
    assert (output["StatusCode"], output["Payload"]) == (status, {})


def test_a_function_arn_as_resource_gives_its_bare_result(make_aws: MakeAws) -> None:
    arn = "arn:aws:lambda:us-east-1:123456789012:function:local-Echo"
    with make_aws({"Echo": ECHO}) as aws:
        execution = run(aws, machine({"A": {"Type": "Task", "Resource": arn, "Arguments": {"a": 2}}}))
    assert execution.output == {"a": 2}


def test_an_exception_is_caught_by_its_class_name(make_aws: MakeAws) -> None:
    catch: Json = [{"ErrorEquals": ["Boom"], "Output": "{% $states.errorOutput %}", "Next": "B"}]
    with make_aws({"Fails": FAILS}) as aws:
        output: Any = run(aws, machine({"A": invoke("Fails", {}, Catch=catch), "B": {"Type": "Pass"}})).output
    cause = json.loads(output["Cause"])
    assert (output["Error"], cause["errorType"], cause["errorMessage"]) == ("Boom", "Boom", "no luck")
    assert list(cause) == ["errorMessage", "errorType", "requestId", "stackTrace"]


def test_an_unknown_function_is_not_found(make_aws: MakeAws) -> None:
    with make_aws() as aws:
        execution = run(aws, machine({"A": invoke("Nobody", {})}))
    assert execution.error == "Lambda.ResourceNotFoundException"


def test_a_handler_that_overruns_the_state_loses_against_its_timeout(make_aws: MakeAws) -> None:
    with make_aws({"Slow": SLOW}, timeout=30) as aws:
        execution = run(aws, machine({"A": invoke("Slow", {"for": 3}, TimeoutSeconds=1)}))
    assert execution.error == "States.Timeout"
    assert execution.stopped is not None
    assert (execution.stopped - execution.started).total_seconds() == 1


def test_a_handler_that_overruns_its_function_is_ended_by_lambda(make_aws: MakeAws) -> None:
    with make_aws({"Slow": SLOW}, timeout=1) as aws:
        execution = run(aws, machine({"A": invoke("Slow", {"for": 3}, TimeoutSeconds=60)}))
    assert execution.error == "Sandbox.Timedout"
    assert execution.stopped is not None
    assert (execution.stopped - execution.started).total_seconds() == 1


def test_a_handler_that_sleeps_by_its_clock_takes_virtual_time(make_aws: MakeAws) -> None:
    polls = """
        from stepsmith_functions.runtime.hosting import _host
        def handler(event, context):
            clock = _host.get().clock
            before = clock.now()
            clock.sleep(90)
            return (clock.now() - before).total_seconds()
    """
    with make_aws({"Polls": polls}) as aws:
        execution = run(aws, machine({"A": invoke("Polls", {})}))
    assert execution.output == 90
    assert execution.stopped is not None
    assert (execution.stopped - execution.started).total_seconds() == 90


CHILD = machine(
    {"A": {"Type": "Wait", "Seconds": 3600}, "B": {"Type": "Pass", "Output": {"got": "{% $states.input.x %}"}}}
)
FAILING = machine({"A": {"Type": "Fail", "Error": "Bad", "Cause": "it is"}})


def start(arn: str, pattern: str = "", **more: Json) -> dict[str, Json]:
    return {
        "Type": "Task",
        "Resource": f"arn:aws:states:::states:startExecution{pattern}",
        "Arguments": {"StateMachineArn": arn, "Input": {"x": 7}},
        **more,
    }


@pytest.mark.parametrize(("pattern", "output"), [(".sync", '{"got":7}'), (".sync:2", {"got": 7})])
def test_a_child_is_waited_for(make_aws: MakeAws, pattern: str, output: Json) -> None:
    with make_aws() as aws:
        child = aws.create_machine("child", CHILD)
        execution = run(aws, machine({"A": start(child, pattern)}))
    described: Any = execution.output
    assert (described["Status"], described["Output"]) == ("SUCCEEDED", output)
    assert execution.stopped is not None
    assert (execution.stopped - execution.started).total_seconds() == 3600
    assert [item.parent for item in execution.children] == [execution]


def test_a_child_that_is_only_started_goes_on_alone(make_aws: MakeAws) -> None:
    with make_aws() as aws:
        execution = run(aws, machine({"A": start(aws.create_machine("child", CHILD))}))
        described: Any = execution.output
        (child,) = execution.children
        assert child.running
        aws.engine.run()
    assert child.status is Status.SUCCEEDED
    assert described["ExecutionArn"] == child.arn


def test_a_failed_child_fails_the_task_with_its_error_in_the_cause(make_aws: MakeAws) -> None:
    with make_aws() as aws:
        execution = run(aws, machine({"A": start(aws.create_machine("child", FAILING), ".sync:2")}))
    assert execution.error == "States.TaskFailed"
    cause = json.loads(execution.cause or "")
    assert (cause["Error"], cause["Cause"], cause["Status"]) == ("Bad", "it is", "FAILED")


def test_a_child_is_stopped_with_its_parent(make_aws: MakeAws) -> None:
    with make_aws() as aws:
        execution = run(aws, machine({"A": start(aws.create_machine("child", CHILD), ".sync:2", TimeoutSeconds=60)}))
        (child,) = execution.children
    assert execution.error == "States.Timeout"
    assert child.status is Status.ABORTED


def test_an_unknown_child_has_the_services_error(make_aws: MakeAws) -> None:
    with make_aws() as aws:
        missing = "arn:aws:states:us-east-1:123456789012:stateMachine:missing"
        execution = run(aws, machine({"A": start(missing)}))
    assert execution.error == "StepFunctions.StateMachineDoesNotExistException"


def test_a_message_carries_the_token_that_answers_the_task(make_aws: MakeAws) -> None:
    with make_aws() as aws:
        sqs = aws.client("sqs")
        url = sqs.create_queue(QueueName="asks")["QueueUrl"]
        body: Json = {"token": "{% $states.context.Task.Token %}"}
        task: Json = {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Arguments": {"QueueUrl": url, "MessageBody": body},
            "TimeoutSeconds": 600,
        }
        arn = aws.create_machine("asks", machine({"A": task}))
        execution = aws.start_execution(arn, "{}", "e")
        aws.engine.advance(1)
        (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
        aws.client("stepfunctions").send_task_success(
            taskToken=json.loads(message["Body"])["token"], output='{"by": "me"}'
        )
        aws.engine.run(until=execution)
    assert execution.output == {"by": "me"}
