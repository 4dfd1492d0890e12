"""`@action`: the handler around a typed function, what it tells the history, and what may leave it."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from pydantic import Field

from stepsmith_functions.runtime import log
from stepsmith_functions.runtime.action import action
from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.contract import Params, Result, Statement
from stepsmith_functions.runtime.errors import (
    AwsRefused,
    AwsUnavailable,
    InvalidParams,
    InvalidResult,
    SecretUnavailable,
    TransientError,
)


class LookParams(Params):
    path: str = Field(pattern="^[a-z]+$")
    depth: int = 1
    headers: dict[str, str] = Field(default_factory=dict)
    raised: str | None = None


class LookResult(Result):
    seen: str
    weight: float = 1.0


class Blinked(TransientError):  # noqa: N818 - a name of the contract
    """The eye was shut for a moment."""


ERRORS: dict[str, Exception] = {
    "blinked": Blinked("not now"),
    "denied": ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObject"),
    "throttled": ClientError({"Error": {"Code": "SlowDown", "Message": "later"}}, "GetObject"),
    "failing": ClientError({"Error": {"Code": "Odd"}, "ResponseMetadata": {"HTTPStatusCode": 503}}, "GetObject"),
    "unreachable": EndpointConnectionError(endpoint_url="https://s3.example"),
    "bug": KeyError("oops"),
}


@action(
    effect="read",
    repeatable=True,
    timeout=9,
    memory=128,
    errors=(Blinked,),
    permissions=(Statement(("s3:GetObject",), ("${DataBucket.Arn}/x",)),),
    environment={"DATA_BUCKET": "${DataBucket}"},
    example={"path": "a"},
)
def look(params: LookParams, context: ActionContext) -> LookResult:
    """Looks at something.

    Twice if need be.
    """
    context.logger.info("looking", extra={"at": params.headers})
    if params.raised == "result":
        return LookResult(seen=4)  # type: ignore[arg-type]
    if params.raised == "leak":
        raise ValueError(f"bad header {params.headers}")
    if params.raised:
        raise ERRORS[params.raised]
    if params.path == "nan":
        return LookResult(seen="x", weight=float("nan"))
    return LookResult(seen=params.headers.get("a", params.path) * params.depth)


def test_the_result_is_plain_json(world: Any) -> None:
    assert world.send(look, {"path": "ab", "depth": 2.0}) == {"seen": "abab", "weight": 1.0}


def test_without_a_run_nothing_is_recorded(world: Any) -> None:
    assert look.handler({"params": {"path": "a"}}, world.context)["seen"] == "a"
    assert not world.history.starts


def test_start_and_end_are_told(world: Any) -> None:
    world.send(look, {"path": "a"})
    [start], [end] = world.history.starts, world.history.ends
    assert (start.run_id, start.workflow, start.version) == ("run-1", "w", "1.0.0")
    assert (start.step_id, start.path, start.action) == ("s", "loop[0].s", "look")
    assert (start.attempt, start.line, start.params) == (1, 7, {"path": "a"})
    assert end.started_at == start.started_at < end.ended_at
    assert (end.output, end.error) == ({"seen": "a", "weight": 1.0}, None)


def test_a_broken_history_fails_nothing(world: Any) -> None:
    world.history.broken = True
    with log.written_to(io.StringIO()) as _:
        assert world.send(look, {"path": "a"})["seen"] == "a"
        with pytest.raises(Blinked):
            world.send(look, {"path": "a", "raised": "blinked"})


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"path": "SECRET"}, "path: "),
        ({"path": "a", "depth": "3"}, "depth: "),
        ({"path": "a", "depth": 1.5}, "depth: "),
        ({"path": "a", "pth": "SECRET"}, "pth: "),
        ({}, "path: Field required"),
        ({"path": None}, "path: "),
    ],
)
def test_bad_params_are_named_and_never_repeated(world: Any, params: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidParams) as caught:
        world.send(look, params)
    assert told in str(caught.value)
    assert "SECRET" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert world.history.ends[-1].error.type == "InvalidParams"


@pytest.mark.parametrize("event", [[], None, "x", {"params": []}])
def test_an_event_without_params_is_invalid(world: Any, event: Any) -> None:
    with pytest.raises(InvalidParams):
        look.handler(event, world.context)


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        ("blinked", Blinked),
        ("denied", AwsRefused),
        ("throttled", AwsUnavailable),
        ("failing", AwsUnavailable),
        ("unreachable", AwsUnavailable),
        ("bug", KeyError),
        ("result", InvalidResult),
    ],
)
def test_errors_leave_under_the_names_that_workflows_know(world: Any, raised: str, error: type) -> None:
    with log.written_to(io.StringIO()), pytest.raises(error) as caught:
        world.send(look, {"path": "a", "raised": raised})
    assert type(caught.value) is error
    assert world.history.ends[-1].error.type == error.__name__
    assert world.history.ends[-1].output is None


def test_a_number_that_json_lacks_is_refused(world: Any) -> None:
    with pytest.raises(InvalidResult):
        world.send(look, {"path": "nan"})


AT = {"at": ["headers", "a"], "parts": ["Bearer ", {"secret": "TOKEN"}]}


@pytest.mark.row("S1-144")
def test_secrets_reach_the_action_and_nothing_else(world: Any) -> None:
    out = io.StringIO()
    with log.written_to(out):
        answer = world.send(look, {"path": "a", "headers": {}}, secrets=[AT])
    assert answer["seen"] == "Bearer ***"
    [start], [end] = world.history.starts, world.history.ends
    assert start.params == {"path": "a", "headers": {"a": "Bearer ***"}}
    assert end.output == {"seen": "Bearer ***", "weight": 1.0}
    assert json.loads(out.getvalue())["at"] == {"a": "Bearer ***"}
    assert "s3cr" not in out.getvalue()


@pytest.mark.row("S1-144")
def test_secrets_are_masked_in_errors_and_their_log(world: Any) -> None:
    out = io.StringIO()
    with log.written_to(out), pytest.raises(ValueError, match=r"Bearer \*\*\*"):
        world.send(look, {"path": "a", "headers": {}, "raised": "leak"}, secrets=[AT])
    assert "s3cr" not in out.getvalue()
    assert "s3cr" not in repr(world.history)


def test_data_that_looks_like_a_reference_is_data(world: Any) -> None:
    params = {"path": "a", "headers": {"a": '{"secret": "TOKEN"}'}}
    assert world.send(look, params)["seen"] == '{"secret": "TOKEN"}'


@pytest.mark.parametrize(
    "reference",
    [
        {},
        "TOKEN",
        {"at": [], "parts": []},
        {"at": ["x", "y", "z"], "parts": [1]},
        {"at": ["path", "x"], "parts": []},
        {"at": ["headers", "a"], "parts": [{"secret": "../TOKEN"}]},
    ],
)
def test_malformed_references_are_refused(world: Any, reference: Any) -> None:
    with pytest.raises(InvalidParams):
        world.send(look, {"path": "a", "headers": {}}, secrets=[reference])


def test_an_unknown_secret(world: Any) -> None:
    with pytest.raises(SecretUnavailable, match="stepsmith/OTHER"):
        world.send(look, {"path": "a"}, secrets=[{"at": ["path"], "parts": [{"secret": "OTHER"}]}])


def test_the_log_carries_run_and_step(world: Any) -> None:
    out = io.StringIO()
    with log.written_to(out):
        world.send(look, {"path": "a"})
        look.handler({"params": {"path": "a"}}, world.context)
    first, second = (json.loads(line) for line in out.getvalue().splitlines())
    assert (first["run_id"], first["step"], first["action"]) == ("run-1", "loop[0].s", "look")
    assert first["function_request_id"] == "request-1"
    assert "run_id" not in second


def test_the_contract_is_plain_json() -> None:
    described: Any = json.loads(json.dumps(look.describe()))
    assert (described["name"], described["summary"]) == ("look", "Looks at something")
    assert described["description"] == "Twice if need be."
    assert described["handler"] == f"{__name__}.handler"
    assert described["params"]["properties"]["depth"] == {"default": 1, "type": "integer"}
    assert described["params"]["additionalProperties"] is False
    assert described["result"]["required"] == ["seen", "weight"]
    assert described["errors"][0] == {
        "name": "Blinked",
        "bases": ["TransientError", "ActionError"],
        "summary": "The eye was shut for a moment",
        "retryable": True,
    }
    assert [error["name"] for error in described["errors"][1:]] == [
        "InvalidParams",
        "AwsRefused",
        "AwsUnavailable",
    ]
    assert described["permissions"] == [{"actions": ["s3:GetObject"], "resources": ["${DataBucket.Arn}/x"]}]
    assert (described["timeout"], described["memory"], described["effect"]) == (9, 128, "read")


def test_what_is_no_action_is_refused_at_once() -> None:
    declare: Any = action(effect="read", repeatable=True, example={})

    def untyped(params, context):  # type: ignore[no-untyped-def]
        """Has no types."""

    def undocumented(params: LookParams, context: ActionContext) -> LookResult:
        raise NotImplementedError

    for function in (untyped, undocumented):
        with pytest.raises(TypeError):
            declare(function)
