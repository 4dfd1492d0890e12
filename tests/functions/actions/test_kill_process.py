"""`kill_process`: the command it sends, what each outcome means, and its script on real processes."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest
from botocore.exceptions import ClientError

from stepsmith_functions.actions import kill_process as module
from stepsmith_functions.actions.kill_process import InstanceUnreachable, KillRefused, ProcessNotFound
from stepsmith_functions.runtime import clients
from stepsmith_functions.runtime.errors import AwsRefused, InvalidParams
from stepsmith_functions.runtime.s3 import NotConfigured

INSTANCE = "i-0123456789abcdef0"


@pytest.fixture
def ssm(world: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The SSM client, remembering what is sent; `answers` replace those of the emulation."""
    client = clients.of_process().get("ssm")
    client_sent: list[dict[str, Any]] = []
    answers: list[Any] = []
    send, ask = client.send_command, client.get_command_invocation

    def remember(**arguments: Any) -> Any:
        client_sent.append(arguments)
        return {"Command": {"CommandId": "c"}} if answers else send(**arguments)

    def answer(**arguments: Any) -> Any:
        if not answers:
            return ask(**arguments)
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(client, "send_command", remember)
    monkeypatch.setattr(client, "get_command_invocation", answer)
    client.sent, client.answers = client_sent, answers
    return client


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, "SendCommand")


def failed(code: int, details: str = "Failed") -> dict[str, Any]:
    return {"Status": "Failed", "StatusDetails": details, "ResponseCode": code}


def kill(world: Any, **params: Any) -> Any:
    return world.call("kill_process", {"process_id": 4242, "instance_id": INSTANCE, **params}, "r1")


@pytest.mark.row("S4-056")
def test_the_sample_event(world: Any, ssm: Any) -> None:
    answer = world.send("kill_process", world.sample("kill_process"))
    assert answer == {"killed": True, "process_id": 4242}
    [sent] = ssm.sent
    assert (sent["InstanceIds"], sent["DocumentName"]) == ([INSTANCE], "AWS-RunShellScript")
    assert sent["Parameters"]["commands"][0] == "pid=4242 signal=KILL"


@pytest.mark.row("S0-078")
def test_the_deployments_instance_and_document(world: Any, ssm: Any) -> None:
    world.environment |= {"DEFAULT_INSTANCE_ID": "mi-00000000000000001", "KILL_PROCESS_DOCUMENT": "stack-kill"}
    world.call("kill_process", {"process_id": 7, "signal": "TERM"})
    [sent] = ssm.sent
    assert (sent["InstanceIds"], sent["DocumentName"]) == (["mi-00000000000000001"], "stack-kill")
    assert sent["Parameters"] == {"ProcessId": ["7"], "Signal": ["TERM"]}


def test_without_an_instance(world: Any, ssm: Any) -> None:
    with pytest.raises(NotConfigured):
        world.call("kill_process", {"process_id": 7})


@pytest.mark.parametrize(
    "params",
    [
        {"process_id": 1},
        {"process_id": 0},
        {"process_id": -9},
        {"process_id": 4_194_305},
        {"process_id": "42; rm -rf /"},
        {"process_id": 1.5},
        {"process_id": True},
        {"signal": "KILL; reboot"},
        {"signal": "STOP"},
        {"instance_id": "i-1; x"},
        {"instance_id": "i-0123456789abcdef0\n"},
    ],
)
def test_nothing_but_numbers_and_names_reaches_the_shell(world: Any, ssm: Any, params: dict[str, Any]) -> None:
    with pytest.raises(InvalidParams):
        kill(world, **params)
    assert not ssm.sent


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (failed(module.NOT_FOUND), ProcessNotFound),
        (failed(module.REFUSED), KillRefused),
        (failed(-1, "Undeliverable"), InstanceUnreachable),
        (failed(127), InstanceUnreachable),
        ({"Status": "TimedOut", "StatusDetails": "DeliveryTimedOut", "ResponseCode": -1}, InstanceUnreachable),
    ],
)
def test_each_outcome_has_its_error(world: Any, ssm: Any, answer: dict[str, Any], error: type) -> None:
    ssm.answers.append(answer)
    with pytest.raises(error):
        kill(world)
    assert world.history.ends[-1].error.type == error.__name__


def test_a_process_that_survives(world: Any, ssm: Any) -> None:
    ssm.answers.append(failed(module.STILL_ALIVE))
    assert kill(world, signal="HUP") == {"killed": False, "process_id": 4242}


def test_it_waits_for_the_outcome(world: Any, ssm: Any) -> None:
    pending, running = refusal("InvocationDoesNotExist"), {"Status": "InProgress"}
    ssm.answers += [pending, running, {"Status": "Success", "StatusDetails": "Success", "ResponseCode": 0}]
    assert kill(world)["killed"]
    assert world.clock.slept == [1, 1]


def test_it_gives_up_before_lambda_does(world: Any, ssm: Any) -> None:
    ssm.answers.append({"Status": "InProgress"})
    with pytest.raises(InstanceUnreachable, match="in time"):
        kill(world)
    assert 25 <= sum(world.clock.slept) <= 27


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("InvalidInstanceId", InstanceUnreachable),
        ("UnsupportedPlatformType", InstanceUnreachable),
        ("AccessDeniedException", AwsRefused),
    ],
)
def test_refused_commands(world: Any, ssm: Any, monkeypatch: pytest.MonkeyPatch, code: str, error: type) -> None:
    def refuse(**_: Any) -> Any:
        raise refusal(code)

    monkeypatch.setattr(ssm, "send_command", refuse)
    with pytest.raises(error):
        kill(world)


def script(process: int, signal: str) -> int:
    """The exit code of the script that runs on the instance."""
    quick = re.sub("sleep 1", "sleep 0.02", module.SCRIPT)
    text = f"pid={process} signal={signal}\n{quick}"
    return subprocess.run(["/bin/sh", "-c", text], check=False, capture_output=True).returncode


@pytest.mark.row("S4-056")
def test_the_script_ends_a_process_and_knows_one_that_is_gone() -> None:
    with subprocess.Popen(["/bin/sleep", "60"]) as process:
        assert script(process.pid, "KILL") == 0
        assert process.wait(5) == -9
    assert script(process.pid, "KILL") == module.NOT_FOUND


def test_the_script_tells_who_survives() -> None:
    stubborn = ["/bin/sh", "-c", "trap '' TERM; echo ready; exec sleep 60"]
    with subprocess.Popen(stubborn, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        assert script(process.pid, "TERM") == module.STILL_ALIVE
        process.kill()
