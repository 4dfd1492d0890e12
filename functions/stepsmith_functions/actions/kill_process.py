"""The action `kill_process`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from stepsmith_functions.runtime.action import action
from stepsmith_functions.runtime.clients import AwsClient, code_of
from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.contract import Params, Result, Statement
from stepsmith_functions.runtime.errors import PermanentError, TransientError
from stepsmith_functions.runtime.s3 import NotConfigured

NOT_FOUND, REFUSED, STILL_ALIVE = 66, 67, 68
"""What the script ends with; 0 when the process is gone."""

SCRIPT = f"""\
gone() {{ ! [ -d "/proc/$pid" ] || grep -q '^State:[[:space:]]*Z' "/proc/$pid/status" 2>/dev/null; }}
if gone; then exit {NOT_FOUND}; fi
if ! kill -s "$signal" "$pid"; then if gone; then exit {NOT_FOUND}; else exit {REFUSED}; fi; fi
for i in 1 2 3 4 5; do if gone; then exit 0; fi; sleep 1; done
exit {STILL_ALIVE}
"""
"""Ends the process `$pid` by `$signal` and waits up to five seconds for it to go; a zombie counts as gone."""

_DELIVERY = 30
"""Seconds that Systems Manager tries to reach the instance, the least it takes (API reference, SendCommand)."""
_LONGEST_WAIT = 45.0
_RUNNING = frozenset({"Pending", "InProgress", "Delayed", "Cancelling"})


class ProcessNotFound(PermanentError):  # noqa: N818 - the name is part of the contract with workflows
    """No such process runs on the instance."""


class KillRefused(PermanentError):  # noqa: N818 - the name is part of the contract with workflows
    """The instance could not signal the process."""


class InstanceUnreachable(TransientError):  # noqa: N818 - the name is part of the contract with workflows
    """Systems Manager does not reach the instance: unknown, stopped or without its agent."""


class KillProcessParams(Params):
    process_id: int = Field(gt=1, le=4_194_304, description="On the instance; never 1. Linux counts to 2^22.")
    instance_id: str | None = Field(
        default=None,
        pattern=r"^m?i-[0-9a-f]{8,17}$",
        description="An EC2 or managed instance; the deployment's own if left out.",
    )
    signal: Literal["KILL", "TERM", "INT", "QUIT", "HUP"] = Field(
        default="KILL", description="What to send; a process cannot ignore KILL."
    )


class KillProcessResult(Result):
    killed: bool = Field(description="Whether the process was gone within five seconds.")
    process_id: int = Field(description="As given.")


@action(
    effect="destructive",
    repeatable=False,
    timeout=60,
    memory=256,
    errors=(ProcessNotFound, InstanceUnreachable, KillRefused, NotConfigured),
    permissions=(
        Statement(
            ("ssm:SendCommand",),
            (
                "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:document/${KillProcessDocument}",
                "arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:instance/*",
                "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:managed-instance/*",
            ),
        ),
        # It knows no resource (service authorization reference, Systems Manager), so that only * grants it.
        Statement(("ssm:GetCommandInvocation",), ("*",)),
    ),
    environment={
        "DEFAULT_INSTANCE_ID": "${DefaultInstanceId}",
        "KILL_PROCESS_DOCUMENT": "${KillProcessDocument}",
    },
    example={"process_id": 4242, "instance_id": "i-0123456789abcdef0"},
)
def kill_process(params: KillProcessParams, context: ActionContext) -> KillProcessResult:
    """Ends a process on an instance through Systems Manager.

    It runs the deployment's own document, so that its role can end processes and nothing else, or
    AWS-RunShellScript where there is none. Against the local AWS no process runs: every command succeeds there,
    so that `killed` is true and ProcessNotFound never arises. Process ids are reused; a retry may find
    ProcessNotFound where the first try had succeeded.
    """
    instance = params.instance_id or context.settings.default_instance
    if instance is None:
        raise NotConfigured("no instance_id, and this deployment has no instance (DEFAULT_INSTANCE_ID is empty)")
    client = context.clients.get("ssm")
    command = _send(client, instance, params, context)
    status, code = _wait(client, command, instance, context)
    if code == NOT_FOUND:
        raise ProcessNotFound(f"no process {params.process_id} runs on {instance}")
    if code == REFUSED:
        raise KillRefused(f"{instance} could not signal process {params.process_id}")
    if code != STILL_ALIVE and status != "Success":
        raise InstanceUnreachable(f"{instance} did not run the command ({status})")
    return KillProcessResult(killed=code != STILL_ALIVE, process_id=params.process_id)


def _send(client: AwsClient, instance: str, params: KillProcessParams, context: ActionContext) -> str:
    document = context.settings.kill_document
    if document:
        parameters = {"ProcessId": [str(params.process_id)], "Signal": [params.signal]}
    else:
        document = "AWS-RunShellScript"
        parameters = {"commands": [f"pid={params.process_id} signal={params.signal}", *SCRIPT.splitlines()]}
    try:
        answer = client.send_command(
            InstanceIds=[instance],
            DocumentName=document,
            Parameters=parameters,
            TimeoutSeconds=_DELIVERY,
            Comment=f"Stepsmith {context.run_id or ''} {context.step_path or ''}"[:100],
        )
    except client.exceptions.ClientError as error:
        if code_of(error) in ("InvalidInstanceId", "InvalidInstance", "UnsupportedPlatformType"):
            raise InstanceUnreachable(f"Systems Manager does not know {instance}") from None
        raise
    return str(answer["Command"]["CommandId"])


def _wait(client: AwsClient, command: str, instance: str, context: ActionContext) -> tuple[str, int]:
    """How the command ended: its detailed status and the script's exit code, -1 if it never ran."""
    end = context.clock.elapsed() + min(context.remaining_seconds() - 3, _LONGEST_WAIT)
    while True:
        try:
            answer = client.get_command_invocation(CommandId=command, InstanceId=instance)
        except client.exceptions.ClientError as error:
            # The invocation appears a moment after the command does.
            if code_of(error) != "InvocationDoesNotExist":
                raise
            answer = {"Status": "Pending"}
        if answer["Status"] not in _RUNNING:
            return str(answer.get("StatusDetails") or answer["Status"]), int(answer.get("ResponseCode", -1))
        if context.clock.elapsed() >= end:
            raise InstanceUnreachable(f"{instance} did not answer in time; the command may still run there")
        context.clock.sleep(1)


handler = kill_process.handler
